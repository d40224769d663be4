"""All settings, read from the environment (see `environment.py` for the list of variables)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import django_stubs_ext
from csp.constants import NONCE, NONE, SELF

from dialadmin import environment

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

# --- The process -----------------------------------------------------------------------------------

DEBUG: bool = environment.read("DEBUG")
SECRET_KEY: str = environment.read("SECRET_KEY")
ALLOWED_HOSTS: list[str] = environment.read("ALLOWED_HOSTS")
PUBLIC_URL: str = environment.read("PUBLIC_URL").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
ROOT_URLCONF = "dialadmin.urls"
WSGI_APPLICATION = "dialadmin.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "csp",
    "django_htmx",
    "mozilla_django_oidc",
    "dialadmin.apps.DialadminConfig",
    "dialadmin.accounts",
    "dialadmin.history",
    "dialadmin.search",
    "dialadmin.demo",
    "roles",
    "deployments",
    "deployments.access",
    "deployments.releases",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dialadmin.middleware.request_id",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dialadmin.accounts.middleware.session_lifetime",
    "dialadmin.accounts.middleware.sign_in_required",
    "dialadmin.accounts.middleware.level_required",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "dialadmin.middleware.private_pages",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "builtins": [
                "django.templatetags.static",
                "django.contrib.humanize.templatetags.humanize",
                "dialadmin.templatetags.ui",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "dialadmin.context_processors.page",
            ],
        },
    }
]

# --- The database ----------------------------------------------------------------------------------

DATABASES: dict[str, dict[str, Any]] = {"default": environment.read("DATABASE_URL")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # Writers queue at the start of a transaction instead of failing in the middle of it.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

# Secrets of the settings document are encrypted with the first key and decrypted with any.
ENCRYPTION_KEYS: list[str] = environment.read("ENCRYPTION_KEYS")

# --- Who may sign in -------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.Staff"
AUTHENTICATION_BACKENDS = ["dialadmin.accounts.oidc.CognitoBackend"]
LOGIN_URL = "accounts:sign-in"
LOGIN_REDIRECT_URL = "/"
OIDC_AUTHENTICATION_CALLBACK_URL = "accounts:callback"
LOGOUT_REDIRECT_URL = "/accounts/signed-out/"

OIDC_ISSUER: str = environment.read("OIDC_ISSUER").rstrip("/")
OIDC_DOMAIN: str = environment.read("OIDC_DOMAIN").rstrip("/")
OIDC_RP_CLIENT_ID: str = environment.read("OIDC_CLIENT_ID")
OIDC_RP_CLIENT_SECRET: str = environment.read("OIDC_CLIENT_SECRET")
CHAT_URL: str = environment.read("CHAT_URL").rstrip("/")
CHAT_CLIENT_ID: str = environment.read("CHAT_CLIENT_ID")
OIDC_RP_SIGN_ALGO = "RS256"
OIDC_RP_SCOPES = "openid email profile"
OIDC_USE_NONCE = True
OIDC_USE_PKCE = True
OIDC_PKCE_CODE_CHALLENGE_METHOD = "S256"
OIDC_TIMEOUT = 5  # seconds; the library's default is to wait for ever
OIDC_STORE_ACCESS_TOKEN = False
OIDC_STORE_ID_TOKEN = False
OIDC_AUTHENTICATE_CLASS = "dialadmin.accounts.views.SignIn"
OIDC_CALLBACK_CLASS = "dialadmin.accounts.views.Callback"
OIDC_OP_AUTHORIZATION_ENDPOINT = f"{OIDC_DOMAIN}/oauth2/authorize"
OIDC_OP_TOKEN_ENDPOINT = f"{OIDC_DOMAIN}/oauth2/token"
OIDC_OP_USER_ENDPOINT = f"{OIDC_DOMAIN}/oauth2/userInfo"  # demanded by the library, never called
OIDC_OP_JWKS_ENDPOINT = f"{OIDC_ISSUER}/.well-known/jwks.json"
OIDC_OP_LOGOUT_URL_METHOD = "dialadmin.accounts.oidc.logout_url"

AUDITOR_GROUPS: list[str] = environment.read("AUDITOR_GROUPS")
EDITOR_GROUPS: list[str] = environment.read("EDITOR_GROUPS")
PUBLISHER_GROUPS: list[str] = environment.read("PUBLISHER_GROUPS")

# Sessions end when idle and, renewed or not, some hours after sign-in: levels are read at sign-in.
SESSION_COOKIE_NAME = "dialadmin_session"
SESSION_COOKIE_AGE: int = environment.read("SESSION_IDLE_MINUTES") * 60
SESSION_SAVE_EVERY_REQUEST = True
SESSION_MAX_HOURS: int = environment.read("SESSION_MAX_HOURS")
SESSION_COOKIE_SAMESITE = "Lax"  # Strict would lose the sign-in state on the way back from Cognito
CSRF_COOKIE_NAME = "dialadmin_csrf"
CSRF_FAILURE_VIEW = "dialadmin.views.csrf_failure"

# --- The pool --------------------------------------------------------------------------------------

COGNITO_USER_POOL_ID: str = environment.read("COGNITO_USER_POOL_ID")
AWS_REGION: str = environment.read("AWS_REGION")
COGNITO_ENDPOINT_URL: str = environment.read("COGNITO_ENDPOINT_URL")
COGNITO_CALLS_PER_SECOND: float = environment.read("COGNITO_CALLS_PER_SECOND")
SYNC_MAX_REMOVAL_SHARE: float = environment.read("SYNC_MAX_REMOVAL_SHARE")
MANAGE_GROUPS: bool = environment.read("MANAGE_GROUPS")
SYNC_MAX_AGE: int = environment.read("SYNC_MAX_AGE")  # hours

# --- Where releases go -----------------------------------------------------------------------------

TARGETS: list[environment.TargetUrl] = environment.read("TARGETS")
CORE_URL: str = environment.read("CORE_URL")
CORE_ADMIN_TOKEN: str = environment.read("CORE_ADMIN_TOKEN")
CORE_PROBE_KEY: str = environment.read("CORE_PROBE_KEY")

# --- Releases --------------------------------------------------------------------------------------

FOUR_EYES: bool = environment.read("FOUR_EYES")
RELEASE_REMOVAL_SHARE: float = environment.read("RELEASE_REMOVAL_SHARE")

# --- Headers ---------------------------------------------------------------------------------------

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if environment.read("BEHIND_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
if not DEBUG:
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        # Sign-out posts a form whose answer redirects to Cognito's own sign-out.
        "form-action": [SELF, *([OIDC_DOMAIN] if OIDC_DOMAIN else [])],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# --- Static files ----------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "dialadmin" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}

# Settings documents of a megabyte are usual; ten times that is refused before it is read into memory.
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

# --- Logs ------------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "dialadmin.middleware.RequestIdFilter"}},
    "formatters": {
        "line": {
            "format": "{asctime} {levelname} {name} [{request_id}] {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}},
    "root": {"handlers": ["console"], "level": environment.read("LOG_LEVEL")},
}

SILENCED_SYSTEM_CHECKS: list[str] = []
