"""A seed -> workflows, of whose steps a few have a fault, with what has to come of each."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RATE = 0.05
"""How many steps have a fault, and how many processes are killed."""
SERVER_FAULTS: Mapping[str, Mapping[str, Any]] = {
    "429": {"status": 429, "retry_after": 0},
    "500": {"status": 500},
    "reset": {"fault": "disconnect"},
    "hang": {"fault": "hang"},
    "cut": {"fault": "disconnect_mid"},
    "silent": {"fault": "hang_mid"},
    "broken": {"fault": "malformed"},
    "event": {"fault": "error_mid"},
    "empty": {"fault": "empty"},
    "refusal": {"stop": "refusal"},
    "length": {"stop": "length"},
}
RULES = [
    *({"match": f"fault {name} ", **rule} for name, rule in SERVER_FAULTS.items()),
    {"reply": "heard: {prompt}"},
]
COMMAND_FAULTS = (
    "exit 1",
    "kill -9 $$",
    "sleep 50",
    "no-such-program-here",
    "sleep 50 & wait; sleep 50",
    "trap '' TERM; sleep 50; sleep 50",
)
COMMANDS = (
    "true",
    "setsid sleep 300 >/dev/null 2>&1 & true",
    "seq 400000",
    "printf '\\377\\376 no text'",
    "sleep 0.05 & echo done",
)
"""What lok has to bear: daemons, floods, rubbish. Such a step passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A workflow, the faults in it, and what its last step writes into ``proof`` if there is none."""

    text: str
    faults: tuple[str, ...]
    proof: str


def draw(dice: random.Random, number: int, rate: float = RATE) -> Drawn:
    """Draw two questions and two commands; each has a fault at the rate."""
    steps, faults, proof = [], [], []
    for name in ("a", "b"):
        fault = dice.choice(list(SERVER_FAULTS)) if dice.random() < rate else ""
        faults += [fault] if fault else []
        prompt = f"fault {fault} {number}" if fault else f"question {name} {number}"
        proof.append(f"heard: {prompt}")
        retries = dice.choice(("", "retries = 1\nretry_delay = 10\n"))
        steps.append(f'[[steps]]\nname = "{name}"\nprompt = "{prompt}"\ntimeout = "1s"\n{retries}')
    for name in ("c", "d"):
        command = dice.choice(COMMAND_FAULTS) if dice.random() < rate else dice.choice(COMMANDS)
        faults += [command] if command in COMMAND_FAULTS else []
        needs = dice.choice(("[]", '["a"]', '["a", "b"]'))
        limit = "400ms" if command in COMMAND_FAULTS else "30s"
        told = command.replace("\\", "\\\\").replace('"', '\\"')
        steps.append(
            f'[[steps]]\nname = "{name}"\ndepends_on = {needs}\ntimeout = "{limit}"\nshell = "{told}"\n'
        )
    steps.append(
        '[[steps]]\nname = "end"\ndepends_on = ["c", "d"]\nshell = "cat > proof"\n'
        'stdin = "{{ steps.a.output }} {{ steps.b.output }}"\n'
    )
    return Drawn(text="\n".join(steps), faults=tuple(faults), proof=" ".join(proof))
