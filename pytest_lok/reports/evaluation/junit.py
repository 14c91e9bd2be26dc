"""Evaluation -> JUnit XML: a case for each case and repeat, as the workflow as it is judged it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree  # only to build: nothing is parsed here

from pytest_lok.core.evaluation.evaluated import Evaluation
from pytest_lok.core.evaluation.scores import MarkedCase, MarkedRuling
from pytest_lok.reports.evaluation.table import case_lines, count, mark_of, share
from pytest_lok.reports.formats.junit import xml_text
from pytest_lok.reports.untrusted import escape_untrusted

_KINDS = {"inconclusive": "error"}
_RIGHT = ("caught", "clear")


def render_junit(evaluations: Sequence[Evaluation]) -> str:
    """A suite for each workflow. What is inconclusive or was not run is an error.

    The rates of all judges are properties of the suite.
    """
    root = ElementTree.Element("testsuites")
    for evaluation in evaluations:
        root.append(_suite(evaluation))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(evaluation: Evaluation) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=_safe(f"lok.eval.{evaluation.workflow}"))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _rates(evaluation):
        ElementTree.SubElement(properties, "property", name=_safe(name), value=_safe(value))
    for known, marked in zip(evaluation.cases, evaluation.own.cases, strict=True):
        cases = list(_cases(evaluation, marked, known.wanted))
        for case in cases:
            case.set("file", _safe(known.case.source.path))
        suite.extend(cases)
    tests = suite.findall("testcase")
    for kind, tag in (("errors", "error"), ("failures", "failure")):
        suite.set(kind, str(sum(case.find(tag) is not None for case in tests)))
    suite.set("skipped", "0")
    suite.set("tests", str(len(tests)))
    suite.set("time", f"{evaluation.seconds:.3f}")
    return suite


def _rates(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    for row in evaluation.rows:
        for name, rate in row.scores.by_name().items():
            said = share(rate) if name in ("recall", "precision") else count(rate)
            yield f"lok.eval.{row.judge}.{name}", said
    if evaluation.cut:
        yield "lok.eval.cut", evaluation.cut


def _cases(evaluation: Evaluation, marked: MarkedCase, wanted: int) -> Iterator[ElementTree.Element]:
    for number in range(max(wanted, len(marked.rulings))):
        name = f"{marked.name}[{number + 1}]" if wanted > 1 else marked.name
        case = ElementTree.Element(
            "testcase", classname=f"lok.eval.{evaluation.workflow}", name=_safe(name), time="0.000"
        )
        if number < len(marked.rulings):
            _tell(case, marked, marked.rulings[number])
        else:
            ElementTree.SubElement(case, "error", message=_safe(f"not run: {evaluation.cut}"))
        yield case


def _tell(case: ElementTree.Element, marked: MarkedCase, it: MarkedRuling) -> None:
    mark = mark_of(it)
    if mark in _RIGHT:
        return
    one = MarkedCase(name=marked.name, expected=marked.expected, rulings=(it,))
    said = " ".join(" ".join(case_lines(one)).split())
    told = ElementTree.SubElement(case, _KINDS.get(mark, "failure"), message=_safe(said[:4_000]), type=mark)
    told.text = _safe("\n".join(finding.headline for finding in it.ruling.blocking))


def _safe(text: str) -> str:
    return xml_text(escape_untrusted(text))
