from __future__ import annotations

import codecs
from collections.abc import Callable, Collection, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.edits.edits import Edit, EditDraft, FileChange, parse_edits, refused_path
from pytest_lok.core.results import Json
from pytest_lok.errors import OutputError


def changes(
    edits: Sequence[Edit], read: Callable[[str], bytes | None], *, allow: Collection[str] = ()
) -> tuple[list[FileChange], list[str]]:
    """The files as the edits of one answer leave them, and why they do not apply."""
    return EditDraft(read, allow=allow).add(edits)


def applied(content: bytes | None, old: str, new: str) -> bytes:
    """One edit of one file; AssertionError shows why it does not apply."""
    made, reasons = changes([Edit(file="f", old=old, new=new)], {"f": content}.get)
    assert reasons == []
    return made[0].after


def refused(content: bytes | None, old: str, new: str = "x") -> str:
    _, reasons = changes([Edit(file="f", old=old, new=new)], {"f": content}.get)
    (reason,) = reasons
    return reason


def may_not(path: str, *, allow: Collection[str] = ()) -> str:
    """Why a new file may not be made there; "" if it may."""
    _, reasons = changes([Edit(file=path, old="", new="x")], lambda _: None, allow=allow)
    return "; ".join(reasons)


def test_edits_are_read_from_an_answer() -> None:
    data: Json = {"edits": [{"file": "a.py", "old": "x", "new": "y"}], "summary": "z"}
    assert parse_edits(data) == (Edit(file="a.py", old="x", new="y"),)
    assert parse_edits({"edits": []}) == ()


@pytest.mark.parametrize(
    "data",
    [None, [], {"edit": []}, {"edits": "x"}, {"edits": ["x"]}, {"edits": [{"file": "a", "old": "x"}]}],
)
def test_an_answer_without_edits_is_unusable(data: Json) -> None:
    with pytest.raises(OutputError):
        parse_edits(data)


def test_old_is_replaced_where_it_occurs_once() -> None:
    assert applied(b"a\nb\nc\n", "b", "B") == b"a\nB\nc\n"
    assert "does not hold" in refused(b"a\n", "b")
    assert "2 times" in refused(b"b b", "b")
    assert "2 times" in refused(b"aaa", "aa"), "overlapping places count"


def test_an_empty_old_creates_and_never_overwrites() -> None:
    assert applied(None, "", "new\n") == b"new\n"
    assert "exists already" in refused(b"x", "")
    assert "exists already" in refused(b"", "")
    assert "does not exist" in refused(None, "x")


def test_line_endings_are_kept() -> None:
    assert applied(b"a\r\nb\r\nc\r\n", "a\nb", "x\ny") == b"x\r\ny\r\nc\r\n"
    assert applied(b"a\nb\n", "a\r\nb", "x\r\ny") == b"x\ny\n"
    assert applied(b"a\r\nb\nc\n", "b\n", "B\n") == b"a\r\nB\nc\n"


def test_marks_and_encodings_are_kept() -> None:
    assert applied(codecs.BOM_UTF8 + b"abc", "b", "\u00fc") == codecs.BOM_UTF8 + "aüc".encode()
    utf16 = codecs.BOM_UTF16_LE + "aüc".encode("utf-16-le")
    assert applied(utf16, "ü", "ö") == codecs.BOM_UTF16_LE + "aöc".encode("utf-16-le")
    assert applied(b"\xe9 b \xff", "b", "B") == b"\xe9 B \xff"
    assert "not UTF-8" in refused(b"\xe9 b", "b", "ü")


def test_edits_of_one_file_follow_each_other_and_all_reasons_are_given() -> None:
    edits = [Edit(file="f", old="a", new="b1"), Edit(file="f", old="b1", new="c")]
    made, reasons = changes(edits, {"f": b"a"}.get)
    assert reasons == []
    assert [change.after for change in made] == [b"c"]
    bad = [
        Edit(file="f", old="zzz", new=""),
        Edit(file="../x", old="a", new=""),
        Edit(file="f", old="a", new="b"),
    ]
    _, reasons = changes(bad, {"f": b"a"}.get)
    assert len(reasons) == 2
    assert "edit 1" in reasons[0]
    assert "edit 2" in reasons[1]


def test_what_is_too_much_is_refused() -> None:
    many = [Edit(file=f"f{i}", old="", new="x") for i in range(51)]
    assert "51 files" in changes(many, lambda path: None)[1][0]
    assert "bytes" in changes([Edit(file="f", old="", new="x" * 1_000_001)], lambda path: None)[1][0]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../outside",
        "a/../../outside",
        "a/..",
        "~/x",
        "C:/x",
        "c:x",
        "a\\b",
        "a//b",
        "./a",
        "",
        " a",
        "a\0b",
        ".g\u200cit/config",
        "a\u202eb",
        "a\nb",
        ".git/hooks/pre-commit",
        ".GIT/config",
        "sub/.git/config",
        ".git./config",
        "git~1/config",
    ],
)
def test_paths_nothing_can_permit(path: str) -> None:
    assert refused_path(path)
    assert may_not(path, allow=[path, "*", ".git", "."])


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml",
        ".GitHub/workflows/ci.yml",
        ".gitlab-ci.yml",
        "Jenkinsfile",
        ".lok/workflows/x.toml",
        "lok.toml",
        "conftest.py",
        "tests/unit/conftest.py",
        "pytest.ini",
        "pyproject.toml",
        "tox.ini",
        "setup.cfg",
        # in any directory, whatever the case; what is hidden is configuration
        "sub/pytest.ini", "sub/pyproject.toml", "sub/.lok/workflows/x.toml", ".vscode/tasks.json", "AGENTS.md",
        "docs/CLAUDE.md", "GEMINI.md", ".cursorrules", ".devcontainer/devcontainer.json", ".woodpecker.yml",
        ".drone.yml", "appveyor.yml", "justfile", "package.json", "web/Package.JSON", ".npmrc", "noxfile.py", "setup.py",
        ".cargo/config.toml", "build.rs", ".mise.toml", "jest.config.js", "x.pth", "lib/site-packages/a.py",
        "sub/Makefile", "GNUmakefile", "rules.mk", ".gitignore", "docs/.hidden", "node_modules/a/index.js",
        "\uff4dakefile",
    ],
)  # fmt: skip
def test_configuration_needs_to_be_listed(path: str) -> None:
    assert "allow_paths" in may_not(path)
    assert not may_not(path, allow=[path])


def test_allow_paths_takes_directories_and_patterns() -> None:
    assert not may_not(".github/workflows/ci.yml", allow=[".github"])
    assert not may_not(".github/workflows/ci.yml", allow=["./.github/workflows/"])
    assert not may_not("tests/conftest.py", allow=["tests/*"])
    assert may_not("conftest.py", allow=["tests/*"])


@pytest.mark.parametrize(
    "path",
    ["src/db.py", "a b/ü.txt", "pyproject.toml.bak", "src/build/step.py", "lib/env/load.rb", "babel.py",
     "app/workspace/files.py", "docs/agents/intro.md", "package.py", "tests/test_a.py", "docs/setup.md"],
)  # fmt: skip
def test_ordinary_paths_are_fine(path: str) -> None:
    assert not may_not(path)


def test_a_change_shows_itself_as_a_diff() -> None:
    assert FileChange(file="f", before=b"a\nb\n", after=b"a\nc\n").diff().splitlines() == [
        "--- a/f",
        "+++ b/f",
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "+c",
    ]
    assert FileChange(file="f", before=None, after=b"x").diff().startswith("--- /dev/null\n+++ b/f\n")
    assert FileChange(file="f", before=b"a", after=b"a").diff() == ""


@given(st.binary(max_size=60), st.binary(min_size=1, max_size=5), st.binary(max_size=60), st.text(max_size=9))
def test_every_byte_around_an_edit_is_kept(head: bytes, middle: bytes, tail: bytes, new: str) -> None:
    content = head + middle + tail
    try:
        old = middle.decode("utf-8")
    except UnicodeDecodeError:
        return
    made, reasons = changes([Edit(file="f", old=old, new=new)], {"f": content}.get)
    if reasons or content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return
    after = made[0].after
    if "\r" in old or "\n" in old or "\n" in new:
        return
    assert after.startswith(head)
    assert after.endswith(tail)
    assert after[len(head) : len(after) - len(tail)] == new.encode()
