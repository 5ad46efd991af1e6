"""The one settings module. Everything that differs between installations is an environment variable.

The reference of every variable is docs/reference/settings.md; a test keeps the two together.
"""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from ampout import env

BASE_DIR = Path(__file__).resolve().parent.parent
TESTING = env.flag("AMPOUT_TEST")

# -- Keys
SECRET_KEY = env.secret("SECRET_KEY", strict=not TESTING)
FIELD_KEYS = env.fernet_keys("FIELD_KEYS")
# Not as strict: it can never be changed, so refusing a weak one would help nobody.
DIGEST_KEY = env.secret("DIGEST_KEY", strict=False)

# -- Web
if env.flag("DEBUG"):
    raise ImproperlyConfigured("DEBUG is set, but there is no debug mode: its pages show strangers too much. Unset it.")
DEBUG = False
_PUBLIC = env.url("PUBLIC_URL", "http://localhost:8000")
PUBLIC_URL = _PUBLIC.geturl()
_HTTPS = _PUBLIC.scheme == "https"
# Recipients' links go to the host of PUBLIC_URL, so it is always one of ours.
ALLOWED_HOSTS = [
    *env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]"),
    _PUBLIC.netloc.removesuffix(f":{_PUBLIC.port}"),
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
BEHIND_PROXY = env.flag("BEHIND_PROXY")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _HTTPS
X_FRAME_OPTIONS = "DENY"
ROOT_URLCONF = "ampout.urls"
WSGI_APPLICATION = "ampout.wsgi.application"
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
CSV_MAX_BYTES = 50 * 1024 * 1024

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular_sidecar",
    "ampout.accounts",
    "ampout.events",
    "credentials",
    "campaigns",
    "dispatch",
    "ampout.api",
]
MIDDLEWARE = [
    "ampout.headers.HeadersMiddleware",
    "ampout.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
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
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
# Without a build step (make run), files are served from the packages' own folders.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not STATIC_ROOT.is_dir()

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["ampout.api.authentication.BearerKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_THROTTLE_CLASSES": ["ampout.api.throttles.KeyThrottle"],
    "EXCEPTION_HANDLER": "ampout.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
ALLOW_SIGNUP = env.flag("ALLOW_SIGNUP")
RATE_LIMIT_PER_MINUTE = env.number("RATE_LIMIT_PER_MINUTE", 60, minimum=1)
SIGNUP_LIMIT_PER_HOUR = env.number("SIGNUP_LIMIT_PER_HOUR", 10, minimum=1)

# -- Database and broker
DATABASES = {"default": env.database("DATABASE_URL")}
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# Differs between installations, so that a copy of the database knows that it is one.
INSTALLATION_ID = env.short("AMPOUT_INSTALLATION_ID", "")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CELERY_BROKER_URL = env.broker("CELERY_BROKER_URL")
# Redis itself wants unix:// where Celery's transport wants redis+socket://.
REDIS_URL = CELERY_BROKER_URL.replace("redis+socket://", "unix://", 1)
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

# -- Time and language: everything is UTC, texts are English
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = "ampout.formats"

# -- The admin's looks (django-unfold)
UNFOLD = {
    "SITE_TITLE": "Ampout",
    "SITE_HEADER": "Ampout",
    "SITE_SYMBOL": "outgoing_mail",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("ampout.svg")}],
    "STYLES": [lambda _request: static("ampout-admin.css")],
    "SITE_URL": None,
    "LOGIN": {"form": "ampout.api.operator_login.LoginForm"},
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "ampout.api.admin.site.environment",
    "DASHBOARD_CALLBACK": "ampout.api.admin.site.dashboard",
    "SIDEBAR": {"navigation": "ampout.api.admin.site.navigation"},
}

# -- The outside world
ALLOW_PRIVATE_NETWORKS = env.networks("ALLOW_PRIVATE_NETWORKS")
SMTP_INSECURE_HOSTS = env.words("SMTP_INSECURE_HOSTS")
SMTP_CA_FILE = env.text("SMTP_CA_FILE", "")
HTTP_CA_FILE = env.text("HTTP_CA_FILE", "")
EHLO_NAME = env.text("EHLO_NAME", "localhost")
DNS_SERVERS = env.words("DNS_SERVERS")

# -- Sending; seconds unless the name says otherwise
RETRY_FIRST_SECONDS = env.number("RETRY_FIRST_SECONDS", 1_800, minimum=1)
RETRY_CEILING_SECONDS = env.number("RETRY_CEILING_SECONDS", 43_200, minimum=1)
RETRY_GIVE_UP_SECONDS = env.number("RETRY_GIVE_UP_SECONDS", 345_600, minimum=1)
# Where hosts are listed, the three times above hold for them alone: the sandbox is hurried, real servers are not.
RETRY_ONLY_FOR_HOSTS = env.words("RETRY_ONLY_FOR_HOSTS")
UNKNOWN_GRACE_SECONDS = env.number("UNKNOWN_GRACE_SECONDS", 259_200)
OVERDUE_GRACE_SECONDS = env.number("OVERDUE_GRACE_SECONDS", 86_400)
LEASE_SECONDS = env.number("LEASE_SECONDS", 60, minimum=3)
PLAN_AHEAD_SECONDS = env.number("PLAN_AHEAD_SECONDS", 300, minimum=1)
PLAN_EVERY_SECONDS = env.number("PLAN_EVERY_SECONDS", 2, minimum=1)
RECONCILE_EVERY_SECONDS = env.number("RECONCILE_EVERY_SECONDS", 10, minimum=1)
PLAN_BATCH = env.number("PLAN_BATCH", 2_000, minimum=1)
DELIVER_CONVERSATIONS = env.number("DELIVER_CONVERSATIONS", 512, minimum=1)
KEEP_CONNECTION_SECONDS = env.number("KEEP_CONNECTION_SECONDS", 60)
REQUIRE_POSTAL_ADDRESS = env.flag("REQUIRE_POSTAL_ADDRESS")
TEST_SEND_PER_DAY = env.number("TEST_SEND_PER_DAY", 20)

# -- What comes back
POLL_EVERY_SECONDS = env.number("POLL_EVERY_SECONDS", 180, minimum=1)
POLL_CONVERSATIONS = env.number("POLL_CONVERSATIONS", 100, minimum=1)
MATCH_SENDER_DAYS = env.number("MATCH_SENDER_DAYS", 90, minimum=1)
REPLY_STOPS_OTHER_CAMPAIGNS = env.flag("REPLY_STOPS_OTHER_CAMPAIGNS", default=True)
WAIT_FOR_RETURN = env.flag("WAIT_FOR_RETURN", default=True)
COMPLAINT_RATE_THRESHOLD = env.percent("COMPLAINT_RATE_THRESHOLD", "0.3")
LOGIN_REFUSALS_LIMIT = env.number("LOGIN_REFUSALS_LIMIT", 10, minimum=1)
RETENTION_DAYS = env.number("RETENTION_DAYS", 90, minimum=1)
EVENTS_RETENTION_DAYS = env.number("EVENTS_RETENTION_DAYS", 90, minimum=1)

# -- Watching
METRICS_TOKEN = env.text("METRICS_TOKEN", "")
READY_DUE_SECONDS = env.number("READY_DUE_SECONDS", 600, minimum=1)
READY_UNKNOWN_MESSAGES = env.number("READY_UNKNOWN_MESSAGES", 100)

# A failpoint kills the process at a named place of a send; only tests may set one.
CRASH_AT = env.text("AMPOUT_CRASH_AT", "") if TESTING else ""

# -- Logs: to standard error, one line each
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "filters": {"requests": {"()": "ampout.lib.log_privacy.RequestFilter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["requests"]}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # A line for every tick of beat says nothing; failures are warnings.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        # More than that would be people's mails, and receivers' answers word by word.
        "imapclient": {"level": "WARNING"},
        "httpcore2": {"level": "WARNING"},
        # Their own handlers know nothing of our filter.
        "django": {"propagate": True},
        "gunicorn.error": {"propagate": True},
    },
}
DEFAULT_EXCEPTION_REPORTER = "ampout.lib.error_reports.TracebackReporter"
