"""Finding by prefix, by words, by a part, and by a typing error. A bounded number of queries at any size."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial, reduce
from operator import or_

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import StrIndex
from django.urls import reverse

from dialadmin.accounts.models import Staff
from dialadmin.navigation import KEYWORDS, pages
from dialadmin.search.models import Cut, Item, Word
from dialadmin.search.sources import KINDS, address
from dialadmin.search.words import LONGEST, TYPO, cuts, fit, fold, guessable, one_error_apart, terms

SHOWN = 8  # hits of a kind in the overview
CANDIDATES = 200  # items of a kind that are ranked
COUNTED = 1000  # words of the index that are counted: beyond them it says "at least"
FEW = 3  # hits; with fewer of them it may have been a typing error
GUESSES = 8  # words that a mistyped one may have meant
SHORTEST_PART = 3  # letters that are looked for inside of words
SHORTEST_LEAD = 2  # letters of the longest word; a few single letters fit half the pool
END = "\U0010ffff"  # sorts after every character of a word


@dataclass(frozen=True)
class Hit:
    title: str
    subtitle: str
    state: str
    url: str


@dataclass(frozen=True)
class Found:
    """The hits of one kind, the best first."""

    kind: str
    label: str
    hits: list[Hit]
    total: int
    at_least: bool = False  # there are more than were counted
    guessed: bool = False  # nothing fits as it was typed: these would with one letter changed


@dataclass(frozen=True)
class Answer:
    query: str
    groups: list[Found] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(group.total for group in self.groups)

    @property
    def at_least(self) -> bool:
        return any(group.at_least for group in self.groups)

    @property
    def shown(self) -> int:
        return sum(len(group.hits) for group in self.groups)


def find(text: str, staff: Staff, *, kind: str = "") -> Answer:
    """What this member of staff may find: pages first, then each kind of thing. `kind` asks for one, and for more."""
    query = fold(text[:LONGEST])
    if not query:
        return Answer(query)
    shown = CANDIDATES if kind in KINDS else SHOWN
    wanted = [kind] if kind in KINDS else list(KINDS)
    groups = [] if kind in KINDS else [_pages(query, staff)]
    split = terms(query)
    groups += [_of_kind(name, query, [_starting(term) for term in split], shown) for name in wanted]
    if sum(group.total for group in groups) < FEW:
        meant = _meant([query]) or _meant(split)
        fallback = (
            partial(_guess, meant=meant)
            if meant
            else _within
            if len(query) >= SHORTEST_PART and len(split) == 1
            else None
        )
        found = {group.kind for group in groups if group.hits}
        groups += [fallback(name, query, shown=shown) for name in wanted if fallback and name not in found]
    return Answer(query, [group for group in groups if group.hits])


def _starting(term: str) -> Q:
    return Q(word__gte=term, word__lt=term + END)


def _pages(query: str, staff: Staff) -> Found:
    fitting = []
    for page in pages():
        rank = fit(query, [fold(name) for name in (page.label, *KEYWORDS.get(page.url_name, ()))])
        if rank != TYPO and staff.may(page.permission):
            fitting.append((rank, Hit(page.label, "", "", reverse(page.url_name))))
    hits = [hit for _, hit in sorted(fitting, key=lambda pair: pair[0])]
    return Found("page", "Pages", hits[:SHOWN], len(hits))


def _of_kind(kind: str, query: str, conditions: list[Q], shown: int) -> Found:
    """The hits of one kind: by the whole of the query, and by its words."""
    ids, at_least = _counted(Word.objects.filter(_starting(query), kind=kind))
    if len(conditions) > 1 and len(terms(query)[0]) >= SHORTEST_LEAD and not at_least:
        more, at_least = _counted(_with_all(kind, conditions))
        ids = list(dict.fromkeys([*ids, *more]))
    return _ranked(kind, query, ids, shown, at_least=at_least)


def _within(kind: str, query: str, *, shown: int) -> Found:
    """The hits of one kind that have the query inside of a word. This reads every item of the kind."""
    within = Item.objects.filter(kind=kind).annotate(at=StrIndex(F("text"), Value(query))).filter(at__gt=0)
    ids = list(within.values_list("pk", flat=True)[:CANDIDATES])
    return _ranked(kind, query, ids, shown, at_least=len(ids) == CANDIDATES)


def _guess(kind: str, query: str, *, shown: int, meant: list[Q]) -> Found:
    """The hits of one kind when one letter of each word is changed."""
    ids, at_least = _counted(_with_all(kind, meant))
    return _ranked(kind, query, ids, shown, at_least=at_least, guessed=True)


def _counted(matching: QuerySet[Word]) -> tuple[list[int], bool]:
    """The items of these words in the order of the words, and whether there are more."""
    rows = list(matching.order_by("word").values_list("item_id", flat=True)[:COUNTED])
    return list(dict.fromkeys(rows)), len(rows) == COUNTED


def _ranked(kind: str, query: str, ids: list[int], shown: int, *, at_least: bool, guessed: bool = False) -> Found:
    items = Item.objects.filter(pk__in=ids[:CANDIDATES]) if ids else []
    ranked = sorted(items, key=lambda item: (fit(query, item.text.split("\n")), item.state == "gone", item.title))
    hits = [Hit(i.title, i.subtitle, i.state, address(kind, i.object_id, i.title)) for i in ranked[:shown]]
    return Found(kind, KINDS[kind][0], hits, len(ids), at_least, guessed)


def _with_all(kind: str, conditions: list[Q]) -> QuerySet[Word]:
    """Words that fit the first condition, of items that have a word for each of the others too."""
    leading, *others = conditions
    matching = Word.objects.filter(leading, kind=kind)
    for condition in others:
        matching = matching.filter(Exists(Word.objects.filter(condition, item=OuterRef("item"))))
    return matching


def _meant(split: list[str]) -> list[Q]:
    """For each term the words that one typing error may have hidden, or the term as it is; [] when no guess helps."""
    wanted = {cut: term for term in split if guessable(term) for cut in cuts(term)}
    guesses: dict[str, set[str]] = {}
    for cut, word in Cut.objects.filter(cut__in=wanted).values_list("cut", "word"):
        if one_error_apart(wanted[cut], word):
            guesses.setdefault(wanted[cut], set()).add(word)
    if not guesses:
        return []
    return [
        reduce(or_, (Q(word=word) for word in sorted(guesses[term])[:GUESSES])) if term in guesses else _starting(term)
        for term in split
    ]
