"""What a template or a condition may read while a run goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import TemplateError

if TYPE_CHECKING:
    from pytest_lok.core.json_values import JsonType
    from pytest_lok.core.results import Json, StepResult

QUICK_CHARACTERS = 100_000
"""Characters that are gone through in no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseKeys:
    """What ``case.NAME`` may read: each key of any case, with the first case that lacks it ("" = none does).

    ``is_open``: a case could not be read, so that any name may be among them.
    """

    lacking: Mapping[str, str]
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleNames:
    """What a text may refer to, known at load: anything else is a mistake in the file.

    ``arguments`` are the declared ones (positional ``arg.1`` is always allowed), and ``switches`` those
    of them that are the texts "true" or "false"; ``typed`` has the type of those that are no text, by name
    and by position. ``last`` are what a text reads of the round before, after `last.`; ``has_ended``: there
    is one, so that nothing of it is missing. ``loop`` opens ``item`` and ``index``; ``own`` opens an assert's
    ``output``, ``json``, ``findings``, ``cost`` and ``seconds``. ``cases`` opens ``case``, with its keys.
    ``itself`` is the step that the text stands in, "" = none: no hint offers it.
    """

    steps: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    typed: Mapping[str, JsonType] = field(default_factory=dict)
    last: frozenset[str] = frozenset()
    has_ended: bool = False
    loop: bool = False
    own: bool = False
    cases: CaseKeys | None = None
    itself: str = ""

    @property
    def other_steps(self) -> frozenset[str]:
        """The steps but the one that the text stands in."""
        return self.steps - {self.itself}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """The current item of a ``for_each``; ``index`` counts from 0."""

    item: Json
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The values behind the names of a text.

    ``arguments`` holds values by name and by position ("1", "2"). ``last`` are the outputs of the round that
    has ended last, None = no round has. ``own`` is the step's own result so far, in
    asserts only. ``judgements`` holds the answers of ``rubric(...)`` judges, who were asked before, by the
    rubric's text, backend and scale. ``json_cache`` holds the JSON found in texts; the scopes of a run share
    it, so that each text is searched once. ``outcome_steps`` are the steps whose outcome an assert asks
    for: it may read their outputs though they did not pass; None = those of all steps. ``case`` has the
    values of the case that the step is, None = it is none. ``time_left`` gives
    the seconds that remain for the work, and raises TimeoutError when none do.
    """

    steps: Mapping[str, StepResult] = field(default_factory=dict)
    arguments: Mapping[str, Json] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    workflow_name: str = ""
    backends: tuple[str, ...] = ()
    project: Mapping[str, Json] = field(default_factory=dict)
    loop: Loop | None = None
    last: Mapping[str, Json] | None = None
    own: StepResult | None = None
    judgements: Mapping[tuple[str, str, str], bool | float] = field(default_factory=dict)
    json_cache: dict[str, Json] = field(default_factory=dict, repr=False, compare=False)
    outcome_steps: frozenset[str] | None = None
    case: Mapping[str, Json] | None = None
    time_left: Callable[[], float] = field(default=lambda: math.inf, repr=False, compare=False)

    def at(self, loop: Loop | None) -> Scope:
        """The scope of one item; of the step itself with None."""
        return self if loop is None else replace(self, loop=loop)


def output_cut_error(name: str) -> TemplateError:
    """What reads an output that lost its middle gets this instead."""
    return TemplateError(
        f"the output of step {name!r} is too long to be judged or passed on: its middle was not kept",
        hint="let the command print less, judge in it (grep, jq), or write a file and pass its name",
    )
