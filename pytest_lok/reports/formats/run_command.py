"""A workflow and its arguments -> the command that runs it again, as a shell reads it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from pytest_lok.core.workflow.model import Origin, Workflow
from pytest_lok.reports.untrusted import escape_untrusted

_LONGEST = 300  # characters of a value


def run_command(workflow: Workflow, arguments: Mapping[str, str]) -> str:
    """``lok run NAME --base=main``; "" where the command would not be the same, or nobody could type it.

    ``arguments`` are those of a plan, by name and by position. A default is left out.
    """
    if workflow.origin in (Origin.VERB, Origin.SETTINGS):
        return ""
    name = workflow.path if workflow.origin is Origin.PATH else workflow.stem
    words = [name, *_words(workflow, arguments)]
    # a value that a report may not show as it is would be another one
    if any(word != escape_untrusted(word) or "\n" in word or len(word) > _LONGEST for word in words):
        return ""
    return f"lok run {shlex.join(words)}"


def _words(workflow: Workflow, arguments: Mapping[str, str]) -> Iterator[str]:
    declared = workflow.args.values()
    placed = {argument.position for argument in declared}
    positions = sorted(int(name) for name in arguments if name.isdecimal())
    # a value that has a place and no name takes all values before it to theirs
    by_place = any(at not in placed for at in positions)
    for argument in declared:
        value = arguments.get(argument.name)
        named = argument.position is None or not by_place
        if named and value is not None and value != argument.default:
            yield f"--{argument.name}={value}"
    if by_place:
        yield from ["--", *(arguments[str(at)] for at in positions)]
