"""The environment of the tests, set before Django reads it (loaded by `-p` in pyproject.toml).

`python -m tests.environment COMMAND …` runs a management command in it, for lint.
"""

import os
import sys

os.environ.update(
    DEBUG="false",
    SECRET_KEY="tests-only-" + "".join(chr(97 + n * n % 26) for n in range(60)),
    ENCRYPTION_KEYS="bB0M0cBvbCrrN2Lxq6U3oJ1ZPkHkEWTLAEW3kq0YJ5E=",
    ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
    PUBLIC_URL="https://testserver",
    COGNITO_USER_POOL_ID="eu-west-1_TestPool1",
    AWS_REGION="eu-west-1",
    OIDC_ISSUER="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_TestPool1",
    OIDC_DOMAIN="https://tests.auth.eu-west-1.amazoncognito.com",
    OIDC_CLIENT_ID="test-client",
    OIDC_CLIENT_SECRET="test-client-secret",
    AUDITOR_GROUPS="dial-auditors",
    EDITOR_GROUPS="dial-editors",
    PUBLISHER_GROUPS="dial-publishers",
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_SESSION_TOKEN="testing",
    COGNITO_CALLS_PER_SECOND="2000",
    LOG_LEVEL="WARNING",
)

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "dialadmin.settings"
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
