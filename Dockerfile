# One image for every process of the appliance; docker-compose.yml says which one each container is.
# For signing in with LDAP or OpenID Connect build the target `sign-in` (docs/sign-in.md).
# The target `gateway` is the same with the tools of a gateway; only the enforcer needs it.

FROM python:3.12-slim-bookworm AS packages
WORKDIR /srv/tscm
COPY requirements.txt ./
RUN python -m venv .venv \
 && .venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.12-slim-bookworm AS appliance
ENV PATH=/srv/tscm/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TSCM_DATA_DIR=/data
# A fixed number, so that files of secrets can be given to it on the host.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tscm \
 && install -d -o tscm -g tscm -m 0700 /data
WORKDIR /srv/tscm
COPY --from=packages /srv/tscm/.venv .venv
COPY . .
RUN ln -s ../../deploy/tsadmin .venv/bin/tsadmin
USER 10001
VOLUME /data
EXPOSE 8000 8001
ENTRYPOINT ["python", "-m", "deploy.processes"]
CMD ["web"]

FROM packages AS packages-sign-in
COPY requirements-sso.txt ./
# Debian keeps one version of each at a time, so none is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libldap-dev libsasl2-dev \
 && rm -rf /var/lib/apt/lists/* \
 && .venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-sso.txt

FROM appliance AS sign-in
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libldap-2.5-0 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=packages-sign-in /srv/tscm/.venv .venv
RUN ln -sf ../../deploy/tsadmin .venv/bin/tsadmin
USER 10001

FROM appliance AS gateway
USER 0
# Debian keeps one version of each at a time, so none is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ipset iptables nftables \
 && rm -rf /var/lib/apt/lists/*
USER 10001
CMD ["enforcer"]
