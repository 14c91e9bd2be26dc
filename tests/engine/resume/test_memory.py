from __future__ import annotations

import os
import random
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lok.backends.scripted import Scripted
from pytest_lok.core.events import BackendAsked, BackendReplied, Event, StepFinished
from pytest_lok.core.json_values import jsonable
from pytest_lok.core.results import Outcome, RunResult
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.store.journal import Journal
from tests import forks
from tests.engine.resume.killed_run import killed_world, resume_state, run

E, F, P, S = Outcome.ERROR, Outcome.FAILED, Outcome.PASSED, Outcome.SKIPPED

MIXED = """
[budget]
calls = 50

[[steps]]
name = "gather"
shell = "cat data.txt"
[[steps]]
name = "review"
prompt = "review {{ steps.gather.output }}"
[[steps]]
name = "each"
for_each = ["a", "b"]
prompt = "about {{ item }}: {{ steps.gather.output }}"
max_parallel = 1
[[steps]]
name = "look"
backend = "reader"
prompt = "look around"
[[steps]]
name = "both"
backends = ["x", "reader"]
consensus = "vote"
quorum = 1
prompt = "both {{ steps.review.output }}"
[[steps]]
name = "off"
when = "steps.gather.failed"
prompt = "never"
[[steps]]
name = "no"
shell = "exit 1"
[[steps]]
name = "within"
workflow = "inner"
with = { word = "c" }
[[steps]]
name = "last"
depends_on = ["both", "look", "each", "off"]
prompt = "sum up {{ steps.each.output }} {{ steps.within.output }}"
"""
INNER = """
[args.word]
required = true
[outputs]
said = "{{ steps.deep.output }}"
[[steps]]
name = "deep"
prompt = "deep {{ arg.word }}"
[[steps]]
name = "same"
prompt = "deep {{ arg.word }}"
[[steps]]
name = "files"
backend = "reader"
prompt = "files {{ steps.deep.output }}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path, MIXED, inner=INNER)


def make_folder(path: Path, w: str, **inner: str) -> Path:
    """A folder with a project, the workflow ``w``, and those that its steps run."""
    project = path / "project"
    project.mkdir(parents=True)
    (project / "data.txt").write_text("data\n")
    for name, text in {"w": w, **inner}.items():
        (path / f"{name}.toml").write_text(text)
    return path


def asked(folder: Path) -> list[str]:
    """The questions that were asked since the last look."""
    log = folder / "asked"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


def said(result: RunResult) -> object:
    """A result without its times, and without what only says that it was resumed."""

    def timeless(value: object) -> object:
        if isinstance(value, dict):
            left_out = {"seconds", "started", "ended", "run_id", "resumed", "history"}
            return {key: timeless(held) for key, held in value.items() if key not in left_out}
        if isinstance(value, list):
            return [timeless(held) for held in value]
        return value

    return timeless(jsonable(result))


def decisions(result: RunResult) -> dict[str, str]:
    return {name: it.resumed.decision if it.resumed else "" for name, it in result.steps.items()}


def events(folder: Path, name: str) -> list[Event]:
    return list(Journal(folder / f"{name}.jsonl").read_new())


def asked_in_vain(record: list[Event]) -> Counter[str]:
    """The questions of a run to which it has recorded no answer, each as often as that is so."""
    had = Counter(it.reply.text[1:-1] for it in record if isinstance(it, BackendReplied))
    return Counter(it.prompt for it in record if isinstance(it, BackendAsked)) - had


def killed(folder: Path, name: str, kill_at: int, resumes: str = "") -> bool:
    """Run in a process that dies at that write; whether it came so far."""
    code = (
        "from pathlib import Path; from tests.engine.resume.killed_run import *; f = Path.cwd();"
        f"run(f, {name!r}, kill_at={kill_at}, "
        f"resume=resume_state(f / '{resumes}.jsonl') if {resumes!r} else None)"
    )
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(forks.ROOT)}
    done = forks.run([sys.executable, "-c", code], cwd=folder, env=environ)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == -9


def test_a_run_that_is_killed_at_any_write_comes_to_the_same_and_pays_nothing_twice(folder: Path) -> None:
    whole = run(folder, "whole")
    once = Counter(asked(folder))
    writes = len(events(folder, "whole"))
    assert (whole.outcome, whole.steps["within"].outcome) == (F, P)
    assert writes > 25
    for kill_at in range(1, writes + 1):
        (folder / "cut.jsonl").unlink(missing_ok=True)
        assert killed(folder, "cut", kill_at)
        in_flight = asked_in_vain(events(folder, "cut"))
        result = run(folder, f"on{kill_at}", resume=resume_state(folder / "cut.jsonl"))
        assert said(result) == said(whole), kill_at
        twice = Counter(asked(folder)) - once
        assert twice <= in_flight, (kill_at, twice)


ROUNDS = """
[[steps]]
name = "x"
workflow = "mending"
until = "last.clean"
max_rounds = 3
[[steps]]
name = "then"
depends_on = ["x"]
prompt = "then"
"""
MENDING = """
[outputs]
clean = "{{ steps.look.failed }}"
[[steps]]
name = "look"
shell = "grep -m1 bad data.txt"
continue_on_error = true
[[steps]]
name = "mend"
when = "steps.look.passed"
backend = "editor"
prompt = "mend {{ steps.look.output }}"
apply_edits = true
[[steps]]
name = "told"
prompt = "told"
"""


@pytest.mark.parametrize(("more", "kept"), [("", True), ("touch left.txt", False)])
def test_a_loop_with_edits_is_kept_as_long_as_the_files_are_as_it_left_them(
    tmp_path: Path, more: str, kept: bool
) -> None:
    after = '[[steps]]\nname = "no"\ndepends_on = ["x"]\nshell = "false"\n'
    mending = f"{MENDING}[[steps]]\nname = 'more'\ndepends_on = ['mend']\nshell = '{more or 'true'}'\n"
    folder = make_folder(tmp_path, ROUNDS + after, mending=mending)
    data = folder / "project/data.txt"
    data.write_text("bad1\nbad2\n")
    one = run(folder, "one")
    assert one.steps["x"].passed
    assert (data.read_text(), len(asked(folder))) == ("good1\ngood2\n", 6)
    two = run(folder, "two", resume=resume_state(folder / "one.jsonl"))
    assert (decisions(two)["x"] == "kept", two.steps["x"].passed) == (kept, True)
    asked(folder)
    # somebody else mends it otherwise: what was said of the files counts no more
    data.write_text("good\n")
    three = run(folder, "three", resume=resume_state(folder / "two.jsonl"))
    assert decisions(three)["x"] == "changed"


def test_a_loop_that_is_killed_at_any_write_goes_on_with_the_files_as_they_are(tmp_path: Path) -> None:
    for kill_at in range(2, 60, 2):
        folder = make_folder(tmp_path / str(kill_at), ROUNDS, mending=MENDING)
        data = folder / "project/data.txt"
        data.write_text("bad1\nbad2\n")
        if not killed(folder, "cut", kill_at):
            break
        result = run(folder, "on", resume=resume_state(folder / "cut.jsonl"))
        assert result.passed, (kill_at, [step.reason for step in result.steps.values()])
        assert data.read_text() == "good1\ngood2\n"
        again = Counter(asked(folder)) - Counter(["mend bad1", "mend bad2", "then", *["told"] * 3])
        # the round that was cut has two, and its answers are of files that may be others now
        assert again.total() <= 2, (kill_at, again)
    assert kill_at > 20


def forest(steps: int, seed: int) -> str:
    """A workflow of many steps, each resting on up to two before it; some are commands, some have items or cases."""
    choose = random.Random(seed)
    blocks = []
    for number in range(steps):
        needs = sorted({choose.randrange(number) for _ in range(choose.randrange(3))}) if number else []
        read = " ".join(f"{{{{ steps.s{need}.output }}}}" for need in needs[:1])
        kind = choose.choice(["ask", "ask", "cases", "each", "reader", "command"])
        lines = {
            "ask": f"prompt = 'ask {number}: {read}'",
            "each": f"prompt = 'each {number} {{{{ item }}}}'\nfor_each = ['a', 'b', 'c']",
            "cases": f"prompt = 'about {number} {{{{ case.name }}}}: {read}'\ncases = [{{ name = 'a' }}, {{ name = 'b' }}]",
            "reader": f"prompt = 'read {number}: {read}'\nbackend = 'reader'",
            "command": f"argv = ['echo', '{number}']",
        }[kind]
        blocks.append(f"[[steps]]\nname = 's{number}'\ndepends_on = {[f's{it}' for it in needs]}\n{lines}\n")
    return "[budget]\ncalls = 2000\n" + "\n".join(blocks)


def test_a_long_run_that_is_killed_again_and_again_equals_one_that_is_not(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, forest(200, seed=5))
    whole = run(folder, "whole")
    assert whole.passed
    once = Counter(asked(folder))
    choose = random.Random(7)
    in_flight, before = Counter[str](), ""
    for number in range(20):
        name = f"cut{number}"
        # each goes a little further than the one before
        was_killed = killed(folder, name, choose.randrange(1, 25 * (number + 1)), before)
        in_flight += asked_in_vain(record := events(folder, name))
        # a run that has recorded nothing is none to go on from
        before = name if record else before
        if not was_killed:
            break
    result = run(folder, "last", resume=resume_state(folder / f"{before}.jsonl"))
    assert said(result) == said(whole)
    assert Counter(asked(folder)) - once <= in_flight


EDITED = """
[[steps]]
name = "before"
shell = "cat data.txt"
[[steps]]
name = "edit"
depends_on = ["before"]
backend = "editor"
apply_edits = true
prompt = "edit {{ steps.before.output }}"
[[steps]]
name = "check"
depends_on = ["edit"]
shell = "grep new data.txt"
[[steps]]
name = "late"
depends_on = ["check"]
shell = "test -e ../allowed"
"""


def test_a_step_with_edits_explains_the_files_as_it_has_left_them(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, EDITED)
    edits = '{"edits": [{"file": "data.txt", "old": "data", "new": "new"}]}'
    within = killed_world(folder)
    within = replace(within, backends={**within.backends, "editor": Scripted("editor", edits)})
    one = run(folder, "one", within=within)
    assert (one.steps["late"].outcome, one.steps["check"].outcome) == (F, P)
    (folder / "allowed").touch()
    two = run(folder, "two", resume=resume_state(folder / "one.jsonl", "late"), within=within)
    assert two.passed
    assert decisions(two) == {"before": "kept", "edit": "kept", "check": "kept", "late": "again"}
    # somebody takes the edit back: nothing that was said of the files counts any more
    (folder / "project/data.txt").write_text("data\n")
    three = run(folder, "three", resume=resume_state(folder / "two.jsonl"), within=within)
    left = dict.fromkeys(["edit", "check", "late"], "changed")
    assert decisions(three) == {"before": "kept", **left}
    assert three.passed


def test_a_command_that_changed_the_files_itself_runs_again_and_so_do_those_that_ran_beside(
    tmp_path: Path,
) -> None:
    folder = make_folder(
        tmp_path,
        """
        [[steps]]
        name = "fix"
        shell = "echo fixed > data.txt"
        [[steps]]
        name = "check"
        depends_on = ["fix"]
        shell = "grep fixed data.txt"
        [[steps]]
        name = "no"
        depends_on = ["check"]
        shell = "false"
        """,
    )
    run(folder, "one")
    (folder / "project/data.txt").write_text("data\n")
    two = run(folder, "two", resume=resume_state(folder / "one.jsonl"))
    assert decisions(two) == {"fix": "again", "check": "changed", "no": "again"}
    assert two.steps["check"].passed


TWO = """
[[steps]]
name = "gather"
shell = "cat data.txt ../more"
[[steps]]
name = "ask"
prompt = "about {{ steps.gather.output }}"
[[steps]]
name = "no"
depends_on = ["ask"]
shell = "false"
"""


def test_a_question_is_kept_where_the_command_before_it_ran_again_and_said_the_same(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, TWO)
    (folder / "more").write_text("more")
    run(folder, "one")
    assert len(asked(folder)) == 1
    (folder / "project/other.txt").touch()
    two = run(folder, "two", resume=resume_state(folder / "one.jsonl"))
    assert decisions(two) == {"gather": "changed", "ask": "kept", "no": "again"}
    assert two.steps["gather"].resumed is not None
    assert two.steps["gather"].resumed.text == "changed: files of the project"
    assert asked(folder) == []
    (folder / "project/data.txt").write_text("other\n")
    three = run(folder, "three", resume=resume_state(folder / "two.jsonl"))
    assert three.steps["ask"].resumed is not None
    assert three.steps["ask"].resumed.text == "changed: what it reads of other steps"
    assert asked(folder) == ["about other more"]


def test_a_step_that_runs_a_workflow_is_kept_as_a_whole_until_anything_of_that_changes(
    tmp_path: Path,
) -> None:
    inner = '[[steps]]\nname = "deep"\nprompt = "deep"\n[[steps]]\nname = "more"\nprompt = "more"\n'
    after = '[[steps]]\nname = "no"\ndepends_on = ["x"]\nshell = "false"\n'
    folder = make_folder(tmp_path, f'[[steps]]\nname = "x"\nworkflow = "inner"\n{after}', inner=inner)
    one = run(folder, "one")
    assert len(asked(folder)) == 2
    two = run(folder, "two", resume=resume_state(folder / "one.jsonl"))
    assert decisions(two) == {"x": "kept", "no": "again"}
    assert said(two) == said(one)
    (folder / "inner.toml").write_text(inner.replace('prompt = "more"', 'prompt = "yet more"'))
    three = run(folder, "three", resume=resume_state(folder / "two.jsonl"))
    assert (decisions(three)["x"], asked(folder)) == ("changed", ["deep", "yet more"])


def test_an_answer_that_held_a_secret_is_not_kept_for_the_record_lacks_it(tmp_path: Path) -> None:
    folder = make_folder(
        tmp_path,
        """
        [[steps]]
        name = "ask"
        prompt = "the hush-hush-hush"
        [[steps]]
        name = "no"
        shell = "false"
        """,
    )
    within = replace(killed_world(folder), redactor=Redactor({"hush-hush-hush"}))
    run(folder, "one", within=within)
    two = run(folder, "two", resume=resume_state(folder / "one.jsonl"), within=within)
    assert decisions(two) == {"ask": "again", "no": "again"}
    assert len(asked(folder)) == 2


def test_an_answer_that_cannot_be_written_as_it_was_is_not_kept(tmp_path: Path) -> None:
    folder = make_folder(
        tmp_path, "[[steps]]\nname = 'ask'\nprompt = 'say'\n[[steps]]\nname = 'no'\nshell = 'false'\n"
    )
    within = killed_world(folder)
    within = replace(within, backends={**within.backends, "x": Scripted("x", "half a \udc80 pair")})
    run(folder, "one", within=within)
    two = run(folder, "two", resume=resume_state(folder / "one.jsonl"), within=within)
    assert decisions(two)["ask"] == "again"
    assert two.steps["ask"].output == "half a \udc80 pair"


PUSH = """
[[steps]]
name = "push"
effects = true
shell = "echo pushed >> ../pushed; exit $(cat ../code)"
[[steps]]
name = "tell"
shell = "echo {{ steps.push.output }}"
[[steps]]
name = "no"
depends_on = ["push"]
shell = "false"
"""


WITHIN = PUSH.replace(
    'effects = true\nshell = "echo pushed >> ../pushed; exit $(cat ../code)"', 'workflow = "pushing"'
)
PUSHING = PUSH.partition('[[steps]]\nname = "tell"')[0]
LOOPING = WITHIN.replace(
    '"pushing"', """"pushing"\nuntil = "last.output contains 'pushed'"\nmax_rounds = 3"""
)
SAYING = PUSHING.replace("exit", "echo pushed; exit")
PUSHES = pytest.mark.parametrize(
    "files",
    [{"w": PUSH}, {"w": WITHIN, "pushing": PUSHING}, {"w": LOOPING, "pushing": SAYING}],
    ids=["itself", "in a workflow", "in a loop"],
)
"""A step with effects, one that runs a workflow with that step, and one that does so in rounds."""


@PUSHES
def test_effects_that_have_ended_are_kept_whatever_has_changed_until_they_are_asked_for(
    files: dict[str, str], tmp_path: Path
) -> None:
    folder = make_folder(tmp_path, **files)
    (folder / "code").write_text("0")
    run(folder, "one")
    (folder / "project/data.txt").write_text("other\n")
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text.replace("echo pushed", "echo pushed otherwise"))
    two = run(folder, "two", resume=resume_state(folder / "one.jsonl"))
    assert decisions(two) == {"push": "kept", "tell": "changed", "no": "again"}
    assert (folder / "pushed").read_text() == "pushed\n"
    three = run(folder, "three", resume=resume_state(folder / "two.jsonl", "push"))
    assert decisions(three)["push"] == "again"
    assert (folder / "pushed").read_text() == "pushed\npushed otherwise\n"


@PUSHES
def test_effects_that_were_cut_short_are_an_error_that_says_so_until_they_are_asked_for(
    files: dict[str, str], tmp_path: Path
) -> None:
    folder = make_folder(tmp_path, **files)
    (folder / "code").write_text("0")
    run(folder, "whole")
    ends = [isinstance(it, StepFinished) and it.result.name == "push" for it in events(folder, "whole")]
    assert killed(folder, "cut", ends.index(True) + 1)
    before = (folder / "pushed").read_text()
    for name, resumes in (("two", "cut"), ("three", "two")):
        result = run(folder, name, resume=resume_state(folder / f"{resumes}.jsonl"))
        push, tell = result.steps["push"], result.steps["tell"]
        assert (push.outcome, tell.outcome, tell.blocked_by) == (E, S, "push")
        assert "may have done its work outside" in push.reason
        assert push.resumed is None
        assert push.hint.startswith("look whether it is done; `--again push` (pytest: `--lok-again push`)")
    assert (folder / "pushed").read_text() == before
    last = run(folder, "last", resume=resume_state(folder / "three.jsonl", "push"))
    assert last.steps["push"].passed
    assert (folder / "pushed").read_text() == before + "pushed\n"
