"""The package's ``dataclass`` makes what the standard library's makes."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import pytest_lok
from pytest_lok.dataclass import dataclass as ours


def shapes(decorator: Any) -> dict[str, Any]:
    @decorator(frozen=True, slots=True, kw_only=True)
    class Value:
        """A value."""

        name: str
        count: int = 3
        rows: list[int] = field(default_factory=list)
        hidden: str = field(default="x", repr=False, compare=False)

        @property
        def loud(self) -> str:
            return self.name.upper()

        @classmethod
        def named_x(cls) -> Any:
            make: Any = cls
            return make(name="x")

    @decorator(frozen=True, slots=True)
    class Pair:
        left: int
        right: int = 0

    @decorator(slots=True)
    class Mutable:
        seen: set[int] = field(default_factory=set)
        total: int = field(init=False, default=7)
        late: int = field(init=False)

        def __post_init__(self) -> None:
            self.late = self.total + 1

    @decorator(slots=True, eq=False)
    class Identity:
        at: int = 0

    @decorator(frozen=True, slots=True, kw_only=True)
    class Nothing:
        pass

    @decorator(frozen=True, slots=True)
    class Wider(Pair):
        more: int = 1

    return {it.__name__: it for it in (Value, Pair, Mutable, Identity, Nothing, Wider)}


OURS, THEIRS = shapes(ours), shapes(dataclasses.dataclass)
USES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "fields before any instance": lambda it: [(f.name, f.init, f.compare, f.kw_only) for f in fields(it["Value"])],
    "is one": lambda it: [is_dataclass(cls) for cls in it.values()],
    "shown": lambda it: [repr(it["Value"](name="a", rows=[1])), repr(it["Pair"](1)), repr(it["Nothing"]()), repr(it["Mutable"]())],
    "equal": lambda it: [it["Pair"](1) == it["Pair"](1, 0), it["Pair"](1) == it["Pair"](2), it["Pair"](1) == 1],
    "not compared": lambda it: it["Value"](name="a", hidden="1") == it["Value"](name="a", hidden="2"),
    "of two classes": lambda it: it["Pair"](1, 2) == it["Wider"](1, 2),
    "hashed": lambda it: [len({it["Pair"](1), it["Pair"](1), it["Pair"](2)}), hash(it["Nothing"]()) == hash(it["Nothing"]())],
    "a list is not hashed": lambda it: hash(it["Value"](name="a")),
    "what changes is not hashed": lambda it: hash(it["Mutable"]()),
    "by identity": lambda it: [it["Identity"]() == it["Identity"](), len({it["Identity"](), it["Identity"]()})],
    "replaced": lambda it: repr(replace(it["Value"](name="a"), count=4)),
    "as a dict": lambda it: dataclasses.asdict(it["Value"](name="a", rows=[1])),
    "own lists": lambda it: it["Value"](name="a").rows is it["Value"](name="a").rows,
    "after the beginning": lambda it: it["Mutable"]().late,
    "a default that is no argument": lambda it: it["Mutable"](total=1),
    "methods": lambda it: [it["Value"].named_x().loud, it["Value"].__doc__, it["Value"].__qualname__.split(".")[-1]],
    "wider": lambda it: repr(it["Wider"](1, 2, 3)),
    "set": lambda it: setattr(it["Value"](name="a"), "name", "b"),
    "set what is not there": lambda it: setattr(it["Identity"](), "more", "b"),
    "deleted": lambda it: delattr(it["Pair"](1), "left"),
    "missing": lambda it: it["Value"](),
    "too many": lambda it: it["Pair"](1, 2, 3),
    "by place": lambda it: it["Value"]("a"),
    "unknown": lambda it: it["Pair"](1, more=2),
    "matched": lambda it: it["Pair"].__match_args__ + it["Value"].__match_args__,
    "no dict": lambda it: hasattr(it["Pair"](1), "__dict__"),
    "copied": lambda it: [copy.copy(it["Pair"](1)) == it["Pair"](1), repr(copy.deepcopy(it["Value"](name="a", rows=[1])))],
}  # fmt: skip


def outcome(use: Callable[[dict[str, Any]], Any], classes: dict[str, Any]) -> Any:
    try:
        return use(classes)
    except (TypeError, AttributeError) as error:
        return type(error)


@pytest.mark.parametrize("use", USES.values(), ids=list(USES))
def test_it_behaves_as_the_other_one(use: Callable[[dict[str, Any]], Any]) -> None:
    assert outcome(use, OURS) == outcome(use, THEIRS)


@ours(frozen=True, slots=True, kw_only=True)
class Kept:
    text: str
    more: tuple[int, ...] = ()


def test_it_is_kept_and_read_again() -> None:
    assert pickle.loads(pickle.dumps(Kept(text="a", more=(1,)))) == Kept(text="a", more=(1,))


@pytest.fixture
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching_often")
def test_threads_that_use_one_first_at_once_all_get_it() -> None:
    for _ in range(20):
        cls = shapes(ours)["Value"]
        gate, made = threading.Barrier(8), list[Any]()

        def make(cls: Any = cls, gate: threading.Barrier = gate, made: list[Any] = made) -> None:
            gate.wait()
            one = cls(name="a", count=1)
            if len(fields(one)) == 4:
                made.append(one)

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [it.count for it in made] == [1] * 8


def test_the_package_uses_no_other() -> None:
    home = Path(pytest_lok.__file__).parent
    users = [
        path.name
        for path in home.rglob("*.py")
        if re.search(r"from dataclasses import .*\bdataclass\b", path.read_text())
    ]
    assert users == ["dataclass.py"]
