"""Outputs that are whole or not, through redaction and a journal, in every reader: who reads of a cut one gets an error."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.events import StepFinished
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.shell.compiler import ShellTemplate
from pytest_lok.core.templates.condition import Condition
from pytest_lok.core.templates.scope import Scope, VisibleNames
from pytest_lok.core.templates.template import Template
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.errors import TemplateError
from pytest_lok.store.event_lines import from_json, to_json
from tests.fuzz import examples

MARK = "[... 9 bytes of output dropped here ...]"
STEPS = ("a", "b")
# what is read of a step, and whether that is its words (all of them are there in each output below)
READS = {
    "steps.{}.output": True,
    "steps.{}.output | length": True,
    "steps.{}.output[:3]": True,
    "steps.{}.output.k": True,
    "steps.{}.k": True,
    "steps['{}'].output | default('x')": True,
    "steps.{}.k | default('x')": True,
    "steps.{}.outcome": False,
    "steps.{}.passed": False,
    "steps.{}.seconds": False,
}
results = st.builds(
    StepResult,
    name=st.just(""),
    outcome=st.sampled_from([Outcome.PASSED, Outcome.SOFT]),
    output=st.sampled_from(['{"k": 1}', f'{MARK}\n{{"k": 1}}', '{"k": 1} secret-value']),
    cut=st.booleans(),
    reason=st.just("r"),
)


def arrived(result: StepResult) -> StepResult:
    """The result as a later step reads it, after a resume."""
    event = from_json(to_json(Redactor(["secret-value"]).value(StepFinished(result=result, at=1.0))))
    assert isinstance(event, StepFinished)
    return event.result


@settings(max_examples=examples(150), deadline=None)
@given(
    st.tuples(results, results),
    st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(sorted(READS))), min_size=1, max_size=3),
    st.sampled_from(["template", "statement", "shell", "condition", "series"]),
)
def test_reading_a_cut_output_is_an_error(
    made: tuple[StepResult, StepResult], reads: list[tuple[str, str]], reader: str
) -> None:
    steps = {
        name: arrived(dataclasses.replace(result, name=name))
        for name, result in zip(STEPS, made, strict=True)
    }
    assert [result.cut for result in steps.values()] == [result.cut for result in made]
    names, scope = VisibleNames(steps=frozenset(STEPS)), Scope(steps=steps)
    texts = [read.format(step) for step, read in reads]
    try:
        match reader:
            case "template":
                Template.parse(" ".join(f"{{{{ {text} }}}}" for text in texts), names).render(scope)
            case "statement":
                Template.parse("".join(f"{{% if {text} %}}x{{% endif %}}" for text in texts), names).render(
                    scope
                )
            case "shell":
                ShellTemplate.parse("echo " + " ".join(f"{{{{ {text} }}}}" for text in texts), names).render(
                    scope
                )
            case "condition":
                Condition.parse(" and ".join(f"(({text}) != 'zz')" for text in texts), names).holds(scope)
            case _:
                Condition.parse_value(f"[{', '.join(texts)}]", names).value(scope)
        said = ""
    except TemplateError as error:
        said = error.message
    assert not said or "its middle was not kept" in said
    assert ("its middle was not kept" in said) is any(steps[step].cut and READS[read] for step, read in reads)
