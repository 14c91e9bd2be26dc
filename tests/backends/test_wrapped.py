"""What every backend does, also behind recordings and the cache; and what they never keep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.backends.cache import AnswerCache, CachingBackend
from pytest_lok.backends.replay import CassetteStore, ReplayBackend
from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.asking.cassette import Mode
from pytest_lok.core.results import Reply
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.engine.ports import Backend, Prompt, RemembersAnswers
from pytest_lok.errors import BackendError, BackendFault
from tests.backends.asking import expect_error, run_async

ODD = "日本語 🎉 \u202e‮ \x01\x1b[31m \r\n {{ x }} $(y) ' \" \\ \"\"\" '''"


@dataclass
class Wrap:
    """Puts a backend behind recordings or the cache; ``kept`` is how many files came of it."""

    kind: str
    root: Path
    redactor: Redactor = field(default_factory=Redactor)

    def __call__(self, backend: Backend) -> Backend:
        if self.kind == "recorded":
            lock = self.root / "lock"
            return ReplayBackend(
                backend, CassetteStore(self.root, Mode.NEW, redactor=self.redactor, lock=lock, since=0)
            )
        return CachingBackend(
            backend, AnswerCache(self.root / "kept", ttl=60, redactor=self.redactor), identity="it"
        )

    @property
    def kept(self) -> int:
        pattern = ".lok/cassettes/*/*" if self.kind == "recorded" else "kept/*"
        return len(list(self.root.glob(pattern)))


@pytest.fixture(params=["recorded", "cached"])
def wrap(request: pytest.FixtureRequest, tmp_path: Path) -> Wrap:
    return Wrap(request.param, tmp_path)


def twice(wrap: Wrap, backend: Backend, text: str = "?", **more: Any) -> list[Reply]:
    return [run_async(wrap(backend).ask(Prompt(text=text, **more))) for _ in range(2)]


@pytest.mark.parametrize("text", ["x", ODD, "words " * 100_000], ids=["x", "odd", "long"])
def test_texts_of_every_kind_come_back_as_they_were(wrap: Wrap, text: str) -> None:
    backend = Scripted("it", [ScriptedReply(regex="(?s)(.*)", reply=r"\g<1>")])
    first, again = twice(wrap, backend, text, system=text, schema={"title": text})
    assert (first.text, again.text) == (text, text)
    assert (first.cached, again.cached) == (False, True)


@pytest.mark.parametrize("text", ["a\0b", "half \ud800 pair"])
def test_what_is_no_text_is_refused_and_not_kept(wrap: Wrap, text: str) -> None:
    assert expect_error(wrap(Scripted("it", "x")), text).kind is BackendFault.BAD_REQUEST
    assert wrap.kept == 0


@pytest.mark.parametrize("reply", ["", " \n\t "])
def test_an_empty_answer_is_an_error_and_not_kept(wrap: Wrap, reply: str) -> None:
    assert expect_error(wrap(Scripted("it", reply))).kind is BackendFault.EMPTY
    assert wrap.kept == 0


@pytest.mark.parametrize("kind", [fault for fault in BackendFault if fault is not BackendFault.NOT_RECORDED])
def test_no_failure_is_kept(wrap: Wrap, kind: BackendFault) -> None:
    backend = wrap(Scripted("it", [ScriptedReply(error=kind.name)]))
    for _ in range(2):
        assert expect_error(backend).kind is kind
    assert wrap.kept == 0


def test_time_runs_out_and_nothing_is_kept(wrap: Wrap) -> None:
    assert (
        expect_error(wrap(Scripted("it", [ScriptedReply(reply="x", delay=1000)])), timeout=0.2).kind
        is BackendFault.TIMEOUT
    )
    assert wrap.kept == 0


def test_it_can_be_cancelled_and_nothing_is_kept(wrap: Wrap) -> None:
    async def story() -> None:
        task = asyncio.create_task(
            wrap(Scripted("it", [ScriptedReply(reply="x", delay=1000)])).ask(Prompt(text="?"))
        )
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_async(story())
    assert wrap.kept == 0


def test_fifty_at_once(wrap: Wrap) -> None:
    backend = wrap(Scripted("it", [ScriptedReply(regex="(.*)", reply=r"to \g<1>")]))

    async def story() -> list[str]:
        replies = await asyncio.gather(*(backend.ask(Prompt(text=str(n % 25))) for n in range(50)))
        return [reply.text for reply in replies]

    for _ in range(2):
        assert run_async(story()) == [f"to {n % 25}" for n in range(50)]


def test_it_is_what_it_wraps(wrap: Wrap) -> None:
    class Closing(Scripted):
        closed = 0

        def unavailable(self) -> BackendError | None:
            return BackendError("gone", kind=BackendFault.DISABLED, backend=self.name)

        async def aclose(self) -> None:
            self.closed += 1

    inner = Closing("it", "x")
    outer = wrap(inner)
    problem = outer.unavailable()
    assert outer.name == "it"
    assert isinstance(outer, RemembersAnswers)
    assert problem is not None
    assert problem.message == "gone"
    run_async(outer.aclose())
    assert inner.closed == 1


def test_any_wrapper_of_ours_may_be_wrapped_by_somebody_else(wrap: Wrap) -> None:
    """A conftest.py may put its own around it, which knows of ``ask`` alone."""

    class Loud:
        name = "it"

        def __init__(self, inner: Backend) -> None:
            self.unavailable: Callable[[], BackendError | None] = inner.unavailable
            self.aclose = inner.aclose
            self._inner = inner

        async def ask(self, prompt: Prompt) -> Reply:
            return await self._inner.ask(prompt)

    backend = Scripted("it", [ScriptedReply(reply="1", times=1), ScriptedReply(reply="2")])
    replies = [run_async(Loud(wrap(backend)).ask(Prompt(text="?"))) for _ in range(2)]
    assert [(reply.text, reply.cached) for reply in replies] == [("1", False), ("1", True)]
