"""Steps that run a workflow: what they hand on, what they come to, and what is told of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.events import StepStarted
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.ports import Limits
from pytest_lok.engine.run import Run
from pytest_lok.errors import WorkflowError
from tests.engine.worlds import Ran, run_plan, workflow, world

P, F, E, S, X = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED, Outcome.SOFT


def ran(root: Path, text: str, *backends: Scripted, **inner: str) -> Ran:
    return run_plan(Plan.of(workflow(text, inner=inner)), world(root, *backends))


OUTER = '[[steps]]\nname = "x"\nworkflow = "inner"\n'
COUNT = """
[args.word]
required = true
[outputs]
count = "{{ steps.n.output.count }}"
said = "the word {{ arg.word }}"
plain = "{{ steps.text.output }}"
[[steps]]
name = "n"
shell = "echo '{\\"count\\": 3}'"
output_format = "json"
[[steps]]
name = "text"
shell = "echo no JSON"
"""


def test_named_outputs_are_read_by_later_steps_and_keep_their_kind(tmp_path: Path) -> None:
    after = (
        '[[steps]]\nname = "y"\nargv = ["echo", "{{ steps.x.output.said }}"]\nwhen = "steps.x.count == 3"\n'
    )
    got = ran(tmp_path, f"{OUTER}with = {{ word = 'hey' }}\n{after}", inner=COUNT).result
    assert got.steps["y"].output == "the word hey"
    assert got.steps["x"].data == {"count": 3, "said": "the word hey", "plain": "no JSON"}
    assert [step.name for run in got.steps["x"].nested for step in run.steps] == ["n", "text"]


def test_each_item_runs_the_workflow_by_itself(tmp_path: Path) -> None:
    text = f'{OUTER}with = {{ word = "{{{{ item }}}}" }}\nfor_each = ["a", "b"]\n'
    x = ran(tmp_path, text, inner=COUNT).result.steps["x"]
    assert [run.item for run in x.nested] == [0, 1]
    assert isinstance(x.data, list)
    assert [it["json"]["said"] for it in x.data if isinstance(it, dict)] == ["the word a", "the word b"]  # type: ignore[index,call-overload]


TYPED = """
[args.number]
type = "int"
max = 9
default = 1
[args.files]
type = "list"
default = []
[[steps]]
name = "deep"
argv = ["echo", "{{ arg.number + 1 }} {{ arg.files | length }}"]
"""


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ("number = 3, files = ['a', 'b']", "4 2"),
        ("number = '{{ steps.one.output }}', files = '{{ steps.one.output }},b'", "6 2"),
        ("number = '{{ steps.one.output }}0'", "argument 'number' of workflow 'inner' must be at most 9"),
        ("number = '{{ steps.one.output }}x'", "must be a whole number, and not '5x'"),
    ],
)
def test_values_are_those_of_the_inner_arguments_types(tmp_path: Path, given_: str, said: str) -> None:
    text = f'[[steps]]\nname = "one"\nshell = "echo 5"\n{OUTER}with = {{ {given_} }}\n'
    x = ran(tmp_path, text, inner=TYPED).result.steps["x"]
    assert said in x.output
    assert x.outcome is (P if x.nested else E)


def test_effects_of_inner_steps_are_told_before_they_begin(tmp_path: Path) -> None:
    events = ran(tmp_path, OUTER, inner='[[steps]]\nname = "e"\nshell = "true"\neffects = true\n').of(
        StepStarted
    )
    assert [(it.step, it.effects) for it in events if isinstance(it, StepStarted)] == [("x", True)]


ASK = '[[steps]]\nname = "{}"\nprompt = "?"\nbackend = "a"\n'


@pytest.mark.parametrize("where", ["outer", "inner"])
def test_both_budgets_must_have_room(tmp_path: Path, where: str) -> None:
    limit = "[budget]\ncalls = 1\n"
    inner = ASK.format("q") + (ASK.format("r") if where == "inner" else "")
    text = OUTER + ASK.format("y") + 'depends_on = ["x"]\n'
    texts = {"outer": (limit + text, inner), "inner": (text, limit + inner)}[where]
    got = ran(tmp_path, texts[0], Scripted("a", "yes"), inner=texts[1]).result
    assert {got.steps["x"].outcome, got.steps["y"].outcome} == ({P, E} if where == "outer" else {E, S})
    assert got.usage.calls <= 1


def test_steps_in_all_are_bounded_and_circles_are_mistakes() -> None:
    ten = "".join(f'[[steps]]\nname = "s{n}"\nworkflow = "deeper"\n' for n in range(32))
    leaf = "".join(f'[[steps]]\nname = "s{n}"\nshell = "true"\n' for n in range(32))
    with pytest.raises(WorkflowError, match="`inner` has 1,056 steps with those of the workflows that it"):
        workflow(OUTER, inner={"inner": ten, "deeper": leaf})
    with pytest.raises(WorkflowError, match="workflows run each other: w -> inner -> w"):
        workflow(OUTER, inner={"inner": '[[steps]]\nname = "y"\nworkflow = "w"\n'})


@pytest.mark.parametrize("first", [1, 20, 300])
def test_workflows_lie_within_each_other_up_to_a_depth(first: int) -> None:
    deep = {f"d{n}": f'[[steps]]\nname = "s{n}"\nworkflow = "d{n - 1}"\n' for n in range(1, 301)}
    deep["d0"] = '[[steps]]\nname = "leaf"\nshell = "true"\n'
    text = OUTER.replace("inner", f"d{first - 1}")
    if first <= 20:
        assert len([*workflow(text, inner=deep).in_all()]) == first + 1
        return
    with pytest.raises(WorkflowError, match="more than 20 workflows run each other: w -> d299 -> d298 -> …"):
        workflow(text, inner=deep)


def test_secrets_are_masked_in_what_is_told_and_handed_on_as_they_are(tmp_path: Path) -> None:
    inner = '[[steps]]\nname = "deep"\nshell = "echo hush-hush-hush"\n'
    after = "[[steps]]\nname = 'y'\nshell = 'test {{ steps.x.output }} = hush-\"hush\"-hush'\n"
    within = replace(world(tmp_path), redactor=Redactor({"hush-hush-hush"}))
    got = run_plan(Plan.of(workflow(OUTER + after, inner={"inner": inner})), within)
    assert got.result.steps["y"].outcome is P
    assert "hush-hush" not in repr([vars_of(event) for event in got.events])
    assert "hush-hush" not in repr(vars_of(got.result.steps["x"].nested[0].steps[0]))


def vars_of(value: object) -> dict[str, object]:
    return {name: getattr(value, name) for name in type(value).__dataclass_fields__}  # type: ignore[attr-defined]


def test_an_output_without_its_middle_is_handed_on_by_nobody(tmp_path: Path) -> None:
    long = '[[steps]]\nname = "deep"\nshell = "yes | head -c 9000000"\n'
    after = "[[steps]]\nname = 'y'\nargv = ['echo', '{{ steps.x.output }}']\n"
    got = ran(tmp_path, OUTER + after, inner=long).result
    assert (got.steps["x"].outcome, got.steps["y"].outcome) == (P, E)
    named = ran(tmp_path, OUTER, inner=f"[outputs]\nall = '{{{{ steps.deep.output }}}}'\n{long}").result
    assert named.steps["x"].outcome is E


def test_what_is_stopped_leaves_what_it_had_and_nothing_twice(tmp_path: Path) -> None:
    late = '[[steps]]\nname = "late"\ndepends_on = ["q"]\nshell = "touch begun; sleep 60"\n'
    plan = Plan.of(workflow(OUTER, inner={"inner": ASK.format("q") + late}))

    async def stopped() -> StepResult:
        run = Run(plan, world(tmp_path, Scripted("a", "yes")))
        going = asyncio.ensure_future(run.execute())
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0.005)
        run.stop("enough")
        return (await going).steps["x"]

    x = asyncio.run(stopped())
    assert (x.outcome, [reply.text for reply in x.replies], x.usage.calls) == (E, ["yes"], 1)
    assert {step.name: step.outcome for step in x.nested[0].steps} == {"q": P, "late": E}
    timed = ran(tmp_path, f"{OUTER}timeout = 100\n", inner='[[steps]]\nname = "d"\nshell = "sleep 60"\n')
    assert "the workflow inner timed out after 0.1 s" in timed.result.steps["x"].reason


def test_a_dry_run_shows_the_edits_of_inner_steps_and_nothing_counts_on_them(tmp_path: Path) -> None:
    edit = '{"edits": [{"file": "new.py", "old": "", "new": "x"}]}'
    inner = (
        f'{ASK.format("q")}apply_edits = true\n[[steps]]\nname = "r"\nshell = "true"\ndepends_on = ["q"]\n'
    )
    after = '[[steps]]\nname = "y"\nshell = "true"\ndepends_on = ["x"]\n'
    within = replace(world(tmp_path, Scripted("a", edit)), dry_run=True)
    got = run_plan(Plan.of(workflow(OUTER + after, inner={"inner": inner})), within).result
    assert {name: step.outcome for name, step in got.steps.items()} == {"x": S, "y": S}
    assert got.steps["y"].blocked_by == "x"
    assert "+++ b/new.py" in got.steps["x"].output
    assert not (tmp_path / "new.py").exists()


# Random nestings against an oracle of what they come to


@dataclass(frozen=True)
class Leaf:
    """A question: passed, failed by its assert, an error of its backend, or skipped."""

    comes_to: Outcome
    soft: bool


@dataclass(frozen=True)
class Within:
    """A step that runs a workflow of such steps; each of these needs the ones of those numbers."""

    steps: tuple[tuple[Leaf | Within, frozenset[int]], ...]
    allow_skip: bool
    soft: bool


def _steps(inner: st.SearchStrategy[Leaf | Within]) -> st.SearchStrategy[Within]:
    needs = st.frozensets(st.integers(0, 3), max_size=2)
    return st.builds(
        Within,
        steps=st.lists(st.tuples(inner, needs), min_size=1, max_size=4).map(tuple),
        allow_skip=st.booleans(),
        soft=st.booleans(),
    )


LEAVES = st.builds(Leaf, comes_to=st.sampled_from([P, P, P, F, E, S]), soft=st.booleans())
TREES = _steps(st.recursive(LEAVES, _steps, max_leaves=12))


@dataclass
class Texts:
    """A tree as workflow files: the inner ones by name, and how each leaf answers."""

    inner: dict[str, str] = field(default_factory=dict)

    def write(self, tree: Within, path: str) -> str:
        """The text of a workflow whose steps are called after their place in the tree."""
        lines = [f"allow_skip = {str(tree.allow_skip).lower()}"]
        for number, (step, needs) in enumerate(tree.steps):
            name = f"{path}-{number}"
            lines += ["[[steps]]", f'name = "{name}"', f"continue_on_error = {str(step.soft).lower()}"]
            lines.append(f"depends_on = {[f'{path}-{need}' for need in sorted(needs) if need < number]}")
            if isinstance(step, Within):
                self.inner[name] = self.write(step, name)
                lines.append(f'workflow = "{name}"')
            else:
                backend = "broken" if step.comes_to is E else "a"
                lines += [f'prompt = "ask {name}"', f'backend = "{backend}"']
                lines += ["when = '1 == 2'"] if step.comes_to is S else []
                lines += ["assert = ['output == \"no\"']"] if step.comes_to is F else []
        return "\n".join(lines) + "\n"


def expected(tree: Within, path: str) -> dict[str, Outcome | None]:
    """What every step comes to by the language's rules, None = blocked; inner steps too, where they run."""
    found: dict[str, Outcome | None] = {}
    for number, (step, needs) in enumerate(tree.steps):
        name, before = f"{path}-{number}", [found[f"{path}-{need}"] for need in needs if need < number]
        if any(it in (F, E, None) for it in before):
            found[name] = None
            continue
        outcome = step.comes_to if isinstance(step, Leaf) else _of_run(step, inner := expected(step, name))
        if isinstance(step, Within):
            found |= inner
        found[name] = X if step.soft and outcome in (F, E) else outcome
    return found


def _of_run(tree: Within, inner: Mapping[str, Outcome | None]) -> Outcome:
    depth = min(name.count("-") for name in inner)
    own = [outcome for name, outcome in inner.items() if name.count("-") == depth]
    if F in own or E in own:
        return F if F in own else E
    if P in own:
        return P
    return S if tree.allow_skip and X not in own else E


def told(steps: Iterator[StepResult]) -> Iterator[tuple[str, Outcome | None]]:
    for step in steps:
        yield step.name, None if step.blocked else step.outcome
        for run in step.nested:
            yield from told(iter(run.steps))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES, one_by_one=st.booleans())
def test_random_nestings_come_to_what_the_rules_say(tree: Within, one_by_one: bool, tmp_path: Path) -> None:
    texts = Texts()
    plan = Plan.of(workflow(texts.write(tree, "s"), inner=texts.inner))
    good, broken = Scripted("a", "yes"), Scripted("broken", [ScriptedReply(error="auth")])
    limits = Limits(max_parallel=1, is_explicit=True) if one_by_one else None
    got = run_plan(plan, world(tmp_path, good, broken, limits=limits))
    outcomes = expected(tree, "s")
    assert dict(told(iter(got.result.steps.values()))) == outcomes
    # every question that is due was asked once, and no other one
    due = {name for name, outcome in outcomes.items() if outcome not in (None, S) and name not in texts.inner}
    asked = Counter(prompt.text for backend in (good, broken) for prompt in backend.asked)
    assert asked == Counter(f"ask {name}" for name in due)
    top = [outcomes[f"s-{number}"] for number in range(len(tree.steps))]
    assert got.result.passed == (P in top and not {F, E} & set(top))
