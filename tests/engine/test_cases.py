"""Steps with cases in a run: each by itself, and all of them together for whoever needs the step."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.events import BackendAsked, Event, ResumeState, StepFinished
from pytest_lok.core.results import Outcome
from pytest_lok.core.resume.decision import recorded_steps
from pytest_lok.core.resume.inputs import BackendIdentity
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.ports import World
from pytest_lok.engine.run import Run
from tests.engine.worlds import Ran, ran, run_plan, workflow, world

P, F, E, S, SOFT = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED, Outcome.SOFT

REPLIES = [
    ScriptedReply(match="passed", reply="yes"),
    ScriptedReply(match="failed", reply="no"),
    ScriptedReply(match="error", error="auth"),
]
KINDS = ("passed", "failed", "error", "skipped")
AFTER = """
[[steps]]
name = "after"
depends_on = ["q"]
shell = "echo ran"
[[steps]]
name = "counting"
depends_on = ["q"]
min_deps_success = 1
shell = "echo ran"
[[steps]]
name = "reading"
when = "steps.q.passed"
argv = ["printf", "%s", "{{ steps.q.output }}"]
"""


def text(rows: dict[str, str], *, soft: bool = False) -> str:
    cases = ", ".join(f'{{ name = "{name}", kind = "{kind}" }}' for name, kind in rows.items())
    return f"""
[[steps]]
name = "q"
cases = [{cases}]
matrix = {{ backend = ["a", "b"] }}
continue_on_error = {str(soft).lower()}
when = "case.kind != 'skipped'"
prompt = "{{{{ case.kind }}}}: {{{{ case.name }}}}?"
assert = ["output == 'yes'"]
{AFTER}"""


def both(root: Path) -> World:
    made = world(root, Scripted("a", REPLIES), Scripted("b", REPLIES))
    return replace(made, identity=lambda name: BackendIdentity(text=name))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3), soft=st.booleans())
def test_whoever_needs_the_step_needs_each_of_its_cases(kinds: list[str], soft: bool) -> None:
    """Random outcomes of cases: an oracle of what the step comes to, and who may run after it."""
    rows = {f"r{n}": kind for n, kind in enumerate(kinds)}
    with tempfile.TemporaryDirectory() as root:
        done = ran(text(rows, soft=soft), both(Path(root)))
    outcomes = done.outcomes
    red = {"failed", "error"} & {*kinds}
    for name, kind in rows.items():
        for backend in "ab":
            wanted = Outcome.SOFT if soft and kind in red else Outcome(kind)
            assert outcomes[f"q[{backend}-{name}]"] is wanted
    asked = [event.prompt for event in done.events if isinstance(event, BackendAsked)]
    assert sorted(asked) == sorted(2 * [f"{k}: {n}?" for n, k in rows.items() if k != "skipped"])
    assert outcomes["after"] is (S if red and not soft else P)
    assert outcomes["counting"] is (P if {*kinds} == {"passed"} else E)
    runs = {*kinds} == {"passed"}
    # it needs the step because its condition reads it, and red cases keep it from being asked
    assert outcomes["reading"] is (P if runs else S)
    assert done.result.steps["reading"].blocked is bool(red and not soft)
    assert {it.result.name for it in done.events if isinstance(it, StepFinished)} == outcomes.keys()
    worst = F if "failed" in kinds else E if "error" in kinds else P
    assert soft or done.result.outcome is (worst if red or runs else E)


def test_a_later_step_reads_all_cases_in_their_order(tmp_path: Path) -> None:
    done = ran(text({"x": "passed", "y": "passed"}), both(tmp_path))
    read = json.loads(done.result.steps["reading"].output)
    assert [(it["index"], it["name"]) for it in read] == [(0, "a-x"), (1, "b-x"), (2, "a-y"), (3, "b-y")]
    assert read[1] == {
        "index": 1,
        "name": "b-x",
        "item": {"name": "x", "kind": "passed", "backend": "b"},
        "output": "yes",
        "outcome": "passed",
        "success": True,
    }
    assert done.result.cases["q[b-y]"].row == "y"
    assert done.result.cases["q[b-y]"].column == "b"
    assert {reply.backend for reply in done.result.steps["q[b-x]"].replies} == {"b"}


def test_a_case_may_have_items_and_json(tmp_path: Path) -> None:
    done = ran(
        """
        [[steps]]
        name = "q"
        cases = [{ name = "x", files = ["a", "b"] }, { name = "y", files = ["c"] }]
        for_each = "case.files"
        argv = ["echo", "{{ case.name }}{{ item }}"]
        [[steps]]
        name = "sum"
        cases = [{ name = "one" }]
        output_format = "json"
        argv = ["echo", '{"n": 3}']
        assert = ["json.n == 3"]
        [[steps]]
        name = "last"
        argv = ["echo", "{{ steps.q.output[0].json | length }} {{ steps.sum.output[0].json.n }}"]
        """,
        world(tmp_path),
    )
    assert [item.output for item in done.result.steps["q[x]"].items] == ["xa", "xb"]
    assert done.result.steps["last"].output == "2 3"


def test_values_of_a_case_never_become_code(tmp_path: Path) -> None:
    done = ran(
        """
        [[steps]]
        name = "q"
        cases = [{ name = "x", word = "$(touch hacked); {{ 1 + 1 }} 'a' \\"b\\"" }]
        shell = "echo {{ case.word }}"
        """,
        world(tmp_path),
    )
    assert done.result.steps["q[x]"].output == "$(touch hacked); {{ 1 + 1 }} 'a' \"b\""
    assert not (tmp_path / "hacked").exists()


def test_one_case_is_selected_and_the_step_is_not_done(tmp_path: Path) -> None:
    made = workflow(text({"x": "passed", "y": "failed"}))
    one = run_plan(Plan.of(made, select=["q[a-x]"]), both(tmp_path))
    assert one.outcomes == {"q[a-x]": P}
    more = run_plan(Plan.of(made, select=["q[a-x]", "after"]), both(tmp_path))
    assert (more.outcomes["after"], more.outcomes["q[b-y]"]) == (S, F), "the step needs the others too"
    assert set(run_plan(Plan.of(made, select=["q"]), both(tmp_path)).outcomes) == {
        name for name in more.outcomes if name != "after"
    }


def again(first: Ran, rows: dict[str, str], root: Path, *named: str) -> list[str]:
    """The questions of a run that goes on from another one."""
    made, events = workflow(text(rows)), list[Event]()
    state = ResumeState(recorded=recorded_steps(first.events), again=made.named(named), resumes="r1")
    done = asyncio.run(Run(Plan.of(made), both(root), events.append, resume=state).execute())
    assert done.steps.keys() >= {f"q[{b}-{n}]" for b in "ab" for n in rows}
    return sorted(event.prompt for event in events if isinstance(event, BackendAsked))


def test_each_case_is_kept_or_asked_again_by_itself(tmp_path: Path) -> None:
    rows = {"x": "passed", "y": "failed"}
    first = ran(text(rows), both(tmp_path))
    assert again(first, rows, tmp_path) == [], "a judgement is kept, whatever it says"
    assert again(first, {"x": "passed", "y": "passed", "z": "passed"}, tmp_path) == [
        *2 * ["passed: y?"],
        *2 * ["passed: z?"],
    ]
    assert again(first, rows, tmp_path, "q[a-x]") == ["passed: x?"]
    assert len(again(first, rows, tmp_path, "q")) == 4
