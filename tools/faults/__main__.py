"""`python -m tools.faults [WORD...]`: the matrix fault x surface; the words are names or rows of faults.

Each fault is tried by a real `lok run` and a real session of pytest. The exit code is 1 if a surface
said yes of work that was not done, and also for a hang, half a file, a process that is left, a stack
trace of ours, and a fault that was not met.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from tools.faults.catalogue import FAULTS
from tools.faults.trial import SURFACES, Tried, tried

WIDTH = 11


def row(one: Tried) -> str:
    """One line of the matrix: the fault, each surface, and what was said of it."""
    head = f"{one.fault.row:6} {one.fault.name:23}"
    if one.skipped:
        return f"{head} not tried: {one.skipped}"
    return f"{head} {' '.join(f'{one.said[name].word:{WIDTH}}' for name in SURFACES)} {one.why()}".rstrip()


def main(words: list[str]) -> int:
    """Try the faults and print what came of them."""
    chosen = [it for it in FAULTS if not words or any(word in (it.name, *it.row.split()) for word in words)]
    print(f"{'':6} {'':23}", " ".join(f"{name:{WIDTH}}" for name in SURFACES))
    greens: list[str] = []
    problems: list[str] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for one in pool.map(tried, chosen):
            print(row(one), flush=True)
            greens += (f"{one.fault.name}: {it} says yes" for it in one.false_greens())
            problems += (f"{one.fault.name}: {it}" for it in one.other_problems())
    for line in (*problems, *greens):
        print(f"!! {line}")
    print(f"{len(chosen)} faults on {len(SURFACES)} surfaces; other problems: {len(problems)}")
    print(f"false greens: {len(greens)}")
    return int(bool(greens or problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
