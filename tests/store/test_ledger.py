from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pytest_lok.core.events import BackendAsked, StepFinished, StepStarted
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.store.journal import Journal
from pytest_lok.store.ledger import Ledger
from pytest_lok.store.lock import Lock

PASSED = StepResult(name="a", outcome=Outcome.PASSED, output="done")
OTHER = """
import sys, time
from pathlib import Path
from pytest_lok.core.events import StepFinished, StepStarted
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.store.ledger import Ledger
entry = Ledger(Path(sys.argv[1]), "worker gw7").entry(3, "audit")
assert entry.own()
assert entry.inherit() == []
entry.append(StepStarted(step="a", at=0.0))
entry.append(StepFinished(result=StepResult(name="a", outcome=Outcome.PASSED, output="done"), at=0.1))
entry.append(StepStarted(step="b", at=0.1))
print("ready", flush=True)
time.sleep(60)
"""


def test_the_owner_is_one_and_what_it_leaves_is_taken_over(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OTHER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        ledger = Ledger(tmp_path, "worker gw8")
        entry, free = ledger.entry(3, "audit"), ledger.entry(4, "other")
        assert not entry.own()
        assert free.own()
        assert entry.result("a") == PASSED
        assert entry.result("b") is None
        other.kill()
        other.wait()
    assert entry.own()
    known = {result.name: result for result in entry.inherit()}
    assert known["a"] == PASSED
    assert known["b"].outcome is Outcome.ERROR
    assert "worker gw7 died" in known["b"].reason
    assert known.keys() == {"a", "b"}


def test_what_was_inherited_is_not_recorded_twice(tmp_path: Path) -> None:
    Journal(tmp_path / "000-w.jsonl").append(StepFinished(result=PASSED, at=0.0))
    entry = Ledger(tmp_path, "me").entry(0, "w")
    for known in entry.inherit():
        entry.append(StepFinished(result=known, at=0.0))
    assert len((tmp_path / "000-w.jsonl").read_text().splitlines()) == 1


def test_another_attempt_counts_from_then_on(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "me")
    owner, reader = ledger.entry(0, "w"), ledger.entry(0, "w")
    failed = StepResult(name="a", outcome=Outcome.FAILED, reason="no")
    owner.append(StepFinished(result=failed, at=0.0))
    assert reader.result("a") == failed
    owner.again(PASSED)
    assert reader.result("a") == PASSED


def test_prompts_are_kept_for_steps_that_have_to_be_explained(tmp_path: Path) -> None:
    entry = Ledger(tmp_path, "me").entry(0, "w")
    for step in ("a", "b"):
        for number in range(20):
            entry.append(BackendAsked(step=step, backend="x", prompt=f"{step}{number}"))
    entry.append(StepStarted(step="a", at=0.0))
    entry.append(StepFinished(result=PASSED, at=0.0))
    assert entry.asked("a") == ()
    assert [event.prompt for event in entry.asked("b")][:2] == ["b0", "b1"]
    assert len(entry.asked("b")) == 16


def test_a_name_cannot_leave_the_directory(tmp_path: Path) -> None:
    Ledger(tmp_path, "me").entry(0, "../../x/y").append(StepStarted(step="a", at=0.0))
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["000-.._.._x_y.jsonl"]


def test_a_lock_can_be_asked_for_again_and_given_up_twice(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    assert lock.take(1)
    assert lock.take(1)
    lock.close()
    lock.close()
