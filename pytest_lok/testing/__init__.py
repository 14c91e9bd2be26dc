"""Tools for packages that add backends: the contract as tests, and how to ask a backend in a test.

The contract itself is the test module ``pytest_lok.testing.contract``.
"""

from pytest_lok.hookspecs import ContractCase, MakeBackend
from pytest_lok.testing.asking import ask, expect_error, run_async

__all__ = ["ContractCase", "MakeBackend", "ask", "expect_error", "run_async"]
