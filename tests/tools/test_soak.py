"""`make soak` in small: a few drawn runs for real, and what counts as a leak."""

import gc
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.projects import Project
from tests.fake_llm_api import FakeLLM
from tools.faults.draws import COMMAND_FAULTS, RULES, SERVER_FAULTS, Drawn, draw
from tools.faults.soak import SETTINGS
from tools.faults.soaking import PROJECT_FILE, leaks, wrong
from tools.faults.surfaces import OLD_JUNIT, OLD_SARIF

FLAT = {"descriptors": 4, "threads": 1, "children": 0, "temporary files": 0, "memory": 50_000}


@pytest.fixture
def project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    made = Project(tmp_path, capsys)
    monkeypatch.chdir(tmp_path)
    with FakeLLM(RULES) as server:
        made.environ["OPENAI_API_KEY"] = "sk-fake"
        made.write("lok.toml", SETTINGS.replace("{url}", server.url))
        yield made


def test_every_run_says_what_is_so_and_nothing_is_left(project: Project) -> None:
    dice, descriptors, faults = random.Random(3), set(), 0
    for number in range(6):
        drawn = draw(dice, number, rate=0.2)
        faults += bool(drawn.faults)
        project.write(str(PROJECT_FILE), drawn.text)
        (project.root / "proof").unlink(missing_ok=True)
        done = project.lok("w", "--report", "junit=r.xml", "--report", "sarif=r.sarif")
        assert wrong(drawn, done.code, project.root) == [], done.err
        gc.collect()  # the end of its watchdog's pipe goes with a run's objects
        # those of the server's thread come and go
        here = [str(it.readlink()) for it in Path("/proc/self/fd").iterdir() if it.is_symlink()]
        descriptors.add(sum("socket" not in it for it in here))
    assert 0 < faults < 6
    assert len(descriptors) == 1


def test_draws_are_the_same_for_a_seed_and_have_every_fault() -> None:
    def drawn(seed: int) -> list[Drawn]:
        dice = random.Random(seed)
        return [draw(dice, number) for number in range(3000)]

    one = drawn(1)
    assert one == drawn(1) != drawn(2)
    assert {fault for it in one for fault in it.faults} == {*SERVER_FAULTS, *COMMAND_FAULTS}
    assert 0.1 < sum(bool(it.faults) for it in one) / len(one) < 0.3


def test_what_says_something_else_than_the_proof_is_wrong(tmp_path: Path) -> None:
    good, bad = Drawn(text="", faults=(), proof="it"), Drawn(text="", faults=("500",), proof="it")
    (tmp_path / "r.xml").write_text(OLD_JUNIT)
    (tmp_path / "r.sarif").write_text(OLD_SARIF)
    greens = ["false green: exit code", "false green: JUnit", "false green: SARIF"]
    assert wrong(good, 0, tmp_path) == greens
    (tmp_path / "proof").write_text("it")
    assert wrong(good, 0, tmp_path) == []
    assert wrong(bad, 0, tmp_path) == greens
    assert wrong(bad, 3, tmp_path) == greens[1:]
    assert wrong(good, 3, tmp_path) == ["exit code: 3, and there was no fault"]
    assert wrong(good, -9, tmp_path, killed=True) == []


@pytest.mark.parametrize("name", FLAT)
def test_what_grows_is_a_leak(name: str) -> None:
    flat = [FLAT] * 50
    growing = [{**FLAT, name: FLAT[name] + number * (500 if name == "memory" else 1)} for number in range(50)]
    assert leaks(flat) == []
    assert [it.partition(":")[0] for it in leaks(growing)] == [name]
    # what a process needs when it begins is none
    assert leaks([{**FLAT, name: 0}] * 5 + flat) == []
    assert leaks(flat[:5]) != []
