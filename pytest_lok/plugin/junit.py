"""Step reports -> pytest's JUnit file, as review bots read it: places, properties, a case for each part."""

from __future__ import annotations

import copy
from collections.abc import Generator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from xml.etree import ElementTree  # only to build: nothing is parsed here

import pytest

from pytest_lok.plugin._pytest_internals import LogXML, junit_writer, written_keys
from pytest_lok.reports.formats.junit import properties_of, system_out, xml_text


def is_replaceable(path: Path) -> bool:
    """Whether a path may be replaced or removed: it is no link and no device (/dev/stdout)."""
    return not path.is_symlink() and (path.is_file() or not path.exists())


def remove_old_report(report: Path) -> None:
    """Remove the JUnit file of an earlier session, or it would be taken for this one's. Links stay.

    UsageError if that fails, and where no new file can be made: after the session it would be too late.
    """
    report = report.resolve()
    doing = "of an earlier session cannot be removed"
    try:
        if not is_replaceable(report):
            return
        if report.exists():
            report.unlink()
        doing = "cannot be written"
        report.parent.mkdir(parents=True, exist_ok=True)  # as pytest does in the end
        with NamedTemporaryFile(dir=report.parent, prefix="."):
            pass
    except OSError as error:
        raise pytest.UsageError(f"{report} {doing}: {error.strerror}") from None


class AtomicLogXML(LogXML):
    """pytest's writer, with a file that is whole or not there: a full disk leaves no half of one."""

    write_error = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a part of a step as a case of its own: readers take one failure of a case, or add them up."""
        super().pytest_runtest_logreport(_as_case(report))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:  # type: ignore[override]  # hooks take what they need
        """Write the file; a session whose file cannot be written is red."""
        final = Path(self.logfile)
        partial = final.with_name(f".{final.name}.part") if is_replaceable(final) else final
        self.logfile = str(partial)
        try:
            super().pytest_sessionfinish()
            if partial != final:
                partial.replace(final)
        except OSError as error:
            self.write_error = f"the JUnit file {final} could not be written: {error.strerror or error}"
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        finally:
            self.logfile = str(final)
            if partial != final:
                partial.unlink(missing_ok=True)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Say where the file is, or why there is none."""
        if self.write_error:
            terminalreporter.line(f"ERROR: {self.write_error}", red=True)
        else:
            super().pytest_terminal_summary(terminalreporter, config)


class JUnitHooks:
    """The hooks that complete what pytest's own writer makes of a report.

    ``_skipped`` are the cases of skipped steps, which a later report may replace. ``_open_attempts`` are
    attempts, by node id and xdist worker, that have been reported with an outcome that does not count.
    """

    def __init__(self, config: pytest.Config, xml: LogXML) -> None:
        self._xml = xml
        self._skipped: dict[str, Any] = {}
        self._open_attempts: set[tuple[str, object]] = set()
        if "junit_family" not in written_keys(config):
            xml.family = "xunit1"  # the default family has no file and no line, and nothing to click on

    @classmethod
    def install(cls, config: pytest.Config) -> JUnitHooks | None:
        """Make pytest's writer atomic; the hooks to register, None where no JUnit file is written."""
        xml = junit_writer(config)
        if xml is None:
            return None
        # in place, since pytest's stash holds this object; registering again finds the new hooks
        config.pluginmanager.unregister(xml)
        xml.__class__ = AtomicLogXML
        config.pluginmanager.register(xml)
        return cls(config, xml)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Set class name and line before pytest writes its part of a case, properties and output after."""
        facts = getattr(report, "lok", None)
        if (part := getattr(report, "lok_part", None)) is not None:
            reporter = self._xml.node_reporter(case := _as_case(report))
            reporter.add_attribute("name", f"{case.location[2]}[{part['name']}]")
            self._set_place(reporter, part["workflow"], case.location[1])
            yield
            self._name_errors(reporter, part["reason"])
            return
        if facts is None or report.outcome not in ("passed", "failed", "skipped"):
            attempt = self._finished_attempt(report)
            yield  # an attempt that does not count
            if attempt is not None:
                self._xml.node_reporters_ordered.remove(attempt)
            return
        self._open_attempts.discard((report.nodeid, getattr(report, "node", None)))
        if hasattr(report, "lok_replaces_earlier"):
            self._forget(report)
        reporter = self._xml.node_reporter(report)
        self._set_place(reporter, facts["workflow"], report.location[1])
        yield
        if report.skipped:
            self._skipped[report.nodeid] = reporter
        self._name_errors(reporter, facts.get("reason", ""))
        for name, value in properties_of(facts):
            reporter.add_property(name, value)
        own = [(title, text) for title, text in report.sections if not title.startswith("Captured ")]
        if own:
            reporter.append(system_out(own))

    def _name_errors(self, reporter: Any, reason: str) -> None:
        """Say why instead of what pytest says: that the set-up failed."""
        for node in reporter.nodes:
            if node.tag == "error":
                node.set("message", xml_text(reason))

    def _finished_attempt(self, report: pytest.TestReport) -> Any:
        """The case of an attempt that another one follows: pytest would count the case as passed."""
        # with --dist each every worker has a case of its own
        key = report.nodeid, getattr(report, "node", None)
        if hasattr(report, "lok"):
            self._open_attempts.add(key)
        elif report.when == "setup":
            self._open_attempts.discard(key)
        elif report.when == "teardown" and key in self._open_attempts:
            self._open_attempts.remove(key)
            return self._xml.node_reporter(report)
        return None

    def _forget(self, report: pytest.TestReport) -> None:
        """Remove the case of an item that was reported as skipped, and is reported again."""
        if (case := self._skipped.pop(report.nodeid, None)) is not None:
            self._xml.node_reporters_ordered.remove(case)
            self._xml.stats["skipped"] -= 1

    def _set_place(self, reporter: Any, workflow: str, line: int | None) -> None:
        """Set the class name of a case, and its line, which is given from 0 and written from 1."""
        # of the node id readers would make a class "toml", in a package ".lok.workflows"
        names = filter(None, [self._xml.prefix, "lok", workflow])
        reporter.add_attribute("classname", ".".join(names))
        if line is not None:
            reporter.add_attribute("line", str(line + 1))


def _as_case(report: pytest.TestReport) -> pytest.TestReport:
    """The report of a part of a step as that of a test of its own, at its own place; others as they are."""
    part = getattr(report, "lok_part", None)
    if part is None:
        return report
    case, step = copy.copy(report), report.nodeid.partition("::")[2]
    case.nodeid = f"{report.nodeid}[{part['number']}]"
    file, line, _ = report.location
    case.location = (xml_text(part["file"]), part["line"] - 1, step) if part["file"] else (file, line, step)
    return case


class InterruptedTests:
    """Tests that had begun when the session ended; pytest would write each as a case without a name."""

    def __init__(self, xml: LogXML) -> None:
        self._xml = xml
        self._unfinished: dict[object, pytest.TestReport] = {}

    @classmethod
    def of(cls, config: pytest.Config) -> InterruptedTests | None:
        """The hooks to register, None where no JUnit file is written."""
        xml = junit_writer(config)
        return None if xml is None else cls(xml)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the tests that have begun and not ended."""
        key = (report.nodeid, getattr(report, "node", None))
        self._unfinished.pop(key, None)
        if report.when == "setup" and report.passed:
            self._unfinished[key] = report

    def pytest_sessionfinish(self) -> None:
        """Write the tests as errors: before the file is written, after every interrupted step is reported."""
        for report in self._unfinished.values():
            reporter = self._xml.node_reporter(report)
            reporter.record_testreport(report)
            reporter.append(
                ElementTree.Element("error", message="interrupted: the session ended before it did")
            )
