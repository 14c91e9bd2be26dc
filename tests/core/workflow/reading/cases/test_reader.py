"""Cases of a step: what their files and axes mean, and every mistake with its file and line."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.workflow.model import Ask, Origin, Step, Workflow
from pytest_lok.core.workflow.reading.cases.combinations import MOST_CASES
from pytest_lok.core.workflow.reading.cases.names import is_named
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.errors import Problem, WorkflowError

STEP = '[[steps]]\nname = "q"\nprompt = "{{ case.ask }}"\n'


def parse(text: str, **files: str | bytes) -> Workflow:
    """The workflow with these files beside it; ``a_csv`` stands for ``a.csv``."""
    shelf = {"/".join(name.split("__")).replace("_", "."): content for name, content in files.items()}
    return parse_workflow(
        SourceText(text=text, path="flows/w.toml", stem="w", origin=Origin.PROJECT),
        parent=lambda *_: None,
        backends=["claude", "codex"],
        read=lambda name, _: it.decode() if isinstance(it := shelf[name], bytes) else it,
        find=lambda pattern, _: sorted(name for name in shelf if is_named(name, pattern)),
    )


def problems(text: str, **files: str | bytes) -> list[str]:
    with pytest.raises(WorkflowError) as caught:
        parse(text, **files)
    return [f"{it.path}:{it.line} {it.message}" for it in caught.value.problems]


def names(workflow: Workflow) -> list[str]:
    return [step.name for step in workflow.steps]


def asks(step: Step) -> Ask:
    assert isinstance(step.action, Ask)
    return step.action


ONE = '[[cases]]\nname = "a"\nask = "1"\n[[cases]]\nname = "b.2"\nask = "2"\nmore = [1, {x = true}]\n'


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("c.toml", {"c_toml": ONE}),
        ("c.jsonl", {"c_jsonl": '{"name": "a", "ask": "1"}\n\n{"name": "b.2", "ask": "2", "more": []}\n'}),
        ("c.csv", {"c_csv": '\ufeffname,ask\r\na,1\r\n\r\n"b.2","2"\r\n'}),
        ("in/*.toml", {"in__a_toml": 'ask = "1"', "in__b_toml": 'name = "b.2"\nask = "2"', "in__n_csv": ""}),
        ("in/*.csv", {"in__1_csv": "name,ask\na,1\n", "in__2_csv": "ask,name\n2,b.2\n"}),
    ],
)
def test_each_kind_of_file_gives_the_same_cases(pattern: str, files: dict[str, str]) -> None:
    found = parse(f'{STEP}cases = "{pattern}"', **files)
    assert names(found) == ["q[a]", "q[b.2]"]
    assert [step.case and step.case.values["ask"] for step in found.steps] == ["1", "2"]
    assert {path for _, path, _ in found.sources.beside} == {
        "/".join(name.split("__")).replace("_", ".") for name in files if not name.endswith("n_csv")
    }


def test_a_matrix_multiplies_and_chooses_whom_to_ask() -> None:
    found = parse(
        f'{STEP}cases = "c.toml"\nmatrix = {{ backend = ["claude", "codex"], model = ["x/y:1", ""], n = [true] }}'.replace(
            '""', '"z"'
        )
        + '\n[[steps]]\nname = "after"\ndepends_on = ["q"]\nshell = "true"',
        c_toml=ONE,
    )
    assert names(found)[:3] == ["q[claude-x_y_1-true-a]", "q[claude-z-true-a]", "q[codex-x_y_1-true-a]"]
    assert len(found.steps) == 2 * 2 * 2 + 1
    third = found.steps[2]
    assert (asks(third).backends, asks(third).model) == (("codex",), "x/y:1")
    assert third.case is not None
    assert (third.case.place.row, third.case.place.column) == ("a", "codex-x_y_1-true")
    assert found.steps[-1].needs == tuple(names(found)[:-1])
    assert found.steps[-1].depends_on == ("q",)
    assert found.named(["q", "after"]) == {*names(found)}
    assert found.named([third.name]) == {third.name}


def test_a_matrix_stands_alone_too() -> None:
    found = parse(
        '[[steps]]\nname = "q"\nshell = "echo {{ case.n }}"\nmatrix = { n = [1, 2], backend = ["x", "y"] }'
    )
    assert names(found) == ["q[1-x]", "q[1-y]", "q[2-x]", "q[2-y]"]
    places = [step.case.place for step in found.steps if step.case]
    assert [(it.row, it.column) for it in places] == [("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")]


@pytest.mark.parametrize(
    ("keys", "files", "expected"),
    [
        ('cases = "c.toml"', {"c_toml": "[[cases]]\nask = '1'"}, ["flows/c.toml:1 this case has no name"]),
        (
            'cases = "c.toml"',
            {"c_toml": "[[cases]]\nname = 3\nask = ''"},
            ["flows/c.toml:2 a case's name is text"],
        ),
        ('cases = "c.toml"', {"c_toml": "ask = 2024-01-01"}, ["flows/c.toml:1 `ask` is a date"]),
        ('cases = "c.toml"', {"c_toml": "ask = nan"}, ["flows/c.toml:1 `ask` is no finite number"]),
        ('cases = "c.toml"', {"c_toml": "ask = "}, ["flows/c.toml:1 this is not TOML"]),
        ('cases = "c.toml"', {"c_toml": f"x = 1\n{ONE}"}, ["flows/c.toml:1 `x` stands beside"]),
        ('cases = "c.toml"', {"c_toml": "# none"}, ["flows/c.toml:1 there is no case"]),
        ('cases = "c.csv"', {"c_csv": "name,ask\na,1\nb\n"}, ["flows/c.csv:3 this row has 1 field,"]),
        (
            'cases = "c.csv"',
            {"c_csv": 'name,ask\na,"1\n2"\na,3\n'},
            ["flows/c.csv:4 there is another case 'a'"],
        ),
        ('cases = "c.csv"', {"c_csv": "name;ask\na;1\n"}, ["flows/c.csv:1 there is no column `name`"]),
        ('cases = "c.csv"', {"c_csv": "name,ask,ask\n"}, ["flows/c.csv:1 two columns are called"]),
        ('cases = "c.csv"', {"c_csv": 'name,ask\na,"1'}, ["flows/c.csv:2 this is not CSV"]),
        (
            'cases = "c.csv"',
            {"c_csv": "name,ask,my note\na,1,x\n"},
            ["flows/c.csv:2 'my note' cannot be a key"],
        ),
        (
            'cases = "c.jsonl"',
            {"c_jsonl": '\n[1]\n{"name": "a"'},
            ["flows/c.jsonl:2 a case is", "flows/c.jsonl:3 this"],
        ),
        (
            'cases = "c.jsonl"',
            {"c_jsonl": '{"name": "a/b", "ask": ""}'},
            ["flows/c.jsonl:1 'a/b' cannot be the name"],
        ),
        (
            'cases = "*.toml"',
            {"c_toml": ONE, "d_toml": ONE},
            ["flows/d.toml:2 there is", "flows/d.toml:5 there is"],
        ),
        ('cases = "d.toml"', {"c_toml": ONE}, ["flows/w.toml:4 there is no file 'd.toml'"]),
        (
            'cases = "*.csv"',
            {"a_csv": "name,ask\na,1\n", "b_csv": b"\xff", "c_csv": "name\n"},
            ["flows/w.toml:4 flows/b.csv is not UTF-8", "flows/c.csv:1 there is no case"],
        ),
        ('cases = "c.yaml"', {}, ["flows/w.toml:4 a file of cases ends with .toml, .csv, .jsonl"]),
        ("cases = []", {}, ["flows/w.toml:4 `cases` is empty"]),
        ("cases = 3", {}, ["flows/w.toml:4 `cases` must be"]),
        ('cases = "c.csv"', {"c_csv": "name,ask\na,1\nb,2\n", "d": ""}, []),
        (
            'cases = "c.jsonl"',
            {"c_jsonl": '{"name": "a", "ask": 1}\n{"name": "b"}\n{"name": "c"}'},
            ["flows/w.toml:3 the case `b` (flows/c.jsonl:2, and 1 more,) has no 'ask'"],
        ),
        ('cases = [{ name = "a", as = "1" }]', {}, ["flows/w.toml:3 no case has 'ask'"]),
        ("matrix = {}", {}, ["flows/w.toml:4 `matrix` is empty"]),
        ("matrix = { ask = [] }", {}, ["flows/w.toml:4 `ask` has no values"]),
        ('matrix = { ask = ["a b", "a/b"] }', {}, ["flows/w.toml:4 'a/b' and 'a b' are the same"]),
        ('matrix = { ask = ["..."] }', {}, ["flows/w.toml:4 the value '...' cannot stand"]),
        ('matrix = { ask = ["1"], name = ["x"] }', {}, ["flows/w.toml:4 'name' cannot be a key"]),
        ('matrix = { ask = ["1"], backend = ["me"] }', {}, ["flows/w.toml:4 there is no backend `me`"]),
        (
            'backend = "codex"\nmatrix = { ask = ["1"], backend = ["claude"] }',
            {},
            ["flows/w.toml:4 `backend` is a key of the cases too"],
        ),
        (
            'cases = "c.toml"\nmatrix = { ask = ["1"] }',
            {"c_toml": ONE},
            ["flows/w.toml:5 `ask` is a key of the cases too"],
        ),
        (
            'cases = [{ name = "b-c" }, { name = "c" }]\nmatrix = { ask = ["a", "a-b"] }',
            {},
            ["flows/w.toml:5 two cases are called 'a-b-c'"],
        ),
        (f"matrix = {{ ask = {list(range(MOST_CASES + 1))} }}", {}, ["flows/w.toml:4 these are 2,001 cases"]),
        (
            'cases = [{ name = "a", ask = "1", backend = "codex" }, { name = "b", ask = "2" }]',
            {},
            ["flows/w.toml:4 the case `b` (flows/w.toml:4) has no `backend`, and others do"],
        ),
        (
            'cases = [{ name = "a", ask = "1", backend = "cody" }]',
            {},
            ["flows/w.toml:4 there is no backend `cody`"],
        ),
        (
            'cases = "c.csv"',
            {"c_csv": 'name,ask,backend\na,1,claude\nb,2,"codex, me"\nc,3,\nd,4,you\n'},
            ["flows/c.csv:3 there is no backend `me`", "flows/c.csv:5 there is no backend `you`"],
        ),
    ],
)
def test_every_mistake_has_its_place(keys: str, files: dict[str, str], expected: list[str]) -> None:
    if not expected:
        assert parse(STEP + keys, **files)
        return
    found = problems(STEP + keys, **files)
    assert len(found) == len(expected), found
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(start), problem


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        ('{{ case.hint | default("") }}', True),
        ("{% if case.hint is defined %}{{ case.hint }}{% endif %}", True),
        ("{{ case | tojson }}", True),
        ("{% set case = 1 %}{{ case }}", False),
        ("{{ case.hint }}", False),
        ('{{ case["hint"] }}', False),
        ('{{ case.hints | default("") }}', False),
        ("{{ steps.case.output }}", False),
    ],
)
def test_a_key_that_a_case_lacks_is_a_mistake_where_it_is_needed(text: str, is_fine: bool) -> None:
    keys = "cases = [{ name = 'a', hint = 'x' }, { name = 'b' }]"
    workflow = f"[[steps]]\nname = 'q'\n{keys}\nprompt = '''{text}'''"
    if is_fine:
        assert names(parse(workflow)) == ["q[a]", "q[b]"]
    else:
        assert problems(workflow)


def test_case_means_a_step_of_that_name_where_there_are_no_cases() -> None:
    step = '[[steps]]\nname = "case"\nshell = "true"\n'
    found = parse(f"{step}[[steps]]\nname = 'b'\nwhen = \"case.output contains 'x'\"\nshell = 'true'")
    assert found.step("b").needs == ("case",)
    with pytest.raises(WorkflowError, match="it is known in steps with `cases`"):
        parse(STEP)


texts = st.text(st.sampled_from("ab-._/ :é[]"), min_size=1, max_size=6)


@given(
    rows=st.lists(texts, max_size=4, unique=True),
    axes=st.lists(st.lists(texts, min_size=1, max_size=3, unique=True), max_size=2),
)
def test_names_are_unique_and_fit_into_a_node_id_or_nothing_is_read(
    rows: list[str], axes: list[list[str]]
) -> None:
    """Whatever names and values there are: one case for each combination, or an error."""
    from json import dumps

    keys = f"cases = [{', '.join(f'{{ name = {dumps(row)} }}' for row in rows)}]\n" if rows else ""
    keys += (
        f"matrix = {{ {', '.join(f'x{n} = {dumps(axis)}' for n, axis in enumerate(axes))} }}" if axes else ""
    )
    try:
        found = names(parse(f"[[steps]]\nname = 'q'\nshell = 'true'\n{keys}"))
    except WorkflowError:
        return
    count = max(len(rows), 1)
    for axis in axes:
        count *= len(axis)
    assert len(set(found)) == len(found) == count
    for name in found:
        assert name == "q" if not keys else name.startswith("q[") and name.endswith("]")
        assert not set("/: é[]") & set(name[2:-1])


pieces = st.sampled_from(
    [
        "name",
        "ask",
        ",",
        "\n",
        "\r",
        '"',
        "'",
        "=",
        "[[cases]]",
        "{",
        "}",
        "[",
        "]",
        ":",
        " ",
        "a",
        "1",
        "\0",
        "\ufeff",
        "\ud800",
        "#",
    ]
)


@given(text=st.lists(pieces, max_size=30).map("".join), suffix=st.sampled_from(["toml", "csv", "jsonl"]))
def test_whatever_stands_in_a_file_it_is_read_or_a_mistake_with_its_place(text: str, suffix: str) -> None:
    problems: Sequence[Problem] = ()
    steps: Sequence[Step] = ()
    try:
        steps = parse(f'{STEP}cases = "c.{suffix}"', **{f"c_{suffix}": text}).steps
    except WorkflowError as error:
        problems = error.problems
    assert bool(steps) is not bool(problems)
    assert all(it.line > 0 and it.message for it in problems)
    assert all(step.case and step.case.values["name"] for step in steps)
