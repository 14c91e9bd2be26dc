"""``--lf`` also means the steps that did not run because of what failed."""

from __future__ import annotations

import pytest


class LastFailed:
    """pytest's ``--lf`` forgets what was skipped; these hooks add the steps that were kept from running."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._not_run: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note steps that were blocked, or that the end of the session kept from running."""
        facts = getattr(report, "lok", None)
        if facts is None:
            return
        # a step whose own `when` is false has nothing to be repeated
        if facts["outcome"] == "skipped" and ("blocked_by" in facts or "not_run" in facts):
            self._not_run.add(report.nodeid)
        else:
            self._not_run.discard(report.nodeid)

    @pytest.hookimpl(trylast=True)  # after pytest has written what failed
    def pytest_sessionfinish(self) -> None:
        """Add the steps to pytest's own list of what failed."""
        cache = getattr(self._config, "cache", None)
        if cache is not None and self._not_run and not self._config.getoption("cacheshow", None):
            cache.set(
                "cache/lastfailed",
                {**cache.get("cache/lastfailed", {}), **dict.fromkeys(self._not_run, True)},
            )
