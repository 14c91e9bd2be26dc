"""Several processes, one truth: each step is executed once, and told as without them."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from tests.plugin.conftest import Suite, words
from tests.plugin.test_runner import alive, junit, session, wait_until

PYTHON = "import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_some(n): pass\n"


def twelve(suite: Suite) -> None:
    """Two workflows of six steps that write down that they ran, and six Python tests."""
    for w in ("v", "w"):
        suite.shells(
            w,
            a=f"echo {w}a >> ran; sleep 0.1",
            b_after_a=f"echo {w}b >> ran",
            c_after_a=f"echo {w}c >> ran; exit 1",
            d_after_c=f"echo {w}d >> ran",
            e=f"echo {w}e >> ran; sleep 0.2",
            f_after_b_e=f"echo {w}f >> ran",
        )
    suite.write("test_some.py", PYTHON)


ONCE = Counter(w + step for w in "vw" for step in "abcef")


def test_each_worker_tells_all_of_it_in_mode_each(suite: Suite) -> None:
    twelve(suite)
    suite.run_cold("--lok", "-n2", "--dist", "each").assert_outcomes(passed=28, failed=4, skipped=4)
    assert Counter(suite.ran()) == ONCE


def test_everything_is_told_as_in_one_process(suite: Suite) -> None:
    twelve(suite)
    alone = words(suite.run("--lok", "-v"))
    result = suite.run_cold("--lok", "-n2", "--junitxml=report.xml")
    result.stdout.fnmatch_lines_random(  # in the order they began, on two workers
        ["v: failed in * · 4 passed, 1 failed, 1 skipped", "w: failed in * · 4 passed, 1 failed, 1 skipped"]
    )
    cases = junit(suite.root / "report.xml")
    assert cases["c"] == ("failure", "the command exited with code 1")
    assert cases["d"] == ("skipped", "blocked: step 'c' failed")
    kinds = {"PASSED": "", "FAILED": "failure", "SKIPPED": "skipped"}
    assert len(alone) == 18
    assert {node.rpartition("::")[2]: kinds[word] for node, word in alone.items()} == {
        name: kind for name, (kind, _) in cases.items()
    }


@pytest.mark.parametrize("mode", ["load", "worksteal"])
def test_a_worker_that_dies_takes_one_step_with_it(suite: Suite, mode: str) -> None:
    suite.shells(
        "w",
        a="echo a >> ran",
        kill_after_a="echo kill >> ran; kill -9 $PPID; sleep 5",
        c_after_kill="echo c >> ran",
        d="sleep 0.5; echo d >> ran",
        e_after_d="echo e >> ran",
    )
    suite.write("test_some.py", PYTHON)
    result = suite.run_cold("--lok", "-n2", "--dist", mode, "-v", "-rsfE")
    assert result.ret == 1
    counts = Counter(suite.ran())
    assert max(counts.values()) == 1, counts
    assert "c" not in counts
    assert counts["a"] == counts["kill"] == 1
    printed = result.stdout.str()
    assert "died while it ran this step" in printed
    assert "crashed while running" in printed


def test_what_a_dead_worker_had_is_told_where_no_worker_takes_its_place(suite: Suite) -> None:
    suite.shells(
        "w",
        a="echo a >> ran",
        kill_after_a="echo kill >> ran; kill -9 $PPID; sleep 5",
        c_after_kill="echo c >> ran",
        d="sleep 0.5; echo d >> ran",
        e_after_d="echo e >> ran",
    )
    suite.write("test_some.py", PYTHON)
    options = ("-n2", "--dist", "loadfile", "--max-worker-restart=0", "--junitxml=report.xml")
    result = suite.run_cold("--lok", *options)
    assert result.ret == 1
    cases = junit(suite.root / "report.xml")
    assert {"a", "kill", "c", "d", "e"} <= cases.keys()
    assert "died while it ran this step" in cases["d"][1]
    assert cases["e"] == ("error", "not run: the pytest-xdist worker that had it died")


BACKEND = """
    import os, signal, pytest

    @pytest.fixture(scope="session")
    def lok_backends(lok_backends):
        class Mortal:
            name = "echo"
            def unavailable(self): return None
            async def ask(self, prompt):
                with open("ran", "a") as ran:
                    ran.write(prompt.text + " ")
                if prompt.text == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                return await lok_backends["echo"].ask(prompt)
            async def aclose(self): pass
        return {"echo": Mortal()}
"""


def test_who_takes_a_run_over_has_what_is_left_of_its_budget(suite: Suite) -> None:
    suite.write("conftest.py", BACKEND)
    asks = "".join(f"[[steps]]\nname = '{name}'\nprompt = '{name}'\n" for name in ("a", "kill", "b"))
    suite.workflow("w", f"max_parallel = 1\n[budget]\ncalls = 2\n{asks}")
    suite.write("test_some.py", PYTHON)
    result = suite.run_cold("--lok", "-n2")
    assert suite.ran() == ["a", "kill"]
    result.stdout.fnmatch_lines(["w: error in * · 1 passed, 2 error*"])


def test_workers_end_their_steps_where_the_session_was_killed(suite: Suite) -> None:
    sleep = f"sleep 7{os.getpid() % 10_000:04}"
    suite.shells("v", a=sleep, b_after_a="echo b >> ran")
    suite.shells("w", a=sleep, b_after_a="echo b >> ran")
    with session(suite, "-n2") as process:
        wait_until(lambda: len(alive(sleep)) >= 2)
        process.kill()
    wait_until(lambda: not alive(sleep))
    assert suite.ran() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_steps_of_every_worker(suite: Suite, number: signal.Signals) -> None:
    sleep = f"sleep 6{os.getpid() % 10_000:04}.{number.value}"
    suite.shells("w", a=sleep, b=sleep, c_after_a="true")
    with session(suite, "-n2") as process:
        wait_until(lambda: len(alive(sleep)) >= 2)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == (2 if number == signal.SIGINT else 128 + number), output
    wait_until(lambda: not alive(sleep))
    cases = junit(suite.root / "report.xml")
    assert set(cases) == {"a", "b", "c"}
    assert cases["a"][0] == cases["b"][0] == "error"


def test_fixtures_live_until_the_runs_of_their_process_have_ended(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import os, pytest

        def note(word):
            with open("life", "a") as life:
                life.write(f"{os.getpid()} {word}\\n")

        @pytest.fixture(scope="session")
        def lok_backends(lok_backends):
            class Slow:
                name = "echo"
                def unavailable(self): return None
                async def ask(self, prompt):
                    import asyncio
                    await asyncio.sleep(0.5)
                    note("answered")
                    return await lok_backends["echo"].ask(prompt)
                async def aclose(self): note("closed")
            yield {"echo": Slow()}
            note("down")
        """,
    )
    for w in "uvwx":
        suite.workflow(
            w, '[[steps]]\nname = "a"\nprompt = "x"\n[[steps]]\nname = "b"\nprompt = "{{ steps.a.output }}"'
        )
    suite.run_cold("--lok", "-n2").assert_outcomes(passed=8)
    lives: dict[str, list[str]] = {}
    for line in (suite.root / "life").read_text().splitlines():
        process, _, word = line.partition(" ")
        lives.setdefault(process, []).append(word)
    assert sum(life.count("answered") for life in lives.values()) == 8
    for life in lives.values():
        assert life[-1] == "down"
        assert "answered" not in life[life.index("closed") :] if "closed" in life else True
