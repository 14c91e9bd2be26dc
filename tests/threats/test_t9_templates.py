"""T9: a text reaches the values it may read and nothing behind them, ends soon, and is rendered once."""

from __future__ import annotations

import json

import pytest

from tests.cli.projects import Project
from tests.core.templates.test_environment import ENDLESS, ESCAPES

LITERAL = "{{ 7 * 7 }} {% for x in range(9) %}x{% endfor %} {{ env.HOME }} {# kept #} {{ steps.ask.output }}"
"""What must come out as it went in, wherever it goes."""


def text(value: str) -> str:
    return json.dumps(value)


def test_t9_no_field_of_a_step_renders_a_value_again(project: Project) -> None:
    project.write("answer", LITERAL)
    step = "[[steps]]\nname = '{}'\n{}\n"
    project.workflow(
        "w",
        step.format("ask", "prompt = '?'")
        + step.format("prompt", "prompt = 'Q: {{ steps.ask.output }}'\nsystem = '{{ steps.ask.output }}'")
        + step.format("shell", "shell = \"printf '%s' '{{ steps.ask.output }}'\"")
        + step.format("argv", "argv = ['printf', '%s', '{{ steps.ask.output }}']")
        + step.format("stdin", "argv = ['cat']\nstdin = '{{ steps.ask.output }}'")
        + step.format("env", "shell = 'printf %s \"$V\"'\nenv = { V = '{{ steps.ask.output }}' }")
        + step.format("cwd", "argv = ['pwd']\ncwd = '{{ steps.made.output }}'")
        + step.format("made", 'shell = "d=\'{{ steps.ask.output }}\'; mkdir \\"$d\\"; printf %s \\"$d\\""')
        + step.format("item", "for_each = 'steps.list.output'\nargv = ['printf', '%s', '{{ item }}']")
        + step.format("list", "argv = ['cat', 'list.json']\noutput_format = 'json'")
        + step.format("when", f"argv = ['true']\nwhen = {text(f'steps.ask.output == {LITERAL!r}')}")
        + step.format("assert", f"argv = ['cat', 'answer']\nassert = [{text(f'output == {LITERAL!r}')}]")
        + step.format("verify", "prompt = '?'\nverify = \"test -d '{{ steps.made.output }}'\""),
    )
    project.write("list.json", json.dumps([LITERAL]))
    document = project.lok("w", "--json").document
    steps = document["steps"]
    assert {name: step["outcome"] for name, step in steps.items()} == dict.fromkeys(steps, "passed"), [
        step["reason"] for step in steps.values()
    ]
    for name in ("shell", "argv", "stdin", "env", "assert", "made"):
        assert steps[name]["output"] == LITERAL
    assert steps["cwd"]["output"].endswith(LITERAL)
    assert json.loads(steps["item"]["output"])[0]["output"] == LITERAL


def test_t9_an_argument_and_the_environment_are_data_too(project: Project) -> None:
    project.environ["TEMPLATE"] = LITERAL
    project.workflow("w", "[[steps]]\nname = 'a'\nargv = ['echo', '{{ arg.1 }}|{{ env.TEMPLATE }}']\n")
    assert project.lok("w", LITERAL).out == f"{LITERAL}|{LITERAL}\n"


def test_t9_no_escape_is_rendered_in_any_field(project: Project) -> None:
    """Each is refused at load, or is an error of its step that shows nothing of what it asked for."""
    project.environ["MY_PASSWORD"] = "behind-the-values"
    fields = ("prompt = {}", "shell = {}", "argv = ['echo', {}]", "argv = ['cat']\nstdin = {}")
    for number, escape in enumerate(ESCAPES):
        field = fields[number % len(fields)]
        step = field.format(text("{{ " + escape + " }}"))
        scan = "[[steps]]\nname = 'scan'\nshell = 'echo x'\n"
        project.workflow("w", f"{scan}[[steps]]\nname = 'a'\n{step}\nfor_each = [{{ x = 1 }}]\n")
        done = project.lok("w")
        assert done.code in (2, 3), escape
        assert "behind-the-values" not in done.out + done.err
        assert "bug of lok" not in done.err


@pytest.mark.parametrize("half", [0, 1])
def test_t9_no_text_runs_or_grows_without_end(project: Project, half: int) -> None:
    """All of them in one run: it ends, each with an error of its own."""
    codes = set()
    for source in ENDLESS[half::2]:
        project.workflow("w", f"[[steps]]\nname = 'a'\nprompt = {text(source)}\n")
        done = project.lok("w")
        codes.add(done.code)
        assert "bug of lok" not in done.err
        assert done.out == ""
    assert codes == {2, 3}


def test_t9_a_workflow_is_the_only_template(project: Project) -> None:
    """Names, titles and descriptions are text; so is what a task of the settings asks."""
    project.write(
        "lok.toml",
        '[defaults]\nbackend = "model"\n[backends.model]\ntype = "scripted"\n'
        "[[backends.model.replies]]\nmatch = '{{ 7 * 7 }}'\nreply = 'literal'\n"
        "[tasks.t]\nprompts = [{ name = 'n', prompt = 'Say {{ 7 * 7 }}' }]\n",
    )
    assert project.lok("t").out == "literal\n"
    assert project.lok("ask", "Say {{ 7 * 7 }}").out.strip().endswith("literal")
