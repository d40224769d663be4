"""What history calls the acts on releases."""

from deployments.acts import on_draft
from dialadmin.history.registry import Act, register

RELEASED = register(Act("release.made", "Released", "made {target}: {note}"))
RESTORED = on_draft(
    Act("release.restored", "Release restored", "restored release {after[number]} into the draft: {note}")
)
DOWNLOADED = register(Act("release.downloaded", "Release downloaded", "downloaded {target}, secrets included"))
