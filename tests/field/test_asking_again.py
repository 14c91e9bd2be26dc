"""``fix_retries``: the answer is asked for again, with what is wrong about it, until every check holds."""

from __future__ import annotations

import json

import pytest

from tests.cli.projects import Project

BACKENDS = """
[defaults]
backend = "m"
[backends.m]
type = "scripted"
replies = [{ reply = %s, times = %d }, { reply = %s }]
[backends.judge]
type = "scripted"
replies = [
  { match = "good", reply = '{"verdict": "yes", "reason": "r"}' },
  { reply = '{"verdict": "no", "reason": "too short"}' },
]
"""


def answering(project: Project, first: str, then: str, *, times: int = 1) -> None:
    project.write("lok.toml", BACKENDS % (json.dumps(first), times, json.dumps(then)))


def asks(project: Project, keys: str) -> tuple[int, str, str]:
    """The exit code, the reason and the output of the one step."""
    project.workflow("w", f'[[steps]]\nname = "s"\nprompt = "Say it."\n{keys}\n')
    done = project.lok("run", "w", "--json")
    step = done.document["steps"]["s"]
    return done.code, step["reason"], step["output"]


CHECKS = {
    "an assert that is false": ("assert = [\"contains(output, 'good')\"]", "bad", "good", 1),
    "an assert that has no value": ('assert = ["json.n > 3"]', '{"m": 1}', '{"n": 5}', 3),
    "a rubric": ('assert = [\'rubric("it is fine", backend="judge")\']', "bad", "good", 1),
    "the schema": (
        'output_schema = { type = "object", required = ["good"] }',
        '{"bad": 1}',
        '{"good": 1}',
        3,
    ),
    "the format": ('output_format = "json"', "no JSON here", '{"good": 1}', 3),
    "verify": ('verify = "test -e tried || { touch tried; exit 1; }"', "bad", "good", 1),
}


@pytest.mark.parametrize("check", CHECKS)
def test_an_answer_that_fails_a_check_is_asked_for_again(check: str, project: Project) -> None:
    keys, first, then, code = CHECKS[check]
    answering(project, first, then, times=2 if code == 3 else 1)  # a wrong form is asked for again anyhow
    code, reason, output = asks(project, f"{keys}\nfix_retries = 2")
    assert (code, reason, output) == (0, "", then)


@pytest.mark.parametrize("check", [check for check in CHECKS if check != "verify"])
def test_an_answer_that_stays_wrong_is_what_it_would_be_at_once(check: str, project: Project) -> None:
    keys, first, _, code = CHECKS[check]
    answering(project, first, first)
    once = asks(project, keys)
    assert once[0] == code
    code, reason, output = asks(project, f"{keys}\nfix_retries = 2")
    assert reason.startswith(said := "2 fixes did not help: ")
    assert (code, reason.removeprefix(said), output.replace(said, "")) == once


def test_the_next_question_says_what_was_wrong(project: Project) -> None:
    project.write(
        "lok.toml",
        '[defaults]\nbackend = "m"\n[backends.m]\ntype = "scripted"\nreplies = ['
        '{ match = "assert failed: contains(output, \'good\')", reply = "good" }, '
        '{ reply = "bad" }]\n',
    )
    keys = "assert = [\"contains(output, 'good')\"]"
    assert asks(project, keys)[0] == 1
    assert asks(project, f"{keys}\nfix_retries = 1") == (0, "", "good")


@pytest.mark.parametrize(
    "match",
    ["could not be used: the output holds 2 JSON values, and one must be meant", "It was:\\n\\n[1] or [2]"],
)
def test_an_answer_that_cannot_be_read_is_asked_for_again_with_what_is_wrong(
    project: Project, match: str
) -> None:
    project.write(
        "lok.toml",
        '[defaults]\nbackend = "m"\n[backends.m]\ntype = "scripted"\nreplies = ['
        f'{{ match = "{match}", reply = "[3]" }}, {{ reply = "[1] or [2]" }}]\n',
    )
    assert asks(project, 'output_format = "json"') == (0, "", "[3]")


def test_an_answer_that_stays_unreadable_is_asked_for_again_once(project: Project) -> None:
    answering(project, "[1] or [2]", "[3]", times=2)
    project.workflow("w", '[[steps]]\nname = "s"\nprompt = "x"\noutput_format = "json"\n')
    done = project.lok("run", "w", "--json")
    assert (done.code, done.document["usage"]["calls"]) == (3, 2)


def test_several_backends_are_asked_again(project: Project) -> None:
    answering(project, '{"a": 1}', '{"b": 1}', times=2)
    keys = 'backends = ["m", "judge"]\nconsensus = "first"\noutput_schema = { required = ["b"] }'
    assert asks(project, keys)[0] == 3
    answering(project, '{"a": 1}', '{"b": 1}', times=2)
    assert asks(project, f"{keys}\nfix_retries = 1") == (0, "", '{"b": 1}')


def test_what_a_gate_forbids_is_not_asked_about_until_it_goes_away(project: Project) -> None:
    project.write("a.py", "x = 1\n")
    finding = {
        "rule_id": "r",
        "title": "t",
        "message": "m",
        "severity": "critical",
        "confidence": 1,
        "path": "a.py",
        "line": 1,
        "evidence": "x = 1",
    }
    answering(project, json.dumps([finding]), "[]")
    project.workflow(
        "w",
        '[gate]\nfail_on = "high"\n[[steps]]\nname = "s"\nprompt = "Review."\noutput_format = "findings"\n'
        "fix_retries = 3\n",
    )
    assert project.lok("run", "w").code == 1


def test_where_nothing_checks_the_answer_there_is_nothing_to_ask_again_about(project: Project) -> None:
    answering(project, "a", "b")
    project.workflow("w", '[[steps]]\nname = "s"\nprompt = "x"\nfix_retries = 1\n')
    done = project.lok("run", "w")
    assert done.code == 2
    assert "w.toml:4:1: `fix_retries` asks again about an answer that fails a check" in done.err
