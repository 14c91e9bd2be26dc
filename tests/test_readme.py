"""The README is true: its files are written, checked and run, and its commands print what it shows.

A ``toml`` block begins with a comment that names its file. The blocks are written into a sample
repository, in which every ``$`` line of a ``console`` block is run. What a command prints must match what
is shown below it, where ``...`` stands for anything and times may differ; it must succeed, unless
``$ echo $?`` follows and shows a number. The only thing faked is ``claude``, which finds one bug, in one
piece of code.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FAKE_CLAUDE = """#!/usr/bin/env python3
import json, sys
bugs = [{"line": "return n // 2", "why": "half of 3 is 1 now"}] if "n // 2" in sys.stdin.read() else []
usage = {"input_tokens": 120, "output_tokens": 8}
answer = {"type": "result", "subtype": "success", "is_error": False, "usage": usage, "total_cost_usd": 0.001}
print(json.dumps(answer | {"result": json.dumps({"bugs": bugs})}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    kind: str
    text: str
    line: int

    @property
    def file(self) -> str:
        """The file it says it is."""
        first = self.text.splitlines()[0]
        assert first.startswith("# "), f"README.md:{self.line}: say which file this is"
        return first.removeprefix("# ")


def blocks(*kinds: str) -> list[Block]:
    text = README.read_text()
    return [
        Block(kind=found[1], text=found[2], line=text.count("\n", 0, found.start()) + 1)
        for found in BLOCK.finditer(text)
        if found[1] in kinds
    ]


COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)(?:\$ echo \$\?\n(\d+)\n)?", re.MULTILINE)
COMMANDS = [
    pytest.param(command, shown, int(code or 0), id=f"README.md:{block.line} {command}")
    for block in blocks("console")
    for command, shown, code in COMMAND.findall(block.text)
]
TOML = blocks("toml")


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    tools = tmp_path_factory.mktemp("tools")
    (tools / "claude").write_text(FAKE_CLAUDE)
    (tools / "claude").chmod(0o755)
    path = [str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]
    return {
        "PATH": os.pathsep.join(path),
        "HOME": str(tools),
        "COLUMNS": "110",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Path:
    root = tmp_path_factory.mktemp("project")
    for block in TOML:
        if not (root / block.file).exists():
            write(root, block)
    (root / "app.py").write_text("def half(n): return n / 2\n")
    for command in ("git init -q -b main", "git add .", "git commit -q -m Start"):
        subprocess.run(shlex.split(command), cwd=root, env=environ, check=True)
    (root / "app.py").write_text("def half(n): return n // 2\n")
    subprocess.run(["git", "add", "."], cwd=root, env=environ, check=True)
    return root


def write(root: Path, block: Block) -> None:
    path = root / block.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text)


def run(command: str, project: Path, environ: dict[str, str], code: int = 0) -> str:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=project,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


@pytest.mark.parametrize(("command", "shown", "code"), COMMANDS)
def test_a_command_prints_what_is_shown(
    command: str, shown: str, code: int, project: Path, environ: dict[str, str]
) -> None:
    printed = run(command, project, environ, code)
    parts = [re.escape(plain(part)) for part in shown.split("...")]
    assert re.fullmatch(".*".join(parts), plain(printed), re.DOTALL), printed


@pytest.mark.parametrize("block", TOML, ids=lambda block: f"{block.file}:{block.line}")
def test_a_file_is_right(block: Block, project: Path, environ: dict[str, str], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    write(copy, block)
    settings = block.file == "lok.toml"
    run("lok backends" if settings else f"lok workflow validate {block.file}", copy, environ)


def test_the_first_screen_is_short() -> None:
    """One sentence, a picture, five bullets, ten lines of TOML: what a stranger reads before he scrolls away."""
    text = README.read_text()
    first = text.partition("\n## ")[0]
    assert len(re.findall(r"^- \*\*", first, re.MULTILINE)) == 5
    assert "](docs/demo.svg)" in first
    workflow = [line for line in TOML[0].text.splitlines()[1:] if line]
    assert len(workflow) <= 10
    assert len(text.splitlines()) < 150


def plain(text: str) -> str:
    """Times as one word, rules as one sign, white space as one blank, none at the ends."""
    text = re.sub(r"\b\d+(\.\d+)? ?m?s\b", "TIME", text)
    text = re.sub(r"([=_-])\1{3,}", r"\1", text)
    return " ".join(text.split())
