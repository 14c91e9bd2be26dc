"""Conducting ends within its bounds whatever the conductor answers, and is never green without an answer."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.backends.delegating import DelegatingBackend
from pytest_lok.backends.http.backend import HttpBackend
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.asking.tools import ToolCalls
from pytest_lok.core.results import Reply
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError
from pytest_lok.verbs.conduct import conduct_answer, conduct_text, final_answer
from tests.backends.test_contract import SERVERS
from tests.engine.worlds import Ran, ran, world
from tests.fake_llm_api import FakeLLM

ROUNDS, CALLS = 3, 9
BOB = ScriptedReply(reply="the database, says bob")


class Closing(DelegatingBackend):
    """Closes its connections after each answer, on the loop that opened them."""

    async def ask(self, prompt: Prompt) -> Reply:
        try:
            return await super().ask(prompt)
        finally:
            await self.aclose()


class Caller:
    """A conductor with tools, which answers as it is told: a text, and calls of tools beside it.

    Without tools it gives a conclusion, if it has one. The last answer is given again and again.
    """

    name = "ann"
    calls_tools = True

    def __init__(self, answers: Sequence[tuple[str, Sequence[tuple[Any, Any]]]], conclusion: str) -> None:
        self.answers, self.conclusion = list(answers), conclusion
        self.asked = 0

    def unavailable(self) -> BackendError | None:
        return None

    async def ask(self, prompt: Prompt) -> Reply:
        self.asked += 1
        if not prompt.tools:
            return Reply(text=self.conclusion, backend=self.name)
        text, called = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        calls = ToolCalls()
        for place, (name, arguments) in enumerate(called):
            calls.take(place, name, arguments)
        return Reply(text=calls.to_json(text, prompt.tools), backend=self.name)

    async def aclose(self) -> None:
        pass


def conducted(conductor: Any, root: Path, *, calls: int = CALLS) -> Ran:
    text = conduct_text("ann", ["bob"], ROUNDS, {"calls": calls})
    return ran(text, world(root, conductor, Scripted("bob", [BOB])), task="Make it fast")


def asks(*questions: str) -> tuple[str, list[tuple[Any, Any]]]:
    return "I ask bob.", [("ask_bob", {"question": question}) for question in questions]


def test_questions_and_an_answer(tmp_path: Path) -> None:
    found = conducted(Caller([asks("why?", "where?"), ("add an index", [])], ""), tmp_path)
    assert found.result.passed
    assert final_answer(found.result, ROUNDS) == "add an index"
    assert found.result.usage.calls == 4


def test_endless_calls_end_in_a_conclusion(tmp_path: Path) -> None:
    found = conducted(Caller([asks("why?")], "the database, it seems"), tmp_path)
    assert found.result.passed
    assert final_answer(found.result, ROUNDS) == "the database, it seems"


def test_at_the_limit_of_calls_what_was_found_is_shown(tmp_path: Path) -> None:
    found = conducted(Caller([asks("why?")], "never asked for"), tmp_path, calls=4)
    assert not found.result.passed
    assert not any(step.outcome.value == "failed" for step in found.result.steps.values())
    shown = conduct_answer(found.result, ["bob"], ROUNDS)
    assert shown.startswith("There is none: conductor-3: the budget of 4 calls")
    assert "### Round 2, to bob: why?\n\nthe database, says bob" in shown


_ARGUMENTS: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries({"question": st.text(max_size=3)}),
    st.sampled_from([None, "", "{", '{"question": "x"}', {"question": 1}, {"q": "x"}, [], 7]),
)
_CALLS = st.lists(
    st.tuples(st.sampled_from(["ask_bob", "ask_bob", "rm", "answer", ""]), _ARGUMENTS), max_size=6
)
_ANSWERS = st.lists(
    st.tuples(st.sampled_from(["", " ", "yes", '{"answer": ""}']), _CALLS), min_size=1, max_size=5
)


@settings(max_examples=40, deadline=None)
@given(_ANSWERS, st.sampled_from(["", " ", "so it is"]), st.integers(1, CALLS))
def test_whatever_it_answers_it_ends_and_green_has_an_answer(
    answers: list[tuple[str, list[tuple[Any, Any]]]], conclusion: str, calls: int
) -> None:
    conductor = Caller(answers, conclusion)
    with tempfile.TemporaryDirectory() as root:
        found = conducted(conductor, Path(root), calls=calls)
    assert found.result.usage.calls <= calls
    assert conductor.asked <= calls
    answer = final_answer(found.result, ROUNDS)
    if found.result.passed:
        assert answer.strip()
        assert not answer.startswith("There is none")
    elif answer.startswith("There is none"):
        shown = conduct_answer(found.result, ["bob"], ROUNDS)
        asked = sum(len(step.items) for name, step in found.result.steps.items() if name.startswith("bob-"))
        assert shown.count("### Round ") == asked


@pytest.mark.parametrize("kind", SERVERS)
def test_each_api_with_tools_conducts_natively(kind: str, tmp_path: Path) -> None:
    call = {"name": "ask_bob", "arguments": {"question": "why?"}, "say": "I ask bob."}
    rules = [
        {"match": "says bob", "reply": "add an index"},
        {"tools": True, "tool": call},
    ]
    dialect, path = SERVERS[kind]
    with FakeLLM(rules) as server:
        api = HttpConfig(base_url=server.url + path, model="m")
        backend = HttpBackend("ann", api, dialect, http=HttpClient({}), environ={})
        found = conducted(Closing(backend), tmp_path)
        assert [request["tools"] for request in server.requests] == [["ask_bob"], ["ask_bob"]]
        assert not any("JSON Schema" in request["prompt"] for request in server.requests)
    assert found.result.passed
    assert final_answer(found.result, ROUNDS) == "add an index"
