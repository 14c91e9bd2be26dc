"""What a tool printed -> its answer, by the regular expressions that a user gives for it."""

from __future__ import annotations

from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.cli.dialect import CliError, CliReply, Heard, bare, plain, shown
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendFault

SECONDS = 2.0


def picked(done: Completed, fail_on: str, answer: str) -> Heard:
    """The answer of a tool that prints text. ``fail_on`` found in it is a failure; ``answer`` cuts it out."""
    import regex  # rarely used, and slow to import

    heard = plain(done)
    out, err = bare(done.stdout), bare(done.stderr)
    try:
        for said in dict.fromkeys((f"{out}\n{err}", f"{shown(out)}\n{shown(err)}") if fail_on else ()):
            found = regex.search(fail_on, said, timeout=SECONDS)
            if found is None:
                continue
            line = _line(said, found.start(), found.end())
            return CliError(kind=faults.of_text(line) or BackendFault.CRASHED, message=line)
        if isinstance(heard, CliError) or not answer:
            return heard
        texts = {it[1] for it in regex.finditer(answer, shown(out), timeout=SECONDS) if it[1] is not None}
    except TimeoutError:
        return _useless(
            f"its patterns took more than {SECONDS:g} s", "nested repetition such as (a+)+ is slow"
        )
    if len(texts) > 1:
        return _useless(
            f"`answer` matches {len(texts)} different texts of what it printed", "make it match one"
        )
    if not texts:
        return _useless(
            "`answer` matches nothing of what it printed", "correct the pattern; -v shows the output"
        )
    return CliReply(text=texts.pop().strip())


def _line(text: str, start: int, end: int) -> str:
    """The whole lines a match stands in."""
    end = text.find("\n", max(start, end - 1))
    return (
        text[text.rfind("\n", 0, start) + 1 : end if end >= 0 else len(text)].strip() or "`fail_on` matches"
    )


def _useless(message: str, hint: str) -> CliError:
    return CliError(kind=BackendFault.BAD_OUTPUT, message=message, hint=hint)
