"""Environment and settings -> what child processes see of the environment, and what is masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_lok.backends.cli.environment import allowed_part
from pytest_lok.core.findings.prior import REVIEWED
from pytest_lok.core.trust.credentials import MIN_SECRET_LENGTH, secret_parts, secrets_of, withheld_variables
from pytest_lok.core.trust.redaction import Redactor

if TYPE_CHECKING:
    from pytest_lok.settings import Settings

# Files whose lines become commands of a later CI step, and variables of the pytest that runs us.
_WITHHELD = frozenset(
    {
        "GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "BASH_ENV",
        "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT",
        "PYTEST_XDIST_TESTRUNUID", REVIEWED,
    }
)  # fmt: skip


def child_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of shell and verify steps: no secret that nobody named, none of CI's command files."""
    named = {*settings.defaults.env}
    clean = settings.defaults.env_policy == "clean"
    seen = allowed_part(environ, settings.defaults.env) if clean else environ
    kept = {*seen} - _WITHHELD - _key_names(settings) - (withheld_variables(seen) - named)
    return {name: value for name, value in seen.items() if name in kept}


def redactor_of(settings: Settings, environ: Mapping[str, str]) -> Redactor:
    """What masks secrets wherever they would be shown or kept."""
    own = {part for name in _key_names(settings) for part in secret_parts(environ.get(name, ""))}
    return Redactor(secrets_of(environ) | {part for part in own if len(part) >= MIN_SECRET_LENGTH})


def _key_names(settings: Settings) -> set[str]:
    """The variables that backends take their keys from."""
    return {backend.api_key_env for backend in settings.backends.values()}
