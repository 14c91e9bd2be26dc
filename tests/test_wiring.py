"""A directory with settings -> a project, its workflows, and the world they run in."""

import asyncio
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.backends.scripted import Scripted
from pytest_lok.core.asking.pricing import Price
from pytest_lok.core.results import Outcome, RunResult
from pytest_lok.core.workflow.model import Ask, Origin, Strategy, Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.ports import CommandSpec, Prompt, World
from pytest_lok.engine.run import run
from pytest_lok.errors import BackendError, BackendFault, SettingsError, UsageError, WorkflowError
from pytest_lok.wiring import Project
from pytest_lok.wiring.catalog import CatalogEntry
from tests.backends.acp_scripts import AGENT, END, PERMISSION
from tests.backends.asking import ask, expect_error
from tests.fake_llm_api import FakeLLM

STEP = '[[steps]]\nname = "a"\nprompt = "?"\n'
OFFLINE = """
[backends.offline]
type = "scripted"
[[backends.offline.replies]]
reply = "as scripted"
[backends.other]
type = "scripted"
[[backends.other.replies]]
reply = "as scripted"
"""


class House:
    """A project and a home, in real files."""

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "project"
        self.home = tmp_path / "home"
        self.bin = tmp_path / "bin"
        self.bin.mkdir()
        for name in ("sh", "cat", "env"):
            (self.bin / name).symlink_to(shutil.which(name) or name)
        self.environ = {"HOME": str(self.home), "PATH": str(self.bin)}
        self.write("lok.toml", "")

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def workflow(self, name: str, text: str = STEP) -> Path:
        return self.write(f".lok/workflows/{name}.toml", text)

    def user(self, name: str, text: str) -> Path:
        return self.write(f"../home/.config/lok/{name}", text)

    def program(self, name: str, script: str) -> Path:
        path = self.write(f"../bin/{name}", f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def open(self, settings: str | None = None, options: Mapping[str, Any] | None = None) -> Project:
        if settings is not None:
            self.write("lok.toml", settings)
        return Project.open(self.root, environ=self.environ, options=options, trust=True)

    def world(self, settings: str) -> World:
        return self.open(settings).world()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def problem(world: World, name: str) -> BackendError:
    found = world.backends[name].unavailable()
    assert found is not None
    with pytest.raises(BackendError) as caught:
        asyncio.run(world.backends[name].ask(Prompt(text="?")))
    assert str(caught.value) == str(found)
    return found


def ran(workflow: Workflow, world: World) -> RunResult:
    return asyncio.run(run(Plan.of(workflow), world))


def ask_of(workflow: Workflow, step: str = "a") -> Ask:
    action = workflow.step(step).action
    assert isinstance(action, Ask)
    return action


class TestOpen:
    def test_finds_the_project_from_inside(self, house: House) -> None:
        inside = house.write("src/deep/x.py", "").parent
        assert Project.open(inside, environ=house.environ).root == house.root

    def test_or_takes_exactly_that_directory(self, house: House) -> None:
        inside = house.write("src/deep/x.py", "").parent
        assert Project.open(inside, environ=house.environ, search_up=False).root == inside

    def test_reads_what_it_is_told_to(self, house: House) -> None:
        house.write("lok.toml", "[defaults]\ntimeout = 1")
        config = house.write("other.toml", "[defaults]\nmax_parallel = 2")
        project = Project.open(
            house.root, environ=house.environ, config=config, options={"defaults.timeout": "5m"}
        )
        assert (project.settings.defaults.timeout, project.settings.defaults.max_parallel) == (300, 2)

    def test_says_what_is_wrong_with_the_settings(self, house: House) -> None:
        with pytest.raises(SettingsError, match=r"lok\.toml:1:2: unknown key `default`"):
            house.open("[default]")

    def test_says_that_there_is_no_such_directory(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"there is no directory .*gone"):
            Project.open(tmp_path / "gone", environ={})


TASK = '[tasks.hunt]\ndescription = "D"\nbackends = ["codex"]\nprompts = [{ name = "n+1", prompt = "{{ x }}" }]\n'


class TestLoad:
    def test_by_name_and_by_path(self, house: House) -> None:
        path = house.workflow("audit")
        project = house.open()
        assert project.load("audit") == project.load(path) == project.load(str(path))
        assert (project.load("audit").origin, project.load("audit").path) == (
            Origin.PROJECT,
            ".lok/workflows/audit.toml",
        )

    def test_the_project_s_before_the_user_s_before_tasks_before_built_in(self, house: House) -> None:
        project = house.open()
        assert project.load("hunt").origin is Origin.BUILTIN
        project = house.open(TASK)
        assert project.load("hunt").origin is Origin.SETTINGS
        house.user("workflows/hunt.toml", STEP)
        assert project.load("hunt").origin is Origin.USER
        house.workflow("hunt")
        assert project.load("hunt").origin is Origin.PROJECT

    def test_may_extend_the_one_it_shadows(self, house: House) -> None:
        house.workflow("audit", 'extends = "audit"\n' + STEP)
        built_in = [step.name for step in house.open().load("audit").steps]
        house.workflow("audit", 'extends = "hunt"\n' + STEP)
        other = [step.name for step in house.open().load("audit").steps]
        assert built_in[-1] == other[-1] == "a"
        assert len(built_in) > 1
        assert built_in != other

    def test_all_mistakes_of_a_file(self, house: House) -> None:
        house.workflow("audit", '[[steps]]\nname = "a"\nprompt = "?"\nbackend = "cluade"\nretires = 1')
        with pytest.raises(WorkflowError) as caught:
            house.open().load("audit")
        assert [(p.path, p.line, p.column) for p in caught.value.problems] == [
            (".lok/workflows/audit.toml", 4, 12),
            (".lok/workflows/audit.toml", 5, 1),
        ]

    def test_backends_are_those_of_the_settings(self, house: House) -> None:
        house.workflow("audit", STEP + 'backends = ["offline", "claude"]')
        with pytest.raises(WorkflowError, match="there is no backend `offline`"):
            house.open().load("audit")
        assert ask_of(house.open(OFFLINE).load("audit")).backends == ("offline", "claude")

    def test_schemas_lie_beside_the_workflow(self, house: House) -> None:
        house.workflow("audit", STEP + 'output_schema = "answer.json"')
        house.write(".lok/workflows/answer.json", '{"type": "array"}')
        assert house.open().load("audit").step("a").output_schema == {"type": "array"}

    def test_an_unknown_name(self, house: House) -> None:
        house.workflow("security-review")
        with pytest.raises(UsageError) as caught:
            house.open(TASK).load("security-reveiw")
        assert caught.value.message == "there is no workflow 'security-reveiw'"
        assert caught.value.hint.startswith("did you mean 'security-review'? There are: audit, ")

    def test_an_unknown_path(self, house: House) -> None:
        with pytest.raises(UsageError, match=r"there is no file gone\.toml"):
            house.open().load("gone.toml")
        with pytest.raises(UsageError, match="is not a workflow"):
            house.open().load("some/where")


def test_the_catalog_names_each_workflow_once(house: House) -> None:
    house.workflow("audit")
    house.workflow("zebra", "broken")
    house.user("workflows/audit.toml", STEP)
    house.user("workflows/mine.toml", STEP)
    found = house.open(TASK).catalog.entries()
    assert found[:4] == [
        CatalogEntry(stem="audit", origin=Origin.PROJECT),
        CatalogEntry(stem="zebra", origin=Origin.PROJECT),
        CatalogEntry(stem="mine", origin=Origin.USER),
        CatalogEntry(stem="hunt", origin=Origin.SETTINGS),
    ]
    names = [f.stem for f in found]
    assert len(names) == len(set(names))
    assert {f.origin for f in found[4:]} == {Origin.BUILTIN}


def test_every_built_in_workflow_is_valid(house: House) -> None:
    project = house.open()
    for found in project.catalog.entries():
        assert project.load(found.stem).steps, found


class TestTasks:
    def test_are_workflows(self, house: House) -> None:
        workflow = house.open("\n" + TASK).load("hunt")
        assert (workflow.stem, workflow.description, workflow.path) == ("hunt", "D", "lok.toml")
        assert not workflow.collect
        (step,) = workflow.steps
        assert (step.name, step.path, step.line) == ("n+1", "lok.toml", 2)
        assert ask_of(workflow, "n+1").backends == ("codex",)

    def test_run(self, house: House) -> None:
        settings = OFFLINE + TASK.replace('"codex"', '"offline"')
        project = house.open(settings)
        result = ran(project.load("hunt"), project.world())
        assert result.output == "as scripted"

    @pytest.mark.parametrize("backends", ["[]", '["all"]'])
    def test_ask_everybody_that_is_enabled(self, house: House, backends: str) -> None:
        settings = TASK.replace('["codex"]', backends) + "[backends.codex]\nenabled = false"
        assert ask_of(house.open(settings).load("hunt"), "n+1").backends == ("claude", "gemini", "ollama")

    def test_know_roles(self, house: House) -> None:
        settings = TASK.replace('"codex"', '"reviewer"') + ROLE
        ask = ask_of(house.open(settings).load("hunt"), "n+1")
        assert (ask.backends, ask.consensus) == (("claude", "codex"), Strategy.VOTE)


ROLE = '[roles.reviewer]\nbackends = ["claude", "codex"]\nconsensus = "vote"\n'


class TestRoles:
    @pytest.mark.parametrize(
        ("step", "backends", "consensus"),
        [
            ('backend = "reviewer"', "claude codex", "vote"),
            ('backends = ["reviewer"]', "claude codex", "vote"),
            ('backend = "reviewer"\nconsensus = "synthesis"', "claude codex", "synthesis"),
            ('backend = "gemini, reviewer"', "gemini claude codex", "synthesis"),
            ('backends = ["codex", "reviewer"]\nconsensus = "first"', "codex claude", "first"),
            ('backend = "reviewer"\nquorum = "all"', "claude codex", "vote"),
            ('backend = "gemini"', "gemini", "synthesis"),
            ("", "", "synthesis"),
        ],
    )
    def test_stand_for_their_backends(self, house: House, step: str, backends: str, consensus: str) -> None:
        house.workflow("w", STEP + step)
        ask = ask_of(house.open(ROLE).load("w"))
        assert (ask.backends, ask.consensus) == (tuple(backends.split()), consensus)

    def test_are_meant_by_whoever_misspells_them(self, house: House) -> None:
        house.workflow("w", STEP + 'backend = "reveiwer"')
        with pytest.raises(WorkflowError, match="did you mean `reviewer`"):
            house.open(ROLE).load("w")

    def test_cannot_synthesise(self, house: House) -> None:
        house.workflow("w", STEP + 'backend = "claude, codex"\nsynthesizer = "reviewer"')
        with pytest.raises(WorkflowError, match="there is no backend `reviewer`"):
            house.open(ROLE).load("w")

    def test_may_be_the_default(self, house: House) -> None:
        house.workflow("w", STEP)
        project = house.open(ROLE + '[defaults]\nbackend = "reviewer"')
        ask = ask_of(project.load("w"))
        assert (ask.backends, ask.consensus) == (("claude", "codex"), Strategy.VOTE)
        assert project.world().default_backends == ("claude", "codex")

    def test_may_be_part_of_the_default(self, house: House) -> None:
        house.workflow("w", STEP)
        ask = ask_of(house.open(ROLE, {"defaults.backend": "gemini,reviewer"}).load("w"))
        assert (ask.backends, ask.consensus) == (("gemini", "claude", "codex"), Strategy.SYNTHESIS)


class TestBackends:
    def test_are_all_there_in_the_order_of_preference(self, house: House) -> None:
        world = house.world("[backends.ollama]\nenabled = false" + OFFLINE)
        assert list(world.backends) == [
            "ollama", "offline", "other", "claude", "codex", "gemini", "anthropic", "openai", "gemini-api",
        ]  # fmt: skip
        assert {name: backend.name for name, backend in world.backends.items()} == {
            name: name for name in world.backends
        }

    def test_offline_ones_answer(self, house: House) -> None:
        house.write("answer.json", "[1]")
        world = house.world(
            "[backends.offline]\ntype = 'scripted'\nmodel = 'm'\n"
            "replies = [{ match = 'x', file = 'answer.json' }, { regex = '(y+)', reply = '\\g<1>' }, { error = 'overload' }]"
        )
        backend = world.backends["offline"]
        reply = asyncio.run(backend.ask(Prompt(text="an x")))
        assert (reply.text, reply.model) == ("[1]", "m")
        assert asyncio.run(backend.ask(Prompt(text="ayy"))).text == "yy"
        with pytest.raises(BackendError) as caught:
            asyncio.run(backend.ask(Prompt(text="z")))
        assert caught.value.kind is BackendFault.OVERLOAD

    def test_a_command_answers_from_the_workspace(self, house: House) -> None:
        house.write("secret.txt", "from the workspace")
        world = house.world(
            "[backends.mine]\ntype = 'command'\ncommand = 'sh'\nargs = ['-c', 'cat >/dev/null; cat secret.txt']"
        )
        assert world.backends["mine"].unavailable() is None
        assert asyncio.run(world.backends["mine"].ask(Prompt(text="?"))).text == "from the workspace"

    def test_command_line_tools_are_known_by_name(self, house: House) -> None:
        house.program(
            "claude",
            """cat >/dev/null; echo '{"type": "result", "is_error": false, "result": "'"$ANTHROPIC_API_KEY $OPENAI_API_KEY $EXTRA"'"}'""",
        )
        house.environ |= {"MY_KEY": "mine", "OPENAI_API_KEY": "other", "EXTRA": "more"}
        world = house.world("[backends.claude]\ncommand = 'claude'\napi_key_env = 'MY_KEY'\nenv = ['EXTRA']")
        assert asyncio.run(world.backends["claude"].ask(Prompt(text="?"))).text == "mine  more"

    @pytest.mark.parametrize(
        ("settings", "name", "path"),
        [
            ("[backends.openai]\nbase_url = '{url}/v1'", "openai", "/v1/chat/completions"),
            ("[backends.openai]\nbase_url = '{url}/v1'\napi = 'responses'", "openai", "/v1/responses"),
            ("[backends.claude]\nbase_url = '{url}'\napi_key_env = 'K'", "claude", "/v1/messages"),
            (
                "[backends.gemini-api]\nbase_url = '{url}'",
                "gemini-api",
                "/v1beta/models/m:streamGenerateContent",
            ),
            ("[backends.ollama]\nbase_url = '{url}'", "ollama", "/api/chat"),
        ],
    )
    def test_servers_are_asked_in_their_own_way(
        self, house: House, settings: str, name: str, path: str
    ) -> None:
        house.environ["K"] = "a-key-12345678"
        with FakeLLM([{"reply": "fine"}]) as server:
            world = house.world(settings.replace("{url}", server.url) + "\nmodel = 'm'")
            assert ask(world.backends[name]).text == "fine"
        assert server.requests[0]["path"] == path

    def test_an_agent_is_told_to_ask_first_and_what_it_asks_is_refused(self, house: House) -> None:
        script = house.root / "script.json"
        script.write_text(json.dumps({"session/prompt": [PERMISSION, {"said": "fine"}, END]}))
        seen = house.root / "seen"
        agent = f"{sys.executable} -S -E {AGENT} {script}"
        house.program("opencode", f'echo "$@ $OPENCODE_PERMISSION" > {seen}; exec {agent}')
        table = "[backends.opencode]\ntype = 'acp'\n"
        error = expect_error(house.world(table).backends["opencode"])
        assert "1 use of a tool was refused: Edit a.py" in error.message
        assert seen.read_text().startswith('acp {"edit":"ask"')
        world = house.world(f"{table}allow_refusals = true")
        assert ask(world.backends["opencode"]).text == "fine"

    @pytest.mark.parametrize("kind", ["command", "openai"])
    def test_silence_has_a_limit_of_its_own(self, house: House, kind: str) -> None:
        house.program("mute", "exec /bin/sleep 1000")
        with FakeLLM([{"fault": "hang"}]) as server:
            where = "command = 'mute'" if kind == "command" else f"base_url = '{server.url}/v1'\nmodel = 'm'"
            world = house.world(f"[backends.it]\ntype = '{kind}'\nidle_timeout = 0.3\n{where}")
            error = expect_error(world.backends["it"])
        assert error.kind is BackendFault.TIMEOUT
        assert "nothing for 0.3 s" in error.message

    @pytest.mark.parametrize(
        ("settings", "name", "kind", "message", "hint"),
        [
            ("[backends.claude]\nenabled = false", "claude", BackendFault.DISABLED, "claude is switched off", "enabled = true"),
            ("", "claude", BackendFault.NOT_INSTALLED, "command not found: claude", "npm install"),
            ("[backends.openai]", "openai", BackendFault.NOT_CONFIGURED, "OPENAI_API_KEY", "export"),
            ("[backends.claude]\napi_key_env = 'K'", "claude", BackendFault.NOT_CONFIGURED, "claude: the variable K is not set", "export K=…"),
            ("[backends.gemini-api]", "gemini-api", BackendFault.NOT_CONFIGURED, "GEMINI_API_KEY is not set", "export"),
            ("[backends.bedrock]", "bedrock", BackendFault.NOT_CONFIGURED, "AWS_REGION is not set", "us-east-1"),
        ],
    )  # fmt: skip
    def test_that_cannot_answer_say_why(
        self, house: House, settings: str, name: str, kind: BackendFault, message: str, hint: str
    ) -> None:
        found = problem(house.world(settings), name)
        assert (found.kind, found.backend) == (kind, name)
        assert message in found.message
        assert hint in found.hint

    def test_one_that_cannot_is_an_error_of_its_step(self, house: House) -> None:
        house.workflow("w", STEP + 'backend = "claude"')
        project = house.open("[backends.claude]\nenabled = false")
        step = ran(project.load("w"), project.world()).steps["a"]
        assert (step.outcome, step.reason) == (Outcome.ERROR, "claude is switched off")
        assert step.hint == "set `enabled = true` in [backends.claude]"

    def test_given_ones_replace_all(self, house: House) -> None:
        given = {"mine": Scripted("mine", "hello")}
        assert house.open(OFFLINE).world(given).backends is given


class TestWorld:
    def test_follows_the_settings(self, house: House) -> None:
        world = house.world(
            "[defaults]\nbackend = 'claude, codex'\ntimeout = 7\nmax_parallel = 3\ncommand_wrapper = 'nix {cmd}'\n"
            "[backends.claude]\nweight = 9\ntimeout = 0\n[backends.codex]\ntimeout = '5m'\n"
            "[prices.'gpt-*']\ninput = 1\noutput = 2.5"
        )
        assert world.default_backends == ("claude", "codex")
        assert (world.limits.max_parallel, world.limits.timeout, world.limits.is_explicit) == (3, 7, True)
        assert world.command_wrapper == "nix {cmd}"
        assert (world.weights["claude"], world.weights["codex"]) == (9, 1.5)
        assert world.timeouts == {"claude": math.inf, "codex": 300}
        assert world.prices == {"gpt-*": Price(input=1, output=2.5)}
        assert world.env == house.environ
        assert world.workspace.root == str(house.root)

    def test_masks_the_keys_of_its_backends(self, house: House) -> None:
        house.environ |= {"PLAIN": "correct-horse", "SOME_TOKEN": "battery-staple"}
        world = house.world("[backends.openai]\napi_key_env = 'PLAIN'")
        assert world.redactor.text("correct-horse battery-staple") == "[redacted] [redacted]"

    def test_without_parallel_there_is_one_question_at_a_time(self, house: House) -> None:
        world = house.world("[defaults]\nparallel = false" + OFFLINE)
        assert (world.limits.max_parallel, world.limits.is_explicit) == (1, True)
        assert len(set(world.limiters.values())) == 1
        assert world.limiters.keys() == world.backends.keys()

    def test_every_backend_has_its_own_limit(self, house: House) -> None:
        world = house.world(OFFLINE)
        assert not world.limits.is_explicit, "nobody has set one"
        assert world.limiters.keys() == world.backends.keys() - {"offline", "other"}
        assert len(set(world.limiters.values())) == len(world.limiters) == 7

    def test_a_pace_holds_beside_the_limit_and_without_parallel(self, house: House) -> None:
        slow = "[backends.slow]\ntype = 'openai'\nbase_url = 'http://localhost:1'\nmax_concurrent = 0\n"
        assert "slow" not in house.world(slow).limiters
        assert "slow" in house.world(slow + "requests_per_minute = 7").limiters
        world = house.world("[defaults]\nparallel = false\n" + slow + "requests_per_minute = 7")
        assert world.limiters["slow"] is not world.limiters["claude"]

    def test_limits_hold_for_all_worlds_of_a_project(self, house: House) -> None:
        project = house.open()
        first, second = project.world(), replace(project, environ={}).world({"mine": Scripted("mine", "x")})
        assert first.limiters == second.limiters

    def test_a_change_is_compared_with_what_ci_says(self, house: House) -> None:
        house.environ |= {"GITHUB_BASE_REF": "dev", "PATH": os.environ["PATH"]}
        for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"], ["branch", "dev"]):
            who = ["-c", "user.name=x", "-c", "user.email=x"]
            subprocess.run(["git", *who, *arguments], cwd=house.root, check=True)
        workspace = house.open().world().workspace
        assert asyncio.run(workspace.comparison([])).base.startswith("refs/heads/dev (")
        assert asyncio.run(workspace.text_at_base(".lok/baseline.json")) is None
        house.write("x.py", "x")
        assert workspace.read("x.py") == b"x"

    def test_verify_does_not_look_inside_a_wrapper(self, house: House) -> None:
        house.write("go.mod", "module x")
        house.environ["PATH"] = "/nowhere"
        world = house.world("[defaults]\ncommand_wrapper = 'docker exec x {cmd}'")
        assert world.workspace.verify_command("true") == "go vet ./... && go build ./..."


CI = {
    "GITHUB_ENV": "/f", "GITHUB_OUTPUT": "/f", "GITHUB_PATH": "/f", "GITHUB_STATE": "/f",
    "GITHUB_STEP_SUMMARY": "/f", "PYTEST_CURRENT_TEST": "x (call)", "PYTEST_XDIST_WORKER": "gw0",
}  # fmt: skip
KEYS = {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k", "GEMINI_API_KEY": "k", "OWN_KEY": "k"}
PEOPLES = {
    "GH_TOKEN": "t",
    "GITHUB_TOKEN": "t",
    "CARGO_HOME": "/c",
    "PYTEST_ADDOPTS": "-q",
    "LOK_TIMEOUT": "9",
}


class TestEnvironmentOfCommands:
    def seen(self, house: House, settings: str) -> dict[str, str]:
        house.environ |= CI | KEYS | PEOPLES
        command = CommandSpec(argv=("env", "-0"), env={"DECLARED": "d"})
        world = house.world("[backends.openai]\napi_key_env = 'OWN_KEY'\n" + settings)
        printed = asyncio.run(world.shell.run(command)).stdout
        seen = dict(line.split("=", 1) for line in printed.split("\0") if line)
        assert seen.pop("LOK_PROCESS")
        return seen

    def test_is_the_user_s_without_keys_and_command_files(self, house: House) -> None:
        kept = {"HOME": str(house.home), "PATH": str(house.bin), "DECLARED": "d"}
        assert self.seen(house, "") == kept | PEOPLES

    def test_can_be_what_every_program_needs(self, house: House) -> None:
        kept = {"HOME": str(house.home), "PATH": str(house.bin), "DECLARED": "d"}
        assert self.seen(house, "[defaults]\nenv_policy = 'clean'") == kept


def test_a_run_inside_a_step_of_another_does_not_wait_for_it(house: House) -> None:
    outer = house.world("").workspace.run_lock(alone=True)
    assert outer.try_acquire()
    assert not house.world("").workspace.run_lock(alone=False).try_acquire()
    house.environ["LOK_PROCESS"] = "outer;"
    assert house.world("").workspace.run_lock(alone=True).try_acquire()
    outer.release()


def test_opening_a_project_and_making_its_world_connects_to_nothing(house: House) -> None:
    """Nor does it pay for a client: httpx comes with the first question to a server."""
    house.write("lok.toml", "[backends.openai]\nbase_url = 'http://localhost:1'")
    script = """
import json, sys
from pathlib import Path
from pytest_lok.wiring import Project
project = Project.open(Path(sys.argv[1]), environ={}, trust=True)
world = project.world()
world.backends["openai"].unavailable()
print(json.dumps(sorted({"httpx", "ssl", "jsonschema", "rich"} & sys.modules.keys())))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(house.root)], capture_output=True, text=True, check=True
    )
    assert "httpx" not in json.loads(done.stdout)


def test_a_kill_reaches_the_processes_of_every_world(house: House) -> None:
    """Backends of one world answer in another, which is told to kill."""

    async def story() -> None:
        project = house.open()
        first, second = project.world(), project.world()
        work = asyncio.create_task(
            first.shell.run(CommandSpec(argv=("/bin/sh", "-c", ": > up; kill -STOP $$")))
        )
        async with asyncio.timeout(30):
            while not (house.root / "up").exists():
                await asyncio.sleep(0.01)
            second.kill()
            assert (await work).exit_code == -signal.SIGKILL

    asyncio.run(story())


def test_a_built_in_workflow_is_listed_as_it_is_loaded(house: House) -> None:
    catalog = house.open().catalog
    for entry in catalog.entries():
        loaded, files = catalog.load(entry.stem), catalog.built_in(entry.stem)
        assert files, entry.stem
        assert next(filter(None, (file.description for file in files))) == loaded.description
        names = dict.fromkeys(step.name for file in reversed(files) for step in file.steps)
        assert list(names) == [step.name for step in loaded.steps]


def test_a_built_in_workflow_that_extends_a_file_of_the_project_is_loaded_whole(house: House) -> None:
    house.write(".lok/workflows/pr.toml", 'extends = "review-pr"\n')
    assert house.open().catalog.built_in("review-pr") == []
