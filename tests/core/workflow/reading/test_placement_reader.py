"""Where commands run, and which files of theirs a later step may read: over random workflows, with an oracle."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.remote import Placement
from pytest_lok.core.workflow.model import Origin, Workflow
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.errors import WorkflowError

AWAY = {
    "on": 'shell = "true"\non = "big"',
    "needs": 'argv = ["true"]\nneeds = { cores = 2, memory = "1.5GB" }',
}
READERS = {
    "command": 'shell = "true"',
    "here": 'argv = ["true"]\non = "here"',
    "lok": 'argv = ["lok", "parts"]',
    "verify": 'prompt = "x"\nverify = "true"',
    "attach": 'prompt = "x"\nattach = ["a"]',
    "edits": 'prompt = "x"\napply_edits = true',
    "findings": 'prompt = "x"\noutput_format = "findings"',
    "effects": 'shell = "git push"',
}
NEITHER = {"ask": 'prompt = "x"', "off": 'prompt = "x"\nverify = false'}
PLACED_ASK = {"placed verify": 'prompt = "x"\nverify = "true"\non = "big"'}
KINDS = AWAY | READERS | NEITHER | PLACED_ASK
STAYS = {"here", "lok", "effects"}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(sorted(KINDS)), st.sampled_from(["", "[]", '["d/*"]']), st.sets(st.integers(0, 5))
    ),
    min_size=1,
    max_size=6,
)


def parsed(text: str, *, travels: bool = False) -> Workflow:
    source = SourceText(text=text, path="w.toml", stem="w", origin=Origin.PROJECT)
    return parse_workflow(source, parent=lambda *_: None, travels=travels)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, travels=st.booleans())
def test_a_file_that_stays_away_is_refused_where_somebody_may_read_it(
    steps: list[tuple[str, str, set[int]]], travels: bool
) -> None:
    lines, direct = [], {}
    for n, (kind, artifacts, after) in enumerate(steps):
        is_command = not KINDS[kind].startswith("prompt")
        direct[n] = {other for other in after if other < n}
        needs = ", ".join(f'"s{other}"' for other in direct[n])
        lines += ["[[steps]]", f'name = "s{n}"', KINDS[kind], f"depends_on = [{needs}]"]
        lines += [f"artifacts = {artifacts}"] if artifacts and is_command else []

    def rests_on(late: int, early: int) -> bool:
        return any(one == early or rests_on(one, early) for one in direct[late])

    refused = set()
    for n, (kind, artifacts, _) in enumerate(steps):
        is_command = not KINDS[kind].startswith("prompt")
        is_away = kind in AWAY or (travels and is_command and kind not in STAYS)
        readers = [late for late in range(n + 1, len(steps)) if rests_on(late, n)]
        if is_away and not artifacts and any(steps[late][0] not in NEITHER for late in readers):
            refused.add(f"s{n}")
    try:
        made = parsed("\n".join(lines), travels=travels)
    except WorkflowError as error:
        told = {re.findall(r"`(\w+)` leaves", problem.message)[0] for problem in error.problems}
        assert told == refused
        return
    assert not refused
    for step, (kind, _, _) in zip(made.steps, steps, strict=True):
        verifies = kind in ("verify", "placed verify")
        moved = travels and kind not in STAYS and (verifies or not KINDS[kind].startswith("prompt"))
        assert (step.placement is not None) == (kind in AWAY or kind in PLACED_ASK or moved)


@pytest.mark.parametrize(
    ("lines", "placement"),
    [
        ('on = "a.b:1-2"', Placement(on="a.b:1-2")),
        ("needs = { cores = 0.5 }", Placement(cores=0.5)),
        ('needs = { memory = "8GB" }', Placement(memory=8 * 10**9)),
        ('needs = { memory = "1.5GiB" }', Placement(memory=3 * 2**29)),
        ('on = "big"\nneeds = { cores = 4, memory = "512 MiB" }', Placement(on="big", cores=4, memory=2**29)),
        ('on = "here"', None),
        ("", None),
    ],
)
def test_what_a_command_needs(lines: str, placement: Placement | None) -> None:
    assert parsed(f'[[steps]]\nname = "a"\nshell = "true"\n{lines}\n').steps[0].placement == placement
