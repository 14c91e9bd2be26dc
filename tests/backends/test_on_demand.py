"""Backends that are made when somebody looks one up."""

from pytest_lok.backends.on_demand import BackendsOnDemand, made_backends
from pytest_lok.backends.scripted import Scripted


def test_none_is_made_before_it_is_looked_up_and_none_twice() -> None:
    found = BackendsOnDemand({name: lambda name=name: Scripted(name, "x") for name in "ab"})  # type: ignore[misc]
    assert (list(found), "a" in found, list(made_backends(found))) == (["a", "b"], True, [])
    assert found["a"] is found["a"]
    assert list(made_backends(found)) == [found["a"]]


def test_others_win_as_of_dictionaries() -> None:
    own = BackendsOnDemand({name: lambda name=name: Scripted(name, "x") for name in "ab"})  # type: ignore[misc]
    other = Scripted("b", "y")
    both = own | {"b": other, "c": other}
    assert (list(both), list(made_backends(both)), list(made_backends(own))) == (["a", "b", "c"], [], [])
    assert both["b"] is other
    assert both["a"] is own["a"]
