"""What the engine's thread does stays out of the tests that run beside it."""

from __future__ import annotations

from tests.plugin.conftest import Suite

NOISY = """
import logging
import pytest

@pytest.fixture(scope="session")
def lok_backends(lok_backends):
    class Noisy:
        name = "echo"
        def unavailable(self): return None
        async def ask(self, prompt):
            import asyncio
            from pathlib import Path
            while not Path("test_began").exists():
                await asyncio.sleep(0.01)
            logging.getLogger("httpx").warning("from the engine")
            Path("asked").touch()
            return await lok_backends["echo"].ask(prompt)
        async def aclose(self): pass
    return {"echo": Noisy()}
"""
INNOCENT = """
import logging
import time
from pathlib import Path

def test_innocent(caplog, capfd, recwarn):
    caplog.set_level(logging.DEBUG)
    Path("test_began").touch()
    while not all(Path(name).exists() for name in ("asked", "printed")):
        time.sleep(0.01)
    time.sleep(0.2)
    logging.getLogger("mine").info("my own")
    assert [record.name for record in caplog.records] == ["mine"]
    assert capfd.readouterr() == ("", "")
    assert [w for w in recwarn.list] == []
"""


def test_logs_output_and_warnings_stay_with_the_engine(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        NOISY
        + "\ndef pytest_collection_modifyitems(items):\n    items.sort(key=lambda item: ['first', 'test_innocent', 'ask', 'print'].index(item.name))\n",
    )
    suite.shells("u", first="true")
    suite.workflow("v", '[[steps]]\nname = "ask"\nprompt = "x"\n')
    suite.shells(
        "w", print="while ! test -e test_began; do sleep 0.01; done; echo out; echo err >&2; touch printed"
    )
    suite.write("test_one.py", INNOCENT)
    result = suite.run_apart("--lok", "-W", "error")
    result.assert_outcomes(passed=4)


def test_a_session_with_every_kind_of_step_is_clean_under_w_error(suite: Suite) -> None:
    suite.workflow(
        "w",
        """
        [[steps]]
        name = "shell"
        shell = "cat; echo x"

        [[steps]]
        name = "slow"
        shell = "sleep 30"
        timeout = "200ms"
        continue_on_error = true

        [[steps]]
        name = "ask"
        prompt = "x"

        [[steps]]
        name = "each"
        for_each = [1, 2, 3]
        shell = "echo {{ item }}"

        [[steps]]
        name = "stubborn"
        shell = "exit 1"
        retries = 1
        retry_delay = 10
        continue_on_error = true
        """,
    )
    suite.write("pytest.ini", "[pytest]\nfilterwarnings = error\nstrict = true\n")
    suite.write("test_one.py", "import gc\ndef test_one(): gc.collect()\n")
    result = suite.run_apart("--lok", "-W", "error")
    result.assert_outcomes(passed=4, xfailed=2)
    assert "warning" not in result.stdout.str().lower()
