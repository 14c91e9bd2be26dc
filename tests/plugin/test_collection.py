from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.conftest import Suite, items

A = ".lok/workflows/w.toml::a"
B = ".lok/workflows/w.toml::b"


@pytest.fixture
def project(suite: Suite) -> Suite:
    """Two steps, a Python test, and things in ``.lok`` that are nobody's business."""
    suite.shells("w", a="echo a >> ran", b_after_a="echo b >> ran")
    suite.write("tests/test_one.py", "def test_one(): pass")
    suite.write(".lok/runs/old/test_junk.py", "def test_junk(): raise SystemError")
    suite.write(".lok/workflows/test_stray.py", "def test_stray(): raise SystemError")
    suite.write(".lok/workflows/sub/deep.toml", "[[steps]]\nname = 'deep'\nshell = 'true'")
    return suite


def collected(suite: Suite, *args: str | Path) -> list[str]:
    return items(suite.run("--collect-only", "-q", *args).outlines)


ONE = "tests/test_one.py::test_one"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--lok"], [A, B, ONE]),
        (["--lok", "."], [A, B, ONE]),
        (["--lok", ".lok"], [A, B]),
        ([".lok"], [A, B]),
        ([".lok/workflows"], [A, B]),
        (["--lok", "tests"], [A, B, ONE]),
        (["--lok", "tests", B], [B, ONE]),
        (["tests"], [ONE]),
        ([".lok/workflows/w.toml"], [A, B]),
        ([B], [B]),
        ([A, B], [A, B]),
        ([B, "tests"], [B, ONE]),
        ([".", A], [A, ONE]),
        (["--lok", "-k", "b"], [B]),
        (["--lok", "--deselect", A], [B, ONE]),
        (["--lok", "--ignore", ".lok"], [ONE]),
        (["--lok", "--ignore", ".lok/workflows/w.toml"], [ONE]),
        (["--lok", "--ignore-glob", "*/w.toml"], [ONE]),
        (["--lok-workflow", "w"], [A, B]),
        (["--lok-workflow", "w::b"], [B]),
        (["--lok-workflow", "w", "tests"], [ONE, A, B]),
        (["--lok-workflow", ".lok/workflows/w.toml"], [A, B]),
        (["--lok", "--lok-workflow", "w"], [A, B, ONE]),
    ],
    ids=" ".join,
)
def test_what_is_collected(project: Suite, args: list[str], expected: list[str]) -> None:
    # with an argument below another one pytest decides the order
    assert sorted(collected(project, *args)) == sorted(expected)


def test_with_testpaths_and_from_a_subdirectory(project: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("pytest.ini", "[pytest]\ntestpaths = tests\n")
    assert sorted(collected(project, "--lok")) == [A, B, ONE]
    for ignored in (".lok", ".lok/workflows", ".lok/workflows/w.toml"):
        assert collected(project, "--lok", "--ignore", ignored) == [ONE]
    monkeypatch.chdir(project.root / "tests")
    assert sorted(collected(project, "--lok")) == [A, B, ONE]


def test_nothing_below_rootdir_is_needed(project: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    file = project.root / ".lok" / "workflows" / "w.toml"
    result = project.run(f"{file}::b")
    result.assert_outcomes(passed=1)
    assert project.ran() == ["a", "b"], "in the project, not where pytest was started"


def test_a_workflow_without_a_file_in_the_project(suite: Suite) -> None:
    suite.write(
        "../" + suite.root.name + "-home/.config/lok/workflows/mine.toml",
        "[[steps]]\nname = 'x'\nshell = 'true'\n[[steps]]\nname = 'y'\nshell = 'true'\n",
    )
    suite.write("test_one.py", "def test_one(): pass")
    assert collected(suite, "-o", "lok=true") == ["test_one.py::test_one"]
    assert collected(suite, "--lok-workflow", "mine") == ["lok/mine::x", "lok/mine::y"]
    assert collected(suite, "lok/mine::y") == ["lok/mine::y"]
    assert collected(suite, "--lok-workflow", "mine", "-k", "x") == ["lok/mine::x"]
    suite.run("lok/mine::y", "test_one.py").assert_outcomes(passed=2)


def test_a_built_in_workflow_sees_the_root_conftest(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        from pytest_lok.backends.scripted import Scripted

        @pytest.fixture(scope="session")
        def lok_backends(lok_backends):
            return {**lok_backends, "echo": Scripted("echo", "from conftest")}
        """,
    )
    suite.write("README.md", "There has to be something to explain.")
    suite.write("test_one.py", "def test_ask(lok): assert lok.ask('x').output == 'from conftest'")
    for args in ((), ("test_one.py",), ("test_one.py::test_ask",)):
        result = suite.run("--lok-workflow", "explain", "-rP", "-v", *args)
        result.stdout.fnmatch_lines(["lok/explain::* PASSED*", "*from conftest*"])
        assert result.ret == 0, args


def test_a_name_that_is_no_workflow_is_a_usage_error(suite: Suite) -> None:
    suite.shells("review", a="true")
    result = suite.run("--lok-workflow", "reviw")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*there is no workflow 'reviw'*", "*did you mean 'review'*"])
    result = suite.run("--lok-workflow", "review::b")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*workflow 'review' has no step 'b'*"])


@pytest.mark.parametrize("also", [(), ("--lok",)])
def test_a_file_that_is_not_there_is_what_it_always_is(suite: Suite, also: tuple[str, ...]) -> None:
    suite.shells("w", a="true")
    result = suite.run(".lok/workflows/wrong.toml::a", *also)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: file or directory not found: .lok/workflows/wrong.toml::a"])


def test_every_mistake_of_every_file_is_told_and_nothing_runs(suite: Suite) -> None:
    suite.shells("good", a="echo a >> ran")
    suite.workflow(
        "bad",
        """
        [[steps]]
        nme = "a"
        shell = "true"
        [[steps]]
        name = "b"
        depends_on = ["nobody"]
        prompt = "x"
        timeout = "soon"
        """,
    )
    suite.workflow("worse", "[[steps\n")
    suite.write("test_one.py", "def test_one(): open('ran', 'w').write('python')")
    result = suite.run("--lok")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines_random(
        [
            ".lok/workflows/bad.toml:3:1: *nme*",
            ".lok/workflows/bad.toml:7:*nobody*",
            ".lok/workflows/bad.toml:9:*soon*",
            ".lok/workflows/worse.toml:1:*",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert "/pytest_lok/" not in result.stdout.str()
    assert suite.ran() == []


@pytest.mark.parametrize("args", [["--lok-workflow", "bad"], [".lok/workflows/bad.toml"], ["-k", "bad"]])
def test_a_broken_file_that_was_asked_for(suite: Suite, args: list[str]) -> None:
    suite.workflow("bad", "[[steps]]\nname = 'a'\n")
    result = suite.run(*args)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([".lok/workflows/bad.toml:1:*"])


DEPLOY = """
collect = false
[[steps]]
name = "push"
shell = "echo pushed >> ran"
"""
RELEASE = """
collect = true
[args.version]
required = true
[[steps]]
name = "tag"
shell = "echo {{ arg.version }} >> ran"
"""


def test_what_is_not_collected_says_so_and_runs_when_named(suite: Suite) -> None:
    suite.shells("w", a="true")
    suite.workflow("deploy", DEPLOY)
    suite.workflow("release", RELEASE)
    result = suite.run("--lok")
    result.assert_outcomes(passed=1)
    assert suite.ran() == []
    result.stdout.fnmatch_lines(
        [
            "lok: 1 workflow: w (left out: deploy, release)",
            "deploy: left out: not collected by default; pytest --lok-workflow deploy runs it",
            "release: left out: needs --lok-arg version=VALUE*",
        ]
    )
    suite.run(".lok/workflows/deploy.toml::push").assert_outcomes(passed=1)
    suite.run("--lok", "--lok-workflow", "deploy").assert_outcomes(passed=2)
    suite.run("--lok", "--lok-arg", "version=v1").assert_outcomes(passed=2)
    assert suite.ran() == ["pushed", "pushed", "v1"]


def test_a_missing_argument_of_a_named_workflow_is_a_collection_error(suite: Suite) -> None:
    suite.workflow("release", RELEASE)
    result = suite.run("--lok-workflow", "release")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*workflow 'release' needs the argument 'version'*", "*--lok-arg version=VALUE*"]
    )
    assert suite.ran() == []


def test_an_argument_nobody_declares_is_a_usage_error(suite: Suite) -> None:
    suite.workflow("release", RELEASE)
    result = suite.run("--lok-workflow", "release", "--lok-arg", "verion=1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--lok-arg verion: no workflow of this session has a use for*", "*version*"]
    )


def test_a_value_nobody_has_a_place_for_is_a_usage_error(suite: Suite) -> None:
    echo = "[[steps]]\nname = 'r'\nshell = 'echo {} >> ran'\n"
    suite.workflow("one", echo.format('{{ arg.1 | default("none") }}'))
    suite.workflow("two", echo.format('{{ arg.1 | default("none") }}{{ arg.2 | default("none") }}'))
    given = ("--lok-arg", "1=a", "--lok-arg", "2=b")
    suite.run("--lok", *given).assert_outcomes(passed=2)
    assert sorted(suite.ran()) == ["a", "ab"]
    result = suite.run("--lok-workflow", "one", *given)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--lok-arg 2: no workflow of this session has a use for*", "*there are: 1"])
    suite.write("pytest.ini", "[pytest]\nlok_args =\n    1=a\n    2=b\n")
    suite.run("--lok-workflow", "one").assert_outcomes(passed=1)
    assert sorted(suite.ran()) == ["a", "a", "ab"]
    suite.workflow("two", "stepz = []")
    result = suite.run("--lok-workflow", "two", "--lok-arg", "3=c", "--lok-arg", "1=a", "--lok-arg", "2=b")
    assert "stepz" in result.stdout.str(), "the file is what is wrong"


def test_arguments_from_the_ini_and_the_command_line(suite: Suite) -> None:
    suite.workflow("release", RELEASE)
    suite.workflow("range", "[[steps]]\nname = 'r'\nshell = 'echo {{ arg.1 | default(\"none\") }} >> ran'\n")
    suite.write("pytest.ini", "[pytest]\nlok_args =\n    version=ini\n    1=HEAD\n")
    suite.run("--lok").assert_outcomes(passed=2)
    assert sorted(suite.ran()) == ["HEAD", "ini"]
    suite.run("--lok", "--lok-arg", "version=typed", "-k", "tag").assert_outcomes(passed=1, deselected=1)
    assert "typed" in suite.ran()


def test_tags_are_markers_also_where_markers_are_strict(suite: Suite) -> None:
    suite.workflow("w", 'tags = ["security", "slow-ish"]\n[[steps]]\nname = "a"\nshell = "true"\n')
    suite.workflow("v", '[[steps]]\nname = "b"\nshell = "true"\n')
    suite.write("pytest.ini", "[pytest]\nstrict = true\n")
    assert collected(suite, "--lok", "-m", "security") == [A]
    assert collected(suite, "--lok", "-m", "not slow-ish") == [".lok/workflows/v.toml::b"]
    assert collected(suite, "--lok", "-k", "security") == [A]


SPY = """
def pytest_collection_modifyitems(items):
    for item in items:
        print("ITEM", item.location, item.path.name, type(item.parent).__name__, item.parent.name)
"""


def test_places_names_and_titles(suite: Suite) -> None:
    suite.workflow(
        "base",
        "name = 'The base'\n\n[[steps]]\nname = 'a'\nshell = 'true'\n[[steps]]\nname='b'\nshell = 'true'\n",
    )
    suite.workflow("w", "extends = 'base'\n[[steps]]\nname = 'b'\nshell = 'echo'\n")
    suite.write("conftest.py", SPY)
    result = suite.run("--lok", "--collect-only", "-q")
    result.stdout.fnmatch_lines(
        [
            "ITEM ('.lok/workflows/base.toml', 2, 'a') base.toml WorkflowModule The base",
            "ITEM ('.lok/workflows/base.toml', 5, 'b') base.toml WorkflowModule The base",
            "ITEM ('.lok/workflows/base.toml', 2, 'a') w.toml WorkflowModule w",
            "ITEM ('.lok/workflows/w.toml', 1, 'b') w.toml WorkflowModule w",
        ]
    )
    assert collected(suite, "--lok", "-k", "base.toml or base") == [
        ".lok/workflows/base.toml::a",
        ".lok/workflows/base.toml::b",
    ]


def test_steps_stand_in_the_order_they_run_in_whatever_shuffles(suite: Suite) -> None:
    suite.shells("w", b_after_a="true", a="true", c_after_b="true")
    suite.write("test_one.py", "def test_one(): pass\ndef test_two(): pass")
    suite.write(
        "conftest.py",
        "import pytest\n@pytest.hookimpl(tryfirst=True)\ndef pytest_collection_modifyitems(items): items.reverse()\n",
    )
    names = [line.split("::")[1] for line in collected(suite, "--lok")]
    assert names == ["test_two", "test_one", "a", "b", "c"]


@pytest.mark.parametrize("scope", ["function", "class"])
def test_a_narrow_fixture_is_refused_before_anything_runs(suite: Suite, scope: str) -> None:
    suite.shells("w", a="echo a >> ran")
    suite.write(
        "conftest.py",
        f"""
        import pytest

        @pytest.fixture(scope="{scope}")
        def lok_backends(): return {{}}
        """,
    )
    result = suite.run("--lok")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [f"*conftest.py:4: the fixture lok_backends has {scope} scope*", "*hint:*session*"]
    )
    assert suite.ran() == []


def test_workflows_of_two_projects_do_not_mix(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> None:
    suite.shells("w", a="true")
    other = tmp_path_factory.mktemp("other") / ".lok" / "workflows" / "v.toml"
    other.parent.mkdir(parents=True)
    other.write_text("[[steps]]\nname = 'x'\nshell = 'true'\n")
    result = suite.run(A, other)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*belong to several projects: *"])


@pytest.mark.parametrize(
    "conftest",
    [
        "def pytest_ignore_collect(collection_path): return collection_path.name == 'v.toml' or None",
        "collect_ignore = ['v.toml']",
    ],
    ids=["hook", "list"],
)
def test_a_conftest_on_the_shelf_has_its_say(suite: Suite, conftest: str) -> None:
    suite.shells("w", a="true")
    suite.shells("v", b="true")
    suite.write(".lok/workflows/conftest.py", conftest)
    assert collected(suite, "--lok") == [A]


def test_a_gate_that_was_asked_for_and_is_not_there_is_no_green_session(suite: Suite) -> None:
    suite.write("test_a.py", "def test_a(): pass")
    for args in (["--lok"], ["--lok", "test_a.py"]):
        result = suite.run(*args)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*--lok: there is no workflow in *", "*hint: leave --lok out*"])
    assert suite.run("-o", "lok=true").ret == pytest.ExitCode.OK  # many projects may share such an ini
    for name in ("one", "two"):
        suite.write(f"{name}/.lok/workflows/w.toml", '[[steps]]\nname = "s"\nshell = "true"\n')
        suite.write(f"{name}/test_{name}.py", "def test(): pass")
    result = suite.run("--lok")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*hint: run pytest for each project: one, two"])


def test_the_arguments_say_which_project_where_pytest_runs_in_none(suite: Suite) -> None:
    for name in ("one", "two"):
        suite.write(f"{name}/.lok/workflows/w.toml", f'[[steps]]\nname = "{name}"\nshell = "true"\n')
        suite.write(f"{name}/tests/test_{name}.py", "def test(): pass")
    for args in (["one"], ["one/tests/test_one.py"], ["one/tests/test_one.py::test"]):
        result = suite.run("--lok", *args, "-v")
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines(["*one/.lok/workflows/w.toml::one PASSED*"])
    result = suite.run("--lok", "one", "two")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*several projects*/one, */two*"])
