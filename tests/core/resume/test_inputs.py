from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.results import Outcome, Reply, Section, StepResult, Usage
from pytest_lok.core.resume.inputs import (
    ARGUMENTS,
    BASE,
    ENVIRONMENT,
    FILES,
    PROJECT,
    SETTINGS,
    STEP,
    STEPS,
    Facts,
    step_inputs,
    variables_named,
)
from pytest_lok.core.toml.fields import keys
from pytest_lok.core.workflow.model import Workflow
from pytest_lok.core.workflow.step_document import StepDocument
from tests.engine.worlds import workflow

A = StepResult(name="a", outcome=Outcome.PASSED, output="said", attempts=1, seconds=1.0)
FACTS = Facts(results={"a": A}, lineage={"a": "r1"}, settings="1", reads_files=False)

_ROUNDS = 'workflow = "one"\nuntil = "{}"\nmax_rounds = {}\n'
KEYS = {
    "depends_on": ('depends_on = ["a"]', "depends_on = []"),
    "when": ("when = 'steps.a.passed'", "when = 'steps.a.failed'"),
    "if": ("if = 'steps.a.passed'", "if = 'steps.a.failed'"),
    "continue_on_error": ("continue_on_error = true", ""),
    "min_deps_success": ('depends_on = ["a"]\nmin_deps_success = 1', 'depends_on = ["a"]'),
    "for_each": ('for_each = ["1"]', 'for_each = ["2"]'),
    "cases": ('cases = [{name = "x", a = 1}]', 'cases = [{name = "x", a = 2}]'),
    "matrix": ("matrix = {a = [1]}", "matrix = {a = ['1']}"),
    "output_format": ('output_format = "json"', 'output_format = "lines"'),
    "output_schema": ("output_schema = {type = 'object'}", "output_schema = {type = 'array'}"),
    "assert": ("assert = ['output contains \"x\"']", "assert = ['output contains \"y\"']"),
    "prompt": ('prompt = "one"', 'prompt = "two"'),
    "prompt_file": ('prompt_file = "one.md"', 'prompt_file = "two.md"'),
    "system_file": ('system_file = "one.md"', 'system_file = "two.md"'),
    "instructions": ('instructions = ["A.md"]', 'instructions = ["B.md"]'),
    "backend": ('backend = "x"', 'backend = "y"'),
    "backends": ('backends = ["x", "y"]', 'backends = ["x", "z"]'),
    "model": ('model = "m"', 'model = "n"'),
    "system": ('system = "one"', 'system = "two"'),
    "attach": ("attach = ['one.txt']", "attach = ['two.txt']"),
    "tools": ('tools = {ask_x = "asks"}', 'tools = {ask_x = "asks x"}'),
    "consensus": ('backends = ["x", "y"]\nconsensus = "vote"', 'backends = ["x", "y"]\nconsensus = "first"'),
    "quorum": ('backends = ["x", "y"]\nquorum = 1', 'backends = ["x", "y"]\nquorum = 2'),
    "vote_on": (
        'backends = ["x", "y"]\nconsensus = "vote"\nvote_on = "a"',
        'backends = ["x", "y"]\nconsensus = "vote"\nvote_on = "b"',
    ),
    "weights": (
        'backends = ["x", "y"]\nconsensus = "weighted_vote"\nweights = {x = 1}',
        'backends = ["x", "y"]\nconsensus = "weighted_vote"\nweights = {x = 2}',
    ),
    "synthesizer": ('backends = ["x", "y"]\nsynthesizer = "x"', 'backends = ["x", "y"]\nsynthesizer = "y"'),
    "apply_edits": ("apply_edits = true", ""),
    "verify": ('verify = "make a"', 'verify = "make b"'),
    "fix_retries": ('verify = "a"\nfix_retries = 1', 'verify = "a"\nfix_retries = 2'),
    "allow_empty": ("apply_edits = true\nallow_empty = true", "apply_edits = true"),
    "allow_paths": ('apply_edits = true\nallow_paths = ["a"]', "apply_edits = true"),
    "rollback": ("apply_edits = true\nrollback = false", "apply_edits = true"),
    "repeat": ("repeat = 2", "repeat = 3"),
    "options": ("options = { seed = 1 }", "options = { seed = 2 }"),
    "pass": ("repeat = 3\npass = 1", "repeat = 3\npass = 2"),
    "approve": ('approve = "one?"', 'approve = "two?"'),
    "shell": ('shell = "one"', 'shell = "two"'),
    "argv": ('argv = ["one"]', 'argv = ["two"]'),
    "stdin": ('shell = "cat"\nstdin = "one"', 'shell = "cat"\nstdin = "two"'),
    "env": ('shell = "env"\nenv = {A = "1"}', 'shell = "env"\nenv = {A = "2"}'),
    "cwd": ('shell = "ls"\ncwd = "one"', 'shell = "ls"\ncwd = "two"'),
    "judges": ('shell = "ls"\njudges = false', 'shell = "ls"'),
    "pipefail": ('shell = "a | b"\npipefail = true', 'shell = "a | b"'),
    "unsafe_shell": ("shell = '{{ env.A }}'\nunsafe_shell = true", "shell = 'echo {{ env.A }}'"),
    "on": ('shell = "ls"\non = "big"', 'shell = "ls"\non = "small"'),
    "needs": ('shell = "ls"\nneeds = {cores = 1}', 'shell = "ls"\nneeds = {cores = 2}'),
    "artifacts": ('shell = "ls"\nartifacts = ["a"]', 'shell = "ls"\nartifacts = ["b"]'),
    "effects": ('shell = "ls"\neffects = true', 'shell = "ls"'),
    "workflow": ('workflow = "one"', 'workflow = "two"'),
    "until": (_ROUNDS.format("last.output == 'a'", 5), _ROUNDS.format("last.output == 'b'", 5)),
    "max_rounds": (_ROUNDS.format("last.output == 'a'", 5), _ROUNDS.format("last.output == 'a'", 6)),
    "stalled": (
        _ROUNDS.format("last.output == 'a'", 5) + "stalled = 2",
        _ROUNDS.format("last.output == 'a'", 5) + "stalled = 3",
    ),
    "with": ('workflow = "one"\nwith = { word = "a" }', 'workflow = "one"\nwith = { word = "b" }'),
}
"""Two values of each key of a step that has a say in its result."""
TIMES = {
    "timeout": "timeout = '1s'",
    "retries": "retries = 2",
    "retry_delay": "retries = 1\nretry_delay = 1",
    "max_parallel": 'for_each = ["1"]\nmax_parallel = 1',
}
"""Those that only decide when it runs, and for how long."""


def of(lines: str) -> Workflow:
    asks = not any(
        line.startswith(("shell", "argv", "prompt", "workflow", "approve")) for line in lines.splitlines()
    )
    prompt = 'prompt = "ask"\n' if asks else ""
    first = '[[steps]]\nname = "a"\nshell = "true"\n'
    text = f'[args.q]\ndefault = "q"\n{first}[[steps]]\nname = "s"\n{prompt}{lines}\n'
    deep = '[args.word]\ndefault = "w"\n[[steps]]\nname = "deep"\nshell = "echo {}"\n'
    return workflow(text, inner={name: deep.format(name) for name in ("one", "two")})


def inputs(lines: str, facts: Facts = FACTS) -> dict[str, str]:
    made = of(lines)
    return step_inputs(made.steps[-1], made, replace(facts, digests={}))


def test_every_key_of_a_step_has_its_place() -> None:
    assert {*KEYS, *TIMES, "name"} == {*keys(StepDocument)}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_is_changed_changes_the_step(key: str) -> None:
    one, two = (inputs(lines) for lines in KEYS[key])
    assert one[STEP] != two[STEP]
    assert one == inputs(KEYS[key][0])


@pytest.mark.parametrize("key", TIMES)
def test_a_key_that_only_decides_when_it_runs_changes_nothing(key: str) -> None:
    without = "\n".join(line for line in TIMES[key].splitlines() if line.startswith("for_each"))
    assert inputs(TIMES[key]) == inputs(without)


READS = [
    ("prompt = '{{ arg.q }}'", replace(FACTS, arguments={"q": "other"}), ARGUMENTS),
    ("prompt = '{{ arg[\"q\"] }}'", replace(FACTS, arguments={"q": "other"}), ARGUMENTS),
    ("when = 'arg.q == \"q\"'", replace(FACTS, arguments={"q": "other"}), ARGUMENTS),
    ("prompt = '{{ env.A }}'", replace(FACTS, env={"A": "other"}), ENVIRONMENT),
    ("assert = ['env[\"A\"] == output']", replace(FACTS, env={"A": "other"}), ENVIRONMENT),
    ("shell = 'true'", replace(FACTS, env={"ANY": "other"}), ENVIRONMENT),
    ("verify = 'true --now'", replace(FACTS, env={"ANY": "other"}), ENVIRONMENT),
    ("prompt = '{{ project.language }}'", replace(FACTS, project=lambda: {"language": "c"}), PROJECT),
    ("prompt = 'plain'", replace(FACTS, settings="2"), SETTINGS),
    ("attach = ['a.txt']", replace(FACTS, attached={"a.txt": "digest"}), FILES),
    ("output_format = 'findings'", replace(FACTS, base="abc"), BASE),
    *[
        ("prompt = '{{ steps.a.output }}'", replace(FACTS, results={"a": other}), STEPS)
        for other in (
            replace(A, output="other"),
            replace(A, outcome=Outcome.FAILED),
            replace(A, data={"usage": 1}, has_data=True),
            replace(A, replies=(Reply(text="t", backend="b"),)),
            replace(A, exit_code=3),
        )
    ],
    ("prompt = '{{ steps.a.seconds }}'", replace(FACTS, results={"a": replace(A, seconds=2)}), STEPS),
    ('prompt = \'{{ steps.a["sec" ~ "onds"] }}\'', replace(FACTS, lineage={"a": "r2"}), STEPS),
    ("shell = 'true'\ndepends_on = ['a']", replace(FACTS, lineage={"a": "r2"}, reads_files=True), STEPS),
]


@pytest.mark.parametrize(("lines", "facts", "what"), READS)
def test_what_a_step_reads_is_one_of_its_inputs(lines: str, facts: Facts, what: str) -> None:
    before = inputs(lines, replace(FACTS, reads_files=facts.reads_files))
    now = inputs(lines, facts)
    assert {name for name in {*before, *now} if before.get(name) != now.get(name)} == {what}


SAME = [
    ("prompt = 'plain'", replace(FACTS, arguments={"q": "other"}, env={"A": "b"}, base="")),
    ("prompt = '{{ env.A }}'", replace(FACTS, env={"OTHER": "b"})),
    ("prompt = '{{ steps.a.env }}'", replace(FACTS, env={"A": "b"})),
    ("shell = 'true'", replace(FACTS, env={"SHLVL": "9", "PYTEST_XDIST_WORKER": "gw1"})),
    ("prompt = '{{ steps.a.output }}'", replace(FACTS, lineage={"a": "r2"})),
    *[
        ("prompt = '{{ steps.a.output }}'", replace(FACTS, results={"a": other}))
        for other in (
            replace(A, seconds=2.0),
            replace(A, usage=Usage(calls=2)),
            replace(A, sections=(Section(title="t", text="x"),)),
        )
    ],
]


@pytest.mark.parametrize(("lines", "facts"), SAME)
def test_what_a_step_does_not_read_is_none(lines: str, facts: Facts) -> None:
    assert inputs(lines) == inputs(lines, facts)


def test_what_cannot_be_known_makes_all_of_it_unknown() -> None:
    assert inputs("prompt = '{{ workflow.backends }}'") == {}
    assert inputs("prompt = '{{ workflow[\"backends\"] }}'") == {}
    assert inputs("attach = ['a.txt']", replace(FACTS, attached=None)) == {}
    assert inputs("prompt = 'which workflow and backends are there?'") != {}


texts = st.text(alphabet="ab{}%\"' \n", max_size=8)


@given(one=texts, two=texts)
def test_two_texts_have_one_digest_only_if_they_are_one(one: str, two: str) -> None:
    facts = replace(FACTS, arguments={"q": one}), replace(FACTS, arguments={"q": two})
    said = [inputs("prompt = '{{ arg.q }}'", each)[ARGUMENTS] for each in facts]
    assert (said[0] == said[1]) == (one == two)


@pytest.mark.parametrize(
    "read", ["env.A", "(env).A", 'env["A"]', "env[ 'A' ]", 'env["\\x41"]', 'env["" "A"]']
)
def test_a_variable_is_named_in_whatever_way_a_text_may_read_it(read: str) -> None:
    for lines in (f"when = '''{read} == 'x''''", f"prompt = '''of this env: {{{{ {read} }}}}'''"):
        assert variables_named([of(lines).step("s")], {"A": "x"}) == {"A": "x"}, lines


def test_prose_names_no_variable() -> None:
    step = of('prompt = "Look at env, {{ steps.a.output }}"').step("s")
    assert variables_named([step], {"A": "x"}) == {}
