"""What a session leaves in ``.lok/runs``, in whichever of its processes a workflow ran."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_lok.core.results import Outcome
from pytest_lok.store.frames import UnusableRecordError
from pytest_lok.store.records import Record
from pytest_lok.store.runs import RunStore
from tests.plugin.conftest import QUIET, Suite


def store(suite: Suite) -> RunStore:
    return RunStore(suite.root / ".lok" / "runs")


def outcomes(record: Record) -> dict[str, Outcome]:
    return {run.result.workflow: run.result.outcome for run in record.runs}


@pytest.mark.parametrize("code", [0, 1])
def test_a_session_is_a_record_with_its_exit_code(suite: Suite, code: int) -> None:
    suite.shells("one", a=f"exit {code}")
    suite.shells("two", a="true")
    assert suite.run("--lok", "-k", "a").ret == code
    record = store(suite).find()
    assert (record.state, record.exit_code) == ("ended", code)
    assert outcomes(record) == {"one": Outcome.FAILED if code else Outcome.PASSED, "two": Outcome.PASSED}
    assert record.beginning.command[0] == "pytest"
    assert record.beginning.command[-3:] == ("--lok", "-k", "a")
    for run in record.runs:
        assert run.workflow is not None
        ((path, text),) = run.workflow.sources.files
        assert (suite.root / path).read_text() == text


def test_the_gate_that_judged_is_recorded_and_not_the_file_s(suite: Suite) -> None:
    suite.workflow(
        "w",
        "[gate]\nfail_on = 'never'\n[[steps]]\nname = 'a'\noutput_format = 'findings'\nshell = 'echo []'\n",
    )
    suite.run("--lok", "-o", "lok_fail_on=low")
    (run,) = store(suite).find().runs
    assert run.workflow is not None
    assert run.workflow.gate is not None
    assert run.workflow.gate["fail_on"] == "low"


def test_all_processes_of_a_session_write_one_record(suite: Suite) -> None:
    for name in "abcd":
        suite.shells(name, first="sleep 0.1", second_after_first="true", third_after_second="true")
    assert suite.run_apart("--lok", "-n", "2").ret == 0
    assert len(store(suite).names()) == 1
    record = store(suite).find()
    assert (record.state, record.exit_code) == ("ended", 0)
    assert outcomes(record) == dict.fromkeys("abcd", Outcome.PASSED)
    assert {run.result.run_id for run in record.runs} == {record.run_id}


def test_results_of_reruns_are_in_the_record(suite: Suite) -> None:
    suite.shells("w", a="test -e ran && exit 0; touch ran; exit 1", b_after_a="true")
    assert suite.run_apart("--lok", "-n", "2", "--reruns", "1").ret == 0
    record = store(suite).find()
    assert record.exit_code == 0
    assert outcomes(record) == {"w": Outcome.PASSED}
    assert record.runs[0].result.steps["a"].attempts == 2


def test_a_session_that_is_killed_has_no_end(suite: Suite) -> None:
    suite.shells("w", a="touch begun; sleep 60")
    command = [sys.executable, "-m", "pytest", *QUIET, "--lok"]
    with subprocess.Popen(command, cwd=suite.root, stdout=subprocess.DEVNULL) as session:
        while not (suite.root / "begun").exists():
            time.sleep(0.02)
        assert store(suite).find().state == "running"
        os.kill(session.pid, signal.SIGKILL)
    record = store(suite).find()
    assert record.state == "killed"
    (run,) = record.runs
    assert (run.result.outcome, run.exit_code, [*run.running]) == (Outcome.ERROR, 3, ["a"])


def test_an_interrupted_session_has_an_end_that_is_no_yes(suite: Suite) -> None:
    suite.shells("w", a="touch begun; sleep 60")
    command = [sys.executable, "-m", "pytest", *QUIET, "--lok"]
    with subprocess.Popen(command, cwd=suite.root, stdout=subprocess.DEVNULL) as session:
        while not (suite.root / "begun").exists():
            time.sleep(0.02)
        session.send_signal(signal.SIGINT)
    record = store(suite).find()
    assert (record.state, record.exit_code) == ("ended", 2)
    assert outcomes(record) == {"w": Outcome.ERROR}


def test_a_worker_that_dies_leaves_a_record_that_is_believed(suite: Suite) -> None:
    suite.shells("w", a="kill -9 $PPID; sleep 60", b_after_a="true")
    assert suite.run_cold("--lok", "-n", "2", "--max-worker-restart=1").ret != 0
    record = store(suite).find()
    assert (record.state, record.exit_code) == ("ended", 1)
    assert outcomes(record) == {"w": Outcome.ERROR}


def test_a_journal_that_is_changed_while_the_session_runs_is_red(suite: Suite) -> None:
    spoil = "sed -i s/step_started/step_stopped/ .lok/runs/*/*.jsonl"
    suite.shells("w", a=spoil, b_after_a="true")
    assert suite.run_apart("--lok", "-n", "2").ret != 0
    with pytest.raises(UnusableRecordError):
        store(suite).find(store(suite).names()[0])


def test_a_session_that_starts_nothing_leaves_nothing(suite: Suite) -> None:
    suite.shells("w", a="true")
    for option in ("--collect-only", "--setup-plan"):
        suite.run("--lok", option)
    assert not Path(suite.root / ".lok" / "runs").exists()
