"""The guard around a backend: whose answer it is, what it cost, and whether it was asked at all."""

import asyncio
import math
from dataclasses import dataclass

import pytest

from pytest_lok.backends.delegating import DelegatingBackend
from pytest_lok.core.results import Reply, Usage
from pytest_lok.engine.asking.checked_call import checked_call, close_all
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault


@dataclass
class Foreign:
    """A backend of another package, which says of its answers what it likes."""

    reply: Reply
    name: str = "inner"

    def unavailable(self) -> BackendError | None:
        return None

    async def ask(self, prompt: Prompt) -> Reply:
        return self.reply

    async def aclose(self) -> None:
        return None


class Remembering(Foreign):
    async def recall(self, prompt: Prompt) -> Reply | None:
        return self.reply


class Leaving(Foreign):
    """Its own code closes itself: a bug, and no reason for the run to end."""

    async def ask(self, prompt: Prompt) -> Reply:
        raise GeneratorExit

    async def aclose(self) -> None:
        raise RuntimeError("still busy")


def test_a_backend_that_leaves_is_an_error_of_its_step() -> None:
    with pytest.raises(BackendError, match="inner crashed: GeneratorExit") as caught:
        asyncio.run(checked_call(Leaving(CACHED), Prompt(text="x")))
    assert caught.value.kind is BackendFault.CRASHED


def test_a_question_that_nobody_waits_for_any_more_can_be_closed() -> None:
    class Waiting(Foreign):
        async def ask(self, prompt: Prompt) -> Reply:
            await asyncio.sleep(60)
            return self.reply

    question = checked_call(Waiting(CACHED), Prompt(text="x", timeout=math.inf))

    async def begin() -> None:
        question.send(None)

    async def once() -> None:
        await asyncio.create_task(begin())
        question.close()

    asyncio.run(once())


def test_what_a_backend_raises_when_it_is_closed_is_told_and_the_others_are_closed_too() -> None:
    closed: list[str] = []

    class Closing(Foreign):
        async def aclose(self) -> None:
            closed.append(self.name)

    bugs = asyncio.run(close_all([Leaving(CACHED), Closing(CACHED, "other")]))
    assert [(said, str(bug)) for said, bug in bugs] == [("backend inner could not be closed", "still busy")]
    assert closed == ["other"]


CACHED = Reply(text="yes", backend="spoof", cached=True, usage=Usage(calls=0), seconds=5.0)


def test_an_answer_is_of_the_backend_that_was_asked_whatever_it_says() -> None:
    reply = asyncio.run(checked_call(DelegatingBackend(Foreign(CACHED), "alias"), Prompt(text="x")))
    assert (reply.backend, reply.cached, reply.usage.calls) == ("alias", False, 1)
    assert reply.seconds < 5


def test_only_who_can_recall_answers_has_cached_ones() -> None:
    reply = asyncio.run(checked_call(Remembering(CACHED), Prompt(text="x")))
    assert (reply.backend, reply.cached, reply.usage.calls) == ("inner", True, 0)


def test_what_is_wrong_is_said_of_the_name_that_workflows_know() -> None:
    empty = Foreign(Reply(text=" \u200b", backend="inner"))
    with pytest.raises(BackendError, match=r"^alias gave an empty answer") as caught:
        asyncio.run(checked_call(DelegatingBackend(empty, "alias"), Prompt(text="x")))
    assert caught.value.backend == "alias"
