"""Records that were damaged in any way: the same result is read, or the record is not believed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.events import BackendAsked, Event, RunFinished, RunStarted, StepFinished, StepStarted
from pytest_lok.core.results import Outcome, RunResult, StepResult
from pytest_lok.core.workflow.model import Gate, Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.core.workflow.sources import WorkflowSources
from pytest_lok.store.event_lines import encoded
from pytest_lok.store.frames import FrameWriter, UnusableRecordError
from pytest_lok.store.journal import Journal
from pytest_lok.store.record_files import read_record
from pytest_lok.store.records import FORMAT, Record, RecordBeginning, RecordedWorkflow
from pytest_lok.store.runs import RunDirectory, RunStore

P, F = Outcome.PASSED, Outcome.FAILED


def events(run_id: str, outcome: Outcome) -> list[Event]:
    return [
        RunStarted(
            run_id=run_id,
            workflow="w",
            path="w.toml",
            sha256="",
            time=1.0,
            steps=("a", "b"),
            selected=("a", "b"),
            leaves=("b",),
        ),
        StepStarted(step="a", at=0.0),
        BackendAsked(step="a", backend="echo", prompt="what is wrong?"),
        StepFinished(result=StepResult(name="a", outcome=P, output="nothing", attempts=1), at=0.1),
        StepStarted(step="b", at=0.1),
        StepFinished(result=StepResult(name="b", outcome=outcome, reason="why", attempts=1), at=0.2),
        RunFinished(seconds=0.3),
    ]


def written(store: RunStore, outcome: Outcome, *, upto: int | None = None) -> RunDirectory:
    """A record; ``upto`` = the process was killed after so many events."""
    made = store.new(command=["lok", "run", "w"], root=store.folder)
    # several processes of a session append, each as a writer of its own
    writers = [Journal(made.path / "w-000000000000.jsonl") for _ in range(2)]
    for at, event in enumerate(events(made.run_id, outcome)[:upto]):
        writers[at % 2].append(event)
    if upto is None:
        made.end({P: 0, F: 1}[outcome])
    made.close()
    return made


@contextmanager
def a_store() -> Iterator[RunStore]:
    with TemporaryDirectory() as place:
        yield RunStore(Path(place) / "runs")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def result(record: Record) -> RunResult:
    (run,) = record.runs
    return run.result


def test_a_record_says_what_was_recorded(store: RunStore) -> None:
    for outcome, code in ((P, 0), (F, 1)):
        record = store.read(written(store, outcome).run_id)
        assert (record.state, record.exit_code) == ("ended", code)
        assert result(record).outcome is outcome
        assert record.beginning.command == ("lok", "run", "w")
        assert [asked.prompt for asked in record.runs[0].asked()["a"]] == ["what is wrong?"]


@pytest.mark.parametrize("upto", range(8))
def test_a_run_without_an_end_was_killed_and_is_never_green(store: RunStore, upto: int) -> None:
    record = store.read(written(store, P, upto=upto).run_id)
    assert (record.state, record.exit_code) == ("killed", 3)
    for run in record.runs:
        assert run.result.outcome is Outcome.ERROR
        assert "killed" in run.result.interrupted
        assert run.exit_code == 3


def test_a_run_that_lives_is_said_to_run(store: RunStore) -> None:
    made = store.new(command=["lok"], root=store.folder)
    journal = Journal(made.path / "w-000000000000.jsonl")
    for event in events(made.run_id, P)[:4]:
        journal.append(event)
    record = store.read(made.run_id)
    assert (record.state, result(record).interrupted) == ("running", "it still runs")
    made.close()
    assert store.read(made.run_id).state == "killed"


Damage = Callable[[bytes], bytes]


@st.composite
def damages(draw: st.DrawFn) -> tuple[str, Damage]:
    """One way to change a file: flip a bit, cut, zero, drop, repeat, insert, append."""
    kind = draw(st.sampled_from(["flip", "cut", "zero", "drop", "repeat", "insert", "append", "swap"]))
    at, more = draw(st.floats(0, 1)), draw(st.integers(1, 80))
    bit, junk = 1 << draw(st.integers(0, 7)), draw(st.binary(min_size=1, max_size=30))

    def change(data: bytes) -> bytes:
        place = min(int(at * len(data)), len(data) - 1)
        match kind:
            case "flip":
                return data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
            case "cut":
                return data[:place]
            case "zero":
                return data[:place] + bytes(len(data[place : place + more])) + data[place + more :]
            case "drop":
                return data[:place] + data[place + more :]
            case "repeat":
                return data[: place + more] + data[place:]
            case "insert":
                return data[:place] + junk + data[place:]
            case "append":
                return data + junk
        lines = data.splitlines(keepends=True)
        chosen = more % len(lines)
        return b"".join([lines[chosen], *lines[:chosen], *lines[chosen + 1 :]])

    return kind, change


def believed(store: RunStore, run_id: str) -> Record | None:
    try:
        return store.read(run_id)
    except UnusableRecordError:
        return None


@given(st.sampled_from([P, F]), st.sampled_from(["run.json", "end.json", "journal"]), damages())
@settings(deadline=None, max_examples=150)
def test_an_ended_record_that_was_damaged_says_the_same_or_nothing(
    outcome: Outcome, name: str, damage: tuple[str, Damage]
) -> None:
    with a_store() as store:
        made = written(store, outcome)
        before = store.read(made.run_id)
        file = next(made.path.glob("*.jsonl")) if name == "journal" else made.path / name
        data = file.read_bytes()
        changed = damage[1](data)
        file.write_bytes(changed)
        after = believed(store, made.run_id)
        assert after is None or after == before
        assert changed == data or after is None


@given(st.sampled_from([P, F]), st.integers(1, 7), damages())
@settings(deadline=None, max_examples=150)
def test_a_killed_record_that_was_damaged_is_a_killed_one_or_nothing(
    outcome: Outcome, upto: int, damage: tuple[str, Damage]
) -> None:
    with a_store() as store:
        made = written(store, outcome, upto=upto)
        before = result(store.read(made.run_id))
        file = next(made.path.glob("*.jsonl"))
        data = file.read_bytes()
        file.write_bytes(damage[1](data))
        after = believed(store, made.run_id)
        if after is None:
            return
        assert after.state == "killed"
        # what was cut off may have been lost as the process died: then less is known, and nothing else
        for run in after.runs:
            assert run.result.outcome in (Outcome.ERROR, before.outcome)
            assert run.result.steps.items() <= before.steps.items()


def test_a_record_whose_files_are_gone_is_never_green(store: RunStore) -> None:
    for name in ("run.json", "end.json", "w-000000000000.jsonl"):
        made = written(store, P)
        (made.path / name).unlink()
        record = believed(store, made.run_id)
        assert record is None or (record.state, result(record).outcome) == ("killed", Outcome.ERROR)


def of_another_version(made: RunDirectory) -> None:
    newer = RecordBeginning(
        run_id=made.run_id, command=(), root="", time=1.0, version="99.0", format=FORMAT + 1
    )
    (made.path / "run.json").write_bytes(FrameWriter("00000000").frame(encoded(newer)))


def readable_for_others(made: RunDirectory) -> None:
    made.path.chmod(0o755)


def with_a_readable_journal(made: RunDirectory) -> None:
    next(made.path.glob("*.jsonl")).chmod(0o644)


def with_another_journal(made: RunDirectory) -> None:
    Journal(made.path / "x-000000000000.jsonl").append(RunFinished(seconds=1.0))


def with_a_link(made: RunDirectory) -> None:
    file = next(made.path.glob("*.jsonl"))
    target = made.path.parent / "elsewhere"
    file.rename(target)
    file.symlink_to(target)


def with_a_pipe(made: RunDirectory) -> None:
    file = made.path / "end.json"
    file.unlink()
    os.mkfifo(file, 0o600)


def linked(made: RunDirectory) -> None:
    target = made.path.parent / "elsewhere"
    made.path.rename(target)
    made.path.symlink_to(target)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (of_another_version, "lok 99.0 has written it, which is newer"),
        (readable_for_others, "others than its owner may read it"),
        (with_a_readable_journal, "others than its owner may read it"),
        (with_another_journal, "not those with which it ended"),
        (with_a_link, "cannot be read"),
        (with_a_pipe, "end.json is no file"),
        (linked, "no directory"),
    ],
)
def test_what_lok_has_not_written_so_is_left_and_said(
    store: RunStore, change: Callable[[RunDirectory], None], why: str
) -> None:
    made = written(store, P)
    change(made)
    with pytest.raises(UnusableRecordError, match=why):
        store.read(made.run_id)
    assert os.path.lexists(made.path)


def test_a_copy_under_another_name_is_not_that_run(store: RunStore) -> None:
    made = written(store, P)
    copy = store.folder / "20990101-000000-aaaaaa"
    shutil.copytree(made.path, copy)
    with pytest.raises(UnusableRecordError, match=f"a copy of the run {made.run_id}"):
        store.read(copy.name)
    # whoever names the directory takes it for what it is
    assert read_record(copy).run_id == made.run_id


def test_what_is_not_believed_is_never_removed_and_never_the_newest(tmp_path: Path) -> None:
    keeps_one = RunStore(tmp_path / "runs", keep=1)
    broken = written(keeps_one, P)
    with next(broken.path.glob("*.jsonl")).open("ab") as file:
        file.write(b"x")
    old = [written(keeps_one, F).run_id for _ in range(3)]
    assert keeps_one.names() == [old[-1], broken.run_id]
    shutil.rmtree(keeps_one.folder / old[-1])
    kept = written(keeps_one, P)
    newer = written(RunStore(tmp_path / "runs"), P)
    (newer.path / "end.json").write_bytes(b"")
    assert keeps_one.find().run_id == kept.run_id


def test_runs_made_within_a_second_sort_by_their_age(store: RunStore) -> None:
    made = [written(store, P).run_id for _ in range(8)]
    assert store.names() == made[::-1]


def test_what_a_run_is_of_comes_back(store: RunStore) -> None:
    gate = Gate(fail_on="low", quorum=2)
    workflow = Workflow(
        stem="w",
        name="W",
        steps=(),
        path="w.toml",
        gate=gate,
        sources=WorkflowSources(files=(("w.toml", "[[steps]]\n"),), beside=(("w.toml", "s.json", "{}"),)),
    )
    plan = Plan(workflow=workflow, steps=(), selected=frozenset(), arguments={"1": "src", "path": "src"})
    described = RecordedWorkflow.of(plan)
    made = store.new(command=["lok"], root=store.folder)
    journal = Journal(made.path / "w-000000000000.jsonl")
    journal.append_document(encoded(described, kind="workflow"))
    for event in events(made.run_id, P):
        journal.append(event)
    made.end(0)
    made.close()
    (run,) = store.read(made.run_id).runs
    assert run.workflow == described
    assert Gate(**run.workflow.gate or {}) == gate  # type: ignore[arg-type]
    assert [event.kind for event in run.events()][:2] == ["run_started", "step_started"]
