"""Tasks of the settings as workflows."""

from pytest_lok.core.templates.scope import Scope
from pytest_lok.core.workflow.model import Ask, Origin, Strategy
from pytest_lok.verbs.tasks import task_workflow


def test_every_prompt_is_a_step_of_its_own() -> None:
    workflow = task_workflow(
        "hunt",
        [("first", "Find bugs"), ("second", "Find {{ more }} {% bugs %}")],
        backends=["claude", "codex"],
        consensus=Strategy.VOTE,
        description="Hunt",
        path="lok.toml",
        line=7,
    )
    assert (workflow.stem, workflow.name, workflow.description) == ("hunt", "hunt", "Hunt")
    assert (workflow.origin, workflow.path, workflow.collect) == (Origin.SETTINGS, "lok.toml", False)
    assert [(step.name, step.needs, step.path, step.line) for step in workflow.steps] == [
        ("first", (), "lok.toml", 7),
        ("second", (), "lok.toml", 7),
    ]
    asks = [step.action for step in workflow.steps if isinstance(step.action, Ask)]
    assert [ask.prompt.render(Scope()) for ask in asks] == ["Find bugs", "Find {{ more }} {% bugs %}"]
    assert {(ask.backends, ask.consensus) for ask in asks} == {(("claude", "codex"), Strategy.VOTE)}


def test_names_of_prompts_become_names_of_steps() -> None:
    names = ["n+1", "n 1", "dead code!", "", "Größe", "n-1-2", "ok_1"]
    workflow = task_workflow("t", [(name, "?") for name in names])
    assert [step.name for step in workflow.steps] == [
        "n-1",
        "n-1-2",
        "dead-code",
        "prompt",
        "Gr-e",
        "n-1-2-2",
        "ok_1",
    ]
