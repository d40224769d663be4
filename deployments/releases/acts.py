"""What history calls the acts on releases."""

from deployments.acts import on_draft
from dialadmin.history.registry import Act, register

RELEASED = register(Act("release.made", "Released", "made {target}: {note}"))
RESTORED = on_draft(
    Act("release.restored", "Release restored", "restored release {after[number]} into the draft: {note}")
)
DOWNLOADED = register(Act("release.downloaded", "Release downloaded", "downloaded {target}, secrets included"))

PUBLISH_STARTED = register(Act("publication.started", "Publishing started", "began to publish {target} to {after[to]}"))
PUBLISHED = register(Act("publication.published", "Published", "published {target} to {after[to]}: {note}"))
PUBLISH_UNCHANGED = register(
    Act("publication.unchanged", "Published again", "published {target} to {after[to]}, which held it already")
)
PUBLISH_FAILED = register(
    Act("publication.failed", "Publishing failed", "could not publish {target} to {after[to]}: {note}")
)
PROVED = register(Act("proof.changed", "Proof changed", "looked at {target}: {note}"))
PAYLOADS_ROTATED = register(Act("release.rotated", "Releases encrypted anew", "encrypted the stored releases anew"))
