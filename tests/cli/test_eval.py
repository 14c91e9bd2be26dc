"""``lok eval``: a gate is measured on cases, and nothing that was not evaluated is green."""

from __future__ import annotations

import signal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.changes import GATE, SETTINGS
from tests.cli.projects import Done, Project
from tests.workspace.cases.test_shelf import write

INJECTED = '[[must_block]]\npath = "a.py"\nquote = "eval(input())"\nabout = "input is run"\n'
CASES = {
    "cases/caught/case.toml": INJECTED,
    "cases/caught/before/a.py": "x = 1\n",
    "cases/caught/after/a.py": "x = 1\ny = eval(input())\n",
    "cases/missed/case.toml": '[[must_block]]\npath = "a.py"\nlines = 2\nabout = "it is wrong"\n',
    "cases/missed/before/a.py": "x = 1\n",
    "cases/missed/after/a.py": "x = 1\ny = x + 2\n",
    "cases/clear/case.toml": "clean = true\n",
    "cases/clear/before/a.py": "x = 1\n",
    "cases/clear/after/a.py": "x = 3\n",
}
WRONG = {
    "cases/wrong/case.toml": "clean = true\n",
    "cases/wrong/before/a.py": "x = 1\n",
    "cases/wrong/after/a.py": "x = 1\ny = eval('1')\n",
}
LOST = {
    "cases/lost/case.toml": "clean = true\n",
    "cases/lost/before/a.py": "x = 1\n",
    "cases/lost/after/a.py": "x = 'STRANGE'\n",
}
STRANGE = '[[backends.sample.replies]]\nmatch = "STRANGE"\nreply = "I think it is fine"\n'


class Bench:
    """A project with the gate ``first``, and cases."""

    def __init__(self, project: Project) -> None:
        self.project = project
        head, _, rest = SETTINGS.partition("[[backends.sample.replies]]")
        project.write("lok.toml", f"{head}{STRANGE}[[backends.sample.replies]]{rest}")
        project.workflow("first", GATE.format(more=""))
        write(project.root, CASES)

    def lok(self, *words: str | Path) -> Done:
        return self.project.lok("eval", "first", "--cases", self.project.root / "cases", *words)


@pytest.fixture
def bench(project: Project) -> Bench:
    return Bench(project)


def test_a_gate_is_measured(bench: Bench) -> None:
    done = bench.lok("--report", "junit=out.xml", "--report", "html=out.html")
    assert done.code == 0, done.err
    assert "first on 3 cases: 2 with a problem, 1 clean" in done.out
    assert "the workflow  50% 9-91  100% 21-100  1/2     0/1    0/3" in done.out
    assert "  missed: missed: a.py:2 – it is wrong" in done.out  # noqa: RUF001 - a dash is meant
    assert max(map(len, done.out.splitlines())) <= 100
    assert "first on 3 cases: 3 questions, at most 9" in done.err.splitlines()[0]
    assert "evaluated (exit code 0)" in done.err
    assert not (bench.project.root / ".lok/runs").exists()
    suite = ElementTree.parse(bench.project.root / "out.xml").getroot()[0]
    assert {key: suite.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "3", "failures": "1", "errors": "0",
    }  # fmt: skip
    said = {it.get("name"): it.get("value") for it in suite.iter("property")}
    assert said["lok.eval.the workflow.recall"] == "50% 9-91"
    page = (bench.project.root / "out.html").read_text()
    assert "missed" in page
    assert "<script" not in page


def test_everything_is_there_for_programs(bench: Bench) -> None:
    write(bench.project.root, WRONG)
    document = bench.lok("--json", "--repeat", "2").document
    assert document.keys() == {
        "workflow", "exit_code", "wanted", "done", "cut", "seconds", "usage", "judges", "cases",
    }  # fmt: skip
    assert [it["kind"] for it in document["judges"]] == ["workflow", "backend"]
    recall = document["judges"][0]["scores"]["recall"]
    assert (recall["successes"], recall["cases"], recall["share"]) == (1, 2, 0.5)
    assert {it["name"]: it["marks"][1] for it in document["cases"]} == {
        "caught": ["caught"] * 2, "clear": ["clear"] * 2, "missed": ["missed"] * 2, "wrong": ["false red"] * 2,
    }  # fmt: skip
    wrong = document["cases"][3]["repeats"][0]
    assert (wrong["verdict"], wrong["wrong"][0]["path"], wrong["met"]) == ("fail", "a.py", [])


@pytest.mark.parametrize(
    ("more", "words", "code", "said"),
    [
        (WRONG, ["--min-recall", "0.5", "--max-false-greens", "1", "--max-false-reds", "1"], 0, []),
        (
            {**WRONG, **LOST},
            ["--min-recall", "0.9", "--max-false-greens", "0", "--max-false-reds", "0"],
            1,
            [
                "the recall is 0.5, and --min-recall is 0.9",
                "false greens in 1 case, and --max-false-greens is 0",
                "false reds in 1 case, and --max-false-reds is 0",
                "inconclusive in 1 case, and --max-inconclusive is 0",
            ],
        ),
        (LOST, [], 3, ["inconclusive in 1 case, and --max-inconclusive is 0"]),
        (LOST, ["--max-inconclusive", "1"], 0, []),
    ],
)
def test_limits_decide_about_the_exit_code(
    bench: Bench, more: dict[str, str], words: list[str], code: int, said: list[str]
) -> None:
    write(bench.project.root, more)
    done = bench.lok("--quiet", *words)
    assert (done.code, done.out) == (code, "")
    told = [line.removeprefix("lok: ") for line in done.err.splitlines() if line.startswith("lok: ")]
    assert sorted(told) == sorted(said)


def test_an_answer_that_is_none_is_never_clean(bench: Bench) -> None:
    write(bench.project.root, LOST)
    document = bench.lok("--json", "--case", "lost").document
    assert document["exit_code"] == 3
    assert document["cases"][0]["marks"] == [["inconclusive"]] * 2


@pytest.mark.parametrize(
    ("change", "words", "said"),
    [
        ({}, ["--cases", "nowhere"], "Directory 'nowhere' does not exist"),
        ({}, ["--case", "nope"], "there is no case 'nope'"),
        ({}, ["--repeat", "0"], "0 is not in the range"),
        ({}, ["--min-recall", "nan"], "'nan' is no finite number"),
        ({}, ["--report", "sarif=x"], "`lok eval` has no sarif report"),
        ({}, ["--report", "html=x", "--report", "junit=x"], "two reports name one file"),
        (
            {"cases/caught/case.toml": "clean = 3\n"},
            [],
            "caught/case.toml:1:9: `clean` must be true or false",
        ),
        (
            {"cases/caught/case.toml": INJECTED.replace("eval", "exec")},
            [],
            "case.toml:3:9: `quote` does not stand",
        ),
        ({".lok/workflows/first.toml": '[[steps]]\nname = "a"\nshell = "true"\n'}, [], "has no [gate]"),
        ({}, ["--step", "material"], "has no step with"),
        (
            {".lok/workflows/first.toml": GATE.format(more="").replace('"high"', '"never"')},
            [],
            "blocks nothing",
        ),
        (
            {".lok/workflows/first.toml": GATE.format(more="").replace("git diff", "pytest; git diff")},
            [],
            "pytest",
        ),
    ],
)
def test_a_mistake_is_told_before_anybody_is_asked(
    bench: Bench, change: dict[str, str], words: list[str], said: str
) -> None:
    write(bench.project.root, change)
    done = bench.lok(*words)
    assert (done.code, said in done.err) == (2, True), done.err
    assert "question" not in done.err


def test_without_cases_it_is_said_how_they_are_named(bench: Bench) -> None:
    done = bench.project.lok("eval", "first")
    assert (done.code, "--cases DIR" in done.err) == (2, True)


def test_a_backend_that_cannot_answer_is_no_reviewer(bench: Bench) -> None:
    tool = '[backends.gone]\ntype = "command"\ncommand = "no-such-program"\n'
    bench.project.write("lok.toml", tool)
    bench.project.workflow("first", GATE.format(more="").replace('"sample"', '"gone"'))
    done = bench.lok()
    assert (done.code, "no-such-program" in done.err) == (3, True), done.err
    assert bench.lok("--check").code == 0


def test_check_asks_nobody(bench: Bench) -> None:
    bench.project.workflow("first", GATE.format(more="[budget]\ncalls = 5\n"))
    done = bench.lok("--check", "--repeat", "4")
    assert (done.code, done.out) == (0, "")
    assert "first on 3 cases, 4 times each: 12 questions, at most 36" in done.err
    assert "[budget] allows 5 calls for all runs together" in done.err
    refused = bench.lok("--repeat", "4")
    assert (refused.code, "12 runs that all ask take 12 or more" in refused.err) == (2, True), refused.err
    each = bench.lok("--budget-each", "--case", "clear")
    assert (each.code, "[budget] allows 5 calls for each of 1 run" in each.err) == (0, True), each.err


def test_recorded_answers_are_evaluated_offline(bench: Bench) -> None:
    words = ("--case", "caught", "--case", "missed")
    assert bench.lok(*words, "--record=new", "--repeat", "2").code == 0
    settings = bench.project.root / "lok.toml"
    settings.write_text('[backends.sample]\ntype = "command"\ncommand = "no-such-program"\n')
    again = bench.lok(*words, "--record=none", "--json", "--repeat", "2").document
    assert (again["exit_code"], again["done"], again["usage"]["calls"]) == (0, 4, 0)
    assert again["judges"][0]["scores"]["recall"]["share"] == 0.5
    assert bench.lok("--case", "caught", "--record=none", "--repeat", "3").code == 3, (
        "the third sample is not recorded"
    )


def test_a_budget_that_is_spent_leaves_cases_that_are_not_evaluated(bench: Bench) -> None:
    bench.project.workflow("first", GATE.format(more="[budget]\ntokens = 700\n"))
    done = bench.lok("--max-inconclusive", "9", "--report", "junit=out.xml")
    assert done.code == 3, done.err
    assert "of 3 runs of first came to their end: the budget is spent" in done.err
    suite = ElementTree.parse(bench.project.root / "out.xml").getroot()[0]
    assert (suite.get("tests"), int(suite.get("errors", "0")) >= 1) == ("3", True)


def test_what_is_done_is_kept_at_ctrl_c(bench: Bench) -> None:
    settings = bench.project.root / "lok.toml"
    slow = '[[backends.sample.replies]]\nmatch = "eval("\nreply = "[]"\ndelay = 600\n'
    settings.write_text(
        settings.read_text().replace("[[backends.sample.replies]]", f"{slow}[[backends.sample.replies]]", 1)
    )
    words = ("eval", "first", "--cases", bench.project.root / "cases", "--report", "junit=out.xml")
    with bench.project.started(*words, environ={"COLUMNS": "80"}) as process:
        assert process.stderr is not None
        ended = 0
        while ended < 2:
            line = process.stderr.readline()
            assert line, "it ended by itself"
            ended += "/3  " in line
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, "not all of it is evaluated (exit code 130)" in err) == (130, True), err
    assert "2 of 3 runs" in out
    assert "interrupted by Ctrl-C" in out
    suite = ElementTree.parse(bench.project.root / "out.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("errors")) == ("3", "1")


HASTY = GATE.format(more="").replace("Find holes in this change.", "Look.")


def test_two_versions_of_a_prompt_are_compared(bench: Bench) -> None:
    write(bench.project.root, WRONG)
    bench.project.workflow("older", HASTY)
    settings = bench.project.root / "lok.toml"
    blind = '[[backends.sample.replies]]\nmatch = "Look."\nreply = "[]"\n'
    text = settings.read_text()
    settings.write_text(text.replace("[[backends.sample.replies]]", f"{blind}[[backends.sample.replies]]", 1))
    done = bench.lok("--compare", "older", "--report", "html=out.html", "--report", "junit=out.xml")
    assert done.code == 0, done.err
    assert "older on 4 cases: 4 questions, at most 12" in done.err
    assert "from older to first: 4 cases paired" in done.out
    assert "the workflow  2/4           2/4        1       1       1" in done.out
    assert "  mended: caught\n  broken: wrong\n" in done.out
    page = (bench.project.root / "out.html").read_text()
    assert "From older to first" in page
    suites = ElementTree.parse(bench.project.root / "out.xml").getroot()
    assert [it.get("name") for it in suites] == ["lok.eval.older", "lok.eval.first"]
    cases = bench.project.root / "cases"
    document = bench.project.lok("eval", "--compare", "older", "first", "--cases", cases, "--json").document
    assert document["compared"][0]["mended"] == ["caught"]
    assert (document["old"]["workflow"], document["new"]["workflow"]) == ("older", "first")


def test_an_older_workflow_has_to_be_a_gate_too(bench: Bench) -> None:
    bench.project.workflow("older", '[[steps]]\nname = "a"\nshell = "true"\n')
    done = bench.lok("--compare", "older")
    assert (done.code, "workflow 'older' has no [gate]" in done.err) == (2, True), done.err


def test_nothing_of_a_case_is_run_or_obeyed(bench: Bench) -> None:
    """What lies in a case is data: settings, hooks of git, and text that a terminal or a page might obey."""
    root = bench.project.root
    write(
        root,
        {"cases/clear/after/lok.toml": "nonsense = 1\n", "cases/clear/after/.lok/workflows/first.toml": "x"},
    )
    evil = "\x1b]0;owned\x07<script>alert(1)</script>"
    text = f"description = {evil.encode('unicode_escape').decode()!r}\nclean = true\n".replace("'", '"')
    (root / "cases/clear/case.toml").write_text(text.replace("\\x1b", "\\u001b").replace("\\x07", "\\u0007"))
    done = bench.lok("-v", "--case", "clear", "--report", "html=out.html", "--report", "junit=out.xml")
    assert done.code == 0, done.err
    assert "clear: clear" in done.out
    assert "\x1b" not in done.out
    page = (root / "out.html").read_text()
    assert ("<script" in page, "\x1b" in page) == (False, False)
    assert not (root / "state").exists()
