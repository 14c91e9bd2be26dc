"""``lok spec TASK``: a task as specs with subtasks, in files below ``.arf/specs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytest_lok.cli.composed import (
    ACCEPTS,
    able_backends,
    opened,
    run_facts,
    run_text,
    text_of,
    toml_option,
    without_results,
)
from pytest_lok.cli.options import OptionsCommand
from pytest_lok.errors import LokError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_lok.core.results import Json, RunResult


def _spec(words: tuple[str, ...], toml: bool) -> int:
    from pytest_lok.verbs.spec import ROADMAP, spec_text

    call, project = opened()
    task = text_of(words, "task")
    folder = project.root / ".arf" / "specs"
    if not toml and folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} holds specs already", hint="`lok implement` does them; move them away for new ones"
        )
    names = able_backends(call, project, task)
    results: list[RunResult] = []

    def report(result: RunResult) -> str:
        results.append(result)
        step = result.steps[ROADMAP]
        return _write(folder, step.data) if step.passed else ""

    code = run_text(
        without_results(call) if call.json and not toml else call,
        project,
        spec_text(names, together=bool(call.options.backend) and len(names) > 1),
        stem="spec",
        values={"task": task},
        report=report,
        printed=toml,
    )
    if call.json and not toml:
        files = sorted(it.relative_to(project.root).as_posix() for it in folder.rglob("*.arf"))
        call.deliver_document({"files": files, "exit_code": code, **run_facts(results)})
    return code


def _write(folder: Path, plan: Json) -> str:
    """Write the files of the plan; returns what they hold, in a line each."""
    import tomli_w

    from pytest_lok.files import write_atomically
    from pytest_lok.verbs.spec import plan_files

    lines = []
    try:
        for name, document in plan_files(plan).items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, tomli_w.dumps(document, multiline_strings=True).encode())
            if "title" in document:
                lines.append(f"{name.removesuffix('.arf'):<40}  {document['title']}")
    except OSError as failure:
        raise LokError(f"{folder} cannot be written: {failure.strerror}") from failure
    return "\n".join([*lines, "", "next: lok implement"])


command = OptionsCommand(
    "spec",
    callback=_spec,
    params=[click.Argument(["words"], metavar="TASK", nargs=-1, required=True), toml_option()],
    accepts=ACCEPTS,
    short_help="Plan a task as specs with subtasks.",
    help="""Plan TASK as specs with subtasks, and write them below .arf/specs, where you can change them.
    `lok implement` does them one by one. With -b a,b both plan, and one plan is made of theirs.

    \b
    Exit codes:  0  the plan is written
                 2  there are specs already
                 3  nobody gave a valid plan
    """,
)
