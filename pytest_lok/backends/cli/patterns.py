"""What a tool printed -> its answer, by the user's regular expressions ``fail_on`` and ``answer``."""

from __future__ import annotations

from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.cli.dialect import (
    CliError,
    CliReply,
    CliResult,
    as_displayed,
    read_plain,
    strip_ansi,
)
from pytest_lok.core.text.truncation import truncate
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendFault

MATCH_TIMEOUT = 2.0
"""Seconds for one search: a user's pattern may backtrack for ever."""


def match_output(done: Completed, fail_on: str, answer: str) -> CliResult:
    """The answer in plain text: an error where ``fail_on`` matches, else the group of ``answer``."""
    # rarely used, and slow to import
    import regex

    result = read_plain(done)
    out, err = strip_ansi(done.stdout), strip_ansi(done.stderr)
    try:
        printed = (f"{out}\n{err}", f"{as_displayed(out)}\n{as_displayed(err)}") if fail_on else ()
        for said in dict.fromkeys(printed):
            found = regex.search(fail_on, said, timeout=MATCH_TIMEOUT)
            if found is None:
                continue
            line = _lines_around(said, found.start(), found.end())
            return CliError(kind=faults.fault_of_text(line) or BackendFault.CRASHED, message=line)
        if isinstance(result, CliError) or not answer:
            return result
        texts = {
            it[1]
            for it in regex.finditer(answer, as_displayed(out), timeout=MATCH_TIMEOUT)
            if it[1] is not None
        }
    except TimeoutError:
        return _unusable(
            f"its patterns took more than {MATCH_TIMEOUT:g} s", "nested repetition such as (a+)+ is slow"
        )
    if len(texts) > 1:
        return _unusable(
            f"`answer` matches {len(texts)} different texts of what it printed", "make it match one"
        )
    if not texts:
        shown = truncate(as_displayed(out).strip()) or "nothing"
        return _unusable(f"`answer` matches nothing of what it printed: {shown}", "correct the pattern")
    return CliReply(text=texts.pop().strip())


def _lines_around(text: str, start: int, end: int) -> str:
    """The whole lines in which a match stands."""
    end = text.find("\n", max(start, end - 1))
    return (
        text[text.rfind("\n", 0, start) + 1 : end if end >= 0 else len(text)].strip() or "`fail_on` matches"
    )


def _unusable(message: str, hint: str) -> CliError:
    return CliError(kind=BackendFault.BAD_OUTPUT, message=message, hint=hint)
