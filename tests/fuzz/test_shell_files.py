"""Shell texts that write files and run others, and names of files that leave the project.

The texts are built from commands of which it is known what they write, bring or run; whether the value
may stand there follows from how they are put together, not from what the product says.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pytest_lok.core.edits.protected_names import protection_reason
from pytest_lok.core.shell.compiler import ShellTemplate
from pytest_lok.core.templates.scope import Scope, VisibleNames
from pytest_lok.engine.shell import shell_command
from pytest_lok.errors import SourceError, TemplateError
from tests.engine.worlds import world
from tests.fuzz import examples

NAMES = VisibleNames(arguments=frozenset("x"))


def compiled(text: str) -> ShellTemplate | None:
    """The text with a value in the place of each ``§``; None if it is refused."""
    try:
        return ShellTemplate.parse(text.replace("§", "{{ arg.x }}"), NAMES)
    except SourceError:
        return None


# --- what one command writes, another one runs


CODE = [
    "q.py",
    "b.sh",
    "d/b.sh",
    "conftest.py",
    "Makefile",
    "package.json",
    "x.mk",
    "lib.js",
    "t.go",
    ".envrc",
    "noext",
]
DATA = ["a.txt", "d/n.md", "r.json", "t.csv", "o.log"]
# `@` is the file: each puts the value into it, or brings files that the value chose.
WRITERS = [
    "echo § > @", "printf '%s' § >> @", "cat > @ <<E\n§\nE", "echo § | tee @", "echo § | tee -a x.log @ > /dev/null", "{ echo a; echo §; } > @",
    "echo § | dd of=@", "v=§; echo \"$v\" > @", "f=@; echo § > \"$f\"", "curl -so @ §", "wget -qO @ §", "sort -o @ §", "( cd . && echo § > @ )",
    "V=§ envsubst < t > @", "export V=§; envsubst < t > @", "jq -n --arg v § '$v' > @", "awk -v v=§ 'BEGIN { print v }' > @", "git show § > @",
    "if true; then echo § > @; fi", "for v in §; do echo \"$v\" > @; done", "gh api § > @", "sed --sandbox s/a/§/ t > @", "echo § 2>&1 | sort | uniq > @",
]  # fmt: skip
BRINGERS = [
    "git checkout §", "git switch §", "git merge §", "git pull origin §", "git reset --hard §", "git fetch u §; git checkout FETCH_HEAD", "gh pr checkout §",
    "tar xf §", "unzip §", "curl -sO §", "wget -q §", "git apply §", "git clone § .", "patch -p1 < §", "git stash apply §",
]  # fmt: skip
# What runs files that nobody named, with what it is told on the command line; `@` is a file that is run by its name.
FINDERS = ["pytest", "pytest -q tests", "make", "make -s test", "npm test", "go build ./...", "cargo test", "gcc main.c", "python3 run.py", "./run.sh", "tox -q",
           "docker build .", "node app.js", "timeout 9 make", "env A=1 make", "nobody-knows-it", "uv run pytest -q", "sh -c 'make x'"]  # fmt: skip
BY_NAME = [
    "sh @",
    "sh ./@",
    ". ./@",
    "python3 @",
    "node @",
    "make -f @",
    "bash -eu @",
    "env sh @",
    "timeout 5 sh @",
    "perl @ a",
    "sh < @",
    "cat @ | sh",
]
READERS = ["cat @", "wc -l @", "git add @", "git diff --stat", "ls", "grep -c a @", "head -n1 @", "gh pr comment 1 --body-file @", "curl --data-binary @@ u",
           "rm -f @", "test -s @", "sort @ | uniq -c", "tar cf o.tar @", "jq . @", "date", "echo done", "cp @ kept.txt"]  # fmt: skip
JOINS = [
    "{}; {}",
    "{}\n{}",
    "{} && {}",
    "{} || {}",
    "if true; then\n{}\n{}\nfi",
    "(\n{}\n{}\n)",
    "{}\ntrue\n{}",
    "set -e\n{}\n{}",
]


@dataclass(frozen=True)
class Place:
    path: str
    join: str

    def joined(self, first: str, second: str) -> str:
        first, second = self.named(first), self.named(second)
        return self.join.format(f"{first}\n:" if "<<E" in first else first, second)

    def named(self, text: str) -> str:
        return (
            text.replace("@@", "@\0")
            .replace("@", self.path, 1 if "\0" not in text else 0)
            .replace("\0", self.path)
        )


def places(paths: list[str]) -> st.SearchStrategy[Place]:
    return st.builds(Place, st.sampled_from(paths), st.sampled_from(JOINS))


@settings(max_examples=examples(120), deadline=None)
@example(Place("q.py", "{}; {}"), "export V=§; envsubst < t > @", "pytest")
@given(places(CODE), st.sampled_from([*WRITERS, *BRINGERS]), st.sampled_from(FINDERS))
def test_what_may_be_code_is_not_written_before_what_runs_what_it_finds(
    place: Place, writer: str, finder: str
) -> None:
    text = place.joined(writer, finder)
    assert compiled(text) is None, text


@settings(max_examples=examples(120), deadline=None)
@example(Place("a.txt", "{}; {}"), "echo § > @", "sh @")
@given(places([*CODE, *DATA]), st.sampled_from(WRITERS), st.sampled_from(BY_NAME))
def test_what_is_run_by_its_name_is_not_written(place: Place, writer: str, runner: str) -> None:
    text = place.joined(writer, runner)
    assert compiled(text) is None, text
    moved = place.joined(f"{place.named(writer)}\ncp {place.path} z.sh", "sh z.sh")
    assert compiled(moved) is None, moved


@settings(max_examples=examples(120), deadline=None)
@example(Place("q.py", "{}; {}"), "echo § > @", "cat @")
@given(places([*CODE[:3], *DATA]), st.sampled_from(WRITERS), st.sampled_from(READERS))
def test_what_is_only_read_may_be_written(place: Place, writer: str, reader: str) -> None:
    text = place.joined(writer, reader)
    assert compiled(text) is not None, text


@settings(max_examples=examples(80), deadline=None)
@given(places(DATA), st.sampled_from(WRITERS), st.sampled_from(FINDERS))
def test_data_may_lie_beside_what_is_run(place: Place, writer: str, finder: str) -> None:
    assume("x.log" not in writer and "f=@" not in writer)  # a name in a variable may be any
    text = place.joined(writer, finder)
    assert compiled(text) is not None, text


@settings(max_examples=examples(80), deadline=None)
@given(places(CODE[:3]), st.sampled_from([*WRITERS, *BRINGERS]), st.sampled_from(FINDERS))
def test_what_comes_later_is_not_run_by_what_is_done(place: Place, writer: str, finder: str) -> None:
    assume("for v" not in writer and "git show" not in writer)
    text = place.joined(finder, writer)
    assert compiled(text) is not None, text
    looped = f"for i in 1 2; do\n{place.named(finder)}\n{place.named(writer)}\ndone"
    assert compiled(looped) is None, looped


# --- names of files that are written, changed or deleted


TARGETS = [
    "date > §", "date >> §", "date 2> §", "echo a | tee §", "cp kept §", "mv kept §", "touch §", "rm -rf §", "rm -rf -- §", "mkdir -p §", "ln kept §",
    "dd if=kept of=§", "sort -o § kept", "sed -i s/a/b/ §", "chmod 600 §", "truncate -s0 §", "v=§; date > \"$v\"", "f() { date > \"$1\"; }; f §",
    "for f in §; do rm -f \"$f\"; done", "tar cf § kept", "find § -delete", "split -l1 kept §", "gzip -f §", "unlink §", "shred -u §", "install kept §",
    "cd § && date > made", "V=§; export V; date > $V", "{ date; } > §", "(date) > §", "if true; then date > §; fi", "mktemp -p § x.XXXX", "rmdir §",
]  # fmt: skip
PARTS = st.sampled_from(
    [
        "..",
        ".",
        "a",
        "sub",
        "link",
        "up",
        "",
        "é",
        "a b",
        "*",
        "~",
        "kept",
        "new",
        "-",
        "$HOME",
        "....",
        " ..",
    ]
)
PATHS = st.builds(
    lambda start, parts, end: start + "/".join(parts) + end,
    st.sampled_from(["", "", "/", "./", "//", "ROOT/", "OUT/"]),
    st.lists(PARTS, min_size=1, max_size=5),
    st.sampled_from(["", "", "/", "/."]),
)


@pytest.fixture(scope="module")
def arena() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="lok-fuzz-")).resolve()
    yield root
    shutil.rmtree(root, ignore_errors=True)


def fresh(root: Path) -> Path:
    """A project with a way out, beside what nobody may touch."""
    shutil.rmtree(root, ignore_errors=True)
    project = root / "home" / "project"
    (project / "sub").mkdir(parents=True)
    (project / "a").mkdir()
    (project / "kept").write_text("a\n")
    (project / "link").symlink_to("..")
    (project / "up").symlink_to(root)
    (root / "home" / "precious").write_text("a\n")
    (root / "precious").write_text("a\n")
    return project


def outside(root: Path) -> dict[str, bytes | None]:
    """All that is not in the project."""
    project = root / "home" / "project"
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
        if project not in (path, *path.parents)
    }


def leaves(project: Path, base: str, value: str) -> bool:
    """Whether the name, resolved from the directory that its author wrote, is none in there or below."""
    inside = posixpath.normpath(f"{project}/{base.rpartition('/')[0]}")
    whole = posixpath.normpath(posixpath.join(project, base + value))
    return not whole.startswith(f"{inside}/")


@settings(max_examples=examples(120), deadline=None)
@example("date > §", "../escaped", "")
@example("rm -rf §", "sub/../..", "")
@given(st.sampled_from(TARGETS), PATHS, st.sampled_from(["", "", "sub/", "./", "a/b-"]))
def test_a_name_that_leaves_the_project_is_an_error_before_anything_runs(
    arena: Path, text: str, value: str, base: str
) -> None:
    project = fresh(arena)
    value = value.replace("ROOT", str(project)).replace("OUT", str(arena))
    template = compiled(text.replace("§", f"{base}§"))
    assert template is not None, text
    before = outside(arena)
    try:
        command = shell_command(template, Scope(arguments={"x": value}), world(project))
    except TemplateError as refused:
        if protection_reason(posixpath.normpath(value)) or "link" in str(refused):
            return
        no_name = value.rstrip("/").rpartition("/")[2] in ("", ".", "..")
        assert (
            leaves(project, base, value)
            or no_name
            or ".." in value
            or "~" in value
            or value[:1] in ("-", "/")
        ), value
        return
    assert not leaves(project, base, value), (base, value)
    subprocess.run(
        [*command.argv], cwd=project, timeout=30, check=False, stdin=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": str(arena / "home"), "LC_ALL": "C.UTF-8", **(command.env or {})},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert outside(arena) == before


@settings(max_examples=examples(60), deadline=None)
@given(st.sampled_from(TARGETS), st.from_regex(r"[a-z]{1,5}(/[a-z0-9_]{1,4}){0,2}(\.txt)?", fullmatch=True))
def test_an_ordinary_name_in_the_project_is_taken(text: str, value: str) -> None:
    template = compiled(text)
    assert template is not None, text
    assert template.render(Scope(arguments={"x": value})).written_files


@settings(max_examples=examples(60), deadline=None)
@given(
    st.sampled_from([t for t in TARGETS if "cd §" not in t]),
    st.sampled_from(["run.sh", "d/run.sh"]),
    st.sampled_from(["", "./", "x/../", "d/", "sub/"]),
)
def test_a_name_is_not_that_of_a_file_that_the_text_runs(text: str, script: str, before: str) -> None:
    template = compiled(f"{text}; sh {script}")
    if template is not None:
        with pytest.raises(TemplateError):
            template.render(Scope(arguments={"x": f"{before}run.sh"}))
        template.render(Scope(arguments={"x": "other.txt"}))
