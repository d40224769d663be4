"""Every kind of target passes one contract; what only one kind does is tested below it."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3  # noqa: TID251  # to stand beside the targets, as another program would
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from django.core.exceptions import ImproperlyConfigured
from moto import mock_aws

from deployments.releases import targets
from deployments.releases.targets import file as file_module
from deployments.releases.targets import s3 as s3_module
from deployments.releases.targets.file import FileTarget
from deployments.releases.targets.interface import Target, TargetError
from deployments.releases.targets.s3 import S3Target
from deployments.releases.targets.secrets_manager import LIMIT, SecretTarget
from dialadmin import environment
from dialadmin.environment import TargetUrl

REGION = "eu-west-1"
OLD, NEW = b'{"models": {}}\n', '{"models": {"grün": {}}}\n'.encode()
NOWHERE = "http://127.0.0.1:9"  # the port of the discard service, where nothing listens


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write(target: Target, data: bytes) -> None:
    target.write(data, digest(data))


class Contract:
    """What publishing relies on. A kind gives `target`, `unreachable` and three ways to disturb it."""

    def changed_by_hand(self, target: Any, data: bytes) -> None:
        raise NotImplementedError

    def fail_in_the_middle(self, target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        raise NotImplementedError

    def make_small(self, target: Any, monkeypatch: pytest.MonkeyPatch) -> bytes:
        """Data that no longer fit."""
        raise NotImplementedError

    def test_nothing_is_read_as_nothing(self, target: Target) -> None:
        assert target.read() is None

    def test_what_was_written_is_read(self, target: Target) -> None:
        write(target, NEW)
        assert target.read() == NEW

    def test_writing_twice_is_as_writing_once(self, target: Target) -> None:
        write(target, OLD)
        write(target, NEW)
        write(target, NEW)
        assert target.read() == NEW

    def test_an_earlier_content_can_come_back(self, target: Target) -> None:
        for data in (OLD, NEW, OLD, NEW):
            write(target, data)
            assert target.read() == data

    def test_what_somebody_else_wrote_is_replaced(self, target: Target) -> None:
        write(target, OLD)
        self.changed_by_hand(target, b"by hand")
        assert target.read() == b"by hand"
        write(target, OLD)
        assert target.read() == OLD

    def test_a_failure_in_the_middle_leaves_the_old(self, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
        write(target, OLD)
        with monkeypatch.context() as patch:
            self.fail_in_the_middle(target, patch)
            with pytest.raises(TargetError) as failed:
                write(target, NEW)
        assert target.where in str(failed.value)
        assert target.read() == OLD
        write(target, NEW)
        assert target.read() == NEW

    def test_too_large_is_refused_before_anything_is_written(
        self, target: Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(target, OLD)
        with monkeypatch.context() as patch:
            data = self.make_small(target, patch)
            with pytest.raises(TargetError, match=f"the settings have {len(data):,} bytes"):
                write(target, data)
        assert target.read() == OLD

    def test_a_target_that_is_not_there_says_so_and_how_to_mend_it(self, unreachable: Target) -> None:
        for attempt in (unreachable.read, lambda: write(unreachable, NEW)):
            with pytest.raises(TargetError) as failed:
                attempt()
            said = str(failed.value)
            assert said.startswith(unreachable.where)
            assert said.count(".") >= 2
            assert "models" not in said


class TestFile(Contract):
    @pytest.fixture
    def target(self, tmp_path: Path) -> FileTarget:
        return FileTarget("core", tmp_path / "config.json")

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> FileTarget:
        return FileTarget("core", tmp_path / "not mounted" / "config.json")

    def changed_by_hand(self, target: FileTarget, data: bytes) -> None:
        target.path.write_bytes(data)

    def fail_in_the_middle(self, target: FileTarget, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)

    def make_small(self, target: FileTarget, monkeypatch: pytest.MonkeyPatch) -> bytes:
        monkeypatch.setattr(file_module, "free_bytes", lambda folder: len(OLD) + len(NEW) - 1)
        return NEW

    def test_a_new_file_is_for_its_owner_alone(self, target: FileTarget) -> None:
        write(target, NEW)
        assert stat.S_IMODE(target.path.stat().st_mode) == 0o600

    def test_mode_and_owner_are_kept_and_the_old_one_is_saved(self, target: FileTarget) -> None:
        write(target, OLD)
        target.path.chmod(0o640)
        write(target, NEW)
        previous = target.path.with_name("config.json.previous")
        assert previous.read_bytes() == OLD
        for path in (target.path, previous):
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
            assert (path.stat().st_uid, path.stat().st_gid) == (os.getuid(), os.getgid())

    def test_a_file_of_somebody_else_is_not_taken_over(
        self, target: FileTarget, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(target, OLD)

        def denied(*_: int) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        made = os.fstat
        owner = os.stat_result((0o100640, 1, 1, 1, 4711, 4711, 1, 0, 0, 0))
        monkeypatch.setattr(Path, "stat", lambda path, **_: owner if path.name == "config.json" else made(3))
        monkeypatch.setattr(os, "fchown", denied)
        with pytest.raises(OSError, match="belongs to user 4711, group 4711"):
            file_module.replace(target.path, NEW, like=target.path)
        monkeypatch.undo()
        assert target.read() == OLD

    def test_a_link_stays_and_its_file_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        link = tmp_path / "config.json"
        link.symlink_to("real/dial.json")
        target = FileTarget("core", link)
        assert target.read() is None
        write(target, OLD)
        write(target, NEW)
        assert link.is_symlink()
        assert (tmp_path / "real" / "dial.json").read_bytes() == NEW
        assert (tmp_path / "real" / "dial.json.previous").read_bytes() == OLD

    @pytest.mark.parametrize(("kind", "said"), [("circle", "in a circle"), ("folder", "folder"), ("pipe", "regular")])
    def test_what_is_no_file_is_refused(self, tmp_path: Path, kind: str, said: str) -> None:
        path = tmp_path / "config.json"
        if kind == "circle":
            path.symlink_to(path)
        elif kind == "folder":
            path.mkdir()
        else:
            os.mkfifo(path)
        target = FileTarget("core", path)
        for attempt in (target.read, lambda: write(target, NEW)):
            with pytest.raises(TargetError, match=said):
                attempt()

    def test_a_reader_never_sees_half_a_file(self, target: FileTarget) -> None:
        """Whoever has the old file open keeps it: the new one has another inode."""
        write(target, OLD)
        with target.path.open("rb") as reader:
            write(target, NEW)
            assert reader.read() == OLD

    def test_file_and_folder_are_on_the_disk_before_it_is_called_done(
        self, target: FileTarget, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[str] = []
        sync, rename = os.fsync, Path.replace

        def synced(descriptor: int) -> None:
            done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
            sync(descriptor)

        def renamed(path: Path, goal: Path) -> Path:
            done.append(f"rename to {goal.name}")
            return rename(path, goal)

        write(target, OLD)
        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(Path, "replace", renamed)
        write(target, NEW)
        assert done == [
            *("file", "rename to config.json.previous", "folder"),
            *("file", "rename to config.json", "folder"),
        ]

    def test_what_a_killed_process_left_is_cleared_away(self, target: FileTarget) -> None:
        left = target.path.with_name(f".config.json.x{file_module.UNFINISHED}")
        left.write_bytes(b"half")
        write(target, NEW)
        assert [path.name for path in target.path.parent.iterdir()] == ["config.json"]

    def test_a_full_disk_leaves_nothing_behind(self, target: FileTarget, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fail_in_the_middle(target, monkeypatch)
        with pytest.raises(TargetError, match="Make room on the disk"):
            write(target, NEW)
        assert list(target.path.parent.iterdir()) == []


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """One account for all tests, since making it is slow: each takes names of its own."""
    with mock_aws():
        yield


@pytest.fixture(scope="module")
def s3(aws: None) -> Any:
    return boto3.client("s3", region_name=REGION)


@pytest.fixture
def own() -> str:
    return f"settings-{uuid4()}"


class TestS3(Contract):
    @pytest.fixture
    def target(self, s3: Any, own: str) -> S3Target:
        s3.create_bucket(Bucket=own, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=own, VersioningConfiguration={"Status": "Enabled"})
        return S3Target("prod", own, "dial/config.json", region=REGION)

    @pytest.fixture
    def unreachable(self) -> S3Target:
        return S3Target("prod", "settings", "dial/config.json", region=REGION, endpoint=NOWHERE)

    def changed_by_hand(self, target: S3Target, data: bytes) -> None:
        target._client.put_object(Bucket=target.bucket, Key=target.key, Body=data)

    def fail_in_the_middle(self, target: S3Target, monkeypatch: pytest.MonkeyPatch) -> None:
        def lost(**_: object) -> None:
            raise ReadTimeoutError(endpoint_url="https://s3")

        monkeypatch.setattr(target._client, "put_object", lost)

    def make_small(self, target: S3Target, monkeypatch: pytest.MonkeyPatch) -> bytes:
        monkeypatch.setattr(s3_module, "LIMIT", len(NEW) - 1)
        return NEW

    def test_each_content_is_a_version_encrypted_and_marked_with_its_digest(self, target: S3Target, s3: Any) -> None:
        for data in (OLD, NEW, NEW):
            write(target, data)
        assert len(s3.list_object_versions(Bucket=target.bucket)["Versions"]) == 2
        head = s3.head_object(Bucket=target.bucket, Key="dial/config.json", ChecksumMode="ENABLED")
        assert head["Metadata"] == {"sha256": digest(NEW)}
        assert head["ServerSideEncryption"] == "AES256"
        assert head["ContentType"] == "application/json"

    def test_a_key_of_kms_encrypts(self, target: S3Target, s3: Any) -> None:
        encrypted = S3Target("prod", target.bucket, "k", region=REGION, kms="alias/dial")
        write(encrypted, NEW)
        head = s3.head_object(Bucket=target.bucket, Key="k")
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/dial")

    @pytest.mark.parametrize("first", [None, OLD])
    def test_who_writes_at_the_same_moment_is_not_overwritten(
        self, target: S3Target, monkeypatch: pytest.MonkeyPatch, first: bytes | None
    ) -> None:
        if first is not None:
            write(target, first)
        put = target._client.put_object

        def overtaken(**arguments: Any) -> Any:
            monkeypatch.undo()
            self.changed_by_hand(target, b"theirs")
            return put(**arguments)

        monkeypatch.setattr(target._client, "put_object", overtaken)
        with pytest.raises(TargetError, match="somebody else wrote it at the same moment"):
            write(target, NEW)
        assert target.read() == b"theirs"

    def test_a_bucket_without_versions_is_refused(self, target: S3Target, s3: Any) -> None:
        s3.put_bucket_versioning(Bucket=target.bucket, VersioningConfiguration={"Status": "Suspended"})
        with pytest.raises(TargetError, match="Turn versioning on"):
            write(target, NEW)
        assert target.read() is None

    def test_a_bucket_that_is_not_there_is_named(self, aws: None) -> None:
        with pytest.raises(TargetError, match="there is no such bucket"):
            S3Target("prod", "nobodys", "k", region=REGION).read()


class TestSecretsManager(Contract):
    @pytest.fixture
    def target(self, aws: None, own: str) -> SecretTarget:
        return SecretTarget("vault", f"dial/{own}", region=REGION)

    @pytest.fixture
    def unreachable(self) -> SecretTarget:
        return SecretTarget("vault", "dial/config", region=REGION, endpoint=NOWHERE)

    def changed_by_hand(self, target: SecretTarget, data: bytes) -> None:
        target._client.put_secret_value(SecretId=target.secret, SecretString=data.decode())

    def fail_in_the_middle(self, target: SecretTarget, monkeypatch: pytest.MonkeyPatch) -> None:
        def denied(**_: object) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutSecretValue")

        monkeypatch.setattr(target._client, "put_secret_value", denied)

    def make_small(self, target: SecretTarget, monkeypatch: pytest.MonkeyPatch) -> bytes:
        return b"x" * (LIMIT + 1)

    def test_the_largest_secret_fits(self, target: SecretTarget) -> None:
        write(target, b"x" * LIMIT)
        assert target.read() == b"x" * LIMIT

    def test_a_version_is_called_by_its_digest_and_the_one_before_is_kept(self, target: SecretTarget) -> None:
        for data in (OLD, NEW):
            write(target, data)
        stages = target._client.describe_secret(SecretId=target.secret)["VersionIdsToStages"]
        assert stages == {digest(OLD): ["AWSPREVIOUS"], digest(NEW): ["AWSCURRENT"]}

    def test_going_back_moves_the_stage(self, target: SecretTarget) -> None:
        for data in (OLD, NEW, OLD):
            write(target, data)
        stages = target._client.describe_secret(SecretId=target.secret)["VersionIdsToStages"]
        assert stages[digest(OLD)] == ["AWSCURRENT"]

    def test_a_binary_secret_can_be_read(self, target: SecretTarget) -> None:
        target._client.create_secret(Name=target.secret, SecretBinary=OLD)
        assert target.read() == OLD

    def test_a_secret_that_is_being_deleted_says_so(self, target: SecretTarget) -> None:
        write(target, OLD)
        target._client.delete_secret(SecretId=target.secret)
        with pytest.raises(TargetError, match="marked for deletion"):
            target.read()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDenied", "Allow them s3:GetObject and s3:ListBucket on it"),
        ("ExpiredToken", "not valid (ExpiredToken). Renew them."),
        ("PermanentRedirect", "it is in another region. Add ?region="),
        ("SlowDown", "Try again in a minute."),
        ("KMS.DisabledException", "Enable the KMS key"),
        ("Strange", "AWS answered Strange."),
    ],
)
def test_each_trouble_of_aws_says_how_to_mend_it(
    aws: None, own: str, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    target = S3Target("prod", own, "k", region=REGION)

    def refused(**_: object) -> None:
        raise ClientError({"Error": {"Code": code}}, "GetObject")

    monkeypatch.setattr(target._client, "get_object", refused)
    with pytest.raises(TargetError) as failed:
        target.read()
    assert said in str(failed.value)


def parsed(monkeypatch: pytest.MonkeyPatch, text: str) -> list[TargetUrl]:
    monkeypatch.setenv("TARGETS", text)
    result: list[TargetUrl] = environment.read("TARGETS")
    return result


def test_targets_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.TARGETS = parsed(
        monkeypatch,
        "core=file:///etc/my%20dial/config.json, prod=s3://bucket/a/b.json?region=us-east-1&kms=alias/x,"
        "vault=secretsmanager://prod/dial",
    )
    settings.AWS_REGION = REGION
    assert list(targets.configured().values()) == [
        FileTarget("core", Path("/etc/my dial/config.json")),
        S3Target("prod", "bucket", "a/b.json", region="us-east-1", kms="alias/x"),
        SecretTarget("vault", "prod/dial", region=REGION),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file:///etc/x.json", "each entry is name=URL"),
        ("Core=file:///x", "lower-case letters"),
        ("core=/etc/x.json", "begin with file:///, s3:// or secretsmanager://"),
        ("core=ftp://x/y", "begin with file:///"),
        ("core=file://etc/x.json", "three slashes"),
        ("core=file:///etc/", "absolute path of a file"),
        ("core=file:///x?mode=644", "unknown option mode; file knows none"),
        ("prod=s3://bucket", "needs a bucket and a key"),
        ("prod=s3://bucket/k?acl=public", "unknown option acl; s3 knows endpoint, kms, region"),
        ("prod=s3://id:hunter2@bucket/k", "holds a password"),
        ("vault=secretsmanager://", "needs the name of a secret"),
        ("a=file:///x,a=file:///y", "two targets are called a"),
    ],
)
def test_a_target_that_cannot_be_used_stops_the_start_with_its_name(
    monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match="the value of TARGETS is not usable") as refused:
        parsed(monkeypatch, text)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "Example: TARGETS=" in str(refused.value)


@pytest.mark.parametrize("address", ["core.example.com", "ftp://core", "https://", "https://me:pw@core", "http://c?x"])
def test_an_address_of_core_that_is_none_stops_the_start(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("CORE_URL", address)
    with pytest.raises(ImproperlyConfigured, match="CORE_URL"):
        environment.read("CORE_URL")
