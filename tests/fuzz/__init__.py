"""Generators of inputs whose true answer is known.

Each module holds hypothesis tests of one mechanism. In the suite all of them together take about a
minute; ``python -m tests.fuzz 1200`` (``make fuzz``) goes on with new examples for so many seconds.
"""

import os


def examples(number: int) -> int:
    """How many examples a test tries: ``number`` in the suite, many more in a long run."""
    return number * int(os.environ.get("FUZZ_FACTOR", "1"))
