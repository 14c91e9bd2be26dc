"""Shell commands of every program there is, judged by what their manuals say they do with an argument.

Nothing of the first half is run, only compiled. The tables here come from the manuals, not from what
the product knows: where a manual says that an argument is run, no value may stand there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pytest_lok.core.shell.compiler import ShellTemplate
from pytest_lok.core.templates.scope import Scope, VisibleNames
from pytest_lok.errors import SourceError, TemplateError
from tests.fuzz import examples

NAMES = VisibleNames(arguments=frozenset("x"))


def installed() -> list[str]:
    """Programs of this machine that can be written without quotes."""
    found: set[str] = set()
    for place in filter(Path.is_dir, map(Path, os.environ["PATH"].split(os.pathsep))):
        found.update(entry.name for entry in place.iterdir())
    return sorted(name for name in found if name.replace("-", "").replace("_", "").replace(".", "").isalnum())


INVENTED = ["nobody-knows-it", "run_it", "mytool", "Frobnicate2", "x.sh", "deploy-all.py"]
PROGRAMS = [*installed(), *INVENTED]

# Manuals: "runs COMMAND", "PROGRAM [ARGUMENTS]", in their synopsis.
_RUNNERS = """
    chroot chrt dbus-run-session debconf-apt-progress env fakeroot fakeroot-sysv fakeroot-tcp flock
    fstab-decode i386 ionice linux32 linux64 ld.so luit memusage msgexec nice nohup nsenter perf
    pg_virtualenv prlimit runcon runuser setarch setpriv setsid sg sotruss ssh ssh-agent stdbuf strace
    systemd-cat systemd-inhibit systemd-run taskset time timeout tmux unshare valgrind watch x86_64
    xargs choom script su uclampset start-stop-daemon
"""
RUNNERS = _RUNNERS.split()
# Manuals: an operand is a program of a language, a script, or a file of one.
_LANGUAGES = """
    awk gawk mawk nawk bash dash sh rbash bc dc ed ex gdb jq yq jrunscript jshell java lua m4 make gmake
    node perl php psql python python3 python3.11 ruby sed sqlite3 tclsh vi view vim wish xmllint lli
    nroff troff groff
"""
LANGUAGES = _LANGUAGES.split()
# Manuals: the value of the option is a command, a program or a script that is run or loaded.
OPTIONS = {
    "cmake": ["-P"], "ctest": ["--script", "-S", "-SP", "--test-command"], "diff3": ["--diff-program"], "dpkg": ["--post-invoke",
    "--pre-invoke", "--status-logger"], "dpkg-buildpackage": ["--hook-build"], "find": ["-exec", "-execdir", "-ok", "-okdir"],
    "flock": ["--command", "-c"], "install": ["--strip-program"], "jlink": ["--launcher"],
    "man": ["--pager", "-P"], "msgfilter": ["--expression"], "node": ["--experimental-loader", "--require", "-e", "--eval", "-p", "-r"],
    "opt": ["-load"], "perl": ["-e", "-E", "-M"], "pg_recvlogical": ["--plugin"], "psql": ["-c", "--command"], "python3": ["-c", "-m"],
    "runuser": ["--command", "--shell", "--session-command", "-c"], "scp": ["-S", "-o"], "script": ["--command", "-c"],
    "sdiff": ["--diff-program"], "sed": ["--expression", "--file", "-e", "-f"], "sftp": ["-S"], "sort": ["--compress-program"],
    "split": ["--filter"], "sqlite3": ["-cmd"], "ssh": ["-o"], "su": ["--command", "--shell", "-c"], "systemd-run": ["--setenv"],
    "tar": ["--info-script", "--new-volume-script", "--rmt-command", "--rsh-command", "--to-command", "--use-compress-program",
            "--checkpoint-action", "-I", "-F"], "tmux": ["-c"], "useradd": ["--shell"], "usermod": ["--shell"], "chsh": ["--shell"],
    "wget": ["--execute", "-e", "--use-askpass"], "zip": ["--unzip-command", "-TT"], "git": ["--upload-pack", "--exec", "-c"],
    "curl": ["-K", "--config"], "awk": ["-f"], "gcc": ["-wrapper", "-fplugin"], "ld": ["-plugin"], "go": ["-toolexec", "-exec"],
    "start-stop-daemon": ["--exec", "--startas"], "slattach": ["-c"], "gdb": ["-ex", "--eval-command", "-x"], "vim": ["-c", "--cmd"],
    "make": ["-f", "--eval"], "groff": ["-K"], "perlbug": ["-e"], "strace": ["-E"], "valgrind": ["--db-command"], "rsync": ["-e", "--rsh"],
}  # fmt: skip
# Manuals: -c, -e or -x has another meaning, which is data; of all others nobody may assume that.
_OTHERWISE = """
    bunzip2 bzip2 chattr chcon csplit dos2unix jar lzma patch setfacl uncompress unlzma unix2dos unzstd
    wget     base32 base64 basenc cat chcon chgrp chmod chown cksum cmp comm cp csplit cut date dd df diff dir du
    echo egrep expand expr fgrep file fmt fold grep head hexdump id install iconv join less ln look ls
    md5sum mkdir mktemp more mv nl nm numfmt od paste pr printf ps pgrep pkill readlink realpath rm
    rmdir seq sha1sum sha224sum sha256sum sha384sum sha512sum shasum shred shuf sort split stat strings
    stty sum sync tac tail tee touch tr tree true false truncate tsort tty uname unexpand uniq unlink
    unxz unzip uptime users vdir wc which who whoami xxd xz xzcat yes zcat zstd zstdcat gzip gunzip
    bzcat arch basename b2sum dirname factor groups hostid hostname kill link logger logname lsattr
    lscpu lz4 mkfifo nproc pathchk ping pinky printenv ptx pwd rev column col colrm cal getent getconf
    free test git docker kubectl cargo curl gh go mypy pytest ruff rsync tar jq yq zip diff3 sdiff
    objcopy objdump ar as addr2line c++filt elfedit gprof ranlib readelf size strip ld gcc g++ cc c++
    cpp javac rustc clang swiftc openssl man fd rg sleep find
"""
OTHERWISE = _OTHERWISE.split()
# Manuals: operands are data or files, packages, resources, subcommands of its own; none begins a command line.
_OPERANDS = """
    aws az gcloud terraform systemctl brew helm apt apt-get npm pip wget dpkg cmake ctest [ cd pnpm yarn poetry uv gsutil bq
    dotnet gradle mvn ssh-keygen svn hg vault jo ag awk gawk mawk nawk sed jq yq
    gojq jaq tomlq xq xq-python
"""
OPERANDS = {*OTHERWISE, *_OPERANDS.split()}
INTERPRETERS = (
    "bash",
    "dash",
    "rbash",
    "sh",
    "python",
    "ipython",
    "isympy",
    "node",
    "perl",
    "php",
    "ruby",
    "irb",
    "lua",
    "tclsh",
    "wish",
    "java",
    "jrunscript",
)
_SIMPLE = "nice nohup env stdbuf time setsid ionice chrt timeout strace xargs"
SIMPLE = {*LANGUAGES, *_SIMPLE.split()}
FRAMES = [
    "{}", "'{h}'{t}", '"{h}"{t}', "/usr/bin/{}", "command {}", "env A=1 {}", "nohup {}", "if true; then {}; fi", "( {} )", "true && {}",
    "f() {{ {}; }}; f", "! {}", "{} | cat", "timeout 5 {}", "{} > out.txt", "A=1 {}", "x=$({})", "{}\necho", "find . -exec {} \\;",
]  # fmt: skip
_HARMLESS = """
    echo printf cat head tail wc basename dirname ls grep cut sort uniq stat touch mkdir readlink
    realpath date seq tr
"""
HARMLESS = _HARMLESS.split()


def accepts(text: str) -> bool:
    """Whether the text may have a value in the place of ``§``."""
    try:
        ShellTemplate.parse(text.replace("§", "{{ arg.x }}"), NAMES)
    except SourceError:
        return False
    return True


def framed(frame: str, head: str, tail: str) -> str:
    return frame.format(f"{head}{tail}", h=head, t=tail)


def spellings(option: str) -> Sequence[str]:
    """The option with its value, in every form that getopt takes."""
    if option.startswith("--"):
        return [f"{option} §", f"{option}=§", f"{option}='a §'", f'{option} "§"']
    return [f"{option} §", f"{option}§", f'{option} "x §"', f"{option} 'x'§"]


@settings(max_examples=examples(300), deadline=None)
@given(
    program=st.sampled_from(PROGRAMS),
    option=st.sampled_from(["-c", "-e", "-x", "--exec", "--eval", "--command"]),
    data=st.data(),
)
@example(program="nobody-knows-it", option="-c", data=None)
def test_behind_an_option_that_takes_code_elsewhere_it_is_refused(
    program: str, option: str, data: st.DataObject | None
) -> None:
    assume(program.rstrip("0123456789.-") not in OTHERWISE and program not in OTHERWISE)
    if data is None:
        assert not accepts(f"{program} {option} §")
        return
    if option.startswith("--"):
        option = option[: data.draw(st.integers(4, len(option)))]  # GNU's abbreviations
    elif data.draw(st.booleans()):
        option = "-" + data.draw(st.sampled_from(["l", "v", "q", "rn"])) + option[1:]
    spelling, frame = data.draw(st.sampled_from(spellings(option))), data.draw(st.sampled_from(FRAMES))
    text = framed(frame, program, f" {data.draw(st.sampled_from(['', 'a ', '-v ', '-o b ']))}{spelling}")
    assert not accepts(text), text


@settings(max_examples=examples(150), deadline=None)
@given(program=st.sampled_from(sorted(OPTIONS)), data=st.data())
def test_the_value_of_an_option_that_its_manual_says_is_run(program: str, data: st.DataObject) -> None:
    option = data.draw(st.sampled_from(OPTIONS[program]))
    if option.startswith("--"):
        option = option[: data.draw(st.integers(5, len(option)))]
    spelling, frame = data.draw(st.sampled_from(spellings(option))), data.draw(st.sampled_from(FRAMES))
    text = framed(frame, program, f" {spelling} b")
    assert not accepts(text), text


CODE = ["sh -c 'echo §'", "bash -lc §", "/bin/dash -c \"§\"", "python3 -c §", "perl -e '§'", "awk §", "eval §", "env §", "xargs §", "sudo §",
        "node --eval §", "ssh host §", "make §", "nice -n 5 sh -c '§'", "python3.12 -m timeit §", "sh §", "sed s/a/§/"]  # fmt: skip


@settings(max_examples=examples(200), deadline=None)
@example(program="dotenv", before="", code="awk §", frame="{}")
@given(
    program=st.sampled_from([*PROGRAMS, *RUNNERS]),
    before=st.sampled_from(["", "--", "-n 5", "nobody", "run --", "--user u", "a b"]),
    code=st.sampled_from(CODE),
    frame=st.sampled_from(FRAMES),
)
def test_a_command_line_behind_any_program_takes_no_value(
    program: str, before: str, code: str, frame: str
) -> None:
    assume(not {program, program.rstrip("0123456789.-")} & OPERANDS)
    assume(not program.startswith(INTERPRETERS))  # what follows is data of the script that they run
    text = framed(frame, program, f" {before} {code}")
    assert not accepts(text), text


@settings(max_examples=examples(60), deadline=None)
@given(
    program=st.sampled_from([*RUNNERS, *LANGUAGES]),
    frame=st.sampled_from(FRAMES),
    spelling=st.sampled_from(["§", "'§'", '"a §"', "a§", "x §"]),
)
def test_operands_of_what_runs_them_are_refused(program: str, frame: str, spelling: str) -> None:
    assume(spelling != "x §" or program not in SIMPLE)  # which run `x`, with data
    text = framed(frame, program, f" {spelling}")
    assert not accepts(text), text


@settings(max_examples=examples(150), deadline=None)
@given(
    program=st.sampled_from(PROGRAMS),
    args=st.sampled_from(["", "-v ", "a ", "--foo ", "-C d "]),
    print_=st.sampled_from(
        [
            "echo §",
            "printf '%s' §",
            "cat <<E\n§\nE\ntrue",
            "echo § | tr a b",
            'v=§; echo "$v"',
            "echo a; echo '§'",
        ]
    ),
    flags=st.sampled_from(["", "-n1 ", "-0 ", "-r "]),
)
def test_what_xargs_feeds_is_judged_as_an_argument(program: str, args: str, print_: str, flags: str) -> None:
    assume(not print_.startswith("cat"))
    fed = f"{{ {print_}; }} | xargs {flags}{program} {args}".rstrip()
    if program not in ("echo", "printf", "true", "false", "test"):
        assert not accepts(fed), fed  # it could be an option
    if not accepts(f"{program} {args}-- §"):
        assert not accepts(f"{fed} --"), fed


@settings(max_examples=examples(150), deadline=None)
@given(
    program=st.sampled_from([*PROGRAMS, *RUNNERS, *LANGUAGES, *OPTIONS]),
    args=st.sampled_from(["§", "-c §", "a §", "--exec §", "--file=§", "-n §", "sub §", "-- §"]),
    frame=st.sampled_from(FRAMES),
)
def test_no_spelling_of_a_command_says_something_else(program: str, args: str, frame: str) -> None:
    """What is refused stays so in other quotes, behind wrappers, in a function, and by way of a variable."""
    assume(program not in ("true", "false", "echo", "test", "[", "printf"))
    if not accepts(f"{program} {args}"):
        assert not accepts(framed(frame, program, f" {args}"))
        assert not accepts(f"v=§; {program} {args.replace('§', chr(34) + '$v' + chr(34))}")
        assert not accepts(f"v=§; w=$v; {program} {args.replace('§', '$w')}")
        assert not accepts(f"{program} {args.replace('§', chr(34) + '$(echo §)' + chr(34))}")


@settings(max_examples=examples(60), deadline=None)
@given(
    name=st.from_regex(r"[A-Z]{1,6}(_[A-Z]{2,5})?_?(OPTIONS|OPTS|FLAGS)", fullmatch=True),
    program=st.sampled_from(PROGRAMS),
    frame=st.sampled_from(
        [
            "{n}=§ {p} a",
            "export {n}=§; {p}",
            "env {n}=§ {p}",
            "{n}='x §' {p}",
            "v=§; {n}=$v {p}",
            'env -i {n}="§" {p}',
        ]
    ),
)
def test_a_variable_that_is_called_as_options_are_takes_no_value(name: str, program: str, frame: str) -> None:
    assume(name not in ("OPTIONS", "OPTS", "FLAGS"))
    text = frame.format(n=name, p=program)
    assert not accepts(text), text


def test_ordinary_arguments_of_programs_that_nobody_knows_are_accepted() -> None:
    for program in INVENTED:
        for args in ("§", "--title §", "--name=§", "-n §", "sub §", "sub --body '§'", "-- §", "-vv a §"):
            assert accepts(f"{program} {args}"), (program, args)


def test_programs_whose_manual_says_that_operands_are_text_or_names_take_them() -> None:
    for program in HARMLESS:
        assert accepts(f"{program} §"), program
        assert accepts(f"{program} -- §"), program


# --- run: only what is harmless, with values that are not, in a directory of its own

PARTS = st.sampled_from([
    "$(touch CANARY)", "`touch CANARY`", ";touch CANARY;", "\ntouch CANARY\n", "'", '"', "|touch CANARY", "--checkpoint-action=exec=touch CANARY",
    "-", "--", "-exec touch CANARY ;", "a b", "*", "é", "\\", "%s%n", "a", "$x", "-e", "@a", "=", "\t", "../", "e touch CANARY", "}\ntouch CANARY\n{",
])  # fmt: skip
VALUES = st.lists(PARTS, min_size=1, max_size=4).map("".join)
ONE_ARGUMENT = [
    "mytool §", 'mytool "§"', "mytool '§'", "mytool -- §", "mytool --body §", "v=§; mytool \"$v\"", "mytool a §", "f() { mytool \"$1\"; }; f §",
    "for v in §; do mytool \"$v\"; done", "find a.txt -exec mytool § \\;", "env A=1 mytool §", "command mytool §", "timeout 5 mytool §",
    "mytool --body \"$(printf %sx §)\"", "if true; then mytool §; fi", "mytool <<E §\na\nE", "mytool § # §", "V=§ sh -c 'mytool \"$V\"'",
    "export V=§; python3 -c 'import os, subprocess; subprocess.run([\"mytool\", os.environ[\"V\"]])'",
]  # fmt: skip
SCRATCH = [
    "echo §", "printf '%s' §", "printf § ", "cat §", "head -n1 §", "wc -c §", "basename §", "dirname §", "ls §", "grep -e § a.txt", "grep -c § a.txt",
    "sort §", "cut -c1 §", "sed --sandbox 's/a/§/' a.txt", "sed --sandbox § a.txt", "awk -v v=§ '{ print v }' a.txt", "jq -n --arg v § '$v'",
    "tar cf o.tar -- §", "tar cf o.tar §", "printf %s § | xargs tar cf o.tar --", "echo § | xargs echo", "v=§; tar cf o.tar $v", "v=§; tar cf o.tar \"$v\"",
    "for v in §; do tar cf o.tar $v; done", "date > §", "echo a | tee §", "v=§; date > \"$v\"", "touch §", "cp a.txt §", "date > d/§", "test -n §",
    "[ § = a ]", "find § -maxdepth 0", "git log §", "git diff --no-index a.txt §", "git commit -m §", "date +§", "seq §", "tr § a < a.txt",
    "split -l 1 a.txt §", "read -r v <<E\n§\nE\necho \"$v\"", "stat -c § a.txt", "mkdir -p §", "d=d; date > \"$d/§\"", "sort -o § a.txt",
]  # fmt: skip


@pytest.fixture(scope="module")
def arena() -> Path:
    root = Path(tempfile.mkdtemp(prefix="lok-fuzz-"))
    (root / "bin").mkdir()
    tool = root / "bin" / "mytool"
    tool.write_text('#!/bin/sh\nfor v; do printf \'%s\\0\' "$v"; done >> "$SEEN"\n')
    tool.chmod(0o755)
    return root


def executed(root: Path, text: str, value: str) -> Path | None:
    """The directory in which the text has run with that value; None if it may not be passed."""
    try:
        command = ShellTemplate.parse(text.replace("§", "{{ arg.x }}"), NAMES).render(
            Scope(arguments={"x": value})
        )
    except TemplateError:
        return None
    cwd = root / "up" / "cwd"
    shutil.rmtree(root / "up", ignore_errors=True)
    (cwd / "d").mkdir(parents=True)
    (cwd / "a.txt").write_text("a\n")
    env = {
        "PATH": f"{root / 'bin'}:{os.environ['PATH']}",
        "SEEN": str(root / "up" / "seen"),
        "HOME": str(root / "up"),
        "LC_ALL": "C.UTF-8",
    }
    subprocess.run(
        ["sh", "-c", command.text], cwd=cwd, env={**env, **command.values}, timeout=30, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return root / "up"


@settings(max_examples=examples(60), deadline=None)
@given(text=st.sampled_from(ONE_ARGUMENT), value=VALUES)
def test_a_value_arrives_as_one_argument(arena: Path, text: str, value: str) -> None:
    assume("{}" not in value or "find" not in text)  # find puts a name there
    where = executed(arena, text, value)
    if where is not None:
        expected = f"{value}x" if "%sx" in text else value
        assert expected in os.fsdecode((where / "seen").read_bytes()).split("\0")[:-1]
        assert not list(where.rglob("CANARY"))


@settings(max_examples=examples(120), deadline=None)
@given(text=st.sampled_from(SCRATCH), value=VALUES)
@example(text="v=§; tar cf o.tar $v", value="a.txt --checkpoint=1 --checkpoint-action=exec=touch\tCANARY")
@example(text="date > §", value="../CANARY")
def test_a_value_runs_nothing_and_writes_nowhere_else(arena: Path, text: str, value: str) -> None:
    assume(".." not in value or "tar" not in text)  # it would pack the whole system
    where = executed(arena, text, value)
    if where is not None:
        assert not list(where.rglob("CANARY"))
        assert {path.name for path in where.iterdir()} <= {"cwd", "seen"}
