"""A secret of AWS Secrets Manager: each release is a version of it, the newest is AWSCURRENT."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3  # noqa: TID251  # this is the module for Secrets Manager
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deployments.releases.targets import aws
from deployments.releases.targets.interface import TargetError, refuse_too_large

LIMIT = 65_536  # bytes in one version of a secret
CURRENT = "AWSCURRENT"
ABSENT = "ResourceNotFoundException"


@dataclass(frozen=True)
class SecretTarget:
    """The secret called `secret`; it is made when it is not there. The digest is the id of the version."""

    name: str
    secret: str
    region: str = ""
    endpoint: str = ""
    kms: str = ""

    @property
    def where(self) -> str:
        return f"secretsmanager://{self.secret}"

    def read(self) -> bytes | None:
        try:
            answer = self._client.get_secret_value(SecretId=self.secret, VersionStage=CURRENT)
        except (ClientError, BotoCoreError) as error:
            if aws.code_of(error) == ABSENT:
                return None
            raise self._failure("cannot be read", error, "secretsmanager:GetSecretValue") from error
        text = answer.get("SecretString")
        return text.encode() if text is not None else bytes(answer["SecretBinary"])

    def write(self, data: bytes, digest: str) -> None:
        refuse_too_large(
            self,
            data,
            LIMIT,
            "and Secrets Manager keeps at most",
            "Publish to S3 or to a file instead, or keep prompts and descriptions in another file of Core's list.",
        )
        if self.read() == data:
            return
        try:
            self._put(data.decode(), digest)
        except (ClientError, BotoCoreError) as error:
            raise self._failure("cannot be written", error, "secretsmanager:PutSecretValue") from error

    def _put(self, text: str, digest: str) -> None:
        try:
            self._client.put_secret_value(
                SecretId=self.secret, SecretString=text, ClientRequestToken=digest, VersionStages=[CURRENT]
            )
        except ClientError as error:
            if aws.code_of(error) != ABSENT:
                raise
            encryption = {"KmsKeyId": self.kms} if self.kms else {}
            self._client.create_secret(Name=self.secret, SecretString=text, ClientRequestToken=digest, **encryption)
            return
        self._point_at(digest)

    def _point_at(self, digest: str) -> None:
        """Make the version current. AWS ignores a put of a version that it knows, so that going back to an
        earlier release would otherwise succeed and change nothing."""
        stages = self._client.describe_secret(SecretId=self.secret)["VersionIdsToStages"]
        if CURRENT in stages.get(digest, []):
            return
        current = next((version for version, names in stages.items() if CURRENT in names), None)
        self._client.update_secret_version_stage(
            SecretId=self.secret,
            VersionStage=CURRENT,
            MoveToVersionId=digest,
            **({"RemoveFromVersionId": current} if current else {}),
        )

    def _failure(self, what: str, error: Exception, permission: str) -> TargetError:
        if aws.code_of(error) == "InvalidRequestException":
            return TargetError(
                what,
                where=self.where,
                why="the secret is marked for deletion, or another service manages it.",
                mend="Restore it (restore-secret), or name another secret in TARGETS.",
            )
        return aws.failure(self, what, error, permission=permission)

    @cached_property
    def _client(self) -> Any:
        return boto3.client(
            "secretsmanager",
            region_name=self.region or None,
            endpoint_url=self.endpoint or None,
            config=Config(
                connect_timeout=aws.CONNECT,
                read_timeout=aws.READ,
                retries={"mode": "standard", "total_max_attempts": aws.ATTEMPTS},
                user_agent_extra="dialadmin",
            ),
        )
