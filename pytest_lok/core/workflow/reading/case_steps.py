"""A step of a file → the steps that it is: one, or one for each of its cases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.core.workflow.model import Ask, Step
from pytest_lok.core.workflow.reading.ask_reader import read_ask
from pytest_lok.core.workflow.reading.step_reader import read_step

if TYPE_CHECKING:
    from pytest_lok.core.toml.positions import Path
    from pytest_lok.core.workflow.reading.cases.combinations import NamedCase
    from pytest_lok.core.workflow.reading.step_keys import StepKeys

_CHOOSING = {"backend": ("backend", "backends"), "model": ("model",)}
"""Keys of a case that choose whom a step asks, and the keys of a step that do the same."""


def read_steps(keys: StepKeys) -> list[Step]:
    """The steps of the keys; [] if a problem of them has been reported."""
    if not keys.cases:
        step = read_step(keys)
        return [] if step is None else [step]
    is_question = not (keys.is_blank("prompt") and keys.is_blank("prompt_file"))
    chosen = _chosen(keys) if is_question else {}
    first = next(iter(chosen.values()), keys)
    step = read_step(first)
    if step is None:
        return []
    asks: dict[str, Ask] = {}
    for name, variant in chosen.items():
        said = len(keys.file.remarks), len(keys.file.warnings)
        found = step.action if variant is first else read_ask(variant)
        # said already, of the first
        del keys.file.remarks[said[0] :], keys.file.warnings[said[1] :]
        if isinstance(found, Ask):
            asks[name] = found
    return [_step_of(step, one, asks) for one in keys.cases]


def connected(groups: Sequence[Sequence[Step]]) -> list[Step]:
    """The steps of a file, each as its cases: whoever needs a step with cases needs all of them."""
    cases = {it[0].written_name: tuple(step.name for step in it) for it in groups if it and it[0].case}
    if not cases:
        return [step for group in groups for step in group]
    return [
        replace(step, needs=tuple(itertools.chain.from_iterable(cases.get(it, (it,)) for it in step.needs)))
        for group in groups
        for step in group
    ]


def _step_of(step: Step, one: NamedCase, asks: Mapping[str, Ask]) -> Step:
    values = one.case.values
    action = asks.get(str(values.get("backend", "")), step.action)
    if isinstance(action, Ask) and values.get("model"):
        action = replace(action, model=str(values["model"]))
    return replace(step, name=one.case.place.name, case=one.case, action=action)


def _chosen(keys: StepKeys) -> dict[str, StepKeys]:
    """The keys of the step with each backend that its cases choose; {} = they choose none."""
    cases = keys.outer_names.cases
    for key, own in _CHOOSING.items():
        lacking = cases.lacking.get(key) if cases else None
        if lacking is None:
            continue
        for stated in own:
            if not keys.is_blank(stated):
                keys.report(f"`{key}` is a key of the cases too", "keep one of the two", stated, key=True)
        if lacking:
            keys.report(f"{lacking} has no `{key}`, and others do", "give it one", *_place(keys, key))
        for one in keys.cases:
            if not isinstance(one.case.values.get(key, ""), str):
                keys.report(f"the `{key}` of a case is text", "write it in quotes", *_place(keys, key))
    unknown = {*_unknown_backends(keys)} if isinstance(keys.document.cases, str) else set()
    found: dict[str, StepKeys] = {}
    for backend, place in _backends(keys):
        if backend not in found and backend not in unknown:
            found[backend] = keys.standing_in("backend", backend, place)
    return found


def _unknown_backends(keys: StepKeys) -> Iterator[str]:
    """The backends that rows of a file name and nobody knows, each told at its row."""
    roles, told = keys.context.roles, set[str]()
    for one in keys.cases:
        written = one.row.values.get("backend") if one.row else None
        if not isinstance(written, str) or written in told:
            continue
        told.add(written)
        for name in filter(None, map(str.strip, written.split(","))):
            if not keys.is_known_backend(name) and name not in roles and one.row is not None:
                hint = keys.unknown_backend_hint(name, roles)
                keys.file.problems.append(one.row.problem("backend", f"there is no backend `{name}`", hint))
                yield written


def _backends(keys: StepKeys) -> Iterator[tuple[str, Path]]:
    """Each backend that a case chooses, and where that is written."""
    axis = (keys.document.matrix or {}).get("backend")
    tables = keys.document.cases if isinstance(keys.document.cases, list) else []
    if axis is not None:
        yield from ((str(value), keys.at("matrix", "backend", at)) for at, value in enumerate(axis))
        return
    for at, one in enumerate(keys.cases):
        if "backend" in one.case.values:
            place = keys.at("cases", at, "backend") if at < len(tables) else keys.at("cases")
            yield str(one.case.values["backend"]), place


def _place(keys: StepKeys, key: str) -> tuple[str, ...]:
    return ("matrix", key) if key in (keys.document.matrix or {}) else ("cases",)
