"""Every key of a workflow, on every kind of step, for one backend and for several, alone and in ``for_each``:
it has the effect it is there for, or it is refused at load. None is ignored.

The keys are those of the document's models, so a new one fails here until it has its case.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import pytest

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.events import BackendAsked, BackendReplied, StepFinished, StepRetrying, StepStarted
from pytest_lok.core.findings.configuration import ChangedFile, configuration_finding, configuration_step
from pytest_lok.core.results import Json, Outcome, StepResult, Usage
from pytest_lok.core.toml.fields import keys
from pytest_lok.core.workflow.document import BudgetDocument, GateDocument, WorkflowDocument
from pytest_lok.core.workflow.model import Format, Origin, Workflow
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.core.workflow.step_document import StepDocument
from pytest_lok.core.workflow.untrusted import refusals
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import WorkflowError
from tests.engine.worlds import Ran, ran, world

Lines: TypeAlias = Mapping[str, str | None]
"""TOML by key; None takes a key away."""

ASKING, RUNNING, NESTED = ("ask", "asks"), ("shell", "argv"), ("nested",)
DIRECT = (*ASKING, *RUNNING)
KINDS = (*DIRECT, *NESTED)
INNER = """
[args.word]
default = "one"
[[steps]]
name = "deep"
shell = COMMAND
env = { WORD = "{{ arg.word }}" }
"""
TWICE = '["one", "two"]'

P, F, E = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR


@dataclass(frozen=True)
class Seen:
    """One run of the step ``x``, and what it left behind."""

    ran: Ran
    asked: list[tuple[str, Prompt]]
    root: Path
    loop: bool

    @property
    def x(self) -> StepResult:
        return self.ran.result.steps["x"]

    @property
    def outcomes(self) -> set[Outcome]:
        """Of its items, where it has items."""
        return {item.outcome for item in self.x.items} or {self.x.outcome}

    @property
    def outputs(self) -> set[str]:
        return {item.output for item in self.x.items} or {self.x.output}

    @property
    def values(self) -> list[Json]:
        """The parsed outputs."""
        if not self.loop:
            return [self.x.data] if self.x.has_data else []
        assert isinstance(self.x.data, list)
        return [item["json"] for item in self.x.data if isinstance(item, dict) and "json" in item]

    def happened(self, *kinds: type) -> list[str]:
        """The named kinds of events in their order, with their step."""
        found = [event for event in self.ran.events if isinstance(event, kinds)]
        return [f"{event.kind} {getattr(event, 'step', '') or event.result.name}" for event in found]  # type: ignore[union-attr]  # all of them have one


@dataclass(frozen=True, kw_only=True)
class Case:
    """A key that works in ``kinds`` (elsewhere it is refused), its ``effect`` being there with it only.

    ``also`` stands beside it, with and without it; ``other`` instead of it, without it. ``before`` are
    other steps, ``answers`` what each backend says, ``command`` what a command does.
    """

    key: str
    lines: Lines
    effect: Callable[[Seen], bool]
    kinds: tuple[str, ...] = KINDS
    loops: tuple[bool, ...] = (False, True)
    also: Lines = field(default_factory=dict)
    other: Lines = field(default_factory=dict)
    before: str = ""
    answers: str | list[ScriptedReply] | Mapping[str, str | list[ScriptedReply]] = "yes"
    command: str = "echo yes"


FLAKY = "test -e tried || { touch tried; exit 1; }"
ALONE = "mkdir alone && sleep 0.1 && rmdir alone"
EDIT = [
    ScriptedReply(
        regex=r"item (\w+)", reply='{"edits": [{"file": "\\g<1>/conftest.py", "old": "", "new": "x"}]}'
    )
]
PLAIN_EDIT = [
    ScriptedReply(regex=r"item (\w+)", reply='{"edits": [{"file": "\\g<1>.py", "old": "", "new": "x"}]}')
]
VOTES = {"a": '{"v": 1, "why": "a"}', "b": '{"v": 1, "why": "b"}', "c": '{"v": 2}'}


def one_at_a_time(seen: Seen) -> bool:
    if not seen.asked:
        return seen.outcomes == {P}
    happened = seen.happened(BackendAsked, BackendReplied)
    asked = [event.startswith("backend_asked") for event in happened]
    return asked[: len(asked) // 2] == asked[len(asked) // 2 :]


def without_fleet(seen: Seen) -> bool:
    return seen.outcomes == {E} and "runs at a place of a fleet, and none is set" in seen.x.reason


CASES = [
    # what every step may say
    Case(key="name", lines={"name": '"other"'}, effect=lambda s: "other" in s.ran.result.steps),
    Case(
        key="depends_on",
        lines={"depends_on": '["first"]'},
        before='[[steps]]\nname = "first"\nshell = "echo"\n',
        effect=lambda s: (
            s.happened(StepStarted, StepFinished)[1:3] == ["step_finished first", "step_started x"]
        ),
    ),
    Case(key="when", lines={"when": "'1 > 2'"}, effect=lambda s: s.x.outcome is Outcome.SKIPPED),
    Case(key="if", lines={"if": "'1 > 2'"}, effect=lambda s: s.x.outcome is Outcome.SKIPPED),
    Case(
        key="timeout",
        lines={"timeout": "100"},
        answers=[ScriptedReply(reply="late", delay=0.3)],
        command="sleep 0.3",
        effect=lambda s: s.outcomes == {E} and "0.1 s" in s.x.reason,
    ),
    Case(
        key="retries",
        kinds=DIRECT,
        lines={"retries": "1"},
        also={"retry_delay": "1"},
        answers=[ScriptedReply(error="overload", times=1), ScriptedReply(reply="yes")],
        command=FLAKY,
        effect=lambda s: s.outcomes == {P} and bool(s.ran.of(StepRetrying)),
    ),
    Case(
        key="retry_delay",
        kinds=DIRECT,
        lines={"retry_delay": "1"},
        other={"retry_delay": "50"},
        also={"retries": "1"},
        answers=[ScriptedReply(error="overload", times=1), ScriptedReply(reply="yes")],
        command=FLAKY,
        effect=lambda s: all(e.delay <= 0.001 for e in s.ran.of(StepRetrying) if isinstance(e, StepRetrying)),
    ),
    Case(
        key="continue_on_error",
        lines={"continue_on_error": "true"},
        answers=[ScriptedReply(error="auth")],
        command="exit 1",
        effect=lambda s: s.x.outcome is Outcome.SOFT,
    ),
    Case(
        key="min_deps_success",
        lines={"min_deps_success": "1"},
        also={"depends_on": '["good", "bad"]'},
        before='[[steps]]\nname = "good"\nshell = "exit 0"\n[[steps]]\nname = "bad"\nshell = "exit 1"\n',
        effect=lambda s: s.x.outcome is P,
    ),
    Case(key="for_each", lines={"for_each": "[1, 2, 3]"}, effect=lambda s: len(s.x.items) == 3),
    Case(
        key="cases",
        lines={"cases": '[{ name = "one" }, { name = "two" }]'},
        effect=lambda s: {"x[one]", "x[two]"} <= s.ran.outcomes.keys(),
    ),
    Case(
        key="matrix",
        lines={"matrix": "{ a = [1, 2] }"},
        effect=lambda s: {"x[1]", "x[2]"} <= s.ran.outcomes.keys(),
    ),
    Case(
        key="max_parallel",
        lines={"max_parallel": "1"},
        loops=(True,),
        answers=[ScriptedReply(reply="yes", delay=0.05)],
        command=ALONE,
        effect=one_at_a_time,
    ),
    Case(
        key="output_format",
        kinds=DIRECT,
        lines={"output_format": '"json"'},
        answers='Of course: {"a": [1]}',
        command="""echo 'Of course: {"a": [1]}'""",
        effect=lambda s: bool(s.values) and all(value == {"a": [1]} for value in s.values),
    ),
    Case(
        key="output_schema",
        kinds=DIRECT,
        lines={"output_schema": '{ required = ["b"] }'},
        answers='{"a": 1}',
        command="""echo '{"a": 1}'""",
        effect=lambda s: s.outcomes == {E} and "output_schema" in s.x.reason,
    ),
    Case(
        key="tools",
        lines={"tools": '{ ask_bob = "asks bob" }'},
        kinds=("ask",),
        answers='{"answer": "", "ask_bob": ["why?"]}',
        effect=lambda s: bool(s.values) and all(it == {"answer": "", "ask_bob": ["why?"]} for it in s.values),
    ),
    Case(
        key="assert",
        lines={"assert": "[\"output != 'yes'\"]"},
        effect=lambda s: s.outcomes == {F} and "output != 'yes'" in s.x.reason,
    ),
    # what a step that runs a workflow may say
    Case(
        key="workflow",
        lines={"workflow": '"other"'},
        kinds=NESTED,
        effect=lambda s: s.outputs == {"other"},
    ),
    Case(
        key="with",
        lines={"with": '{ word = "two" }'},
        kinds=NESTED,
        command='echo "$WORD"',
        effect=lambda s: s.outputs == {"two"},
    ),
    Case(
        key="until",
        lines={"until": "\"last.output contains '3'\""},
        also={"max_rounds": "5"},
        other={"max_rounds": None},
        kinds=NESTED,
        loops=(False,),
        command="echo x >> rounds; wc -l < rounds",
        effect=lambda s: s.outputs == {"3"},
    ),
    Case(
        key="until",
        lines={"until": '"last.output != item"'},
        also={"max_rounds": "1"},
        other={"max_rounds": None},
        kinds=NESTED,
        loops=(True,),
        effect=lambda s: [run.round for run in s.x.nested] == [1, 1],
    ),
    Case(
        key="max_rounds",
        lines={"max_rounds": "2"},
        other={"max_rounds": "3"},
        also={"until": "\"last.output == 'no'\""},
        kinds=NESTED,
        effect=lambda s: max(run.round or 0 for run in s.x.nested) == 2,
    ),
    Case(
        key="stalled",
        lines={"stalled": "2"},
        also={"until": "\"last.output == 'no'\"", "max_rounds": "3"},
        kinds=NESTED,
        effect=lambda s: "2 rounds in a row" in s.x.reason,
    ),
    # what a step that asks may say
    Case(
        key="prompt",
        lines={"prompt": '"Say yes."'},
        kinds=ASKING,
        effect=lambda s: any(prompt.text == "Say yes." for _, prompt in s.asked),
    ),
    Case(
        key="prompt_file",
        lines={"prompt": None, "prompt_file": '"review.md"'},
        kinds=ASKING,
        effect=lambda s: any(prompt.text == "This is review.md." for _, prompt in s.asked),
    ),
    Case(
        key="system_file",
        lines={"system_file": '"brief.md"'},
        kinds=ASKING,
        effect=lambda s: {prompt.system for _, prompt in s.asked} == {"This is brief.md."},
    ),
    Case(
        key="backend",
        lines={"backend": '"c"', "backends": None},
        kinds=("ask",),
        effect=lambda s: {name for name, _ in s.asked} == {"c"},
    ),
    Case(
        key="backend",
        lines={"backend": '"b, c"', "backends": None},
        kinds=("asks",),
        effect=lambda s: {name for name, _ in s.asked} == {"b", "c"},
    ),
    Case(
        key="backends",
        lines={"backends": '["c"]', "backend": None},
        kinds=("ask",),
        effect=lambda s: {name for name, _ in s.asked} == {"c"},
    ),
    Case(
        key="backends",
        lines={"backends": '["b", "c"]', "backend": None},
        kinds=("asks",),
        effect=lambda s: {name for name, _ in s.asked} == {"b", "c"},
    ),
    Case(
        key="model",
        lines={"model": '"large"'},
        kinds=ASKING,
        effect=lambda s: {prompt.model for _, prompt in s.asked} == {"large"},
    ),
    Case(
        key="system",
        lines={"system": '"Be brief."'},
        kinds=ASKING,
        effect=lambda s: {prompt.system for _, prompt in s.asked} == {"Be brief."},
    ),
    Case(
        key="options",
        lines={"options": "{ seed = 1, a = { seed = 2 } }"},
        kinds=ASKING,
        effect=lambda s: all(prompt.options == {"seed": 2 if name == "a" else 1} for name, prompt in s.asked),
    ),
    Case(
        key="consensus",
        lines={"consensus": '"vote"'},
        kinds=("asks",),
        answers={"a": "no", "b": "yes", "c": " Yes. "},
        effect=lambda s: s.outputs == {"yes"},
    ),
    Case(
        key="quorum",
        lines={"quorum": '"all"'},
        kinds=("asks",),
        answers={"a": "yes", "b": [ScriptedReply(error="auth")], "c": "yes"},
        effect=lambda s: s.outcomes == {E} and "3 needed" in s.x.reason,
    ),
    Case(
        key="vote_on",
        lines={"vote_on": '"v"'},
        also={"consensus": '"vote"'},
        kinds=("asks",),
        answers=VOTES,
        effect=lambda s: s.outputs == {VOTES["a"]},
    ),
    Case(
        key="weights",
        lines={"weights": "{ c = 5 }"},
        also={"consensus": '"weighted_vote"'},
        kinds=("asks",),
        answers={"a": "x", "b": "x", "c": "y"},
        effect=lambda s: s.outputs == {"y"},
    ),
    Case(
        key="synthesizer",
        lines={"synthesizer": '"c"'},
        kinds=("asks",),
        answers={"a": "by a", "b": "by b", "c": "by c"},
        effect=lambda s: s.outputs == {"by c"},
    ),
    Case(
        key="instructions",
        lines={"instructions": '["AGENTS.md"]'},
        kinds=ASKING,
        effect=lambda s: all(
            "File AGENTS.md:\n```\nObey AGENTS.md." in prompt.system for _, prompt in s.asked
        ),
    ),
    Case(
        key="attach",
        lines={"attach": '["given.txt"]'},
        also={"depends_on": '["made"]'},
        before='[[steps]]\nname = "made"\nshell = "echo here > given.txt"\n',
        kinds=ASKING,
        effect=lambda s: all("File given.txt:\n```\nhere\n```" in prompt.text for _, prompt in s.asked),
    ),
    Case(
        key="apply_edits",
        lines={"apply_edits": "true"},
        kinds=ASKING,
        answers=PLAIN_EDIT,
        effect=lambda s: (
            {path.name for path in s.root.glob("*.py")} == ({"one.py", "two.py"} if s.loop else {"one.py"})
        ),
    ),
    Case(
        key="verify",
        lines={"verify": '"echo broken; exit 1"'},
        kinds=ASKING,
        effect=lambda s: s.outcomes == {F} and "verify failed" in s.x.reason,
    ),
    Case(
        key="fix_retries",
        lines={"fix_retries": "1"},
        also={"verify": f'"{FLAKY}"'},
        kinds=ASKING,
        effect=lambda s: (
            s.outcomes == {P} and any("answer was not accepted" in prompt.text for _, prompt in s.asked)
        ),
    ),
    Case(
        key="allow_paths",
        lines={"allow_paths": '["*/conftest.py"]'},
        also={"apply_edits": "true"},
        kinds=ASKING,
        answers=EDIT,
        effect=lambda s: s.outcomes == {P} and (s.root / "one/conftest.py").exists(),
    ),
    Case(
        key="allow_empty",
        lines={"allow_empty": "true"},
        also={"apply_edits": "true"},
        kinds=ASKING,
        answers='{"edits": []}',
        effect=lambda s: s.outcomes == {P},
    ),
    Case(
        key="rollback",
        lines={"rollback": "false"},
        also={"apply_edits": "true", "verify": '"exit 1"'},
        kinds=ASKING,
        answers=PLAIN_EDIT,
        effect=lambda s: s.outcomes == {F} and (s.root / "one.py").exists(),
    ),
    Case(
        key="repeat",
        lines={"repeat": "2"},
        kinds=ASKING,
        effect=lambda s: {prompt.sample for _, prompt in s.asked} == {0, 1},
    ),
    *(
        Case(
            key="pass",
            lines={"pass": "1"},
            also={"repeat": "2", "assert": "[\"output == 'good'\"]", **more},
            kinds=(kind,),
            answers=[ScriptedReply(reply="bad", times=1), ScriptedReply(reply="good")],
            effect=lambda s: s.outcomes == {P},
        )
        for kind, more in (("ask", {}), ("asks", {"consensus": '"first"'}))
    ),
    # what a step that runs a command may say
    Case(key="shell", lines={"shell": '"echo two"'}, kinds=("shell",), effect=lambda s: s.outputs == {"two"}),
    Case(key="argv", lines={"argv": '["echo", "2"]'}, kinds=("argv",), effect=lambda s: s.outputs == {"2"}),
    Case(
        key="stdin",
        lines={"stdin": '"from outside"'},
        kinds=RUNNING,
        command="cat",
        effect=lambda s: s.outputs == {"from outside"},
    ),
    Case(
        key="env",
        lines={"env": '{ GIVEN = "here" }'},
        kinds=RUNNING,
        command='echo "$GIVEN"',
        effect=lambda s: s.outputs == {"here"},
    ),
    Case(
        key="cwd",
        lines={"cwd": '"deep"'},
        kinds=RUNNING,
        command="basename $(pwd)",
        effect=lambda s: s.outputs == {"deep"},
    ),
    Case(
        key="pipefail",
        lines={"pipefail": "true"},
        kinds=("shell",),
        command="false | cat",
        effect=lambda s: s.outcomes == {F},
    ),
    Case(
        key="judges",
        lines={"judges": "false"},
        kinds=("shell", "argv"),
        command="false",
        effect=lambda s: s.outcomes == {E},
    ),
    # a step that waits for a person does nothing else: tests/engine/people
    Case(key="approve", lines={"approve": '"Sure?"'}, kinds=(), effect=bool),
    Case(
        key="effects",
        lines={"effects": "true"},
        kinds=("shell", "argv"),
        effect=lambda s: any(isinstance(it, StepStarted) and it.effects for it in s.ran.events),
    ),
    *(
        Case(key=key, lines={key: value}, kinds=kinds, also=also, effect=without_fleet)
        for key, value in (("on", '"big"'), ("needs", "{cores = 2}"))
        for kinds, also in ((RUNNING, {}), (ASKING, {"verify": '"true"'}))
    ),
    Case(
        key="artifacts",
        lines={"artifacts": '["made*"]'},
        kinds=RUNNING,
        command="touch made",
        effect=lambda s: any(section.title.endswith("artifacts") for section in s.x.sections),
    ),
    Case(
        key="unsafe_shell",
        lines={"unsafe_shell": "true", "shell": '"{{ env.CODE }}"'},
        other={"shell": '"{{ env.CODE }}"'},
        kinds=("shell",),
        effect=lambda s: s.outputs == {"pasted"},
    ),
]


def base(kind: str, case: Case, *, loop: bool) -> dict[str, str | None]:
    """A step that does its work."""
    prompt = json.dumps("Go on with item {{ item }}." if loop else "Go on with item one.")
    lines: dict[str, str | None] = {"name": '"x"'}
    match kind:
        case "ask":
            lines |= {"prompt": prompt, "backend": '"a"'}
        case "asks":
            lines |= {"prompt": prompt, "backends": '["a", "b", "c"]'}
        case "shell":
            lines["shell"] = json.dumps(case.command)
        case "argv":
            lines["argv"] = json.dumps(["sh", "-c", case.command])
        case "nested":
            lines["workflow"] = '"inner"'
    if loop:
        lines["for_each"] = TWICE
    return {**lines, **case.also}


def seen(lines: Lines, case: Case, root: Path, *, loop: bool) -> Seen:
    """The step, run in a directory of its own."""
    (root / "deep").mkdir(parents=True)
    answers = case.answers if isinstance(case.answers, Mapping) else dict.fromkeys("abc", case.answers)
    backends = [Scripted(name, answers[name]) for name in "abc"]
    step = "\n".join(f"{key} = {value}" for key, value in lines.items() if value is not None)
    inner = {
        "inner": INNER.replace("COMMAND", json.dumps(case.command)),
        "other": INNER.replace("COMMAND", '"echo other"'),
    }
    text = f"{case.before}[[steps]]\n{step}\n"
    within = replace(world(root, *backends, env={"CODE": "echo pasted"}), tree_state=_same_files)
    run = ran(text, within, inner=inner)
    asked = [(backend.name, prompt) for backend in backends for prompt in backend.asked]
    return Seen(run, asked, root, loop)


async def _same_files() -> str:
    return "the same"


def test_every_key_has_a_case() -> None:
    assert {case.key for case in CASES} == keys(StepDocument)


@pytest.mark.parametrize("loop", [False, True], ids=["alone", "for_each"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", sorted(keys(StepDocument)))
def test_a_key_works_or_is_refused(key: str, kind: str, loop: bool, tmp_path: Path) -> None:
    cases = [case for case in CASES if case.key == key]
    works = [case for case in cases if kind in case.kinds and loop in case.loops]
    if not works:
        lines = {**base(kind, Case(key="", lines={}, effect=bool), loop=loop), key: cases[0].lines[key]}
        with pytest.raises(WorkflowError, match=f"`{key}`"):
            seen(lines, cases[0], tmp_path / "with", loop=loop)
        return
    (case,) = works
    lines = base(kind, case, loop=loop)
    assert case.effect(seen({**lines, **case.lines}, case, tmp_path / "with", loop=loop))
    try:
        without = seen({**lines, **case.other}, case, tmp_path / "without", loop=loop)
    except WorkflowError:
        return  # what the key permits
    assert not case.effect(without)


FORMATS: dict[Format, tuple[str, Json]] = {
    Format.TEXT: ("[1]", None),
    Format.JSON: ('so: {"a": 1}', {"a": 1}),
    Format.JSON_ARRAY: ("so: [1, 2]", [1, 2]),
    Format.JSONL: ("1\n[2]\n", [1, [2]]),
    Format.LINES: (" a \n\n b", ["a", "b"]),
    Format.FINDINGS: ("[]", []),
}


@pytest.mark.parametrize("loop", [False, True], ids=["alone", "for_each"])
@pytest.mark.parametrize("kind", DIRECT)
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_means_the_same_everywhere(form: Format, kind: str, loop: bool, tmp_path: Path) -> None:
    said, value = FORMATS[form]
    case = Case(key="", lines={}, effect=bool, answers=said, command=f"printf '%s' '{said}'")
    result = seen(
        {**base(kind, case, loop=loop), "output_format": f'"{form}"'}, case, tmp_path / "x", loop=loop
    )
    assert result.outcomes == {P}
    assert result.values == ([] if value is None else [value, value] if loop else [value])


# The keys above the steps

STEPS = """
[[steps]]
name = "ask"
prompt = "?"
backend = "a"
[[steps]]
name = "asks"
prompt = "?"
backends = ["a", "b", "c"]
[[steps]]
name = "shell"
shell = "sh -c 'sleep 0.3'"
[[steps]]
name = "argv"
argv = ["sh", "-c", "sleep 0.3"]
[[steps]]
name = "asking-each"
prompt = "?"
backend = "a"
for_each = [1, 2]
[[steps]]
name = "running-each"
shell = "sh -c 'sleep 0.3'"
for_each = [1, 2]
"""
NAMES = {"ask", "asks", "shell", "argv", "asking-each", "running-each"}


def loaded(text: str, *parents: str) -> Workflow:
    shelf = {
        f"p{number}": SourceText(
            text=parent, path=f"p{number}.toml", stem=f"p{number}", origin=Origin.PROJECT
        )
        for number, parent in enumerate(parents)
    }
    source = SourceText(text=text, path="w.toml", stem="w", origin=Origin.PROJECT)
    return parse_workflow(source, parent=lambda name, _: shelf.get(name))


def outcomes(text: str, root: Path, answer: str | list[ScriptedReply] = "yes") -> dict[str, Outcome]:
    root.mkdir()
    return ran(text, world(root, *(Scripted(name, answer) for name in "abc"))).outcomes


Check: TypeAlias = Callable[[Path], None]


def every_kind_comes_to(
    outcome: Outcome, key: str, without: str, answer: list[ScriptedReply], command: str
) -> Check:
    """With the key every kind of step comes to that, without it none."""

    def check(tmp_path: Path) -> None:
        steps = STEPS.replace("sleep 0.3", command)
        assert outcomes(f"{key}\n{steps}", tmp_path / "with", answer) == dict.fromkeys(NAMES, outcome)
        assert outcome not in outcomes(f"{without}\n{steps}", tmp_path / "without", answer).values()

    return check


def name_is_the_title(tmp_path: Path) -> None:
    step = '[[steps]]\nname = "x"\nargv = ["echo", "{{ workflow.name }}"]\n'
    assert ran(f'name = "Title"\n{step}', world(tmp_path)).result.steps["x"].output == "Title"
    assert ran(step, world(tmp_path)).result.steps["x"].output == "w"


def is_kept(key: str, value: str, meaning: object) -> Check:
    """What a workflow holds of it; the plugin's and the command line's tests show its effect."""

    def check(tmp_path: Path) -> None:
        assert getattr(loaded(f"{key} = {value}\n{STEPS}"), key) == meaning
        assert getattr(loaded(STEPS), key) != meaning

    return check


def extends_takes_steps_over(tmp_path: Path) -> None:
    own = '[[steps]]\nname = "x"\nshell = "true"\n'
    assert {step.name for step in loaded(f'extends = "p0"\n{own}', STEPS).steps} == {*NAMES, "x"}
    assert {step.name for step in loaded(own, STEPS).steps} == {"x"}


def max_parallel_limits_steps(tmp_path: Path) -> None:
    steps = [f"[[steps]]\nname = '{name}'\nshell = '{ALONE}'\n" for name in ("x", "y")]
    steps.append(f"[[steps]]\nname = 'z'\nargv = ['sh', '-c', '{ALONE}']\n")
    text = "\n".join(steps)
    assert set(outcomes(f"max_parallel = 1\n{text}", tmp_path / "with").values()) == {P}
    assert F in outcomes(text, tmp_path / "without").values()


def exclusive_keeps_others_out(tmp_path: Path) -> None:
    here = world(tmp_path)
    other = here.workspace.run_lock(alone=True)
    assert loaded(STEPS).exclusive is False
    assert loaded(f"exclusive = true\n{STEPS}").exclusive is True
    assert other.try_acquire(), "tests/engine/test_run_lock.py shows the rest"
    other.release()


def args_are_declared(tmp_path: Path) -> None:
    step = "[[steps]]\nname = 'x'\nargv = ['echo', '{{ arg.who }}']\n"
    declared = f"[args.who]\ndefault = 'me'\n{step}"
    assert ran(declared, world(tmp_path)).result.steps["x"].output == "me"
    assert ran(declared, world(tmp_path), who="you").result.steps["x"].output == "you"
    with pytest.raises(WorkflowError):
        loaded(step)


FINDING = {
    "rule_id": "style", "title": "a title", "message": "a message", "severity": "high", "confidence": 1,
    "path": "found.json", "line": 1, "evidence": "rule_id",
}  # fmt: skip
REPORTING = STEPS.replace("\nname", '\noutput_format = "findings"\nname').replace(
    "sleep 0.3", "cat found.json"
)


def reviewed(above: str, root: Path) -> dict[str, StepResult]:
    """Every kind of step reports one finding, which is really there; what came of each."""
    root.mkdir()
    said = json.dumps([FINDING])
    (root / "found.json").write_text(said)
    backends = [Scripted(name, said) for name in "abc"]
    return dict(ran(f"{above}\n{REPORTING}", world(root, *backends)).result.steps)


def gate_judges_findings(tmp_path: Path) -> None:
    """Each of its keys, on every kind of step that may report."""
    assert {name: step.outcome for name, step in reviewed("", tmp_path / "without").items()} == dict.fromkeys(
        NAMES, P
    )
    for number, (keys_, outcome) in enumerate(GATE):
        steps = reviewed(f"[gate]\n{keys_}", tmp_path / str(number))
        assert {name: step.outcome for name, step in steps.items()} == dict.fromkeys(NAMES, outcome), keys_
    with pytest.raises(WorkflowError, match="no step reports any"):
        loaded(f"[gate]\nfail_on = 'low'\n{STEPS}")


GATE = [
    ("", F),
    ("fail_on = 'critical'", P),
    ("fail_on = 'never'", P),
    ("min_confidence = 1", F),
    ("scope = 'diff'", E),  # there is no repository
    ("scope = 'file'", E),
    ("baseline = 'new'", E),
    ("quorum = 'all'", F),
    ("min_backends = 1", F),
    ("evidence = 'warn'", F),
    ("evidence = 'report'", F),
    ("since = 'reviewed'", F),
    ("scope = 'diff'\non_inconclusive = 'warn'", Outcome.SOFT),
]


def rules_are_a_closed_list(tmp_path: Path) -> None:
    for number, (above, rule, severity) in enumerate(
        [
            ("", "style", "high"),
            ("[rules]\nstyle = 'low'", "style", "medium"),
            ("[rules]\nother = 'low'", "lok/other", "high"),
        ]
    ):
        for step in reviewed(above, tmp_path / str(number)).values():
            assert step.findings
            assert {(found.rule_id, found.severity) for found in step.findings} == {(rule, severity)}
    with pytest.raises(WorkflowError, match="no step reports any"):
        loaded(f"[rules]\nstyle = 'low'\n{STEPS}")


def budget_is_held(tmp_path: Path) -> None:
    """Each of its keys, on every kind of step that asks, once it is spent."""
    answer = [
        ScriptedReply(reply="yes", usage=Usage(calls=1, input_tokens=10, output_tokens=10, cost_usd=0.5))
    ]
    late = [ScriptedReply(reply="yes", delay=600)]
    first = "[[steps]]\nname = 'first'\nprompt = '?'\nbackend = 'a'\n"
    for kind in ("ask", "asks", "asking-each"):
        (step,) = (step for step in STEPS.split("[[steps]]") if f'name = "{kind}"' in step)
        text = f"{first}[[steps]]{step}depends_on = ['first']\n"
        assert outcomes(text, tmp_path / kind, answer) == {"first": P, kind: P}
        for key, value in BUDGET.items():
            # no call is given more time than is left, so the first step ends it
            said, first_is = (late, E) if key == "time" else (answer, P)
            found = outcomes(f"[budget]\n{key} = {value}\n{text}", tmp_path / f"{kind}-{key}", said)
            assert found == {"first": first_is, kind: E if first_is is P else Outcome.SKIPPED}


def outputs_are_handed_on(tmp_path: Path) -> None:
    """Each by its name, with its kind; without them what the last step said."""
    outer = '[[steps]]\nname = "x"\nworkflow = "inner"\n'
    step = "[[steps]]\nname = 'deep'\nshell = 'echo [3]'\noutput_format = 'json'\n"
    named = "[outputs]\nfirst = '{{ steps.deep.output[0] }}'\nsaid = 'it is {{ steps.deep.output }}'\n"
    for inner, data in ((step, None), (named + step, {"first": 3, "said": "it is [3]"})):
        x = ran(outer, world(tmp_path), inner={"inner": inner}).result.steps["x"]
        assert (x.outcome, x.data) == (P, data)
        assert x.output == ("[3]" if data is None else json.dumps(data))


BUDGET = {"usd": "0.5", "tokens": "20", "calls": "1", "time": "100"}


def untrusted_changes_are_judged(tmp_path: Path) -> None:
    """Its keys, on every kind of step: a program must be named, and configuration blocks or is told."""
    del tmp_path
    steps = STEPS.replace("cat ", "head ")
    commands = loaded(f"[untrusted]\nprograms = []\n{steps}")
    programs = {it.message.partition(" runs ")[2].partition(",")[0] for it in refusals(commands)}
    named = loaded(f"[untrusted]\nprograms = {sorted(programs)}\n{steps}")
    assert (bool(programs), refusals(named)) == (True, ())
    file = ChangedFile(path="conftest.py", mode_after="100644", after=b"x")
    finding = configuration_finding(file, "pytest reads it")
    for said, outcome in (("block", F), ("report", Outcome.SKIPPED)):
        workflow = loaded(f"[untrusted]\nconfiguration = '{said}'\n{STEPS}")
        assert configuration_step(workflow, [finding])[1].outcome is outcome


TOP: dict[str, Check] = {
    "name": name_is_the_title,
    "description": is_kept("description", '"What it does"', "What it does"),
    "extends": extends_takes_steps_over,
    "timeout": every_kind_comes_to(
        E, "timeout = 100", "", [ScriptedReply(reply="late", delay=0.3)], "sleep 0.3"
    ),
    "continue_on_error": every_kind_comes_to(
        Outcome.SOFT, "continue_on_error = true", "", [ScriptedReply(error="auth")], "false"
    ),
    "collect": is_kept("collect", "false", False),
    "allow_skip": is_kept("allow_skip", "true", True),
    "tags": is_kept("tags", '["slow"]', ("slow",)),
    "max_parallel": max_parallel_limits_steps,
    "exclusive": exclusive_keeps_others_out,
    "args": args_are_declared,
    "gate": gate_judges_findings,
    "rules": rules_are_a_closed_list,
    "budget": budget_is_held,
    "outputs": outputs_are_handed_on,
    "untrusted": untrusted_changes_are_judged,
    "steps": lambda tmp_path: None,  # every test here
}


def test_every_key_above_the_steps_has_a_case() -> None:
    assert TOP.keys() == keys(WorkflowDocument)
    assert BUDGET.keys() == keys(BudgetDocument)
    assert {line.split(" = ")[0] for lines, _ in GATE for line in lines.split("\n")} == {
        "",
        *keys(GateDocument),
    }


@pytest.mark.parametrize("key", TOP)
def test_a_key_above_the_steps_works(key: str, tmp_path: Path) -> None:
    TOP[key](tmp_path)
