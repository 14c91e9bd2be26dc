"""Quotes in files: where they really stand, and what stays the same when files move on."""

from __future__ import annotations

import pytest

from pytest_lok.core.evidence import Quoted, anchored, candidates, unreadable
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
    found = anchored(finding(evidence=quote, line=said, end_line=said), Quoted(FILE))
    assert (found.evidence_found, (found.line, found.end_line)) == (True, where)


@pytest.mark.parametrize("quote", ["sql = select", "db.execute(sql, name)", "import db.", "+ +"])
def test_a_quote_that_is_not_there(quote: str) -> None:
    for file in (Quoted(FILE), Quoted(b""), None):
        found = anchored(finding(evidence=quote, line=7), file)
        assert (found.evidence_found, found.line) == (False, 7)
        assert found.fingerprint
    assert unreadable(finding(evidence=quote)).evidence_found is None


def test_other_encodings_are_read() -> None:
    for content in (
        FILE.decode().encode("utf-16"),
        FILE.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + FILE,
        b"\xff\n" + FILE,
    ):
        assert anchored(finding(evidence='sql = f"insert {name}"'), Quoted(content)).evidence_found


def prints(quote: str, line: int, content: bytes = FILE, **more: str) -> str:
    return anchored(finding(evidence=quote, line=line, **more), Quoted(content)).fingerprint


def test_a_fingerprint_survives_what_does_not_matter() -> None:
    first = prints("db.execute(sql)", 5)
    assert first == prints("return   db.execute(sql)", 4)  # how much of the line was quoted, and the number
    assert first == prints("db.execute(sql)", 9, b"# one\n# more\n\n" + FILE.replace(b"    ", b"\t"))
    assert first == prints("db.execute(sql)", 5, title="other words", message="again", severity="low")


def test_a_fingerprint_tells_apart_what_does() -> None:
    first = prints("db.execute(sql)", 5)
    others = {
        prints("db.execute(sql)", 12),  # the second of two like it
        prints('sql = f"select {name}"', 4),
        prints("db.execute(sql)", 5, path="other.py"),
        prints("db.execute(sql)", 5, rule_id="other"),
        prints("not there", 5),
    }
    assert len(others) == 5
    assert first not in others


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("src/a.py", "src/a.py"),
        (" ./src//a.py\n", "src/a.py"),
        ("/repo/src/a.py", "src/a.py"),
        ("src/../a.py", "a.py"),
        ("..a.py", "..a.py"),
        ("/app/src/a.py", "app/src/a.py"),
        ("a" * 255 + "/a.py", "a" * 255 + "/a.py"),
        ("../a.py", None),
        ("src/../../a.py", None),
        ("/repo/../a.py", None),
        (".", None),
        ("/", None),
        ("a\0.py", None),
        ("ä" * 128, None),
    ],
)
def test_paths_are_those_of_the_workspace(path: str, first: str | None) -> None:
    assert next(iter(candidates(path, "/repo")), None) == first


def test_a_path_may_begin_above_the_workspace() -> None:
    assert candidates("b/backend/src/a.py", "/repo") == [
        "b/backend/src/a.py",
        "backend/src/a.py",
        "src/a.py",
        "a.py",
    ]
