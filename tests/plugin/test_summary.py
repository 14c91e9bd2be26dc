from __future__ import annotations

from tests.plugin.conftest import Suite

EACH = """
[[steps]]
name = "each"
for_each = [1, 2]
shell = "test {{ item }} = 1"
"""
SOFT = """
[[steps]]
name = "soft"
shell = "exit 1"
continue_on_error = true
"""
SOFT_LINE = "x, XFAIL: a soft step: it failed or had an error, and has `continue_on_error`"
PART_LINE = "u, SUBFAILED: a part of a step: one item, one finding, one backend or one step inside"


def test_a_letter_is_explained_where_it_appears(suite: Suite) -> None:
    suite.workflow("w", EACH)
    suite.workflow("v", SOFT)
    suite.run("--lok").stdout.fnmatch_lines(["*= workflows =*", SOFT_LINE, PART_LINE])


def test_a_letter_that_does_not_appear_is_not_explained(suite: Suite) -> None:
    suite.workflow("w", EACH.replace("= 1", "!= 3"))
    suite.write("test_one.py", "import pytest\n@pytest.mark.xfail\ndef test_one(): assert 0")
    result = suite.run("--lok")
    assert result.parseoutcomes() == {"passed": 1, "xfailed": 1}
    assert "XFAIL:" not in result.stdout.str()
    assert "SUBFAILED:" not in result.stdout.str()


def test_many_workflows_are_counted_in_the_header(suite: Suite) -> None:
    for n in range(10):
        suite.shells(f"w{n}", a="true")
    suite.run("--lok").stdout.fnmatch_lines(["lok: 10 workflows: w0, w1, w2, w3, w4, w5, w6, w7 and 2 more"])
