"""Django's settings; everything a site may choose comes in through `tscm_site.env`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url

from tscm_site.env import read_environment
from tscm_site.sign_in import authentication_backends, is_https, silenced_checks
from tscm_site.version import VERSION

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = read_environment()
DATA_DIR = ENVIRONMENT.data_dir

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(ENVIRONMENT.csrf_trusted_origins)

TSCM_VERSION = VERSION
TSCM_FEED_BIND = ENVIRONMENT.feed_bind
TSCM_NOTIFY_BIND = ENVIRONMENT.notify_bind
TSCM_DNS_SERVERS = ENVIRONMENT.dns_servers
TSCM_LIST_FOLDERS = ENVIRONMENT.list_folders
TSCM_NODE = ENVIRONMENT.node
TSCM_ENFORCE_DIR = ENVIRONMENT.enforce_dir
TSCM_LOG_DIR = ENVIRONMENT.log_dir
TSCM_SYSLOG_BIND = ENVIRONMENT.logs.bind
TSCM_SYSLOG_EXTRA_BIND = ENVIRONMENT.logs.extra_bind
TSCM_SYSLOG_TLS_BIND = ENVIRONMENT.logs.tls_bind
TSCM_SYSLOG_TLS_CERTIFICATE = ENVIRONMENT.logs.tls_certificate
TSCM_SYSLOG_TLS_KEY = ENVIRONMENT.logs.tls_key
TSCM_SYSLOG_TLS_CLIENT_CA = ENVIRONMENT.logs.tls_client_ca
TSCM_SYSLOG_SYNC_SECONDS = ENVIRONMENT.logs.sync_seconds
TSCM_SYSLOG_MEMORY_BYTES = ENVIRONMENT.logs.memory_bytes
TSCM_LOG_FREE_BYTES = ENVIRONMENT.logs.free_bytes
TSCM_LOG_KEEP_DAYS = ENVIRONMENT.logs.keep_days
TSCM_EVENTS_DIR = DATA_DIR / "events"
TSCM_EVENTS_KEEP_DAYS = ENVIRONMENT.logs.events_keep_days
TSCM_EVENTS_BYTES = ENVIRONMENT.logs.events_bytes
TSCM_GEO_COUNTRY = ENVIRONMENT.logs.geo_country
TSCM_GEO_NETWORK = ENVIRONMENT.logs.geo_network
TSCM_LOG_UPLOAD_URL = ENVIRONMENT.logs.upload_url
TSCM_LOG_CA = ENVIRONMENT.logs.upload_ca
TSCM_SMTP_CA = ENVIRONMENT.mail.ca
TSCM_CONSOLE_URL = ENVIRONMENT.mail.console_url
TSCM_SECOND_FACTOR = ENVIRONMENT.sign_in.second_factor
TSCM_TRUSTED_PROXIES = ENVIRONMENT.sign_in.trusted_proxies
TSCM_LDAP = ENVIRONMENT.sign_in.ldap
TSCM_OIDC = ENVIRONMENT.sign_in.oidc
TSCM_METRICS_FROM = ENVIRONMENT.monitoring.metrics_from
TSCM_METRICS_TOKEN = ENVIRONMENT.monitoring.metrics_token
TSCM_PORTAL = ENVIRONMENT.fleet.portal
TSCM_LINK_PORTAL = ENVIRONMENT.fleet.link_portal
TSCM_LINK_DOMAIN = ENVIRONMENT.fleet.link_domain
TSCM_LINK_CA = ENVIRONMENT.fleet.link_ca
TSCM_REGISTER_URL = ENVIRONMENT.fleet.register_url
TSCM_REGISTER_KEY = ENVIRONMENT.fleet.register_key
TSCM_LINK_SECONDS = ENVIRONMENT.fleet.link_seconds
TSCM_UPLOAD_SECONDS = 300.0
TSCM_FIELD_KEYS = ENVIRONMENT.field_keys
TSCM_RETRIEVE_SECONDS = 60.0
TSCM_SNAPSHOTS_KEPT = 48

INSTALLED_APPS = [
    "console",  # before unfold and the admin: its templates come first
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "axes",
    "tscm_site",
    "policies",
    "devices",
    "enforcement",
    "logs",
    "feeds",
    "accounts",
    "fleet",
]

MIDDLEWARE = [
    "tscm_site.runs.RunMiddleware",  # before the others: what they log belongs to the run
    "console.middleware.BrowserPolicyMiddleware",
    "tscm_site.probes.ProbesMiddleware",
    "accounts.proxies.TrustedProxyMiddleware",  # now: the rest sees the client's own address
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "policies.middleware.OriginMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "accounts.middleware.NoteSessionMiddleware",
    "accounts.middleware.ProtectAdministratorsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # last: it answers in the place of a sign-in that is locked
]

ROOT_URLCONF = "tscm_site.urls"
WSGI_APPLICATION = "tscm_site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _database(url: str) -> dict[str, Any]:
    """Return Django's settings for the database at `url`."""
    database: dict[str, Any] = {**dj_database_url.parse(url, conn_max_age=60)}
    if database["ENGINE"] == "django.db.backends.sqlite3":
        # Stock settings fail 8 of 10 concurrent writes: a transaction that begins by reading cannot
        # become a writer while another writes. IMMEDIATE takes the lock first and waits for it.
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL;",
        }
    else:
        database["CONN_HEALTH_CHECKS"] = True
        # Without it a host that does not answer holds each request for minutes.
        database["OPTIONS"] = {"connect_timeout": 5, **database.get("OPTIONS", {})}
    return database


DATABASES = {"default": _database(ENVIRONMENT.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{validator}"}
    for validator in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTH_PASSWORD_VALIDATORS.append({"NAME": "accounts.password_change.EndSessions"})
AUTHENTICATION_BACKENDS = authentication_backends(ENVIRONMENT.sign_in)
AXES_HANDLER = "accounts.lockout.LockoutHandler"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_USERNAME_CALLABLE = "accounts.lockout.counted_name"
AXES_CLIENT_IP_CALLABLE = "accounts.lockout.address_of"
AXES_LOCKOUT_CALLABLE = "accounts.views.sign_in.locked"
AXES_RESET_ON_SUCCESS = True
# A lock that every further guess prolongs would shut out whom it protects.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # the record of changes has it
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code", "next", "csrfmiddlewaretoken"]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
SESSION_ENGINE = "accounts.session_store"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_NAME = "tscm_session"
CSRF_COOKIE_NAME = "tscm_csrf"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if is_https(ENVIRONMENT.mail.console_url):
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
    # Asked on this machine, where no proxy stands before it.
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SILENCED_SYSTEM_CHECKS = silenced_checks(ENVIRONMENT)

# No mail is sent where EMAIL_HOST is empty; whoever would send one says so.
EMAIL_BACKEND = "tscm_site.mail.SmtpBackend"
EMAIL_HOST = ENVIRONMENT.mail.host
EMAIL_PORT = ENVIRONMENT.mail.port
EMAIL_HOST_USER = ENVIRONMENT.mail.user
EMAIL_HOST_PASSWORD = ENVIRONMENT.mail.password
EMAIL_USE_TLS = ENVIRONMENT.mail.security == "starttls"
EMAIL_USE_SSL = ENVIRONMENT.mail.security == "tls"
EMAIL_TIMEOUT = ENVIRONMENT.mail.seconds
DEFAULT_FROM_EMAIL = SERVER_EMAIL = ENVIRONMENT.mail.sender

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = "console.formats"

STATIC_URL = "static/"
WHITENOISE_ALLOW_ALL_ORIGINS = False
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    "sets": {
        "BACKEND": "policies.storage.DurableFileSystemStorage",
        "OPTIONS": {"location": str(DATA_DIR / "sets")},
    },
    "feeds": {
        "BACKEND": "policies.storage.DurableFileSystemStorage",
        "OPTIONS": {"location": str(DATA_DIR / "feeds")},
    },
}
if DEBUG:
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}

# The queue is a nudge: the rows say what is due, so losing the broker loses nothing.
CELERY_BROKER_URL = ENVIRONMENT.broker_url
CELERY_BEAT_SCHEDULER = "tscm_site.beat:SteadyScheduler"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_SOFT_TIME_LIMIT = 540
# Longer than any job: else a slow one would be taken over again and again, and never end.
TSCM_CLAIM_SECONDS = CELERY_TASK_TIME_LIMIT + 60.0
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = ENVIRONMENT.worker_concurrency
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 1_500_000  # KiB: arrays of large lists are given back
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
CELERY_TIMEZONE = "UTC"
if CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # A killed worker's messages come back within seconds, not after the visibility time-out.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "visibility_timeout": 900,
        "socket_timeout": 10,
        "socket_connect_timeout": 2,
    }

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["policies.api.permissions.ModelPermissions"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tscm_site.parsers.BoundedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "policies.api.pages.Pages",
    "PAGE_SIZE": 50,
    "DEFAULT_SCHEMA_CLASS": "tscm_site.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_VERSIONING_CLASS": None,
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.UserRateThrottle",
        "rest_framework.throttling.ScopedRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "user": "1200/min",
        "tokens": "10/min",
        "registrations": "120/min",
    },
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

DRF_STANDARDIZED_ERRORS = {
    "ALLOWED_ERROR_STATUS_CODES": [
        "400", "401", "403", "404", "405", "406", "409", "413", "415", "429", "500",
    ],
    "ERROR_SCHEMAS": dict.fromkeys(
        ["400", "401", "403", "404", "405", "406", "409", "413", "415", "429", "500"],
        "tscm_site.openapi.ErrorResponseSerializer",
    ),
}  # fmt: skip

SPECTACULAR_SETTINGS = {
    "TITLE": "TSCM API",
    "DESCRIPTION": "Devices, policies and feeds of the Threat-policy Centralized Manager.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    # Closed at first: the page would take seconds to draw some two hundred operations.
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "docExpansion": "none",
        "defaultModelsExpandDepth": 0,
    },
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_NAME_OVERRIDES": {
        "SourceState": "policies.states.SourceState",
        "PolicyState": "policies.states.PolicyState",
        "Outcome": "policies.states.Outcome",
        "Role": "policies.states.Role",
        "Extent": "policies.api.why.EXTENTS",
        "Expectation": "policies.states.Expectation",
        "StaleEntries": "policies.states.StaleEntries",
        "KindEnum": "devices.kinds.CHOICES",
        "AlarmKind": "policies.states.AlarmKind",
        "AlarmSeverity": "policies.states.AlarmSeverity",
        "AlarmEvent": "policies.states.AlarmEvent",
        "AlarmTargetKind": "policies.models.TargetKind",
        "NoticeState": "policies.states.NoticeState",
        "HealthState": "devices.health.HealthState",
        "EntryHealth": "fleet.reports.health.EntryHealth",
        "RolloutState": "fleet.models.RolloutState",
        "Stand": "fleet.reports.trial.Stand",
        "TokenRight": "accounts.models.TokenRight",
        "GatewayState": "devices.models.GatewayState",
        "ApplicationOutcome": "enforcement.models.Outcome",
        "Trigger": "enforcement.models.Trigger",
        "BatchState": "logs.states.BatchState",
        "ForwardSource": "devices.models.ForwardSource",
        "LogWriter": "devices.models.LogWriter",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"ours": {"()": "tscm_site.logging.our_formatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "ours"}},
    "loggers": {"axes": {"level": "ERROR"}},  # the record of changes says it once, in our words
    "root": {"handlers": ["stderr"], "level": "INFO"},
}

UNFOLD = {
    "SITE_TITLE": "TSCM",
    "SITE_HEADER": "TSCM",
    "SITE_SUBHEADER": "Threat-policy Centralized Manager",
    "SITE_SYMBOL": "shield",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "console.navigation.favicon"}
    ],
    "SITE_URL": "",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "console.views.dashboard",
    "STYLES": [
        "console.navigation.stylesheet",
        "console.navigation.report_styles",
        "console.navigation.widget_styles",
    ],
    "SCRIPTS": ["console.navigation.script"],
    "ACCOUNT": {"navigation": "accounts.navigation.links_of_a_person"},
    "SIDEBAR": {"navigation": "console.navigation.sidebar"},
    "COLORS": {
        "primary": {
            "50": "#eff6ff",
            "100": "#dbeafe",
            "200": "#bfdbfe",
            "300": "#93c5fd",
            "400": "#60a5fa",
            "500": "#3b82f6",
            "600": "#2563eb",
            "700": "#1d4ed8",
            "800": "#1e40af",
            "900": "#1e3a8a",
            "950": "#172554",
        }
    },
}
