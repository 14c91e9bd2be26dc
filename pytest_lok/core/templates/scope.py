"""What a template or a condition may read while a run goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pytest_lok.core.results import Json, StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleNames:
    """What a text may refer to, known at load: anything else is a mistake in the file.

    ``arguments`` are the declared ones (positional ``arg.1`` is always allowed), and ``switches`` those
    of them that are "true" or "false"; ``loop`` opens ``item`` and ``index``; ``own`` opens an assert's
    ``output``, ``json``, ``findings``, ``cost`` and ``seconds``.
    """

    steps: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    loop: bool = False
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """The current item of a ``for_each``; ``index`` counts from 0."""

    item: Json
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The values behind the names. ``arguments`` holds names and positions ("1", "2").

    ``own`` is the step's own result so far (asserts only). ``judgements`` holds the answers of
    ``rubric(...)`` judges, asked beforehand, by the rubric's text and backend. ``found`` remembers
    the JSON found in texts; scopes of one run share it, so that each text is searched once. ``told`` are
    the steps whose outcome an assert asks for, so that it may read any output of theirs; None = all.
    ``left`` gives the seconds that are left for the work, and TimeoutError when there are none.
    """

    steps: Mapping[str, StepResult] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    workflow_name: str = ""
    backends: tuple[str, ...] = ()
    project: Mapping[str, Json] = field(default_factory=dict)
    loop: Loop | None = None
    own: StepResult | None = None
    judgements: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    found: dict[str, Json] = field(default_factory=dict, repr=False, compare=False)
    told: frozenset[str] | None = None
    left: Callable[[], float] = field(default=lambda: math.inf, repr=False, compare=False)
