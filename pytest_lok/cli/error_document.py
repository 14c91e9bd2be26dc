"""An error, or an end without a result -> the one JSON document that ``--json`` promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.options import ALL_OPTIONS, Options, options
from pytest_lok.errors import CaseError, LokError, SettingsError, WorkflowError

if TYPE_CHECKING:
    from pytest_lok.cli.invocation import Invocation


def deliver_error(call: Invocation, words: Sequence[str], error: LokError, code: int) -> None:
    """Deliver the document about the error, if the words of the command line ask for JSON.

    It goes where the result would have gone: to stdout, or to the file of ``--output``.
    """
    from dataclasses import replace

    # what is wrong may be the command line itself, so it was perhaps never parsed
    asking = replace(call, options=_options_in(words))
    if not asking.json:
        return
    try:
        asking.deliver_document({"error": _document(call, error, code)})
    except LokError as unwritable:
        call.terminal.error(unwritable)


def _document(call: Invocation, error: LokError, code: int) -> dict[str, object]:
    masked = call.terminal.masked
    problems = error.problems if isinstance(error, (WorkflowError, SettingsError, CaseError)) else ()
    return {
        "what": masked(problems[0].message if problems else error.message),
        "where": masked(error.where),
        "hint": masked(problems[0].hint if problems else error.hint),
        "exit_code": code,
        "problems": [
            {"what": masked(it.message), "where": masked(it.place), "hint": masked(it.hint)}
            for it in problems
        ],
    }


def _options_in(words: Sequence[str]) -> Options:
    """The shared options among the words, whatever else is wrong with these."""
    peek = click.Command("peek", params=options(*ALL_OPTIONS), add_help_option=False)
    with peek.make_context(
        "peek", list(words), ignore_unknown_options=True, allow_extra_args=True, resilient_parsing=True
    ) as ctx:
        return Options.of(ctx)
