"""The quick way through plain texts says what the whole grammar says."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.templates.checker import NameChecker
from pytest_lok.core.templates.program import TemplateProgram, check_template
from pytest_lok.core.templates.scope import Loop, Scope, VisibleNames
from pytest_lok.core.templates.template import PlainProgram
from pytest_lok.errors import SourceError, TemplateError

NAMES = VisibleNames(
    steps=frozenset({"scan", "if", "a-b", "output", "steps"}), arguments=frozenset({"focus"}), loop=True
)
SCOPE = Scope(
    steps={name: StepResult(name=name, outcome=Outcome.PASSED, output=f"<{name}>") for name in NAMES.steps},
    arguments={"focus": "auth", "1": "first"},
    loop=Loop(item={"a": 1}, index=0),
)
BLANK = replace(
    SCOPE, steps={name: StepResult(name=name, outcome=Outcome.PASSED, output=" \n") for name in NAMES.steps}
)
CUT = replace(
    SCOPE,
    steps={name: StepResult(name=name, outcome=Outcome.PASSED, output="a", cut=True) for name in NAMES.steps},
)
EMPTY = Scope()
PIECES = [
    *(
        "{{ steps.scan.output }}",
        "{{steps.scan.output}}",
        "{{ steps.if.output }}",
        "{{ steps.output.output }}",
    ),
    *("{{ steps.steps.output }}", "{{ arg.focus }}", "{{ item }}", "{{ steps.a-b.output }}", "{{ arg.1 }}"),
    *("{{ steps.nobody.output }}", "{{ steps.scan.seconds }}", "{{- item -}}", "{{ item.a }}", "{{\nitem }}"),
    *(
        "{% if item %}",
        "{% endif %}",
        "{# no #}",
        "{% raw %}",
        "{% endraw %}",
        "{{ '{{' }}",
        "\\",
        "é",
        "\u2028",
    ),
    *("[1]", '{"a": ', "2}", '"'),
    *("{{", "}}", "{", "}", "#}", "%}", " ", "\n", "\r\n", "\t", "word", "steps.scan.output", "item"),
]


def whole(source: str) -> tuple[NameChecker, TemplateProgram] | None:
    try:
        return check_template(source, NAMES)
    except SourceError:
        return None


def said(program: PlainProgram | TemplateProgram, ask: str, scope: Scope, text: str) -> object:
    """What a program answers, or its error in full."""
    try:
        match ask:
            case "render":
                return program.render(scope)
            case "blanks":
                return program.empty_steps(scope)
            case _:
                return program.without_author_json(scope, text)
    except TemplateError as error:
        return str(error)


@given(st.lists(st.sampled_from(PIECES), max_size=7).map("".join))
@settings(max_examples=1500, deadline=None)
@example("{{{ item }}")
@example("{{ item }}}")
@example("{{ item }}\n")
@example("{{ steps.scan.output }} and {{ arg.focus }} of {{ item }}\n\n")
def test_a_plain_text_means_what_the_grammar_says(source: str) -> None:
    quick = PlainProgram.of(source, NAMES)
    if quick is None or "{{" not in source:  # what holds no tag is never compiled
        return
    slow = whole(source)
    assert slow is not None
    check, program = slow
    assert (set(quick.steps), quick.arguments) == (check.steps, check.required)
    assert not check.rubrics
    assert check.positional_count == 0
    assert quick.names == program.names
    text = program.render(SCOPE)
    assert quick.render(SCOPE) == text
    for scope in (SCOPE, BLANK, EMPTY, CUT):
        for ask in ("render", "blanks", "given"):
            assert said(quick, ask, scope, text) == said(program, ask, scope, text)


def test_the_usual_tags_are_plain() -> None:
    for source in ("", "words", "{{ item }}", "a {{ steps.scan.output }} b {{arg.focus}}\n"):
        assert PlainProgram.of(source, NAMES) is not None


def test_everything_else_is_not() -> None:
    for source in ("{{ item.a }}", "{{ steps.nobody.output }}", "{{ item }} {", "{# #}", "{{ arg.1 }}", "\r"):
        assert PlainProgram.of(source, NAMES) is None
