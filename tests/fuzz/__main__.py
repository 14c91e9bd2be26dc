"""New examples, round after round, until the time is over: python -m tests.fuzz [seconds]."""

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
FACTOR = 5


def main(seconds: float) -> int:
    """The exit code of the first round that found something, else 0."""
    env = {**os.environ, "FUZZ_FACTOR": str(FACTOR)}
    end, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        rounds += 1
        print(f"round {rounds}, {end - time.monotonic():.0f} s left", flush=True)
        argv = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "auto", "--timeout", "1200", str(HERE)]
        done = subprocess.run(argv, env=env, cwd=HERE.parents[1], check=False)
        if done.returncode:
            return done.returncode
    print(f"{rounds} rounds found nothing")
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1200))
