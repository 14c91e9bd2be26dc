"""``lok init``: what it writes is right, and runs."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from tests.backends.tools import fake_tool
from tests.cli.projects import Project
from tests.fake_llm_api import FakeLLM


@pytest.fixture
def empty(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project.root = tmp_path / "empty"
    project.root.mkdir()
    monkeypatch.chdir(project.root)
    # the steps call `lok`, and nobody else is there
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/lok").symlink_to(Path(sys.executable).parent / "lok")
    project.environ |= {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "OLLAMA_HOST": "127.0.0.1:1"}
    return project


def git(project: Project, *words: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run(["git", *who, *words], cwd=project.root, check=True, capture_output=True)


def plant(project: Project) -> None:
    project.write("oops.py", "eval(input())\n")


def test_a_sample_is_green_offline_and_red_on_a_bug(empty: Project) -> None:
    done = empty.lok("init")
    assert (done.code, done.out.count("wrote")) == (0, 5)
    assert "nobody can answer yet, so a sample does" in done.err
    assert empty.lok("workflow", "validate", "first").code == 0
    ran = empty.lok("first")
    assert ran.code == 0, ran.err
    plant(empty)
    red = empty.lok("first")
    assert red.code == 1
    assert "[critical] injection oops.py:1" in red.err


def test_in_a_repository_the_change_is_reviewed(empty: Project) -> None:
    git(empty, "init", "-q", "-b", "main")
    empty.write("old.py", "eval(input())\n")
    git(empty, "add", "-A")
    git(empty, "commit", "-q", "-m", "x")
    done = empty.lok("init")
    assert "next: lok first" in done.err
    git(empty, "add", "lok.toml", ".lok")
    assert empty.lok("first").code == 0, "what was there before is nobody's change"
    plant(empty)
    git(empty, "add", "oops.py")
    red = empty.lok("first")
    assert (red.code, "[critical] injection oops.py:1" in red.err) == (1, True)
    ignored = subprocess.run(["git", "status", "--short"], cwd=empty.root, capture_output=True, text=True)
    assert "schema" not in ignored.stdout, "git need not know what anybody can make anew"


def test_a_sample_is_no_review_of_ci(empty: Project) -> None:
    empty.lok("init")
    empty.environ["CI"] = "true"
    done = empty.lok("first")
    assert done.code == 1
    assert "failed   only-a-sample" in done.err
    assert "only a sample answers" in done.out


def test_nobody_gets_the_sample_by_chance(empty: Project) -> None:
    empty.lok("init")
    asked = empty.lok("ask", "anything else")
    assert asked.code == 3
    assert "hint: name it" not in asked.err
    empty.workflow("w", '[[steps]]\nname = "a"\nprompt = "?"\n')
    assert empty.lok("w").code == 3


def test_what_is_said_of_the_sample_is_so(empty: Project) -> None:
    """Without its tables the file is wrong, in exactly the line that the comment says to delete."""
    empty.lok("init")
    settings = empty.root / "lok.toml"
    settings.write_text(settings.read_text().partition("# A sample")[0])
    wrong = empty.lok("workflow", "validate", "first")
    assert wrong.code == 2
    assert "there is no backend `sample`" in wrong.out + wrong.err
    first = empty.root / ".lok/workflows/first.toml"
    first.write_text(first.read_text().replace('backend = "sample"\n', ""))
    assert empty.lok("workflow", "validate", "first").code == 0


def test_who_is_there_is_named_and_asked(empty: Project) -> None:
    with FakeLLM([{"reply": "[]"}]) as server:
        empty.environ |= {"OPENAI_API_KEY": "sk-1234567890", "OPENAI_BASE_URL": f"{server.url}/v1"}
        done = empty.lok("init")
        assert "openai answers" in done.err
        assert tomllib.loads((empty.root / "lok.toml").read_text()) == {"defaults": {"backend": "openai"}}
        assert empty.lok("first").code == 0
        assert [it["path"] for it in server.requests] == ["/v1/chat/completions"]


def test_one_that_is_known_to_be_signed_in_comes_before_one_that_may_be(empty: Project) -> None:
    fake_tool(empty.root / "bin", name="claude", out="2.1\n")
    empty.environ["PATH"] = f"{empty.root / 'bin'}:{empty.environ['PATH']}"
    assert "claude answers if you are signed in to it" in empty.lok("init", "--dir", "bin").err
    empty.environ["GEMINI_API_KEY"] = "sk-1234567890"
    empty.lok("init")
    assert 'backend = "gemini-api"' in (empty.root / "lok.toml").read_text()


def test_a_gate_that_asks_the_sample_is_named_once_somebody_is_there(empty: Project) -> None:
    empty.lok("init")
    assert "still asks" not in empty.lok("init").err, "nobody else is there"
    with FakeLLM([{"reply": "[]"}]) as server:
        empty.environ |= {"OPENAI_API_KEY": "sk-1234567890", "OPENAI_BASE_URL": f"{server.url}/v1"}
        said = empty.lok("init").err
        assert "first.toml still asks the sample: delete its step `only-a-sample` and its" in said
        first, settings = empty.root / ".lok/workflows/first.toml", empty.root / "lok.toml"
        before, _, after = first.read_text().partition("# The sample judges nothing.")
        text = before + after.partition("\n\n")[2]
        first.write_text(text.replace('backend = "sample"\n', ""))
        settings.write_text(settings.read_text().partition("# A sample")[0])
        assert "still asks" not in empty.lok("init").err
        assert empty.lok("first").code == 0, "what it says to delete is what has to go"
        assert len(server.requests) == 1


def test_the_job_of_a_gateway_runs_with_the_settings_of_the_change(empty: Project) -> None:
    with FakeLLM([{"reply": "[]"}]) as server:
        empty.write(
            "lok.toml",
            '[backends.gateway]\ntype = "openai"\nmodel = "m"\napi_key_env = "GATEWAY_KEY"\n'
            f'base_url = "{server.url}/v1"\n',
        )
        empty.lok("init")
        job = {"CI": "true", "LOK_BACKEND": "gateway", "GATEWAY_KEY": "sk-1234567890"}
        empty.environ |= job
        empty.environ.pop("LOK_TRUST", None)
        assert empty.lok("first").code == 2, "settings of a change are not trusted unless the job says so"
        empty.environ["LOK_TRUST"] = "1"
        assert empty.lok("first", "--report", "junit=report.xml").code == 0
        assert len(server.requests) == 1
        assert (empty.root / "report.xml").is_file()


def test_the_files_fit_the_schemas_that_they_name(empty: Project) -> None:
    empty.lok("init")
    for name in ("lok.toml", ".lok/workflows/first.toml"):
        file = empty.root / name
        first, text = file.read_text().split("\n", 1)
        schema = json.loads((file.parent / first.removeprefix("#:schema ")).read_text())
        jsonschema.validate(tomllib.loads(text), schema)


@pytest.mark.parametrize(
    ("variable", "settings", "backend", "key"),
    [
        ("OPENAI_API_KEY", "", "openai", "OPENAI_API_KEY"),
        ("", '[defaults]\nbackend = "gemini"\n', "gemini-api", "GEMINI_API_KEY"),
        ("", "", "anthropic", "ANTHROPIC_API_KEY"),
        (
            "GATEWAY_KEY",
            '[defaults]\nbackend = "gateway"\n[backends.gateway]\ntype = "openai"\nmodel = "m"\n'
            'base_url = "http://localhost:1/v1"\napi_key_env = "GATEWAY_KEY"\n',
            "gateway",
            "GATEWAY_KEY",
        ),
    ],
)
def test_a_job_of_github_has_the_key_of_who_answers(
    empty: Project, variable: str, settings: str, backend: str, key: str
) -> None:
    if variable:
        empty.environ[variable] = "sk-1234567890"
    if settings:
        empty.write("lok.toml", settings)
    done = empty.lok("init", "--ci", "github")
    assert "next: lok first" in done.err
    assert "`pip install pytest-lok` needs the package on an index that the runner knows" in done.err
    text = (empty.root / ".github/workflows/lok.yml").read_text()
    assert "fetch-depth: 0" in text
    assert text.count("pip install --quiet pytest-lok") == text.count("pip install git+URL") == 2
    assert '/bin/lok" gate first --base "$BASE" --head "$HEAD"' in text
    assert f"          LOK_BACKEND: {backend}\n" in text
    assert f"          {key}: ${{{{ secrets.{key} }}}}\n" in text
    assert '          LOK_TRUST: "1"\n' in text
    assert 'backend = "sample"' not in (empty.root / ".lok/workflows/first.toml").read_text()


def test_a_job_of_gitlab(empty: Project) -> None:
    assert "pip install git+URL" in empty.lok("init", "--ci", "gitlab").err
    text = (empty.root / ".gitlab-ci.yml").read_text()
    assert '    GIT_DEPTH: "0"\n    LOK_BACKEND: anthropic\n' in text
    assert '/bin/lok gate first --base "$base" --head "$CI_COMMIT_SHA"\n' in text
    again = empty.lok("init", "--ci", "gitlab")
    assert "kept   .gitlab-ci.yml" in again.out


def test_settings_that_are_there_need_no_offline_backend(empty: Project) -> None:
    script = "cat >/dev/null; echo ann"
    empty.write("lok.toml", f'[backends.ann]\ntype = "command"\ncommand = "sh"\nargs = ["-c", "{script}"]\n')
    empty.lok("init")
    assert "ann answers" in empty.lok("init").err
    assert 'backend = "sample"' not in (empty.root / ".lok/workflows/first.toml").read_text()


def test_nothing_is_overwritten(empty: Project) -> None:
    empty.write("lok.toml", "# mine\n")
    done = empty.lok("init")
    assert done.code == 0
    assert "kept   lok.toml" in done.out
    assert (empty.root / "lok.toml").read_text() == "# mine\n"
    again = empty.lok("init")
    assert "kept   .lok/workflows/first.toml" in again.out


def test_settings_in_pyproject_are_settings(empty: Project) -> None:
    empty.write("pyproject.toml", "[tool.lok.defaults]\ntimeout = 5\n")
    done = empty.lok("init")
    assert "kept   pyproject.toml" in done.out
    assert not (empty.root / "lok.toml").exists()
    assert empty.lok("workflow", "validate").code == 0


def test_another_directory(empty: Project) -> None:
    (empty.root / "there").mkdir()
    empty.lok("init", "--dir", "there")
    assert (empty.root / "there/.lok/workflows/first.toml").is_file()
    assert not (empty.root / ".lok").exists()


@pytest.mark.parametrize("folder", ["sub", "sub/a b's: {x}"])
def test_a_job_of_ci_lies_at_the_root_of_the_repository(
    empty: Project, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    git(empty, "init", "-q", "-b", "main")
    (empty.root / folder).mkdir(parents=True)
    monkeypatch.chdir(empty.root / folder)
    up = "../" * len(Path(folder).parts)
    assert f"wrote  {up}.github/workflows/lok.yml" in empty.lok("init", "--ci", "github").out
    assert f"wrote  {up}.gitlab-ci.yml" in empty.lok("init", "--ci", "gitlab").out
    assert sorted(it.name for it in (empty.root / folder).iterdir()) == [".lok", "lok.toml"]
    github = (empty.root / ".github/workflows/lok.yml").read_text()
    place = f"        working-directory: {json.dumps(folder)}"
    assert f"    defaults:\n      run:\n{place}\n    steps:\n" in github
    gitlab = (empty.root / ".gitlab-ci.yml").read_text()
    assert f"      junit: {json.dumps(folder + '/lok.xml')}\n" in gitlab
    first = next(json.loads(line[6:]) for line in gitlab.splitlines() if line.startswith('    - "cd '))
    where = subprocess.run(["sh", "-c", f"{first}; pwd"], cwd=empty.root, capture_output=True, text=True)
    assert where.stdout.strip() == str(empty.root / folder)


def test_a_job_of_the_root_works_there(empty: Project) -> None:
    git(empty, "init", "-q", "-b", "main")
    empty.lok("init", "--ci", "github")
    text = (empty.root / ".github/workflows/lok.yml").read_text()
    assert "        working-directory: .\n    steps:\n" in text


def test_a_place_that_cannot_be_written(empty: Project) -> None:
    empty.write(".lok", "a file where a directory must be")
    done = empty.lok("init")
    assert done.code == 3
    assert "cannot write" in done.err


def test_it_shadows_no_built_in(empty: Project) -> None:
    before = {entry["name"] for entry in empty.lok("workflow", "list", "--json").document}
    empty.lok("init")
    after = {entry["name"] for entry in empty.lok("workflow", "list", "--json").document}
    assert after - before == {"first"}
