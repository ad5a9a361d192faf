"""The whole list of variables; each has a default, which stands for an empty one too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable; in its default `<data>` stands for the data folder."""

    name: str
    default: str
    meaning: str


VARIABLES: tuple[Variable, ...] = (
    Variable("TSCM_DATA_DIR", "./var", "Folder of all that is kept; relative to the checkout."),
    Variable("TSCM_LOG_DIR", "<data>/log", "Folder of the processes' logs."),
    Variable("TSCM_CONSOLE_BIND", "127.0.0.1:8000", "Address and port of the console and the API."),
    Variable("TSCM_FEED_BIND", "0.0.0.0:8001", "Address and port where firewalls fetch feeds."),
    Variable(
        "TSCM_NOTIFY_BIND",
        "",
        "Address and port where zone servers may say NOTIFY; empty: nobody listens.",
    ),
    Variable("TSCM_SYSLOG_BIND", "[::]:514", "Address and port of syslog, by UDP and TCP."),
    Variable("TSCM_SYSLOG_EXTRA_BIND", "", "One more for TCP, such as [::]:1470; empty: none."),
    Variable("TSCM_SYSLOG_TLS_BIND", "[::]:6514", "Address and port of syslog by TLS."),
    Variable(
        "TSCM_SYSLOG_TLS_CERTIFICATE",
        "",
        "PEM file of the certificate syslog by TLS is offered with; empty: it is not.",
    ),
    Variable("TSCM_SYSLOG_TLS_KEY", "", "PEM file of its key; empty: the certificate's file."),
    Variable(
        "TSCM_SYSLOG_TLS_CLIENT_CA",
        "",
        "PEM file of the CA that senders by TLS must have a certificate of; empty: they need none.",
    ),
    Variable("TSCM_SYSLOG_SYNC_SECONDS", "1", "Seconds until a received line is surely on disk."),
    Variable("TSCM_SYSLOG_MEMORY_MB", "128", "Memory for lines that wait to be written, in MB."),
    Variable("TSCM_LOG_FREE_MB", "1000", "Disk space that logs must leave free, in MB."),
    Variable("TSCM_LOG_KEEP_DAYS", "35", "Days for which uploaded batches are kept on disk."),
    Variable("TSCM_EVENTS_KEEP_DAYS", "35", "Days for which reports know of connections."),
    Variable("TSCM_EVENTS_MB", "10000", "Disk space that events may take, in MB."),
    Variable("TSCM_GEO_COUNTRY", "", "MaxMind file of countries for reports; empty: none."),
    Variable("TSCM_GEO_NETWORK", "", "MaxMind file of autonomous systems, likewise."),
    Variable(
        "TSCM_LOG_UPLOAD_URL",
        "https://logs.threatstop.com:443/logupload.pl",
        "Where the batches of log lines are posted to.",
    ),
    Variable("TSCM_LOG_CA", "", "PEM file of CAs to trust in uploads and forwarding."),
    Variable(
        "TSCM_SMTP_HOST", "", "Mail server that reports and alarms go out by; empty: none do."
    ),
    Variable("TSCM_SMTP_PORT", "587", "Its port."),
    Variable("TSCM_SMTP_SECURITY", "starttls", "How mail is kept private: starttls, tls, none."),
    Variable("TSCM_SMTP_USER", "", "Who signs in at the mail server; empty: nobody."),
    Variable("TSCM_SMTP_PASSWORD", "", "That user's password."),
    Variable("TSCM_SMTP_CA", "", "PEM file of CAs to trust in sending mail."),
    Variable("TSCM_SMTP_SECONDS", "20", "Seconds that each answer of the mail server may take."),
    Variable("TSCM_MAIL_FROM", "tscm@localhost", "Address that mail is from."),
    Variable(
        "TSCM_CONSOLE_URL",
        "",
        "What links in mails begin with, such as https://tscm.example.net; empty: the console's "
        "own address.",
    ),
    Variable("TSCM_DATABASE_URL", "sqlite:///<data>/tscm.sqlite3", "SQLite or PostgreSQL."),
    Variable(
        "TSCM_BROKER_URL",
        "redis+socket://<data>/run/redis.sock",
        "Queue: the private Redis that `make run` starts, or a Redis or RabbitMQ elsewhere.",
    ),
    Variable("TSCM_DNS_SERVERS", "ts-dns.threatstop.com", "DNS servers of the lists, in order."),
    Variable("TSCM_LIST_FOLDERS", "<data>/lists", "Folders that lists may be read from."),
    Variable("TSCM_NODE", "", "Name by which devices mean this machine; empty: its host name."),
    Variable("TSCM_ENFORCE", "auto", "Start the enforcer here: auto (where it may be), yes, no."),
    Variable(
        "TSCM_ENFORCE_DIR",
        "<data>/enforce",
        "Folder of what is in force in this machine's kernel, for the next boot.",
    ),
    Variable("TSCM_SECRET_KEY", "", "Signs sessions and forms; made at the first start."),
    Variable("TSCM_FIELD_KEYS", "", "Fernet keys of encrypted fields; made at the first start."),
    Variable("TSCM_DEBUG", "false", "Show details of errors in the browser; never on a network."),
    Variable("TSCM_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]", "Names that reach the console."),
    Variable("TSCM_CSRF_TRUSTED_ORIGINS", "", "Origins (`https://name`) of a proxy before it."),
    Variable(
        "TSCM_TRUSTED_PROXIES",
        "",
        "Addresses of proxies before the console whose X-Forwarded-For is believed.",
    ),
    Variable(
        "TSCM_SECOND_FACTOR",
        "nobody",
        "Who must have a second factor: nobody, operators (and owners), everybody.",
    ),
    Variable("TSCM_LDAP_URL", "", "LDAP directory that people sign in with; empty: none."),
    Variable("TSCM_LDAP_CA", "", "PEM file of CAs to trust in asking the directory."),
    Variable("TSCM_LDAP_BIND_DN", "", "DN that searches the directory; empty: anonymous."),
    Variable("TSCM_LDAP_BIND_PASSWORD", "", "That DN's password."),
    Variable("TSCM_LDAP_USERS", "", "DN below which people are."),
    Variable("TSCM_LDAP_USER_FILTER", "(uid={name})", "How a person is found by name."),
    Variable("TSCM_LDAP_GROUPS", "", "DN below which groups are."),
    Variable(
        "TSCM_LDAP_GROUP_FILTER",
        "(|(member={dn})(uniqueMember={dn})(memberUid={name}))",
        "How the groups of a person are found.",
    ),
    Variable("TSCM_LDAP_ROLES", "", "Which group gives which role: role=DN; role=DN."),
    Variable("TSCM_LDAP_SECONDS", "5", "Seconds that the directory may take for an answer."),
    Variable("TSCM_OIDC_ISSUER", "", "OpenID Connect provider people sign in with; empty: none."),
    Variable("TSCM_OIDC_CLIENT_ID", "", "The console's name at the provider."),
    Variable("TSCM_OIDC_CLIENT_SECRET", "", "Its secret there."),
    Variable("TSCM_OIDC_CA", "", "PEM file of CAs to trust in asking the provider."),
    Variable("TSCM_OIDC_SCOPES", "openid profile email", "What the provider is asked to tell."),
    Variable("TSCM_OIDC_NAME_CLAIM", "preferred_username", "Claim that holds a person's name."),
    Variable("TSCM_OIDC_ROLES_CLAIM", "groups", "Claim that holds a person's groups."),
    Variable("TSCM_OIDC_ROLES", "", "Which group gives which role: role=group; role=group."),
    Variable("TSCM_OIDC_SECONDS", "5", "Seconds that the provider may take for an answer."),
    Variable(
        "TSCM_METRICS_FROM",
        "127.0.0.0/8,::1",
        "Addresses that may read /metrics and the details of /readyz; none: by token only.",
    ),
    Variable("TSCM_METRICS_TOKEN", "", "Token that opens both from anywhere; empty: none does."),
    Variable("TSCM_LOG_FORMAT", "line", "How the processes write their logs: line, json."),
    Variable(
        "TSCM_PORTAL_PRIMARY",
        "",
        "Name server that the console publishes device settings on, such as 127.0.0.1:53; empty: "
        "it is no portal.",
    ),
    Variable("TSCM_PORTAL_SERVER", "bind", "What that name server is: bind, knot."),
    Variable(
        "TSCM_PORTAL_WAY",
        "update",
        "How zones come onto it: update (DNS UPDATE), file (zone files, and it is told to reload).",
    ),
    Variable("TSCM_PORTAL_DOMAIN", "tscm.internal", "What the names of a portal's zones end in."),
    Variable(
        "TSCM_PORTAL_DIR",
        "<data>/portal",
        "Folder of the configuration and the zone files written for the name server.",
    ),
    Variable(
        "TSCM_PORTAL_CONTROL",
        "",
        "Program that tells it to read them anew, such as rndc; empty: something else does.",
    ),
    Variable("TSCM_PORTAL_KEY", "", "The console's own TSIG key there; made at the first start."),
    Variable(
        "TSCM_PORTAL_ADDRESS",
        "",
        "Where devices reach the name server by DNS over TLS; empty: by the console's host name.",
    ),
    Variable("TSCM_PORTAL_TLS_NAME", "", "Name in its certificate; empty: that of its address."),
    Variable(
        "TSCM_PORTAL_SECONDARIES",
        "",
        "Name servers that devices transfer policies from; empty: from the primary.",
    ),
    Variable(
        "TSCM_LINK_PORTAL",
        "",
        "Portal to link to where the command names none, such as portal.example.net.",
    ),
    Variable("TSCM_LINK_DOMAIN", "tscm.internal", "What the names of its zones end in."),
    Variable("TSCM_LINK_CA", "", "PEM file of CAs to trust in asking it; empty: the system's."),
    Variable(
        "TSCM_LINK_SECONDS", "300", "Seconds until its changes are in force here, 300 at most."
    ),
    Variable(
        "TSCM_REGISTER_URL",
        "",
        "Console of the portal that this machine registers with, such as https://portal.example.net.",
    ),
    Variable("TSCM_REGISTER_KEY", "", "API key that it shows there, with the right add-entries."),
    Variable("TSCM_WORKER_CONCURRENCY", "4", "Jobs that the worker does at the same time."),
    Variable("TSCM_REDIS_SERVER", "", "Path of redis-server; looked for when empty."),
)
# Keys, and URLs that carry passwords: each may also come in a file, named by NAME_FILE.
SECRETS = (
    "TSCM_PORTAL_KEY",
    "TSCM_REGISTER_KEY",
    "TSCM_METRICS_TOKEN",
    "TSCM_LDAP_BIND_PASSWORD",
    "TSCM_OIDC_CLIENT_SECRET",
    "TSCM_SMTP_PASSWORD",
    "TSCM_DATABASE_URL",
    "TSCM_BROKER_URL",
    "TSCM_SECRET_KEY",
    "TSCM_FIELD_KEYS",
)
DEFAULTS = {variable.name: variable.default for variable in VARIABLES}
