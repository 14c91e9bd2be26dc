"""Configurations of promptfoo: what is made of them loads, asks what they ask, and passes what they pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.backends.scripted import Scripted
from pytest_lok.core.conversion.promptfoo import is_promptfoo, translate
from pytest_lok.core.conversion.translation import NOT_HELD, Translation
from pytest_lok.core.results import Outcome
from pytest_lok.core.workflow.model import Ask, Workflow
from tests.engine.worlds import ran, workflow, world


def nothing(path: str) -> str:
    raise FileNotFoundError(path)


def made(document: Mapping[str, Any], read: Callable[[str], str] = nothing) -> tuple[Translation, Workflow]:
    translation = translate(document, "promptfooconfig.yaml", read)
    return translation, workflow(translation.text())


def test_a_step_for_each_prompt_with_its_tests_as_cases() -> None:
    document = {
        "description": "Two tongues",
        "prompts": ["Say {{word}} in {{ tongue | upper }}.{# aside #}", "file://other.txt"],
        "providers": [
            "openai:chat:gpt-x",
            {
                "id": "anthropic:messages:c",
                "label": "mild one",
                "config": {"temperature": 0.5, "max_tokens": 9},
            },
        ],
        "defaultTest": {
            "vars": {"tongue": "French"},
            "assert": [{"type": "llm-rubric", "value": "is short"}],
        },
        "tests": [
            {"vars": {"word": "tree"}, "assert": [{"type": "icontains", "value": "arbre"}]},
            {"vars": {"word": ["sea", "sky"]}, "assert": [{"type": "icontains", "value": "ci"}]},
        ],
    }
    translation, read = made(document, {"other.txt": "One {{word}}\n---\nTwo {{name}}\n"}.__getitem__)
    assert translation.problems() == []
    assert (read.description, read.collect) == ("Two tongues", False)
    groups = {it.case.place.step: it for it in read.steps if it.case}
    assert list(groups) == ["answers", "other", "other-2"]
    asked = groups["answers"].action
    assert isinstance(asked, Ask)
    assert asked.prompt.source == "Say {{case.word}} in {{ case.tongue | upper }}."
    assert [it.source for it in groups["answers"].asserts] == [
        'rubric("is short")',
        "icontains(output, case.expected_2)",
    ]
    assert [it.case.values["word"] for it in read.steps[:6] if it.case] == [
        "tree",
        "tree",
        "sea",
        "sea",
        "sky",
        "sky",
    ]
    assert {it.action.backends for it in read.steps if isinstance(it.action, Ask)} == {
        ("gpt-x",),
        ("mild-one",),
    }
    for line in ("[backends.gpt-x]", 'model = "c"', "max_tokens = 9", "options = { temperature = 0.5 }"):
        assert f"#   {line}" in translation.text()


HOLDS: dict[str, Callable[[str, Any], bool]] = {
    "equals": lambda said, it: said == str(it),
    "contains": lambda said, it: str(it) in said,
    "icontains": lambda said, it: str(it).lower() in said.lower(),
    "starts-with": lambda said, it: said.startswith(str(it)),
    "regex": lambda said, it: re.search(it, said) is not None,
    "contains-any": lambda said, it: any(str(one) in said for one in it),
    "contains-all": lambda said, it: all(str(one) in said for one in it),
    "icontains-all": lambda said, it: all(str(one).lower() in said.lower() for one in it),
    "is-json": lambda said, it: said in ("7", '{"a": "B"}'),
}
"""What promptfoo's assertions mean, said a second time."""
ANSWERS = ["Arbre vert", "7", '{"a": "B"}', 'say "so" it\'s\nw1 { x }', "a {} b", "not translated"]
WORDS = st.sampled_from(["Arbre", "arbre", "7", '"so"', "it's", "{{word}}", "zzz", "{}", "\n", 7])
ASSERTS = st.one_of(
    st.tuples(
        st.sampled_from(["equals", "contains", "icontains", "starts-with"]), WORDS | st.sampled_from(ANSWERS)
    ),
    st.tuples(st.just("regex"), st.sampled_from([r"^\w+", r"\d", "vert$", "[ab]", r"\{\{"])),
    st.tuples(
        st.sampled_from(["contains-any", "contains-all", "icontains-all"]),
        st.lists(WORDS, min_size=1, max_size=3),
    ),
    st.tuples(st.just("is-json"), st.none()),
)
OTHERS = st.sampled_from([
    {"type": "javascript", "value": "output.length > 3"}, {"type": "contains"}, {"type": "equals", "value": {"a": 1}},
    {"type": "not-contains", "value": "{{ other }}"}, {"type": "not-regex", "value": "{{ word | upper }}"},
    {"type": "contains", "value": "7", "transform": "output.x"}, {"type": "similar", "value": "x", "threshold": 0.8},
    {"type": "assert-set", "assert": []}, "contains: x", None, {"type": "cost"}, {"type": "latency", "threshold": "1"},
])  # fmt: skip


def filled(value: Any, word: str) -> Any:
    """A value with the variable that it holds."""
    if isinstance(value, list):
        return [filled(it, word) for it in value]
    return value.replace("{{word}}", word) if isinstance(value, str) else value


@settings(max_examples=30)
@given(
    st.sampled_from(ANSWERS),
    st.lists(
        st.tuples(st.lists(st.tuples(ASSERTS, st.booleans()), max_size=3), st.booleans()),
        min_size=1,
        max_size=3,
    ),
    OTHERS,
)
def test_what_passes_is_what_passes_there(
    tmp_path_factory: pytest.TempPathFactory, answer: str, tests: list[tuple[list[Any], bool]], other: Any
) -> None:
    document = {
        "prompts": ["Say {{word}}"],
        "providers": ["openai:a", "openai:b"],
        "tests": [
            {
                "vars": {"word": f"w{at}"},
                "assert": [
                    {"type": f"{'not-' * negated}{kind}", **({} if value is None else {"value": value})}
                    for (kind, value), negated in asserts
                ]
                + [other] * unknown,
            }
            for at, (asserts, unknown) in enumerate(tests)
        ],
    }
    translation, _ = made(document)
    backends = [Scripted(name, answer) for name in "ab"]
    result = ran(translation.text(), world(tmp_path_factory.mktemp("p"), *backends)).result
    wanted = {}
    for at, (asserts, unknown) in enumerate(tests, 1):
        word = f"w{at - 1}"
        holds = all(
            HOLDS[kind](answer, filled(value, word)) is not negated for (kind, value), negated in asserts
        )
        wanted[f"test-{at}"] = Outcome.PASSED if holds and not unknown else Outcome.FAILED
    found = {name: step.outcome for name, step in result.steps.items()}
    assert {re.sub(r".*\[[ab]-|\]", "", name): outcome for name, outcome in found.items()} == wanted
    assert len(found) == 2 * len(tests)
    assert sorted(prompt.text for prompt in backends[0].asked) == [f"Say w{at}" for at in range(len(tests))]
    assert bool(translation.problems()) is any(unknown for _, unknown in tests)


RUBBISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "x", "file://x.txt", "{{ a", "{% if %}", "a:b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "raw", "label", "vars", "assert", "type", "value", "config", "description", "a b", "1"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"prompts": RUBBISH, "providers": RUBBISH},
        optional={
            "tests": RUBBISH,
            "defaultTest": RUBBISH,
            "evaluateOptions": RUBBISH,
            "description": RUBBISH,
            "x": RUBBISH,
        },
    )
)
def test_whatever_stands_there_the_result_loads(document: dict[str, Any]) -> None:
    if document["prompts"] == []:
        with pytest.raises(ValueError, match="no steps"):
            made(document)
        return
    translation, read = made(document)
    assert len(read.steps) >= 1
    assert translation.text().count("# not translated") >= min(1, len(translation.problems()))


def test_what_cannot_be_said_never_passes(tmp_path: Path) -> None:
    document = {
        "prompts": ["plain", "file://gone.txt", "file://make.py:f", "{{ broken", {"label": "none"}],
        "providers": ["custom:thing"],
        "tests": "file://tests.csv",
        "redteam": {},
    }
    translation, read = made(document)
    told = translation.problems()
    for part in (
        "`redteam`",
        "provider custom:thing",
        "tests of file://tests.csv",
        "gone.txt",
        "a program or a server",
    ):
        assert any(part in it for it in told), part
    result = ran(translation.text(), world(tmp_path, Scripted("thing", "fine"))).result
    assert len(read.steps) == 5
    assert {it.outcome for it in result.steps.values()} == {Outcome.FAILED, Outcome.ERROR}


@pytest.mark.parametrize("value", ["{{other}}", "file://rows.csv", ["plain", "{% if x %}"]])
def test_a_variable_that_is_made_of_others_is_told(value: object) -> None:
    document = {
        "prompts": ["Say {{word}}"],
        "providers": ["openai:a"],
        "tests": [{"vars": {"word": value, "other": "x"}}],
    }
    translation, read = made(document)
    assert translation.problems()[0].endswith("the variable word, which is made of others")
    assert any(it.source == NOT_HELD for step in read.steps for it in step.asserts)


def test_messages_become_a_system_prompt_and_a_schema_that_of_the_step() -> None:
    messages = '[{"role": "system", "content": "Be {{mood}}"}, {"role": "user", "content": "Hi"}]'
    schema = {"type": "object", "required": ["a"]}
    document = {
        "prompts": [messages],
        "providers": [{"openai:m": {"config": {"seed": 1}}}],
        "tests": [{"vars": {"mood": "kind"}, "assert": [{"type": "is-json", "value": schema}]}],
        "evaluateOptions": {"repeat": 2, "maxConcurrency": 3},
    }
    translation, read = made(document)
    (step,) = read.steps
    assert isinstance(step.action, Ask)
    assert step.action.system is not None
    assert (step.action.system.source, step.action.prompt.source) == ("Be {{case.mood}}", "Hi")
    assert (step.output_schema, step.action.repeat, read.max_parallel) == (schema, 2, 3)
    assert "options = { seed = 1 }" in translation.text()
    assert not is_promptfoo({"prompts": []})
    assert not is_promptfoo([])
