"""A hint names what can be changed at the place that asked."""

from pathlib import Path

import pytest

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.workflow.model import Origin
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.ports import Limits
from pytest_lok.verbs.ask import ask_workflow
from tests.engine.worlds import ran, run_plan, world


def of_a_step(tmp_path: Path, fault: str, keys: str = "", origin: Origin = Origin.PROJECT) -> str:
    backend = Scripted("b", [ScriptedReply(error=fault)])
    text = f'[[steps]]\nname = "a"\nprompt = "x"\nretry_delay = 1\n{keys}'
    return ran(text, world(tmp_path, backend), origin=origin).result.steps["a"].hint


def of_lok_ask(tmp_path: Path, fault: str) -> str:
    backend = Scripted("b", [ScriptedReply(error=fault)])
    return run_plan(Plan.of(ask_workflow("x", ["b"])), world(tmp_path, backend)).result.steps["b"].hint


@pytest.mark.parametrize("fault", ["rate_limit", "overload", "network"])
def test_only_where_there_is_a_step_to_change_its_keys_are_named(tmp_path: Path, fault: str) -> None:
    assert of_a_step(tmp_path, fault).endswith(", or set `retries` of the step")
    assert of_a_step(tmp_path, fault, "retries = 1").endswith(", or raise `retries` of the step")
    assert of_lok_ask(tmp_path, fault).startswith("ask again later")
    for hint in (of_lok_ask(tmp_path, fault), of_a_step(tmp_path, fault, origin=Origin.BUILTIN)):
        assert "step" not in hint


@pytest.mark.parametrize("fault", ["auth", "quota", "refused"])
def test_what_no_key_of_a_step_can_help_with_is_left_as_it_is(tmp_path: Path, fault: str) -> None:
    assert of_a_step(tmp_path, fault) == of_lok_ask(tmp_path, fault)
    assert of_lok_ask(tmp_path, fault)


@pytest.mark.parametrize(
    ("top", "keys", "hint"),
    [
        ("", "timeout = 100", "raise `timeout` of the step; 0 = no limit"),
        ("timeout = 100", "", "raise `timeout` of the workflow, or set that of the step; 0 = no limit"),
        ("", "", "raise `timeout` of the step, or `timeout` in [backends.b]; 0 = no limit"),
    ],
)
def test_who_has_too_little_time_is_told_where_the_limit_is_set(
    tmp_path: Path, top: str, keys: str, hint: str
) -> None:
    slow = Scripted("b", [ScriptedReply(reply="x", delay=30)])
    text = f'{top}\n[[steps]]\nname = "a"\nprompt = "x"\n{keys}'
    result = ran(text, world(tmp_path, slow, limits=Limits(timeout=0.1))).result.steps["a"]
    assert (result.reason, result.hint) == ("b gave no answer within 0.1 s", hint)


def test_a_question_without_a_file_gets_more_time_by_what_starts_it(tmp_path: Path) -> None:
    slow = Scripted("b", [ScriptedReply(reply="x", delay=30)])
    done = run_plan(Plan.of(ask_workflow("x", ["b"])), world(tmp_path, slow, limits=Limits(timeout=0.02)))
    assert done.result.steps["b"].hint == (
        "raise `timeout` in [backends.b], or for this run: LOK_TIMEOUT=10m"
    )


@pytest.mark.parametrize("origin", [Origin.PROJECT, Origin.BUILTIN])
def test_a_command_has_no_backend_whose_limit_could_be_raised(tmp_path: Path, origin: Origin) -> None:
    text = '[[steps]]\nname = "a"\nargv = ["sleep", "30"]'
    result = ran(text, world(tmp_path, limits=Limits(timeout=0.05)), origin=origin).result.steps["a"]
    assert "backends" not in result.hint
    assert ("LOK_TIMEOUT" in result.hint) is (origin is Origin.BUILTIN)
