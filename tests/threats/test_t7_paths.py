"""T7: an edit changes a plain file of the workspace, or nothing at all."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.cli.projects import Project

OUTSIDE = "untouched\n"


@pytest.fixture
def editing(project: Project) -> Project:
    """Files inside, a file outside, and every kind of way between them."""
    root = project.root
    (root.parent / "outside").mkdir()
    (root.parent / "outside/victim.txt").write_text(OUTSIDE)
    for name in ("a.txt", "b.txt", "deep/c.txt"):
        project.write(name, "one\n")
    (root / "link.txt").symlink_to("../outside/victim.txt")
    (root / "inner.txt").symlink_to("a.txt")
    (root / "dir").symlink_to("../outside")
    os.link(root.parent / "outside/victim.txt", root / "hard.txt")
    os.mkfifo(root / "fifo")
    for name in (".git/config", ".github/workflows/ci.yml", "conftest.py", "pytest.ini"):
        project.write(name, "one\n")
    project.workflow("w", '[[steps]]\nname = "a"\nprompt = "?"\napply_edits = true\n')
    return project


def tree(root: Path) -> dict[str, object]:
    """Everything there is, byte for byte, above the project too; but for what runs keep of themselves."""
    found: dict[str, object] = {}
    for path in sorted(root.parent.rglob("*")):
        kind = path.lstat()
        name = str(path.relative_to(root.parent))
        if stat.S_ISREG(kind.st_mode) and not name.startswith(("project/home/", "project/.lok/runs/")):
            found[name] = (path.read_bytes(), kind.st_mode, kind.st_mtime_ns)
        elif stat.S_ISLNK(kind.st_mode):
            found[name] = path.readlink()
    return found


def answer(project: Project, *edits: tuple[str, str, str]) -> None:
    listed = [{"file": file, "old": old, "new": new} for file, old, new in edits]
    project.write("answer", json.dumps({"edits": listed}))


OUT_OF_BOUNDS = {
    "parent": "../outside/victim.txt",
    "parent in the middle": "deep/../../outside/victim.txt",
    "a/../../": "a/../../outside/victim.txt",
    "absolute": "{root}/../outside/victim.txt",
    "absolute, inside": "{root}/a.txt",
    "home": "~/victim.txt",
    "symlinked file": "link.txt",
    "symlink inside": "inner.txt",
    "symlinked directory": "dir/victim.txt",
    "hard link": "hard.txt",
    "fifo": "fifo",
    "directory": "deep",
    "dot": "./a.txt",
    "empty component": "deep//c.txt",
    "drive": "C:/a.txt",
    "backslash": "..\\outside\\victim.txt",
    "unseen character": "a\u200b.txt",
    "control character": "a\n.txt",
    ".git": ".git/config",
    ".git, deeper": "deep/.git/hooks/pre-commit",
    ".git in capitals": ".GIT/config",
    ".git with a dot": ".git./config",
    ".git, short": "git~1/config",
    ".git, unseen": ".g\u200cit/config",
    "ci": ".github/workflows/ci.yml",
    "ci in capitals": ".GitHub/workflows/ci.yml",
    "gitlab": ".gitlab-ci.yml",
    "workflows": ".lok/workflows/w.toml",
    "settings": "lok.toml",
    "conftest": "conftest.py",
    "conftest, deeper": "deep/conftest.py",
    "conftest in capitals": "deep/ConfTest.py",
    "pytest": "pytest.ini",
    "project": "pyproject.toml",
    "tox": "tox.ini",
    "hooks": ".husky/pre-commit",
    "an agent's settings": ".claude/settings.json",
    "an agent's servers": ".mcp.json",
    "another agent's settings": ".gemini/settings.json",
}


@pytest.mark.parametrize("case", OUT_OF_BOUNDS)
def test_t7_nothing_but_plain_files_of_the_workspace(editing: Project, case: str) -> None:
    path = OUT_OF_BOUNDS[case].format(root=editing.root)
    for edit in ((path, "one", "two"), (path, "untouched", "touched"), (path, "", "created")):
        answer(editing, ("a.txt", "one", "two"), edit, ("new.txt", "", "x"))
        before = tree(editing.root)
        done = editing.lok("w")
        assert done.code == 1
        assert "edit 2" in done.err
        assert tree(editing.root) == before


def test_t7_configuration_may_be_permitted_and_git_never(editing: Project) -> None:
    allow = 'allow_paths = [".github/*", "*conftest.py", ".git", ".git/*", "../outside/*", "*"]'
    editing.workflow("w", f'[[steps]]\nname = "a"\nprompt = "?"\napply_edits = true\n{allow}\n')
    answer(editing, (".github/workflows/ci.yml", "one", "two"), ("deep/conftest.py", "", "x"))
    assert editing.lok("w").code == 0
    assert (editing.root / ".github/workflows/ci.yml").read_text() == "two\n"
    for path in (".git/config", "../outside/victim.txt", "dir/victim.txt", "hard.txt"):
        answer(editing, (path, "one", "two"))
        assert editing.lok("w").code == 1
    assert (editing.root / ".git/config").read_text() == "one\n"
    assert (editing.root.parent / "outside/victim.txt").read_text() == OUTSIDE


def test_t7_a_third_edit_that_fails_leaves_every_byte(editing: Project) -> None:
    (editing.root / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\n\xff\r\n")
    (editing.root / "a.txt").chmod(0o755)
    answer(editing, ("a.txt", "one", "two"), ("new/x.txt", "", "x"), ("b.txt", "nowhere", "y"))
    before = tree(editing.root)
    done = editing.lok("w")
    assert done.code == 1
    assert "edit 3" in done.err
    assert tree(editing.root) == before


def test_t7_what_verify_changes_its_mind_about_is_undone(editing: Project) -> None:
    """A directory that becomes a link between the check and the end is not written through."""
    editing.workflow(
        "w",
        '[[steps]]\nname = "a"\nprompt = "?"\napply_edits = true\n'
        'verify = "mv deep gone && ln -s ../outside deep; exit 1"\n',
    )
    (editing.root.parent / "outside/c.txt").write_text("not yours\n")
    answer(editing, ("deep/c.txt", "one", "two"))
    editing.lok("w")
    assert (editing.root.parent / "outside/c.txt").read_text() == "not yours\n"
    assert sorted(path.name for path in (editing.root.parent / "outside").iterdir()) == [
        "c.txt",
        "victim.txt",
    ]


@pytest.mark.parametrize(
    ("edits", "why"),
    [
        ([(f"f{n}.txt", "", "x") for n in range(51)], "51 files are more than 50"),
        ([("big.txt", "", "x" * 1_100_000)], "more than 1,000,000 bytes"),
    ],
)
def test_t7_no_flood_of_files_or_bytes(editing: Project, edits: list[tuple[str, str, str]], why: str) -> None:
    answer(editing, *edits)
    before = tree(editing.root)
    done = editing.lok("w")
    assert done.code == 1
    assert why in done.err
    assert tree(editing.root) == before
