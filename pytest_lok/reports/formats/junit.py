"""Runs -> JUnit XML, which says of a step what pytest's own file of the same workflow says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.etree import ElementTree  # only to build: nothing is parsed here

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.late_regex import late_regex
from pytest_lok.reports.failure_text import excerpt, explain, reason_line
from pytest_lok.reports.formats.reported_run import ReportedRun, Trouble, bounded, bounded_line, relative
from pytest_lok.reports.parts import (
    SCORE_FACT,
    Subtest,
    may_have_subtests,
    sections_of,
    step_facts,
    subtests_of,
)
from pytest_lok.reports.untrusted import escape_untrusted

_OUTPUT = 16_000  # characters of <system-out>; some servers refuse files of more than 30 MB
_SECTION = 64_000
_NO_XML = late_regex("[^\t\n\r -~\x80-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PROPERTIES = (
    "outcome",
    "set_aside",
    "answered",
    "backend",
    "model",
    "tokens",
    "cached",
    "cost_usd",
    "attempts",
    "run_id",
    "workflow_sha256",
)


def render(runs: Sequence[ReportedRun]) -> str:
    """A suite for each run, a case for each step and each of its parts."""
    root = ElementTree.Element("testsuites")
    for run in runs:
        suite = ElementTree.SubElement(root, "testsuite", name=xml_text(f"lok.{run.title}"))
        suite.extend(_cases(run))
        for kind, tag in (("errors", "error"), ("failures", "failure"), ("skipped", "skipped")):
            suite.set(kind, str(sum(case.find(tag) is not None for case in suite)))
        suite.set("tests", str(len(suite)))
        suite.set("time", f"{run.result.seconds:.3f}")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def xml_text(text: str) -> str:
    """A text without the characters that XML does not have, spelled as pytest spells them."""
    return _NO_XML.sub(lambda found: f"#x{ord(found[0]):02X}", text)


def properties_of(facts: Mapping[str, str | int | float]) -> Iterator[tuple[str, str | int | float]]:
    """The facts of a step that are properties of its case, by the names of those."""
    yield from ((f"lok.{name}", facts[name]) for name in _PROPERTIES if name in facts)
    yield from ((xml_text(f"lok.{name}"), it) for name, it in facts.items() if name.startswith(SCORE_FACT))


def system_out(sections: Iterable[tuple[str, str]]) -> ElementTree.Element:
    """What stands beside a case: the titled texts of its step, cut to a bounded size."""
    texts = [text if title == "output" else f"{title}: {text}" for title, text in sections]
    output = ElementTree.Element("system-out")
    output.text = xml_text(excerpt("\n".join(texts), lines=400, chars=_OUTPUT))
    return output


def _cases(run: ReportedRun) -> Iterator[ElementTree.Element]:
    for step in run.result.steps.values():
        yield from (_part(run, step, part) for part in _parts(run, step))
        yield _case_of_step(run, step)
    for trouble in run.troubles:  # what no step's case says
        if trouble.step not in run.result.steps and not trouble.let_go:
            yield _case_of_trouble(run, trouble)


def _parts(run: ReportedRun, step: StepResult) -> list[Subtest]:
    """The parts that have cases of their own; of a step that could not be judged, or is soft, none."""
    if step.outcome not in (Outcome.PASSED, Outcome.FAILED) or not may_have_subtests(step):
        return []
    asked = run.asked(step.name) if step.outcome.red else ()
    return [part for part in subtests_of(step, asked) if step.outcome.red or not part.outcome.red]


def _case_of_step(run: ReportedRun, step: StepResult) -> ElementTree.Element:
    path, line = run.place(step.name)
    case = _case(run, step.name, path, line, step.seconds)
    facts = step_facts(
        step,
        workflow=run.name,
        workflow_sha256=bounded_line(run.result.sha256, 100),
        run_id=bounded_line(run.result.run_id, 100),
    )
    properties = ElementTree.SubElement(case, "properties")
    for name, value in properties_of(facts):
        text = xml_text(bounded(str(value), 4_000))
        ElementTree.SubElement(properties, "property", name=name, value=text)
    if step.outcome.red:
        tag = "failure" if step.outcome is Outcome.FAILED else "error"
        _tell(case, tag, reason_line(step), _explained(run, step))
    elif step.outcome is Outcome.SOFT:
        _tell(case, "skipped", bounded(step.reason, 4_000), kind="pytest.xfail")
    elif step.outcome is Outcome.SKIPPED and not step.withheld:
        reason = reason_line(step)
        _tell(case, "skipped", reason, f"{path}:{line}: {reason}", kind="pytest.skip")
    elif step.outcome is Outcome.SKIPPED:
        _tell(case, "error", reason_line(step))
    sections = [] if step.outcome.red else [*sections_of(step)]
    if sections:
        texts = [
            (title, escape_untrusted(excerpt(it, lines=2_000, chars=_SECTION))) for title, it in sections
        ]
        case.append(system_out(texts))
    return case


def _explained(run: ReportedRun, step: StepResult) -> str:
    """The text that pytest shows for the step; of a step that the workflow does not have, the reason."""
    written = run.steps.get(step.name)
    if written is None:
        return bounded(step.reason, 4_000)
    root = run.result.steps.get(step.blocked_by) if step.blocked else None
    apart = step.outcome is Outcome.FAILED
    return explain(step, written, asked=run.asked(step.name), root=root, parts_apart=apart)


def _part(run: ReportedRun, step: StepResult, part: Subtest) -> ElementTree.Element:
    path, line = run.place(step.name)
    if part.path:
        path, line = relative(part.path) or path, part.line
    case = _case(run, f"{step.name}[{part.name}]", path, line, 0.0)
    if part.outcome.red:
        tag = "failure" if part.outcome is Outcome.FAILED else "error"
        _tell(case, tag, escape_untrusted(part.reason), str(part))
    return case


def _case_of_trouble(run: ReportedRun, trouble: Trouble) -> ElementTree.Element:
    case = _case(run, trouble.step or "the run", trouble.path, trouble.line, 0.0)
    _tell(case, "error", bounded_line(trouble.text, 300), bounded(trouble.text, 4_000))
    return case


def _case(run: ReportedRun, name: str, path: str, line: int, seconds: float) -> ElementTree.Element:
    return ElementTree.Element(
        "testcase",
        classname=xml_text(f"lok.{run.title}"),
        name=xml_text(bounded_line(name, 1_000)),
        file=xml_text(path),
        line=str(line),
        time=f"{seconds:.3f}",
    )


def _tell(case: ElementTree.Element, tag: str, message: str, text: str = "", kind: str = "") -> None:
    told = ElementTree.SubElement(case, tag, message=xml_text(message[:4_000]))
    told.text = xml_text(text)
    if kind:
        told.set("type", kind)
