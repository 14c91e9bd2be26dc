"""``--lf`` also means the steps that did not run because of what failed."""

from __future__ import annotations

import pytest


class LastFailed:
    """pytest forgets what was skipped; what was kept from running is remembered here."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._kept: dict[str, bool] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note steps that were blocked, or that the end of the session kept from running."""
        facts = getattr(report, "lok", None)
        if facts is not None:
            self._kept[report.nodeid] = facts["outcome"] == "skipped" and bool(
                facts.get("blocked_by") or facts["not_run"]
            )

    @pytest.hookimpl(trylast=True)  # after pytest has written what failed
    def pytest_sessionfinish(self) -> None:
        """Add them to what failed."""
        kept = {nodeid: True for nodeid, kept in self._kept.items() if kept}
        cache = getattr(self._config, "cache", None)
        if cache is not None and kept and not self._config.getoption("cacheshow", None):
            cache.set("cache/lastfailed", {**cache.get("cache/lastfailed", {}), **kept})
