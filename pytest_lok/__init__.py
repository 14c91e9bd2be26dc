"""pytest-lok: declarative multi-LLM workflows as a test suite."""

__version__ = "0.1.0"
