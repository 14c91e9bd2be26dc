"""Random changes of random repositories -> what they touch, judged by who wrote both sides.

Most lines hold a number of their own, so what became of one is known without comparing anything: a line that
says "new" was written by the change. Whatever else the change does (attributes, flags, modes, links, submodules,
ignore rules, line ends), such a line is never outside of it; and one that nobody came near is.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lok.cli.main import main
from pytest_lok.core.findings.diffs import LineChanges, changed_lines
from pytest_lok.engine.ports import Comparison, FileVersions
from pytest_lok.workspace.git import Git, JudgedTree
from pytest_lok.workspace.processes.runner import LocalProcesses
from tests.fuzz import examples

WHO = {f"GIT_{who}_{what}": "x@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", **WHO}
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-be", "utf-32")
ENDS = ("\n", "\r\n")
ATTRIBUTES = (
    "ident", "-text", "text eol=crlf", "text=auto eol=lf", "binary", "-diff", "filter=f", "diff=d", "merge=ours",
    "working-tree-encoding=UTF-16", "linguist-generated", "export-ignore", "whitespace=-all",
)  # fmt: skip
NAMES = (
    "a.py", "ä.py", "b c.txt", "-x.sh", 'q"u.py', "*.md", "back\\slash", ":(top)z", "tab\tname", "new\nline", "$Id$",
)  # fmt: skip
FOLDERS = ("", "src/", "src/deep/", "ö/")
FATES = (
    "edit",
    "edit",
    "edit",
    "edit",
    "keep",
    "keep",
    "mode",
    "ends",
    "delete",
    "rename",
    "link",
    "gitlink",
    "nested",
)
FLAGS = ("", "", "--assume-unchanged", "--skip-worktree")
CONFIGURED = b"""
[core]
  autocrlf = true
  fileMode = true
  attributesFile = .git/attributes
[filter "f"]
  clean = sed -n 1p
  smudge = cat
[diff "d"]
  textconv = tac
  binary = true
[diff]
  noprefix = true
  external = false
"""

GATE = b"""
[gate]
fail_on = "high"
scope = "diff"

[[steps]]
name = "s"
argv = ["cat", ".git/f.json"]
output_format = "findings"
"""


@dataclass
class File:
    """What is written on both sides, ``new`` None = nothing. ``fate`` is what the change does to it."""

    path: str
    fate: str
    encoding: str = "utf-8"
    old: list[str] | None = None
    new: list[str] | None = None
    ends: tuple[str, str] = ("\n", "\n")
    whole: bool = True  # whether the last line has an end
    flag: str = ""

    @property
    def before(self) -> bytes | None:
        return (
            None
            if self.old is None
            else "".join(f"{line}{self.ends[0]}" for line in self.old).encode(self.encoding)
        )

    @property
    def after(self) -> bytes | None:
        if self.new is None:
            return None
        text = "".join(f"{line}{self.ends[1]}" for line in self.new)
        return (text if self.whole else text.removesuffix(self.ends[1])).encode(self.encoding)


@dataclass
class Scene:
    """One repository and what a change does to it; ``judged`` is how far it has come."""

    files: list[File]
    attributes: list[str]
    ignored: list[str]
    judged: JudgedTree
    committed: bool
    configured: bool
    seed: int = field(default=0)


def edited(old: list[str], chance: Random, number: Iterator[int]) -> list[str]:
    """The lines, of which some are gone, replaced, copied, or followed by new ones; never in another order."""
    new = []
    for line in old:
        roll = chance.random()
        if roll >= 0.1:
            new.append(f"new {next(number)}" if roll < 0.2 else line)
        if roll > 0.9:
            new.append(chance.choice([f"new {next(number)}", "}", line]))
    return new


def a_file(path: str, chance: Random, number: Iterator[int]) -> list[File]:
    said = ["}", "    x = 1", "line {}", "line {}", "wörd {}"]
    old = [chance.choice(said).replace("{}", str(next(number))) for _ in range(chance.randint(0, 25))]
    end = chance.choice(ENDS)
    file = File(
        path=path,
        fate=chance.choice(FATES),
        encoding=chance.choice(ENCODINGS),
        old=old,
        new=[*old],
        ends=(end, end),
    )
    match file.fate:
        case "edit":
            file.new = edited(old, chance, number)
            file.whole = chance.random() < 0.7
            file.flag = chance.choice(FLAGS)
        case "ends":
            file.ends = (end, ENDS[ENDS.index(end) - 1])
        case "delete" | "link" | "gitlink":
            file.new = None
        case "nested":
            file.path = f"nested {next(number)}/{path}"
        case "rename":
            file.new = None
            moved = File(path=f"{path}.moved", fate="new", encoding=file.encoding, new=old, ends=file.ends)
            return [file, moved]
    return [file]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    seed = draw(st.integers(0, 2**32))
    chance, number = Random(seed), iter(range(10**6))
    paths = chance.sample([folder + name for folder in FOLDERS for name in NAMES], chance.randint(3, 14))
    files = [file for path in paths for file in a_file(path, chance, number)]
    for at in range(chance.randint(0, 3)):
        lines = [f"new {next(number)}" for _ in range(chance.randint(0, 5))]
        files.append(File(path=f"new{at}.txt", fate="new", new=lines))
    places = ("*", "*.py", "*.txt", "src/**")
    judged = chance.choice([JudgedTree.FILES, JudgedTree.FILES, JudgedTree.STAGED])
    return Scene(
        files=files,
        attributes=[
            f"{chance.choice(places)} {chance.choice(ATTRIBUTES)}" for _ in range(chance.randint(0, 3))
        ],
        ignored=chance.sample(["*.txt", "*.moved", "src/", "*"], chance.randint(0, 1)),
        judged=judged,
        committed=chance.random() < 0.5,
        configured=chance.random() < 0.5,
        seed=seed,
    )


class Repository:
    """A scene in a directory."""

    def __init__(self, root: Path, scene: Scene) -> None:
        self.root = root
        self.scene = scene

    def git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["git", "-c", "core.autocrlf=false", *arguments]
        done = subprocess.run(command, cwd=self.root, env=ENVIRON, input=stdin, capture_output=True)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def put(self, path: str, content: bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def build(self) -> None:
        self.git("init", "-q", "--template=", "-b", "main", ".")
        self.put("keep", b"")
        for file in self.scene.files:
            if file.before is not None:
                self.put(file.path, file.before)
        self.git("add", "--all")
        self.git("commit", "-q", "-m", "x")
        self.git("checkout", "-q", "-b", "feature")

    def change(self) -> None:
        flags = {file.flag for file in self.scene.files} - {""}
        for file in self.scene.files:
            self._write(file)
        self.git("add", "--all")
        for file in self.scene.files:
            if file.fate == "gitlink":
                head = self.git("rev-parse", "HEAD").decode().strip()
                self.git("update-index", "--add", "--cacheinfo", f"160000,{head},{file.path}")
        if self.scene.committed:
            self.git("commit", "-q", "-m", "y", "--allow-empty")
        elif self.scene.judged is JudgedTree.FILES:
            self.git("reset", "-q")
        for flag in flags:
            paths = [os.fsencode(file.path) + b"\0" for file in self.scene.files if file.flag == flag]
            self.git("update-index", flag, "-z", "--stdin", stdin=b"".join(paths))
        self.put(".gitattributes", "\n".join([*self.scene.attributes, ""]).encode())
        self.put(".gitignore", "\n".join([*self.scene.ignored, ""]).encode())
        if self.scene.configured:
            with (self.root / ".git" / "config").open("ab") as config:
                config.write(CONFIGURED)
        if self.scene.judged is JudgedTree.STAGED:  # what lies around is another thing
            for file in self.scene.files:
                if file.fate in ("edit", "keep"):
                    self.put(file.path, b"not staged\n")

    def _write(self, file: File) -> None:
        place = self.root / file.path
        match file.fate:
            case "delete" | "rename" | "gitlink":
                place.unlink()
            case "mode":
                place.chmod(0o755)
            case "link":
                place.unlink()
                place.symlink_to(self.root / "keep")
            case "nested":
                (place.parent / ".git").mkdir()
            case _:
                assert file.after is not None
                self.put(file.path, file.after)

    def compared(self) -> Comparison:
        git = Git(self.root, LocalProcesses(self.root, ENVIRON), ["main"], judged=self.scene.judged)
        return asyncio.run(git.comparison([file.path for file in self.scene.files]))


def check(file: File, found: FileVersions, judged: JudgedTree) -> None:
    """What is known of the file, because it was written that way."""
    if file.fate in ("link", "nested"):
        assert found.unknown or (file.fate == "nested" and judged is JudgedTree.STAGED), file
        return
    if file.fate == "gitlink":
        assert found.unknown or found.after is None, file
        return
    assert not found.unknown, (file, found.unknown)
    assert (found.before, found.after) == (file.before, file.after), file
    assert found.mode_changed is (file.fate == "mode")
    touched(file, changed_lines(found.before, found.after))


def touched(file: File, changes: LineChanges) -> None:
    old, new = file.old or [], file.new or []
    everything = file.old is None or (file.ends[0] != file.ends[1])
    for number, line in enumerate(new, 1):
        written = everything or line.startswith("new ") or (number == len(new) and not file.whole)
        assert not written or changes.touches(number, number), (file, number)
        if not everything and 1 < number < len(new) and is_far(old, new, number - 1):
            assert not changes.touches(number, number), (file, number)
    for number, line in enumerate(old, 1):
        if is_own(line) and line not in new:
            assert changes.removes(number, number), (file, number)
    if file.fate in ("keep", "mode"):
        assert not changes


def is_own(line: str) -> bool:
    return line.startswith(("line", "wörd"))


def is_far(old: list[str], new: list[str], at: int) -> bool:
    """Whether a line and those beside it stand there just as they did, and nowhere else."""
    lines = new[at - 1 : at + 2]
    if not all(is_own(line) and new.count(line) == 1 and line in old for line in lines):
        return False
    first = old.index(lines[0])
    return old[first : first + 3] == lines


@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(scene=scenes())
def test_a_line_that_was_written_is_touched_and_one_that_was_left_alone_is_not(scene: Scene) -> None:
    with tempfile.TemporaryDirectory() as place:
        repository = Repository(Path(place), scene)
        repository.build()
        repository.change()
        found = repository.compared().files
        for file in scene.files:
            check(file, found[file.path], scene.judged)


PLAIN = ("utf-8", "utf-8-sig")


def reports(scene: Scene) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Findings in lines that were written, and in lines that nobody came near."""
    written, left = list[dict[str, object]](), list[dict[str, object]]()
    for file in scene.files:
        old, new = file.old or [], file.new or []
        if file.fate in ("link", "nested", "gitlink"):
            continue
        for number, line in enumerate(new, 1):
            found: dict[str, object] = {
                "rule_id": f"r{len(written) + len(left)}", "title": "t", "message": "m", "severity": "critical",
                "confidence": 1, "path": file.path, "line": number, "evidence": line,
            }  # fmt: skip
            if line.startswith("new ") or (file.fate in ("new", "ends") and is_own(line)):
                written.append(found)
            elif (
                file.fate != "mode"  # undecided
                and file.old is not None
                and file.encoding in PLAIN
                and file.ends[0] == file.ends[1]
                and 1 < number < len(new)
                and is_far(old, new, number - 1)
            ):
                left.append(found)
    return written[:40], left[:40]


@settings(max_examples=examples(6), deadline=None, suppress_health_check=list(HealthCheck))
@given(scene=scenes())
def test_the_gate_lets_through_what_was_left_alone_and_nothing_that_was_written(scene: Scene) -> None:
    scene.judged, scene.ignored = JudgedTree.FILES, []  # the report and the workflow lie in the tree
    written, left = reports(scene)
    with tempfile.TemporaryDirectory() as place:
        repository = Repository(Path(place), scene)
        repository.put(".lok/workflows/w.toml", GATE)
        repository.build()
        repository.change()
        for findings, green in ((written, not written), (left, True)):
            repository.put(".git/f.json", json.dumps(findings).encode())
            said = io.StringIO()
            with (
                contextlib.chdir(place),
                contextlib.redirect_stdout(said),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                code = main(
                    ["run", "w", "--json"],
                    {**ENVIRON, "HOME": place + "/.git", "LOK_BASE": "refs/heads/main"},
                )
            doubts = {f.get("doubt") for f in json.loads(said.getvalue())["steps"]["s"]["findings"]}
            standings = {f["standing"] for f in json.loads(said.getvalue())["steps"]["s"]["findings"]}
            assert (code == 0) is green, (standings, doubts)
            assert standings <= ({"outside"} if findings is left else {"blocks", "undecided"}), standings


@settings(max_examples=examples(300), deadline=None)
@given(
    old=st.lists(st.sampled_from("aabbcdefgh"), max_size=30),
    new=st.lists(st.sampled_from("aabbcdefgh"), max_size=30),
    effort=st.sampled_from([0, 1, 10, 50, 10**6]),
)
def test_lines_that_are_not_touched_are_those_of_before_in_order(
    old: list[str], new: list[str], effort: int
) -> None:
    """However little is spent on it."""
    changes = changed_lines("\n".join([*old, ""]).encode(), "\n".join([*new, ""]).encode(), effort=effort)
    added = {n for first, last in changes.added for n in range(first, last + 1)}
    kept = [line for number, line in enumerate(new, 1) if number not in added]
    assert kept == [line for number, line in enumerate(old, 1) if not changes.removes(number, number)]
