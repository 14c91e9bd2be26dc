from __future__ import annotations

import pytest

from pytest_lok.core.toml.fields import Table


class Inner(Table):
    a: int = 1
    b: int = 2
    _from: str = ""


class Outer(Table):
    inner: Inner = Inner()


def test_a_copy_has_other_values_and_the_table_its_own() -> None:
    table = Outer(inner=Inner(b=5))
    table.inner._from = "lok.toml"
    copied = table.replace(inner=table.inner.replace(a=7))
    assert copied.to_dict() == {"inner": {"a": 7, "b": 5}}
    assert copied.inner._from == "lok.toml"
    assert table.to_dict() == {"inner": {"a": 1, "b": 5}}


def test_a_copy_has_no_other_keys() -> None:
    with pytest.raises(AttributeError, match="Inner has no c, d"):
        Inner().replace(d=1, c=2, a=3)
