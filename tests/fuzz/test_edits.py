"""Sets of edits over trees, and what must be left of the tree: all of them, or every byte as it was."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.results import Outcome
from tests.engine.worlds import ran, world
from tests.fuzz import examples

NAMES = st.sampled_from(
    ["a", "b", "A", "d/a", "d/b", "d", "e/f/a", "é", "e\u0301", "a/x", "d/a/y", "D/a", "link/a"]
)
WORDS = ["one", "two", "three", "four"]
TREES = st.dictionaries(
    st.sampled_from(["a", "b", "d/a", "d/b", "é"]),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(lambda words: " ".join(words).encode()),
    max_size=4,
)
EDITS = st.tuples(NAMES, st.sampled_from(["", *WORDS, "one two"]), st.sampled_from(["", "ONE", "new", "two"]))


def tree_of(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in root.rglob("*")
        if p.is_file() and not p.is_symlink()
    }


def in_the_way(before: Mapping[str, bytes], after: Mapping[str, bytes], touched: set[str]) -> bool:
    """Whether a file would be a directory too, or two edited ones be the same to a less exact system."""
    same: dict[str, list[str]] = {}
    for file in touched:
        same.setdefault(file.casefold().replace("e\u0301", "é"), []).append(file)
    doubled = any(len(files) > 1 and not all(file in before for file in files) for files in same.values())
    return doubled or any(
        other.startswith(f"{file}/") for names in (same, after) for file in names for other in names
    )


def wanted(tree: Mapping[str, bytes], items: list[list[tuple[str, str, str]]]) -> dict[str, bytes] | None:
    """The tree with every edit made by the rules of the documentation, one after the other; None = impossible."""
    made = dict(tree)
    for edits in items:
        before = dict(made)
        for file, old, new in edits:
            if file.startswith("link/"):
                return None
            if old == "":
                if file in made:
                    return None
                made[file] = new.encode()
            else:
                text = made.get(file, b"").decode()
                if sum(text.startswith(old, at) for at in range(len(text))) != 1:
                    return None
                made[file] = text.replace(old, new).encode()
        if made == before:
            return None
    if made == tree or in_the_way(tree, made, {file for edits in items for file, _, _ in edits}):
        return None
    return made


@settings(max_examples=examples(60))
@given(TREES, st.lists(st.lists(EDITS, max_size=3), min_size=1, max_size=3), st.booleans())
def test_all_edits_of_a_step_are_made_or_none(
    tree: dict[str, bytes], items: list[list[tuple[str, str, str]]], verified: bool
) -> None:
    with tempfile.TemporaryDirectory() as place:
        root, outside = Path(place) / "root", Path(place) / "outside"
        outside.mkdir()
        (outside / "a").write_bytes(b"one")
        for name, content in tree.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        root.mkdir(exist_ok=True)
        (root / "link").symlink_to(outside)
        rules = [
            ScriptedReply(
                match=f"item {number} ",
                reply=json.dumps({"edits": [{"file": f, "old": o, "new": n} for f, o, n in edits]}),
            )
            for number, edits in enumerate(items)
        ]
        step = (
            f'[[steps]]\nname = "s"\nfor_each = {list(range(len(items)))}\nprompt = "item {{{{ item }}}} "\n'
            f'backend = "m"\napply_edits = true\nverify = "exit {0 if verified else 1}"\n'
        )
        outcome = ran(step, world(root, Scripted("m", rules))).outcomes["s"]
        right = wanted(tree, items) if verified else None
        assert tree_of(root) == (tree if right is None else right)
        assert (outcome is Outcome.PASSED) == (right is not None)
        assert (outside / "a").read_bytes() == b"one"


PROGRAMS = st.sampled_from(["sh", "bash", "python3", "./", "make -f", "env X=1 sh", "timeout 9 sh", "exec sh", "sh -e", "unknown-runner", "sh -c", ".", "cd", "X=", "for", "env -C"])  # fmt: skip


@settings(max_examples=examples(60))
@given(PROGRAMS, st.sampled_from(["check", "ci/check", "ci/deep/check.sh"]), st.integers(0, 3), st.booleans())
def test_no_answer_passes_by_editing_what_verifies_it(
    program: str, file: str, depth: int, quoted: bool
) -> None:
    """The verification runs a file, maybe by way of scripts that run it; as it is, it says no."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "root"
        (root / file).parent.mkdir(parents=True)
        script = (
            "all:\n\tfalse\n"
            if program.startswith("make")
            else "exit(1)\n"
            if program == "python3"
            else "exit 1\n"
        )
        (root / file).write_text(script)
        (root / file).chmod(0o755)
        path = shlex.quote(file) if not quoted else f"'{file}'"
        run = (
            f"./{file}"
            if program == "./"
            else f"{program} './{file}'"
            if program == "."
            else f"{program} {path}"
        )
        folder, _, name = file.rpartition("/")
        spelled = {
            "cd": f"cd {folder or '.'} && ./{name}",
            "X=": f"X={folder or '.'}; $X/{name}",
            "for": f"for f in {folder or '.'}/ch*; do sh $f || exit 1; done",
            "env -C": f"env -C {folder or '.'} ./{name}",
        }
        run = spelled.get(program, run)
        for level in range(depth):
            (root / f"step{level}.sh").write_text(f"{run}\n")
            run = f"sh step{level}.sh"
        edit = {"edits": [{"file": file, "old": script.strip().split("\n")[-1], "new": "true"}]}
        step = f'[[steps]]\nname = "s"\nprompt = "x"\nbackend = "m"\napply_edits = true\nverify = {json.dumps(run)}\n'
        outcome = ran(step, world(root, Scripted("m", json.dumps(edit)))).outcomes["s"]
        assert outcome is Outcome.FAILED
        assert (root / file).read_text() == script
