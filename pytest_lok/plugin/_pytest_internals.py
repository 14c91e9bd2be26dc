"""All private names of pytest that the plugin uses: sixteen, each with its reason and what breaks without it.

pytest may change these with any release. No other file of the package touches one (a test checks that), so
where a new pytest breaks something, it breaks here.

``CaptureIO``, ``EncodedFile``
    What ``sys.stdout`` is while a test runs; capturing has no hooks. Without them the output of a backend
    would be shown as that of a test which runs meanwhile.
``LogXML``, ``xml_key``
    pytest's writer of JUnit files, which has no hooks, and where it is kept. Without them a full disk would
    leave half a file, and the file would say nothing of places and costs.
``SubtestContext``
    What names a subtest in its report; the fixture ``subtests`` reports only what runs now. Without it
    findings would not be subtests.
``evaluate_skip_marks``, ``evaluate_xfail_marks``
    Whether marks keep a step from running, conditions included, before any step runs. Without them a step
    that somebody skips would be run and paid for.
``Expression``, ``KeywordMatcher``, ``MarkMatcher``
    ``-k`` and ``-m`` as pytest reads them. Without them whoever typed ``-k`` would be told that a typed
    ``--lok`` was not obeyed.
``Config._parser``
    The command line read without ``addopts``. Without it an ini file could switch off a typed ``--lok``.
``Config._inicfg``
    The keys that somebody has set (public, as ``inicfg``, before pytest 9.1). Without it the JUnit family
    could not be chosen unless the user's choice were overruled.
``Session._fixturemanager``, ``Function._request``
    Which fixtures steps have, of which scope, and what they come to before an item is set up. Without them
    the backends of a conftest.py could not be asked.
``Node._id``
    The id of a node in its parts, since pytest 9.2, which reads it out of a text in another way than it makes
    it of a name with brackets. Without it ``--lf`` would find no case of a step.
``TerminalWriter._file``
    Where the terminal writes. Without it a reader that goes away (``| head``) would change the exit code.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Collection, Sequence
from typing import Any, TextIO

import pytest
from _pytest.capture import CaptureIO, EncodedFile
from _pytest.junitxml import LogXML, xml_key
from _pytest.mark import KeywordMatcher, MarkMatcher
from _pytest.mark.expression import Expression
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks
from _pytest.subtests import SubtestContext

__all__ = ["LogXML", "evaluate_skip_marks", "evaluate_xfail_marks"]


def read_id_as_text(item: pytest.Item) -> None:
    """Give the item the id that pytest reads out of its node id, where that is not the one it has made."""
    made = getattr(item, "_id", None)
    if made is not None:
        item._id = type(made).parse(item.nodeid)


def captured_files() -> tuple[type[io.TextIOWrapper], ...]:
    """The classes of ``sys.stdout`` while pytest captures; the one that tees is among the subclasses."""
    return (EncodedFile, CaptureIO, *CaptureIO.__subclasses__())


def junit_writer(config: pytest.Config) -> LogXML | None:
    """What writes the session's JUnit file; None where none is asked for."""
    return config.stash.get(xml_key, None)


def make_longrepr(text: str, path: str, line: int, reason: str) -> Any:
    """What shows a failure in a report: a text and its place, with a short reason that survives xdist.

    It is made of one that pytest makes of an exception, for the classes of its parts are private.
    """
    try:
        raise AssertionError(reason)
    except AssertionError as error:
        shown = pytest.ExceptionInfo.from_exception(error).getrepr(style="value")
    [entry] = shown.reprtraceback.reprentries
    # by the line: a terminal that cannot show a character gets the whole text that is written at once escaped
    entry.lines = text.split("\n")
    if (place := shown.reprcrash) is not None:
        place.path, place.lineno, place.message = path, line, reason
    return shown


def subtest_report(name: str, **fields: Any) -> pytest.SubtestReport:
    """The report of a subtest; the fields are those of a TestReport."""
    return pytest.SubtestReport(context=SubtestContext(msg=name, kwargs={}), **fields)


def matches_keyword(item: pytest.Item, expression: str) -> bool:
    """Whether ``-k`` with that expression selects an item."""
    return Expression.compile(expression).evaluate(KeywordMatcher.from_item(item))


def matches_marks(item: pytest.Item, expression: str) -> bool:
    """Whether ``-m`` with that expression selects an item."""
    return Expression.compile(expression).evaluate(MarkMatcher.from_markers(item.iter_markers()))


def options_in(words: Sequence[str], config: pytest.Config) -> argparse.Namespace:
    """What words of a command line mean by themselves, with the options of every plugin."""
    return config._parser.parse_known_args(words)


def written_keys(config: pytest.Config) -> Collection[str]:
    """The keys that the ini file or ``-o`` sets."""
    return config._inicfg if hasattr(config, "_inicfg") else config.inicfg


def fixtures_of(node: pytest.Collector) -> Any:
    """The fixtures of items in a node whose functions take no arguments."""
    return node.session._fixturemanager.getfixtureinfo(node, None, None)  # type: ignore[arg-type]  # what it asks of an item, a node has


def fixtures_called(name: str, node: pytest.Collector) -> Sequence[pytest.FixtureDef[Any]]:
    """The fixtures of a name that a node sees; the last one counts."""
    return node.session._fixturemanager.getfixturedefs(name, node) or ()


def fixture_value(name: str, item: pytest.Function) -> object:
    """What a fixture comes to for an item, set up if it has to be."""
    return item._request.getfixturevalue(name)


def wrap_terminal(config: pytest.Config, wrap: Callable[[TextIO], Any]) -> None:
    """Put something around the file that the terminal reporter writes to."""
    writer = config.get_terminal_writer()
    writer._file = wrap(writer._file)
