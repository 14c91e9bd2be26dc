"""Step reports -> pytest's JUnit file, in the dialect review bots read: places, facts, bounded output."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # only to build: nothing is parsed here

import pytest

from pytest_lok.plugin._pytest_internals import LogXML, junit_writer, written_keys
from pytest_lok.plugin.failure_text import bounded

_OUTPUT = 16_000  # characters of <system-out>; some servers refuse files of more than 30 MB
_NO_XML = re.compile("[^\t\n\r -~\x80-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FACTS = (
    "outcome",
    "set_aside",
    "backend",
    "model",
    "tokens",
    "cached",
    "cost_usd",
    "attempts",
    "run_id",
    "workflow_sha256",
)


def is_plain(path: Path) -> bool:
    """Whether a file may be put there or taken away: not where there is a link or a device (/dev/stdout)."""
    return not path.is_symlink() and (path.is_file() or not path.exists())


def remove(report: Path) -> None:
    """Take away a report of an earlier session, which is none of this one; a link to it stays."""
    report = report.resolve()
    if report.exists() and is_plain(report):
        try:
            report.unlink()
        except OSError as error:
            raise pytest.UsageError(
                f"{report} of an earlier session cannot be removed: {error.strerror}"
            ) from None


class AtomicLogXML(LogXML):
    """pytest's writer, whose file is there whole or not at all: a disk that is full leaves no half of one."""

    trouble = ""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:  # type: ignore[override]  # hooks take what they need
        """Write it; where that cannot be done, the session is red."""
        final = Path(self.logfile)
        part = final.with_name(f".{final.name}.part") if is_plain(final) else final
        self.logfile = str(part)
        try:
            super().pytest_sessionfinish()
            if part != final:
                part.replace(final)
        except OSError as error:
            self.trouble = f"the JUnit file {final} could not be written: {error.strerror or error}"
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        finally:
            self.logfile = str(final)
            if part != final:
                part.unlink(missing_ok=True)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Where it is, or why it is not."""
        if self.trouble:
            terminalreporter.line(f"ERROR: {self.trouble}", red=True)
        else:
            super().pytest_terminal_summary(terminalreporter, config)


class JUnitHooks:
    """The hooks around pytest's own writer."""

    def __init__(self, config: pytest.Config, xml: LogXML) -> None:
        self._xml = xml
        self._skipped: dict[str, Any] = {}
        self._tried: set[tuple[str, object]] = set()
        if "junit_family" not in written_keys(config):
            xml.family = "xunit1"  # the default family has no file and no line, and nothing to click on

    @classmethod
    def of(cls, config: pytest.Config) -> list[JUnitHooks | InterruptedTests]:
        """The parts that a session with workflows needs where it writes a JUnit file."""
        xml = junit_writer(config)
        if xml is None:
            return []
        config.pluginmanager.unregister(xml)
        xml.__class__ = AtomicLogXML
        config.pluginmanager.register(xml)
        return [cls(config, xml), *InterruptedTests.of(config)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Place before pytest writes its part, facts and output after."""
        facts = getattr(report, "lok", None)
        if facts is None or report.outcome not in ("passed", "failed", "skipped"):
            attempt = self._attempt(report)
            yield  # a part, or an attempt that does not count
            self._name(report)
            if attempt is not None:
                self._xml.node_reporters_ordered.remove(attempt)
            return
        self._tried.discard((report.nodeid, getattr(report, "node", None)))
        if hasattr(report, "lok_instead"):
            self._forget(report)
        reporter = self._xml.node_reporter(report)
        # of the node id readers would make a class "toml", in a package ".lok.workflows"
        reporter.add_attribute(
            "classname", ".".join(filter(None, [self._xml.prefix, "lok", facts["workflow"]]))
        )
        if report.location[1] is not None:
            reporter.add_attribute("line", str(report.location[1] + 1))  # pytest counts from 0 here
        yield
        if report.skipped:
            self._skipped[report.nodeid] = reporter
        for node in reporter.nodes:
            if node.tag == "error":  # pytest says that the set-up failed
                node.set("message", _xml_text(facts.get("reason", "")))
        for name in _FACTS:
            if name in facts:
                reporter.add_property(f"lok.{name}", facts[name])
        told = [
            text if title == "output" else f"{title}: {text}"
            for title, text in report.sections
            if not title.startswith("Captured ")
        ]
        if told:
            output = ElementTree.Element("system-out")
            output.text = _xml_text(bounded("\n".join(told), lines=400, chars=_OUTPUT))
            reporter.append(output)

    def _attempt(self, report: pytest.TestReport) -> Any:
        """The case of an attempt that ends, and that another one follows: it has no ending, as green ones."""
        key = report.nodeid, getattr(report, "node", None)
        if hasattr(report, "lok"):
            self._tried.add(key)
        elif report.when == "setup":
            self._tried.discard(key)
        elif report.when == "teardown" and key in self._tried:
            self._tried.remove(key)
            return self._xml.node_reporter(report)
        return None

    def _forget(self, report: pytest.TestReport) -> None:
        """Take away the case of an item that was told as skipped, and is told again."""
        if (case := self._skipped.pop(report.nodeid, None)) is not None:
            self._xml.node_reporters_ordered.remove(case)
            self._xml.stats["skipped"] -= 1

    def _name(self, report: pytest.TestReport) -> None:
        """At a part's own failure: what it is of, or where, if it is a finding and the family has places."""
        part = getattr(report, "lok_part", None)
        nodes = self._xml.node_reporter(report).nodes if part else []
        if part is None or not nodes or nodes[-1].tag != "failure":
            return
        if not part["file"]:
            nodes[-1].set("message", _xml_text(f"{part['name']}: {nodes[-1].get('message')}"))
        elif self._xml.family != "xunit2":
            nodes[-1].set("file", _xml_text(part["file"]))
            nodes[-1].set("line", str(part["line"]))


class InterruptedTests:
    """Tests that the end of the session caught; pytest would write each as a case without a name."""

    def __init__(self, xml: LogXML) -> None:
        self._xml = xml
        self._begun: dict[object, pytest.TestReport] = {}

    @classmethod
    def of(cls, config: pytest.Config) -> list[InterruptedTests]:
        """One where a JUnit file is written, else none."""
        xml = junit_writer(config)
        return [] if xml is None else [cls(xml)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what has begun and not ended."""
        key = (report.nodeid, getattr(report, "node", None))
        self._begun.pop(key, None)
        if report.when == "setup" and report.passed:
            self._begun[key] = report

    def pytest_sessionfinish(self) -> None:
        """Before the file is written, and after every step that was caught has been told."""
        for report in self._begun.values():
            reporter = self._xml.node_reporter(report)
            reporter.record_testreport(report)
            reporter.append(
                ElementTree.Element("error", message="interrupted: the session ended before it did")
            )


def _xml_text(text: str) -> str:
    """A text without the characters that XML does not have, spelled as pytest spells them."""
    return _NO_XML.sub(lambda found: f"#x{ord(found[0]):02X}", text)
