"""Prompts in files of their own: a mistake is told with its line in that file, and the text counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_lok.core.text.inclusion import NamedText
from pytest_lok.core.workflow.model import Ask, Origin, Workflow
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.errors import UsageError, WorkflowError

SCAN = '[[steps]]\nname = "scan"\nshell = "true"\n'


class Shelf:
    """Texts by name, which are prompts and files of the project."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def prompt(self, name: str) -> NamedText:
        if name not in self._texts:
            raise UsageError(f"there is no prompt {name!r}", hint="write it")
        return NamedText(text=self._texts[name], name=name, path=f".lok/prompts/{name}")

    def instruction(self, path: str) -> NamedText:
        return replace(self.prompt(path), path=path)


def parse(keys: str, **texts: str) -> Workflow:
    text = f'{SCAN}[[steps]]\nname = "x"\n{keys}\n'
    source = SourceText(text=text, path="w.toml", stem="w", origin=Origin.PROJECT)
    return parse_workflow(source, parent=lambda *_: None, texts=Shelf(texts))


def problems(keys: str, **texts: str) -> list[tuple[str, str]]:
    with pytest.raises(WorkflowError) as caught:
        parse(keys, **texts)
    return [(it.place, it.message) for it in caught.value.problems]


def asked(workflow: Workflow) -> Ask:
    action = workflow.step("x").action
    assert isinstance(action, Ask)
    return action


def test_a_text_may_stand_in_a_file_and_hold_others() -> None:
    made = parse(
        'prompt_file = "a"\nsystem_file = "b"',
        a="See {{ steps.scan.output }}\n{% include 'c' %}",
        b="Be brief.",
        c="C",
    )
    ask = asked(made)
    assert ask.prompt.source == "See {{ steps.scan.output }}\nC"
    assert ask.system is not None
    assert ask.system.source == "Be brief."
    assert made.step("x").needs == ("scan",)
    assert [name for name, _, _ in made.sources.prompts] == ["a", "b", "c"]
    others = [
        parse('prompt_file = "a"', a="one"),
        parse('prompt_file = "a"', a="two"),
        parse('prompt = "one"'),
    ]
    assert len({made.sha256, *(it.sha256 for it in others)}) == 4


def test_each_mistake_stands_in_its_own_file() -> None:
    found = problems(
        'prompt = """\nä {{ nope }}\n{% include "a" %}"""\nsystem_file = "b"',
        a="fine\n  {{ steps.gone.output }}",
        b="{% include 'a' %}\n{% include 'zzz' %}",
    )
    # the same one, of two texts, is told once
    assert found == [
        ("w.toml:7:6", "unknown name 'nope'"),
        (".lok/prompts/a:2:12", "there is no step 'gone'"),
        (".lok/prompts/b:2:1", "there is no prompt 'zzz'"),
    ]
    with pytest.raises(WorkflowError, match=r"step `x` of w\.toml asks it"):
        parse('prompt_file = "a"', a="{{ nope }}")


@pytest.mark.parametrize(
    ("keys", "place", "message"),
    [
        ('prompt_file = "zzz"', "w.toml:6:15", "there is no prompt 'zzz'"),
        ('prompt = "x"\nprompt_file = "a"', "w.toml:7:1", "a step has `prompt` or `prompt_file`, not both"),
        (
            'prompt = "x"\nsystem = "x"\nsystem_file = "a"',
            "w.toml:8:1",
            "`system` or `system_file`, not both",
        ),
        ('shell = "x"\nprompt_file = "a"', "w.toml:6:1", "asks (`prompt_file`) or runs a command (`shell`)"),
        ('prompt_file = "a"', "w.toml:6:15", "step `x` refers to itself"),
        ('prompt_file = " "', "w.toml:4:1", "this step does nothing"),
        ('prompt = "x"\ninstructions = ["zzz"]', "w.toml:7:17", "there is no prompt 'zzz'"),
        ('shell = "x"\nsystem_file = "a"', "w.toml:7:1", "`system_file` is for steps that ask"),
    ],
)
def test_a_wrong_key_is_told(keys: str, place: str, message: str) -> None:
    ((found, said),) = problems(keys, a="{{ steps.x.output }}")
    assert (found, message in said) == (place, True), said


def test_a_required_argument_and_a_position_are_noted_in_files_too() -> None:
    made = parse("prompt_file = 'a'", a="{% include 'b' %}", b="{{ arg.2 }}")
    assert (made.positional_count, made.collect) == (2, False)
    with pytest.raises(WorkflowError, match="is of no project"):
        parse_workflow(
            SourceText(
                text='[[steps]]\nname = "x"\nprompt_file = "a"', path="w", stem="w", origin=Origin.VERB
            ),
            parent=lambda *_: None,
        )


def test_instructions_are_texts_and_no_templates() -> None:
    keys = 'prompt = "x"\ninstructions = ["a", "b", "a"]'
    made = parse(keys, a="Write {{ so }}.", b="B")
    assert [(it.path, it.text) for it in asked(made).instructions] == [("a", "Write {{ so }}."), ("b", "B")]
    assert made.sources.instructions == (("a", "Write {{ so }}."), ("b", "B"))
    assert made.sha256 != parse(keys, a="Write {{ so }}.", b="b").sha256
    ((place, said),) = problems(keys, a="x" * 60_000, b="x" * 40_001)
    assert (place, "more than 100,000 characters" in said) == ("w.toml:7:1", True)
