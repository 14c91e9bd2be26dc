"""Recorded answers: strict and offline, one file per step, the same file whoever writes it and in whatever order."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.backends.replay import CassetteStore, ReplayBackend
from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.backends.unavailable import UnavailableBackend
from pytest_lok.core.asking.cassette import Mode, loads
from pytest_lok.core.results import CACHED_USAGE, Reply
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.engine.ports import Backend, Prompt
from pytest_lok.errors import BackendError, BackendFault
from tests.backends.asking import run_async

EARLIER, LATER = 0.0, 4e9  # sessions that began before and after any file was written
ECHO = [ScriptedReply(regex=r"(?s)(.*)", reply=r"answer to \g<1>")]


def session(
    root: Path, mode: Mode, backend: Backend, *, began: float = LATER, secret: str = ""
) -> ReplayBackend:
    redactor = Redactor([secret] if secret else [])
    lock = root.parent / "state" / "cassettes.lock"
    return ReplayBackend(backend, CassetteStore(root, mode, redactor=redactor, lock=lock, since=began))


def prompt(text: str, step: str = "a", **more: Any) -> Prompt:
    return Prompt(text=text, workflow="w", step=step, **more)


def asked(backend: Backend, *texts: str, step: str = "a") -> list[Reply]:
    async def story() -> list[Reply]:
        return [await backend.ask(prompt(text, step)) for text in texts]

    return run_async(story())


def refusal(backend: Backend, text: str, step: str = "a") -> BackendError:
    with pytest.raises(BackendError) as caught:
        asked(backend, text, step=step)
    assert caught.value.backend in ("claude", "")
    return caught.value


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    return root


@pytest.fixture
def recorded(root: Path) -> Path:
    """A project where ``one`` and ``two`` were recorded in a session before."""
    asked(session(root, Mode.ONCE, Scripted("claude", ECHO)), "one", "two")
    return root


def file(root: Path, step: str = "a") -> Path:
    return root / ".lok" / "cassettes" / "w" / f"{step}.toml"


def known(root: Path, step: str = "a") -> dict[str, str]:
    return {it.question.prompt: it.text for it in loads(file(root, step).read_text())}


def test_what_was_recorded_is_answered_without_asking(recorded: Path) -> None:
    for mode in (Mode.NONE, Mode.ONCE, Mode.NEW):
        claude = Scripted("claude", "something else")
        replies = asked(session(recorded, mode, claude), "two", "one")
        assert [reply.text for reply in replies] == ["answer to two", "answer to one"]
        assert all(reply.cached and reply.usage == CACHED_USAGE for reply in replies)
        assert [reply.model for reply in replies] == ["scripted", "scripted"]
        assert claude.asked == []


@pytest.mark.parametrize("mode", [Mode.NONE, Mode.ONCE])
def test_an_unknown_prompt_is_an_error_with_the_nearest_one(recorded: Path, mode: Mode) -> None:
    claude = Scripted("claude", ECHO)
    error = refusal(session(recorded, mode, claude), "tw0")
    assert error.kind is BackendFault.NOT_RECORDED
    assert not error.transient
    assert ".lok/cassettes/w/a.toml" in error.message
    assert '-prompt = "two"' in error.message
    assert '+prompt = "tw0"' in error.message
    assert "`new`" in error.hint
    assert claude.asked == []
    assert known(recorded).keys() == {"one", "two"}


def test_a_step_without_a_file_is_an_error_only_where_nothing_is_recorded(recorded: Path) -> None:
    error = refusal(session(recorded, Mode.NONE, Scripted("claude", ECHO)), "three", step="b")
    assert "(.lok/cassettes/w/b.toml holds none)" in error.message
    assert not file(recorded, "b").exists()
    asked(session(recorded, Mode.ONCE, Scripted("claude", ECHO)), "three", "four", step="b")
    assert known(recorded, "b").keys() == {"three", "four"}


def test_new_adds_what_is_unknown(recorded: Path) -> None:
    claude = Scripted("claude", "fresh")
    replies = asked(session(recorded, Mode.NEW, claude), "one", "three")
    assert [(reply.text, reply.cached) for reply in replies] == [("answer to one", True), ("fresh", False)]
    assert [it.text for it in claude.asked] == ["three"]
    assert known(recorded) == {"one": "answer to one", "two": "answer to two", "three": "fresh"}


def test_all_records_a_step_anew_and_drops_what_is_not_asked_any_more(recorded: Path) -> None:
    replies = asked(session(recorded, Mode.ALL, Scripted("claude", "fresh")), "one", "three", "one")
    assert [(reply.text, reply.cached) for reply in replies] == [
        ("fresh", False), ("fresh", False), ("fresh", True),
    ]  # fmt: skip
    assert known(recorded) == {"one": "fresh", "three": "fresh"}


def test_everything_that_makes_a_question_tells_recordings_apart(root: Path) -> None:
    prompts = [
        prompt("x"),
        prompt("x", sample=1),
        prompt("x", system="s"),
        prompt("x", model="m"),
        prompt("x", schema={"type": "object"}),
        prompt("x", options={"seed": 1}),
    ]

    async def all_of(backend: Backend) -> list[str]:
        return [(await backend.ask(it)).text for it in prompts]

    numbers = Scripted("claude", [ScriptedReply(reply=str(n), times=1) for n in range(6)])
    assert run_async(all_of(session(root, Mode.ONCE, numbers))) == ["0", "1", "2", "3", "4", "5"]
    assert run_async(all_of(session(root, Mode.NONE, UnavailableBackend("claude", BackendFault.DISABLED, "", "")))) == [
        "0", "1", "2", "3", "4", "5",
    ]  # fmt: skip


def test_failures_are_not_recorded(root: Path) -> None:
    claude = Scripted("claude", [ScriptedReply(error="rate_limit", times=2), ScriptedReply(reply="at last")])
    backend = session(root, Mode.ONCE, claude)
    for _ in range(2):
        assert refusal(backend, "x").kind is BackendFault.RATE_LIMIT
    assert not file(root).exists()
    assert asked(backend, "x")[0].text == "at last"
    assert known(root) == {"x": "at last"}


def test_who_is_recorded_can_answer_where_nobody_is_installed(recorded: Path) -> None:
    gone = UnavailableBackend("claude", BackendFault.NOT_INSTALLED, "is not here", "install it")
    offline = session(recorded, Mode.NONE, gone)
    assert offline.unavailable() is None
    assert asked(offline, "one")[0].text == "answer to one"
    other = session(recorded, Mode.NONE, Scripted("codex", "x")).unavailable()
    assert other is not None
    assert other.kind is BackendFault.NOT_RECORDED
    assert session(recorded, Mode.NEW, Scripted("codex", "x")).unavailable() is None
    # what has to be asked for needs somebody who can be asked
    assert session(recorded, Mode.NEW, gone).unavailable() is None
    assert refusal(session(recorded, Mode.NEW, gone), "three").kind is BackendFault.NOT_INSTALLED
    anew = session(recorded, Mode.ALL, gone).unavailable()
    assert anew is not None
    assert anew.kind is BackendFault.NOT_INSTALLED


class Dead(Scripted):
    """A backend whose server is never there."""

    def unreachable(self) -> BackendError:
        return BackendError("no server", kind=BackendFault.NETWORK, backend=self.name)

    def usual_model(self) -> str:
        return "m"


def test_a_server_is_looked_at_only_where_it_would_be_asked(recorded: Path) -> None:
    dead = Dead("claude", ECHO)
    assert session(recorded, Mode.NONE, dead).unreachable() is None
    assert session(recorded, Mode.NEW, dead).unreachable() is None
    assert session(recorded, Mode.NONE, Dead("codex", ECHO)).unreachable() is None, "it is not asked either"
    for mode, name in ((Mode.ALL, "claude"), (Mode.NEW, "codex")):
        problem = session(recorded, mode, Dead(name, ECHO)).unreachable()
        assert problem is not None
        assert problem.kind is BackendFault.NETWORK
    assert session(recorded, Mode.NEW, dead).usual_model() == "m"


def test_secrets_are_masked_and_still_found(root: Path) -> None:
    secret = "correct-horse-battery"
    backend = session(root, Mode.ONCE, Scripted("claude", ECHO), secret=secret)
    assert asked(backend, f"the key is {secret}")[0].text == f"answer to the key is {secret}"
    assert secret not in file(root).read_text()
    again = session(root, Mode.NONE, Scripted("claude", ECHO), secret="another-secret-here")
    assert asked(again, "the key is another-secret-here")[0].text == "answer to the key is [redacted]"


def test_files_are_the_same_in_whatever_order_answers_come(tmp_path: Path) -> None:
    texts = [f"question {n}\nof many" for n in range(30)]
    written = []
    for number, order in enumerate((texts, texts[::-1])):
        root = tmp_path / str(number)
        root.mkdir()
        backend = session(root, Mode.ONCE, Scripted("claude", ECHO))

        async def story(backend: Backend = backend, order: list[str] = order) -> None:
            await asyncio.gather(*(backend.ask(prompt(text)) for text in order))

        run_async(story())
        written.append(file(root).read_bytes())
    assert written[0] == written[1]
    assert len(loads(written[0].decode())) == 30


def test_the_same_question_twice_at_once_has_one_answer(root: Path) -> None:
    claude = Scripted(
        "claude", [ScriptedReply(reply="first", delay=0.05, times=1), ScriptedReply(reply="second")]
    )
    backend = session(root, Mode.ONCE, claude)

    async def story() -> list[Reply]:
        return list(await asyncio.gather(backend.ask(prompt("x")), backend.ask(prompt("x"))))

    slow, quick = run_async(story())
    assert (quick.text, quick.cached) == ("second", False)
    assert (slow.text, slow.cached) == ("second", True)


def _worker(root: Path, number: int) -> None:
    texts = [f"{number}-{n}" for n in range(10)] + ["shared"]
    asked(session(root, Mode.ONCE, Scripted("claude", ECHO), began=EARLIER), *texts)


def test_processes_write_one_file_together(root: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_worker, args=(root, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert len(known(root)) == 41
    assert sorted(path.name for path in file(root).parent.iterdir()) == ["a.toml"]


def test_a_file_of_this_session_may_grow_and_one_from_before_may_not(recorded: Path) -> None:
    asked(session(recorded, Mode.ONCE, Scripted("claude", ECHO), began=EARLIER), "three")
    assert known(recorded).keys() == {"one", "two", "three"}
    refusal(session(recorded, Mode.ONCE, Scripted("claude", ECHO), began=LATER), "four")


def test_a_file_edited_by_hand_counts_at_once(recorded: Path) -> None:
    backend = session(recorded, Mode.NONE, Scripted("claude", ECHO))
    assert asked(backend, "one")[0].text == "answer to one"
    file(recorded).write_text(file(recorded).read_text().replace("answer to one", "edited"))
    assert asked(backend, "one")[0].text == "edited"


def test_a_broken_file_is_an_error_until_it_is_recorded_anew(recorded: Path) -> None:
    file(recorded).write_text("<<<<<<< HEAD\n" + file(recorded).read_text())
    error = refusal(session(recorded, Mode.NEW, Scripted("claude", ECHO)), "one")
    assert error.kind is BackendFault.NOT_RECORDED
    assert ".lok/cassettes/w/a.toml cannot be read" in error.message
    asked(session(recorded, Mode.ALL, Scripted("claude", ECHO)), "one")
    assert known(recorded) == {"one": "answer to one"}


def test_files_have_the_rights_of_other_files(root: Path) -> None:
    before = os.umask(0o027)
    try:
        asked(session(root, Mode.ONCE, Scripted("claude", ECHO)), "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(file(root).stat().st_mode) == 0o640


@pytest.mark.parametrize("link", [".lok", ".lok/cassettes", ".lok/cassettes/w", ".lok/cassettes/w/a.toml"])
def test_links_are_not_followed(root: Path, tmp_path: Path, link: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (root / link).parent.mkdir(parents=True, exist_ok=True)
    (root / link).symlink_to(elsewhere / "a.toml" if link.endswith("toml") else elsewhere)
    error = refusal(session(root, Mode.NEW, Scripted("claude", ECHO)), "x")
    assert f"{link} is a link" in error.message
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["..", "../../x", ".hidden", "a/b", "", "ümlaut"])
def test_no_name_leads_out_of_the_folder(root: Path, name: str) -> None:
    backend = session(root, Mode.ONCE, Scripted("claude", ECHO))
    run_async(backend.ask(Prompt(text="x", workflow=name, step=name)))
    (found,) = (root / ".lok" / "cassettes").glob("*/*")
    assert found.suffix == ".toml"
    assert list(root.iterdir()) == [root / ".lok"]
    assert sorted(path.name for path in root.parent.iterdir()) == ["project", "state"]


def test_where_nothing_can_be_written_the_step_says_so(root: Path) -> None:
    (root / ".lok").write_text("a file")
    error = refusal(session(root, Mode.ONCE, Scripted("claude", ECHO)), "x")
    assert "cannot be written" in error.message
