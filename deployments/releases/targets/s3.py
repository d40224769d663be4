"""An object of Amazon S3: versioned, encrypted, and replaced only when it is still what was read."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3  # noqa: TID251  # this is the module for S3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deployments.releases.targets import aws
from deployments.releases.targets.interface import TargetError, refuse_too_large

LIMIT = 5 * 1024**3  # bytes in one PutObject
ABSENT = {"NoSuchKey", "404"}
CHANGED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


@dataclass(frozen=True)
class S3Target:
    """The object `key` in `bucket`. `kms` is the id of a KMS key; without it S3 encrypts with its own (AES256)."""

    name: str
    bucket: str
    key: str
    region: str = ""
    endpoint: str = ""
    kms: str = ""

    @property
    def where(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def read(self) -> bytes | None:
        data, _ = self._get()
        return data

    def write(self, data: bytes, digest: str) -> None:
        refuse_too_large(self, data, LIMIT, "and S3 takes at once", "Check that these are the right settings.")
        old, etag = self._get()
        if old is not None and hashlib.sha256(old).hexdigest() == digest:
            return
        self._require_versions()
        condition: dict[str, Any] = {"IfMatch": etag} if old is not None else {"IfNoneMatch": "*"}
        encryption: dict[str, Any] = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms}
            if self.kms
            else {"ServerSideEncryption": "AES256"}
        )
        try:
            self._client.put_object(
                Bucket=self.bucket,
                Key=self.key,
                Body=data,
                ContentType="application/json",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(digest)).decode(),
                Metadata={"sha256": digest},
                **condition,
                **encryption,
            )
        except ClientError as error:
            if aws.code_of(error) in CHANGED:
                raise TargetError(
                    "was not written",
                    where=self.where,
                    why="somebody else wrote it at the same moment.",
                    mend="Look at what it holds now, then publish again.",
                ) from error
            raise aws.failure(self, "cannot be written", error, permission="s3:PutObject") from error
        except BotoCoreError as error:
            raise aws.failure(self, "cannot be written", error, permission="s3:PutObject") from error

    def _get(self) -> tuple[bytes | None, str]:
        """The bytes and their ETag; (None, "") when there is no object."""
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=self.key, ChecksumMode="ENABLED")
            return answer["Body"].read(), answer["ETag"]
        except ClientError as error:
            if aws.code_of(error) in ABSENT:
                return None, ""
            if aws.code_of(error) == "NoSuchBucket":
                raise TargetError(
                    "cannot be read",
                    where=self.where,
                    why="there is no such bucket.",
                    mend="Correct TARGETS, or make the bucket.",
                ) from error
            raise aws.failure(self, "cannot be read", error, permission="s3:GetObject and s3:ListBucket") from error
        except BotoCoreError as error:
            raise aws.failure(self, "cannot be read", error, permission="s3:GetObject") from error

    def _require_versions(self) -> None:
        """Without versions the object that is replaced would be lost, whoever had written it."""
        try:
            status = self._client.get_bucket_versioning(Bucket=self.bucket).get("Status")
        except (ClientError, BotoCoreError) as error:
            raise aws.failure(self, "cannot be written", error, permission="s3:GetBucketVersioning") from error
        if status != "Enabled":
            raise TargetError(
                "was not written",
                where=self.where,
                why=f"the bucket {self.bucket} keeps no versions, so that what is replaced would be lost.",
                mend="Turn versioning on for the bucket.",
            )

    @cached_property
    def _client(self) -> Any:
        return boto3.client(
            "s3",
            region_name=self.region or None,
            endpoint_url=self.endpoint or None,
            config=Config(
                connect_timeout=aws.CONNECT,
                read_timeout=aws.READ,
                retries={"mode": "standard", "total_max_attempts": aws.ATTEMPTS},
                user_agent_extra="dialadmin",
            ),
        )
