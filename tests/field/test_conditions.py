"""A condition is a yes or a no: what is neither is an error, types count, and no check always agrees."""

from __future__ import annotations

import json

import pytest

from tests.cli.projects import Project

SAYING = """
[defaults]
backend = "m"
[backends.m]
type = "scripted"
replies = [{ reply = %s }]
"""


def says(project: Project, answer: str) -> None:
    project.write("lok.toml", SAYING % json.dumps(answer))


def judged(project: Project, answer: str, condition: str, keys: str = 'output_format = "json"') -> int:
    """The exit code of a step with this answer and this assert."""
    says(project, answer)
    project.workflow(
        "w", f'[[steps]]\nname = "s"\nprompt = "x"\n{keys}\nassert = [{json.dumps(condition)}]\n'
    )
    done = project.lok("run", "w")
    return done.code


NEITHER = [
    ('{"ok": "false"}', "json.ok"),
    ('{"ok": "true"}', "json.ok"),
    ('{"ok": 1}', "json.ok"),
    ('{"ok": null}', "not json.ok"),
    ('{"ok": []}', "not json.ok"),
    ('{"ok": {"a": 1}}', "json.ok"),
    ('{"ok": "false"}', "json.ok and 'ok' in json"),
    ('{"ok": "false"}', "json.ok or json.ok == 'x'"),
    ('{"ok": "no"}', "('a' if json.ok else 'b') == 'a'"),
    ('[{"done": "false"}]', "json | rejectattr('done') | list == []"),
    ('["no"]', "json | select | list | length == 1"),
    ('{"score": "N/A"}', "json.score | int < 5"),
    ('{"score": null}', "json.score | int < 5"),
    ('{"score": false}', "json.score | int < 5"),
    ('{"score": "9/10"}', "json.score | float < 5"),
    ('{"score": "nan"}', "not json.score | float > 5"),
    ('{"score": "inf"}', "json.score | float > 5"),
    ('{"score": "1_0"}', "json.score | int > 5"),
    ('{"score": false}', "json.score < 5"),
    ('{"score": "4"}', "json.score < 5"),
    ('{"score": null}', "json.score < 5"),
    ('{"a": true, "b": true}', "json.a + json.b == 2"),
    ('{"a": true}', "-json.a < 0"),
    ('{"a": [true, true]}', "json.a | sum == 2"),
    ('{"a": [false, 0.5]}', "json.a | max < 1"),
    ('{"a": true}', "json.a | abs == 1"),
    ('{"v": null}', "not contains(json.v, 'x')"),
    ('{"v": 3}', "json.v not contains 'x'"),
    ('{"v": false}', "not contains(json.v, 'x')"),
    ('{"v": "x"}', "not contains(json.v, none)"),
    ('{"v": null}', "not icontains(json.v, 'x')"),
    ('{"v": 3}', "not icontains(json.v, 'x')"),
    ('{"v": null}', "not matches(json.v, 'x')"),
    ('{"v": true}', "not matches(json.v, 'false')"),
    ('{"v": ["CRITICAL"]}', "not matches(json.v, '^CRITICAL')"),
    ('{"v": {"a": "CRITICAL"}}', "not matches(json.v, '^CRITICAL')"),
    ('{"v": null}', "not equals(json.v, 'CRITICAL')"),
    ('{"v": 3}', "not equals(json.v, 'three')"),
    ('{"v": false}', "not equals(json.v, 'no')"),
    ('{"v": ["CRITICAL"]}', "not equals(json.v, 'CRITICAL')"),
]


@pytest.mark.parametrize(("answer", "condition"), NEITHER)
def test_what_is_neither_yes_nor_no_is_an_error(answer: str, condition: str, project: Project) -> None:
    assert judged(project, answer, condition) == 3


NO = [
    ('{"bugs": false}', "json.bugs == 0"),
    ('{"ok": 1}', "json.ok == true"),
    ('{"ok": 1}', "json.ok is eq(true)"),
    ('{"ok": [1, 0]}', "true in json.ok"),
    ('{"ok": [1, 0]}', "false not in json.ok and true in json.ok"),
    ('{"ok": [1]}', "contains(json.ok, true)"),
    ('{"ok": true}', "equals(json.ok, 1)"),
    ('{"ok": true}', "json.ok in [1, 'true']"),
    ('{"ok": {"a": 1}}', "json.ok == {'a': true}"),
    ('{"ok": [true, true]}', "json.ok.count(1) == 2"),
    ('{"ok": [true, 1]}', "json.ok | unique | list | length == 1"),
    ('[{"ok": true}]', "json | selectattr('ok', 'eq', 1) | list | length == 1"),
    ('[{"ok": 1}]', "json | selectattr('ok', 'in', [true]) | list | length == 1"),
    ('{"ok": true}', "json.ok is number"),
    ('{"ok": 1}', "json.ok != 1 or json.ok == true"),
    ('{"v": ["CRITICAL: x"]}', "not contains(json.v, 'CRITICAL')"),
    ('{"v": ["CRITICAL: x"]}', "not icontains(json.v, 'critical')"),
]


@pytest.mark.parametrize(("answer", "condition"), NO)
def test_types_count_wherever_values_are_compared(answer: str, condition: str, project: Project) -> None:
    assert judged(project, answer, condition) == 1


YES = [
    ('{"ok": true}', "json.ok"),
    ('{"ok": false}', "not json.ok"),
    ('{"ok": "false"}', "json.ok == 'false'"),
    ('{"ok": 1}', "json.ok == 1.0"),
    ('{"ok": [1, "1", true]}', "json.ok.count(1) == 1 and true in json.ok"),
    ('{"score": " 4 "}', "json.score | int < 5"),
    ('{"score": "4.7"}', "json.score | int == 4 and json.score | float > 4.5"),
    ('{"score": "N/A"}', "json.score | int(99) == 99"),
    ('{"score": "-1e2"}', "json.score | float == -100"),
    ('[{"done": false}]', "json | rejectattr('done') | list | length == 1"),
    ('{"a": [1, 2.5]}', "json.a | sum == 3.5 and json.a | max == 2.5"),
    ('{"a": ["b", "a", "a"]}', "json.a | unique | sort == ['a', 'b']"),
    ('{"a": {"b": [1, null]}}', "json.a == {'b': [1, none]} and json.a.b[1] is none"),
    ('{"ok": true}', "'ok' in json and 2 not in json"),
    ('{"n": 2}', "1 < json.n <= 2 and not 1 > json.n"),
    ('{"ok": true}', "json.missing | default(false) == false"),
    ('{"v": ["a", 2]}', "contains(json.v, 'a') and contains(json.v, 2) and not contains(json.v, 'b')"),
    (
        '{"v": "fine"}',
        "not contains(json.v, 'x') and not icontains(json.v, 'X') and not matches(json.v, '^x')",
    ),
    ('{"v": 3}', "equals(json.v, '3') and not contains(json.v | string, 'x')"),
    ('{"v": null}', "not equals(json.v, 3) and equals(json.v, none)"),
]


@pytest.mark.parametrize(("answer", "condition"), YES)
def test_what_is_compared_is_yes_or_no(answer: str, condition: str, project: Project) -> None:
    assert judged(project, answer, condition) == 0


def test_a_score_in_prose_is_no_number(project: Project) -> None:
    for answer in ("Severity: 9/10", "I cannot rate this."):
        assert judged(project, answer, "output | int < 5", "") == 3
    assert judged(project, "Severity: 9/10", "output | int(99) < 5", "") == 1
    assert judged(project, "3", "output | int < 5", "") == 0


AT_LOAD = [
    ("assert", "'false'"),
    ("assert", "output"),
    ("assert", "output | trim"),
    ("assert", "output or json.ok"),
    ("assert", "not seconds"),
    ("assert", "[]"),
    ("assert", "none"),
    ("assert", "output | length"),
    ("assert", "'a' if json.ok else 'b'"),
    ("when", "arg.mode"),
    ("when", "env.CI"),
    ("when", "first.output"),
    ("when", "steps.first.outcome"),
    ("when", "arg.mode | default('')"),
    ("when", "first.passed and arg.mode"),
    ("when", "1"),
]


@pytest.mark.parametrize(("key", "condition"), AT_LOAD)
def test_what_is_known_to_be_no_condition_is_an_error_of_the_file(
    key: str, condition: str, project: Project
) -> None:
    value = json.dumps([condition] if key == "assert" else condition)
    project.workflow(
        "w",
        '[args.mode]\ndefault = "x"\n[[steps]]\nname = "first"\nshell = "true"\n'
        f'[[steps]]\nname = "s"\nshell = "true"\n{key} = {value}\n',
    )
    done = project.lok("run", "w")
    assert done.code == 2
    assert "a condition is true or false" in done.err
    assert "hint: compare it" in done.err


CONSTANT = ["true", "1 == 1", "'a' in 'abc'", "is_json('1')", "output == 'x' or true", "not false"]


@pytest.mark.parametrize("condition", CONSTANT)
def test_a_check_that_reads_nothing_is_a_warning_and_an_error_in_ci(condition: str, project: Project) -> None:
    project.workflow("w", f'[[steps]]\nname = "s"\nshell = "echo x"\nassert = [{json.dumps(condition)}]\n')
    for command in (("run", "w"), ("plan", "w"), ("workflow", "validate", "w")):
        done = project.lok(*command)
        assert done.code == 0
        assert "warning: .lok/workflows/w.toml:4:" in done.err
        assert "always says the same" in done.err
    project.environ["CI"] = "true"
    assert project.lok("run", "w").code == 2
    assert project.lok("workflow", "validate", "w").code == 2


def test_a_check_that_reads_something_is_no_warning(project: Project) -> None:
    project.environ["CI"] = "true"
    for condition in ("output == 'x'", "arg.1 == 'a'", "env.HOME != ''", "not steps.a.failed"):
        project.workflow(
            "w",
            '[[steps]]\nname = "a"\nshell = "true"\n[[steps]]\nname = "s"\nshell = "echo x"\n'
            f'when = "true"\nassert = [{json.dumps(condition)}]\n',
        )
        done = project.lok("run", "w", *(["a"] if "arg" in condition else []))
        assert done.code == 0, done.err
        assert "warning" not in done.err


SOFT = """
[[steps]]
name = "review"
prompt = "x"
continue_on_error = true
"""
SKIPPED = """
[[steps]]
name = "review"
when = "false"
shell = "true"
"""
GATE = """
[[steps]]
name = "gate"
shell = "true"
%s = %s
"""


@pytest.mark.parametrize("before", [SOFT, SKIPPED], ids=["soft", "skipped"])
@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("not contains(review.output, 'CRITICAL')", 3),
        ("review.output | default('') == ''", 3),
        ("steps.review.output == ''", 3),
        ("not ('x' in steps['review'].output)", 3),
        ("steps.review.seconds >= 0 and not contains(review.output, 'CRITICAL')", 3),
        ("steps.review.passed and not contains(review.output, 'CRITICAL')", 1),
        ("steps.review.outcome != 'passed' or review.output == 'fine'", 0),
        ("not steps.review.passed", 0),
    ],
)
def test_an_assert_judges_no_answer_of_a_step_that_did_not_pass(
    before: str, condition: str, code: int, project: Project
) -> None:
    project.write("lok.toml", SAYING.replace("reply = %s", 'error = "auth"'))
    project.workflow("w", before + GATE % ("assert", json.dumps([condition])))
    assert project.lok("run", "w").code == code


def test_a_when_may_read_what_such_a_step_left(project: Project) -> None:
    project.workflow("w", SKIPPED + GATE % ("when", json.dumps("steps.review.output == ''")))
    done = project.lok("run", "w", "--json")
    assert done.document["steps"]["gate"]["outcome"] == "passed"


def test_a_when_that_is_no_condition_is_an_error_of_its_step(project: Project) -> None:
    says(project, '{"go": "no"}')
    project.workflow(
        "w",
        '[[steps]]\nname = "ask"\nprompt = "x"\noutput_format = "json"\n'
        + GATE % ("when", json.dumps("steps.ask.go")),
    )
    done = project.lok("run", "w", "--json")
    assert done.code == 3
    gate = done.document["steps"]["gate"]
    assert gate["outcome"] == "error"
    assert "a string, not true or false" in gate["reason"]
    assert gate["hint"].startswith("compare it")


def test_prompts_and_loops_may_go_by_what_there_is(project: Project) -> None:
    project.workflow(
        "w",
        """
        [[steps]]
        name = "list"
        shell = '''echo '{"todo": [{"n": 1, "on": true}], "note": ""}' '''
        output_format = "json"
        [[steps]]
        name = "each"
        for_each = "steps.list.todo or []"
        argv = ["echo", "{{ item.n }}{% if steps.list.note %} noted{% endif %}"]
        """,
    )
    done = project.lok("run", "w", "--json")
    assert done.code == 0
    assert done.document["steps"]["each"]["items"][0]["output"] == "1"
