"""Random shell texts -> whether `lok gate` takes them; what it takes runs nothing but what only reads.

The judge is a real shell: every program that is not known to read only, and every file of the directory,
leaves a canary when it runs.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import event, given, settings
from hypothesis import strategies as st

from pytest_lok.core.workflow.model import Origin
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.core.workflow.untrusted import refusals
from tests.fuzz import examples

HOSTILE = ("pytest", "make", "npm", "python", "perl", "xargs", "find", "env", "timeout", "nice", "awk", "sed")
READING = (
    "cat a",
    "echo x",
    "head -1 a",
    "grep -c x a",
    "test -f a",
    "true",
    "printf y",
    "git log",
    "wc -l a",
    ":",
)
RUNNING = (
    "make", "pytest -q", "./run", "sub/run", "sh run", ". ./run", "eval ./run", "npm test", "find . -exec ./run", "env ./run",
    "exec ./run", "command make", "$X", "\\make", "'make'", '"make"', "ma''ke", "m\\ake", "timeout 5 ./run", "xargs ./run",
    "PATH=. run", "PATH=.:$PATH run", "sed -n p a", "trap ./run EXIT", "alias cat=make", "git submodule", "git bisect run ./run",
)  # fmt: skip

simple = st.one_of(st.sampled_from(READING), st.sampled_from(READING), st.sampled_from(RUNNING))


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Shell texts made of shell texts."""
    pairs = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, st.sampled_from([" | ", " && ", " || ", "; ", "\n", " & "]), inner).map("".join),
        inner.map(lambda it: f"( {it} )"),
        inner.map(lambda it: f"{{ {it}\n}}"),
        inner.map(lambda it: f'echo "$({it})"'),
        inner.map(lambda it: f"echo `{it}`" if "`" not in it else it),
        inner.map(lambda it: f"X=$({it})"),
        inner.map(lambda it: f"echo '{it}'" if "'" not in it else it),
        inner.map(lambda it: f"# {it}\n:" if "\n" not in it else it),  # the end of a line ends it
        inner.map(lambda it: f"cat <<'EOF'\n{it}\nEOF\n" if "EOF" not in it else it),
        inner.map(lambda it: f"cat <<EOF\n$({it})\nEOF\n" if "EOF" not in it else it),
        inner.map(lambda it: f"f() {{ {it}\n}}\nf"),
        inner.map(lambda it: f"tail() {{ {it}\n}}\ntail a"),
        inner.map(lambda it: f"for f in a b; do {it}\ndone"),
        inner.map(lambda it: f"while read -r l; do {it}\ndone < a"),
        inner.map(lambda it: f"case x in x) {it}\n;; esac"),
        inner.map(lambda it: f"X=make; {it}"),
        inner.map(lambda it: f"export X=make; {it}"),
        inner.map(lambda it: f"{it} > out"),
        inner.map(lambda it: f"! {it}"),
        inner.map(lambda it: f'echo "${{Y:-$({it})}}"'),
        pairs.map(lambda it: f"if {it[0]}\nthen {it[1]}\nfi"),
        pairs.map(lambda it: f"{it[0]} | {{ {it[1]}\n}}"),
    )


texts = st.recursive(simple, grown, max_leaves=4)


@contextmanager
def place() -> Iterator[Path]:
    """A directory as a hostile change could fill it, and canaries for every program that does more than read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = f"#!/bin/sh\n/usr/bin/touch {folder}/canary\n"
        (folder / "bin").mkdir()
        (folder / "tree" / "sub").mkdir(parents=True)
        files = [folder / "bin" / it for it in HOSTILE]
        files += [folder / "tree" / it for it in ("run", "sub/run", "cat", "git", "make", "Makefile")]
        for file in files:
            file.write_text(script)
            file.chmod(0o755)
        (folder / "tree" / "a").write_text("make\n./run\nx\n")
        yield folder


def run(folder: Path, shell: str, text: str) -> None:
    path = f"{folder}/bin:/usr/bin:/bin"
    subprocess.run(
        [shell, "-c", text],
        cwd=folder / "tree",
        env={"PATH": path, "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


def taken(text: str) -> bool:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    source = f'[[steps]]\nname = "s"\nshell = """\n{quoted}\n"""\n'
    workflow = parse_workflow(
        SourceText(text=source, path="w.toml", stem="w", origin=Origin.PROJECT),
        parent=lambda _name, _child: None,
        backends=[],
    )
    return not refusals(workflow)


@settings(max_examples=examples(120))
@given(texts)
def test_what_is_taken_runs_nothing_of_the_change(text: str) -> None:
    accepted = taken(text)
    event("taken" if accepted else "refused")
    if not accepted:
        return
    shells = [it for it in ("sh", "bash") if os.access(f"/bin/{it}", os.X_OK)]
    with place() as folder:
        for shell in shells:
            run(folder, shell, text)
            assert not (folder / "canary").exists(), text


@settings(max_examples=examples(40))
@given(st.recursive(st.sampled_from(READING), grown, max_leaves=3))
def test_what_only_reads_is_taken(text: str) -> None:
    understood = subprocess.run(["sh", "-n", "-c", text], capture_output=True, check=False)
    # a text that begins a line with `|`, for one, is none of a shell
    assert taken(text) or understood.returncode, text


def test_the_canaries_sing() -> None:
    with place() as folder:
        for text in ("make", "./run", "cat a | sh", "PATH=. cat a"):
            run(folder, "sh", text)
            assert (folder / "canary").exists(), text
            (folder / "canary").unlink()
