"""``lok init``: a commented lok.toml and a first workflow that runs at once, also without any LLM."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_lok.cli.call import Call
from pytest_lok.cli.options import EVERYWHERE, Verb
from pytest_lok.errors import LokError

_SETTINGS = """\
# Settings of lok for this project. Everything here is optional: delete what you do not need.
# Keys are merged over your own settings (~/.config/lok/lok.toml); LOK_* variables win over both.

[defaults]
# backend = "auto"          # whom steps ask that name nobody: a name, "a,b", or "auto"
# timeout = 300             # seconds one attempt may take; or "5m"; 0 = no limit
# max_parallel = 8          # steps running at once

# Any command line tool that reads a prompt and prints an answer:
# [backends.mine]
# type = "command"
# command = "llm"           # gets the prompt on standard input
# args = ["-m", "some-model"]

# Any server that speaks the OpenAI chat protocol:
# [backends.local]
# type = "openai"
# base_url = "http://localhost:8000/v1"
# model = "some-model"
# api_key_env = "LOCAL_API_KEY"

# `claude`, `codex`, `gemini` and `ollama` need no entry: they are used where they are installed.
# `lok doctor` shows which backends can answer.

# A backend that answers from this file, so that the first workflow runs before anything is
# installed. Delete it when you have a real one.
[backends.offline]
type = "scripted"

[[backends.offline.replies]]
reply = "This answer was written into lok.toml. `lok doctor` shows which real backends you have."
"""

_WORKFLOW = """\
# A first workflow.   lok first          runs it
#                     lok plan first     shows what it would do
#                     pytest --lok       runs every workflow of this project as tests

name = "first"
description = "Look at this directory and ask what it holds"

[args.question]
description = "what to ask about the files"
default = "What kind of project is this?"
position = 1

# A shell step: what it prints is its output. A non-zero exit code fails it.
[[steps]]
name = "files"
shell = "ls"

# An ask step: a prompt to a backend. Reading another step's output makes this one wait for it.
[[steps]]
name = "answer"
backend = "offline"           # `lok backends` shows the names; "auto" takes the first available one
prompt = \"\"\"
{{ arg.question }} Answer in one sentence.

{{ steps.files.output }}
\"\"\"
assert = ["output != ''"]     # every condition must hold, or the step fails
"""


def _init() -> int:
    call = Call.of(click.get_current_context())
    root = call.options.directory or Path.cwd()
    for name, text in ((Path("lok.toml"), _SETTINGS), (Path(".lok/workflows/first.toml"), _WORKFLOW)):
        call.terminal.result(f"{_written(root / name, text)}  {name}")
    call.terminal.note("next: lok first")
    return 0


def _written(path: Path, text: str) -> str:
    """``wrote``, or ``kept`` where the file was there already."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return "kept "
    except OSError as failure:
        raise LokError(f"cannot write {path}: {failure.strerror}") from failure
    return "wrote"


command = Verb(
    "init",
    callback=_init,
    honours=EVERYWHERE,
    short_help="Write a commented lok.toml and a first workflow.",
    help="""Write a commented lok.toml and the workflow .lok/workflows/first.toml, which runs at once, also
    without any LLM. A file that is there already is kept as it is.
    """,
)
