"""The suite runs in the same environment everywhere: nobody's CI, keys, settings or colours."""

import os
import re
import signal

import hypothesis
import pytest

pytest_plugins = ["pytester"]

# A machine may be busy: how long one example takes says nothing. The suite tries the same examples each
# time, so that nobody's change is red by chance; `make fuzz` looks for new ones.
hypothesis.settings.register_profile("suite", deadline=None, derandomize="FUZZ_FACTOR" not in os.environ)
hypothesis.settings.load_profile("suite")

# What would change what pytest, git, rich or we do. Children may keep bytecode, or each of the many
# would compile the package again.
_FOREIGN = re.compile(
    r"CI|BUILD_NUMBER|(GITHUB|GITLAB|LOK|GIT)_.*|PYTEST_(ADDOPTS|PLUGINS|THEME.*)|.*_API_KEY|.*_BASE_URL|OLLAMA_.*|OTEL_.*|TRACE(PARENT|STATE)"
    r"|NO_COLOR|(FORCE|PY)_COLORS?|COLUMNS|LINES|TERM|PYTHONDONTWRITEBYTECODE|PYTHONPATH"
)


@pytest.fixture(scope="session", autouse=True)
def _same_environment_everywhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(filter(_FOREIGN.fullmatch, os.environ)):
        del os.environ[name]
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session", autouse=True)
def _signals_work() -> None:
    """Whoever starts the suite in the background has some ignored, and every child inherits that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
