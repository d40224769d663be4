"""The troubles of AWS in words, for the targets that live there. Imports nothing of AWS."""

from __future__ import annotations

from deployments.releases.targets.interface import Target, TargetError

CONNECT, READ, ATTEMPTS = 3, 10, 3  # seconds, seconds, calls: what one call may take

_DENIED = {"AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation"}
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"}
_EXPIRED = {
    "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidAccessKeyId",
    "UnrecognizedClientException", "SignatureDoesNotMatch", "TokenRetrievalError", "SSOTokenLoadError",
}  # fmt: skip
_UNREACHABLE = {
    "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "SSLError",
    "ProxyConnectionError", "HTTPClientError",
}  # fmt: skip
_THROTTLED = {"SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
_ELSEWHERE = {"PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_KEY = {"KMS.DisabledException", "KMS.NotFoundException", "DecryptionFailure", "EncryptionFailure"}


def code_of(error: Exception) -> str:
    """The code that AWS answered, or the name of what went wrong before an answer came."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def failure(target: Target, what: str, error: Exception, *, permission: str) -> TargetError:
    """What to tell people. `permission` is the IAM action that the call needs."""
    code = code_of(error)
    if code in _DENIED:
        why, mend = "AWS refuses the credentials of this process.", f"Allow them {permission} on it (docs/targets.md)."
    elif code in _NO_CREDENTIALS:
        why, mend = "no AWS credentials were found.", "Give the process a role, or set AWS_PROFILE."
    elif code in _EXPIRED:
        why, mend = f"the AWS credentials are not valid ({code}).", "Renew them."
    elif code in _UNREACHABLE:
        why, mend = f"AWS does not answer ({code}).", "Check the region of the target, the network, and try again."
    elif code in _ELSEWHERE:
        why, mend = "it is in another region.", "Add ?region=… to its URL in TARGETS."
    elif code in _THROTTLED:
        why, mend = "AWS asks to go slower.", "Try again in a minute."
    elif code in _KEY:
        why, mend = (
            f"its encryption key is not usable ({code}).",
            "Enable the KMS key, or allow this process to use it.",
        )
    else:
        why, mend = f"AWS answered {code}.", "Look the code up in the documentation of the service."
    return TargetError(what, where=target.where, why=why, mend=mend)
