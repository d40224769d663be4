"""What history calls the acts on releases."""

from dialadmin.history.registry import Act, register

RELEASED = register(Act("release.made", "Released", "made {target}: {note}"))
RESTORED = register(
    Act("release.restored", "Release restored", "restored release {after[number]} into the draft: {note}")
)
DOWNLOADED = register(Act("release.downloaded", "Release downloaded", "downloaded {target}, secrets included"))
