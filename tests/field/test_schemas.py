"""A schema says what it seems to, or is refused; and no answer makes the check of it go on for ever."""

from __future__ import annotations

import json
import re
import signal
import time

import pytest

from tests.cli.projects import Project
from tests.field.test_conditions import says

SLOW = "^(a|a)*$"
"""A pattern that needs exponential time."""
ANSWER = '{"a": "' + "a" * 60 + '!"}'


def checked(project: Project, schema: str, more: str = "") -> None:
    project.workflow("w", f'[[steps]]\nname = "s"\nprompt = "x"\noutput_schema = {schema}\n{more}')


@pytest.mark.parametrize(
    ("schema", "place", "hint"),
    [
        ('{ type = "object", requried = ["b"] }', "requried", "did you mean `required`?"),
        ("{ properties = { a = { minimun = 1 } } }", "minimun", "did you mean `minimum`?"),
        ('{ items = { tpye = "string" } }', "tpye", "did you mean `type`?"),
        ('{ allOf = [{ requird = ["a"] }] }', "requird", "did you mean `required`?"),
        (
            '{ "$ref" = "#/x-parts/a", x-parts = { a = { typ = "string" } } }',
            "#/x-parts/a",
            "did you mean `type`?",
        ),
        ('{ anyof = [{ type = "string" }] }', "anyof", "did you mean `anyOf`?"),
        ('{ dependencies = { a = ["b"] } }', "dependencies", "write `dependentRequired`"),
        ('{ then = { required = ["a"] } }', "then", ""),
        ('{ pattern = "(" }', "pattern", ""),
        ('{ "$schema" = "http://json-schema.org/draft-99/schema#" }', "http://", ""),
        ('{ "$dynamicRef" = "https://example.com/s" }', "https:", ""),
        ("{ foo = 1 }", "foo", "one of your own begins with `x-`"),
    ],
)
def test_a_keyword_that_says_nothing_is_an_error_of_the_file(
    schema: str, place: str, hint: str, project: Project
) -> None:
    says(project, '{"a": 1}')
    checked(project, schema)
    done = project.lok("run", "w")
    assert done.code == 2
    column = len("output_schema = ") + schema.index(place) + 1
    assert re.search(rf"w\.toml:4:({column}|{column - 1}): this is not JSON Schema", done.err)  # or its quote
    assert hint in done.err


@pytest.mark.parametrize(
    "schema",
    [
        '{ properties = { requried = { type = "string" }, foo = {} }, required = ["a"] }',
        "{ enum = [{ requried = 1 }, { a = 1 }], default = { foo = 1 }, examples = [{ foo = 1 }] }",
        '{ x-note = { requried = 1 }, title = "t", description = "d", "$comment" = "c" }',
        '{ "$schema" = "http://json-schema.org/draft-07/schema#", dependencies = { a = [] }, definitions = {} }',
        '{ "$defs" = { n = { type = "integer" } }, properties = { a = { "$ref" = "#/$defs/n" } } }',
        '{ if = { required = ["b"] }, then = { required = ["c"] } }',
        '{ patternProperties = { "^[a-z]$" = { minimum = 1 } }, additionalProperties = false }',
        '{ properties = { a = { type = "integer", format = "int32" } } }',
    ],
)
def test_what_is_sound_is_taken(schema: str, project: Project) -> None:
    says(project, '{"a": 1}')
    checked(project, schema)
    done = project.lok("run", "w")
    assert done.code == 0, done.err


def test_a_schema_of_a_file_is_looked_through_too(project: Project) -> None:
    says(project, '{"a": 1}')
    project.write(".lok/workflows/answer.json", json.dumps({"items": {"requried": ["b"]}}))
    checked(project, '"answer.json"')
    done = project.lok("run", "w")
    assert done.code == 2
    assert "unknown keyword `requried` (at items/requried)" in done.err


@pytest.mark.parametrize(
    "schema",
    [
        f"{{ properties = {{ a = {{ pattern = '{SLOW}' }} }} }}",
        f"{{ patternProperties = {{ '{SLOW}' = {{}} }} }}",
        f"{{ propertyNames = {{ pattern = '{SLOW}' }} }}",
        f"{{ patternProperties = {{ '{SLOW}' = {{}} }}, additionalProperties = false }}",
        f"{{ not = {{ additionalProperties = {{ pattern = '{SLOW}' }} }} }}",
    ],
)
def test_a_check_that_takes_too_long_is_an_error_after_the_timeout(schema: str, project: Project) -> None:
    says(project, ANSWER.replace('"a"', '"' + "a" * 60 + '!"'))
    if "properties" in schema.split("=")[0]:
        says(project, ANSWER)
    other = '[[steps]]\nname = "other"\nshell = "sleep 0.1; date +%s.%N"\n'
    checked(project, schema, f'timeout = "1s"\n{other}')
    began = time.monotonic()
    document = project.lok("run", "w", "--json").document
    assert time.monotonic() - began < 30
    assert document["exit_code"] == 3
    assert document["steps"]["s"]["reason"] == "the check by output_schema timed out after 1 s"
    assert document["steps"]["other"]["outcome"] == "passed"
    assert document["steps"]["other"]["seconds"] < document["steps"]["s"]["seconds"], "it went on meanwhile"


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_that_checks(sent: signal.Signals, code: int, project: Project) -> None:
    says(project, ANSWER)
    before = 'depends_on = ["first"]\ntimeout = "60s"\n[[steps]]\nname = "first"\nshell = "touch begun"\n'
    checked(project, f"{{ properties = {{ a = {{ pattern = '{SLOW}' }} }} }}", before)
    with project.started("run", "w") as process:
        while not (project.root / "begun").exists():
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(1)
        assert process.poll() is None
        process.send_signal(sent)
        assert process.wait(30) == code


def test_a_long_array_of_objects_is_soon_known_to_be_unique(project: Project) -> None:
    project.write("a.json", json.dumps([{"a": n} for n in range(30_000)]))
    step = '[[steps]]\nname = "s"\nargv = ["cat", "a.json"]\noutput_format = "json"\ntimeout = "20s"\n'
    project.workflow("w", f"{step}output_schema = {{ uniqueItems = true }}\n")
    assert project.lok("run", "w").code == 0
    project.write("a.json", json.dumps([{"a": n % 29_999} for n in range(30_000)]))
    assert project.lok("run", "w").code == 3


SLOW_TEXTS = {
    "an assert": (
        "echo x",
        "assert = [\"matches('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' ~ output, '%s')\"]",
    ),
    "a loop": (
        "echo {{ n }}",
        'stdin = "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}"',
    ),
    "loops of patterns": (
        "echo x",
        "stdin = \"{% for a in range(900) %}{{ matches('a' * 60 ~ '!', '%s') }}{% endfor %}\"",
    ),
    "a long text": (
        "echo x",
        "stdin = \"{{ steps.long.output | lines | sort | map('upper') | unique | list | length }}\"",
    ),
}


@pytest.mark.parametrize("kind", SLOW_TEXTS)
def test_texts_that_take_long_hold_up_nobody(kind: str, project: Project) -> None:
    command, key = SLOW_TEXTS[kind]
    key = key.replace("%s", SLOW)
    project.workflow(
        "w",
        '[[steps]]\nname = "long"\nshell = "yes a b | head -c 3000000"\n'
        f'[[steps]]\nname = "slow"\ndepends_on = ["long"]\nshell = "{command.replace("{{ n }}", "n")}"\n'
        f'timeout = "1s"\n{key}\n'
        '[[steps]]\nname = "other"\ndepends_on = ["long"]\nshell = "sleep 0.1"\n',
    )
    began = time.monotonic()
    document = project.lok("run", "w", "--json").document
    assert time.monotonic() - began < 30
    steps = document["steps"]
    assert steps["other"]["outcome"] == "passed"
    if steps["slow"]["outcome"] != "passed":  # a fast machine may be done in time with the last one
        assert steps["slow"]["outcome"] == "error"
        limits = ("timed out after 1 s", "took more than", "takes too long")
        assert any(limit in steps["slow"]["reason"] for limit in limits)
