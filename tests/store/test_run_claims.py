from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lok.core.events import BackendAsked, BudgetSpent, ResumeState, StepFinished, StepStarted
from pytest_lok.core.results import ItemResult, Outcome, StepResult, Usage
from pytest_lok.core.workflow.model import Shell, Step
from pytest_lok.locks import NumberedLocks
from pytest_lok.store.run_claims import OPEN, ClaimStore, WorkflowClaim

PASSED = StepResult(name="a", outcome=Outcome.PASSED, output="done")
OTHER = """
import sys, time
from pathlib import Path
from pytest_lok.core.events import StepFinished, StepStarted
from pytest_lok.core.events import ResumeState
from pytest_lok.core.results import Outcome, StepResult, Usage
from pytest_lok.store.run_claims import ClaimStore
entry = ClaimStore(Path(sys.argv[1]), "worker gw7").claim_for("audit")
assert entry.try_acquire()
assert entry.recover() == ResumeState()
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
        ledger = ClaimStore(tmp_path, "worker gw8")
        entry, free = ledger.claim_for("audit"), ledger.claim_for("other")
        assert not entry.try_acquire()
        assert free.try_acquire()
        assert entry.result("a") == PASSED
        assert entry.result("b") is None
        assert (entry.running("a"), entry.running("b")) == (False, True)
        other.kill()
        other.wait()
    assert entry.try_acquire()
    known = {result.name: result for result in entry.recover().results}
    assert known["a"] == PASSED
    assert known["b"].outcome is Outcome.ERROR
    assert "worker gw7 died" in known["b"].reason
    assert known.keys() == {"a", "b"}


def test_what_was_inherited_is_not_recorded_twice(tmp_path: Path) -> None:
    ClaimStore(tmp_path, "before").claim_for("w").append(StepFinished(result=PASSED, at=0.0))
    entry = ClaimStore(tmp_path, "me").claim_for("w")
    for known in entry.recover().results:
        entry.append(StepFinished(result=known, at=0.0))
    (journal,) = tmp_path.glob("*.jsonl")
    assert len(journal.read_text().splitlines()) == 1


def test_an_event_in_which_its_writer_died_is_no_event(tmp_path: Path) -> None:
    ClaimStore(tmp_path, "before").claim_for("w").append(StepStarted(step="a", at=0.0))
    (path,) = tmp_path.glob("*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"result":{"name":"a","outp')
    reader, entry = ClaimStore(tmp_path, "else").claim_for("w"), ClaimStore(tmp_path, "me").claim_for("w")
    assert reader.result("a") is None
    assert [known.outcome for known in entry.recover().results] == [Outcome.ERROR]
    entry.append(StepFinished(result=PASSED, at=0.0))
    assert reader.result("a") == PASSED


def test_what_was_spent_is_counted_whoever_spent_it(tmp_path: Path) -> None:
    one, other = ClaimStore(tmp_path, "one").claim_for("w"), ClaimStore(tmp_path, "other").claim_for("w")
    one.append(BudgetSpent(usage=Usage(calls=1)))
    one.append(BudgetSpent(usage=Usage(input_tokens=7, cost_usd=0.5)))
    other.append_spending(StepStarted(step="a", at=0.0))
    other.append_spending(BudgetSpent(usage=Usage(calls=1)))
    assert one.spent() == other.spent() == Usage(calls=2, input_tokens=7, cost_usd=0.5)
    assert other.recover() == ResumeState(spent=one.spent())


def test_workflows_are_told_apart_by_their_place_and_not_by_their_order(tmp_path: Path) -> None:
    here, there = ClaimStore(tmp_path, "here"), ClaimStore(tmp_path, "there")
    first, second = here.claim_for("a/w.toml"), here.claim_for("b/w.toml")
    first.append(StepFinished(result=PASSED, at=0.0))
    assert there.claim_for("b/w.toml").result("a") is second.result("a") is None
    assert there.claim_for("a/w.toml").result("a") == PASSED


def test_another_attempt_counts_from_then_on(tmp_path: Path) -> None:
    ledger = ClaimStore(tmp_path, "me")
    owner, reader = ledger.claim_for("w"), ledger.claim_for("w")
    failed = StepResult(name="a", outcome=Outcome.FAILED, reason="no")
    owner.append(StepFinished(result=failed, at=0.0))
    assert reader.result("a") == failed
    owner.record_rerun(PASSED)
    assert reader.result("a") == PASSED


def asked(entry: WorkflowClaim, step: str) -> list[tuple[int | None, str, str]]:
    return [(event.item, event.backend, event.prompt) for event in entry.asked(step)]


def test_prompts_are_kept_for_steps_that_have_to_be_explained(tmp_path: Path) -> None:
    entry = ClaimStore(tmp_path, "me").claim_for("w")
    for step in ("a", "b"):
        for number in range(20):
            entry.append(BackendAsked(step=step, backend="x", prompt=f"{step}{number}"))
        entry.append(BackendAsked(step=step, backend="y", prompt="z" * 20_000))
    entry.append(StepStarted(step="a", at=0.0))
    entry.append(StepFinished(result=PASSED, at=0.0))
    assert entry.asked("a") == ()
    assert asked(entry, "b")[:2] == [(None, "x", "b0"), (None, "x", "b19")], "the first and the last one"
    assert len(asked(entry, "b")[2][2]) < 10_000


def test_of_many_items_the_prompts_of_the_red_ones_are_kept(tmp_path: Path) -> None:
    entry = ClaimStore(tmp_path, "me").claim_for("w")
    for item in range(200):
        entry.append(BackendAsked(step="a", backend="x", prompt=f"about {item}", item=item))
    items = tuple(
        ItemResult(index=n, item=n, outcome=Outcome.FAILED if n in (7, 199) else Outcome.PASSED)
        for n in range(200)
    )
    entry.append(StepFinished(result=replace(PASSED, outcome=Outcome.FAILED, items=items), at=0.0))
    assert asked(entry, "a") == [(7, "x", "about 7"), (199, "x", "about 199")]


def test_many_workflows_at_once_keep_few_files_open(tmp_path: Path) -> None:
    ledger = ClaimStore(tmp_path, "pytest")
    entries = [ledger.claim_for(f"w{number}.toml") for number in range(OPEN + 20)]
    gc.collect()  # what an earlier test has left open is closed now, and not meanwhile
    before = len(list(Path("/dev/fd").iterdir()))
    for entry in entries:
        assert entry.try_acquire()
        entry.recover()
        entry.append(StepFinished(result=PASSED, at=0.0))
    assert OPEN <= len(list(Path("/dev/fd").iterdir())) - before <= OPEN + 1  # and the lock
    assert all(entry.result("a") == PASSED for entry in entries)
    ledger.close()
    ledger.close()
    assert len(list(Path("/dev/fd").iterdir())) <= before
    entries[0].record_rerun(replace(PASSED, output="late"))
    assert entries[0].result("a") == replace(PASSED, output="late")


def test_a_name_cannot_leave_the_directory(tmp_path: Path) -> None:
    ClaimStore(tmp_path, "me").claim_for("../../x/y z").append(StepStarted(step="a", at=0.0))
    (path,) = tmp_path.glob("*.jsonl")
    assert path.name.startswith("y_z-")


def test_a_lock_can_be_asked_for_again_and_given_up_twice(tmp_path: Path) -> None:
    lock = NumberedLocks(tmp_path / "lock")
    assert lock.try_acquire(1)
    assert lock.try_acquire(1)
    lock.close()
    lock.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a lock is the process's")
def test_whoever_reads_the_file_takes_no_lock_away(tmp_path: Path) -> None:
    lock, other = NumberedLocks(tmp_path / "lock"), NumberedLocks(tmp_path / "lock")
    assert lock.try_acquire(1)
    (tmp_path / "lock").read_bytes()  # as a copy of the project does
    assert not other.try_acquire(1)
    assert other.try_acquire(2)
    lock.close()
    assert other.try_acquire(1)
    other.close()


FORKED = """
import multiprocessing, os, sys, time
from pathlib import Path
from pytest_lok.locks import NumberedLocks
lock = NumberedLocks(Path(sys.argv[1]))
assert lock.try_acquire(1)
child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
child.start()
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_lock_dies_with_its_owner_whatever_has_been_forked(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKED, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        owner.wait()
        try:
            os.kill(child, 0)  # it outlives the owner
            lock, deadline = NumberedLocks(tmp_path / "lock"), time.monotonic() + 30
            while not lock.try_acquire(1):
                assert time.monotonic() < deadline, "the fork holds its dead parent's lock"
                time.sleep(0.01)  # it may not have come to itself yet
            lock.close()
        finally:
            os.kill(child, signal.SIGKILL)


def test_what_is_outdated_is_claimed_by_one_at_a_time(tmp_path: Path) -> None:
    mine, other = (ClaimStore(tmp_path, who).claim_for("audit") for who in ("gw0", "gw1"))
    assert mine.try_acquire()
    if sys.platform == "linux":  # elsewhere one process is one owner
        assert mine.try_acquire_rerun()
        assert not other.try_acquire_rerun()
        mine.release_rerun()
    assert other.try_acquire_rerun(), "it is another place than the workflow's own"
    assert not mine.try_acquire_rerun() or sys.platform != "linux"


def test_nothing_is_looked_through_while_no_result_was_replaced(tmp_path: Path) -> None:
    """Each of ten thousand skipped items asks, so the question must not cost ten thousand looks."""
    claim = ClaimStore(tmp_path, "me").claim_for("w")
    assert claim.try_acquire()
    claim.recover()
    claim.append(StepFinished(result=PASSED, at=0.0))

    def steps() -> Iterator[Step]:
        raise AssertionError
        yield

    assert claim.outdated(steps()) == frozenset()


def test_every_process_sees_what_is_outdated(tmp_path: Path) -> None:
    mine, other = (ClaimStore(tmp_path, who).claim_for("audit") for who in ("gw0", "gw1"))
    steps = [Step(name="a", action=Shell()), Step(name="b", action=Shell(), needs=("a",))]
    failed = replace(PASSED, outcome=Outcome.FAILED, attempts=1)
    blocked = StepResult(name="b", outcome=Outcome.SKIPPED, reason="blocked", blocked_by="a")
    for result in (failed, blocked):
        mine.append(StepFinished(result=result, at=0.0))
    assert mine.outdated(steps) == other.outdated(steps) == frozenset()
    mine.record_rerun(replace(failed, attempts=2))
    assert mine.outdated(steps) == frozenset(), "it means the same to others"
    other.record_rerun(replace(PASSED, attempts=3))
    assert mine.outdated(steps) == other.outdated(steps) == {"b"}
    ran = replace(PASSED, name="b", attempts=1)
    mine.append_for({"b"}, StepFinished(result=PASSED, at=0.0))
    mine.append_for({"b"}, StepFinished(result=ran, at=0.0))
    assert mine.outdated(steps) == other.outdated(steps) == frozenset()
    assert other.result("a") == replace(PASSED, attempts=3), "only what was asked for was recorded"
