"""Proving what targets hold and what Core runs, and remembering what was found.

Pages show the last proof with its age and never wait for the network; a button and `check_drift` look again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Max, Q, QuerySet

from deployments.core.load import load
from deployments.core.secrets import MASK, map_secrets
from deployments.core.versions import Version
from deployments.document import SECTIONS
from deployments.releases import actions, comparison, core_client, publishing, reading, targets
from deployments.releases.comparison import Answer
from deployments.releases.core_client import LISTINGS, Core, CoreError, CoreRefusesError, NoEndpointError
from deployments.releases.models import Proof, Publication, PublicationQuerySet, Release
from deployments.releases.targets.interface import Target, TargetError
from dialadmin.history.recorder import Actor

State = Proof.State
EARLIER = 5  # releases before the expected one that Core's answer is compared with


@dataclass(frozen=True)
class Found:
    """What a look at one place came to; the fields are those of Proof."""

    state: str
    number: int | None = None
    expected: int | None = None
    detail: str = ""
    differences: tuple[str, ...] = ()


# --- Targets ---------------------------------------------------------------------------------------


def check_target(target: Target, *, by: Actor) -> Proof:
    """Read a target back and compare it with what was published there last.

    Also ends what a killed process began there. Raises secrets.UndecryptableError or reading.DamagedError
    when the release itself cannot be read.
    """
    try:
        under_way = publishing.settle(target=target, by=by)
        data = target.read()
    except TargetError as error:
        return _record(target.name, Found(State.UNREACHABLE, expected=published_to(target.name), detail=str(error)), by)
    return _record(target.name, _compare(target, data, under_way), by)


def _compare(target: Target, data: bytes | None, under_way: Publication | None) -> Found:
    expected = published_to(target.name)
    digest = hashlib.sha256(data).hexdigest() if data is not None else ""
    if under_way is not None and Release.objects.filter(number=under_way.number, digest=digest).exists():
        return Found(State.SAME, under_way.number, under_way.number, "It is being published right now.")
    if expected is None:
        held = _number_of(digest)
        what = "nothing" if data is None else f"release {held}" if held else "something that is no release"
        return Found(State.UNKNOWN, held, None, f"Nothing was published to it from here yet. It holds {what}.")
    release = Release.objects.get(number=expected)
    if digest == release.digest:
        return Found(State.SAME, expected, expected)
    held = _number_of(digest)
    detail = f"Release {expected} was published, and it holds "
    detail += "nothing." if data is None else f"release {held}." if held else "something else."
    return Found(State.DRIFTED, held, expected, detail, tuple(comparison.of_bytes(reading.data(release), data)))


def _number_of(digest: str) -> int | None:
    """The newest release that has these bytes."""
    number: int | None = Release.objects.filter(digest=digest).aggregate(last=Max("number"))["last"]
    return number


def published_to(name: str) -> int | None:
    """The number of the release that was published to a target last."""
    row = Publication.objects.arrived().filter(target=name).first()
    return row.number if row else None


# --- Core ------------------------------------------------------------------------------------------


def check_core(*, by: Actor) -> Proof | None:
    """Ask Core what it runs, and compare it with what was published to the first target.

    Without a target it is compared with the last release. None when no Core is configured. Raises as
    `check_target` does.
    """
    core = core_client.configured()
    if core is None:
        return None
    release = _expected_of_core()
    if release is None:
        return _record(Proof.CORE, Found(State.UNKNOWN, detail="Nothing was published yet that Core could run."), by)
    try:
        return _record(Proof.CORE, _ask(core, release), by)
    except CoreRefusesError as refusal:
        found = Found(State.DRIFTED, None, release.number, _without_secrets(str(refusal), reading.document(release)))
    except CoreError as error:
        found = Found(State.UNREACHABLE, None, release.number, str(error))
    return _record(Proof.CORE, found, by)


def after_publishing(target: Target, *, by: Actor) -> Proof | None:
    """Prove what was just published. The proof of Core, where it is Core's own target and a Core is configured."""
    check_target(target, by=by)
    return check_core(by=by) if target.name == next(iter(targets.configured()), None) else None


def _expected_of_core() -> Release | None:
    first = next(iter(targets.configured()), None)
    if first is None:
        return reading.latest()
    number = published_to(first)
    return reading.by_number(number) if number else None


def _ask(core: Core, release: Release) -> Found:
    document, version = reading.document(release), Version.parse(release.target_version)
    details: list[str] = []
    differences: list[str] = []
    asked = False
    number: int | None = release.number
    if core.admin_token:
        try:
            running = core.reload()
        except NoEndpointError:
            details.append("This Core has no reload endpoint, so that only the probe key can tell.")
        else:
            asked = True
            answer = comparison.with_core(document, running, version)
            details += answer.notes
            if answer.differences:
                differences += answer.differences
                number = _earlier(release, running)
                details.insert(0, f"Core still runs release {number}." if number else "Core runs something else.")
    if core.probe_key:
        asked = True
        seen = _probe(core, document, version)
        differences += seen.differences
        details += seen.notes
        if seen.differences and number == release.number:
            number = None
    if not asked:
        return Found(State.UNKNOWN, None, release.number, " ".join(details))
    state = State.DRIFTED if differences else State.SAME
    return Found(state, number, release.number, " ".join(details), tuple(comparison.cut(differences)))


def _earlier(release: Release, running: Any) -> int | None:
    """The release before this one that Core's answer fits: it may not have got the new file yet."""
    for earlier in Release.objects.filter(number__lt=release.number)[:EARLIER]:
        version = Version.parse(earlier.target_version)
        if not comparison.with_core(reading.document(earlier), running, version).differences:
            return earlier.number
    return None


def _probe(core: Core, document: dict[str, Any], version: Version) -> Answer:
    """What the probe key really sees, against what the rules say that it sees."""
    settings = load(document, version).settings
    if settings is None:  # a release is checked before it is made, so this takes another version of this product
        return Answer((), ("The release can no longer be judged, so the probe key tells nothing.",))
    roles = core.roles_of_key()
    listed = {}
    for section in LISTINGS:
        if section in settings.rules.sections and (names := core.listed(section)) is not None:
            listed[section] = names
    return Answer(tuple(comparison.with_key(settings, core.probe_key, roles, listed)))


_QUOTED = re.compile(r"""(["'])(.*?)\1""")


def _without_secrets(text: str, document: dict[str, Any]) -> str:
    """Core's own words, which may quote a value that it could not read, also one of another file than ours.

    Of what is quoted only names of the release stay; its secrets go wherever they stand.
    """
    names: set[str] = set()
    secrets: list[str] = list(document.get("keys") or {})

    def walk(value: Any) -> None:
        if isinstance(value, Mapping):
            names.update(value)
        for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
            walk(item)

    def note(value: Any) -> Any:
        if isinstance(value, str):
            secrets.append(value)
        return value

    for name, section in document.items():
        names.add(name)
        walk(section if name != "keys" else list(section.values()))
    for path in (*SECTIONS.values(), ("keys",)):
        entries = document
        for step in path:
            entries = entries.get(step) or {}
        for entry in entries.values():
            map_secrets(path[-1], entry, note)
    text = _QUOTED.sub(lambda found: found[0] if found[2] in names else f"{found[1]}{MASK}{found[1]}", text)
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


# --- Remembering -----------------------------------------------------------------------------------


def _record(place: str, found: Found, by: Actor) -> Proof:
    return actions.record_proof(place=place, **asdict(found), by=by)


def told(found: Proof) -> list[str]:
    """A proof as lines of text, the first about the place."""
    holds = f"It is release {found.expected}." if found.state == State.SAME else ""
    words = " ".join(filter(None, (f"{found.get_state_display()}.", holds, found.detail)))
    return [f"{found.place}: {words}", *(f"  {line}" for line in found.differences)]


# --- Standing --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A target as pages show it. `last` arrived last; `attempt` is a newer one that did not, or not yet."""

    target: Target
    last: Publication | None
    attempt: Publication | None
    interrupted: bool
    proof: Proof | None

    @property
    def state(self) -> str:
        return self.proof.state if self.proof else State.UNKNOWN


@dataclass(frozen=True)
class Standing:
    """Where releases stand: made, published, running. From the database alone."""

    released: int | None
    places: tuple[Place, ...]
    core_configured: bool
    core: Proof | None


def standing() -> Standing:
    """Four queries, whatever there is."""
    released = Release.objects.aggregate(last=Max("number"))["last"]
    wanted = targets.configured()
    ours = Publication.objects.filter(target__in=wanted)
    rows = Publication.objects.filter(Q(pk__in=_newest(ours)) | Q(pk__in=_newest(ours.arrived())))
    of_target: dict[str, list[Publication]] = {}
    for row in rows:
        of_target.setdefault(row.target, []).append(row)
    proofs = {proof.place: proof for proof in Proof.objects.all()}
    places = []
    for name, target in wanted.items():
        mine = of_target.get(name, [])
        last = next(
            (row for row in mine if row.state in (Publication.State.PUBLISHED, Publication.State.UNCHANGED)), None
        )
        attempt = next((row for row in mine if row != last), None)
        interrupted = attempt is not None and publishing.is_interrupted(attempt)
        places.append(Place(target, last, attempt, interrupted, proofs.get(name)))
    return Standing(released, tuple(places), core_client.configured() is not None, proofs.get(Proof.CORE))


def _newest(rows: PublicationQuerySet) -> QuerySet[Publication, int]:
    """The keys of the newest publication of each target."""
    return rows.order_by().values("target").annotate(newest=Max("pk")).values_list("newest", flat=True)
