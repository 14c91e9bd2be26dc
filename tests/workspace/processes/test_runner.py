from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pytest_lok.engine.ports import CommandRunner, CommandSpec, Completed, ProcessSpec
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.processes.capture import KEPT_BYTES
from pytest_lok.workspace.processes.descendants import MARK
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.processes.watchdog import Watchdog

T = TypeVar("T")

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows other processes in /proc")


@pytest.fixture(scope="module")
def watchdog() -> Watchdog:
    """One that has been started: its pipe is there before any test, and after it."""
    watchdog = Watchdog()
    run(LocalProcesses(Path.cwd(), _path(), watchdog=watchdog), sh("true"))
    return watchdog


@pytest.fixture(params=["pidfd", "thread"])
def shell(request: pytest.FixtureRequest, tmp_path: Path, watchdog: Watchdog) -> LocalProcesses:
    """Both ways of waiting; the second is what systems without pidfd have."""
    if request.param == "thread":
        return LocalProcesses(tmp_path, _path(), open_pidfd=None, kill_after=0.5, watchdog=watchdog)
    return LocalProcesses(tmp_path, _path(), kill_after=0.5, watchdog=watchdog)


@pytest.fixture(autouse=True)
def nothing_left(watchdog: Watchdog) -> Iterator[None]:
    """Whatever a test does, no descriptor and no child of ours is left."""
    before, others = _descriptors(), _children()
    yield
    deadline = time.monotonic() + 5
    while _descriptors() - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _descriptors() - before == set()
    assert _children() - others == set()


def _children() -> set[int]:
    """This process's children, dead ones that nobody has waited for too."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return set()
    children: set[int] = set()
    for task in tasks.iterdir():
        with contextlib.suppress(OSError):  # a thread has ended meanwhile
            children |= set(map(int, (task / "children").read_text().split()))
    return children


def _descriptors() -> set[str]:
    """Open descriptors and what they are, without the listing's own."""
    seen = set()
    for entry in Path("/dev/fd").iterdir():
        with contextlib.suppress(OSError):
            seen.add(f"{entry.name} {entry.readlink()}")
    return {entry for entry in seen if not entry.endswith("/fd")}


def _path() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


def sh(text: str, *, stdin: bytes = b"", cwd: str = "", **env: str) -> CommandSpec:
    return CommandSpec(argv=("sh", "-c", text), stdin=stdin, cwd=cwd, env=env)


def run(shell: CommandRunner, command: CommandSpec) -> Completed:
    return asyncio.run(_within(shell.run(command)))


async def _within(work: Coroutine[Any, Any, T]) -> T:
    async with asyncio.timeout(30):  # a hang fails
        return await work


def alive(pid: int) -> bool:
    """Whether it is there and no zombie."""
    ps = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return ps.stdout.strip()[:1] not in ("", "Z")


def pid_in(path: Path) -> int:
    """The process id a command wrote there, as soon as it has."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            return int(path.read_text())
        time.sleep(0.005)
    raise AssertionError(f"nothing was written to {path}")


async def appears(*paths: Path) -> None:
    async with asyncio.timeout(10):
        while not all(path.exists() and path.stat().st_size for path in paths):
            await asyncio.sleep(0.005)


# --- what a process gets and gives


def test_streams_and_exit_code_are_kept_apart(shell: LocalProcesses) -> None:
    done = run(shell, sh("echo out; echo err >&2; exit 3"))
    assert (done.stdout, done.stderr, done.exit_code) == ("out\n", "err\n", 3)
    assert done.seconds > 0


def test_a_signal_is_a_negative_exit_code(shell: LocalProcesses) -> None:
    assert run(shell, sh("kill -9 $$")).exit_code == -9


def test_environment_is_the_base_and_the_commands_own_and_nothing_else(tmp_path: Path) -> None:
    shell = LocalProcesses(tmp_path, {**_path(), "BASE": "1", "BOTH": "base"})
    done = run(shell, CommandSpec(argv=("env", "-0"), env={"BOTH": "own", "OWN": "é\n'"}))
    got = dict(entry.split("=", 1) for entry in done.stdout.split("\0") if entry)
    assert got.pop(MARK)
    assert got == {**_path(), "BASE": "1", "BOTH": "own", "OWN": "é\n'"}


def test_a_run_inside_a_run_keeps_the_outer_mark(tmp_path: Path) -> None:
    shell = LocalProcesses(tmp_path, {**_path(), MARK: "outer;"})
    mark = run(shell, sh(f"printf %s ${MARK}")).stdout
    assert mark.startswith("outer;")
    assert mark != "outer;"


def test_cwd_is_the_workspace_or_a_directory_in_it(shell: LocalProcesses, tmp_path: Path) -> None:
    (tmp_path / "a dir").mkdir()
    assert run(shell, sh("pwd -P")).stdout.strip() == str(tmp_path.resolve())
    assert run(shell, sh("pwd -P", cwd="a dir")).stdout.strip() == str(tmp_path.resolve() / "a dir")


@pytest.mark.parametrize("cwd", ["..", "/", "a/../../b", "link"])
def test_cwd_outside_the_workspace_is_refused(shell: LocalProcesses, tmp_path: Path, cwd: str) -> None:
    (tmp_path / "link").symlink_to("/")
    with pytest.raises(StepUnableError, match="outside the workspace"):
        run(shell, sh("pwd", cwd=cwd))


def test_argv_arrives_as_it_is(shell: LocalProcesses) -> None:
    words = ("a b", "$HOME", "'\"", "*", "", "é\n", "-x")
    done = run(shell, CommandSpec(argv=("printf", "%s\\0", *words)))
    assert done.stdout == "".join(f"{word}\0" for word in words)


@pytest.mark.parametrize("size", [0, 1, 65536, 3_000_000])
def test_stdin_of_any_size_arrives_whole(shell: LocalProcesses, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    assert run(shell, sh("cksum", stdin=data[:size])).stdout.split()[1] == str(size)


def test_stdin_nobody_reads_harms_nothing(shell: LocalProcesses) -> None:
    assert run(shell, sh("exec <&-; echo done", stdin=b"x" * 3_000_000)).stdout == "done\n"


def test_without_stdin_a_reader_gets_the_end_at_once(shell: LocalProcesses) -> None:
    assert run(shell, sh("cat; echo end")).stdout == "end\n"


def test_bytes_that_are_no_text_are_shown_as_such(shell: LocalProcesses) -> None:
    assert run(shell, sh(r"printf 'a\377b\000c\303'")).stdout == "a�b\0c�"


def test_both_streams_filled_at_once_do_not_deadlock(shell: LocalProcesses) -> None:
    done = run(shell, sh("head -c 1000000 /dev/zero & head -c 1000000 /dev/zero >&2; wait"))
    assert (len(done.stdout), len(done.stderr)) == (1_000_000, 1_000_000)


@pytest.mark.parametrize("spool", [False, True])
def test_long_output_keeps_its_beginning_and_its_end(tmp_path: Path, spool: bool) -> None:
    text = "printf start; head -c 20000000 /dev/zero | tr '\\0' x; printf end"
    launch = ProcessSpec(argv=("sh", "-c", text), env=_path(), cwd=str(tmp_path), spool=spool)
    out = asyncio.run(_within(LocalProcesses(tmp_path, {}).launch(launch))).stdout
    head, gap, tail = out.partition("\n[... ")
    dropped = int(tail.split()[0])
    tail = tail.partition("...]\n")[2]
    assert head.startswith("startx")
    assert tail.endswith("xend")
    assert len(head) == KEPT_BYTES
    assert KEPT_BYTES <= len(tail) < KEPT_BYTES + 65536
    assert gap
    assert len(head) + dropped + len(tail) == 20_000_008


@pytest.mark.parametrize("spool", [False, True])
def test_silence_is_waited_for_so_long_and_no_longer(tmp_path: Path, watchdog: Watchdog, spool: bool) -> None:
    """What it prints now and then keeps it alive, whichever stream it is on."""

    def launch(text: str) -> ProcessSpec:
        return ProcessSpec(argv=("sh", "-c", text), env=_path(), cwd=str(tmp_path), spool=spool, idle=1.5)

    shell = LocalProcesses(tmp_path, {}, watchdog=watchdog)
    steady = launch("for i in 1 2 3 4; do sleep 0.5; echo $i; sleep 0.1; echo $i >&2; done")
    silent = launch(f"echo begun; echo $$ > {tmp_path}/pid; sleep 1000")

    async def side_by_side() -> tuple[Completed | BaseException, ...]:
        runs = (_within(shell.launch(it)) for it in (steady, silent))
        return tuple(await asyncio.gather(*runs, return_exceptions=True))

    printed, stopped = asyncio.run(side_by_side())
    assert not isinstance(printed, BaseException)
    assert printed.stdout == "1\n2\n3\n4\n"
    assert isinstance(stopped, TimeoutError)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize(
    ("text", "unread"),
    [
        ("cat >/dev/null", 0),
        ("cat /dev/stdin >/dev/null", 0),
        (":", 1_000_000),
        ("head -c 1000 >/dev/null", None),
    ],
)
def test_what_is_not_read_of_a_counted_stdin_is_known(
    tmp_path: Path, watchdog: Watchdog, text: str, unread: int | None
) -> None:
    stdin = b"x" * 1_000_000
    launch = ProcessSpec(
        argv=("sh", "-c", text), env=_path(), cwd=str(tmp_path), stdin=stdin, report_unread=True
    )
    before = _descriptors()
    done = asyncio.run(_within(LocalProcesses(tmp_path, {}, watchdog=watchdog).launch(launch)))
    assert done.exit_code == 0
    assert 900_000 < done.unread < 1_000_000 if unread is None else done.unread == unread
    assert _descriptors() == before


def test_a_process_that_has_said_all_need_not_exit(tmp_path: Path, watchdog: Watchdog) -> None:
    text = f"echo $$ > {tmp_path}/pid; echo begun; echo end; exec sleep 1000"
    launch = ProcessSpec(
        argv=("sh", "-c", text),
        env=_path(),
        cwd=str(tmp_path),
        spool=True,
        is_finished=lambda said: said.endswith("end\n"),
    )
    done = asyncio.run(_within(LocalProcesses(tmp_path, {}, watchdog=watchdog).launch(launch)))
    assert (done.exit_code, done.stdout) == (0, "begun\nend\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_huge_output_stays_in_bounds_of_memory(tmp_path: Path) -> None:
    """100 MB on stdout, then a single line of 50 MB, within 200 MB for the whole interpreter."""
    program = f"""
import asyncio, re, resource, sys
from pathlib import Path
from pytest_lok.engine.ports import CommandSpec
from pytest_lok.workspace.processes.runner import LocalProcesses
shell = LocalProcesses({str(tmp_path)!r}, {_path()!r})
for text in ("head -c 100000000 /dev/urandom", "head -c 50000000 /dev/zero | tr '\\\\0' x; echo; echo last"):
    done = asyncio.run(shell.run(CommandSpec(argv=("sh", "-c", text))))
    assert "bytes of output dropped here" in done.stdout, len(done.stdout)
assert done.stdout.endswith("x\\nlast\\n")
if sys.platform == "linux":  # where ru_maxrss remembers the size of the process that started this one
    print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 200_000_000


def test_output_by_files_is_the_same(tmp_path: Path) -> None:
    launch = ProcessSpec(
        argv=("sh", "-c", "cat; echo err >&2"), env=_path(), cwd=str(tmp_path), stdin=b"in", spool=True
    )
    done = asyncio.run(_within(LocalProcesses(tmp_path, {}).launch(launch)))
    assert (done.stdout, done.stderr, done.exit_code) == ("in", "err\n", 0)


# --- what cannot be started


def _start_error(shell: LocalProcesses, command: CommandSpec) -> StepUnableError:
    with pytest.raises(StepUnableError) as caught:
        run(shell, command)
    assert caught.value.hint
    return caught.value


def test_command_not_found(shell: LocalProcesses) -> None:
    assert (
        "command not found: no-such-program"
        in _start_error(shell, CommandSpec(argv=("no-such-program",))).message
    )


@pytest.mark.parametrize("cwd", ["nowhere", "circle", "a" * 300, "no\0name"])
def test_missing_directory(shell: LocalProcesses, tmp_path: Path, cwd: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    message = _start_error(shell, sh("true", cwd=cwd)).message
    assert "does not exist" in message or "names no directory" in message


def test_arguments_too_long_name_stdin(shell: LocalProcesses) -> None:
    error = _start_error(shell, CommandSpec(argv=("true", "x" * 3_000_000)))
    assert "too long" in error.message
    assert "stdin" in error.hint


def test_nul_in_arguments(shell: LocalProcesses) -> None:
    assert "NUL" in _start_error(shell, CommandSpec(argv=("echo", "a\0b"))).message
    assert "NUL" in _start_error(shell, CommandSpec(argv=("echo",), env={"A": "\0"})).message


@pytest.mark.parametrize("argv", [(), ("",)])
def test_no_command_at_all(shell: LocalProcesses, argv: tuple[str, ...]) -> None:
    assert "no command" in _start_error(shell, CommandSpec(argv=argv)).message


def test_file_that_may_not_be_executed_or_is_no_program(shell: LocalProcesses, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo hi\n")
    assert "may not be executed" in _start_error(shell, CommandSpec(argv=("./script",))).message
    script.chmod(0o755)
    assert "not a program" in _start_error(shell, CommandSpec(argv=("./script",))).message
    script.write_text("#!/no/such/interpreter\n")
    assert "interpreter" in _start_error(shell, CommandSpec(argv=("./script",))).hint


def test_no_descriptor_left_to_start_with(shell: LocalProcesses) -> None:
    async def story() -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = max(int(entry.name) for entry in Path("/dev/fd").iterdir()) + 24
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, soft), hard))
        hoard: list[int] = []
        try:
            with contextlib.suppress(OSError):
                while True:
                    hoard.append(os.dup(0))
            refused, code = 0, None
            while code is None:  # with each free descriptor it gets a little further
                try:
                    code = (await shell.run(sh("exit 7"))).exit_code
                except StepUnableError:
                    refused += 1
                    os.close(hoard.pop())
            assert (refused > 0, code) == (True, 7)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in hoard:
                os.close(descriptor)

    asyncio.run(_within(story()))


def test_too_many_open_files_says_so(tmp_path: Path, watchdog: Watchdog) -> None:
    def none_left(pid: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    shell = LocalProcesses(tmp_path, _path(), open_pidfd=none_left, watchdog=watchdog)
    error = _start_error(shell, sh("echo $$ > pid; exec sleep 1000"))
    assert "too many open files" in error.message
    assert "ulimit -n" in error.hint


def test_a_system_without_pidfd_waits_on_a_thread(tmp_path: Path) -> None:
    def unknown(pid: int) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    assert run(LocalProcesses(tmp_path, _path(), open_pidfd=unknown), sh("exit 4")).exit_code == 4


def test_a_lost_exit_code_is_an_error_not_a_success(shell: LocalProcesses) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert "exit code" in _start_error(shell, CommandSpec(argv=("true",))).message
    finally:
        signal.signal(signal.SIGCHLD, before)


# --- how it ends


def test_what_is_left_in_the_background_ends_with_the_command(shell: LocalProcesses, tmp_path: Path) -> None:
    done = run(shell, sh("sleep 1000 >/dev/null 2>&1 & echo $! > pid"))
    assert done.exit_code == 0
    assert not alive(pid_in(tmp_path / "pid"))


def test_a_pipe_held_in_the_background_does_not_hold_the_command(
    shell: LocalProcesses, tmp_path: Path
) -> None:
    done = run(shell, sh("sleep 1000 & echo $! > pid; echo said"))
    assert (done.exit_code, done.stdout) == (0, "said\n")
    assert not alive(pid_in(tmp_path / "pid"))


def test_output_of_the_background_within_the_grace_is_kept(shell: LocalProcesses) -> None:
    assert run(shell, sh("(sleep 0.1; echo late) & echo first")).stdout == "first\nlate\n"


@linux
def test_a_daemon_ends_with_the_command(shell: LocalProcesses, tmp_path: Path) -> None:
    """A new session, a double fork, every inherited descriptor closed."""
    done = run(
        shell,
        sh("setsid sh -c '(echo $$ > pid; exec sleep 1000) & ' <&- >&- 2>&-; until [ -s pid ]; do :; done"),
    )
    assert done.exit_code == 0
    assert not alive(pid_in(tmp_path / "pid"))


@linux
def test_a_daemon_that_ignores_term_is_killed(shell: LocalProcesses, tmp_path: Path) -> None:
    daemon = "setsid sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.1; done' >/dev/null 2>&1 &"
    run(shell, sh(f"{daemon} until [ -s pid ]; do :; done"))
    assert not alive(pid_in(tmp_path / "pid"))


@contextlib.asynccontextmanager
async def started(
    shell: LocalProcesses, command: CommandSpec, *signs: Path
) -> AsyncIterator[asyncio.Task[Completed]]:
    """A command known to have come as far as writing ``signs``."""
    task = asyncio.create_task(shell.run(command))
    await appears(*signs)
    yield task
    assert task.done()


def test_cancelling_asks_the_whole_group_politely_first(shell: LocalProcesses, tmp_path: Path) -> None:
    async def story() -> None:
        text = "trap 'echo asked > asked; exit' TERM; sleep 1000 & echo $! > pid; wait"
        async with started(shell, sh(text), tmp_path / "pid") as task:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not alive(pid_in(tmp_path / "pid"))

    asyncio.run(_within(story()))
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_cancelling_kills_what_ignores_being_asked(shell: LocalProcesses, tmp_path: Path) -> None:
    async def story() -> None:
        forever = "while :; do sleep 0.1; done"
        text = f"trap '' TERM; sh -c 'echo $$ > a; {forever}' & echo $$ > b; {forever}"
        async with started(shell, sh(text), tmp_path / "a", tmp_path / "b") as task:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not alive(pid_in(tmp_path / "a"))
            assert not alive(pid_in(tmp_path / "b"))

    asyncio.run(_within(story()))


@linux
def test_cancelling_finds_what_has_left_the_group(shell: LocalProcesses, tmp_path: Path) -> None:
    async def story() -> None:
        text = "setsid sh -c 'echo $$ > pid; sleep 1000' & sleep 1000"
        async with started(shell, sh(text), tmp_path / "pid") as task:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not alive(pid_in(tmp_path / "pid"))

    asyncio.run(_within(story()))


@linux
def test_a_kill_waits_for_nobody(shell: LocalProcesses, tmp_path: Path) -> None:
    async def story() -> None:
        forever = "trap '' TERM; while :; do sleep 0.1; done"
        text = f"setsid sh -c 'echo $$ > a; {forever}' & echo $$ > b; {forever}"
        async with started(shell, sh(text), tmp_path / "a", tmp_path / "b") as task:
            task.cancel()
            await asyncio.sleep(0.05)
            shell.kill()
            assert not alive(pid_in(tmp_path / "a"))
            assert not alive(pid_in(tmp_path / "b"))
            with pytest.raises(asyncio.CancelledError):
                await task
            shell.kill()  # nothing is left to kill

    asyncio.run(_within(story()))


def test_a_second_and_third_cancel_do_not_stop_the_cleaning_up(shell: LocalProcesses, tmp_path: Path) -> None:
    async def story() -> None:
        text = "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done"
        async with started(shell, sh(text), tmp_path / "pid") as task:
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0.05)
            assert not task.done()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not alive(pid_in(tmp_path / "pid"))

    asyncio.run(_within(story()))


def test_a_cancel_during_the_ending_of_leftovers_is_passed_on(shell: LocalProcesses, tmp_path: Path) -> None:
    async def story() -> None:
        leftover = "sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.1; done' >/dev/null 2>&1 &"
        async with started(shell, sh(f"{leftover} until [ -s pid ]; do :; done"), tmp_path / "pid") as task:
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not alive(pid_in(tmp_path / "pid"))

    asyncio.run(_within(story()))


def test_the_loops_own_shutdown_cleans_up_too(shell: LocalProcesses, tmp_path: Path) -> None:
    async def story() -> asyncio.Task[Completed]:
        task = asyncio.create_task(shell.run(sh("trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done")))
        await appears(tmp_path / "pid")
        return task

    assert asyncio.run(story()).cancelled()
    assert not alive(pid_in(tmp_path / "pid"))


def test_a_coroutine_thrown_away_takes_its_process_along(shell: LocalProcesses, tmp_path: Path) -> None:
    async def story() -> None:
        work = shell.run(sh("echo $$ > pid; exec sleep 1000"))
        work.send(None)
        await appears(tmp_path / "pid")
        work.close()
        assert not alive(pid_in(tmp_path / "pid"))

    asyncio.run(_within(story()))


def test_a_time_limit_around_a_run_is_a_timeout(shell: LocalProcesses) -> None:
    async def story() -> None:
        async with asyncio.timeout(0.1):
            await shell.run(sh("sleep 1000"))

    with pytest.raises(TimeoutError):
        asyncio.run(_within(story()))


# --- many


def test_two_hundred_at_once(shell: LocalProcesses) -> None:
    async def story() -> list[Completed]:
        return await asyncio.gather(*(shell.run(sh(f"sleep 0.2; echo {n}; exit {n}")) for n in range(200)))

    done = asyncio.run(_within(story()))
    assert [(one.stdout, one.exit_code) for one in done] == [(f"{n}\n", n) for n in range(200)]


def test_cancelling_many_leaves_none(shell: LocalProcesses, tmp_path: Path) -> None:
    async def story() -> None:
        tasks = [asyncio.create_task(shell.run(sh(f"echo $$ > {n}; sleep 1000 & wait"))) for n in range(40)]
        await appears(*(tmp_path / str(n) for n in range(40)))
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)

    asyncio.run(_within(story()))
    assert not any(alive(pid_in(tmp_path / str(n))) for n in range(40))


def test_loops_of_several_threads_share_one_shell(shell: LocalProcesses) -> None:
    results: dict[int, str] = {}

    def work(number: int) -> None:
        results[number] = run(shell, sh(f"echo {number}")).stdout

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == {number: f"{number}\n" for number in range(5)}


# --- conversations


def talk(
    shell: LocalProcesses, tmp_path: Path, script: str, reply: Callable[[bytes], bytes | None]
) -> Completed:
    spec = ProcessSpec(
        argv=("sh", "-c", script), env=_path(), cwd=str(tmp_path), stdin=b"hello\n", reply=reply, idle=5
    )
    return asyncio.run(shell.launch(spec))


ECHO = 'while read -r line; do echo "$line?"; done'


def test_a_conversation_goes_on_until_nothing_is_left_to_say(shell: LocalProcesses, tmp_path: Path) -> None:
    heard: list[bytes] = []

    def reply(data: bytes) -> bytes | None:
        heard.append(data)
        return None if len(heard) == 3 else b"and %d\n" % len(heard)

    done = talk(shell, tmp_path, f"trap '' HUP; {ECHO}", reply)
    assert heard == [b"hello?\n", b"and 1?\n", b"and 2?\n"]
    assert (done.exit_code, done.stdout, done.unread) == (0, "hello?\nand 1?\nand 2?\n", 0)


def test_a_conversation_that_the_process_ends(shell: LocalProcesses, tmp_path: Path) -> None:
    heard: list[bytes] = []
    script = "echo one; read -r x; echo oops >&2; exit 3"

    def reply(data: bytes) -> bytes:
        heard.append(data)
        return b"unheard\n" * 100_000

    done = talk(shell, tmp_path, script, reply)
    assert (done.exit_code, done.stderr, done.unread) == (3, "oops\n", 0)
    assert b"".join(heard) == b"one\n"


def test_what_is_said_while_the_process_ends_is_heard(shell: LocalProcesses, tmp_path: Path) -> None:
    heard: list[bytes] = []
    script = "trap 'echo last; exit 0' TERM; echo one; while :; do sleep 0.05; done"

    def reply(data: bytes) -> None:
        heard.append(data)

    talk(shell, tmp_path, script, reply)
    assert b"".join(heard) == b"one\nlast\n"


def test_more_than_a_pipe_holds_goes_both_ways(shell: LocalProcesses, tmp_path: Path) -> None:
    sent, size = 500_000, 0

    def reply(data: bytes) -> bytes | None:
        nonlocal size
        first, size = not size, size + len(data)
        return None if size == sent + len(b"hello\n") else b"x" * sent if first else b""

    talk(shell, tmp_path, "cat", reply)
    assert size == sent + len(b"hello\n")


def test_a_mistake_in_a_reply_reaches_whoever_waits(shell: LocalProcesses, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        talk(shell, tmp_path, ECHO, lambda _: b"x" * (1 // 0))
    assert not shell._children
