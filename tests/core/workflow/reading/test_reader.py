"""Workflow files, good and broken: what they mean, and every mistake with its place and a hint."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path

import pytest

from pytest_lok.core.workflow.model import Ask, Format, Origin, Shell, Step, Strategy, Workflow
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.errors import Problem, WorkflowError
from tests.engine.worlds import workflow

BROKEN = Path(__file__).parent / "broken"
EXPECTED = re.compile(r"^#! (\d+):(\d+) (.*?) //(?: (.*))?$", re.MULTILINE)


def source(text: str, *, stem: str = "wf", origin: Origin = Origin.PROJECT) -> SourceText:
    return SourceText(text=text, path=f"{stem}.toml", stem=stem, origin=origin)


def parse(text: str, **parents: str) -> Workflow:
    return parse_workflow(
        source(text),
        parent=lambda name, child: source(parents[name], stem=name) if name in parents else None,
        backends=["claude", "codex", "gemini"],
    )


def problems(text: str, **parents: str) -> list[Problem]:
    with pytest.raises(WorkflowError) as caught:
        parse(text, **parents)
    return list(caught.value.problems)


def shelf(name: str, child: SourceText) -> SourceText | None:
    """A file that a broken one names: in ``parents/`` or ``inner/``, or a broken file."""
    for path in (
        BROKEN / "parents" / f"{name}.toml",
        BROKEN / "inner" / f"{name}.toml",
        BROKEN / f"{name}.toml",
    ):
        if path.exists():
            shown = str(path.relative_to(BROKEN))
            return SourceText(text=path.read_text(), path=shown, stem=name, origin=Origin.PROJECT)
    return None


def expectations(path: str) -> list[tuple[str, str, str]]:
    """``#! line:column message // hint`` lines at the top of a broken file."""
    lines = EXPECTED.findall((BROKEN / path).read_text())
    return [(f"{path}:{line}:{column}", message, hint) for line, column, message, hint in lines]


@pytest.mark.parametrize("path", sorted(BROKEN.glob("*.toml")), ids=lambda path: path.stem)
def test_a_broken_file_says_where_what_and_what_to_do(path: Path) -> None:
    broken = shelf(path.stem, source(""))
    assert broken is not None
    with pytest.raises(WorkflowError) as caught:
        parse_workflow(broken, parent=shelf, inner=shelf, backends=["claude", "codex", "gemini", "a", "b"])
    found = caught.value.problems
    expected = [
        line for file in dict.fromkeys([path.name, *(p.path for p in found)]) for line in expectations(file)
    ]
    assert [f"{p.path}:{p.line}:{p.column}" for p in found] == [place for place, _, _ in expected], str(
        caught.value
    )
    for problem, (_, message, hint) in zip(found, expected, strict=True):
        assert message in problem.message
        assert hint in problem.hint
        assert bool(hint) == bool(problem.hint)
        assert problem.excerpt in (BROKEN / problem.path).read_text().split("\n")


def step(text: str) -> Step:
    """The last step of a workflow in which `scan` and `list` come first."""
    before = """
        [[steps]]
        name = "scan"
        shell = "git diff"
        [[steps]]
        name = "list"
        shell = "ls"
        [[steps]]
        name = "it"
    """
    return parse(f"{before}\n{text}").steps[-1]


def ask(text: str) -> Ask:
    action = step(f'prompt = "x"\n{text}').action
    assert isinstance(action, Ask)
    return action


def test_a_step_that_says_nothing_has_the_language_s_defaults() -> None:
    workflow = parse('[[steps]]\nname = "review"\nprompt = "x"')
    assert (workflow.stem, workflow.name, workflow.path, workflow.origin) == (
        "wf",
        "wf",
        "wf.toml",
        "project",
    )
    assert (workflow.collect, workflow.exclusive, workflow.timeout, workflow.tags) == (True, False, None, ())
    (only,) = workflow.steps
    assert (only.name, only.needs, only.when, only.for_each, only.asserts) == ("review", (), None, None, ())
    assert (only.timeout, only.retries, only.retry_delay, only.continue_on_error) == (None, 0, 1.0, False)
    assert (only.output_format, only.path, only.line) == (Format.TEXT, "wf.toml", 1)
    assert isinstance(only.action, Ask)
    assert (only.action.backends, only.action.consensus, only.action.quorum) == ((), Strategy.SYNTHESIS, None)
    assert (only.action.verify, only.action.verify_preset, only.action.rollback) == (None, "", True)


def test_the_file_s_own_lines_are_the_steps_lines() -> None:
    text = 'name = "x"\r\n\r\n[[steps]]\r\nname = "a"\r\nshell = "true"\r\n# and\r\n[[steps]]\r\nname = "b"\r\nshell = "true"\r\n'
    assert [(one.name, one.line) for one in parse(text).steps] == [("a", 3), ("b", 7)]


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert parse('\ufeff[[steps]]\nname = "a"\nshell = "true"').steps[0].line == 1


def test_references_are_dependencies_after_the_declared_ones() -> None:
    it = step("""
        depends_on = ["list"]
        when = "steps.scan.output contains 'x'"
        shell = "echo"
        env = { A = "{{ steps.list.output }}" }
    """)
    assert (it.depends_on, it.needs) == (("list",), ("list", "scan"))


def test_a_dependency_declared_twice_is_one() -> None:
    it = step('prompt = "x"\ndepends_on = ["scan", "scan"]\nmin_deps_success = 1')
    assert (it.depends_on, it.needs) == (("scan",), ("scan",))
    with pytest.raises(WorkflowError, match="`min_deps_success` is 2, but `depends_on` names 1"):
        step('prompt = "x"\ndepends_on = ["scan", "scan"]\nmin_deps_success = 2')


@pytest.mark.parametrize(
    "where",
    [
        'prompt = "{{ steps.scan.output }}"',
        'prompt = "x"\nsystem = "{{ steps.scan.output }}"',
        'prompt = "x"\nverify = "test {{ steps.scan.output }}"',
        'shell = "echo {{ steps.scan.output }}"',
        'argv = ["echo", "{{ steps.scan.output }}"]',
        'shell = "true"\nstdin = "{{ steps.scan.output }}"',
        'shell = "true"\nenv.A = "{{ steps.scan.output }}"',
        'shell = "true"\ncwd = "{{ steps.scan.output }}"',
        'shell = "true"\nwhen = "steps.scan.passed"',
        'shell = "true"\nif = "steps.scan.passed"',
        'shell = "true"\nassert = ["output == steps.scan.output"]',
        'shell = "true"\nfor_each = "steps.scan.output"',
    ],
)
def test_every_text_may_refer_to_a_step(where: str) -> None:
    assert step(where).needs == ("scan",)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("100", 0.1),
        ("90000", 90),
        ('"90s"', 90),
        ('"5m"', 300),
        ('"1h30m"', 5400),
        ('"500ms"', 0.5),
        ("0", math.inf),
        ('"0s"', math.inf),
    ],
)
def test_timeouts_are_milliseconds_or_durations(written: str, seconds: float) -> None:
    assert step(f'prompt = "x"\ntimeout = {written}').timeout == seconds
    assert parse(f'timeout = {written}\n[[steps]]\nname = "a"\nshell = "true"').timeout == seconds


def test_a_retry_delay_is_milliseconds() -> None:
    assert step('prompt = "x"\nretries = 3\nretry_delay = 250').retry_delay == 0.25


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ('backend = "claude"', ("claude",)),
        ('backend = " claude ,codex "', ("claude", "codex")),
        ('backends = ["claude", "codex"]', ("claude", "codex")),
        ('backends = "claude,codex"', ("claude", "codex")),
        ('backend = ["claude"]', ("claude",)),
        ('backend = "auto"', ("auto",)),
        ('backend = ""', ()),
        ("backends = []", ()),
        ("", ()),
    ],
)
def test_backends_are_named_in_any_of_lok_s_ways(written: str, names: tuple[str, ...]) -> None:
    assert ask(written).backends == names


def test_consensus_of_several_backends() -> None:
    action = ask("""
        backends = ["claude", "codex", "gemini"]
        consensus = "weighted_vote"
        quorum = "majority"
        vote_on = "verdict"
        weights = { claude = 2, codex = 1.5 }
    """)
    assert (action.consensus, action.quorum, action.vote_on) == (
        Strategy.WEIGHTED_VOTE,
        "majority",
        "verdict",
    )
    assert action.weights == {"claude": 2.0, "codex": 1.5}
    assert ask('backend = "claude,codex"\nsynthesizer = "gemini"').synthesizer == "gemini"


@pytest.mark.parametrize(
    ("written", "preset"),
    [
        ('"true"', "true"),
        ("true", "true"),
        ('"false"', ""),
        ("false", ""),
        ('""', ""),
        ('"python"', "python"),
        ('"node"', "node"),
    ],
)
def test_verify_knows_presets(written: str, preset: str) -> None:
    action = ask(f"verify = {written}")
    assert (action.verify, action.verify_preset) == (None, preset)


def test_verify_is_a_command_otherwise() -> None:
    action = ask('verify = "make test"')
    assert action.verify is not None
    assert (action.verify.source, action.verify_preset) == ("make test", "")


def test_items_are_written_inline_or_come_from_a_step() -> None:
    for written in ('["a", { b = 1 }]', """\'["a", {"b": 1}]\'"""):
        each = step(f'prompt = "{{{{ item }}}}"\nfor_each = {written}').for_each
        assert each is not None
        assert (each.inline, each.expression) == (("a", {"b": 1}), None)
    each = step('prompt = "{{ item.name }}: {{ index }}"\nfor_each = "steps.list.output"').for_each
    assert each is not None
    assert each.expression is not None
    assert each.expression.source == "steps.list.output"


def test_a_shell_step_in_all_its_parts() -> None:
    action = step('argv = ["tee", "out"]\nstdin = "text"\nenv = { A = "1" }\ncwd = "src"').action
    assert isinstance(action, Shell)
    assert [word.source for word in action.argv] == ["tee", "out"]
    assert action.stdin is not None
    assert action.cwd is not None
    assert (action.shell, action.stdin.source, action.cwd.source) == (None, "text", "src")
    assert action.env["A"].source == "1"


def test_lok_s_empty_defaults_say_nothing() -> None:
    assert isinstance(step('shell = "true"\nprompt = ""\nbackend = ""').action, Shell)


def test_a_schema_makes_json_the_format() -> None:
    assert step('prompt = "x"\noutput_schema = { type = "object" }').output_format is Format.JSON
    it = step('prompt = "x"\noutput_schema = { type = "array" }\noutput_format = "json_array"')
    assert (it.output_format, it.output_schema) == (Format.JSON_ARRAY, {"type": "array"})


def test_a_schema_may_stand_in_a_file_beside_the_workflow() -> None:
    text = '[[steps]]\nname = "a"\nprompt = "x"\noutput_schema = "answer.json"'

    def read(path: str, beside: SourceText) -> str:
        assert (path, beside.path) == ("answer.json", "wf.toml")
        return contents

    def outcome() -> str:
        try:
            workflow = parse_workflow(source(text), parent=lambda *_: None, read=read)
        except WorkflowError as error:
            return error.problems[0].message
        return str(workflow.steps[0].output_schema)

    contents = '{"type": "object"}'
    assert outcome() == "{'type': 'object'}"
    contents = "[]"
    assert outcome() == "the schema 'answer.json' is no JSON object"
    contents = "{"
    assert outcome().startswith("cannot read the schema 'answer.json': ")
    contents = '{"properties": {"a": {"type": 3}}}'
    assert re.fullmatch(r"this is not JSON Schema: 3 .* \(at properties/a/type\)", outcome())


def test_references_inside_a_schema_are_followed() -> None:
    it = step("""
        prompt = "x"
        [steps.output_schema]
        properties = { a = { "$ref" = "#/$defs/name" } }
        "$defs" = { name = { type = "string" } }
    """)
    assert it.output_schema is not None


def test_what_says_the_default_needs_no_support() -> None:
    action = ask("apply_edits = false\nfix_retries = 0\nallow_paths = []\nrepeat = 1")
    assert (action.apply_edits, action.fix_retries, action.allow_paths, action.repeat) == (False, 0, (), 1)


PARENT = """
name = "Base"
description = "from the parent"
continue_on_error = true
timeout = "10s"
tags = ["slow"]
collect = false

[args.focus]
default = "all"
[args.depth]
default = 1

[[steps]]
name = "one"
shell = "true"

[[steps]]
name = "two"
shell = "echo {{ steps.one.output }} {{ arg.depth }}"
continue_on_error = false

[[steps]]
name = "three"
shell = "true"
"""


def test_a_child_replaces_steps_in_place_and_appends_new_ones() -> None:
    child = 'extends = "base"\n[[steps]]\nname = "four"\nshell = "true"\n[[steps]]\nname = "two"\nprompt = "{{ steps.three.output }}"'
    workflow = parse(child, base=PARENT)
    assert [one.name for one in workflow.steps] == ["one", "two", "three", "four"]
    assert [(one.path, one.line) for one in workflow.steps] == [
        ("base.toml", 14), ("wf.toml", 5), ("base.toml", 23), ("wf.toml", 2),
    ]  # fmt: skip
    assert isinstance(workflow.step("two").action, Ask)
    assert workflow.step("two").needs == ("three",)


def test_a_child_s_keys_win_over_its_parent_s() -> None:
    plain = parse('extends = "base"', base=PARENT)
    assert (plain.name, plain.description, plain.timeout) == ("wf", "from the parent", 10.0)
    assert (plain.tags, plain.collect, sorted(plain.args)) == (("slow",), False, ["depth", "focus"])
    own = 'extends = "base"\ndescription = "mine"\ntimeout = 0\ntags = []\ncollect = true\n[args.focus]\ndefault = "db"'
    child = parse(own, base=PARENT)
    assert (child.description, child.timeout, child.tags, child.collect) == ("mine", math.inf, (), True)
    assert (child.args["focus"].default, child.args["depth"].default) == ("db", "1")


def test_a_child_can_turn_continue_on_error_off() -> None:
    soft = {one.name: one.continue_on_error for one in parse('extends = "base"', base=PARENT).steps}
    assert soft == {"one": True, "two": False, "three": True}
    hard = parse('extends = "base"\ncontinue_on_error = false', base=PARENT).steps
    assert not any(one.continue_on_error for one in hard)


def test_a_chain_of_parents() -> None:
    middle = 'extends = "base"\n[[steps]]\nname = "one"\nshell = "middle"'
    workflow = parse(
        'extends = "middle"\n[[steps]]\nname = "five"\nshell = "true"', base=PARENT, middle=middle
    )
    assert [(one.name, one.path) for one in workflow.steps] == [
        ("one", "middle.toml"), ("two", "base.toml"), ("three", "base.toml"), ("five", "wf.toml"),
    ]  # fmt: skip


def test_a_workflow_extends_the_one_it_shadows() -> None:
    builtin = SourceText(text=PARENT, path="builtin/audit.toml", stem="audit", origin=Origin.BUILTIN)
    asked: list[tuple[str, str]] = []

    def parent(name: str, child: SourceText) -> SourceText:
        asked.append((name, child.path))
        return builtin

    workflow = parse_workflow(source('extends = "audit"', stem="audit"), parent=parent)
    assert len(workflow.steps) == 3
    assert asked == [("audit", "audit.toml")]


def test_a_parent_that_is_not_toml_is_reported_in_its_own_file() -> None:
    found = problems(
        'extends = "base"\n[[steps]]\nname = "a"\nprompt = "{{ steps.elsewhere.output }}"\nretries = -1',
        base="name = x",
    )
    assert [(p.path, p.line) for p in found] == [("wf.toml", 5), ("base.toml", 1)]


def test_the_digest_covers_the_parents() -> None:
    text = '[[steps]]\nname = "a"\nshell = "true"'
    assert parse(text).sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert (
        parse('extends = "base"', base=PARENT).sha256 != parse('extends = "base"', base=PARENT + "#").sha256
    )


@pytest.mark.parametrize(
    ("text", "collect"),
    [
        ("", True),
        ("collect = false", False),
        ("[args.focus]\nrequired = true", False),
        ("[args.focus]\nrequired = true\n[args.other]\ndefault = 'x'", False),
        ("collect = true\n[args.focus]\nrequired = true", True),
        ("[args.focus]\ndefault = 'all'", True),
        ("[args.focus]\ndescription = 'optional'", True),
    ],
)
def test_what_needs_an_argument_is_not_collected(text: str, collect: bool) -> None:
    assert parse(f'steps = [{{ name = "a", prompt = "x" }}]\n{text}').collect is collect


@pytest.mark.parametrize(
    ("prompt", "collect"),
    [
        ("{{ arg.1 }}", False),
        ("{{ arg.1 | default('HEAD') }}", True),
        ("{{ arg.focus }}", True),
        ("{{ arg.2 }}", True),
        ("{{ arg.depth }}", False),
        ("{{ arg.depth | default('3') }}", True),
    ],
)
def test_what_reads_an_argument_nobody_gives_is_not_collected(prompt: str, collect: bool) -> None:
    args = "[args.focus]\ndefault = 'all'\nposition = 2\n[args.depth]\n"
    assert parse(f'{args}[[steps]]\nname = "a"\nprompt = "{prompt}"').collect is collect


@pytest.mark.parametrize(
    ("step", "positional_count"),
    [
        ('prompt = "x"', 0),
        ('prompt = "{{ arg.1 }}"', 1),
        ('prompt = "{{ arg[2] }}{{ arg.1 }}"', 2),
        ("prompt = \"{{ arg.3 | default('x') }}\"", 3),
        ('prompt = "{% if arg.4 is defined %}x{% endif %}"', 4),
        ('shell = "echo {{ arg.2 }}"', 2),
        ('argv = ["echo", "{{ arg.2 }}"]', 2),
        ('shell = "cat"\nwhen = "arg.2 == \'x\'"', 2),
        ('prompt = "x"\nsystem = "{{ arg.2 }}"\nassert = ["arg.3 | default(\'x\') != output"]', 3),
        ('shell = "true"\nenv = { A = "{{ arg.2 }}" }', 2),
        ('prompt = "x"\n[args.range]\nposition = 2', 2),
    ],
)
def test_a_workflow_knows_how_many_positional_values_it_has_a_use_for(
    step: str, positional_count: int
) -> None:
    assert parse(f'[[steps]]\nname = "a"\n{step}').positional_count == positional_count


def test_a_child_has_a_use_for_what_its_parents_steps_read() -> None:
    parent = '[[steps]]\nname = "a"\nprompt = "{{ arg.2 }}"'
    assert (
        parse('extends = "p"\n[[steps]]\nname = "b"\nprompt = "{{ arg.1 }}"', p=parent).positional_count == 2
    )


@pytest.mark.parametrize("origin", [Origin.USER, Origin.BUILTIN, Origin.PATH])
def test_only_the_project_s_own_workflows_are_collected(origin: Origin) -> None:
    text = '[[steps]]\nname = "a"\nshell = "true"'
    assert not parse_workflow(source(text, origin=origin), parent=lambda *_: None).collect


def test_arguments_are_text() -> None:
    arguments = parse("""
        steps = [{ name = "a", prompt = "x" }]
        [args.focus]
        description = "what to look at"
        position = 1
        choices = ["auth", "db"]
        required = true
        [args.depth]
        default = 3
        [args.unstaged]
        default = false
    """).args
    focus = arguments["focus"]
    assert (focus.description, focus.position, focus.required) == ("what to look at", 1, True)
    assert (focus.choices, focus.default) == (("auth", "db"), None)
    assert arguments["depth"].default == "3"
    assert (arguments["unstaged"].default, arguments["unstaged"].choices) == ("false", ("true", "false"))


def test_backends_are_checked_only_where_they_are_known() -> None:
    text = '[[steps]]\nname = "a"\nprompt = "x"\nbackend = "anything"'
    workflow = parse_workflow(source(text), parent=lambda *_: None)
    assert isinstance(workflow.steps[0].action, Ask)
    with pytest.raises(WorkflowError, match="there is no backend `anything`"):
        parse_workflow(source(text), parent=lambda *_: None, backends=[])


def test_a_long_chain_of_steps_is_no_matter() -> None:
    steps = [
        f'[[steps]]\nname = "s{n}"\nshell = "true"\n' + (f'depends_on = ["s{n - 1}"]\n' if n else "")
        for n in range(3000)
    ]
    assert len(parse("".join(steps)).steps) == 3000


def test_two_cycles_are_two_problems() -> None:
    text = "".join(
        f'[[steps]]\nname = "{name}"\nshell = "true"\ndepends_on = ["{other}"]\n'
        for name, other in ("ab", "ba", "cd", "de", "ec")
    )
    assert [(p.line, p.message.rpartition(": ")[2]) for p in problems(text)] == [
        (4, "a -> b -> a"),
        (12, "c -> d -> e -> c"),
    ]


@pytest.mark.parametrize("text", ["", "\n \r\n", "\ufeff"])
def test_an_empty_file_says_so(text: str) -> None:
    (problem,) = problems(text)
    assert (problem.message, problem.line) == ("the file is empty", 1)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("name = 'a\0b'", (1, 10), "invalid character"),
        ("a = " + "9" * 5000, (1, 1), "limit"),
        ("a = " + "[" * 2000, (1, 1), "nested too deeply"),
    ],
)
def test_hostile_text_is_a_problem_like_any_other(text: str, place: tuple[int, int], message: str) -> None:
    (problem,) = problems(text)
    assert message in problem.message
    assert (problem.line, problem.column) == place


@pytest.mark.parametrize("items", ["[" * 9999, "[" + "9" * 5000 + "]"])
def test_hostile_json_is_a_problem_like_any_other(items: str) -> None:
    (problem,) = problems(f"[[steps]]\nname = 'a'\nprompt = 'x'\nfor_each = '{items}'")
    assert problem.message.startswith("this is not a JSON array: ")
    assert len(str(problem)) < 600


def test_impossible_numbers_do_not_overflow() -> None:
    (problem,) = problems(f"[[steps]]\nname = 'a'\nprompt = 'x'\nretry_delay = {'9' * 400}")
    assert problem.message == "`retry_delay` must be at most 31536000000"


def test_values_nested_without_end_are_problems_like_any_other() -> None:
    text = f"steps = [{{ name = 'a', prompt = 'x', for_each = {'[' * 300}{']' * 300} }}]"
    assert "nested too deeply" in problems(text)[0].message
    text = f"steps = [{{ name = 'a', prompt = 'x', output_schema = {'{not=' * 200}{{}}{'}' * 200} }}]"
    assert "nested too deeply" in problems(text)[0].message


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [(b"name = '\xff'", 1, 9), ("name = 'é'\n# ü\xff".encode()[:-1], 2, 4), (b"\xff\xfea\0", 1, 1)],
)
def test_bytes_that_are_not_utf8_are_located(data: bytes, line: int, column: int) -> None:
    with pytest.raises(WorkflowError) as caught:
        SourceText.decode(data, path="x.toml", stem="x", origin=Origin.PROJECT)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line, problem.column) == ("x.toml", line, column)
    assert problem.hint == "save it as UTF-8"
    assert SourceText.decode("é".encode(), path="x", stem="x", origin=Origin.USER).text == "é"


def test_a_fault_in_a_text_shows_its_own_line() -> None:
    text = '[[steps]]\nname = "a"\nprompt = """\nfirst\n  see \\"{{ steps.missing.output }}\\" there\n"""'
    (problem,) = problems(text)
    assert (problem.line, problem.excerpt) == (5, '  see \\"{{ steps.missing.output }}\\" there')
    assert problem.excerpt[problem.column - 1 :].startswith(("steps.missing", "missing"))
    assert str(problem).splitlines()[0].startswith("wf.toml:5:")


@pytest.mark.parametrize("declared", ["default = false", 'default = "true"', 'choices = ["true", "false"]'])
@pytest.mark.parametrize(
    "text",
    [
        'when = "arg.deploy"',
        'when = "not arg.deploy"',
        'when = "arg.deploy and steps.x.passed"',
        "when = \"('a' if arg.deploy else '') == 'a'\"",
        'prompt = "{% if arg.deploy %}x{% endif %}"',
    ],
)
def test_a_switch_by_itself_is_no_condition(declared: str, text: str) -> None:
    prompt = "" if text.startswith("prompt") else 'prompt = "x"'
    (problem,) = problems(f"""
        [args.deploy]
        {declared}
        [[steps]]
        name = "x"
        shell = "true"
        [[steps]]
        name = "a"
        {prompt}
        {text}
    """)
    assert problem.message == "`arg.deploy` is text, and the text 'false' is true too"
    assert problem.hint == "write `arg.deploy == 'true'`"


def test_a_switch_and_a_text_that_are_compared_are_conditions() -> None:
    compared = parse("""
        [args.deploy]
        default = false
        [args.focus]
        default = ""
        [[steps]]
        name = "a"
        prompt = "{% if arg.focus %}{{ arg.focus }}{% endif %} {{ arg.deploy }}"
        when = "arg.deploy == 'true' and (arg.focus != '' or not equals(arg.deploy, 'false'))"
    """)
    assert compared.step("a").when is not None


@pytest.mark.parametrize(
    "name",
    ["outcome", "passed", "success", "failed", "skipped", "replies", "backend", "seconds", "reason", "other"],
)
def test_a_schema_with_a_field_of_the_name_of_a_fact_is_remarked_on(name: str) -> None:
    schema = f"output_schema = {{ type = 'object', properties = {{ {name} = {{}} }} }}"
    found = workflow(f'[[steps]]\nname = "x"\nprompt = "p"\n{schema}\n').remarks
    if name in ("reason", "other"):
        assert found == ()
        return
    means = "the field" if name in ("backend", "seconds") else "a fact about the step"
    assert f"`steps.x.{name}` means {means}" in str(found[0])
    assert f"`steps.x.output.{name}`" in str(found[0])
