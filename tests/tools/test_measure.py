"""What `make measure` counts, in a package small enough to count by hand."""

from pathlib import Path

import pytest

from tools import measure
from tools.measure import Row, circles, modules_of, private_pytest_names, repeated_classes, short_docstrings

ROOMS = {
    "__init__.py": '''
        """A package with one of each."""
        _LAZY = {"run": "house.a", "Room": "house.b"}
        __all__ = [*_LAZY]
    ''',
    "a.py": '''
        """The first module of the circle."""
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import os
            from house import b
        class Room:
            """Too short this."""
            def run(self) -> None:
                # why it is so
                pass  # this comment is not a line of its own
    ''',
    "b.py": '''
        """The second: it imports the first late."""
        class Room:
            def own(self) -> None:
                from . import a
    ''',
    "c.py": '''
        """No part of the circle, though it points into it."""
        import subprocess
        import house.a
    ''',
    "inside/__init__.py": "",
    "inside/pytester.py": '''
        """What is pytest's own, and what is not."""
        import sys
        import pytest
        from _pytest.junitxml import xml_key
        class Item(pytest.Item):
            def _initrequest(self) -> None:
                self._fixtureinfo
                self._ours = 1
        def session(config: pytest.Config) -> object:
            return config._inicfg, Item._ours, config._no_such_name_in_pytest, sys._getframe
    ''',
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("code") / "house"
    for name, text in ROOMS.items():
        path = root / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("".join(f"{line[8:]}\n" for line in text.splitlines() if line.strip()))
    return root


@pytest.fixture(scope="module")
def rows(house: Path) -> dict[str, Row]:
    return {row.what: row for row in measure.measure(house, lines_before=1000)}


def test_type_only_and_late_imports_close_a_circle(house: Path) -> None:
    assert circles(modules_of(house)) == [["house.a", "house.b"]]


def test_a_class_name_is_given_once(house: Path) -> None:
    assert repeated_classes(modules_of(house)) == ["Room"]


def test_only_names_of_pytest_are_private_names_of_pytest(house: Path) -> None:
    names, files = private_pytest_names(modules_of(house))
    assert names == ["_fixtureinfo", "_inicfg", "_initrequest", "_pytest.junitxml.xml_key"]
    assert files == ["house.inside.pytester"]


def test_a_docstring_of_four_words_is_short(house: Path) -> None:
    assert short_docstrings(modules_of(house)) == ["house.a:6"]


@pytest.mark.parametrize(
    ("what", "value", "met"),
    [
        ("lines", "30", True),  # 200 is the most that is left of 1000
        ("modules", "5", None),
        ("median module, lines", "4", None),
        ("largest module, lines", "10", True),
        ("functions", "4", None),
        ("longest function, lines", "3", True),
        ("largest class, lines", "5", True),
        ("class names used twice", "1", False),
        ("import circles", "1", False),
        ("exported names", "2", None),
        ("full-line comments", "3.3 %", False),  # 1 of 30
        ("docstrings of fewer than five words", "1", True),
        ("lines in modules without I/O imports", "56.7 %", False),  # `os` is there for types alone
        ("most files in one folder", "3", True),
    ],
)
def test_a_row_says(rows: dict[str, Row], what: str, value: str, met: bool | None) -> None:
    assert (rows[what].value, rows[what].met) == (value, met)


def test_the_table_shows_both_and_strict_exits_with_1(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure.main([str(house), "--before", str(house)]) == 0
    first, lines, *_ = capsys.readouterr().out.splitlines()
    assert first.split() == ["measure", "before", "now", "target", "where"]
    assert lines.split() == ["lines", "30", "30", "at", "most", "-770", "missed"]
    assert measure.main([str(house), "--strict"]) == 1


def test_an_older_state_is_named_by_its_checkout_or_its_package(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pytest_lok").mkdir()
    (tmp_path / "pytest_lok" / "__init__.py").write_text('"""Old."""\n')
    assert measure.package_folder(str(tmp_path)) == measure.package_folder(str(tmp_path / "pytest_lok"))
    with pytest.raises(SystemExit) as refused:
        measure.main(["--before", str(tmp_path / "nowhere")])
    assert refused.value.code == 2
    assert "nowhere is no package, and holds no pytest_lok" in capsys.readouterr().err
