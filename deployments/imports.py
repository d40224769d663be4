"""Reading settings files into the draft: merge as Core does, judge, preview, apply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deployments import draft
from deployments.changes import Change, compare
from deployments.core.findings import Finding
from deployments.core.load import load
from deployments.core.merge import merge
from deployments.core.text import SettingsError, parse
from deployments.core.versions import Version
from deployments.document import Parts, split

MAX_BYTES = 16 * 1024 * 1024
MAX_NAME = 512


@dataclass(frozen=True)
class Source:
    """One settings file: its name for messages, and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Preview:
    """What importing some files would do. `refusals` is empty, or nothing else is to be trusted."""

    refusals: tuple[Finding, ...] = ()
    parts: Parts | None = None
    changes: tuple[Change, ...] = ()
    notices: tuple[str, ...] = ()


def read_files(sources: Sequence[Source]) -> dict[str, object]:
    """The merged document; raises SettingsError that names the file and the place."""
    for source in sources:
        if len(source.data) > MAX_BYTES:
            raise SettingsError(
                f"The file is larger than {MAX_BYTES // 1024 // 1024} MB.",
                file=source.name,
                mend="Settings files are a few megabytes at most. Check that this is the right file.",
            )
    return merge([parse(source.data, source.name) for source in sources])


def preview(sources: Sequence[Source], version: Version) -> Preview:
    """What the draft would become. Raises SettingsError for a file that is no settings document.

    A document that Core of this version would refuse is not imported: the draft could never be exported.
    """
    document = read_files(sources)
    loaded = load(document, version)
    if loaded.settings is None:
        return Preview(refusals=tuple(f for f in loaded.findings if f.severity == "error"))
    parts = split(document)
    too_long = [n for n in [*parts.role_names(), *(d.name for d in parts.deployments)] if len(n) > MAX_NAME]
    if too_long:
        raise SettingsError(
            f"The name {too_long[0][:60]}… has {len(too_long[0])} characters; up to {MAX_NAME} are kept.",
            file=sources[0].name if len(sources) == 1 else "the merged files",
            mend="Shorten it.",
        )
    return Preview(
        parts=parts,
        changes=tuple(compare(draft.read(), parts)),
        notices=tuple(
            f"roles.{role} has no limits: Core 0.18 answers 500 to its holders. It is kept with “limits”: {{}}."
            for role, entry in dict(document.get("roles") or {}).items()  # type: ignore[call-overload]
            if entry.get("limits") is None
        ),
    )
