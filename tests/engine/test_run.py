from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.events import (
    Event,
    ResumeState,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    fold,
)
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.trust.credentials import secrets_of
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.ports import Limits
from pytest_lok.engine.run import Run, run
from pytest_lok.store.event_lines import to_json
from tests.engine.worlds import ran, workflow, world

P, F, E, S, SOFT = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED, Outcome.SOFT


def test_steps_run_in_order_and_read_each_others_output(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("hello\n")
    done = ran(
        """
        [[steps]]
        name = "shout"
        shell = "printf '%s' {{ steps.read.output }} | tr a-z A-Z"
        [[steps]]
        name = "read"
        shell = "cat data.txt"
        """,
        world(tmp_path),
    )
    assert done.outcomes == {"read": P, "shout": P}
    assert done.result.steps["shout"].output == "HELLO"
    assert done.result.passed
    assert done.result.leaves == ("shout",)


def test_the_result_is_the_fold_of_the_events(tmp_path: Path) -> None:
    done = ran('[[steps]]\nname = "a"\nshell = "echo x"', world(tmp_path))
    assert fold(done.events) == done.result
    kinds = [type(event) for event in done.events]
    assert kinds == [RunStarted, StepStarted, StepFinished, RunFinished]


def test_known_results_are_told_and_not_run_again(tmp_path: Path) -> None:
    plan = Plan.of(
        workflow(
            """
            [[steps]]
            name = "a"
            shell = "touch ran-again"
            [[steps]]
            name = "b"
            shell = "echo {{ steps.a.output }}!"
            """
        )
    )
    known = StepResult(name="a", outcome=Outcome.PASSED, output="before", attempts=1)
    events: list[Event] = []
    result = asyncio.run(
        Run(plan, world(tmp_path), events.append, resume=ResumeState(results=(known,))).execute()
    )
    assert result.steps["a"] == known
    assert result.steps["b"].output == "before!"
    assert fold(events) == result
    assert not (tmp_path / "ran-again").exists()


OUTCOMES = """
[[steps]]
name = "ok"
shell = "true"
[[steps]]
name = "no"
shell = "echo out; echo err >&2; exit 3"
[[steps]]
name = "after-no"
depends_on = ["no"]
shell = "true"
[[steps]]
name = "leaf"
depends_on = ["after-no"]
shell = "true"
[[steps]]
name = "soft"
shell = "echo out; echo err >&2; exit 4"
continue_on_error = true
[[steps]]
name = "after-soft"
shell = "printf %s {{ steps.soft.output }}"
[[steps]]
name = "off"
when = "steps.ok.failed"
shell = "true"
[[steps]]
name = "after-off"
depends_on = ["off"]
shell = "printf '[%s]' {{ steps.off.output }}"
[[steps]]
name = "missing"
shell = "no-such-command-anywhere"
[[steps]]
name = "unable"
argv = ["no-such-command-anywhere"]
"""


def test_the_five_outcomes(tmp_path: Path) -> None:
    done = ran(OUTCOMES, world(tmp_path))
    steps = done.result.steps
    assert done.outcomes == {
        "ok": P,
        "no": F,
        "after-no": S,
        "leaf": S,
        "soft": SOFT,
        "after-soft": P,
        "off": S,
        "after-off": P,
        "missing": E,
        "unable": E,
    }
    assert "code 3" in steps["no"].reason
    assert steps["no"].exit_code == 3
    assert steps["leaf"].blocked_by == "no"
    assert steps["soft"].underlying is F
    assert steps["soft"].output == "out\nerr\nexit code: 4"
    assert steps["after-soft"].output == "Error: shell error: out\nerr\nexit code: 4"
    assert "when is false" in steps["off"].reason
    assert not steps["off"].blocked
    assert steps["after-off"].output == "[]"
    for name in ("missing", "unable"):
        assert steps[name].reason == "command not found: no-such-command-anywhere"
        assert steps[name].hint == "install it, or put it on PATH"
    assert steps["missing"].exit_code == 127
    assert done.result.exit_code == 1


SOFT_FAILURES = """
continue_on_error = true
[[steps]]
name = "shell"
shell = "echo out; exit 4"
[[steps]]
name = "late"
argv = ["sleep", "9"]
timeout = 100
[[steps]]
name = "limited"
backend = "b"
prompt = "limited"
[[steps]]
name = "gone"
backend = "nobody"
prompt = "x"
[[steps]]
name = "asserted"
shell = "echo fine"
assert = ["output == 'great'"]
[[steps]]
name = "items"
for_each = ["0", "5"]
argv = ["sh", "-c", "echo $0; exit $0", "{{ item }}"]
"""


def test_the_text_of_every_soft_failure_begins_as_lok_s_and_holds_the_word_in_lower_case(
    tmp_path: Path,
) -> None:
    names = ("shell", "late", "limited", "gone", "asserted")
    readers = "".join(
        f"""
[[steps]]
name = "{kind}-{name}"
when = "{test}"
shell = "printf %s {{{{ steps.{name}.output }}}}"
"""
        for name in names
        for kind, test in (
            ("upper", f"steps.{name}.output contains 'Error: '"),
            ("lower", f"'error' in steps.{name}.output"),
            ("lok", f"contains({name}.output, 'rror')"),
        )
    )
    backend = Scripted("b", [ScriptedReply(error="rate_limit")])
    done = ran(SOFT_FAILURES + readers, world(tmp_path, backend))
    texts = {name: done.result.steps[f"upper-{name}"].output for name in names}
    assert all(done.outcomes[f"{kind}-{name}"] is P for kind in ("upper", "lower", "lok") for name in names)
    assert texts["shell"] == "Error: shell error: out\nexit code: 4"
    assert texts["late"] == "Error: step error: the command timed out after 0.1 s"
    assert texts["limited"].startswith("Error: rate limit error: b")
    assert texts["gone"].startswith("Error: not configured error: no backend is called 'nobody'")
    assert texts["asserted"].startswith("Error: check error: fine")
    data = done.result.steps["items"].data
    assert isinstance(data, list)
    assert [item["output"] for item in data if isinstance(item, dict)] == [
        "0", "Error: shell error: 5\nexit code: 5",
    ]  # fmt: skip


def test_the_text_of_a_soft_failure_is_no_answer_to_an_assert(tmp_path: Path) -> None:
    judging = """
[[steps]]
name = "judge"
shell = "true"
assert = ["steps.shell.output contains 'out'"]
"""
    done = ran(
        SOFT_FAILURES.replace("continue_on_error = true\n", "", 1)
        .replace('shell = "echo out; exit 4"', 'shell = "echo out; exit 4"\ncontinue_on_error = true')
        .split('[[steps]]\nname = "late"')[0]
        + judging,
        world(tmp_path),
    )
    assert done.outcomes == {"shell": SOFT, "judge": E}


def test_enough_dependencies_are_enough_and_the_failed_ones_show_their_error(tmp_path: Path) -> None:
    done = ran(
        """
        [[steps]]
        name = "a"
        shell = "echo fine"
        [[steps]]
        name = "b"
        shell = "echo broken >&2; exit 1"
        [[steps]]
        name = "join"
        depends_on = ["a", "b"]
        min_deps_success = 1
        shell = "printf '%s|%s' {{ steps.a.output }} {{ steps.b.output }}"
        """,
        world(tmp_path),
    )
    assert done.result.steps["join"].output == "fine|Error: shell error: broken\nexit code: 1"
    assert done.result.outcome is F, "a tolerated failure is still a failure of the run"


def test_independent_steps_overlap(tmp_path: Path) -> None:
    """Each of three waits until all three have started: it ends only if they run at once."""
    meet = "touch {n}; while [ ! -e a ] || [ ! -e b ] || [ ! -e c ]; do sleep 0.01; done"
    text = "".join(f'[[steps]]\nname = "{n}"\nshell = "{meet.format(n=n)}"\ntimeout = "20s"\n' for n in "abc")
    text += '[[steps]]\nname = "join"\ndepends_on = ["a", "b", "c"]\nshell = "true"\n'
    assert ran(text, world(tmp_path)).result.passed


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_steps_run_at_once_than_allowed(tmp_path: Path, limit: int) -> None:
    text = "".join(f'[[steps]]\nname = "s{i}"\nprompt = "x"\nbackend = "b"\n' for i in range(9))
    done = ran(
        text,
        world(
            tmp_path,
            Scripted("b", [ScriptedReply(reply="y", delay=0.01)]),
            limits=Limits(max_parallel=limit, is_explicit=True),
        ),
    )
    running = most = 0
    for event in done.events:
        running += isinstance(event, StepStarted)
        running -= isinstance(event, StepFinished)
        most = max(most, running)
    assert most == limit
    assert done.result.passed


def test_a_workflows_own_limit_wins(tmp_path: Path) -> None:
    text = "max_parallel = 1\n" + "".join(
        f'[[steps]]\nname = "s{i}"\nshell = "mkdir lock && sleep 0.05 && rmdir lock"\n' for i in range(3)
    )
    assert ran(text, world(tmp_path)).result.passed, "two at once would find the lock taken"


def test_fail_fast_cancels_the_rest_and_says_so(tmp_path: Path) -> None:
    done = ran(
        """
        [[steps]]
        name = "bad"
        shell = "while [ ! -e started ]; do sleep 0.01; done; exit 1"
        [[steps]]
        name = "slow"
        shell = "touch started; sleep 60; touch ended"
        [[steps]]
        name = "later"
        depends_on = ["slow"]
        shell = "touch later"
        """,
        world(tmp_path),
        fail_fast=True,
    )
    assert done.outcomes == {"bad": F, "slow": E, "later": S}
    assert "fail-fast after step 'bad'" in done.result.steps["slow"].reason
    assert done.result.steps["slow"].seconds >= done.result.steps["bad"].seconds > 0
    assert not (tmp_path / "later").exists()
    assert done.result.exit_code == 1


def test_a_timeout_is_an_error_and_kills_the_step(tmp_path: Path) -> None:
    done = ran('[[steps]]\nname = "a"\ntimeout = 200\nshell = "sleep 60; touch ended"', world(tmp_path))
    assert done.outcomes == {"a": E}
    assert "timed out after 0.2 s" in done.result.steps["a"].reason
    assert done.result.exit_code == 3


def test_shell_retries_until_it_works(tmp_path: Path) -> None:
    done = ran(
        """
        [[steps]]
        name = "a"
        retries = 3
        retry_delay = 1
        shell = "echo x >> tries; [ $(wc -l < tries) -ge 3 ]"
        """,
        world(tmp_path),
    )
    assert done.result.passed
    assert done.result.steps["a"].attempts == 3
    assert (tmp_path / "tries").read_text() == "x\nx\nx\n"


def test_stopping_a_run_settles_every_step(tmp_path: Path) -> None:
    text = '[[steps]]\nname = "a"\nshell = "touch up; sleep 60"\n[[steps]]\nname = "b"\ndepends_on = ["a"]\nshell = "true"'
    events: list[Event] = []

    async def stopped() -> tuple[Run, object]:
        going = Run(Plan.of(workflow(text)), world(tmp_path), events.append)
        task = asyncio.create_task(going.execute())
        while not (tmp_path / "up").exists():
            await asyncio.sleep(0.01)
        assert list(going.running()) == ["a"]
        going.stop("the user said so")
        return going, await task

    asyncio.run(stopped())
    result = fold(events)
    assert result.interrupted == "the user said so"
    assert result.steps["a"].outcome is E
    assert result.steps["b"].blocked_by == "a"
    assert not result.passed


def test_cancelling_from_outside_settles_every_step_and_propagates(tmp_path: Path) -> None:
    text = '[[steps]]\nname = "a"\nshell = "touch up; sleep 60"\n[[steps]]\nname = "b"\nwhen = "steps.a.passed"\nshell = "true"\n'
    events: list[Event] = []

    async def cancelled() -> None:
        task = asyncio.create_task(run(Plan.of(workflow(text)), world(tmp_path), events.append))
        while not (tmp_path / "up").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    result = fold(events)
    assert {name: step.outcome for name, step in result.steps.items()} == {"a": E, "b": S}
    assert result.interrupted == "interrupted"
    assert isinstance(events[-1], RunFinished)


def test_a_chain_of_5000_steps_and_a_fan_out_of_10000(tmp_path: Path) -> None:
    backend = Scripted("b", "y")
    chain = '[[steps]]\nname = "s0"\nprompt = "x"\nbackend = "b"\n' + "".join(
        f'[[steps]]\nname = "s{i}"\nprompt = "x"\nbackend = "b"\ndepends_on = ["s{i - 1}"]\n'
        for i in range(1, 5000)
    )
    assert ran(chain, world(tmp_path, backend)).result.passed
    fan = "".join(f'[[steps]]\nname = "s{i}"\nprompt = "x"\nbackend = "b"\n' for i in range(10_000))
    done = ran(fan, world(tmp_path, backend))
    assert done.result.passed
    assert len(done.result.steps) == 10_000


def test_for_each_runs_items_at_once_and_keeps_their_order(tmp_path: Path) -> None:
    done = ran(
        """
        [[steps]]
        name = "list"
        shell = "echo '[3, 1, 2]'"
        output_format = "json_array"
        [[steps]]
        name = "each"
        for_each = "steps.list.output"
        shell = "sleep 0.0{{ item }}; echo {{ index }}:{{ item }}"
        """,
        world(tmp_path),
    )
    assert done.result.passed
    listed = json.loads(done.result.steps["each"].output)
    assert [entry["output"] for entry in listed] == ["0:3", "1:1", "2:2"]
    assert listed[0] == {"index": 0, "item": 3, "output": "0:3", "success": True}


def test_for_each_says_which_items_did_not_pass(tmp_path: Path) -> None:
    done = ran(
        """
        [[steps]]
        name = "each"
        for_each = ["0", "1", "0"]
        shell = "exit {{ item }}"
        """,
        world(tmp_path),
    )
    result = done.result.steps["each"]
    assert result.outcome is F
    assert result.reason.startswith("1 of 3 items did not pass: [1] the command exited with code 1")
    assert [item.outcome for item in result.items] == [P, F, P]
    assert [entry["success"] for entry in json.loads(result.output)] == [True, False, True]


@pytest.mark.parametrize("limit", [1, 2])
def test_items_respect_their_limit(tmp_path: Path, limit: int) -> None:
    text = f'[[steps]]\nname = "each"\nfor_each = ["a", "b", "c", "d"]\nmax_parallel = {limit}\n'
    text += """shell = 'touch at-{{ item }}; set -- at-*; echo $# >> most; sleep 0.05; rm at-{{ item }}'"""
    assert ran(text, world(tmp_path)).result.passed
    assert max(int(line) for line in (tmp_path / "most").read_text().split()) <= limit


def test_no_items_is_not_green(tmp_path: Path) -> None:
    done = ran(
        """
        [[steps]]
        name = "each"
        for_each = []
        shell = "echo {{ item }}"
        [[steps]]
        name = "after"
        depends_on = ["each"]
        shell = "printf %s {{ steps.each.output }}"
        """,
        world(tmp_path),
    )
    assert done.outcomes == {"each": S, "after": P}
    assert done.result.steps["after"].output == "[]"


def test_for_each_over_what_is_no_array_is_an_error(tmp_path: Path) -> None:
    done = ran(
        """
        [[steps]]
        name = "list"
        shell = "echo '{\\"a\\": 1}'"
        output_format = "json"
        [[steps]]
        name = "each"
        for_each = "steps.list.output"
        shell = "echo {{ item }}"
        """,
        world(tmp_path),
    )
    assert done.outcomes == {"list": P, "each": E}
    assert "needs a JSON array" in done.result.steps["each"].reason


def test_a_missing_value_is_an_error_of_its_step(tmp_path: Path) -> None:
    done = ran(
        '[[steps]]\nname = "a"\nshell = "echo {{ arg.1 }}"\n[[steps]]\nname = "b"\nshell = "true"',
        world(tmp_path),
    )
    assert done.outcomes == {"a": E, "b": P}
    assert "arg.1" in done.result.steps["a"].reason


def test_a_bug_crashes_the_run_and_still_settles_it(tmp_path: Path) -> None:
    class Broken:
        async def run(self, command: object) -> object:
            raise ZeroDivisionError("a bug")

    events: list[Event] = []
    broken = replace(world(tmp_path), shell=Broken())  # type: ignore[arg-type]  # it is broken on purpose
    text = '[[steps]]\nname = "a"\nshell = "true"\n[[steps]]\nname = "b"\ndepends_on = ["a"]\nshell = "true"'
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(run(Plan.of(workflow(text)), broken, events.append))
    assert caught.group_contains(ZeroDivisionError)
    assert fold(events).interrupted == "internal error"
    assert not fold(events).passed


def test_a_secret_reaches_the_next_step_but_no_event(tmp_path: Path) -> None:
    events: list[Event] = []
    text = """
    [[steps]]
    name = "leak"
    shell = "echo $MY_TOKEN; echo $MY_TOKEN >&2"
    [[steps]]
    name = "use"
    shell = "test {{ steps.leak.output }} = topsecret-value; echo {{ steps.leak.output }} | base64; exit 1"
    """
    env = {"MY_TOKEN": "topsecret-value"}
    within = replace(world(tmp_path, env=env), redactor=Redactor(secrets_of(env)))
    result = asyncio.run(run(Plan.of(workflow(text)), within, events.append))
    assert result.steps["leak"].output == "[redacted]"
    told = "\n".join(to_json(event) for event in events) + repr(result)
    assert "topsecret" not in told
    assert "dG9wc2VjcmV0" not in told, "its base64 spelling"
