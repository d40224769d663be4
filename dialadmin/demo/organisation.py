"""Larkfield, an invented energy company: the people and groups of the demo's user pool.

The pool is written straight into moto's models, with ids computed from names, so that a second start
finds the same people: a mirror with random ids would show everybody as gone and forty strangers as new.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cognitoidp.models import (
    CognitoIdpBackend,
    CognitoIdpGroup,
    CognitoIdpUser,
    CognitoIdpUserPool,
    CognitoIdpUserPoolClient,
    CognitoIdpUserPoolDomain,
    cognitoidp_backends,
)

COMPANY = "Larkfield Energy"
REGION = "eu-west-1"
ACCOUNT = "123456789012"  # the account that moto takes every caller for
POOL_ID = "eu-west-1_DemoPool1"
DOMAIN = "larkfield-demo"
CLIENT_ID = "dialadmindemodashboard0000"
FOUNDED = datetime(2025, 2, 3, 9, 0, tzinfo=UTC)  # fixed: creation dates must survive a restart


@dataclass(frozen=True)
class Group:
    name: str
    description: str
    precedence: int


@dataclass(frozen=True)
class Welcome:
    """One of the people whom the sign-in page offers first, and why one would be them."""

    username: str
    level: str
    why: str


@dataclass(frozen=True)
class Person:
    """One person of the pool; `status` is Cognito's user status."""

    username: str
    name: str
    groups: tuple[str, ...] = ()
    enabled: bool = True
    status: str = "CONFIRMED"

    @property
    def sub(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.username}.larkfield.example"))

    @property
    def email(self) -> str:
        return f"{self.username}@larkfield.example"


GROUPS: tuple[Group, ...] = (
    Group("dial-publishers", "DIAL dashboard: may export the settings", 1),
    Group("dial-editors", "DIAL dashboard: may change the draft", 2),
    Group("dial-auditors", "DIAL dashboard: may read", 3),
    Group("engineers", "Software and platform engineering", 10),
    Group("data-science", "Forecasting and machine learning", 11),
    Group("analysts", "Market and grid analysis", 12),
    Group("finance", "Finance and controlling", 20),
    Group("legal", "Legal and compliance", 21),
    Group("support", "Customer support, two shifts", 30),
    Group("contractors", "External people with a contract that ends", 40),
)

WELCOMES: tuple[Welcome, ...] = (
    Welcome("ada.nwosu", "Publisher", "Changes everything and exports the settings for DIAL Core."),
    Welcome("emil.soerensen", "Editor", "Attaches groups and sets limits, but never sees a secret."),
    Welcome("vera.kovacova", "Auditor", "Reads who reaches what, and changes nothing."),
    Welcome("nico.bauer", "No rights", "Uses DIAL, but may not open the dashboard. See what he sees."),
)

PEOPLE: tuple[Person, ...] = (
    Person("ada.nwosu", "Ada Nwosu", ("dial-publishers", "engineers")),
    Person("emil.soerensen", "Emil Sørensen", ("dial-editors", "engineers", "data-science")),
    Person("vera.kovacova", "Věra Kováčová", ("dial-auditors", "legal")),
    Person("nico.bauer", "Nico Bauer", ("support",)),
    Person("agnieszka.zielinska", "Agnieszka Zielińska", ("engineers",)),
    Person("amara.okafor", "Amara Okafor", ("data-science", "analysts")),
    Person("anh.nguyen", "Nguyễn Văn Anh", ("engineers",)),
    Person("aoife.nibhriain", "Aoife Ní Bhriain", ("legal",)),
    Person("bilal.haddad", "بلال حداد", ("support",)),
    Person("carlos.ibanez", "Carlos Ibáñez", ("finance", "analysts")),
    Person("chen.wei", "陈伟", ("data-science", "engineers")),
    Person("dana.levi", "דנה לוי", ("analysts",)),
    Person("dimitris.papadakis", "Δημήτρης Παπαδάκης", ("engineers", "contractors")),
    Person("eleni.markou", "Eleni Markou", ("support",)),
    Person("fatima.elamrani", "Fatima El Amrani", ("finance",)),
    Person("gabriel.silva", "Gabriel da Silva", ("support", "contractors")),
    Person("grace.mbeki", "Grace Mbeki", ("dial-editors", "analysts")),
    Person("hana.suzuki", "鈴木 花", ("data-science",)),
    Person("helga.jonsdottir", "Helga Jónsdóttir", ("analysts",)),
    Person("ines.moreau", "Inès Moreau", ("legal", "dial-auditors")),
    Person("ivan.petrov", "Иван Петров", ("engineers",), enabled=False),
    Person("jack.oconnor", "Jack O’Connor", ("finance", "dial-publishers")),
    Person("joana.ferreira", "Joana Ferreira", ("support",)),
    Person("kwame.mensah", "Kwame Mensah", ("engineers", "data-science")),
    Person("lars.andersson", "Lars Andersson", ("finance",)),
    Person("leila.farahani", "لیلا فراهانی", ("analysts", "data-science")),
    Person("lukasz.wojcik", "Łukasz Wójcik", ("contractors",), enabled=False),
    Person("maria.gonzalez", "María González", ("support",), status="FORCE_CHANGE_PASSWORD"),
    Person("mateo.rossi", "Matteo Rossi", ("engineers",)),
    Person("mehmet.yilmaz", "Mehmet Yılmaz", ("contractors", "data-science")),
    Person("noor.devries", "Noor de Vries"),
    Person("oksana.shevchenko", "Оксана Шевченко", ("analysts", "finance")),
    Person("olivia.smith", "Olivia Smith", ("legal",)),
    Person("pooja.raghunathan", "பூஜா ரகுநாதன்", ("engineers",)),
    Person("priya.sharma", "Priya Sharma", ("support",)),
    Person("rasmus.tamm", "Rasmus Tamm", status="UNCONFIRMED"),
    Person("sofia.horvath", "Horváth Zsófia", ("analysts",), enabled=False),
    Person("somchai.wattana", "สมชาย วัฒนา", ("contractors",)),
    Person("tomas.novak", "Tomáš Novák", ("engineers", "contractors")),
    Person("wanjiru.kamau", "Wanjirũ Kamau", ("data-science",)),
    Person("yuki.tanaka", "田中 勇気"),
    Person("zara.khan", "Zara Khan", ("finance", "legal")),
)


def backend() -> CognitoIdpBackend:
    """moto's memory of this account and region."""
    return cognitoidp_backends[ACCOUNT][REGION]


def build_pool(*, callback_urls: Sequence[str], sign_out_urls: Sequence[str], client_secret: str) -> CognitoIdpUserPool:
    """A fresh pool in moto's memory with everybody in it, and the dashboard's app client; replaces an older one."""
    pool = CognitoIdpUserPool(ACCOUNT, REGION, f"{COMPANY} (demo)", {})
    pool.id = POOL_ID
    pool.arn = f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{POOL_ID}"
    pool.creation_date = pool.last_modified_date = FOUNDED
    backend().user_pools[POOL_ID] = pool
    backend().user_pool_domains[DOMAIN] = CognitoIdpUserPoolDomain(POOL_ID, DOMAIN)
    pool.clients[CLIENT_ID] = _client(callback_urls, sign_out_urls, client_secret)
    groups = {group.name: _group(group) for group in GROUPS}
    pool.groups.update(groups)
    for day, person in enumerate(PEOPLE):
        pool.users[person.username] = _user(person, FOUNDED + timedelta(days=1 + 9 * day))
        for name in person.groups:  # moto keeps each membership at both ends
            pool.users[person.username].groups.add(groups[name])
            groups[name].users.add(pool.users[person.username])
    return pool


def groups_text(pool: CognitoIdpUserPool) -> bytes:
    """The groups and who is in them, to be kept: what was changed by the API has to survive a restart too."""
    kept = {
        group.group_name: {
            "description": group.description,
            "precedence": group.precedence,
            "created": group.creation_date.isoformat(),
            "members": sorted(user.username for user in group.users),
        }
        for group in pool.groups.values()
    }
    return json.dumps(kept, indent=1).encode()


def take_groups(pool: CognitoIdpUserPool, text: bytes) -> None:
    """Make the groups of the pool those of `groups_text`."""
    for user in pool.users.values():
        user.groups.clear()
    pool.groups.clear()
    for name, kept in json.loads(text).items():
        group = CognitoIdpGroup(POOL_ID, name, kept["description"], "", kept["precedence"])
        group.creation_date = group.last_modified_date = datetime.fromisoformat(kept["created"])
        pool.groups[name] = group
        for user in (pool.users[username] for username in kept["members"] if username in pool.users):
            user.groups.add(group)
            group.users.add(user)


def remove_pool() -> None:
    backend().user_pools.pop(POOL_ID, None)
    backend().user_pool_domains.pop(DOMAIN, None)


def _client(callback_urls: Sequence[str], sign_out_urls: Sequence[str], secret: str) -> CognitoIdpUserPoolClient:
    settings: dict[str, Any] = {
        "ClientName": "dialadmin (demo)",
        "CallbackURLs": list(callback_urls),
        "LogoutURLs": list(sign_out_urls),
        "AllowedOAuthFlows": ["code"],
        "AllowedOAuthScopes": ["openid", "email", "profile"],
        "AllowedOAuthFlowsUserPoolClient": True,
        "SupportedIdentityProviders": ["COGNITO"],
    }
    client = CognitoIdpUserPoolClient(POOL_ID, bool(secret), settings)
    client.id = CLIENT_ID
    client.secret = secret
    return client


def _group(group: Group) -> CognitoIdpGroup:
    made = CognitoIdpGroup(POOL_ID, group.name, group.description, "", group.precedence)
    made.creation_date = made.last_modified_date = FOUNDED
    return made


def _user(person: Person, created: datetime) -> CognitoIdpUser:
    attributes = {"sub": person.sub, "name": person.name, "email": person.email}
    # Somebody who never confirmed the invitation has not proved the address either.
    attributes["email_verified"] = "false" if person.status == "UNCONFIRMED" else "true"
    user = CognitoIdpUser(POOL_ID, person.username, None, person.status, [])
    user.id = person.sub
    user.enabled = person.enabled
    user.update_attributes([{"Name": name, "Value": value} for name, value in attributes.items()])
    user.create_date = user.last_modified_date = created
    return user
