"""``lok workflow list|show|validate``: which workflows there are, what they say, whether they are right."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from pytest_lok.cli import run
from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand, options
from pytest_lok.cli.terminal import columns
from pytest_lok.cli.workflow_command import complete_workflow
from pytest_lok.cli.workflow_convert import convert
from pytest_lok.cli.workflow_install import install, remove, update
from pytest_lok.errors import Problem, UsageError, WorkflowError

if TYPE_CHECKING:
    from pytest_lok.wiring import Project

_UNUSABLE = 2


def _list(words: tuple[str, ...]) -> int:
    from pytest_lok.cli.trust import with_distrust_note
    from pytest_lok.core.workflow.model import Origin
    from pytest_lok.reports.json_report import dumps

    call = Invocation.of(click.get_current_context())
    project = with_distrust_note(call, call.project())
    # a table needs no proof that the package's own files are right
    facts = {Origin.BUILTIN: _built_in_entry} if not call.json else {}
    known = [
        facts.get(found.origin, _entry)(project, found.stem, found.origin)
        for found in project.catalog.entries()
    ]
    entries = [entry for entry in known if _is_meant(entry, words)]
    if call.json:
        call.deliver(dumps(entries))
    elif entries:
        call.deliver(columns(list(map(_row, entries)), width=call.screen_width))
    elif known:
        call.terminal.note(f"no workflow has {' and '.join(map(repr, words))} in its name or description")
    else:
        call.terminal.note("there are no workflows; `lok init` writes a first one")
    return 0


def _is_meant(entry: dict[str, object], words: Iterable[str]) -> bool:
    """Whether each of the words is in the workflow's name, description or tags."""
    text = f"{entry['name']} {entry['description']} {entry.get('tags', '')}".casefold()
    return all(word.casefold() in text for word in words)


def _row(entry: dict[str, object]) -> Sequence[str]:
    from pytest_lok.reports.facts import many

    steps = entry.get("steps")
    count = many(len(steps), "step") if isinstance(steps, list) else ""
    return [str(entry["name"]), str(entry["origin"]), count, str(entry["description"])]


def _entry(project: Project, name: str, origin: str) -> dict[str, object]:
    """Facts about a workflow for a table or JSON; a broken one is said to be broken."""
    try:
        workflow = project.load(name)
    except UsageError as broken:
        problems = len(broken.problems) if isinstance(broken, WorkflowError) else 1
        about = f"broken ({problems} to fix): lok workflow validate {name}"
        return {"name": name, "origin": origin, "description": about, "valid": False}
    return {
        "name": name,
        "origin": origin,
        "description": workflow.description or (workflow.name if workflow.name != name else ""),
        "valid": True,
        "path": workflow.path,
        "collect": workflow.collect,
        "tags": workflow.tags,
        "args": [dataclasses.asdict(argument) for argument in workflow.args.values()],
        "steps": list(dict.fromkeys(step.written_name for step in workflow.steps)),
    }


def _built_in_entry(project: Project, name: str, origin: str) -> dict[str, object]:
    """The facts for a table about a workflow that is built in, as its file states them."""
    files = project.catalog.built_in(name)
    if not files:
        return _entry(project, name, origin)
    return {
        "name": name,
        "origin": origin,
        "description": next(filter(None, (file.description for file in files)), files[0].name or ""),
        "valid": True,
        "tags": tuple(next(filter(None, (file.tags for file in files)), ())),
        "steps": list(dict.fromkeys(step.name for file in reversed(files) for step in file.steps)),
    }


def _show(name: str) -> int:
    from pytest_lok.core.workflow.model import Origin

    call = Invocation.of(click.get_current_context())
    project = call.project()
    workflow = project.load(name)
    if workflow.origin is Origin.SETTINGS:
        raise UsageError(f"{name} is a task of {workflow.path}", hint=f"`lok plan {name}` shows its prompts")
    text = (project.root / workflow.path).read_text(encoding="utf-8")
    if call.json:
        call.deliver_document({"name": name, "origin": workflow.origin, "path": workflow.path, "text": text})
        return 0
    call.terminal.note(f"{workflow.origin}: {workflow.path}")
    call.deliver(text)
    return 0


def _validate(names: tuple[str, ...]) -> int:
    from pytest_lok.cli.trust import with_distrust_note
    from pytest_lok.core.workflow.model import Origin
    from pytest_lok.reports.json_report import dumps

    call = Invocation.of(click.get_current_context())
    project = with_distrust_note(call, call.project())
    wanted = names or [found.stem for found in project.catalog.entries() if found.origin is Origin.PROJECT]
    if not wanted:
        raise UsageError("this project has no workflows", hint="`lok init` writes a first one")
    checked = {name: list(_problems(project, name)) for name in dict.fromkeys(wanted)}
    if call.json:
        call.deliver(dumps(checked))
    else:
        for name, problems in checked.items():
            for problem in problems:
                call.terminal.note(str(problem))
            if not problems:
                workflow = project.load(name)
                for warning in (*workflow.warnings, *workflow.remarks):
                    call.terminal.note(f"warning: {warning}")
                call.terminal.result(f"{name}: valid")
                _note_unknown_commands(call, project, name)
    return _UNUSABLE if any(checked.values()) else 0


def _note_unknown_commands(call: Invocation, project: Project, name: str) -> None:
    """Name the commands that get values and that lok does not know."""
    from pytest_lok.core.workflow.model import Shell

    # the cases of a step have one text
    unknown = dict.fromkeys(
        (step.written_name, command)
        for step in project.load(name).in_all()
        if isinstance(step.action, Shell) and step.action.shell
        for command in step.action.shell.unknown_commands
    )
    for step, command in unknown:
        call.terminal.note(f"{name}: {step}: lok does not know `{command}`, which gets values")


def _problems(project: Project, name: str) -> Iterator[Problem]:
    from pytest_lok.core.workflow.untrusted import refusals

    try:
        workflow = project.load(name)
        if workflow.untrusted is not None:  # meant for `lok gate`, which reads it once it is merged
            yield from refusals(workflow, project.settings.defaults.command_wrapper)
    except WorkflowError as broken:
        yield from broken.problems
    except UsageError as missing:
        yield Problem(path=name, line=0, column=0, message=missing.message, hint=missing.hint)


_names = click.Argument(["names"], nargs=-1, metavar="[NAME|PATH]...", shell_complete=complete_workflow)
_name = click.Argument(["name"], metavar="NAME|PATH", shell_complete=complete_workflow)

command = click.Group(
    "workflow",
    params=options("json", "output", *COMMON_OPTIONS),
    help="List, show, check, run, install and convert workflows.",
    commands=[
        run.command,
        OptionsCommand(
            "list",
            callback=_list,
            params=[click.Argument(["words"], nargs=-1, metavar="[WORD]...")],
            accepts=("json", "output", *COMMON_OPTIONS),
            help="""List the project's workflows, yours and those built in. Of one name, the first counts.

            With words, only workflows that have each of them in their name, description or tags.
            """,
        ),
        OptionsCommand(
            "show",
            callback=_show,
            params=[_name],
            accepts=("json", "output", *COMMON_OPTIONS),
            help="Print a workflow's file, for example to copy a built-in one.",
        ),
        OptionsCommand(
            "validate",
            callback=_validate,
            params=[_names],
            accepts=("json", "output", *COMMON_OPTIONS),
            help="""Check workflows and print every problem.

            Without a name, all of the project's are checked. Exit code 0, or 2 where anything is wrong.
            """,
        ),
        install,
        update,
        remove,
        convert,
    ],
)
