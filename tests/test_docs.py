"""The pages beside the README are true: their example runs, their lists leave out nothing."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

from pytest_lok.core.edits.edits import edits_of
from pytest_lok.core.results import RunResult, StepResult
from pytest_lok.core.templates.builtins import FILTERS, FUNCTIONS
from pytest_lok.core.templates.values import FACTS

DOCS = Path(__file__).parents[1] / "docs"
LOK = Path(sys.executable).parent / "lok"
BUILT_IN = {"range"}
"""A function of Jinja itself."""


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def block(text: str, kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def words(text: str) -> set[str]:
    """Every word in code spans."""
    return {word for span in re.findall(r"`([^`]+)`", text) for word in re.findall(r"\w+", span)}


def test_the_workflow_of_the_manual_passes(tmp_path: Path) -> None:
    shelf = tmp_path / ".lok" / "workflows"
    shelf.mkdir(parents=True)
    (shelf / "values.toml").write_text(block(page("workflows"), "toml"))
    done = subprocess.run(
        [LOK, "run", "values", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    outcomes = {name: step["outcome"] for name, step in json.loads(done.stdout)["steps"].items()}
    assert outcomes == dict.fromkeys(outcomes, "passed") | {"skipped": "skipped", "soft": "soft"}, done.stderr
    assert done.returncode == 0


def test_the_settings_of_the_manual_are_right_and_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "lok.toml").write_text(block(page("settings"), "toml"))
    done = subprocess.run(
        [LOK, "nits", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, json.loads(done.stdout)["output"]) == (0, "yes")

    tables = json.loads(subprocess.run([LOK, "schema", "settings"], capture_output=True, check=True).stdout)
    keys = {key for table in tables["$defs"].values() for key in table.get("properties", {})}
    assert {
        key for key in keys if not re.search(rf"`{key}`|^{key} = |[{{,] {key} = ", page("settings"), re.M)
    } == set()


def test_the_edits_of_the_manual_are_edits() -> None:
    assert len(edits_of(json.loads(block(page("workflows"), "json")))) == 1


def test_every_filter_function_and_fact_is_named() -> None:
    assert {*FILTERS, *FUNCTIONS, *FACTS} - BUILT_IN - words(page("workflows")) == set()


def test_every_key_of_the_json_is_named() -> None:
    keys = {field.name for kind in (RunResult, StepResult) for field in dataclasses.fields(kind)}
    assert keys - words(page("commands")) == set()
