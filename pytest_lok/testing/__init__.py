"""For those who add backends: the contract that each of them keeps, and what its cases are made of.

The contract itself is the test module ``pytest_lok.testing.contract``.
"""

from pytest_lok.hookspecs import ContractCase, MakeBackend
from pytest_lok.testing.asking import ask, expect_error, run_async

__all__ = ["ContractCase", "MakeBackend", "ask", "expect_error", "run_async"]
