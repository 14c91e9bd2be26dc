"""The findings a project has accepted: fingerprints, each with who accepted it, why and until when."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from pytest_lok.core.edits.protected_names import BASELINE
from pytest_lok.core.results import Finding, Json
from pytest_lok.core.text.truncation import one_line
from pytest_lok.core.text.words import words
from pytest_lok.dataclass import dataclass

_MEANT_AS_UNTIL = words(
    "end ends endson enddate expire expires expiry expiresat expireson expiration until untill validuntil"
)
"""Keys without case, `-` and `_` that people write for `until`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Who accepted a finding, why, when, and the last day that it holds; None or "" = not said."""

    reason: str = ""
    author: str = ""
    day: date | None = None
    until: date | None = None

    @property
    def keys(self) -> dict[str, Json]:
        """What an entry of the file says of it."""
        said = {"reason": self.reason, "author": self.author, "date": self.day, "until": self.until}
        return {name: str(value) for name, value in said.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a baseline file says on one day.

    ``counts`` has the fingerprints that are accepted, each of so many copies. ``notes`` says of every
    fingerprint in the file who accepted it and why, or since when that no longer counts.
    """

    counts: Mapping[str, int]
    notes: Mapping[str, str]


def read_baseline(text: str, today: date) -> Baseline:
    """What counts today (in UTC) of a baseline file; ValueError says what is wrong with the file."""
    counts: dict[str, int] = {}
    notes: dict[str, str] = {}
    for fingerprint, entries in _entries(text).items():
        # merged files may have an entry twice: of those that hold, the larger count was accepted
        holding = [entry for entry in entries if _holds(entry, today)]
        if holding:
            counts[fingerprint] = max(map(_count, holding))
        notes[fingerprint] = _note((holding or entries)[-1], today)
    return Baseline(counts=counts, notes=notes)


def fingerprints(text: str, today: date) -> Mapping[str, int]:
    """The fingerprints that a baseline file accepts today, each of so many copies; ValueError as above."""
    return read_baseline(text, today).counts


def extended_baseline(
    findings: Iterable[Finding], text: str | None, today: date, acceptance: Acceptance, *, anew: bool = False
) -> tuple[str, int]:
    """A baseline file that accepts these findings beside what it accepted before, and how many are new.

    What is accepted already stays as it is, unless it is accepted ``anew``. What else an entry says is for
    people, and is kept.
    """
    before = {} if text is None else _entries(text)
    entries, new = dict(before), 0
    for finding in findings:
        old = entries.get(finding.fingerprint, [])
        if not anew and any(_holds(entry, today) and _count(entry) >= finding.copies for entry in old):
            continue
        kept = {key: value for key, value in (old[-1] if old else _entry(finding)).items() if key != "until"}
        count = max([finding.copies, *map(_count, old)])
        more: dict[str, Json] = {"count": count} if count > 1 else {}
        entries[finding.fingerprint] = [{**kept, **more, **acceptance.keys}]
        new += 1
    # by path, so that two branches that accept findings seldom conflict
    order = sorted(entries, key=lambda key: (str(entries[key][0].get("path", "")), key))
    document = {"findings": [entry for key in order for entry in entries[key]]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n", new


def day_of(text: str) -> date:
    """The day that a text such as ``2026-12-31`` means; ValueError if it means none."""
    day = date.fromisoformat(text)
    if day.isoformat() != text:  # there are more spellings, which people read as something else
        raise ValueError(f"{text!r} is no day such as 2026-12-31")
    return day


def _count(entry: Mapping[str, Json]) -> int:
    count = entry.get("count", 1)
    assert isinstance(count, int)  # noqa: S101 - read so; narrows for the type checker
    return count


def _holds(entry: Mapping[str, Json], today: date) -> bool:
    until = entry.get("until")
    return until is None or today <= day_of(str(until))


def _note(entry: Mapping[str, Json], today: date) -> str:
    """Who accepted the finding and why, in one line."""
    said = {key: one_line(value, 200) for key, value in entry.items() if isinstance(value, str)}
    parts = [
        f"by {said['author']}" if said.get("author") else "",
        f"on {said['date']}" if said.get("date") else "",
        f"until {said['until']}" if said.get("until") else "",
    ]
    words = " ".join(["accepted", *filter(None, parts)])
    words = f"{words}: {said['reason']}" if said.get("reason") else words
    if _holds(entry, today):
        return words
    return f"no longer accepted since {day_of(said['until']) + timedelta(days=1)} ({words})"


def _entry(finding: Finding) -> dict[str, Json]:
    return {
        "fingerprint": finding.fingerprint,
        "rule_id": finding.rule_id,
        "path": finding.path,
        "title": finding.title,
    }


def _entries(text: str) -> dict[str, Sequence[dict[str, Json]]]:
    """The entries of a file by their fingerprint, in the order of the file."""
    try:
        document = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{BASELINE} is not JSON: {error}") from None
    entries = document.get("findings") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError(f'{BASELINE} is not of the form {{"findings": [{{"fingerprint": "..."}}]}}')
    found: dict[str, list[dict[str, Json]]] = {}
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("fingerprint"), str):
            raise ValueError(f"{BASELINE}: entry {number} has no fingerprint")
        _check(number, entry)
        found.setdefault(entry["fingerprint"], []).append(entry)
    return {**found}


def _without_repeats(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """An object of the file; ValueError where a key stands in it twice: nobody knows which counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands there twice")
    return found


def _plain(key: str) -> str:
    return key.casefold().replace("-", "").replace("_", "").replace(" ", "")


def _check(number: int, entry: Mapping[str, Json]) -> None:
    """ValueError where a key that counts is not as it should be."""
    count = entry.get("count", 1)
    if type(count) is not int or count < 1:
        raise ValueError(f"{BASELINE}: the count of entry {number} is no number from 1")
    # a day that nobody looks at would let the finding pass for ever
    if wrong := sorted(key for key in entry if key != "until" and _plain(key) in _MEANT_AS_UNTIL):
        raise ValueError(f'{BASELINE}: entry {number} has the key {wrong[0]!r}; the last day is "until"')
    if "until" in entry:
        try:
            day_of(str(entry["until"]))
        except ValueError:
            raise ValueError(
                f"{BASELINE}: the until of entry {number} is no day such as 2026-12-31"
            ) from None
