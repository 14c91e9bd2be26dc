"""A late regular expression is as one that was compiled at once."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import re

import pytest

import pytest_lok
from pytest_lok.late_regex import late_regex


def test_it_has_what_a_compiled_one_has() -> None:
    late = late_regex(r"(a+)(b)?", re.IGNORECASE)
    assert late.pattern == r"(a+)(b)?"
    assert late.flags == re.compile(late.pattern, re.IGNORECASE).flags
    found = late.search("xxAAb")
    assert found is not None
    assert found.groups() == ("AA", "b")
    assert late.sub("-", "xAby") == "x-y"
    assert late_regex(rb"\d+").findall(b"1 22") == [b"1", b"22"]


def test_a_wrong_one_fails_at_its_first_use() -> None:
    wrong = late_regex("(")
    with pytest.raises(re.error, match="unterminated"):
        wrong.match("x")


def test_each_of_the_package_compiles() -> None:
    for module in pkgutil.walk_packages(pytest_lok.__path__, "pytest_lok."):
        if ".testing" not in module.name:
            importlib.import_module(module.name)
    late = [it for it in gc.get_objects() if type(it) is late_regex]
    assert len(late) > 100
    for it in late:
        assert it.flags is not None, it.pattern
