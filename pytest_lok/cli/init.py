"""``lok init``: a commented lok.toml, and a first workflow that runs at once in any case."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.errors import LokError

_SETTINGS = """\
# Settings of lok for this project. Everything here is optional: delete what you do not need.
# Keys are merged over your own settings (~/.config/lok/lok.toml); LOK_* variables win over both.

[defaults]
# backend = "auto"          # whom steps ask that name nobody: a name, "a,b", or "auto"
# timeout = 300             # seconds one attempt may take; or "5m"; 0 = no limit
# max_parallel = 8          # commands and questions at once; without it 16 commands

# "auto" takes the best of these for a task that can answer; `lok suggest TASK` shows which, and why.
[backends.claude]
# model = "sonnet"          # each tool has a default of its own

[backends.codex]

[backends.gemini]

# Any command line tool that reads a prompt and prints an answer:
# [backends.mine]
# type = "command"
# command = "llm"           # gets the prompt on standard input
# args = ["-m", "some-model"]

# Any server that speaks the OpenAI chat protocol:
# [backends.gateway]
# type = "openai"
# base_url = "http://localhost:8000/v1"
# model = "some-model"
# api_key_env = "GATEWAY_KEY"
"""

_OFFLINE = """
# Answers from this file, so that the first workflow runs before anything is installed, and answers
# nothing else. Delete it when you have a real one.
[backends.offline]
type = "scripted"

[[backends.offline.replies]]
match = "Answer in one sentence."
reply = "This answer was written into lok.toml; `lok doctor` says how to get a real one."
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
backend = "auto"              # `lok backends` shows the names; "auto" takes the best for the task
prompt = \"\"\"
{{ arg.question }} Answer in one sentence.

{{ steps.files.output }}
\"\"\"
assert = ["output != ''"]     # every condition must hold, or the step fails
"""


def _init() -> int:
    from pytest_lok.engine.asking.route import everybody

    call = Invocation.of(click.get_current_context())
    root = call.options.directory or Path.cwd()
    project = call.project(directory=root)
    found = everybody(project.world(shown=True))
    own = [name for name in project.settings.files if name in ("lok.toml", "pyproject.toml")]
    settings, workflow = _SETTINGS, _WORKFLOW
    if not own and all(route.problem for route in found):
        settings += _OFFLINE
        workflow = workflow.replace('backend = "auto"   ', 'backend = "offline"')
    if own:
        call.terminal.result(f"kept   {own[0]}")
    else:
        call.terminal.result(_write_unless_there(root, "lok.toml", settings))
    call.terminal.result(_write_unless_there(root, ".lok/workflows/first.toml", workflow))
    call.terminal.note("next: lok first")
    return 0


def _write_unless_there(root: Path, name: str, text: str) -> str:
    """Write a file unless it is there; returns the line that tells which."""
    path = root / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # mode x: what is there is never overwritten, not even by two calls at a time
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as failure:
        if path.is_file():
            return f"kept   {name}"
        raise LokError(f"cannot write {path}: {failure.strerror}") from failure
    return f"wrote  {name}"


command = OptionsCommand(
    "init",
    callback=_init,
    accepts=COMMON_OPTIONS,
    help="""Write a commented lok.toml and the workflow .lok/workflows/first.toml. What is there already is
    kept as it is. Where no backend can answer, one that answers from lok.toml is written too, so that `lok
    first` runs at once.
    """,
)
