"""A question as a workflow."""

from pytest_lok.core.templates.scope import Scope
from pytest_lok.core.workflow.model import Ask, Origin
from pytest_lok.verbs.ask import ask_workflow


def test_every_backend_is_a_step_that_waits_for_nobody() -> None:
    workflow = ask_workflow("why?", ["claude", "codex", "claude"])
    assert workflow.origin is Origin.VERB
    assert [(step.name, step.needs) for step in workflow.steps] == [("claude", ()), ("codex", ())]
    assert [step.action.backends for step in workflow.steps if isinstance(step.action, Ask)] == [
        ("claude",),
        ("codex",),
    ]


def test_the_prompt_is_no_template() -> None:
    (step,) = ask_workflow("what is {{ 7 * 7 }} {% if %}?", ["claude"]).steps
    assert isinstance(step.action, Ask)
    assert step.action.prompt.render(Scope()) == "what is {{ 7 * 7 }} {% if %}?"


def test_a_missing_answer_is_tolerated_where_nobody_was_named() -> None:
    assert [s.continue_on_error for s in ask_workflow("?", ["a"], tolerant=True).steps] == [True]
    assert [s.continue_on_error for s in ask_workflow("?", ["a"]).steps] == [False]
