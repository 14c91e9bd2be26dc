"""The tables of a workflow's files beside its steps, and how its steps hang together: what is wrong."""

from __future__ import annotations

import graphlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from pytest_lok.core.workflow.document import ArgumentDocument, RuleDocument
from pytest_lok.core.workflow.reading.argument_reader import check_argument
from pytest_lok.core.workflow.reading.source import WorkflowFile
from pytest_lok.core.workflow.reading.step_keys import StepKeys
from pytest_lok.late_regex import late_regex

# arguments by name, with their file; one that could not be read is None, but its name is known
DeclaredArguments: TypeAlias = Mapping[str, tuple[WorkflowFile, ArgumentDocument | None]]

ARGUMENT = late_regex(r"[A-Za-z_][A-Za-z0-9_-]*")
NAME_HINT = "letters, digits, _ and -, beginning with a letter"
_MARKER = late_regex(r"[A-Za-z][A-Za-z0-9_.-]*")
_RULE = late_regex(r"[A-Za-z0-9][A-Za-z0-9_./-]*")
# words that mean something else to pytest
_RESERVED_TAGS = {
    *("and", "or", "not", "True", "False", "None"),
    *("filterwarnings", "parametrize", "skip", "skipif", "usefixtures", "xfail", "lok"),
    # pytest-timeout's marker needs a number, and a tag has none
    "timeout",
}


def check_tags(files: Sequence[WorkflowFile]) -> None:
    """Check that each tag can be a marker of pytest."""
    for file in files:
        for at, tag in enumerate(file.document.tags or ()):
            if not _MARKER.fullmatch(tag):
                hint = "letters, digits, _, - and ., beginning with a letter"
                file.report(("tags", at), f"{tag!r} cannot be a pytest marker", hint)
            elif tag in _RESERVED_TAGS:
                file.report(("tags", at), f"{tag!r} already means something to pytest", "choose another tag")


def check_arguments(declared: DeclaredArguments) -> None:
    """Check names, positions and defaults of the arguments."""
    positions: dict[int, str] = {}
    for name, (file, argument) in declared.items():
        if not ARGUMENT.fullmatch(name):
            file.report(("args", name), f"{name!r} cannot name an argument", NAME_HINT, key=True)
        if argument is None:
            continue
        if argument.position is not None:
            other = positions.setdefault(argument.position, name)
            if other != name:
                message = f"`{other}` already has position {argument.position}"
                file.report(("args", name, "position"), message, "each position is one argument's")
        if argument.required and argument.default is not None:
            message = f"`{name}` is required, so its default is never used"
            file.report(("args", name, "required"), message, "keep `required` or `default`")
        check_argument(file, name, argument)


def check_rules(files: Sequence[WorkflowFile]) -> None:
    """Check names and severities of the rules."""
    for file in files:
        for name, rule in file.document.rules.items():
            if not _RULE.fullmatch(name):
                hint = "letters, digits, _, -, . and /, beginning with a letter or digit"
                file.report(("rules", name), f"{name!r} cannot name a rule", hint, key=True)
            # its default would be a severity that nobody has chosen
            if isinstance(rule, RuleDocument) and "severity" not in file.data["rules"][name]:
                hint = 'severity = "high" (critical, high, medium, low or info)'
                file.report(("rules", name), f"the rule `{name}` has no severity", hint, key=True)


def check_cycles(written: Mapping[str, StepKeys]) -> None:
    """Report each circle of steps that wait for each other."""
    graph = {name: dict.fromkeys(keys.needs) for name, keys in written.items()}
    place = {name: at for at, name in enumerate(graph)}
    while True:
        try:
            graphlib.TopologicalSorter(graph).prepare()
            return
        except graphlib.CycleError as error:
            # graphlib closes a cycle with its first name, and runs against the arrows
            cycle = error.args[1][:0:-1]
            first = cycle.index(min(cycle, key=place.__getitem__))
            names = [*cycle[first:], *cycle[: first + 1]]
            keys = written[names[0]]
            shown = names if len(names) <= 12 else [*names[:6], "…", *names[-5:]]
            keys.file.report(
                keys.needs[names[1]],
                f"these steps wait for each other: {' -> '.join(shown)}",
                "remove one of these dependencies",
            )
            # without this arrow the next cycle comes to light
            del graph[names[0]][names[1]]
