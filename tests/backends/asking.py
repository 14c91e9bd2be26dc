"""Asking a backend from a test that is not async, and the servers it may meet."""

from __future__ import annotations

import respx

from pytest_lok.testing.asking import ask, expect_error, run_async

__all__ = ["ask", "expect_error", "run_async", "web"]

web = respx.mock(using="httpx", assert_all_called=False)
"""Every server there is: as a decorator it keeps a test from all real ones, whatever the transport."""
