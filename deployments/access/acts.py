"""What history calls the acts of the audit."""

from dialadmin.history.registry import Act, register

ASKED = register(
    Act("access.asked", "Access of a credential asked", "asked what a pasted token or list of names reaches")
)
REVIEW_OPENED = register(Act("review.opened", "Access review opened", "opened the access review {target}"))
REVIEW_DECIDED = register(
    Act("review.decided", "Access review decided", "decided {after[decision]} on {after[rows]} of {target}: {note}")
)
REVIEW_CLOSED = register(Act("review.closed", "Access review signed off", "signed off the review {target}: {note}"))
REVIEW_DISCARDED = register(Act("review.discarded", "Access review discarded", "discarded the access review {target}"))
REMOVAL_APPLIED = register(
    Act("review.applied", "Removal applied", "applied {target}: took {after[role]} off {after[deployment]}")
)
DOWNLOADED = register(Act("access.downloaded", "Answer downloaded", "downloaded: {note}"))
