"""Which variables are secret, and what of them can stand alone."""

from __future__ import annotations

import json

import pytest

from pytest_lok.core.trust.credentials import is_secret, secret_parts, secrets_of, withheld_variables

SECRET = [
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "CI_JOB_TOKEN",
    "CI_REGISTRY_PASSWORD",
    "SYSTEM_ACCESSTOKEN",
    "CI_JOB_JWT",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "MISTRAL_API_KEY",
    "OPENROUTER_API_KEY",
    "GROQ_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "HF_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_OPENAI_KEY",
    "PGPASSWORD",
    "MYSQL_PWD",
    "my_password",
    "DB_PASS",
    "SECRET_KEY_BASE",
    "APIKEY",
    "npm_config__authToken",
    "DOCKER_AUTH_CONFIG",
    "GPG_PASSPHRASE",
    "SSH_PRIVATE_KEY",
    "API_KEYS",
    "KEY_1",
    "BUILDKITE_AGENT_ACCESS_TOKEN",
    "SESSION_COOKIE",
    "GITHUB_PAT",
    "NPM_AUTH",
    "TWINE_PASSWORD",
    "ANTHROPIC_AUTH_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "authToken",
    "private_key",
]
ORDINARY = [
    "HOME",
    "PATH",
    "PWD",
    "OLDPWD",
    "LANG",
    "SSH_AUTH_SOCK",
    "XAUTHORITY",
    "KEYBOARD",
    "KEYMAP",
    "TOKENIZERS_PARALLELISM",
    "GIT_AUTHOR_NAME",
    "GPG_KEY",
    "TOKEN_FILE",
    "AWS_ACCESS_KEY_ID",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "SECRET_NAME",
    "PASSWORD_MIN_LENGTH",
    "MONKEY",
    "TURKEY",
    "HOTKEY",
    "AUTHOR",
    "GIT_CONFIG_KEY_0",
    "GIT_CONFIG_COUNT",
    "PASSWORDLESS",
    "SECRETARY",
    "COMPASS",
    "BYPASS",
    "PATTERN",
    "EDITOR",
    "CREDENTIALS_DIRECTORY",
    "KEYTIMEOUT",
    "DATABASE_URL",
    "TERM",
    "SHELL",
]


@pytest.mark.parametrize("name", SECRET)
def test_a_name_of_a_secret(name: str) -> None:
    assert is_secret(name, "a-value-0123")


@pytest.mark.parametrize("name", ORDINARY)
def test_any_other_name(name: str) -> None:
    assert not is_secret(name, "a-value-0123")


def test_a_number_of_tokens_and_a_place_of_credentials_are_no_secrets() -> None:
    assert not is_secret("LLM_MAX_TOKENS", "100000000")
    assert is_secret("API_TOKENS", "abcdefgh,ijklmnop")
    assert not is_secret("GOOGLE_APPLICATION_CREDENTIALS", "/etc/key.json")
    assert is_secret("GOOGLE_APPLICATION_CREDENTIALS", '{"private_key": "x"}')


def test_a_command_gets_no_secret_but_those_for_the_tools_of_forges() -> None:
    environ = dict.fromkeys([*SECRET, *ORDINARY], "x")
    assert withheld_variables(environ) == {*SECRET} - {"GITHUB_TOKEN", "GH_TOKEN"}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\\n", "\\r\\n"])
def test_every_line_of_a_secret_is_one_but_the_frame_of_a_key(newline: str) -> None:
    key = newline.join(
        ["-----BEGIN PRIVATE KEY-----", "bGluZS1vbmU=", "bGluZS10d28=", "-----END PRIVATE KEY-----"]
    )
    assert {"bGluZS1vbmU=", "bGluZS10d28="} == {*secret_parts(key)} - {key}


def test_json_holds_secrets_under_secret_names() -> None:
    account = {
        "type": "service_account",
        "private_key_id": "0123456789",
        "private_key": "-----BEGIN\nfirst-line\nsecond-line\n",
        "inner": [{"password": "deep-password"}],
    }
    found = {*secret_parts(json.dumps(account))}
    assert {"first-line", "second-line", "deep-password"} <= found
    assert not {"service_account", "0123456789"} & found
    assert {"token-one", "token-two"} <= {*secret_parts('["token-one", "token-two"]')}
    assert "line-two" in {*secret_parts("{not json\nline-two")}


def test_lines_of_assignments_hold_secrets_too() -> None:
    found = {*secret_parts("user: somebody\nexport DB_PASSWORD='hunter22222'\n")}
    assert "hunter22222" in found
    assert "somebody" not in found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("https://user:pass-word@host/x", {"pass-word"}),
        ("postgres://u:p%40ss-word@host:5432/db", {"p%40ss-word", "p@ss-word"}),
        ("postgres://u:p@ss-word@host/db", {"p@ss-word"}),
        ("redis://:pass-word@host", {"pass-word"}),
        ("https://host/?user=a&token=abcdefgh12#x", {"abcdefgh12#x"}),
        ("https://host:8080/a@b", set()),
        ("https://user@host/", set()),
        ("https://u:short@host/", set()),
        ("git@github.com:org/repo", set()),
    ],
)
def test_the_password_of_an_address_is_a_secret(value: str, found: set[str]) -> None:
    assert secrets_of({"DATABASE_URL": value}) == found
