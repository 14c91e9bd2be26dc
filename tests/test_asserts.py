"""Asserts of every form, and what a person sees of one that says no: the same through lok and pytest."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.results import Outcome, Usage
from tests.engine.worlds import Ran, ran, world

SAID = '{"score": 2, "verdict": "fail", "items": [1, 2, 3], "title": "a b.py:7"}'
YES, NO = (f'{{"verdict": "{ruling}", "reason": "since I looked"}}' for ruling in ("yes", "no"))

FORMS: Mapping[str, bool] = {
    "output contains 'verdict'": True,
    "output contains 'nowhere'": False,
    "contains(output, 'score')": True,
    'contains(output, "\\"score\\"")': True,
    "contains(output, 'Score')": False,
    "icontains(output, 'SCORE')": True,
    "icontains(output, 'nowhere')": False,
    "equals(steps.before.output, 'PASS')": True,
    "equals(before.output, 'PASS')": True,
    "equals(before.output, 'PAS')": False,
    "not(contains(output, 'nowhere'))": True,
    "not(contains(output, 'score'))": False,
    "steps.before.success": True,
    "before.success": True,
    "steps.before.failed": False,
    "steps.before.passed and not steps.before.skipped": True,
    "json.score == 2": True,
    "json.score > 2": False,
    "json.items | length == 3": True,
    "json.title == 'a b.py:7'": True,
    "json.verdict in ['pass', 'fail']": True,
    "json.verdict in ['pass']": False,
    "json.nothing is defined": False,
    "json.nothing | default('x') == 'x'": True,
    "matches(json.title, '[a-z]+ [a-z]+\\.py:\\d+')": True,
    "matches(json.title, '^b')": False,
    "is_json(output)": True,
    "is_json(json.title)": False,
    "seconds < 600": True,
    "seconds > 600": False,
    "cost == 0.25": True,
    "cost > 1": False,
    "rubric('it names a file')": True,
    "rubric('it is polite')": False,
    "rubric('it names a file', backend='judge')": True,
    "rubric('it is polite', backend='judge')": False,
    "json.score > 1 and rubric('it names a file')": True,
    "arg.limit | int > json.score": True,
    "item == 1": True,
    "index == 1": False,
}


def judged(root: Path, condition: str) -> Ran:
    """A step with this assert, alone or, where it reads an item, for one."""
    paid = Usage(calls=1, input_tokens=1, output_tokens=1, cost_usd=0.25)
    rules = [
        ScriptedReply(match="Requirement: it names a file", reply=YES, usage=Usage(calls=1, cost_usd=0.0)),
        ScriptedReply(match="Requirement: it is polite", reply=NO, usage=Usage(calls=1, cost_usd=0.0)),
        ScriptedReply(reply=SAID, usage=paid),
    ]
    loop = "for_each = [1]\n" if condition.split()[0] in ("item", "index") else ""
    text = (
        '[args.limit]\ndefault = 3\n[[steps]]\nname = "before"\nshell = "echo \' PASS \'"\n'
        f'[[steps]]\nname = "a"\nprompt = "?"\nbackend = "model"\noutput_format = "json"\n{loop}'
        f"assert = [{json.dumps(condition)}]\n"
    )
    here = world(root, Scripted("model", rules), Scripted("judge", rules))
    return ran(text, here)


@pytest.mark.parametrize("condition", FORMS)
def test_every_form_says_yes_or_no(tmp_path: Path, condition: str) -> None:
    step = judged(tmp_path, condition).result.steps["a"]
    assert step.outcome is (Outcome.PASSED if FORMS[condition] else Outcome.FAILED), step.reason
    if not FORMS[condition]:
        assert f"assert failed: {condition}" in step.reason
        (values,) = [s.text for s in step.sections if s.title.endswith("assert")]
        assert values.startswith(f"{condition}\n  where ")


def test_a_judge_says_why(tmp_path: Path) -> None:
    step = judged(tmp_path, "rubric('it is polite', backend='judge')").result.steps["a"]
    assert [s.text for s in step.sections if s.title == "rubric by judge"] == [
        "it is polite: no, since I looked"
    ]


@pytest.mark.parametrize(
    "ruling", ["perhaps", '{"verdict": "maybe", "reason": ""}', '{"verdict": true}', "yes"]
)
def test_a_judge_that_does_not_rule_is_an_error_and_never_a_yes(tmp_path: Path, ruling: str) -> None:
    rules = [ScriptedReply(match="Requirement", reply=ruling), ScriptedReply(reply="fine")]
    text = "[[steps]]\nname = 'a'\nprompt = '?'\nbackend = 'b'\nassert = [\"rubric('good')\"]\n"
    step = ran(
        text.replace("'good'", "'good', backend='b'"), world(tmp_path, Scripted("b", rules))
    ).result.steps["a"]
    assert step.outcome is Outcome.ERROR


WORKFLOW = """
[[steps]]
name = "base"
shell = "printf 5"
[[steps]]
name = "judged"
shell = '''echo '{"score": 2, "items": [1, 2, 3]}' '''
output_format = "json"
assert = [
    "json.score < 9",
    "json.score > 3 and not contains(output, 'x') and json.items | length < steps.base.output | int",
]
"""
SEEN = """\
json.score > 3 and not contains(output, 'x') and json.items | length < steps.base.output | int
  where json.score > 3 = false
  where json.score = 2
  where contains(output, 'x') = false
  where output = '{"score": 2, "items": [1, 2, 3]}'
  where json.items | length < steps.base.output | int = true
  where json.items | length = 3
  where steps.base.output | int = 5
"""


@pytest.mark.parametrize(
    "program", [["pytest_lok.cli.main", "w"], ["pytest", "--lok"]], ids=["lok", "pytest"]
)
def test_a_person_sees_the_expression_with_its_values(tmp_path: Path, program: list[str]) -> None:
    (tmp_path / ".lok/workflows").mkdir(parents=True)
    (tmp_path / ".lok/workflows/w.toml").write_text(WORKFLOW)
    done = subprocess.run(
        [sys.executable, "-m", *program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    expression, *values = SEEN.splitlines()
    said = done.stdout + done.stderr
    assert f"assert failed: {expression}\n" in said
    assert "".join(f"    {line}\n" for line in values) in said
