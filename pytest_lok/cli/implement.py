"""``lok implement [SUBTASK]``: do the subtasks below ``.arf/specs`` one by one, each verified or undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_lok.cli.composed import ACCEPTS, able_backends, opened, run_facts, without_results
from pytest_lok.cli.options import OptionsCommand
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import LokError, UsageError

if TYPE_CHECKING:
    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.core.results import RunResult
    from pytest_lok.wiring import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtask:
    """One file of a spec: ``name`` is its path below ``.arf/specs``, without the suffix."""

    name: str
    path: Path
    document: Mapping[str, Any]
    goal: str

    @property
    def status(self) -> str:
        """``pending``, ``done`` or ``failed``."""
        return str(self.document.get("status", "pending"))

    def mark(self, status: str, error: str = "") -> None:
        """Write the status into the file, with why it failed."""
        import tomli_w

        from pytest_lok.files import write_atomically

        document = {key: value for key, value in self.document.items() if key != "last_error"} | {
            "status": status
        }
        if error:
            document["last_error"] = error
        write_atomically(self.path, tomli_w.dumps(document, multiline_strings=True).encode())


def _implement(name: str, verify: bool) -> int:
    call, project = opened()
    folder = project.root / ".arf" / "specs"
    subtasks = list(_subtasks(folder))
    chosen = [
        it
        for it in subtasks
        if it.status != "done" and (not name or name in (it.name, it.name.split("/")[0]))
    ]
    if name and not any(name in (it.name, it.name.split("/")[0]) for it in subtasks):
        known = ", ".join(it.name for it in subtasks) or "none; `lok spec TASK` plans some"
        raise UsageError(f"there is no subtask {name!r}", hint=f"there are: {known}")
    if not subtasks:
        raise UsageError("there are no specs", hint="`lok spec TASK` plans some")
    if not chosen:
        call.terminal.note("every subtask is done")
    results: list[RunResult] = []
    code = 0
    for subtask in chosen:
        if code := _do(call, project, subtask, verify, results):
            # what follows may need what this one was to bring
            break
    if call.json:
        states = [{"name": it.name, "status": it.status} for it in _subtasks(folder)]
        call.deliver_document({"subtasks": states, "exit_code": code, **run_facts(results)})
    return code


def _do(call: Invocation, project: Project, subtask: Subtask, verify: bool, results: list[RunResult]) -> int:
    from pytest_lok.cli.run import run_plan
    from pytest_lok.core.edits.edits import refused_path
    from pytest_lok.verbs.spec import SUBTASK, subtask_text

    file = str(subtask.document.get("file", ""))
    if why := refused_path(file):
        raise UsageError(f"{subtask.path}: `file` {file!r} {why}")
    call.terminal.note(f"{subtask.name}: {subtask.document.get('title', '')}")
    task = str(subtask.document.get("task", ""))
    text = subtask_text(
        able_backends(call, project, task), verify=verify, file_exists=(project.root / file).is_file()
    )
    values = {"task": task, "goal": subtask.goal, "file": file}
    plan = project.plan(project.catalog.written("implement", text), named=values)

    def report(result: RunResult) -> str:
        results.append(result)
        step = result.steps[SUBTASK]
        return ", ".join(f"edited {it.file}" for it in step.edits) if step.passed else ""

    code = run_plan(without_results(call) if call.json else call, project, plan, report=report)
    subtask.mark("failed" if code else "done", results[-1].steps[SUBTASK].reason if code else "")
    return code


def _subtasks(folder: Path) -> Iterator[Subtask]:
    """Every subtask in order; LokError for a file that is no TOML."""
    for path in sorted(folder.glob("*/*.arf")):
        if path.name == "spec.arf":
            continue
        spec = path.with_name("spec.arf")
        yield Subtask(
            name=f"{path.parent.name}/{path.stem}",
            path=path,
            document=_read(path),
            goal=str(_read(spec).get("goal", "")) if spec.exists() else "",
        )


def _read(path: Path) -> dict[str, Any]:
    import tomli

    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as broken:
        raise LokError(f"{path} cannot be read: {broken}") from broken


command = OptionsCommand(
    "implement",
    callback=_implement,
    params=[
        click.Argument(["name"], metavar="[SUBTASK|SPEC]", default=""),
        click.Option(
            ["--verify/--no-verify"],
            default=True,
            help="Run the project's own checks after each subtask, and undo it if they fail.  [default: yes]",
        ),
    ],
    accepts=tuple(option for option in ACCEPTS if option != "output"),
    short_help="Do the subtasks of a spec, each verified.",
    help="""Do the subtasks that `lok spec` has planned, in order: all that are not done, or SUBTASK, or
    those of SPEC. Each is one question whose edits are applied as a whole, verified by the project's own
    checks, and undone if these fail. The first that fails ends it; its file says why. Nothing is committed.

    \b
    Exit codes:  0  everything chosen is done
                 1  a check failed
                 2  there is no such subtask
                 3  a subtask could not be done
    """,
)
