"""What a drawn run has said -> what is wrong with that; and what a process held -> whether it leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.faults.draws import Drawn
from tools.faults.surfaces import exit_code, junit, sarif

PROJECT_FILE = Path(".lok/workflows/w.toml")
FALSE_GREEN = "false green"
_MOST_GROWTH = 1.05
_SPARE = 4096  # KiB that a process may gain however small it is: pages of malloc come and go


def wrong(drawn: Drawn, code: int | None, project: Path, *, killed: bool = False) -> list[str]:
    """What the surfaces say that is not so: a yes without the proof, or no yes without a fault."""
    proof = project / "proof"
    done = not drawn.faults and proof.is_file() and proof.read_text() == drawn.proof
    said = {
        "exit code": exit_code(code),
        "JUnit": junit(project / "r.xml"),
        "SARIF": sarif(project / "r.sarif"),
    }
    found = [f"{FALSE_GREEN}: {name}" for name, it in said.items() if it.green and not done]
    if not drawn.faults and not killed:
        found += [f"{name}: {it.word}, and there was no fault" for name, it in said.items() if not it.green]
    return found


def leaks(held: Sequence[Mapping[str, int]]) -> list[str]:
    """What grows from the second fifth of the runs to the last one; the first runs import and warm up.

    What a run has held for a while is none: the least that was held counts.
    """
    if len(held) < 10:
        return [f"{len(held)} runs are too few to see a leak"]
    fifth = len(held) // 5
    before, after = held[fifth : 2 * fifth], held[-fifth:]
    found = []
    for name in held[0]:
        old = min(it[name] for it in before)
        new = min(it[name] for it in after)
        most = old * _MOST_GROWTH + _SPARE if name == "memory" else old
        if new > most:
            found.append(f"{name}: {old} -> {new}")
    return found
