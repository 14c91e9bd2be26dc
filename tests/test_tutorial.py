"""The tutorial is true: its files are written and its commands run, in the order of the page."""

import re
from pathlib import Path

import pytest

from tests.test_readme import COMMAND, environ, plain, run

__all__ = ["environ"]  # a fixture

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.timeout(300)
def test_a_reader_sees_what_the_page_shows(tmp_path: Path, environ: dict[str, str]) -> None:
    ran = []
    for kind, text in BLOCK.findall(PAGE.read_text()):
        if kind in ("toml", "python"):
            path = tmp_path / text.splitlines()[0].removeprefix("# ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for command, shown, code in COMMAND.findall(text) if kind == "console" else ():
            printed = run(command, tmp_path, environ, int(code or 0))
            parts = [re.escape(plain(part)) for part in shown.split("...")]
            assert re.fullmatch(".*".join(parts), plain(printed), re.DOTALL), f"{command}\n{printed}"
            ran.append(command)
    assert ran == ["lok plan review", *["lok run review", "pytest --lok"] * 2, "lok run review"]
    run("lok workflow validate review", tmp_path, environ)
