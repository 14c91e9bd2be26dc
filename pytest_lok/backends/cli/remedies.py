"""What a tool lacks -> what its user can do about that: a program, or a variable of the environment."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pytest_lok.backends.cli.dialect import CliDialect
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.late_regex import late_regex

_VARIABLE = late_regex(
    r"environment variable:? [`'\"]?([A-Z][A-Z0-9_]+)|\b([A-Z][A-Z0-9_]+)[`'\"]? environment variable"
)


def missing_program_hint(backend: str, program: str, dialect: CliDialect) -> str:
    """What to do where the program of a backend is not on this machine."""
    table = f"[backends.{backend}]"
    if " " in program:
        return f"put the words after the first into `args` of {table}"
    # whoever named another program than the usual one is not helped by installing that
    if dialect.install and program == dialect.program:
        return f"{dialect.install}, or set `command` in {table}"
    correct = f"correct `command` in {table}"
    if close := did_you_mean(program, [dialect.program]):
        return f"{correct}: {close}"
    return correct if "/" in program else f"install it, or {correct}"


def variable_hint(backend: str, message: str, handed: Collection[str], environ: Mapping[str, str]) -> str:
    """What to do where the message of a tool asks for a variable that it does not get; else "".

    ``handed`` are the variables that the tool gets where they are set, ``environ`` is what is set.
    """
    named = _VARIABLE.search(message)
    name = (named[1] or named[2]) if named else ""
    if not name or name in handed:
        return ""
    allow = f'env = ["{name}"] in [backends.{backend}]'
    if name in environ:
        return f"{name} is set here, but {backend} gets its own key alone: {allow}"
    return f"set {name}, and hand it on: {allow}"
