"""A pool in moto, in the region and under the id that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3  # noqa: TID251  # the tests fill the pool that roles/cognito.py reads
import pytest
from moto import mock_aws

SESSION = boto3.Session()  # holds the model of the API: half a second's work for each new one


class CognitoPool:
    """Fills the pool as an administrator of it would."""

    def __init__(self) -> None:
        self.api: Any = SESSION.client("cognito-idp", region_name="eu-west-1")
        self.id: str = self.api.create_user_pool(PoolName="test")["UserPool"]["Id"]

    def group(self, name: str, **more: Any) -> None:
        self.api.create_group(UserPoolId=self.id, GroupName=name, **more)

    def user(self, username: str, *groups: str) -> str:
        """A person in these groups; their sub."""
        user = self.api.admin_create_user(
            UserPoolId=self.id,
            Username=username,
            UserAttributes=[
                {"Name": "email", "Value": f"{username}@example.com"},
                {"Name": "name", "Value": username.title()},
            ],
        )["User"]
        for group in groups:
            self.api.admin_add_user_to_group(UserPoolId=self.id, Username=username, GroupName=group)
        return str(next(pair["Value"] for pair in user["Attributes"] if pair["Name"] == "sub"))


@pytest.fixture
def pool(settings: Any) -> Iterator[CognitoPool]:
    with mock_aws():
        pool = CognitoPool()
        settings.COGNITO_USER_POOL_ID = pool.id
        yield pool
