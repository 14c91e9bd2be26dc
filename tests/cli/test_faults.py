"""What goes wrong around lok and not in it: names, directories, lost records."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.projects import Project

GREEN = "[[steps]]\nname = 's'\nshell = 'echo done'\n"


@pytest.mark.parametrize(
    "name", ["with a blank", "two\nlines", 'it\'s "quoted" $(touch no)', "ü\u202e\U0001f600", "n" * 200]
)
def test_a_directory_of_any_name_is_a_project(
    project: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        project.root = project.root / name
    project.workflow("w", GREEN)
    project.write("lok.toml", "")
    monkeypatch.chdir(project.root)
    done = project.lok("w", "--report", "junit=r.xml", "--report", "sarif=r.sarif")
    assert (done.code, done.out) == (0, "done\n")
    assert json.loads((project.root / "r.sarif").read_text())["runs"][0]["invocations"][0][
        "executionSuccessful"
    ]
    assert not (project.root / "no").exists()
    assert project.lok("runs").code == 0


@pytest.mark.parametrize("length", [300, 5000])
@pytest.mark.parametrize(
    "words",
    [("{}",), ("run", "{}"), ("w", "--report", "junit={}"), ("--dir", "{}", "w"), ("run", "./{}.toml")],
)
def test_a_name_that_is_too_long_is_a_mistake_of_the_command_line(
    project: Project, words: tuple[str, ...], length: int
) -> None:
    project.workflow("w", "[[steps]]\nname = 's'\nshell = 'touch ran'\n")
    done = project.lok(*(word.format("a" * length) for word in words))
    assert done.code == 2
    assert "bug" not in done.err
    assert not (project.root / "ran").exists()


@pytest.mark.skipif(os.name != "posix", reason="a directory in use cannot be removed there")
@pytest.mark.parametrize("options", [(), ("--report", "junit=r.xml"), ("--json",)])
def test_a_directory_that_is_gone_is_said_in_a_line(
    project: Project, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = project.root / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = project.lok("w", *options)
    assert done.code == 2
    assert "the current directory is gone" in done.err + done.out


def test_a_report_of_yesterday_goes_also_where_the_current_directory_is_gone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = project.write("r.xml", "<testsuites/>")
    gone = project.root / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert project.lok("w", "--report", f"junit={old}").code == 2
    assert not old.exists()


@pytest.mark.skipif(not shutil.which("rm"), reason="needs rm")
def test_a_run_whose_record_is_lost_is_reported_as_one_that_did_not_pass(project: Project) -> None:
    project.workflow("w", "[[steps]]\nname = 's'\nshell = 'rm -r .lok/runs'\n")
    done = project.lok("w", "--report", "sarif=r.sarif")
    assert done.code == 3
    assert "the record of this run is not whole" in done.err
    call = json.loads(Path("r.sarif").read_text())["runs"][0]["invocations"][0]
    assert (call["executionSuccessful"], call["exitCode"]) == (False, 3)


def test_a_record_that_is_damaged_is_named_where_it_was_to_be_gone_on_from(project: Project) -> None:
    project.workflow("w", "[[steps]]\nname = 's'\nshell = 'echo ran >> ran'\n")
    assert project.lok("w").code == 0
    (journal,) = project.root.glob(".lok/runs/*/*.jsonl")
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(data)
    done = project.lok("run", "w", "--resume")
    assert done.code == 2
    assert f"{journal.parent.name} is not believed, and left as it is: " in " ".join(done.err.split())
    assert journal.read_bytes() == data
    assert (project.root / "ran").read_text() == "ran\n"
