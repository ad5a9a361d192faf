from __future__ import annotations

import base64
import re
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, strategies as st

from tscm_site.env import (
    CHECKOUT,
    LONGEST_SOCKET_PATH,
    SECRETS,
    VARIABLES,
    Bind,
    Environment,
    EnvironmentRefused,
    env_bind,
    env_bool,
    env_int,
    private_redis_socket,
    read_environment,
)

GOOD_KEY = "k" * 43 + "="
LDAP = {
    "TSCM_LDAP_URL": "ldaps://ldap.example.net",
    "TSCM_LDAP_BIND_DN": "cn=tscm,dc=example,dc=net",
    "TSCM_LDAP_BIND_PASSWORD": "correct horse",
    "TSCM_LDAP_USERS": "ou=people,dc=example,dc=net",
    "TSCM_LDAP_GROUPS": "ou=groups,dc=example,dc=net",
    "TSCM_LDAP_ROLES": "owner=cn=admins,ou=groups,dc=example,dc=net; auditor=cn=audit",
}
OIDC = {
    "TSCM_OIDC_ISSUER": "https://login.example.net/realms/site",
    "TSCM_OIDC_CLIENT_ID": "tscm",
    "TSCM_OIDC_CLIENT_SECRET": "battery staple",
    "TSCM_OIDC_ROLES": "operator=secops",
}


@pytest.fixture
def checkout() -> Iterator[Path]:
    """An empty folder in the place of the checkout, so that nobody's `.env` plays a part.

    Its path is short: of a long one the queue's socket would not lie in it.
    """
    with TemporaryDirectory(prefix="tscm-") as folder:
        yield Path(folder)


def test_every_variable_is_in_the_example_file_with_its_default() -> None:
    lines = (CHECKOUT / ".env.example").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"#(TSCM_\w+)=(.*)", line) for line in lines]
    shown = {match[1]: match[2] for match in found if match}
    files = {f"{name}_FILE": "" for name in SECRETS}
    assert shown == {variable.name: variable.default for variable in VARIABLES} | files


def test_every_variable_has_a_heading_and_its_default_in_the_documentation() -> None:
    text = (CHECKOUT / "docs" / "configuration.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (TSCM_\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == {variable.name for variable in VARIABLES}
    for variable in VARIABLES:
        said = f"Default: `{variable.default}`" if variable.default else "Default: "
        assert said in sections[variable.name], variable.name
        assert (f"{variable.name}_FILE" in sections[variable.name]) == (variable.name in SECRETS)


def test_the_example_file_is_read_as_it_stands_once_its_lines_are_uncommented(
    checkout: Path,
) -> None:
    example = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    (checkout / ".env").write_text(re.sub(r"^#(?=TSCM_)", "", example, flags=re.MULTILINE))
    assert _public(read_environment({}, checkout=checkout)) == _public(
        read_environment({"TSCM_DATA_DIR": str(checkout / "var")}, checkout=Path("/nonexistent"))
    )


def test_nothing_set_gives_a_working_appliance_beside_the_checkout(checkout: Path) -> None:
    environment = read_environment({}, checkout=checkout)
    data = checkout / "var"
    assert environment.data_dir == data
    assert environment.log_dir == data / "log"
    assert environment.database_url == f"sqlite:///{data}/tscm.sqlite3"
    assert str(environment.console_bind) == "127.0.0.1:8000"
    assert str(environment.feed_bind) == "0.0.0.0:8001"
    assert environment.notify_bind is None
    assert environment.enforce == "auto"
    assert environment.enforce_dir == data / "enforce"
    assert environment.dns_servers == ("ts-dns.threatstop.com",)
    assert environment.private_redis_socket == private_redis_socket(data)
    assert not environment.debug


def test_what_is_said_of_logs_is_read_as_what_it_is(checkout: Path) -> None:
    stock = read_environment({}, checkout=checkout).logs
    assert (str(stock.bind), stock.extra_bind, str(stock.tls_bind)) == (
        "[::]:514", None, "[::]:6514",
    )  # fmt: skip
    assert (stock.tls_certificate, stock.tls_key, stock.upload_ca) == (None, None, None)
    assert (stock.sync_seconds, stock.memory_bytes, stock.free_bytes) == (1.0, 128 << 20, 10**9)
    given = {
        "TSCM_SYSLOG_TLS_CERTIFICATE": "tls/syslog.pem",
        "TSCM_SYSLOG_SYNC_SECONDS": "0.25",
        "TSCM_LOG_UPLOAD_URL": "http://127.0.0.1:8514/upload",
        "TSCM_LOG_CA": "~/ca.pem",
    }
    logs = read_environment(given, checkout=checkout).logs
    assert logs.tls_certificate == logs.tls_key == checkout / "tls" / "syslog.pem"
    assert (logs.sync_seconds, logs.upload_ca) == (0.25, Path.home() / "ca.pem")
    assert logs.upload_url == "http://127.0.0.1:8514/upload"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TSCM_DEBUG", "yes"),
        ("TSCM_DEBUG", "on"),
        ("TSCM_WORKER_CONCURRENCY", "0"),
        ("TSCM_WORKER_CONCURRENCY", "-1"),
        ("TSCM_WORKER_CONCURRENCY", "four"),
        ("TSCM_WORKER_CONCURRENCY", "257"),
        ("TSCM_CONSOLE_BIND", "8000"),
        ("TSCM_CONSOLE_BIND", "127.0.0.1"),
        ("TSCM_CONSOLE_BIND", "::1:8000"),
        ("TSCM_CONSOLE_BIND", "[127.0.0.1]:8000"),
        ("TSCM_FEED_BIND", "127.0.0.1:0"),
        ("TSCM_FEED_BIND", "127.0.0.1:65536"),
        ("TSCM_FEED_BIND", "-x:80"),
        ("TSCM_NOTIFY_BIND", "everywhere"),
        ("TSCM_DNS_SERVERS", "192.0.2.53,http://dns.example"),
        ("TSCM_DNS_SERVERS", ","),
        ("TSCM_SYSLOG_BIND", "514"),
        ("TSCM_SYSLOG_EXTRA_BIND", "1470"),
        ("TSCM_SYSLOG_TLS_KEY", "/etc/tscm/syslog.key"),
        ("TSCM_SYSLOG_TLS_CLIENT_CA", "/etc/tscm/ca.pem"),
        ("TSCM_SYSLOG_SYNC_SECONDS", "0.05"),
        ("TSCM_SYSLOG_SYNC_SECONDS", "61"),
        ("TSCM_SYSLOG_SYNC_SECONDS", "1s"),
        ("TSCM_SYSLOG_MEMORY_MB", "15"),
        ("TSCM_LOG_FREE_MB", "-1"),
        ("TSCM_LOG_KEEP_DAYS", "0"),
        ("TSCM_LOG_KEEP_DAYS", "3651"),
        ("TSCM_LOG_KEEP_DAYS", "1.5"),
        ("TSCM_EVENTS_KEEP_DAYS", "0"),
        ("TSCM_EVENTS_MB", "9"),
        ("TSCM_LOG_UPLOAD_URL", "http://logs.example.net/upload"),
        ("TSCM_LOG_UPLOAD_URL", "https://logs.example.net:99999/upload"),
        ("TSCM_LOG_UPLOAD_URL", "https://[::1/upload"),
        ("TSCM_LOG_UPLOAD_URL", "https://logs.example.net/a b"),
        ("TSCM_LOG_UPLOAD_URL", "https:///upload"),
        ("TSCM_CSRF_TRUSTED_ORIGINS", "tscm.example.net"),
        ("TSCM_NODE", "gateway 1"),
        ("TSCM_NODE", "-gateway"),
        ("TSCM_NODE", "gateway%h"),
        ("TSCM_NODE", "g" * 65),
        ("TSCM_ENFORCE", "true"),
        ("TSCM_ENFORCE", "Auto"),
        ("TSCM_REDIS_SERVER", "/nonexistent/redis-server"),
    ],
)
def test_a_value_that_cannot_be_understood_is_refused_by_name(
    checkout: Path, name: str, value: str
) -> None:
    with pytest.raises(EnvironmentRefused) as refused:
        read_environment({name: value}, checkout=checkout)
    assert refused.value.variable == name
    assert refused.value.value in value
    assert refused.value.accepted
    assert str(refused.value).count("\n") == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TSCM_DATABASE_URL", "mysql://tscm:hunter2hunter2@db/tscm"),
        ("TSCM_BROKER_URL", "memory://hunter2hunter2"),
        ("TSCM_BROKER_URL", "hunter2hunter2"),
        ("TSCM_SECRET_KEY", "hunter2hunter2"),
        ("TSCM_FIELD_KEYS", "hunter2hunter2"),
        ("TSCM_FIELD_KEYS", f"{GOOD_KEY},hunter2hunter2"),
    ],
)
def test_a_refusal_never_shows_a_secret(checkout: Path, name: str, value: str) -> None:
    with pytest.raises(EnvironmentRefused) as refused:
        read_environment({name: value}, checkout=checkout)
    assert refused.value.variable == name
    assert "hunter2" not in str(refused.value)


def test_an_environment_shows_no_secret_when_printed(checkout: Path) -> None:
    environment = read_environment({}, checkout=checkout)
    shown = repr(environment)
    assert environment.secret_key not in shown
    assert environment.field_keys[0] not in shown


def test_an_empty_value_counts_as_not_given(checkout: Path) -> None:
    empty = {variable.name: "" for variable in VARIABLES}
    assert _public(read_environment(empty, checkout=checkout)) == _public(
        read_environment({}, checkout=checkout)
    )


def test_the_process_environment_wins_over_the_env_file(checkout: Path) -> None:
    (checkout / ".env").write_text(
        "# a remark\n\nTSCM_WORKER_CONCURRENCY=2\n"
        "export TSCM_DNS_SERVERS='192.0.2.53, 2001:db8::53'\n"
    )
    from_file = read_environment({}, checkout=checkout)
    assert from_file.worker_concurrency == 2
    assert from_file.dns_servers == ("192.0.2.53", "2001:db8::53")
    given = read_environment({"TSCM_WORKER_CONCURRENCY": "3"}, checkout=checkout)
    assert given.worker_concurrency == 3


@pytest.mark.parametrize("line", ["TSCM_DATA_DIRR=/srv", "TSCM_DEBUG", "rm -rf /"])
def test_a_misspelt_line_in_the_env_file_is_refused_with_its_number(
    checkout: Path, line: str
) -> None:
    (checkout / ".env").write_text(f"TSCM_DEBUG=false\n{line}\n")
    with pytest.raises(EnvironmentRefused, match=r"\.env line 2"):
        read_environment({}, checkout=checkout)


def test_secrets_are_made_once_for_this_user_only_and_found_again(checkout: Path) -> None:
    first = read_environment({}, checkout=checkout)
    folder = checkout / "var" / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == {"secret_key", "field_keys"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    again = read_environment({}, checkout=checkout)
    assert (again.secret_key, again.field_keys) == (first.secret_key, first.field_keys)


def test_processes_that_start_together_agree_on_the_secrets(checkout: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        read = [pool.submit(read_environment, {}, checkout=checkout) for _ in range(24)]
    assert len({(future.result().secret_key, future.result().field_keys) for future in read}) == 1


def test_a_made_field_key_encrypts(checkout: Path) -> None:
    from cryptography.fernet import Fernet

    fernet = Fernet(read_environment({}, checkout=checkout).field_keys[0])
    assert fernet.decrypt(fernet.encrypt(b"proxy password")) == b"proxy password"


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_come_in_a_file(checkout: Path, tmp_path: Path, name: str) -> None:
    values = {
        "TSCM_DATABASE_URL": "postgresql://tscm:pw@db.example/tscm",
        "TSCM_BROKER_URL": "amqp://tscm:pw@queue.example//",
        "TSCM_SECRET_KEY": "s" * 32,
        "TSCM_FIELD_KEYS": GOOD_KEY,
        "TSCM_PORTAL_PRIMARY": "127.0.0.1",
        "TSCM_PORTAL_KEY": base64.b64encode(bytes(32)).decode(),
        "TSCM_REGISTER_KEY": "tscm_a-key",
        "TSCM_METRICS_TOKEN": "correct-horse-battery",
        "TSCM_SMTP_USER": "tscm",
        "TSCM_SMTP_PASSWORD": "correct horse",
        **LDAP,
        **OIDC,
    }
    file = tmp_path / "secret"
    file.write_text(values[name] + "\n")
    in_file = read_environment(values | {name: "", f"{name}_FILE": str(file)}, checkout=checkout)
    assert in_file == read_environment(values, checkout=checkout)


@pytest.mark.parametrize("content", [None, "", " \n", b"\xff\xfe"])
def test_a_secret_file_that_is_missing_or_unusable_stops_the_start(
    checkout: Path, tmp_path: Path, content: str | bytes | None
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(EnvironmentRefused) as refused:
        read_environment({"TSCM_SECRET_KEY_FILE": str(file)}, checkout=checkout)
    assert refused.value.variable == "TSCM_SECRET_KEY_FILE"
    assert refused.value.value == str(file)


def test_a_secret_given_twice_is_refused(checkout: Path, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s" * 32)
    twice = {"TSCM_SECRET_KEY": "t" * 32, "TSCM_SECRET_KEY_FILE": str(file)}
    with pytest.raises(EnvironmentRefused, match="not both"):
        read_environment(twice, checkout=checkout)


def test_a_data_folder_that_cannot_be_written_is_refused_by_name(
    checkout: Path, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(EnvironmentRefused) as refused:
        read_environment({"TSCM_DATA_DIR": str(in_the_way)}, checkout=checkout)
    assert refused.value.variable == "TSCM_DATA_DIR"


def test_a_relative_data_folder_starts_at_the_checkout_wherever_the_command_is_run(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    environment = read_environment({"TSCM_DATA_DIR": "there/../here"}, checkout=checkout)
    assert environment.data_dir == checkout / "here"


def test_the_console_can_be_reached_by_the_address_it_is_bound_to(checkout: Path) -> None:
    bound = read_environment({"TSCM_CONSOLE_BIND": "[2001:db8::1]:8000"}, checkout=checkout)
    assert "[2001:db8::1]" in bound.allowed_hosts
    everywhere = read_environment({"TSCM_CONSOLE_BIND": "0.0.0.0:8000"}, checkout=checkout)
    assert everywhere.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")


@pytest.mark.parametrize(
    ("host", "node"),
    [
        ("gw-1.example.net", "gw-1.example.net"),
        ("edge_gw", "edge_gw"),
        ("Büro 2", "B-ro-2"),
        ("(none)", "none-"),
        ("", "localhost"),
        ("h" * 80, "h" * 64),
    ],
)
def test_a_node_without_a_name_bears_the_hosts_made_plain(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, host: str, node: str
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert read_environment({}, checkout=checkout).node == node
    assert read_environment({"TSCM_NODE": node}, checkout=checkout).node == node


def test_a_broker_elsewhere_means_none_is_started_here(checkout: Path) -> None:
    environment = read_environment(
        {"TSCM_BROKER_URL": "redis://192.0.2.1:6379/0"}, checkout=checkout
    )
    assert environment.private_redis_socket is None


@given(st.lists(st.text("abc äé", min_size=1, max_size=40), min_size=1, max_size=12))
def test_the_private_redis_always_gets_a_path_that_fits_a_socket(parts: list[str]) -> None:
    data_dir = Path("/srv", *parts)
    path = private_redis_socket(data_dir)
    assert len(bytes(path)) <= LONGEST_SOCKET_PATH
    assert path == private_redis_socket(data_dir)
    assert path.is_relative_to(data_dir) or len(path.parts) == 4


@given(st.ip_addresses(), st.integers(1, 65535))
def test_a_bind_reads_back_what_it_prints(address: object, port: int) -> None:
    bind = Bind(str(address), port)
    assert env_bind("TSCM_FEED_BIND", {"TSCM_FEED_BIND": str(bind)}) == bind


@given(st.text(max_size=8))
def test_only_four_words_are_booleans(text: str) -> None:
    if text.strip().lower() in {"true", "1"}:
        assert env_bool("TSCM_DEBUG", {"TSCM_DEBUG": text})
    elif text.strip().lower() in {"false", "0", ""}:
        assert not env_bool("TSCM_DEBUG", {"TSCM_DEBUG": text})
    else:
        with pytest.raises(EnvironmentRefused):
            env_bool("TSCM_DEBUG", {"TSCM_DEBUG": text})


@given(st.integers(-300, 300))
def test_a_number_is_taken_within_its_bounds_only(number: int) -> None:
    environ = {"TSCM_WORKER_CONCURRENCY": str(number)}
    if 1 <= number <= 256:
        assert env_int("TSCM_WORKER_CONCURRENCY", environ, least=1, most=256) == number
    else:
        with pytest.raises(EnvironmentRefused):
            env_int("TSCM_WORKER_CONCURRENCY", environ, least=1, most=256)


def _public(environment: Environment) -> tuple[object, ...]:
    """Everything but the secrets, which differ where they are made anew."""
    return (
        environment.data_dir,
        environment.log_dir,
        str(environment.console_bind),
        str(environment.feed_bind),
        environment.database_url,
        environment.broker_url,
        environment.dns_servers,
        environment.node,
        environment.enforce,
        environment.enforce_dir,
        environment.debug,
        environment.allowed_hosts,
        environment.csrf_trusted_origins,
        environment.worker_concurrency,
        environment.redis_server,
    )
