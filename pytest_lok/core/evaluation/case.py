"""A change of which it is known what a review has to say, as its file says it."""

from __future__ import annotations

from pytest_lok.core.toml.positions import KeyPositions, Path
from pytest_lok.core.workflow.reading.source import SourceText
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A place as it is written; ``key`` is where in the file. ``lines`` and ``quote`` are after the change.

    ``removed`` is text of before it. "" and None = not given. ``rules`` () = any rule.
    """

    path: str
    lines: tuple[int, int] | None = None
    quote: str = ""
    removed: str = ""
    rules: tuple[str, ...] = ()
    about: str = ""
    key: Path = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSource:
    """Where both sides of a change are: directories, or commits and files, as the case names them.

    ``before`` "" = the commit ``base`` is the side before; one of ``after``, ``patch`` and ``head`` is given.
    """

    before: str = ""
    after: str = ""
    patch: str = ""
    base: str = ""
    head: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalCase:
    """One case; ``name`` is its directory below the directory of all cases. ``clean``: nothing may block."""

    name: str
    source: SourceText
    change: ChangeSource
    description: str = ""
    clean: bool = False
    margin: int = 3
    must_block: tuple[Expectation, ...] = ()
    must_not_block: tuple[Expectation, ...] = ()

    def problem(self, key: Path, message: str, hint: str = "") -> Problem:
        """A problem at the value of that key of its file."""
        spot = KeyPositions(self.source.text.removeprefix("\ufeff")).value(key)
        return self.source.problem(spot, message, hint)
