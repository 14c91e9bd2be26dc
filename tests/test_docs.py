"""The pages beside the README are true: their examples run, their lists leave out nothing.

A block whose first line is a comment with a file's name is written into a copy of the README's sample
repository, in the order of the page; a ``$`` line of a ``console`` block is run there. TOML without a name is
a piece of a workflow, or of ``lok.toml``, and is checked as one.
"""

import ast
import dataclasses
import json
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pytest_lok.cli.main import main
from pytest_lok.core.edits.edits import parse_edits
from pytest_lok.core.results import RunResult, StepResult
from pytest_lok.core.templates.builtins import FILTERS, FUNCTIONS
from pytest_lok.core.templates.values import FACTS
from tests.test_readme import COMMAND, environ, plain, project, run

__all__ = ["environ", "project"]  # fixtures

DOCS = Path(__file__).parents[1] / "docs"
PACKAGE = DOCS.parent / "pytest_lok"
LOK = Path(sys.executable).parent / "lok"
BUILT_IN = {"range"}
"""A function of Jinja itself."""


FILE = re.compile(r"# ([\w./-]+\.(?:toml|py|yml|md))\n")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(path.stem for path in DOCS.glob("*.md") if path.stem != "tutorial")
SHOWING = [name for name in PAGES if BLOCK.search((DOCS / f"{name}.md").read_text())]
STEP = '[[steps]]\nname = "review"\nprompt = "Review this."\noutput_format = "findings"\n'
"""What makes a workflow of a page's ``[gate]`` or ``[rules]``."""

LONGEST_MEAN = 16
"""Words per sentence."""


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def block(text: str, kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def words(text: str) -> set[str]:
    """Every word in code spans."""
    return {
        word for span in re.findall(r"`([^`]+)`", BLOCK.sub("", text)) for word in re.findall(r"\w+", span)
    }


@pytest.mark.parametrize("name", SHOWING)
def test_what_a_page_shows_is_so(name: str, project: Path, environ: dict[str, str], tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    checked = False
    for number, (kind, text) in enumerate(BLOCK.findall(page(name))):
        if kind == "console":
            for command, shown, code in COMMAND.findall(text):
                parts = [re.escape(plain(part)) for part in shown.split("...")]
                printed = run(command, root, environ, int(code or 0))
                assert re.fullmatch(".*".join(parts), plain(printed), re.DOTALL), f"{command}\n{printed}"
        elif kind == "python":
            ast.parse(text)
        file = where(kind, text, number)
        if file:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            in_workflows = kind == "toml" and file.startswith(".lok/workflows/")
            piece = in_workflows and "[[steps]]" not in text and "[[cases]]" not in text
            (root / file).write_text(text + STEP if piece else text)
        if file == "lok.toml":
            (root / file).write_text(text)
            assert main(["--dir", str(root), "backends"], environ) == 0
        checked = checked or file.startswith(".lok/workflows/")
    if checked:
        assert main(["--dir", str(root), "workflow", "validate"], environ) == 0


def where(kind: str, text: str, number: int) -> str:
    """The file that a block says it is, or a workflow of its own for a piece of one; "" is neither."""
    if named := FILE.match(text):
        return named[1]
    if kind == "toml" and tomllib.loads(text).keys() & {"steps", "gate", "rules", "budget"}:
        return f".lok/workflows/piece-{number}.toml"
    return ""


def test_each_key_of_a_workflow_stands_in_an_example() -> None:
    tables = json.loads(subprocess.run([LOK, "schema"], capture_output=True, check=True).stdout)
    shown = "\n".join(
        text for name in PAGES for kind, text in BLOCK.findall(page(name)) if where(kind, text, 0)
    )
    for table in (tables, *tables["$defs"].values()):
        for key in table.get("properties", {}):
            assert re.search(rf"(^|[\[{{,.\s]){key}(\s*=|\]|\.)", shown, re.M), (
                f"show `{key}` in docs/keys.md"
            )


def prose(text: str) -> list[str]:
    """The sentences of a page that stand in no code block and no table."""
    text = re.sub(r"^(`{3,})[^\n]*\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    kept = [line for line in text.splitlines() if not line.startswith(("|", "#"))]
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:- |\d+\. ))", "\n".join(kept))
    sentences = [s for part in blocks for s in re.split(r"(?<=[.!?])\**\s+", " ".join(part.split()))]
    return [sentence for sentence in sentences if len(sentence.split()) > 2]


@pytest.mark.parametrize("name", PAGES)
def test_sentences_are_short(name: str) -> None:
    lengths = [len(sentence.split()) for sentence in prose(page(name))]
    assert statistics.mean(lengths or [0]) <= LONGEST_MEAN


def test_the_workflow_of_the_manual_passes(tmp_path: Path) -> None:
    shelf = tmp_path / ".lok" / "workflows"
    shelf.mkdir(parents=True)
    (shelf / "values.toml").write_text(block(page("templates"), "toml"))
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
    assert len(parse_edits(json.loads(block(page("edits"), "json")))) == 1


def test_every_filter_function_and_fact_is_named() -> None:
    assert {*FILTERS, *FUNCTIONS, *FACTS} - BUILT_IN - words(page("templates")) == set()


def test_every_key_of_the_json_is_named() -> None:
    keys = {field.name for kind in (RunResult, StepResult) for field in dataclasses.fields(kind)}
    assert keys - words(page("commands")) == set()


def test_every_key_of_a_workflow_is_named() -> None:
    schema = json.loads(subprocess.run([LOK, "schema"], capture_output=True, check=True).stdout)
    keys = {
        "steps": {*schema["$defs"]["StepDocument"]["properties"]},
        "file": {*schema["properties"]} - {"steps"},
    }
    named = words(page("workflows"))
    assert {name: known - named for name, known in keys.items()} == {"steps": set(), "file": set()}
    gate = schema["$defs"]["GateDocument"]["properties"].keys()
    assert gate - words(page("findings")) == set()


def test_the_words_of_the_glossary_are_words_of_their_rooms() -> None:
    rows = re.findall(r"^\| ([\w ]+) \|.*\| `([\w/]+)` \|$", page("glossary"), re.MULTILINE)
    assert len(rows) > 40
    assert sorted(word.lower() for word, _ in rows) == sorted({word.lower() for word, _ in rows})
    lost = []
    for word, room in rows:
        texts = (f"{path.stem}\n{path.read_text()}" for path in sorted((PACKAGE / room).rglob("*.py")))
        spelled = re.compile(r"(?<![a-z])" + word.replace(" ", r"[\s_-]*"), re.IGNORECASE)
        if not any(spelled.search(text) for text in texts):
            lost.append(f"{word} in {room}")
    assert lost == []


def test_the_files_that_the_architecture_passes_are_there() -> None:
    files = set(re.findall(r"`((?:[\w-]+/)*[\w-]+\.(?:py|sh))`", page("architecture")))
    assert len(files) > 20
    known = [
        f"/{path.relative_to(DOCS.parent)}"
        for path in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.sh"), *(DOCS.parent / "tests").rglob("*.py")]
    ]
    assert [file for file in files if not any(path.endswith(f"/{file}") for path in known)] == []
