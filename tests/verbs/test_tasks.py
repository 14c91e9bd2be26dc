"""Tasks of the settings as workflows."""

from pytest_lok.core.templates.scope import Scope
from pytest_lok.core.workflow.model import Ask, Origin, Strategy
from pytest_lok.core.workflow.plan import Plan
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


def test_a_prompt_keeps_its_name_but_for_what_parts_an_address() -> None:
    names = ["n+1", "n 1", "dead code!", "", "Größe", "n 1", "a/b::[c]\n", "..", "ok_1"]
    workflow = task_workflow("t", [(name, "?") for name in names])
    assert [step.name for step in workflow.steps] == [
        "n+1", "n 1", "dead code!", "prompt", "Größe", "n 1 2", "a b c", "prompt 2", "ok_1",
    ]  # fmt: skip


def test_a_directory_narrows_every_prompt_and_changes_none() -> None:
    workflow = task_workflow("hunt", [("a", "Find {{ bugs }}"), ("b", "Find dead code")])
    for step in workflow.steps:
        assert isinstance(step.action, Ask)
        assert step.action.system is not None
        said = [
            step.action.system.render(Scope(arguments={"path": path})) for path in (".", "./", "src/a.py")
        ]
        assert said == ["", "", "Look at src/a.py alone."]
    assert Plan.of(workflow).arguments == {"path": ".", "1": "."}
    assert Plan.of(workflow, positional=["src"]).arguments == {"path": "src", "1": "src"}
