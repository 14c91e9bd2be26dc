"""``lok workflow convert FILE``: a workflow of llm-mux, or promptfoo's YAML, as a workflow of lok."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from pytest_lok.core.conversion.translation import Translation

_MOST_BYTES = 1 << 20
_IN_PART = 1


def _convert(file: str) -> int:
    call = Invocation.of(click.get_current_context())
    path = Path(file)
    try:
        made = _translated(path, _text(path))
    except ValueError as error:
        raise UsageError(f"{path} cannot be translated: {error}") from error
    lost = made.problems()
    if call.json:
        call.deliver_document({"source": str(path), "text": made.text(), "not_translated": lost})
    else:
        call.deliver(made.text().rstrip("\n"))
    for mark in lost:
        call.terminal.note(f"lok: not translated: {mark}")
    if lost:
        call.terminal.note("lok: what stands in the place of each of them never passes; the file marks where")
    return _IN_PART if lost else 0


def _text(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise UsageError(f"{path} has more than {_MOST_BYTES:,} bytes")
        return data.decode("utf-8").removeprefix("\ufeff")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8", hint="save it as UTF-8") from None


def _translated(path: Path, text: str) -> Translation:
    if path.suffix == ".toml":
        import tomli

        from pytest_lok.core.conversion import llm_mux

        document = tomli.loads(text)
        if llm_mux.is_llm_mux(document):
            return llm_mux.translate(document, path.name)
        raise UsageError(
            f"{path} is no workflow of llm-mux: there each step has a `type`",
            hint=f"`lok workflow validate {path}` says what lok makes of it",
        )
    from pytest_lok.core.conversion import promptfoo

    document = _yaml(text)
    if not promptfoo.is_promptfoo(document):
        raise UsageError(
            f"{path} is no configuration of promptfoo: that has `prompts` and `providers`",
            hint="a workflow of llm-mux ends in .toml",
        )
    return promptfoo.translate(document, path.name, functools.partial(_beside, path.parent))


def _yaml(text: str) -> Any:
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
    except ImportError:
        raise UsageError(
            "reading YAML needs ruamel.yaml, which is not installed", hint="pip install 'pytest-lok[convert]'"
        ) from None
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, RecursionError) as error:
        raise ValueError(f"this is not YAML: {' '.join(str(error).split())}") from error


def _beside(folder: Path, name: str) -> str:
    """The text of a file below the folder, reached by no link; OSError or ValueError where there is none."""
    path = folder.resolve() / name
    if not path.resolve().is_relative_to(folder.resolve()) or path.resolve() != path:
        raise ValueError("it lies outside of the directory, or a link leads there")
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
    return path.read_text(encoding="utf-8")


convert = OptionsCommand(
    "convert",
    callback=_convert,
    params=[click.Argument(["file"], metavar="FILE")],
    accepts=("json", "output", *COMMON_OPTIONS),
    short_help="Translate a workflow of llm-mux, or promptfoo's YAML.",
    help="""Print a workflow of llm-mux (TOML), or promptfoo's configuration (YAML), as a workflow of lok.
    What cannot be said in lok stands there as a comment, and on stderr. Such a step or check never passes.
    The result loads where lok.toml has the backends that it names.

    Exit code 0: all of it was translated; 1: something was not; 2: the file is none of these.
    """,
)
