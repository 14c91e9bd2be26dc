"""Files, environment and options -> Settings, or every mistake in them."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from pytest_lok.core.asking.price_list import LIST_PRICES
from pytest_lok.core.asking.providers import PROVIDERS
from pytest_lok.core.toml.fields import Table, keys
from pytest_lok.errors import Problem, SettingsError, UsageError
from pytest_lok.settings import (
    Settings,
    base_refs,
    cache_dir,
    config_dir,
    load_settings,
    split_names,
    state_dir,
)
from pytest_lok.settings.tables import FLAT_TABLES

LOK_OWN = """
[defaults]
parallel = true
timeout = 300
command_wrapper = "nix-shell --run '{cmd}'"

[backends.codex]
enabled = true
command = "codex"
args = ["exec", "--json", "-s", "read-only"]
skip_lines = 0

[backends.gemini]
enabled = true
command = "npx"
args = ["@google/gemini-cli"]
skip_lines = 1
timeout = 900

[backends.claude]
enabled = false
command = "claude"
args = []
model = "sonnet"

[backends.ollama]
command = "http://gpu:11434"
model = "llama3.2"
args = []

[backends.bedrock]
enabled = false
model = "us.anthropic.claude"

[conductor]
max_rounds = 7
max_tokens = 1000

[cache]
enabled = false
ttl_hours = 12

[tasks.hunt]
description = "Find bugs"
backends = ["codex"]
prompts = [{ name = "n+1", prompt = "Find N+1 queries" }, { name = "dead code", prompt = "Find {{ dead }} code" }]
"""


class House:
    """A project and a home, in real files."""

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "project"
        self.home = tmp_path / "home"
        self.root.mkdir()
        (self.home / ".config/lok").mkdir(parents=True)

    def user(self, text: str) -> Path:
        path = self.home / ".config/lok/lok.toml"
        path.write_text(text)
        return path

    def project(self, text: str, name: str = "lok.toml") -> Path:
        (self.root / name).write_text(text)
        return self.root / name

    def load(
        self,
        options: Mapping[str, Any] | None = None,
        config: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Settings:
        environ = {"HOME": str(self.home), **(env or {})}
        return load_settings(self.root, environ=environ, config=config, options=options)

    def problems(
        self, options: Mapping[str, Any] | None = None, env: Mapping[str, str] | None = None
    ) -> list[Problem]:
        with pytest.raises(SettingsError) as caught:
            self.load(options, env=env)
        return list(caught.value.problems)

    def problem(self, text: str) -> Problem:
        self.project(text)
        (problem,) = self.problems()
        return problem


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


class TestMerging:
    def test_nothing_but_what_is_built_in(self, house: House) -> None:
        settings = house.load()
        assert list(settings.backends) == [
            "claude", "codex", "gemini", "anthropic", "openai", "gemini-api", "ollama",
        ]  # fmt: skip
        assert {name: b.type for name, b in settings.backends.items()} == {
            name: name for name in settings.backends
        }
        assert {name: b.weight for name, b in settings.backends.items()} == {
            "claude": 2.0, "codex": 1.5, "gemini": 1.5, "anthropic": 2.0, "openai": 1.0, "gemini-api": 1.5,
            "ollama": 1.0,
        }  # fmt: skip
        assert settings.backends["gemini"].timeout == 600
        assert settings.defaults.backends == ("auto",)
        assert (settings.defaults.timeout, settings.defaults.max_parallel) == (300, 16)
        assert settings.files == ()

    def test_key_by_key_the_later_one_winning(self, house: House) -> None:
        user = house.user(
            '[defaults]\ntimeout = 1\nmax_parallel = 2\n[backends.claude]\nmodel = "a"\nargs = ["u"]'
        )
        house.project('[defaults]\ntimeout = 10\nbackend = "codex"\n[backends.claude]\nargs = ["p", "q"]')
        settings = house.load(
            {"defaults.backend": "gemini"}, env={"LOK_TIMEOUT": "100", "LOK_BACKEND": "ollama"}
        )
        assert settings.defaults.max_parallel == 2
        assert settings.defaults.timeout == 100
        assert settings.defaults.backends == ("gemini",)
        assert settings.backends["claude"].model == "a"
        assert settings.backends["claude"].args == ["p", "q"]
        assert settings.files == (str(user), "lok.toml")

    @pytest.mark.parametrize(
        ("options", "env", "project", "limit"),
        [
            ({}, {}, "", 600),
            ({}, {}, "[defaults]\ntimeout = 20", None),
            ({}, {}, "[backends.gemini]\ntimeout = 90\n[defaults]\ntimeout = 20", 90),
            ({}, {"LOK_TIMEOUT": "3"}, "[backends.gemini]\ntimeout = 90", None),
            ({}, {"LOK_TIMEOUT": "3", "LOK_BACKENDS_GEMINI_TIMEOUT": "5"}, "", 5),
            ({"defaults.timeout": "2"}, {"LOK_BACKENDS_GEMINI_TIMEOUT": "5"}, "[backends.gemini]\ntimeout = 90", None),
            ({"defaults.max_parallel": 2}, {"LOK_BACKEND": "gemini"}, "[backends.gemini]\ntimeout = 90", 90),
        ],
    )  # fmt: skip
    def test_a_limit_for_all_beats_those_of_backends_in_weaker_sources(
        self, house: House, options: dict[str, Any], env: dict[str, str], project: str, limit: float | None
    ) -> None:
        """None = the backend has no limit of its own left, so that the one for all counts."""
        house.project(project)
        assert house.load(options, env=env).backends["gemini"].timeout == limit

    def test_a_project_s_limit_for_all_leaves_the_user_s_for_one_backend(self, house: House) -> None:
        house.user("[backends.slow]\ntype = 'command'\ncommand = 'x'\ntimeout = 900")
        house.project("[defaults]\ntimeout = 20")
        backends = house.load().backends
        assert (backends["slow"].timeout, backends["gemini"].timeout) == (900, None)

    @pytest.mark.parametrize(
        ("settings", "name", "model"),
        [
            ("", "anthropic", "claude-sonnet-5-5"),
            ("", "openai", "gpt-6.1-sol"),
            ("", "gemini-api", "gemini-3.5-flash"),
            ("[backends.claude]\napi_key_env = 'K'", "claude", "claude-sonnet-5-5"),
            ("[backends.other]\ntype = 'openai'\napi = 'responses'", "other", "gpt-6.1-sol"),
            ("[backends.openai]\nmodel = 'mine'", "openai", "mine"),
            ("[backends.openai]\nbase_url = 'http://localhost:4000/v1'", "openai", ""),
            ("[backends.openai]\ncommand = 'http://localhost:4000/v1'", "openai", ""),
            ("[backends.claude]", "claude", ""),
        ],
    )
    def test_an_api_of_its_provider_has_a_model(
        self, house: House, settings: str, name: str, model: str
    ) -> None:
        house.project(settings)
        assert house.load().backends[name].model == model

    @pytest.mark.parametrize(
        ("settings", "name", "command", "args"),
        [
            ("[backends.opencode]\ntype = 'acp'", "opencode", "opencode", ["acp"]),
            ("[backends.cursor]\ntype = 'acp'\ncommand = '/opt/agent'", "cursor", "/opt/agent", ["acp"]),
            ("[backends.x]\ntype = 'acp'\ncommand = '/opt/vibe-acp'", "x", "/opt/vibe-acp", []),
            ("[backends.goose]\ntype = 'acp'\nargs = ['run']", "goose", "goose", ["run"]),
            ("[backends.opencode]\ntype = 'command'\ncommand = 'oc'", "opencode", "oc", []),
        ],
    )
    def test_an_agent_is_started_as_its_row_says(
        self, house: House, settings: str, name: str, command: str, args: list[str]
    ) -> None:
        house.project(settings)
        backend = house.load().backends[name]
        assert (backend.command, backend.args) == (command, args)

    def test_the_usual_models_have_a_price(self) -> None:
        assert {provider.model for provider in PROVIDERS.values()} <= LIST_PRICES.keys()

    def test_a_file_may_switch_a_built_in_api_off(self, house: House) -> None:
        house.project("[backends.anthropic]\nenabled = false")
        settings = house.load(env={"LOK_BACKENDS_GEMINI_API_MODEL": "m"})
        assert not settings.backends["anthropic"].enabled
        assert settings.mentioned == {"anthropic"}
        assert settings.backends["gemini-api"].model == "m"

    def test_a_small_file_keeps_the_backends(self, house: House) -> None:
        house.project("[defaults]\ntimeout = 10")
        assert "claude" in house.load().backends

    def test_the_project_s_backends_come_first_then_the_user_s(self, house: House) -> None:
        house.user('[backends.mine]\ntype = "scripted"\n[backends.gemini]\n')
        house.project('[backends.ollama]\n[backends.gemini]\nmodel = "x"')
        assert list(house.load(env={"LOK_BACKENDS_CODEX_MODEL": "m"}).backends) == [
            "ollama", "gemini", "mine", "claude", "codex", "anthropic", "openai", "gemini-api",
        ]  # fmt: skip

    def test_lok_s_own_file_loads(self, house: House) -> None:
        house.project(LOK_OWN)
        settings = house.load()
        assert list(settings.backends)[:5] == ["codex", "gemini", "claude", "ollama", "bedrock"]
        assert settings.backends["ollama"].url == "http://gpu:11434"
        assert not settings.backends["bedrock"].enabled
        assert settings.tasks["hunt"].prompts[1].prompt == "Find {{ dead }} code"
        assert settings.task_place("hunt") == ("lok.toml", 43)
        assert (settings.conductor.max_rounds, settings.cache.ttl_hours) == (7, 12)
        assert settings.defaults.command_wrapper == "nix-shell --run '{cmd}'"


class TestPyproject:
    def test_its_table_is_the_project_s(self, house: House) -> None:
        house.project("[tool.lok.defaults]\ntimeout = 5\n[tool.ruff]\nline-length = 3", "pyproject.toml")
        settings = house.load()
        assert settings.defaults.timeout == 5
        assert settings.files == ("pyproject.toml",)

    def test_others_are_none_of_ours(self, house: House) -> None:
        house.project('[project]\nname = "x"\n[tool.ruff]\nline-length = 3', "pyproject.toml")
        house.project("[defaults]\ntimeout = 5")
        assert house.load().defaults.timeout == 5

    def test_a_file_in_the_wrong_place_is_not_passed_over(self, house: House) -> None:
        (house.root / ".lok").mkdir()
        house.project("[defaults]\ntimeout = 5", ".lok/lok.toml")
        (problem,) = house.problems()
        assert str(problem) == (
            ".lok/lok.toml:1:1: settings are not read from here\n  hint: move it to lok.toml, beside .lok"
        )

    def test_two_places_are_one_too_many(self, house: House) -> None:
        house.project("[tool.lok.defaults]\ntimeout = 5", "pyproject.toml")
        house.project("[defaults]\ntimeout = 6")
        (problem,) = house.problems()
        assert (problem.path, problem.line, problem.column) == ("pyproject.toml", 1, 7)
        assert problem.message == "settings stand here and in lok.toml too"
        assert "move [tool.lok] to lok.toml" in problem.hint

    def test_mistakes_are_located_in_it(self, house: House) -> None:
        house.project('[project]\nname = "x"\n\n[tool.lok.defaults]\ntimout = 5', "pyproject.toml")
        (problem,) = house.problems()
        assert (problem.path, problem.line, problem.column) == ("pyproject.toml", 5, 1)
        assert problem.hint == "did you mean `timeout`?"

    def test_what_is_no_table(self, house: House) -> None:
        house.project("[tool]\nlok = true", "pyproject.toml")
        (problem,) = house.problems()
        assert (problem.line, problem.message) == (2, "`tool.lok` must be a table")


class TestConfigOption:
    def test_replaces_the_project_s_file_and_not_the_user_s(self, house: House, tmp_path: Path) -> None:
        house.user("[defaults]\nmax_parallel = 2")
        house.project("[defaults]\ntimeout = 5\nbackend = 'codex'")
        (tmp_path / "other.toml").write_text("[defaults]\ntimeout = 7")
        defaults = house.load(config=tmp_path / "other.toml").defaults
        assert (defaults.timeout, defaults.max_parallel, defaults.backends) == (7, 2, ("auto",))

    def test_may_be_a_pyproject(self, house: House) -> None:
        config = house.project("[tool.lok.defaults]\ntimeout = 7", "pyproject.toml")
        assert house.load(config=config).defaults.timeout == 7

    def test_must_be_there(self, house: House) -> None:
        with pytest.raises(UsageError, match=r"there is no settings file gone\.toml"):
            house.load(config=Path("gone.toml"))


class TestUserDirectory:
    def test_follows_the_variables(self) -> None:
        assert config_dir({"LOK_CONFIG_DIR": "/l", "XDG_CONFIG_HOME": "/x", "HOME": "/h"}) == Path("/l")
        assert config_dir({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}) == Path("/x/lok")
        assert config_dir({}) is None

    def test_has_a_place_for_what_is_remembered(self) -> None:
        assert state_dir({"XDG_STATE_HOME": "/x", "HOME": "/h"}) == Path("/x/lok")
        assert state_dir({"HOME": "/h"}).is_relative_to("/h")
        assert state_dir({}).is_absolute()
        assert cache_dir({"XDG_CACHE_HOME": "/x", "HOME": "/h"}) == Path("/x/lok")
        assert cache_dir({"HOME": "/h"}).is_relative_to("/h")
        assert cache_dir({}).is_absolute()

    @pytest.mark.parametrize("name", ["LOK_CONFIG_DIR", "XDG_CONFIG_HOME"])
    def test_is_read_from_there(self, house: House, tmp_path: Path, name: str) -> None:
        folder = tmp_path / "other" / ("lok" if name.startswith("XDG") else "")
        folder.mkdir(parents=True)
        (folder / "lok.toml").write_text("[defaults]\ntimeout = 3")
        assert house.load(env={name: str(tmp_path / "other")}).defaults.timeout == 3

    def test_without_a_home_there_is_none(self, house: House) -> None:
        house.user("this is not TOML")
        assert load_settings(house.root, environ={}).files == ()


class TestEnvironment:
    def test_says_what_the_files_say(self, house: House) -> None:
        house.project('[backends.my-llm]\ntype = "command"\ncommand = "llm"')
        settings = house.load(
            env={
                "LOK_BACKEND": "claude, codex",
                "LOK_TIMEOUT": "5m",
                "LOK_PARALLEL": "false",
                "LOK_MAX_PARALLEL": "3",
                "LOK_ENV_POLICY": "clean",
                "LOK_COMMAND_WRAPPER": "{cmd}",
                "LOK_CACHE_TTL_HOURS": "1.5",
                "LOK_CONDUCTOR_MAX_ROUNDS": "2",
                "LOK_BACKENDS_CLAUDE_MODEL": "4",
                "LOK_BACKENDS_CLAUDE_TIMEOUT": "0",
                "LOK_BACKENDS_MY_LLM_ARGS": "-m 'a b' --x",
                "LOK_BACKENDS_CODEX_ARGS": '["one", "t w o"]',
                "LOK_BACKENDS_CODEX_ENABLED": "false",
            }
        )
        assert settings.defaults.backends == ("claude", "codex")
        assert (settings.defaults.timeout, settings.defaults.parallel) == (300, False)
        assert (settings.defaults.max_parallel, settings.defaults.env_policy) == (3, "clean")
        assert settings.defaults.command_wrapper == "{cmd}"
        assert settings.cache.ttl_hours == 1.5
        assert settings.conductor.max_rounds == 2
        assert (settings.backends["claude"].model, settings.backends["claude"].timeout) == ("4", math.inf)
        assert settings.backends["my-llm"].args == ["-m", "a b", "--x"]
        assert settings.backends["codex"].args == ["one", "t w o"]
        assert not settings.backends["codex"].enabled

    def test_a_quote_left_open_is_a_mistake(self, house: House) -> None:
        (problem,) = house.problems(env={"LOK_BACKENDS_CLAUDE_ARGS": "-x 'y"})
        assert problem.path == "$LOK_BACKENDS_CLAUDE_ARGS"
        assert problem.message.startswith("`backends.claude.args` must be a list")

    def test_empty_is_unset(self, house: House) -> None:
        assert house.load(env={"LOK_BACKEND": "", "LOK_NONSENSE": ""}).defaults.backends == ("auto",)

    def test_what_else_is_called_lok(self, house: House) -> None:
        assert (
            house.load(env={"LOK_PROCESS": "abc.1;", "LOK_DEBUG": "1", "LOK_CONFIG_DIR": str(house.root)})
            == house.load()
        )

    def test_mistakes_name_the_variable(self, house: House) -> None:
        problems = house.problems(
            env={"LOK_TIMEOT": "5", "LOK_PARALLEL": "maybe", "LOK_BACKENDS_CLUADE_MODEL": "x", "LOKAL": "x"}
        )
        assert [str(problem) for problem in problems] == [
            "$LOK_BACKENDS_CLUADE_MODEL: no setting is named so\n"
            "  hint: did you mean `LOK_BACKENDS_CLAUDE_MODEL`?",
            '$LOK_PARALLEL: `defaults.parallel` must be true or false, not "maybe"',
            "$LOK_TIMEOT: no setting is named so\n  hint: did you mean `LOK_TIMEOUT`?",
        ]


class TestOptions:
    def test_win_over_all(self, house: House) -> None:
        options = {"defaults.timeout": "90s", "defaults.max_parallel": 3, "backends.claude.args": ("a", "b")}
        settings = house.load(options, env={"LOK_TIMEOUT": "1"})
        assert (settings.defaults.timeout, settings.defaults.max_parallel) == (90, 3)
        assert settings.backends["claude"].args == ["a", "b"]

    def test_mistakes_name_the_option(self, house: House) -> None:
        (problem,) = house.problems({"defaults.timeout": "soon"})
        assert problem.path == "option timeout"
        assert problem.message == "`defaults.timeout` is wrong: 'soon' is not a duration"
        (problem,) = house.problems({"defaults.timout": 1})
        assert (problem.path, problem.hint) == ("option timout", "did you mean `timeout`?")
        (problem,) = house.problems({"defaults.backend": "cluade"})
        assert (problem.path, problem.hint) == ("option backend", "did you mean `claude`?")


class TestTimeouts:
    @pytest.mark.parametrize(
        ("written", "seconds"),
        [
            ("60", 60),
            ("0.5", 0.5),
            ("0", math.inf),
            ('"5m"', 300),
            ('"1h30m"', 5400),
            ('"0s"', math.inf),
            ("inf", math.inf),
        ],
    )
    def test_are_seconds(self, house: House, written: str, seconds: float) -> None:
        house.project(f"[defaults]\ntimeout = {written}\n[backends.claude]\ntimeout = {written}")
        settings = house.load()
        assert settings.defaults.timeout == settings.backends["claude"].timeout == seconds

    @pytest.mark.parametrize("written", ["-1", "true", '"60"', '"soon"', "nan", "40000000", "[1]"])
    def test_that_are_none(self, house: House, written: str) -> None:
        problem = house.problem(f"[defaults]\ntimeout = {written}")
        assert (problem.line, problem.column) == (2, 11)
        assert problem.message.startswith("`defaults.timeout` ")
        assert problem.hint


class TestTypes:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("[backends.claude]\nmodel = 'x'", "claude"),
            ("[backends.claude]\napi_key_env = 'KEY'", "anthropic"),
            ("[backends.claude]\napi_key_env = 'KEY'\ncommand = 'claude'", "claude"),
            ("[backends.claude]\napi_key_env = 'KEY'\ntype = 'claude'", "claude"),
            ("[backends.claude]\ntype = 'scripted'", "scripted"),
        ],
    )
    def test_follow_the_name(self, house: House, text: str, kind: str) -> None:
        house.project(text)
        assert house.load().backends["claude"].type == kind

    @pytest.mark.parametrize("name", ["anthropic", "openai", "gemini-api", "bedrock", "scripted"])
    def test_of_every_name_that_is_one(self, house: House, name: str) -> None:
        house.project(f"[backends.{name}]")
        assert house.load().backends[name].type == name

    def test_get_as_many_questions_at_once_as_their_type_bears(self, house: House) -> None:
        house.project(
            "[backends.scripted]\n[backends.slow]\ntype = 'scripted'\nmax_concurrent = 1\n"
            "[backends.api]\ntype = 'openai'\n[backends.claude]\napi_key_env = 'MY_KEY'"
        )
        found = {name: backend.max_concurrent for name, backend in house.load().backends.items()}
        assert found == {
            "scripted": 0,
            "slow": 1,
            "api": 16,
            "claude": 16,
            "codex": 4,
            "gemini": 4,
            "anthropic": 16,
            "openai": 16,
            "gemini-api": 16,
            "ollama": 4,
        }

    def test_know_what_they_are_good_at(self, house: House) -> None:
        house.project(
            "[backends.mine]\ntype = 'claude'\n[backends.codex]\nstrengths = ['rust']\n[backends.gemini]\nstrengths = []"
        )
        backends = house.load().backends
        assert backends["mine"].strengths == ["general", "architecture", "analysis"]
        assert (backends["codex"].strengths, backends["gemini"].strengths) == (["rust"], [])
        assert backends["ollama"].strengths == []

    def test_urls_of_apis(self, house: House) -> None:
        house.project(
            "[backends.a]\ntype = 'openai'\ncommand = 'https://x/v1'\n"
            "[backends.b]\ntype = 'openai'\nbase_url = 'https://y/v1'\n[backends.c]\ntype = 'openai'"
        )
        backends = house.load().backends
        assert [backends[name].url for name in "abc"] == ["https://x/v1", "https://y/v1", ""]

    def test_files_of_replies_lie_beside_the_settings(self, house: House) -> None:
        replies = "type = 'scripted'\nreplies = [{ file = 'a.json' }, { reply = 'x' }]"
        house.user(f"[backends.u]\n{replies}")
        house.project(f"[backends.p]\n{replies}")
        backends = house.load().backends
        assert backends["u"].replies[0].file == str(house.home / ".config/lok/a.json")
        assert backends["p"].replies[0].file == str(house.root / "a.json")
        assert backends["p"].replies[1].file == ""


ROLE = '[roles.reviewer]\nbackends = ["claude", "codex"]\nconsensus = "vote"\n'


class TestRoles:
    def test_stand_for_their_backends(self, house: House) -> None:
        house.project(ROLE + '[defaults]\nbackend = "reviewer"')
        settings = house.load()
        assert settings.roles["reviewer"].consensus == "vote"
        assert settings.defaults.backends == ("reviewer",)


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("timeout = 3", (1, 1), "unknown key `timeout`", "`timeout` belongs below [defaults]"),
        ("[default]", (1, 2), "unknown key `default`", "did you mean `defaults`?"),
        ("[xyz]", (1, 2), "unknown key `xyz`", "there are: backends, cache, conductor, defaults, fleet, otel, prices, roles, runs, tasks"),
        ("[defaults]\nmax_paralel = 3", (2, 1), "unknown key `max_paralel`", "did you mean `max_parallel`?"),
        ("[backends.claude]\ncomand = 'x'", (2, 1), "unknown key `comand`", "did you mean `command`?"),
        ("[roles.r]\nbackend = ['claude']\nbackends = ['claude']", (2, 1), "unknown key `backend`", "did you mean `backends`?"),
        ("[[backends.scripted.replies]]\nreply = 'x'\nmtach = 'y'", (3, 1), "unknown key `mtach`", "did you mean `match`?"),
        ("[tasks.t]\nprompts = [{ prompt = 'b', promt = 'c' }]", (2, 28), "unknown key `promt`", "did you mean `prompt`?"),
        ("[defaults]\nmax_parallel = 0", (2, 16), "`defaults.max_parallel` must be at least 1", ""),
        ("[defaults]\nenv_policy = 'none'", (2, 14), '`defaults.env_policy` must be "inherit" or "clean", not "none"', ""),
        ("[defaults]\ncommand_wrapper = 'nix-shell --run'", (2, 19), "`defaults.command_wrapper` has no {cmd}: write it where the command goes", "for example \"nix-shell --run '{cmd}'\""),
        ("[backends.claude]\nenabled = 'yes'", (2, 11), '`backends.claude.enabled` must be true or false, not "yes"', ""),
        ("[backends.claude]\nargs = '-x'", (2, 8), '`backends.claude.args` must be a list, not "-x"', 'in brackets: args = ["-x"]'),
        ("[backends]\nclaude = 3", (2, 10), "`backends.claude` must be a table, not the number 3", ""),
        ("[backends.claude]\nweight = -1", (2, 10), "`backends.claude.weight` must be more than 0", ""),
        ("[backends.cluade]\nmodel = 'x'", (1, 11), "the backend `cluade` needs a `type`", "did you mean `claude`?"),
        ("[backends.x]\ncommand = 'llm'", (1, 11), "the backend `x` needs a `type`", 'type = "command" runs any CLI'),
        ("[backends.x]\ntype = 'command'", (1, 11), "the backend `x` needs a `command` to run", 'for example command = "llm"'),
        ("[backends.'a,b']\ntype = 'openai'", (1, 11), "a backend cannot be called `a,b`", "letters, digits, `_`, `-` and `.`; not auto or all"),
        ("[backends.auto]\ntype = 'openai'", (1, 11), "a backend cannot be called `auto`", "letters, digits, `_`, `-` and `.`; not auto or all"),
        ("[backends.ollama]\nargs = ['x']", (2, 8), '`args` means nothing to a backend of type "ollama"', "take it out"),
        ("[backends.ollama]\napi = 'responses'", (2, 7), '`api` means nothing to a backend of type "ollama"', "take it out"),
        ("[backends.claude]\noptions = { seed = 1 }", (2, 20), 'a backend of type "claude" knows no option `seed`', "known to: openai, gemini-api, ollama; it knows: reasoning_effort, max_turns, max_usd, tools, mcp"),
        ("[backends.claude]\naccess = 'none'\noptions.tools = ['Read']", (3, 17), '`tools` goes beyond access = "none", which offers no tool', 'set access = "read", or leave it out'),
        ("[backends.claude]\noptions.mcp = 'x'", (2, 15), "`mcp` is an option of a step, whose file is read beside it", "write it there"),
        ("[backends.openai]\nmax_tokens = 1\noptions.max_tokens = 2", (3, 22), "`max_tokens` stands above too, and means the same", "keep one"),
        ("[backends.openai]\napi = 'responses'\noptions.seed = 2", (3, 16), 'a backend of type "openai (responses)" knows no option `seed`', "known to: openai, gemini-api, ollama; it knows: temperature, top_p, max_tokens, reasoning_effort, verbosity"),
        ("[backends.x]\ntype = 'acp'", (1, 11), "the backend `x` needs the `command` of an agent", 'command = "…", and `args`; these names need neither: opencode, copilot, cursor, qwen, goose, droid, kimi, grok, vibe'),
        ("[backends.qwen]\ntype = 'acp'\nargs = ['-p', '{prompt}']", (3, 8), 'an agent of type "acp" gets its prompt as a message', "take {prompt} out"),
        ("[backends.qwen]\ntype = 'acp'\nskip_lines = 1", (3, 14), '`skip_lines` means nothing to a backend of type "acp"', "take it out"),
        ("[backends.claude]\nallow_refusals = true", (2, 18), '`allow_refusals` means nothing to a backend of type "claude"', "take it out"),
        ("[backends.x]\ntype = 'scripted'\nidle_timeout = 3", (3, 16), '`idle_timeout` means nothing to a backend of type "scripted"', "take it out"),
        ("[[backends.claude.replies]]\nreply = 'x'", (1, 19), '`replies` means nothing to a backend of type "claude"', "take it out"),
        ("[backends.ollama]\ncommand = 'ollama'", (2, 11), '`command` must be a URL, with http:// or https://', 'write the whole address: command = "http://ollama"'),
        ("[backends.ollama]\nbase_url = 'localhost:11434'", (2, 12), "`base_url` must be a URL, with http:// or https://", 'write the whole address: base_url = "http://localhost:11434"'),
        ("[backends.openai]\nbase_url = 'localhost:18765/v1'", (2, 12), "`base_url` must be a URL, with http:// or https://", 'write the whole address: base_url = "http://localhost:18765/v1"'),
        ("[backends.anthropic]\nbase_url = 'ftp://x'", (2, 12), "`base_url` must be a URL, with http:// or https://", 'for example base_url = "http://localhost:8000"'),
        ("[backends.anthropic]\nbase_url = 'http://'", (2, 12), "`base_url` must be a URL, with http:// or https://", 'for example base_url = "http://localhost:8000"'),
        ("[[backends.scripted.replies]]\nmatch = 'x'", (1, 1), "item 1 of `replies` says nothing", 'give it a reply = "…", a file = "…" or an error = "rate_limit"'),
        ("[[backends.scripted.replies]]\nreply = 'x'\nregex = '('", (1, 1), "item 1 of `replies` has a wrong regex: missing ), unterminated subpattern at position 0", "at character 1"),
        ("[[backends.scripted.replies]]\nreply = 'x'\nfile = 'y'", (1, 1), "item 1 of `replies` has both `reply` and `file`", "keep one"),
        ("[prices.x]\ninput = 1", (1, 9), "the price of `x` needs `output`", "USD per million tokens; 0 if they are free"),
        ("[roles.claude]\nbackends = ['codex']", (1, 8), "`claude` is a backend already", "call the role otherwise"),
        ("[roles.r]\nbackends = []", (2, 12), "`roles.r.backends` must not be empty", ""),
        ("[roles.r]\nconsensus = 'vote'", (1, 8), "the role `r` needs `backends`", 'backends = ["claude", "codex"]'),
        ("[backends.x]\ntype = 'olama'", (2, 8), '`backends.x.type` must be "claude", "codex", "gemini", "copilot", "qwen", "droid", "acp", "command", "anthropic", "openai", "gemini-api", "ollama", "bedrock" or "scripted", not "olama"', "did you mean `ollama`?"),
        ("[roles.r]\nbackends = ['claude', 'cdex']", (2, 23), "no backend is called `cdex`", "did you mean `codex`?"),
        ("[roles.r]\nbackends = ['auto']", (2, 13), "no backend is called `auto`", "there are: claude, codex, gemini, anthropic, openai, gemini-api, ollama"),
        ("[defaults]\nbackend = 'cluade'", (2, 11), "no backend is called `cluade`", "did you mean `claude`?"),
        ("[defaults]\nbackend = ''", (2, 11), "`defaults.backend` names nobody", 'name a backend, or "auto"'),
        ("[tasks.t]\nbackends = ['none']\nprompts = [{ name = 'a', prompt = 'b' }]", (2, 13), "no backend is called `none`", "there are: claude, codex, gemini, anthropic, openai, gemini-api, ollama, all"),
        ("[tasks.t]\nprompts = []", (2, 11), "`tasks.t.prompts` must not be empty", ""),
        ("[tasks.t]\ndescription = 'x'", (1, 8), "the task `t` needs `prompts`", 'prompts = [{ name = "…", prompt = "…" }]'),
        ("[tasks.t]\nprompts = [{ name = 'a' }]", (2, 12), "item 1 of `prompts` has no prompt", 'prompts = [{ name = "…", prompt = "…" }]'),
        ("[fleet]\nscheduler = 'locl'", (2, 13), "`fleet.scheduler` is no address of a fleet: 'locl'", 'scheduler = "local", "tls://host:8786", or "tcp://127.0.0.1:8786" on this machine'),
        ("[fleet]\nscheduler = 'http://h:1'", (2, 13), "`fleet.scheduler` is no address of a fleet: 'http://h:1'", 'scheduler = "local", "tls://host:8786", or "tcp://127.0.0.1:8786" on this machine'),
        ("[fleet]\nscheduler = 'tcp://10.0.0.1:8786'", (2, 13), "commands and files would go to another machine unencrypted", 'scheduler = "tls://10.0.0.1:8786", with ca, cert and key; tcp:// is for this machine alone'),
        ("[fleet]\nscheduler = 'tcp://localhost.evil:1'", (2, 13), "commands and files would go to another machine unencrypted", 'scheduler = "tls://localhost.evil:1", with ca, cert and key; tcp:// is for this machine alone'),
        ("[fleet]\nscheduler = 'tls://h:1'\nca = 'x'", (2, 13), "a scheduler at tls:// needs cert, key too", "PEM files: who may speak for the fleet, and who this driver is"),
        ("[fleet]\nscheduler = 'tcp://[::1]:1'\nkey = 'x'", (3, 7), "`fleet.key` is about a scheduler at tls://", "take it out"),
        ("[fleet]\nscheduler = 'tcp://127.1.2.3:1'\nworkers = 3", (3, 11), '`fleet.workers` is about scheduler = "local"', "a cluster has the workers that are started there"),
        ("[fleet]\ndefault = true", (2, 11), "`fleet.default` is about a fleet, and no scheduler is named", 'scheduler = "local", "tls://host:8786", or "tcp://127.0.0.1:8786" on this machine'),
        ("[fleet]\nworkers = 0", (2, 11), "`fleet.workers` must be at least 1", ""),
        ("[defaults]\nx", (2, 2), "this is not TOML: expected '=' after a key in a key/value pair", "a line is `key = value`, `[table]` or `[[steps]]`"),
    ],
)  # fmt: skip
def test_mistakes(house: House, text: str, place: tuple[int, int], message: str, hint: str) -> None:
    problem = house.problem(text)
    assert (problem.path, problem.line, problem.column) == ("lok.toml", *place)
    assert problem.message == message
    assert problem.hint == hint


def test_a_pasted_key_is_not_repeated(house: House) -> None:
    problem = house.problem('[backends.openai]\napi_key_env = "sk-secret-123"')
    assert (problem.line, problem.message) == (2, "`api_key_env` names a variable, it is not the key")
    assert "sk-secret" not in str(problem)


def test_all_mistakes_of_all_sources_come_at_once(house: House) -> None:
    user = house.user("[defaults]\nparalel = true\n[roles.r]\nbackends = ['zzz']")
    house.project("[cache]\nttl_hours = -1\n[defaults]\ntimeout = 'x'")
    problems = house.problems({"defaults.max_parallel": 0}, {"LOK_PARALLEL": "3"})
    assert [(problem.path, problem.line) for problem in problems] == [
        (str(user), 2),
        (str(user), 4),
        ("lok.toml", 2),
        ("lok.toml", 4),
        ("$LOK_PARALLEL", 0),
        ("option max_parallel", 0),
    ]


def test_a_problem_stands_where_the_last_word_was(house: House) -> None:
    house.user("[defaults]\nbackend = 'nobody'")
    house.project("[backends.x]\ntype = 'openai'")
    (problem,) = house.problems()
    assert problem.path == str(house.home / ".config/lok/lok.toml")
    house.project("[defaults]\nbackend = 'claude'")
    assert house.load().defaults.backends == ("claude",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"x = '\xff'", "the file is not UTF-8: byte 0xff has no meaning here"),
        (b"\xef\xbb\xbf[defaults]\ntimeout = 5x", "this is not TOML: expected newline or end of document after a statement"),
    ],
)  # fmt: skip
def test_what_is_not_toml(house: House, data: bytes, message: str) -> None:
    (house.root / "lok.toml").write_bytes(data)
    (problem,) = house.problems()
    assert problem.message == message


def test_what_cannot_be_read(house: House) -> None:
    (house.root / "lok.toml").mkdir()
    (problem,) = house.problems()
    assert str(problem) == "lok.toml: the file cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("environ", "refs"),
    [
        ({"LOK_BASE": "v1", "GITHUB_BASE_REF": "main"}, ("v1",)),
        ({"GITHUB_BASE_REF": "dev"}, ("refs/remotes/origin/dev", "refs/heads/dev")),
        (
            {"GITHUB_BASE_REF": "", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "dev"},
            ("refs/remotes/origin/dev", "refs/heads/dev"),
        ),
        (
            {},
            (
                "refs/remotes/origin/HEAD",
                "refs/remotes/origin/main",
                "refs/remotes/origin/master",
                "refs/heads/main",
                "refs/heads/master",
            ),
        ),
    ],
)
def test_what_a_change_is_compared_with(environ: dict[str, str], refs: tuple[str, ...]) -> None:
    assert base_refs(environ) == refs


def test_a_file_has_no_say_in_what_it_is_compared_with(house: House) -> None:
    house.project("[defaults]\nbase = 'HEAD'")
    (problem,) = house.problems()
    assert problem.message == "unknown key `base`"


def test_names_as_they_may_be_written() -> None:
    assert split_names("a, b,,") == ("a", "b")
    assert split_names(["a ", "b"]) == ("a", "b")


def test_every_key_of_a_plain_table_has_a_variable(house: House) -> None:
    plain = {
        name: kind
        for name, kind in get_type_hints(Settings).items()
        if isinstance(kind, type) and issubclass(kind, Table)
    }
    assert plain == FLAT_TABLES
    for name, table in plain.items():
        for key in keys(table):
            title = "" if name == "defaults" else f"{name.upper()}_"
            assert "no setting is named so" not in _said(house, f"LOK_{title}{key.upper()}")
    assert "no setting is named so" in _said(house, "LOK_OTEL_NONSENSE")
    assert house.load(env={"LOK_OTEL_ENABLED": "true"}).otel.enabled


def _said(house: House, variable: str) -> str:
    """What is wrong with the variable, or with its value."""
    try:
        house.load(env={variable: "1"})
    except SettingsError as wrong:
        return str(wrong)
    return ""


@pytest.mark.parametrize(
    "address", ["local", "tcp://localhost:1", "tcp://127.9.9.9:65535", "tcp://[::1]:8786"]
)
def test_a_fleet_of_this_machine_needs_no_files(house: House, address: str) -> None:
    house.project(f"[fleet]\nscheduler = '{address}'\ndefault = true")
    assert house.load().fleet.scheduler == address
    assert house.load().restricted.values == {"fleet.scheduler": address, "fleet.default": True}


def test_the_files_of_a_fleet_lie_beside_the_settings(house: House) -> None:
    house.project("[fleet]\nscheduler = 'tls://h:1'\nca = 'a.pem'\ncert = '/b.pem'\nkey = 'keys/c.pem'")
    fleet = house.load().fleet
    assert (fleet.ca, fleet.cert, fleet.key) == (
        f"{house.root}/a.pem",
        "/b.pem",
        f"{house.root}/keys/c.pem",
    )
