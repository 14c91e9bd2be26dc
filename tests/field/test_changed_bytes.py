"""What a change touches is in the bytes of both sides; what cannot be compared is never outside.

Exit 0 is green, 1 blocked, 3 no ruling. Each has a control: a line that nobody touched, which is outside.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.projects import Project
from tests.field.repositories import Change, standing

LINES = "".join(f"line{number}\n" for number in range(1, 31))
EVIL = LINES.replace("line15\n", "evil()\n")
BLOCKED, UNDECIDED, GREEN = (1, "blocks"), (3, "undecided"), (0, "outside")


@pytest.fixture
def change(project: Project) -> Change:
    return Change(project)


def ruling(change: Change, path: str, line: int, evidence: str, **environ: str) -> tuple[int, str]:
    done = change.judged(path, line, evidence, **environ)
    return done.code, standing(done)


def submodule(change: Change, tmp_path: Path) -> Change:
    change.write({"l.py": "ok\n"}, at=tmp_path / "lib")
    change.git("init", "-q", "-b", "main", ".", cwd=tmp_path / "lib")
    change.commit(cwd=tmp_path / "lib")
    return change


class TestSubmodules:
    def test_one_that_moved_is_not_outside(self, change: Change, tmp_path: Path) -> None:
        submodule(change, tmp_path).begin({"a.py": LINES})
        change.git("checkout", "-q", "main")
        change.git("submodule", "--quiet", "add", tmp_path / "lib", "lib")
        change.commit()
        change.git("checkout", "-q", "-B", "feature")
        change.write({"lib/l.py": "ok\nevil()\n"})
        assert ruling(change, "lib/l.py", 2, "evil()") == UNDECIDED  # not committed there
        change.commit(cwd=change.root / "lib")
        assert ruling(change, "lib/l.py", 2, "evil()") == UNDECIDED
        change.git("add", "lib")
        change.commit()
        assert ruling(change, "lib/l.py", 2, "evil()") == UNDECIDED
        assert ruling(change, "a.py", 2, "line2") == GREEN

    def test_a_new_one_is_not_outside(self, change: Change, tmp_path: Path) -> None:
        submodule(change, tmp_path).begin({"a.py": LINES})
        change.git("submodule", "--quiet", "add", tmp_path / "lib", "lib")
        change.commit()
        assert ruling(change, "lib/l.py", 1, "ok") == UNDECIDED

    def test_one_in_the_place_of_a_directory_is_not_outside(self, change: Change, tmp_path: Path) -> None:
        """The checkout still has the old files."""
        submodule(change, tmp_path).begin({"lib/l.py": "ok\n"})
        change.git("rm", "-rq", "--cached", "lib")
        commit = change.git("rev-parse", "HEAD", cwd=tmp_path / "lib")
        change.git("update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
        change.git("commit", "-qm", "x")
        assert ruling(change, "lib/l.py", 1, "ok") == UNDECIDED

    def test_a_repository_that_lies_there_is_not_outside(self, change: Change, tmp_path: Path) -> None:
        change.begin({"lib/l.py": "ok\n", "other/l.py": "ok\n"})
        change.write({"a.py": "new\n"})
        change.commit()
        change.git("init", "-q", ".", cwd=change.root / "lib")
        assert ruling(change, "lib/l.py", 1, "ok") == UNDECIDED
        assert ruling(change, "other/l.py", 1, "ok") == GREEN


class TestAttributes:
    def test_ident_hides_nothing(self, change: Change, tmp_path: Path) -> None:
        change.begin({"a.py": 'a\nx = "$Id$"\n'})
        change.write({".gitattributes": "*.py ident\n", "evil": 'a\nx = "$Id: evil () here $"\n'})
        blob = change.git("hash-object", "-w", "--no-filters", "evil")
        change.git("update-index", "--cacheinfo", f"100644,{blob},a.py")
        change.git("add", ".gitattributes")
        change.git("commit", "-qm", "x")
        change.git("clone", "-q", ".", tmp_path / "clone", "-b", "feature")
        change.project.root = change.root = tmp_path / "clone"
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(change.root)
            assert ruling(change, "a.py", 2, "evil () here", LOK_BASE="origin/main") == BLOCKED
            assert ruling(change, "a.py", 1, "a", LOK_BASE="origin/main") == GREEN

    @pytest.mark.parametrize(
        "attribute",
        ["filter=lfs", "filter=lfs -text", "working-tree-encoding=UTF-16", "text eol=crlf", "merge=x"],
    )
    def test_filters_of_the_change_hide_nothing(self, change: Change, attribute: str) -> None:
        change.begin({"a.py": LINES, "b.txt": LINES})
        change.git("config", "filter.lfs.clean", "sed -n 1p")
        change.git("config", "filter.lfs.smudge", "cat")
        change.write({"a.py": EVIL})
        change.commit()
        change.write({".gitattributes": f"*.py {attribute}\n"})
        assert ruling(change, "a.py", 15, "evil()") == BLOCKED
        assert ruling(change, "b.txt", 15, "line15") == GREEN

    def test_line_ends_that_the_base_wants_in_a_checkout_are_no_change(self, change: Change) -> None:
        attributes = "*.bat text eol=crlf\n*.bin -text eol=crlf\n"
        change.begin(
            {".gitattributes": attributes, "a.bat": LINES, "b.bat": LINES, "c.bin": LINES, "d.txt": LINES}
        )
        for name, text in {"a.bat": LINES, "b.bat": EVIL, "c.bin": LINES, "d.txt": LINES}.items():
            change.write({name: text.replace("\n", "\r\n")})
        change.write({".gitattributes": "* text eol=crlf\n"})
        change.commit()
        assert ruling(change, "a.bat", 2, "line2") == GREEN
        assert ruling(change, "b.bat", 15, "evil()") == BLOCKED
        assert ruling(change, "b.bat", 2, "line2") == GREEN
        assert ruling(change, "c.bin", 2, "line2") == BLOCKED
        assert ruling(change, "d.txt", 2, "line2") == BLOCKED  # the change wants them there

    def test_what_a_filter_makes_of_a_file_is_not_asked(self, change: Change) -> None:
        change.begin({"a.py": LINES, "b.txt": LINES})
        change.git("config", "filter.l=f.s.clean", f"touch {change.root}/RUN; cat")
        future = time.time() + 9999  # to git such a file may be another one than it was, always
        os.utime(change.root / "a.py", (future, future))
        change.git("add", "a.py")
        change.write({".gitattributes": "*.py filter=l=f.s\n"})
        done = change.judged("b.txt", 15, "line15")  # where nothing changed, all files are looked at
        assert (done.code, standing(done)) == UNDECIDED
        assert not (change.root / "RUN").exists()


class TestLinks:
    def test_a_link_to_a_changed_file_is_not_outside(self, change: Change) -> None:
        change.begin({"a.py": LINES, "dir/a.py": LINES})
        change.write({"a.py": EVIL})
        (change.root / "b.py").symlink_to("a.py")
        (change.root / "way").symlink_to("dir")
        change.commit()
        assert ruling(change, "b.py", 15, "evil()") == UNDECIDED
        assert ruling(change, "way/a.py", 2, "line2") == UNDECIDED
        assert ruling(change, "dir/a.py", 2, "line2") == GREEN

    def test_a_file_in_the_place_of_a_link_is_new(self, change: Change) -> None:
        change.begin({"a.py": LINES})
        change.git("checkout", "-q", "main")
        (change.root / "b.py").symlink_to("a.py")
        change.commit()
        change.git("checkout", "-q", "-B", "feature")
        (change.root / "b.py").unlink()
        change.write({"b.py": LINES})
        change.commit()
        assert ruling(change, "b.py", 2, "line2") == BLOCKED


@pytest.mark.parametrize("flag", ["--skip-worktree", "--assume-unchanged"])
def test_flags_of_the_index_hide_nothing(change: Change, flag: str) -> None:
    change.begin({"a.py": LINES})
    change.git("update-index", flag, "a.py")
    change.write({"a.py": EVIL})
    assert ruling(change, "a.py", 15, "evil()") == BLOCKED
    assert ruling(change, "a.py", 2, "line2") == GREEN


def test_a_change_of_mode_is_a_change_of_the_file(change: Change) -> None:
    change.begin({"a.py": "a\n", "b.py": "a\n"}, keys='scope = "file"')
    (change.root / "a.py").chmod(0o755)
    assert ruling(change, "a.py", 1, "a") == BLOCKED  # not committed
    change.commit()
    assert ruling(change, "a.py", 1, "a") == BLOCKED
    assert ruling(change, "b.py", 1, "a") == GREEN


def test_a_change_of_mode_alone_is_no_proof_that_a_line_is_the_base_s(change: Change) -> None:
    change.begin({"a.py": "a\n", "b.py": "a\n"})
    (change.root / "a.py").chmod(0o755)
    assert ruling(change, "a.py", 1, "a") == UNDECIDED
    assert ruling(change, "b.py", 1, "a") == GREEN


@pytest.mark.parametrize("name", ["new.py", "ignored.log"])
def test_a_file_that_git_does_not_know_is_new(change: Change, name: str) -> None:
    change.begin({"a.py": LINES, ".gitignore": "f.json\n*.log\n"})
    change.write({name: LINES})
    assert ruling(change, name, 2, "line2") == BLOCKED


class TestProgramsOfTheRepository:
    def test_no_monitor_and_no_hook_of_the_repository_is_run(self, change: Change) -> None:
        change.begin({"a.py": "a\n"})
        change.write({"a.py": "evil()\n"})
        change.commit()
        script = change.root / "run.sh"
        script.write_text(f'#!/bin/sh\necho "$0" >> "{change.root}/RUN"\n')
        script.chmod(0o755)
        hooks = change.root / "hooks"
        hooks.mkdir()
        for name in ("post-index-change", "reference-transaction", "post-checkout"):
            (hooks / name).symlink_to(script)
        keys = (
            "core.fsmonitor",
            "core.pager",
            "diff.external",
            "core.sshCommand",
            "core.alternateRefsCommand",
        )
        for key in keys:
            change.git("config", key, script)
        change.git("config", "core.hooksPath", hooks)
        (change.root / "RUN").unlink(missing_ok=True)
        assert ruling(change, "a.py", 1, "evil()") == BLOCKED
        assert not (change.root / "RUN").exists()


class TestHooks:
    """Real ones, which run the real program."""

    def hook(self, change: Change, name: str) -> None:
        hook = change.root / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "pytest_lok.cli.main", "run", "w"]
        hook.write_text(f"#!/bin/sh\nexec {shlex.join(command)} > {change.root}/home.out 2>&1\n")
        hook.chmod(0o755)

    def run(self, change: Change, *arguments: str) -> int:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=change.root, env=change.project.environ, capture_output=True)
        return done.returncode

    def test_what_is_staged_is_what_a_commit_brings(self, change: Change) -> None:
        change.begin({"a.py": "a\nb\n"})
        change.write({"a.py": "a\nbad()\n"})
        change.git("add", "a.py")
        change.write({"a.py": "a\nb\n"})
        self.hook(change, "pre-commit")
        change.reported("a.py", 2, "bad()")
        assert self.run(change, "commit", "-qm", "x") != 0
        assert "bad()" not in change.git("show", "HEAD:a.py")
        change.reported("a.py", 1, "a")  # nobody touches it
        assert self.run(change, "commit", "-qm", "x") == 0
        change.write({"a.py": "bad()\nb\n"})
        change.reported("a.py", 1, "bad()")
        assert self.run(change, "commit", "-qam", "x") != 0  # by an index of its own

    def test_what_is_committed_is_what_a_push_brings(self, change: Change, tmp_path: Path) -> None:
        change.begin({"a.py": "a\nb\n"})
        change.git("init", "-q", "--bare", tmp_path / "remote")
        change.write({"a.py": "a\nbad()\n"})
        change.commit()
        self.hook(change, "pre-push")
        push = ("push", "-q", str(tmp_path / "remote"), "feature")
        change.write({"a.py": "a\nb\n"})
        change.reported("a.py", 2, "b")
        assert self.run(change, *push) != 0
        change.git("checkout", "-q", "a.py")
        change.reported("a.py", 2, "bad()")
        assert self.run(change, *push) != 0
        change.reported("a.py", 1, "a")
        assert self.run(change, *push) == 0
