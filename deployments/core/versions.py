"""Which key which version of DIAL Core knows: the one place to edit for a new version.

A new Core version is: one more number in `LAST`, a few lines in `SECTIONS`, `OBJECTS` and `Rules`.
Sources: core-semantics 0 and 1, and the published schemas of Core's configuration, 0.23 to 0.45.
Where only "not in 0.18, there in 0.23" is recorded, 0.23 stands here: an export that says less is
refused by no version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

FIRST, LAST = 18, 46


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version of DIAL Core, such as 0.37. Patch releases have never changed the settings."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """From `0.37`, `v0.37.2`, or the names of the generations. Raises ValueError for anything else."""
        if text in GENERATIONS:
            return GENERATIONS[text]
        match = re.fullmatch(r"v?(\d{1,4})\.(\d{1,4})(?:\.\d{1,9})?", text.strip(), re.ASCII)
        if match is None:
            raise ValueError(f'"{text[:40]}" is no version of DIAL Core; write it like 0.37.')
        version = cls(int(match[1]), int(match[2]))
        if version not in SUPPORTED:
            raise ValueError(f"DIAL Core {version} is not known here; {SUPPORTED[0]} to {SUPPORTED[-1]} are.")
        return version

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


SUPPORTED: tuple[Version, ...] = tuple(Version(0, minor) for minor in range(FIRST, LAST + 1))
CLASSIC, CURRENT = SUPPORTED[0], SUPPORTED[-1]
DEFAULT = Version(0, 37)  # the last with addons and assistants
GENERATIONS: Mapping[str, Version] = {"classic": CLASSIC, "current": CURRENT}


@dataclass(frozen=True, slots=True)
class Field:
    """A key of an object, and the versions that know it: from `since`, up to but without `until`.

    `kind` says which values it takes:
      string, text (a string; from 0.46 also an object of translations), bool, int, long, decimal,
      pattern (a regular expression), price (a text that holds a number), json (anything), object (any
      object), one|two (an enumeration), Name (an object of `OBJECTS`),
      kind[] (a list of), kind{} (an object whose values are),
      ignored (known and not read).
    """

    name: str
    kind: str
    since: Version = CLASSIC
    until: Version | None = None

    def known_to(self, version: Version) -> bool:
        return self.since <= version and (self.until is None or version < self.until)


Naming = Literal["camel", "snake"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The keys of one object as one version knows them: spelling to (name in camel case, kind)."""

    fields: Mapping[str, tuple[str, str]]
    ignores_unknown: bool = False


def snake(name: str) -> str:
    """`displayName` to `display_name`."""
    return re.sub(r"[A-Z]", lambda match: "_" + match.group().lower(), name)


# --- the table --------------------------------------------------------------------------------------
# A line is: name, kind[, since[, until]]. Names are in camel case. How a name may be spelled depends on
# the object (core-semantics 1.2): an object reads its own naming, `camel` or `snake`; a name with "*"
# has the other one as alias; a name with "+" is also read with "dial:" before it, from 0.34 on.

Line = tuple[str, str] | tuple[str, str, str] | tuple[str, str, str, str]

# The top level. It is the one place where unknown keys are ignored (core-semantics 4.4).
SECTIONS: tuple[Line, ...] = (
    ("models", "Model{}"),
    ("applications", "Application{}"),
    ("addons", "Addon{}", "0.18", "0.38"),
    ("assistant", "Assistants", "0.18", "0.38"),
    ("toolsets", "ToolSet{}", "0.32"),
    ("interceptors", "Interceptor{}"),
    ("routes", "Route{}"),
    ("keys", "Key{}"),
    ("roles", "Role{}"),
    ("retriableErrorCodes", "int[]"),
    ("applicationTypeSchemas", "Schema[]", "0.23"),
    ("globalInterceptors", "string[]", "0.38"),
    ("catalogSchemas", "Schema[]", "0.46"),
    ("translators", "Translator{}", "0.46"),
    ("defaultLocale", "string", "0.46"),
    ("tracing", "Tracing", "0.46"),
    ("rateLimitSchedule", "RateLimitSchedule", "0.46"),
)

_DEPLOYMENT: tuple[Line, ...] = (
    ("name", "string"),
    ("endpoint", "string"),
    ("displayName*", "text"),
    ("displayVersion*", "string"),
    ("iconUrl*", "string"),
    ("description", "text"),
    ("reference", "string"),
    ("userRoles*+", "string[]"),
    ("forwardAuthToken*", "bool"),
    ("features", "Features"),
    ("inputAttachmentTypes*", "string[]"),
    ("maxInputAttachments*", "int"),
    ("defaults", "object"),
    ("interceptors", "string[]"),
    ("descriptionKeywords*", "string[]"),
    ("maxRetryAttempts*", "int", "0.23"),
    ("author", "string", "0.24"),
    ("createdAt*", "long", "0.25"),
    ("updatedAt*", "long", "0.25"),
    ("dependencies", "json", "0.27"),
    ("responsesEndpoint", "string", "0.42"),
    ("responsesDefaults", "object", "0.43"),
    ("baseUrl*", "string", "0.46"),
    ("defaultHeaders*", "string{}", "0.46"),
    ("catalogSchemaId*", "string", "0.46"),
    ("catalogProperties*", "object", "0.46"),
    ("interfaces", "Interface{}", "0.46"),
    ("intro", "text", "0.46"),
)

OBJECTS: Mapping[str, tuple[Naming, tuple[Line, ...]]] = {
    "Model": (
        "camel",
        (
            *_DEPLOYMENT,
            ("type", "chat|completion|embedding"),
            ("tokenizerModel", "string"),
            ("limits", "TokenLimits"),
            ("pricing", "Pricing"),
            ("upstreams", "Upstream[]"),
            ("overrideName", "string", "0.18", "0.46"),
            ("overrideName*", "string", "0.46"),
            ("fieldsHashingOrder", "string[]", "0.26"),
            ("embeddingDimensions", "json", "0.45"),
        ),
    ),
    "TokenLimits": (
        "camel",
        (("maxTotalTokens", "int"), ("maxPromptTokens", "int"), ("maxCompletionTokens", "int")),
    ),
    "Pricing": (
        "camel",
        (
            ("unit", "string"),
            ("prompt", "price"),
            ("completion", "price"),
            ("cacheRead", "price", "0.46"),
            ("cacheWrite", "price", "0.46"),
        ),
    ),
    "Upstream": (
        "camel",
        (
            ("endpoint+", "string"),
            ("key+", "string"),
            ("extraData+", "json"),
            ("weight+", "int"),
            ("tier+", "int"),
            ("responsesEndpoint+", "string", "0.42"),
            ("id+", "string", "0.44"),
            ("secretExtraData+", "json", "0.45"),
            ("baseUrl+", "string", "0.46"),
            ("interfaces+", "UpstreamInterface{}", "0.46"),
        ),
    ),
    "UpstreamInterface": (
        "camel",
        (("endpoint+", "string"), ("key+", "string"), ("extraData+", "json"), ("secretExtraData+", "json")),
    ),
    "Interface": (
        "camel",
        (
            ("baseUrl*", "string"),
            ("mode", "passthrough|translator"),
            ("translator", "json"),
            ("defaultHeaders*", "string{}"),
            ("defaults", "object"),
            ("features", "Features"),
            ("overridePaths*", "string{}"),
        ),
    ),
    "Application": (
        "snake",
        (
            *_DEPLOYMENT,
            ("function", "Function"),
            ("applicationProperties*", "object", "0.23"),
            ("applicationTypeSchemaId*", "string", "0.23"),
            ("viewerUrl*", "string", "0.29"),
            ("editorUrl*", "string", "0.29"),
            ("routes", "Route{}", "0.32"),
            ("mcp", "Mcp", "0.42"),
            ("overrideName*", "string", "0.46"),
            ("externalServices*", "ExternalService{}", "0.46"),
            ("appIdentity*", "string", "0.46"),
            ("allowUserExternalServices*", "bool", "0.46"),
        ),
    ),
    "Function": (
        "snake",
        (
            ("id", "string"),
            ("runtime", "string"),
            ("authorBucket", "string"),
            ("sourceFolder", "string"),
            ("targetFolder", "string"),
            ("status", "deploying|undeploying|deployed|undeployed|failed|starting|stopping|started|created|stopped"),
            ("error", "string"),
            ("mapping", "Mapping"),
            ("env", "string{}"),
        ),
    ),
    "Mapping": (
        "snake",
        (
            ("chatCompletion", "string"),
            ("completion", "string"),
            ("rate", "string"),
            ("tokenize", "string"),
            ("truncatePrompt", "string"),
            ("configuration", "string"),
        ),
    ),
    "Mcp": (
        "snake",
        (
            ("endpoint", "string"),
            ("transport", "HTTP|SSE"),
            ("allowedTools*", "string[]"),
            ("forwardPerRequestKey*", "bool"),
            ("configDelivery*", "string"),
        ),
    ),
    "ExternalService": (
        "snake",
        (("displayName*", "string"), ("description", "string"), ("authSettings*", "AuthSettings")),
    ),
    "Addon": ("camel", (*_DEPLOYMENT, ("token", "string"))),
    "Assistants": (
        "camel",
        (("endpoint", "string"), ("features", "Features"), ("assistants", "Assistant{}")),
    ),
    "Assistant": ("camel", (*_DEPLOYMENT, ("prompt", "string"), ("addons", "string[]"))),
    "Interceptor": ("camel", (*_DEPLOYMENT, ("overrideName*", "string", "0.46"))),
    "ToolSet": (
        "snake",
        (
            *_DEPLOYMENT,
            ("transport", "HTTP|SSE"),
            ("allowedTools*", "string[]"),
            ("authSettings*", "AuthSettings", "0.35"),
            ("forwardPerRequestKey*", "bool", "0.37"),
            ("overrideName*", "string", "0.46"),
            ("provider", "string", "0.46"),
            ("vendorWebsite*", "string", "0.46"),
        ),
    ),
    "AuthSettings": (
        "snake",
        (
            ("authenticationType*", "OAUTH|API_KEY|NONE"),
            ("clientId*", "string"),
            ("clientSecret*", "string"),
            ("authorizationEndpoint*", "string"),
            ("tokenEndpoint*", "string"),
            ("redirectUri*", "string"),
            ("codeChallenge*", "string"),
            ("codeChallengeMethod*", "string"),
            ("codeVerifier*", "string"),
            ("apiKeyHeader*", "string"),
            ("globalAuthStatus*", "json"),
            ("userLevelAuthStatus*", "json"),
            ("appLevelAuthStatus*", "json"),
            ("scopesSupported*", "string[]"),
            ("tokenEndpointAuthMethod*", "string", "0.44"),
            ("dynamicallyRegistered*", "bool", "0.46"),
        ),
    ),
    "Route": (
        "camel",
        (
            ("name", "string"),
            ("userRoles", "string[]", "0.18", "0.23"),
            ("userRoles*+", "string[]", "0.23"),
            ("response+", "Response"),
            ("rewritePath+", "bool"),
            ("paths+", "pattern[]"),
            ("methods+", "string[]"),
            ("upstreams+", "Upstream[]"),
            ("maxRetryAttempts+", "int", "0.23"),
            ("order+", "int", "0.32"),
            ("permissions+", "READ|WRITE[]", "0.32"),
            ("attachmentPaths+", "AttachmentPaths", "0.32"),
        ),
    ),
    "Response": ("camel", (("status", "int"), ("body", "string"))),
    "AttachmentPaths": ("camel", (("requestBody", "string[]"), ("responseBody", "string[]"))),
    "Key": (
        "camel",
        (
            ("key", "string"),
            ("project", "string"),
            ("role", "string"),
            ("roles", "string[]"),
            ("secured", "bool"),
            ("allowedIpAddressRanges", "string[]", "0.40"),
        ),
    ),
    "Role": (
        "camel",
        (
            ("name", "string"),
            ("limits", "Limit{}"),
            ("share", "Share{}", "0.30"),
            ("costLimit", "CostLimit", "0.35"),
        ),
    ),
    "Limit": (
        "camel",
        (
            ("minute", "long"),
            ("day", "long"),
            ("requestHour", "long"),
            ("requestDay", "long"),
            ("week", "long", "0.23"),
            ("month", "long", "0.23"),
            ("positive", "ignored", "0.46"),
        ),
    ),
    "CostLimit": (
        "camel",
        (
            ("minute", "decimal"),
            ("day", "decimal"),
            ("week", "decimal"),
            ("month", "decimal"),
            ("positive", "ignored"),
        ),
    ),
    "Share": ("snake", (("maxAcceptedUsers*", "int"), ("invitationTtl*", "long"))),
    "Features": (
        "snake",
        (
            ("rateEndpoint*", "string"),
            ("tokenizeEndpoint*", "string"),
            ("truncatePromptEndpoint*", "string"),
            ("configurationEndpoint*", "string"),
            ("systemPromptSupported*", "bool"),
            ("toolsSupported*", "bool"),
            ("seedSupported*", "bool"),
            ("urlAttachmentsSupported*", "bool"),
            ("folderAttachmentsSupported*", "bool"),
            ("allowResume*", "bool"),
            ("accessibleByPerRequestKey", "bool", "0.18", "0.23"),  # the classic trap: snake case only
            ("accessibleByPerRequestKey*", "bool", "0.23"),
            ("contentPartsSupported*", "bool", "0.23"),
            ("temperatureSupported*", "bool", "0.23"),
            ("addonsSupported*", "bool", "0.23", "0.38"),
            ("cacheSupported*", "bool", "0.26"),
            ("autoCachingSupported*", "bool", "0.26"),
            ("consentRequired*", "bool", "0.27"),
            ("parallelToolCallsSupported*", "bool", "0.29"),
            ("assistantAttachmentsInRequestSupported*", "bool", "0.37"),
            ("supportCommentInRateResponse*", "bool", "0.38"),
            ("maxTokensSupported*", "bool", "0.45"),
            ("maxCompletionTokensSupported*", "bool", "0.45"),
            ("customTemperatureSupported*", "bool", "0.45"),
            ("reasoningEfforts*", "string[]", "0.45"),
        ),
    ),
    "Translator": ("camel", (("in", "string"), ("out", "string"), ("baseUrl*", "string"))),
    "Tracing": (
        "camel",
        (("genAiSpanAttributes", "bool"), ("responseTraceHeaders", "bool"), ("conversationIdHeaders", "string[]")),
    ),
    "RateLimitSchedule": (
        "camel",
        (("timezone", "string"), ("weekStartDay", "Mon|Tue|Wed|Thu|Fri|Sat|Sun"), ("resetTime", "string")),
    ),
}

IGNORES_UNKNOWN = frozenset({"RateLimitSchedule"})  # core-semantics 1
TRANSLATED_SINCE = Version(0, 46)  # `text` fields take an object of translations
DIAL_PREFIX_SINCE = Version(0, 34)


@dataclass(frozen=True, slots=True)
class Rules:
    """How one version behaves beyond its keys.

    Verified are 0.18 and 0.46 (core-semantics 7). In between, `sections` and `routes_sorted` change in
    a recorded version; the rest is only known to be different at the two ends, and changes here at
    0.38, the version that removed the old sections and is the first of the new generation.
    """

    sections: tuple[str, ...]
    """Sections of deployments in the order in which Core lists them."""
    enforced: frozenset[str]
    """Sections in which a limit of 0 denies and a used-up limit stops (core-semantics 3.4)."""
    resolved: frozenset[str]
    """Sections for which Core can tell a limit at all (classic routes have none)."""
    selection: tuple[str, ...]
    """Sections that share the ids callers use, in the order of who wins a name (core-semantics 4.6)."""
    one_id_space: bool
    """A name in two of the `selection` sections refuses the configuration; before, it only shadows."""
    routes_sorted: bool
    """Routes are tried by `order`, not in file order."""
    role_needs_limits: bool
    """A role without `limits` answers 500 to its holders, `default` to everyone (core-semantics 3.2)."""
    keys_before_roles: bool
    """Keys are swapped before roles are read, and balancers after all: a bad reload applies by halves (4.3)."""
    inner_key_wins: bool
    """`keys.*.key` is the API key if it is not blank, instead of the map key."""
    blank_refused: bool
    """Blank project or role of a key counts as missing; before, only the empty text does."""
    names_checked: bool
    """Names with "/" are dropped with a warning, and toolset names outside A-Z a-z 0-9 _ - (4.6)."""


@cache
def rules(version: Version) -> Rules:
    """The behaviour of a version."""
    toolsets = Version(0, 32) <= version
    new = Version(0, 38) <= version
    if new:
        sections: tuple[str, ...] = ("models", "applications", "toolsets", "interceptors", "routes")
        enforced = frozenset(sections)
        selection: tuple[str, ...] = ("applications", "models", "toolsets", "interceptors")
    else:
        sections = ("models", "applications", "addons", "assistants", *(["toolsets"] if toolsets else []), "routes")
        # 2025: "the same for chat, plus routes and MCP"; toolsets are what MCP serves.
        enforced = frozenset({"models", "routes", "toolsets"} if toolsets else {"models"})
        selection = ("applications", "models", "assistants")
    return Rules(
        sections=sections,
        enforced=enforced,
        resolved=frozenset(sections) if toolsets else frozenset(sections) - {"routes"},
        selection=selection,
        one_id_space=new,
        routes_sorted=toolsets,
        role_needs_limits=not new,
        keys_before_roles=not new,
        inner_key_wins=new,
        blank_refused=new,
        names_checked=new,
    )


# --- reading the table ------------------------------------------------------------------------------


@cache
def shape(name: str, version: Version) -> Shape:
    """The object `name` of `OBJECTS` as `version` knows it."""
    naming, lines = OBJECTS[name]
    fields: dict[str, tuple[str, str]] = {}
    for line in lines:
        field = as_field(line)
        if field.known_to(version):
            plain = field.name.rstrip("*+")
            for spelling in _spellings(field.name, naming, version):
                fields[spelling] = (plain, field.kind)
    return Shape(fields, name in IGNORES_UNKNOWN)


@cache
def sections(version: Version) -> Mapping[str, str]:
    """The sections that `version` reads: name to kind. All other top-level keys are ignored."""
    return {field.name: field.kind for field in map(as_field, SECTIONS) if field.known_to(version)}


def as_field(line: Line) -> Field:
    """A line of the table; the name keeps its marks."""
    name, kind, *versions = line
    bounds = [Version.parse(version) for version in versions]
    return Field(name, kind, bounds[0] if bounds else CLASSIC, bounds[1] if len(bounds) > 1 else None)


def _spellings(marked: str, naming: Naming, version: Version) -> tuple[str, ...]:
    name = marked.rstrip("*+")
    both = (name, snake(name))
    own = both[naming == "snake"]
    prefixed = (f"dial:{name}",) if "+" in marked and version >= DIAL_PREFIX_SINCE else ()
    return (*(both if "*" in marked else (own,)), *prefixed)


def known_versions(name: str, spelling: str) -> tuple[Version, ...]:
    """The versions in which the object `name` has a key of this spelling: for telling people what to do."""
    return tuple(version for version in SUPPORTED if spelling in shape(name, version).fields)
