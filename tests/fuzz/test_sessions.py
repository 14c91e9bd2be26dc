"""Sessions of pytest over small workflows, with whatever changes their last word: what green means in the end.

Steps write down themselves that they are executed. The oracle knows nothing of pytest or of the plugin: it
counts those lines, and knows of each step what its command answers at which attempt.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st

from tests.fuzz import examples
from tests.plugin.conftest import QUIET, Suite, run_apart
from tests.plugin.conftest import suite as suite  # a fixture

COMMANDS = {
    "green": "true",
    "red": "false",
    "soft": "false",
    "flaky": "test $(grep -cx {} ran) -ge 2",
    "own": "false",
}
KEYS = {"soft": "continue_on_error = true", "own": "when = 'false'"}
REMEMBER = ("-p", "cacheprovider", "-p", "stepwise")
SHELF = ".lok/workflows"
GREEN = pytest.ExitCode.OK


@dataclass(frozen=True)
class Flow:
    """A workflow: the kind of each step and what it needs; names are its own."""

    stem: str
    kinds: dict[str, str]
    needs: dict[str, tuple[str, ...]]
    allow_skip: bool

    @property
    def text(self) -> str:
        blocks = ["allow_skip = true" if self.allow_skip else ""]
        for name, kind in self.kinds.items():
            needs = f"depends_on = {list(self.needs[name])}" if self.needs[name] else ""
            command = f"echo {name} >> ran; {COMMANDS[kind].format(name)}"
            blocks.append(
                f"[[steps]]\nname = '{name}'\n{needs}\n{KEYS.get(kind, '')}\nshell = '''{command}'''"
            )
        return "\n".join(blocks) + "\n"

    @property
    def judges(self) -> bool:
        return self.allow_skip or set(self.kinds.values()) != {"own"}


@dataclass(frozen=True)
class Ended:
    """What is left of a session: its exit code, how often each step was executed, and its JUnit cases."""

    code: int
    executed: Counter[str]
    cases: list[tuple[str, str]]
    text: str = field(repr=False)

    def kind(self, name: str) -> str:
        return next((kind for case, kind in self.cases if case == name), "")


@st.composite
def flows(draw: st.DrawFn, stem: str, kinds: tuple[str, ...] = tuple(COMMANDS)) -> Flow:
    names = [f"{stem}{number}" for number in range(draw(st.integers(1, 4)))]
    return Flow(
        stem=stem,
        kinds={name: draw(st.sampled_from(kinds)) for name in names},
        needs={
            name: tuple(sorted(draw(st.sets(st.sampled_from(names[:place]), max_size=2)))) if place else ()
            for place, name in enumerate(names)
        },
        allow_skip=draw(st.booleans()),
    )


def projects(kinds: tuple[str, ...] = tuple(COMMANDS)) -> st.SearchStrategy[list[Flow]]:
    return st.one_of(
        st.tuples(flows("v", kinds)).map(list), st.tuples(flows("v", kinds), flows("w", kinds)).map(list)
    )


def lay_out(suite: Suite, project: list[Flow], conftest: str = "", ini: str = "") -> None:
    """A directory with nothing but this project in it."""
    for old in suite.root.iterdir():
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    suite.write("lok.toml", "")
    suite.write("conftest.py", conftest)
    suite.write("pytest.ini", f"[pytest]\nmarkers = slow\n{ini}\n")
    suite.write("test_python.py", "def test_python(): pass\n")
    for flow in project:
        suite.workflow(flow.stem, flow.text)


def hold(suite: Suite, *args: str) -> Ended:
    """A session; one with workers in a process of its own."""
    words = (*QUIET, *REMEMBER, *args, "--junitxml=r.xml")
    apart = any(arg.startswith("-n") for arg in args)
    result = run_apart(suite.pytester, *words) if apart else suite.pytester.runpytest_inprocess(*words)
    report = suite.root / "r.xml"
    text = result.stdout.str() + result.stderr.str()
    note(text)
    return Ended(int(result.ret), Counter(suite.ran()), cases(report) if report.exists() else [], text)


def cases(report: Path) -> list[tuple[str, str]]:
    """The name and the worst ending of each case of a step."""
    found: list[tuple[str, str]] = []
    for case in ElementTree.parse(report).iter("testcase"):
        tags = {child.tag for child in case}
        ending = next((tag for tag in ("error", "failure", "skipped") if tag in tags), "")
        found.append((case.get("name", ""), ending))
    return [(name, ending) for name, ending in found if name[1:].isdigit()]


def says_yes(kind: str, executed: int) -> bool:
    """Whether a step may be green: it was executed and its last answer was yes, or its file excuses it."""
    return kind == "own" or (executed >= (2 if kind == "flaky" else 1) and kind != "red")


def is_consistent(project: list[Flow], ended: Ended, chosen: set[str], options: str) -> None:
    """What holds of every session, whatever its options: ``chosen`` are the steps it was to judge."""
    judged = [name for name, _ in ended.cases]
    for flow in project:
        rests: dict[str, bool] = {}
        for name, kind in flow.kinds.items():
            rests[name] = says_yes(kind, ended.executed[name]) and all(
                rests[need] for need in flow.needs[name]
            )
            if name in chosen and ended.code == GREEN:
                assert rests[name], f"green, and {name} ({kind}) is no yes"
                assert judged.count(name) == 1, f"one case of {name}"
            if name in judged and ended.kind(name) == "":
                assert says_yes(kind, ended.executed[name]), f"a case of {name} is green"
            if name in judged and ended.kind(name) == "skipped" and kind not in ("own", "soft"):
                assert ended.code != GREEN, f"{name} is skipped, and nothing is red"
                if "-x" not in options and "--maxfail" not in options:
                    assert blocked(flow, ended, name), f"{name} is skipped, and what it needs is not red"
        if chosen & flow.kinds.keys() == flow.kinds.keys() and ended.code == GREEN:
            assert flow.judges, f"{flow.stem} has judged nothing"
            if ended.code == GREEN and name in chosen:
                assert f"{flow.stem}: failed" not in ended.text, "the summary says so too"
    red = [name for name, kind in ended.cases if kind in ("error", "failure")]
    assert not (red and ended.code == GREEN), "a red case, and exit 0"


def blocked(flow: Flow, ended: Ended, name: str) -> bool:
    """Whether something that a step needs is red, at any distance."""
    return any(
        ended.kind(need) in ("error", "failure") or blocked(flow, ended, need) for need in flow.needs[name]
    )


def all_of(project: list[Flow]) -> set[str]:
    return {name for flow in project for name in flow.kinds}


OPTIONS = [
    "-x",
    "--maxfail=1",
    "--maxfail=2",
    "--reruns=1",
    "--reruns=2",
    "--runxfail",
    "-v",
    "-q",
    "--ff",
    "--nf",
]
HARMLESS = {"-v", "-q", "--ff", "--nf", "--reruns=1", "--reruns=2", "-x", "--maxfail=1", "--maxfail=2"}
CHOICES = ["", "-k", "-m", "--deselect", "id", "duplicate"]
of_sessions = settings(
    phases=(Phase.explicit, Phase.generate),  # to make an example smaller would take minutes of sessions
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def choose(draw: st.DrawFn, project: list[Flow], how: str) -> tuple[list[str], set[str]]:
    """Words of a command line that choose among steps, and the steps that are left."""
    names = sorted(all_of(project))
    picked = draw(st.sampled_from(names))
    stem = picked[0]
    match how:
        case "-k":
            return ["-k", picked], {picked}
        case "-m":
            return ["-m", "not slow"], set(names)
        case "--deselect":
            return [f"--deselect={SHELF}/{stem}.toml::{picked}"], {*names} - {picked}
        case "id":
            return [f"{SHELF}/{stem}.toml::{picked}"], {picked}
        case "duplicate":
            file = f"{SHELF}/{stem}.toml"
            return [file, file], {name for name in names if name[0] == stem}
    return [], set(names)


@dataclass(frozen=True)
class Sessions:
    """A project, and the words of a first session and of those that go on from it."""

    project: list[Flow]
    words: list[str]
    chosen: set[str]
    again: list[str]


@st.composite
def sessions(draw: st.DrawFn) -> Sessions:
    project = draw(projects())
    options = sorted(draw(st.sets(st.sampled_from(OPTIONS), max_size=3)))
    words, chosen = choose(draw, project, draw(st.sampled_from(CHOICES)))
    again = draw(
        st.lists(st.sampled_from(["--lf", "--sw", "--ff", "--lf -x", "--lf --reruns=1"]), max_size=1)
    )
    return Sessions(project, [*options, *words], chosen, again)


def hold_all(suite: Suite, made: Sessions, *more: str) -> None:
    lay_out(suite, made.project)
    ended = hold(suite, "--lok", *made.words, *more)
    options = " ".join(made.words)
    is_consistent(made.project, ended, made.chosen, options)
    event(f"exit {ended.code}")
    if not made.words and all(flow.judges for flow in made.project):
        yes = {"green", "soft", "own"}
        fine = all(set(flow.kinds.values()) <= yes for flow in made.project)
        assert (ended.code == GREEN) is fine, "what is harmless is green"
    for words in made.again:
        red = {name for name, kind in ended.cases if kind in ("error", "failure", "skipped")}
        wanted = red - {
            name for flow in made.project for name, kind in flow.kinds.items() if kind in ("own", "soft")
        }
        ended = hold(suite, "--lok", *words.split(), *more)
        if ended.code == GREEN:
            assert all(
                says_yes(kind, ended.executed[name])
                for f in made.project
                for name, kind in f.kinds.items()
                if name in wanted
            )
        event(f"again: exit {ended.code}")


@settings(of_sessions, max_examples=examples(8))
@given(made=sessions())
def test_a_green_session_has_a_yes_of_every_step(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, made: Sessions
) -> None:
    monkeypatch.setenv("CI", "1")
    hold_all(suite, made)


@settings(of_sessions, max_examples=examples(1))
@given(made=sessions())
def test_so_has_one_with_workers(suite: Suite, monkeypatch: pytest.MonkeyPatch, made: Sessions) -> None:
    monkeypatch.setenv("CI", "1")
    hold_all(suite, made, "-n2")


TAKES = {
    "deselect": """
@pytest.hookimpl({when})
def pytest_collection_modifyitems(config, items):
    out = [item for item in items if item.name in T]
    if {flag}: config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]
""",
    "forget": """
@pytest.hookimpl({when})
def pytest_collection_finish(session):
    session.items[:] = [item for item in session.items if item.name not in T]
""",
    "mark": """
@pytest.hookimpl({when})
def pytest_collection_modifyitems(items):
    for item in items:
        if item.name in T: item.add_marker({mark})
""",
    "late mark": """
def pytest_runtest_setup(item):
    if item.name in T: item.add_marker({mark})
""",
    "collected": """
def pytest_itemcollected(item):
    if item.name in T: item.add_marker({mark})
""",
    "swallow": """
@pytest.hookimpl({when})
def pytest_runtest_protocol(item):
    return True if item.name in T else None
""",
    "end a phase": """
@pytest.hookimpl({when})
def pytest_runtest_{phase}(item):
    if item.name in T: {end}
""",
    "no phase": """
def pytest_collection_modifyitems(items):
    for item in items:
        if item.name in T: {attributes} = lambda: None
""",
    "make another report": """
@pytest.hookimpl(wrapper=True, {when})
def pytest_runtest_makereport(item, call):
    report = yield
    if item.name in T and (report.when == {phase!r} or {flag}):
        report.outcome, report.longrepr = {outcome!r}, ('f', 1, 'Skipped: no')
    return report
""",
    "swap outcomes": """
@pytest.hookimpl(wrapper=True, {when})
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == 'call' and item.name in T:
        report.outcome = 'failed' if report.outcome == 'passed' else 'passed'
    return report
""",
    "log another report": """
@pytest.hookimpl({when})
def pytest_runtest_logreport(report):
    if report.nodeid.rpartition('::')[2] in T and (report.when == {phase!r} or {flag}):
        report.outcome, report.longrepr = {outcome!r}, ('f', 1, 'Skipped: no')
""",
    "facts": """
@pytest.hookimpl({when})
def pytest_runtest_logreport(report):
    if hasattr(report, 'lok'):
        report.outcome, report.longrepr = {outcome!r}, ('f', 1, 'Skipped: no')
        report.lok = {{**report.lok, 'outcome': 'passed'}}
""",
    "no facts": """
@pytest.hookimpl({when})
def pytest_runtest_logreport(report):
    if hasattr(report, 'lok'):
        report.outcome = {outcome!r}
        del report.lok
""",
    "another name": """
@pytest.hookimpl({when})
def pytest_runtest_logreport(report):
    if report.nodeid.rpartition('::')[2] in T: report.nodeid = 'test_python.py::test_python'
""",
    "status": """
@pytest.hookimpl({when})
def pytest_sessionfinish(session):
    session.exitstatus = 0
    session.testsfailed = 0
    {stop}
""",
    "status, wrapped": """
@pytest.hookimpl(wrapper=True, {when})
def pytest_sessionfinish(session):
    try:
        return (yield)
    finally:
        session.exitstatus = 0
""",
    "count": """
@pytest.hookimpl({when})
def pytest_runtest_logreport(report):
    S.testsfailed = 0
    {stop}
def pytest_sessionstart(session):
    global S
    S = session
    session.exitstatus = 0
""",
    "exit": """
def pytest_{place}(): pytest.exit('fine', returncode=0)
""",
    "loop": """
@pytest.hookimpl({when})
def pytest_runtestloop(session): return True
""",
    "options": """
@pytest.hookimpl({when})
def pytest_{configure}:
    config.option.{option}
""",
    "ignore": """
@pytest.hookimpl({when})
def pytest_ignore_collect(collection_path): return collection_path.name == {ignored!r} or None
""",
    "ignore list": "collect_ignore_glob = ['*{ignored}']\n",
    "no node": """
@pytest.hookimpl(wrapper=True, {when})
def pytest_make_collect_report(collector):
    report = yield
    report.result = [node for node in report.result if node.name not in T and node.name != {ignored!r}]
    return report
""",
    "collect file": """
@pytest.hookimpl(wrapper=True, {when})
def pytest_collect_file(file_path, parent):
    nodes = yield
    return [] if file_path.name == {ignored!r} else nodes
""",
    "fixture": """
@pytest.fixture(autouse=True)
def skips(request):
    if request.node.name in T: {end}
    {more}
""",
    "unregister": """
def pytest_sessionstart(session):
    session.config.pluginmanager.unregister(name='lok-{part}')
""",
}
WORDS = {
    "when": ["", "tryfirst=True", "trylast=True"],
    "flag": ["True", "False"],
    "mark": [
        *("pytest.mark.skip(reason='no')", "pytest.mark.xfail", "pytest.mark.xfail(run=False)"),
        *("pytest.mark.skipif(True, reason='no')", "pytest.mark.xfail(strict=True)", "pytest.mark.slow"),
    ],
    "phase": ["setup", "call", "teardown"],
    "end": [
        "pytest.skip('no')",
        "pytest.xfail('no')",
        "raise RuntimeError",
        "pytest.exit('no', returncode=0)",
    ],
    "attributes": ["item.setup", "item.runtest", "item.setup = item.runtest", "item.teardown"],
    "outcome": ["passed", "skipped", "rerun", "failed", "odd"],
    "stop": ["session = None", "S.shouldstop = 'no'", "S.shouldfail = 'no'"],
    "place": ["sessionstart", "sessionfinish", "collection_finish", "runtest_teardown", "unconfigure"],
    "configure": ["configure(config)", "cmdline_main(config)", "report_header(config)"],
    "option": [
        *("lok = False", "lok_workflow = []", "keyword = 'test_python'", "markexpr = 'slow'"),
        *("collectonly = True", "setuponly = True", "lf = True", "maxfail = 1", "verbose = 3"),
        *("runxfail = True", "file_or_dir = ['test_python.py']", "deselect = ['.lok']", "help = True"),
    ],
    "ignored": ["v.toml", "w.toml", ".lok", "workflows", "v"],
    "more": ["", "yield", "yield; pytest.skip('no')"],
    "part": [
        *("final-reports", "required-steps", "collection", "runner", "reporting", "junit", "early-exit"),
        *("summary", "step-errors"),
    ],
}
ADDED = [
    *("-k v0", "-k 'not v1'", "-m slow", "-m 'not slow'", "--deselect .lok/workflows/v.toml::v0"),
    *("--ignore .lok", "--ignore-glob=*v.toml", "-x", "--maxfail=1", "--reruns=1", "--runxfail", "--co"),
    *("--setup-only", "--setup-plan", "--lf", "--sw", "-p no:terminal", "--no-summary", "-q", "--ff"),
    *(
        "-p no:junitxml",
        "-p no:skipping",
        "-p no:lok",
        "--keep-duplicates",
        "--lok-workflow v",
        "-p no:runner",
    ),
    *(
        "--rootdir=.lok",
        "--confcutdir=.lok",
        "--import-mode=importlib",
        "test_python.py",
        "--last-failed-no-failures=none",
    ),
]
INI = [
    *("norecursedirs = .lok", "xfail_strict = true", "testpaths = test_python.py", "python_files = *.txt"),
    *(
        "collect_imported_tests = false",
        "lok = false",
        "lok_fail_on = never",
        "lok_record = none",
        "junit_family = xunit2",
    ),
]


@st.composite
def takers(draw: st.DrawFn, names: list[str]) -> str:
    """A hook that takes something away from some steps, or from the whole session."""
    text = TAKES[draw(st.sampled_from(sorted(TAKES)))]
    words = {key: draw(st.sampled_from(values)) for key, values in WORDS.items() if f"{{{key}" in text}
    taken = draw(st.sets(st.sampled_from(names), min_size=1))
    if "{stop}" in text and "sessionfinish(session)" in text:
        words["stop"] = words["stop"].replace("S.", "session.")
    text = text.format(**words).replace("wrapper=True, )", "wrapper=True)")
    return text.replace("in T", f"in {sorted(taken)!r}")


@st.composite
def taken(draw: st.DrawFn) -> tuple[list[Flow], str, str]:
    """A project, its conftest.py, and its pytest.ini."""
    project = draw(projects(("green", "red", "soft", "own", "flaky")))
    conftest = draw(takers(sorted(all_of(project)))) if draw(st.booleans()) else ""
    added = draw(st.lists(st.sampled_from(ADDED), max_size=2 if conftest else 3))
    ini = draw(st.lists(st.sampled_from(INI), max_size=1))
    return project, f"import pytest\n{conftest}", "\n".join([f"addopts = {' '.join(added)}", *ini])


def is_never_taken_back(suite: Suite, made: tuple[list[Flow], str, str], *options: str) -> None:
    project, conftest, ini = made
    lay_out(suite, project, conftest, ini)
    ended = hold(suite, "--lok", *options)
    event(f"exit {ended.code}")
    if ended.code != GREEN:
        return
    for flow in project:
        rests: dict[str, bool] = {}
        for name, kind in flow.kinds.items():
            rests[name] = says_yes(kind, ended.executed[name]) and all(
                rests[need] for need in flow.needs[name]
            )
            assert rests[name], f"green, and {name} ({kind}) is no yes"
        assert flow.judges, f"green, and {flow.stem} has judged nothing"
    assert all(kind in ("", "skipped") for _, kind in ended.cases)


@settings(of_sessions, max_examples=examples(12))
@given(made=taken())
def test_nothing_takes_a_judgement_back_in_ci(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, made: tuple[list[Flow], str, str]
) -> None:
    monkeypatch.setenv("CI", "1")
    is_never_taken_back(suite, made)


@settings(of_sessions, max_examples=examples(1))
@given(made=taken())
def test_nor_where_workers_have_made_it(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, made: tuple[list[Flow], str, str]
) -> None:
    monkeypatch.setenv("CI", "1")
    is_never_taken_back(suite, made, "-n2")
