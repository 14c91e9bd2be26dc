"""Quotes in files: where they really stand, whether the change touches that, and what stays when files move on."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from pytest_lok.core.findings.evidence import (
    MAX_PLACES,
    EvidenceFile,
    QuoteSearch,
    at_place,
    fingerprint,
    is_accepted,
    without_place,
)
from pytest_lok.core.results import Finding
from pytest_lok.core.text.invisible import rule_key
from tests.core.reports import finding

FILE = b"""import db

def get(name):
    sql = f"select {name}"
    return db.execute(sql)

def put(name):
    sql = f"insert {name}"
    db.execute(
        sql,
    )
    return db.execute(sql)
"""


def source(after: bytes | None = FILE, before: bytes | None = None, **more: Any) -> EvidenceFile:
    return EvidenceFile(path="db.py", after=after, before=before, **more)


def placed(said: Finding, file: EvidenceFile) -> Finding:
    """The finding at the place that is nearest to its line."""
    places = file.find_quote(said).places
    nearest = min(places, key=lambda place: abs(place.line - said.line))
    return at_place(said, nearest, None)


@pytest.mark.parametrize(
    ("quote", "said", "where"),
    [
        ('sql = f"select {name}"', 4, (4, 4)),
        ('sql = f"select {name}"', 99, (4, 4)),  # the only place wins over the number
        ('sql   =\tf"select {name}"', 4, (4, 4)),
        ('    sql = f"insert {name}"\n    db.execute(\n        sql,\n    )', 1, (8, 11)),
        ("db.execute( sql, )", 1, (9, 11)),  # one line where the file has three
        ("return db.execute(sql)", 6, (5, 5)),  # the nearest of several
        ("return db.execute(sql)", 11, (12, 12)),
        ("return db.execute(sql)", 1, (5, 5)),
        ("return db.execute(sql)", 99, (12, 12)),
        ('+    sql = f"select {name}"\n+    return db.execute(sql)', 4, (4, 5)),  # as a diff has it
        ("import db", 1, (1, 1)),
        ("return db.execute(sql)\n\n", 12, (12, 12)),
    ],
)
def test_a_finding_stands_where_its_quote_does(quote: str, said: int, where: tuple[int, int]) -> None:
    found = placed(finding(evidence=quote, line=said, end_line=said), source())
    assert (found.evidence_found, (found.line, found.end_line)) == (True, where)


def test_dots_stand_for_what_is_between() -> None:
    quote = "def put(name):\n    ...\n    return db.execute(sql)"
    places = source().find_quote(finding(evidence=quote, line=7)).places
    assert {(it.line, it.end_line) for it in places} == {(7, 12), (7, 7), (12, 12)}
    places = source().find_quote(finding(evidence="def get(name): ... def put", line=7)).places
    assert {(it.line, it.end_line) for it in places} == {(3, 7), (3, 3), (7, 7)}


@pytest.mark.parametrize(
    "quote",
    ["sql = select", "db.execute(sql, name)", "import db.", "+ +", "...", "def put ... def get", "\u200bz."],
)
def test_a_quote_that_is_not_there(quote: str) -> None:
    said = finding(evidence=quote, line=7)
    for file in (source(), source(b""), source(None)):
        assert file.find_quote(said) == QuoteSearch()
    found = without_place(said, "db.py", [QuoteSearch()], None)
    assert (found.evidence_found, found.line, found.doubt) == (False, 7, "its quote is not in db.py")
    assert found.fingerprint
    assert without_place(said, "db.py", [], None).doubt == "there is no file db.py"
    unread = source(None, unreadable="db.py is a link").find_quote(said)
    assert without_place(said, "db.py", [QuoteSearch(), unread], None).evidence_found is None


def test_other_encodings_are_read() -> None:
    for content in (
        FILE.decode().encode("utf-16"),
        FILE.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + FILE,
        b"\xff\n" + FILE,
    ):
        assert source(content).find_quote(finding(evidence='sql = f"insert {name}"')).places


def test_a_file_that_cannot_be_read_whole_may_hold_anything() -> None:
    for content in (b"\xff\n" + FILE, b"# coding: nothing\n" + FILE, FILE + b"\0"):
        sighting = source(content).find_quote(finding(evidence="not there"))
        assert (sighting.everywhere, bool(sighting.doubt)) == (False, True)


def test_a_quote_that_is_everywhere_says_of_nowhere_that_it_is_harmless() -> None:
    old = b"e\n" * (MAX_PLACES + 10)
    places = source(old, old, compared=True).find_quote(finding(evidence="e")).places
    assert {place.in_diff for place in places} == {False, None}


# --- the change


def touched(quote: str, before: bytes, after: bytes, **more: Any) -> set[tuple[int, bool, bool | None]]:
    file = source(after, before, compared=True, **more)
    return {(it.line, it.removed, it.in_diff) for it in file.find_quote(finding(evidence=quote)).places}


def test_each_place_is_held_against_the_change() -> None:
    old = b"a()\nb()\nc()\nb()\n"
    assert touched("b()", old, b"a()\nb()\nc()\nb()\nb()\n") == {
        (2, False, False),
        (4, False, False),
        (5, False, True),
    }
    assert touched("c()", old, b"a()\nb()\nb()\n") == {(3, True, True)}
    assert touched("- c()", old, b"a()\nb()\nb()\n") == {(3, True, True)}
    assert touched("- a()", old, b"a()\nb()\nb()\n") == set()  # it is not gone
    assert touched("a()\nb()", old, b"a()\nx()\nb()\nc()\nb()\n") == {(1, True, True)}
    assert touched("a()", old, old, same=True) == {(1, False, None)}
    assert touched("a()", old, old, mode_changed=True) == {(1, False, None)}
    assert touched("a()", b"a()\n\0\n", b"a()\n\0\1\n") == {(1, False, None)}
    assert touched("a()", b"a()\n\0\n", b"a()\n\0\n") == {(1, False, False)}


def test_what_was_not_compared_is_not_known() -> None:
    (place,) = (
        source(FILE, unknown="db.py lies in a submodule").find_quote(finding(evidence="import db")).places
    )
    assert (place.in_diff, place.file_changed, place.doubt) == (None, None, "db.py lies in a submodule")


@pytest.mark.parametrize(
    ("line", "end_line", "in_diff"),
    [(1, 1, False), (1, 3, True), (1, 2, False), (5, 7, True), (5, 6, False), (0, 0, True), (3, 3, False)],
)
def test_a_finding_is_about_all_the_lines_it_gives(line: int, end_line: int, in_diff: bool) -> None:
    file = source(b"a()\nb()\nC()\n", b"a()\nb()\nc()\n", compared=True)
    (place,) = file.find_quote(finding(evidence="a()", line=line, end_line=end_line)).places
    assert place.in_diff is in_diff


# --- fingerprints and the baseline


def prints(quote: str, line: int, content: bytes = FILE, **more: Any) -> str:
    return placed(finding(evidence=quote, line=line, **more), source(content)).fingerprint


def test_a_fingerprint_survives_what_does_not_matter() -> None:
    first = prints("db.execute(sql)", 5)
    assert first == prints("return   db.execute(sql)", 4)  # how much of the line was quoted, and the number
    assert first == prints("5: return db.execute(sql)", 5)
    assert first == prints("db.execute(sql)", 9, b"# one\n# more\n\n" + FILE.replace(b"    ", b"\t"))
    assert first == prints("db.execute(sql)", 5, title="other words", message="again", severity="low")
    assert first == prints("db.execute(sql)", 5, rule_id="SQL_Injection")
    assert first == prints("db.execute(sql)", 12)  # of two copies


def test_a_fingerprint_tells_apart_what_does() -> None:
    first = prints("db.execute(sql)", 5)
    others = {
        prints('sql = f"select {name}"', 4),
        prints("db.execute(sql)", 5, rule_id="other"),
        at_place(finding(), source().find_quote(finding(evidence="import db")).places[0], None).fingerprint,
        without_place(finding(evidence="not there"), "db.py", [], None).fingerprint,
    }
    assert len(others) == 4
    assert first not in others


def old_print(identity: str, copy: int, rule: str = "sql-injection") -> str:
    text = "\0".join(("lokFinding/v1", rule, "db.py", f"{identity}\0{copy}"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@pytest.mark.parametrize(
    ("accepted", "copies", "in_diff", "answer"),
    [
        ({"new": 1}, 1, True, True),
        ({"new": 1}, 2, True, False),
        ({"new": 1}, 2, False, None),  # one of the two was accepted
        ({"new": 1}, 2, None, None),
        ({"new": 2}, 2, True, True),
        ({"new": 3}, 2, True, True),
        ({}, 1, False, False),
        ({"old0": 1}, 1, True, True),  # of a file that counted in another way
        ({"old0": 1, "old1": 1}, 2, True, True),
        ({"old1": 1}, 2, True, False),
        ({"old0": 1, "new": 1}, 2, True, False),  # the same one, accepted twice
        ({"old0": 1, "old1": 1, "new": 2}, 3, True, False),
    ],
)
def test_a_copy_is_known_where_so_many_were_accepted(
    accepted: dict[str, int], copies: int, in_diff: bool | None, answer: bool | None
) -> None:
    lines = b"x()\n" * copies
    (place, *_) = source(lines).find_quote(finding(evidence="x()")).places
    assert place.copies == copies
    names = {
        "new": fingerprint(rule_key("sql-injection"), "db.py", "x()"),
        "old0": old_print("x()", 0),
        "old1": old_print("x()", 1),
    }
    given = {names[name]: count for name, count in accepted.items()}
    touched_place = type(place)(
        path="db.py", line=1, end_line=1, identity="x()", copies=copies, in_diff=in_diff
    )
    assert is_accepted(finding(evidence="x()"), touched_place, given) is answer
