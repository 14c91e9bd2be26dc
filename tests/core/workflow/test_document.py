"""The JSON Schema that editors get, held against what the parser accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli
from jsonschema import Draft202012Validator

from pytest_lok.core.toml.fields import keys
from pytest_lok.core.workflow.document import WorkflowDocument, schema
from pytest_lok.core.workflow.step_document import AnyStep, AskStep, NestedStep, ShellStep, StepDocument

ROOT = Path(__file__).parents[3]
SHIPPED = [*ROOT.glob("pytest_lok/workflows/*.toml"), *ROOT.glob("workflows/*.toml")]


def errors(document: dict[str, Any]) -> list[str]:
    return [error.json_path for error in Draft202012Validator(schema()).iter_errors(document)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", sorted(SHIPPED), ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_workflows_satisfy_the_schema(path: Path) -> None:
    assert errors(tomli.loads(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("step", "where"),
    [
        ({"name": "a"}, "$.steps[0]"),
        ({"prompt": "x"}, "$.steps[0]"),
        ({"name": "a", "prompt": "x", "shell": "y"}, "$.steps[0]"),
        ({"name": "a b", "prompt": "x"}, "$.steps[0].name"),
        ({"name": "a", "prompt": "x", "depend_on": []}, "$.steps[0]"),
        ({"name": "a", "prompt": "x", "timeout": -1}, "$.steps[0].timeout"),
        ({"name": "a", "prompt": "x", "timeout": None}, "$.steps[0].timeout"),
        ({"name": "a", "prompt": "x", "quorum": "most"}, "$.steps[0].quorum"),
        ({"name": "a", "prompt": "x", "output_format": "xml"}, "$.steps[0].output_format"),
    ],
)
def test_editors_see_what_is_wrong(step: dict[str, Any], where: str) -> None:
    assert errors({"steps": [step]}) == [where]


def test_a_workflow_has_steps_or_a_parent() -> None:
    assert errors({}) == ["$"]
    assert errors({"extends": "base"}) == []


def test_every_key_is_described_for_editors() -> None:
    document = schema()
    tables = [document, *(table for table in document["$defs"].values() if "properties" in table)]
    assert len(tables) == 8
    for table in tables:
        assert table["description"]
        for name, key in table["properties"].items():
            assert key.get("description"), name


def test_keys_are_as_written_in_toml() -> None:
    assert {"if", "assert", "pass", "with", "depends_on"} <= keys(StepDocument)
    assert not {"if_", "assert_", "pass_", "with_"} & keys(StepDocument)
    assert keys(StepDocument) == keys(AnyStep) | keys(AskStep) | keys(ShellStep) | keys(NestedStep) | {
        "approve"
    }
    assert keys(WorkflowDocument) & keys(StepDocument) == {
        "name",
        "timeout",
        "continue_on_error",
        "max_parallel",
    }
