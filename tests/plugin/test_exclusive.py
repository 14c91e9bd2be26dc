"""Workflows of one session that run alone: in one process, and across xdist's."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

ALONE = "mkdir busy && sleep 0.3 && rmdir busy"


@pytest.mark.parametrize("options", [(), ("-n2", "--dist=loadfile")], ids=["one process", "two workers"])
def test_a_workflow_that_runs_alone_overlaps_with_none(suite: Suite, options: tuple[str, ...]) -> None:
    for name, above in (("first", "exclusive = true\n"), ("second", "exclusive = true\n"), ("shares", "")):
        suite.workflow(name, f"{above}[[steps]]\nname = 'a'\nshell = '{ALONE}'\n")
    suite.run_apart("--lok", *options).assert_outcomes(passed=3)


def test_others_overlap(suite: Suite) -> None:
    for name in ("first", "second"):
        suite.workflow(name, f"[[steps]]\nname = 'a'\nshell = '{ALONE}'\n")
    suite.run("--lok").assert_outcomes(passed=1, failed=1)
