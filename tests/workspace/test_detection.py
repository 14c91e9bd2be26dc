"""What a directory's own files say about it, and the commands that verify it."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.detection import detect
from pytest_lok.workspace.files import Files
from pytest_lok.workspace.git import Git
from pytest_lok.workspace.local_workspace import LocalWorkspace
from pytest_lok.workspace.processes.runner import LocalProcesses

EVERYTHING = "everything"


def checkout(root: Path, files: Mapping[str, str], *, installed: str = EVERYTHING) -> LocalWorkspace:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    def which(name: str) -> str | None:
        return f"/usr/bin/{name}" if installed == EVERYTHING or name in installed.split() else None

    git = Git(root, LocalProcesses(root, {}), [])
    return LocalWorkspace(root, files=Files(root, root.parent / "state"), git=git, which=which)


CARGO = '[package]\nname = "x"\n'
PYPROJECT = '[project]\nname = "x"\n'


@pytest.mark.parametrize(
    ("files", "language"),
    [
        ({}, ""),
        ({"README.md": "rails django"}, ""),
        ({"Cargo.toml": CARGO}, "rust"),
        ({"go.mod": "module x"}, "go"),
        ({"go.work": ""}, "go"),
        ({"Gemfile": 'gem "rack"'}, "ruby"),
        ({"pyproject.toml": PYPROJECT}, "python"),
        ({"setup.py": ""}, "python"),
        ({"requirements.txt": "flask"}, "python"),
        ({"package.json": '{"scripts": {}}'}, "javascript"),
        ({"package.json": '{"scripts": {}}', "tsconfig.json": "{}"}, "typescript"),
        ({"package.json": '{"devDependencies": {"typescript": "5"}}'}, "typescript"),
        # several at once: a package wins over mere use
        ({"Cargo.toml": CARGO, "package.json": '{"scripts": {}}'}, "rust"),
        ({"Cargo.toml": CARGO, "pyproject.toml": PYPROJECT}, "rust"),
        ({"Gemfile": "", "package.json": '{"scripts": {}}'}, "ruby"),
        ({"manage.py": "", "package.json": '{"scripts": {}}'}, "python"),
        ({"pyproject.toml": "[tool.ruff]", "package.json": '{"scripts": {}}'}, "javascript"),
        ({"pyproject.toml": "[tool.ruff]", "package.json": "{}"}, "python"),
        # only the directory itself counts
        ({"backend/pyproject.toml": PYPROJECT, "package.json": '{"scripts": {}}'}, "javascript"),
        ({"backend/pyproject.toml": PYPROJECT}, ""),
        # a manifest that is broken still has its name
        ({"pyproject.toml": "[["}, "python"),
        ({"package.json": "{"}, "javascript"),
        ({"package.json": "[1]"}, "javascript"),
        ({"Cargo.toml": "\x00"}, "rust"),
    ],
)
def test_language(tmp_path: Path, files: dict[str, str], language: str) -> None:
    assert checkout(tmp_path, files).project()["language"] == language


@pytest.mark.parametrize(
    ("files", "tools"),
    [
        (
            {"pyproject.toml": PYPROJECT + 'dependencies = ["Django>=4", "sqlalchemy[asyncio]"]'},
            "django sqlalchemy",
        ),
        ({"pyproject.toml": '[project]\nname = "ruff-rails-helper"\ndescription = "mypy"'}, ""),
        ({"pyproject.toml": '[dependency-groups]\ndev = ["ruff==1", {include-group = "x"}]'}, "ruff"),
        ({"pyproject.toml": '[project.optional-dependencies]\ntest = ["pytest"]'}, "pytest"),
        ({"pyproject.toml": "[tool.mypy]\nstrict = true\n[tool.pytest.ini_options]"}, "mypy pytest"),
        ({"pyproject.toml": '[tool.poetry.group.dev.dependencies]\npytest = "^8"'}, "pytest"),
        ({"pyproject.toml": '[tool.hatch.envs.test]\ndependencies = ["mypy"]'}, "mypy"),
        ({"pyproject.toml": "project = 3\ntool = 4"}, ""),
        ({"requirements.txt": "# ruff\n-r base.txt\nfastapi ; python_version > '3'\n"}, "fastapi"),
        ({"requirements-dev.txt": "Flake8"}, "flake8"),
        (
            {"setup.cfg": "[tool:pytest]\n[mypy]\n[options]\ninstall_requires =\n  flask\n"},
            "flask mypy pytest",
        ),
        ({"setup.cfg": "no section"}, ""),
        ({"Pipfile": '[dev-packages]\nblack = "*"'}, "black pipenv"),
        ({"uv.lock": "", "conftest.py": ""}, "pytest uv"),
        (
            {"package.json": '{"name": "react", "dependencies": {"vue": "3"}}', "pnpm-lock.yaml": ""},
            "pnpm vue",
        ),
        ({"package.json": '{"dependencies": ["vue"]}'}, ""),
        ({"package.json": '{"packageManager": "pnpm@9.1.0"}'}, "pnpm"),
        ({"package.json": '{"packageManager": ["yarn"]}'}, ""),
        ({"eslint.config.mjs": "", ".eslintrc.json": "", "vitest.config.ts": ""}, "eslint vitest"),
        ({"Gemfile": "gem 'rails', '~> 7'\n# gem 'sidekiq'\n  gem(\"rspec-rails\")"}, "rails rspec"),
        (
            {"Cargo.toml": '[workspace.dependencies]\ntokio = "1"\n[dev-dependencies]\nsqlx = "1"'},
            "sqlx tokio",
        ),
        ({"compose.yaml": "", "main.tf": "", ".gitlab-ci.yml": ""}, "docker gitlab-ci terraform"),
        ({".github/workflows/ci.yml": ""}, "github-actions"),
        ({".github/CODEOWNERS": ""}, ""),
    ],
)
def test_tools(tmp_path: Path, files: dict[str, str], tools: str) -> None:
    assert checkout(tmp_path, files).project()["tools"] == tools.split()


def test_root_is_the_directory(tmp_path: Path) -> None:
    assert checkout(tmp_path, {}).project()["root"] == str(tmp_path)
    assert checkout(tmp_path, {}).root == str(tmp_path)


def test_a_directory_that_is_not_there_tells_nothing(tmp_path: Path) -> None:
    assert detect(tmp_path / "gone") == ("", frozenset())


def test_it_looks_once_and_only_when_asked(tmp_path: Path) -> None:
    tree = checkout(tmp_path, {})
    (tmp_path / "Cargo.toml").write_text(CARGO)
    assert tree.project()["language"] == "rust"
    (tmp_path / "Cargo.toml").unlink()
    assert tree.project()["language"] == "rust"


RUFF = PYPROJECT + "[tool.ruff]\n"
BUILD = json.dumps({"scripts": {"lint": "eslint .", "build": "vite build", "test": "vitest"}})


@pytest.mark.parametrize(
    ("files", "preset", "command"),
    [
        ({"pyproject.toml": RUFF}, "true", "ruff check ."),
        ({"pyproject.toml": RUFF}, "python", "ruff check ."),
        ({"pyproject.toml": RUFF + "[tool.mypy]"}, "true", "ruff check . && mypy ."),
        ({"pyproject.toml": RUFF + '[tool.mypy]\nfiles = ["x"]'}, "true", "ruff check . && mypy"),
        ({"setup.cfg": "[mypy]\nfiles = x\n[flake8]"}, "python", "flake8 && mypy"),
        ({"pyproject.toml": RUFF, "conftest.py": ""}, "true", "ruff check ."),
        ({"pyproject.toml": PYPROJECT, "conftest.py": ""}, "true", "pytest -q --ignore=.lok"),
        ({"pyproject.toml": RUFF, "uv.lock": ""}, "true", "uv run ruff check ."),
        ({"pyproject.toml": RUFF, "uv.lock": "", ".venv/bin/ruff": ""}, "true", ".venv/bin/ruff check ."),
        ({"Cargo.toml": CARGO}, "true", "cargo clippy --all-targets -- -D warnings && cargo build"),
        (
            {"Cargo.toml": '[workspace]\nmembers = ["a"]'},
            "rust",
            "cargo clippy --workspace --all-targets -- -D warnings && cargo build --workspace",
        ),
        ({"go.mod": ""}, "true", "go vet ./... && go build ./..."),
        ({"go.mod": "", ".golangci.yml": ""}, "go", "go vet ./... && golangci-lint run && go build ./..."),
        ({"package.json": BUILD}, "true", "npm run lint && npm run build"),
        ({"package.json": BUILD, "yarn.lock": ""}, "node", "yarn run lint && yarn run build"),
        (
            {"package.json": '{"scripts": {"lint": "x"}}', "tsconfig.json": "", "node_modules/.bin/tsc": ""},
            "true",
            "npm run lint && node_modules/.bin/tsc --noEmit",
        ),
        ({"Gemfile": 'gem "rubocop"\ngem "rspec"'}, "true", "rubocop --lint && rspec --dry-run"),
        ({"Gemfile": 'gem "rubocop"', "Gemfile.lock": ""}, "ruby", "bundle exec rubocop --lint"),
    ],
)
def test_verify_runs_what_the_project_configures(
    tmp_path: Path, files: dict[str, str], preset: str, command: str
) -> None:
    assert checkout(tmp_path, files).verify_command(preset) == command


def test_verify_without_clippy_still_checks(tmp_path: Path) -> None:
    tree = checkout(tmp_path, {"Cargo.toml": CARGO}, installed="cargo")
    assert tree.verify_command("true") == "cargo check --all-targets && cargo build"


@pytest.mark.parametrize(
    ("files", "preset", "message", "hint"),
    [
        ({}, "true", "has no Cargo.toml, go.mod", "write the command itself"),
        ({"pyproject.toml": PYPROJECT}, "true", "this python project configures no check", "configure ruff"),
        ({}, "python", "this python project configures no check", "configure ruff"),
        (
            {"package.json": '{"scripts": {"test": "x"}}'},
            "true",
            "this javascript project",
            '"lint" or "build"',
        ),
        ({"Gemfile": ""}, "ruby", "this ruby project", "rubocop"),
    ],
)
def test_verify_with_nothing_to_run_is_an_error(
    tmp_path: Path, files: dict[str, str], preset: str, message: str, hint: str
) -> None:
    with pytest.raises(StepUnableError) as caught:
        checkout(tmp_path, files).verify_command(preset)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("files", "installed", "missing"),
    [
        ({"pyproject.toml": RUFF + "[tool.mypy]"}, "ruff", "mypy"),
        ({"Cargo.toml": CARGO}, "", "cargo"),
        ({"go.mod": "", ".golangci.yml": ""}, "go", "golangci-lint"),
        ({"package.json": BUILD, "pnpm-lock.yaml": ""}, "npm", "pnpm"),
        ({"package.json": "{}", "tsconfig.json": ""}, "npm npx", "node_modules/.bin/tsc"),
        ({"Gemfile": 'gem "sorbet"'}, "ruby", "srb"),
        ({"Gemfile": 'gem "sorbet"', "Gemfile.lock": ""}, "srb", "bundle"),
    ],
)
def test_verify_names_the_tool_that_is_missing(
    tmp_path: Path, files: dict[str, str], installed: str, missing: str
) -> None:
    with pytest.raises(StepUnableError, match=f"uses {missing}, which is not installed"):
        checkout(tmp_path, files, installed=installed).verify_command("true")
