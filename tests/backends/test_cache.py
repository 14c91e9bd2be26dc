"""Answers that are kept: for the same question alone, for a while, in private, and never a failure."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.backends import cache as module
from pytest_lok.backends.cache import AnswerCache, CachingBackend, TreeState
from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.results import CACHED_USAGE, Reply
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.engine.ports import Backend, Prompt, RemembersAnswers
from pytest_lok.errors import BackendError, BackendFault
from tests.backends.asking import run_async

SECRET = "correct-horse-battery"


@dataclass
class Shelf:
    """A cache folder, and a clock that moves when it is told to."""

    folder: Path
    time: float = 1e9
    most: int = module.MAX_TOTAL_BYTES
    ttl: float = 3600.0
    redactor: Redactor = field(default_factory=lambda: Redactor([SECRET]))

    def open(self) -> AnswerCache:
        return AnswerCache(
            self.folder, ttl=self.ttl, redactor=self.redactor, most=self.most, now=lambda: self.time
        )

    def cached(self, backend: Backend, identity: str = "it", tree: TreeState | None = None) -> CachingBackend:
        return CachingBackend(backend, self.open(), identity=identity, tree=tree)

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir()) if self.folder.exists() else []


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "lok" / "answers")


def counting() -> Scripted:
    """Says a higher number each time it is asked."""
    return Scripted("it", [ScriptedReply(reply=str(n), times=1) for n in range(1, 99)])


def said(backend: Backend, text: str = "?", **more: Any) -> Reply:
    return run_async(backend.ask(Prompt(text=text, **more)))


def test_the_same_question_is_asked_once(shelf: Shelf) -> None:
    backend = counting()
    first = said(shelf.cached(backend))
    again = said(shelf.cached(backend))
    assert (first.text, first.cached, first.usage.calls) == ("1", False, 1)
    assert (again.text, again.cached, again.usage, again.model) == ("1", True, CACHED_USAGE, "scripted")
    assert len(backend.asked) == 1


def test_it_is_known_before_anybody_is_asked(shelf: Shelf) -> None:
    cached = shelf.cached(counting())
    assert isinstance(cached, RemembersAnswers)
    assert run_async(cached.recall(Prompt(text="?"))) is None
    said(cached)
    known = run_async(cached.recall(Prompt(text="?")))
    assert known is not None
    assert known.text == "1"


def test_who_asks_does_not_matter_and_how_long_he_would_wait(shelf: Shelf) -> None:
    cached = shelf.cached(counting())
    said(cached, workflow="v", step="a", timeout=1.0)
    assert said(cached, workflow="w", step="b", timeout=9.0).cached


@pytest.mark.parametrize(
    "more", [{"system": "s"}, {"model": "m"}, {"schema": {"type": "object"}}, {"sample": 1}, {"text": "?!"}]
)
def test_everything_that_makes_a_question_tells_answers_apart(shelf: Shelf, more: dict[str, Any]) -> None:
    cached = shelf.cached(counting())
    said(cached)
    assert said(cached, **{"text": "?", **more}).text == "2"
    assert said(cached, **{"text": "?", **more}).text == "2"
    assert said(cached).text == "1"


def test_what_stands_side_by_side_is_not_taken_for_one(shelf: Shelf) -> None:
    cached = shelf.cached(counting())
    said(cached, text="b", system="a")
    assert not said(cached, text="", system="ab").cached
    assert not said(cached, text="ab", system="").cached


def test_another_backend_has_its_own_answers(shelf: Shelf) -> None:
    backend = counting()
    assert [said(shelf.cached(backend, identity)).text for identity in "abab"] == ["1", "2", "1", "2"]


def test_answers_grow_old(shelf: Shelf) -> None:
    cached = shelf.cached(counting())
    said(cached)
    shelf.time += 3599
    assert said(cached).text == "1"
    shelf.time += 2
    assert said(cached).text == "2"
    assert said(cached).text == "2"
    assert len(shelf.files) == 1
    shelf.time -= 7200  # the clock was wrong
    assert said(cached).text == "3"


def test_no_time_at_all_is_no_cache(shelf: Shelf) -> None:
    shelf.ttl = 0
    cached = shelf.cached(counting())
    assert [said(cached).text, said(cached).text] == ["1", "2"]


def test_failures_are_not_kept(shelf: Shelf) -> None:
    cached = shelf.cached(
        Scripted("it", [ScriptedReply(error="rate_limit", times=2), ScriptedReply(reply="at last")])
    )
    for _ in range(2):
        with pytest.raises(BackendError):
            said(cached)
    assert shelf.files == []
    assert said(cached).text == "at last"


def test_what_was_asked_is_not_written_down_and_secrets_are_not_kept(shelf: Shelf) -> None:
    cached = shelf.cached(Scripted("it", [ScriptedReply(regex="(.*)", reply=r"you said \g<1>")]))
    said(cached, "something private", system="more of it")
    (file,) = shelf.files
    assert "you said something private" in file.read_text()
    said(shelf.cached(Scripted("it", "fine")), f"the key is {SECRET}")
    written = "".join(path.name + path.read_text() for path in shelf.files)
    assert SECRET not in written
    assert "more of it" not in written
    said(cached, SECRET)
    assert len(shelf.files) == 2
    assert not said(cached, SECRET).cached


def test_nobody_else_can_read_or_plant_answers(shelf: Shelf) -> None:
    cached = shelf.cached(counting())
    said(cached)
    assert stat.S_IMODE(shelf.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(shelf.files[0].stat().st_mode) == 0o600
    shelf.folder.chmod(0o777)
    assert said(cached).text == "2"
    assert shelf.open().entries() == []
    shelf.folder.chmod(0o700)
    assert said(cached).text == "1"


def test_a_folder_that_is_a_link_is_not_used(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir(mode=0o700)
    shelf.folder.parent.mkdir()
    shelf.folder.symlink_to(tmp_path / "other")
    cached = shelf.cached(counting())
    assert [said(cached).text, said(cached).text] == ["1", "2"]
    assert list((tmp_path / "other").iterdir()) == []


def test_an_entry_that_is_a_link_is_replaced(shelf: Shelf, tmp_path: Path) -> None:
    cached = shelf.cached(counting())
    said(cached)
    (file,) = shelf.files
    file.rename(tmp_path / "moved")
    file.symlink_to(tmp_path / "moved")
    assert said(cached).text == "2"
    assert not file.is_symlink()


@pytest.mark.parametrize(
    "broken", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"text": "planted"}']
)
def test_a_broken_entry_is_replaced(shelf: Shelf, broken: bytes) -> None:
    cached = shelf.cached(counting())
    said(cached)
    (file,) = shelf.files
    file.write_bytes(broken)
    assert said(cached).text == "2"
    assert said(cached).text == "2"


def test_an_entry_in_the_place_of_another_does_not_count(shelf: Shelf) -> None:
    cached = shelf.cached(counting())
    said(cached, "a")
    (first,) = shelf.files
    said(cached, "b")
    (second,) = set(shelf.files) - {first}
    first.replace(second)
    assert said(cached, "b").text == "3"


@pytest.mark.parametrize(("name", "value"), [("text", 1), ("saved", "now"), ("model", None), ("format", 99)])
def test_an_entry_of_another_shape_does_not_count(shelf: Shelf, name: str, value: object) -> None:
    cached = shelf.cached(counting())
    said(cached)
    (file,) = shelf.files
    file.write_text(json.dumps({**json.loads(file.read_text()), name: value}))
    assert said(cached).text == "2"


def test_where_nothing_can_be_written_answers_come_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cached = Shelf(tmp_path / "file" / "answers").cached(counting())
    assert [said(cached).text, said(cached).text] == ["1", "2"]


def test_the_oldest_go_where_there_is_no_room(shelf: Shelf) -> None:
    shelf.most, shelf.ttl = 20_000, 1e12
    cached = shelf.cached(Scripted("it", "x" * 1000))
    for number in range(40):
        said(cached, str(number))
        for age, path in enumerate(sorted(shelf.files, key=lambda path: path.stat().st_mtime_ns)):
            os.utime(path, (age + 1, age + 1))
        assert sum(path.stat().st_size for path in shelf.files) <= 20_000
    assert said(cached, "39").cached
    assert not said(cached, "0").cached


def test_what_is_too_large_is_not_kept(shelf: Shelf) -> None:
    cached = shelf.cached(Scripted("it", "x" * (module.MAX_ENTRY_BYTES + 1)))
    said(cached)
    assert shelf.files == []


def test_leftovers_go_with_the_rest(shelf: Shelf) -> None:
    said(shelf.cached(counting()))
    (shelf.folder / ".half.json.abc").write_text("{")
    cache = shelf.open()
    assert [entry.backend for entry in cache.entries()] == ["it"]
    assert cache.clear() == 2
    assert shelf.files == []
    assert cache.clear() == 0


class Tree:
    """A work tree whose state is what a test says."""

    def __init__(self, *states: str | None) -> None:
        self._states = list(states)

    async def __call__(self) -> str | None:
        return self._states.pop(0) if len(self._states) > 1 else self._states[0]


def test_an_answer_about_a_tree_is_for_that_tree(shelf: Shelf) -> None:
    backend = counting()
    texts = [said(shelf.cached(backend, tree=Tree(state))).text for state in "abab"]
    assert texts == ["1", "2", "1", "2"]


def test_of_a_tree_that_is_not_known_nothing_is_kept(shelf: Shelf) -> None:
    cached = shelf.cached(counting(), tree=Tree(None))
    assert [said(cached).text, said(cached).text] == ["1", "2"]
    assert shelf.files == []


def test_of_a_tree_that_changed_meanwhile_nothing_is_kept(shelf: Shelf) -> None:
    said(shelf.cached(counting(), tree=Tree("before", "after")))
    assert shelf.files == []


def test_who_cannot_be_asked_says_so(shelf: Shelf) -> None:
    class Gone(Scripted):
        def unavailable(self) -> BackendError | None:
            return BackendError("gone", kind=BackendFault.DISABLED, backend="it")

    assert shelf.cached(Gone("it", "x")).unavailable() is not None


class Server(Scripted):
    """Says which model it would ask, as long as it knows."""

    model_now = "small"

    def unreachable(self) -> BackendError | None:
        return None

    def usual_model(self) -> str:
        return self.model_now


def test_another_model_of_the_server_is_another_question(shelf: Shelf) -> None:
    server = Server("it", [ScriptedReply(reply=str(n), times=1) for n in range(1, 99)])
    backend = CachingBackend(server, shelf.open(), identity="it", is_model_fixed=False)
    assert [said(backend).text for _ in range(2)] == ["1", "1"]
    server.model_now = "large"
    assert said(backend).text == "2"
    assert said(backend, model="small").text == "1"
    server.model_now = ""
    assert run_async(backend.recall(Prompt(text="?"))) is None
    assert [said(backend).text for _ in range(2)] == ["3", "4"]
    assert len(shelf.files) == 2, "who answered without being known is not kept"


def test_a_backend_that_cannot_tell_its_model_is_always_asked(shelf: Shelf) -> None:
    backend = CachingBackend(counting(), shelf.open(), identity="it", is_model_fixed=False)
    assert [said(backend).text for _ in range(2)] == ["1", "2"]
    assert [said(backend, model="m").text for _ in range(2)] == ["3", "3"]


def test_other_options_are_another_question(shelf: Shelf) -> None:
    backend = counting()
    said(shelf.cached(backend), options={"seed": 1, "top_p": 0.5})
    assert said(shelf.cached(backend), options={"top_p": 0.5, "seed": 1}).cached
    assert not said(shelf.cached(backend), options={"seed": 2}).cached
    assert not said(shelf.cached(backend)).cached
