"""What counts as a word, what as a typing error, and which hit stands above which. Pure."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 128  # characters of a word that are kept
MOST_TERMS = 6  # words of a query that are looked at
SHORTEST_TYPO = 4  # shorter words are not guessed at: too many are one letter apart

EXACT, PREFIX, WORD_PREFIX, SUBSTRING, TYPO = range(5)  # how well a name fits, the best first

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BETWEEN = re.compile(r"[\s._@/+:,;()'\"|-]+")


def fold(text: str) -> str:
    """Without case, accents and superfluous spaces: `  José  Ángel` and `jose angel` are one."""
    plain = text
    if not text.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(plain.casefold().split())


def _split(name: str) -> list[str]:
    """The words of a folded name. A UUID has none; of an address of mail they stand before the @."""
    if _UUID.fullmatch(name):
        return []
    local = name.partition("@")[0] if " " not in name else name
    return [word for word in _BETWEEN.split(local) if word]


def terms(query: str) -> list[str]:
    """The words of a folded query, the longest first: it fits the fewest names. One that is a whole stays one."""
    split = [query] if "@" in query else _split(query) or [query]
    return sorted(set(split), key=lambda word: (-len(word), word))[:MOST_TERMS]


def parts(name: str) -> list[str]:
    """The words of a folded name that it is found by: single letters are not among them."""
    return [word for word in _split(name) if len(word) > 1]


def words(names: list[str]) -> set[str]:
    """What an entry with these folded names is found by: each name as a whole, and its words."""
    found = {name[:LONGEST] for name in names if name}
    for name in names:
        found.update(word[:LONGEST] for word in parts(name))
    return found


def guessable(word: str) -> bool:
    """Whether a typing error in it is worth a guess. Numbers are not: their neighbours are other things."""
    return SHORTEST_TYPO <= len(word) <= 40 and " " not in word and "@" not in word


def cuts(word: str) -> set[str]:
    """The word, and the word without any one of its letters.

    Two words that differ by one letter too many, too few, wrong or swapped with the next share a cut, so that a
    table of cuts finds typing errors by equality alone.
    """
    return {word, *(word[:n] + word[n + 1 :] for n in range(len(word)))}


def one_error_apart(one: str, other: str) -> bool:
    """Whether one letter too many, too few, wrong, or swapped with the next makes one word of the other."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    swapped = len(a) == len(b) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:]
    return swapped or a[1:] == b[1:] or a[1:] == b or a == b[1:]


def fit(query: str, names: list[str]) -> int:
    """How well the best of these folded names fits a folded query."""
    if query in names:
        return EXACT
    if any(name.startswith(query) for name in names):
        return PREFIX
    starts = {word for name in names for word in (name, *parts(name))}
    if all(any(word.startswith(term) for word in starts) for term in terms(query)):
        return WORD_PREFIX
    return SUBSTRING if any(query in name for name in names) else TYPO
