"""`python -m tools.picture`: draw what `make demo` prints, red and green, as docs/demo.svg.

The commands are really run. Left out are the lines that differ from machine to machine, and what is indented:
the prompt and the answer. A test holds the picture against what the demo prints.
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from demo.__main__ import SAFE, UNSAFE, Sample

PICTURE = Path(__file__).parents[1] / "docs" / "demo.svg"
COLUMNS = 100
LARGEST = 100_000
TERMINAL = {"COLUMNS": str(COLUMNS), "PY_COLORS": "1"}
"""Variables by which pytest prints as on a terminal."""

IN_CI = ("CI", "BUILD_NUMBER")
"""Variables by which pytest cuts no line of its summary."""

COMMAND = "$ pytest --lok"
SVG = "{http://www.w3.org/2000/svg}"
NOT_SHOWN = re.compile(r"platform |(rootdir|configfile|plugins|cachedir): |-+ generated xml file: ")


def picture(red: str, green: str) -> list[Text]:
    """The lines to draw: the first run, the line that is repaired, the second run."""
    return [
        Text(COMMAND, style="bold"),
        *_shown(red),
        Text(),
        Text(f"- {UNSAFE}", style="red"),
        Text(f"+ {SAFE}", style="green"),
        Text(),
        Text(COMMAND, style="bold"),
        *_shown(green),
    ]


def _shown(printed: str) -> Iterator[Text]:
    """The lines of a run, each at most a screen wide; one with dots stands for indented ones in a row."""
    indented = False
    for raw in printed.splitlines():
        line = Text.from_ansi(raw)
        if NOT_SHOWN.match(line.plain):
            continue
        if not line.plain.startswith("    ") and (line.plain.strip() or not indented):
            indented = False
            yield line
        elif not indented:
            indented = True
            yield Text("    …", style="dim")


def svg(lines: list[Text]) -> str:
    """The drawing, with nothing in it that has to be fetched."""
    console = Console(
        record=True,
        file=io.StringIO(),
        width=COLUMNS,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    for line in lines:
        console.print(line, no_wrap=True, overflow="ellipsis", highlight=False)
    drawn = console.export_svg(title="pytest --lok", theme=MONOKAI, unique_id="lok")
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return re.sub("Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas", drawn)


def drawn_text(drawing: str) -> str:
    """What can be read in a drawing, without white space, times and the lengths of rules."""
    texts = (node for node in ET.fromstring(drawing).iter(f"{SVG}text") if node.get("class") != "lok-title")
    text = re.sub(r"\s+", "", "".join(node.text or "" for node in texts))
    text = re.sub(r"\d+\.\d+s(\(\d+:\d+:\d+\))?", "TIME", text)
    return re.sub(r"([=_-])\1{3,}", r"\1", text)


def main() -> int:
    """Run the demo's two reviews, and write the picture; 1 if it got too large."""
    os.environ.update(TERMINAL)
    for name in IN_CI:
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as directory:
        sample = Sample.make(Path(directory) / "shop")
        red = _printed(sample)
        sample.repair()
        green = _printed(sample)
    drawing = svg(picture(red, green))
    if len(drawing) > LARGEST:
        print(
            f"the picture has {len(drawing):,} bytes, more than {LARGEST:,}: leave out more lines",
            file=sys.stderr,
        )
        return 1
    PICTURE.write_text(drawing)
    print(f"{os.path.relpath(PICTURE)}: {len(drawing):,} bytes")
    return 0


def _printed(sample: Sample) -> str:
    with tempfile.TemporaryFile() as output:
        sample.review(output=output)
        output.seek(0)
        return output.read().decode()


if __name__ == "__main__":
    sys.exit(main())
