"""Which sessions the garbage collector leaves alone."""

import gc

from tests.plugin.conftest import Suite

SHOW = """
import gc
def pytest_sessionfinish():
    print("collector:", gc.isenabled(), gc.get_freeze_count() > 0)
"""


def shown(suite: Suite, *, cold: bool = True) -> str:
    suite.write("conftest.py", SHOW)
    suite.shells("w", a="true", b="true")
    result = (suite.run_cold if cold else suite.run)("--lok")
    assert result.ret == 0
    return next(line for line in result.outlines if "collector: " in line).partition("collector: ")[2]


def test_it_leaves_out_the_items_of_a_session_that_has_steps_alone(suite: Suite) -> None:
    assert shown(suite) == "True True"


def test_it_looks_at_everything_where_there_are_python_tests(suite: Suite) -> None:
    suite.write("test_one.py", "def test_one(): pass\n")
    assert shown(suite) == "True False"


def test_it_looks_at_everything_in_a_process_that_goes_on(suite: Suite) -> None:
    assert shown(suite, cold=False) == "True False"
    assert gc.isenabled()
