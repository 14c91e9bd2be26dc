"""What is known about commands: which of them run their arguments, or their input, as code."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

# fmt: off
EVALUATORS = frozenset({
    "at", "batch", "bind", "bwrap", "chroot", "compgen", "complete", "concurrently", "crontab", "dc",
    "duckdb", "ed", "emacs", "enable", "entr", "ex", "expect", "fakeroot", "fc", "firejail", "flock",
    "ftp", "gdb", "gmake", "hash", "hyperfine", "jobs", "just", "less", "lftp", "lldb", "ltrace", "m4",
    "make", "mariadb", "mongo", "mongosh", "mysql", "nix-shell", "nodemon", "nsenter", "nvim",
    "osascript", "parallel", "pkexec", "prlimit", "proot", "psql", "runcon", "runuser", "screen",
    "script", "setarch", "sftp", "sg", "socat", "sqlite3", "ssh", "start-stop-daemon", "su",
    "systemd-run", "taskset", "tmux", "unbuffer", "unshare", "valgrind", "vi", "view", "vim", "vimdiff",
    "watch",
})
"""Commands that can run an argument, or a part of one, as code."""

INPUT_EVALUATORS = EVALUATORS - {
    "bind", "compgen", "complete", "enable", "fc", "flock", "gmake", "hash", "hyperfine", "jobs", "just",
    "less", "make", "watch",
}
"""Those of them that can run their standard input."""

WRAPPERS: Mapping[str, re.Pattern[str]] = {name: re.compile(options) for name, options in {
    "builtin": r"--", "busybox": r"(?!)", "chrt": r"-[bfior]|\d+", "command": r"-p|--", "doas": r"-n|--",
    "env": r"-|-i|--", "exec": r"--", "ionice": r"-[cnt]?\d*|\d", "nice": r"-n|-?\d+|-n-?\d+|--",
    "nohup": r"--", "npx": r"-y|--yes|--no-install|--", "bunx": r"--", "setsid": r"-[cfw]+|--",
    "stdbuf": r"-[ioe][0L]",
    "strace": r"-f|-q+|--", "sudo": r"-[nEHSk]+|--", "time": r"-p|--", "toybox": r"(?!)", "uvx": r"--",
    "timeout": r"-[ks]|[A-Z]+\d*|\d+(\.\d+)?[smhd]?|--\w+(-\w+)*(=\w+)?|--", "xvfb-run": r"-a|--",
}.items()}
"""Commands that run the command they are given, and what may stand between the two, each word by itself."""

RUNNERS: Mapping[str, re.Pattern[str]] = {name: re.compile(words) for name, words in {
    "bundle": r"exec", "direnv": r"exec|\.", "dotenv": r"run|--", "go": r"run", "hatch": r"run|--",
    "mise": r"exec|x|--", "npm": r"exec|--", "pdm": r"run|--", "pipenv": r"run|--", "pipx": r"run|--",
    "pnpm": r"exec|dlx|--", "poetry": r"run|--", "rbenv": r"exec", "uv": r"run|--", "yarn": r"exec|dlx|--",
}.items()}
"""The same for those that do so after a subcommand only, which comes first."""
# fmt: on

XARGS_OPTION = re.compile(r"-[0rtxp]+|-[nPLs]\d+|-[IdE]\S+|--null|--no-run-if-empty|--")
XARGS_VALUE = frozenset({"-I", "-n", "-P", "-L", "-s", "-d", "-E"})


@dataclass(frozen=True, slots=True)
class Interpreter:
    """``flags`` may stand before the script's name; ``inline`` options are followed by code."""

    flags: re.Pattern[str]
    inline: re.Pattern[str]
    posix: bool = False


_SH = Interpreter(re.compile(r"-[abefhmnuvxl]+|--"), re.compile(r"-[A-Za-z]*c[A-Za-z]*"), posix=True)
_PYTHON = Interpreter(re.compile(r"-[bBdEIOPqsSuvx]+|-m|-[WX]\S+"), re.compile(r"-[A-Za-z]*c.*"))
_OTHER = Interpreter(re.compile(r"(?!)"), re.compile(r"-[A-Za-z0-9]*[eEpr].*|--eval|--print|eval"))
_RUNTIME = Interpreter(re.compile(r"run|x"), _OTHER.inline)
# fmt: off
_INTERPRETERS: Mapping[str, Interpreter] = {
    **dict.fromkeys(("ash", "bash", "dash", "fish", "ksh", "mksh", "rbash", "sh", "yash", "zsh"), _SH),
    **dict.fromkeys(("pypy", "python"), _PYTHON),
    **dict.fromkeys(("bun", "deno"), _RUNTIME),
    **dict.fromkeys((
        "elixir", "gnuplot", "groovy", "guile", "iex", "ipython", "julia", "lua", "luajit", "node",
        "nodejs", "perl", "php", "pwsh", "racket", "Rscript", "ruby", "scala", "tclsh",
    ), _OTHER),
}
# fmt: on
CODE_MODULES = frozenset({"cProfile", "code", "pdb", "profile", "runpy", "timeit", "trace"})
"""Python modules that run the arguments after ``-m``."""
INPUT_FILE = re.compile(r"-|/dev/.*|/proc/.*")
"""Names of files that stand for what is open already."""


def interpreter(name: str) -> Interpreter | None:
    """The interpreter of that name, whatever version ends it."""
    return _INTERPRETERS.get(re.sub(r"[\d.]+\Z", "", name))


SCRIPTED: Mapping[str, tuple[re.Pattern[str], Collection[str]]] = {
    **dict.fromkeys(("sed", "gsed"), (re.compile(r"-[nErsuz]+|-i\S*|--posix|--"), ("-e", "-f"))),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), (re.compile(r"-F\S+|--posix|--"), ("-f",))),
}
"""Commands whose first operand is a program that can start others: flags, and options that hold it too."""

REMOTE: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("docker", "docker-compose", "kubectl", "lxc", "nerdctl", "oc", "podman"), frozenset({"exec", "run"})
    ),
    "nix": frozenset({"develop", "shell", "run"}),
    "vagrant": frozenset({"ssh"}),
    "gcloud": frozenset({"ssh"}),
    "git": frozenset({"filter-branch", "foreach", "run"}),
}
"""Words after which the arguments are a command line of somewhere else."""

# fmt: off
BY_SUBCOMMAND = frozenset({
    "apt", "apt-get", "brew", "bundle", "cargo", "direnv", "docker", "gh", "git", "glab", "go", "hatch",
    "kubectl", "mise", "npm", "pdm", "pip", "pipenv", "pnpm", "podman", "poetry", "systemctl", "uv", "yarn",
})
"""Commands that do quite different things by their first operand."""
# fmt: on
BEFORE_SUBCOMMAND = frozenset({"-C", "-R", "-c", "--repo", "--git-dir", "--work-tree", "--manifest-path"})

CODE_OPTION = re.compile(
    r"--?(\w+-)*(exec|execdir|ok|okdir|eval|command|cmd|program|rsh|shell|pager|editor|hook)(-\w+)*|--pre|exec|eval"
)
"""Options whose value is run, whoever has them."""
CODE_OPTIONS: Mapping[str, re.Pattern[str]] = {
    "fd": re.compile(r"-[xX]"),
    "git": re.compile(r"-[cxO]|--extcmd|--upload-pack|--receive-pack|--config-env|--\w+-filter"),
    "rsync": re.compile(r"-e|--rsh|--rsync-path"),
    "tar": re.compile(r"-I|-F|--use-compress-program|--checkpoint-action|--to-command|--info-script"),
}
"""The same for those of one command."""
VALUE_OPTIONS = frozenset({"--body", "--title", "--message", "-m", "--label", "--comment"})
"""Options that take what follows as their value, whatever it starts with."""

TRUSTED_VARIABLE = re.compile(
    r"PATH|IFS|ENV|BASH_\w+|PS\d|PROMPT_COMMAND|SHELL\w*|BASHOPTS|LD_\w+|DYLD_\w+|\w*EDITOR|VISUAL|\w*PAGER"
    r"|BROWSER|LESS\w*|GIT_(?!AUTHOR_|COMMITTER_)\w+|\w*ASKPASS|PYTHON\w+|NODE_OPTIONS|PERL5\w+|RUBY(OPT|LIB)|MAKEFLAGS|JAVA_TOOL_OPTIONS"
)
"""Variables whose text a shell or a program runs, or that say what it runs."""

DUMPS = frozenset({"env", "printenv", "set", "export", "readonly", "declare", "typeset", "local"})
"""Commands that print all variables when they are given nothing to do."""
DUMP_OPTIONS = frozenset({"-p", "-x", "-0"})
PRINTERS = frozenset({"basename", "cat", "dirname", "echo", "printf", "realpath", "readlink"})
"""Commands whose output has their arguments in it."""
DECLARATIONS = frozenset({"export", "readonly", "local", "declare", "typeset"})
NAMERS = frozenset({"getopts", "mapfile", "read", "readarray", "unset", "wait"})
"""Commands whose arguments are names of variables; bash calculates in the index of an array."""
FIND_RUNS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})

TEST_UNARY = re.compile(r"-[bcdefghkLnOGNprsStuwxz]")
TEST_BINARY = re.compile(r"==?|!=|<|>|-(eq|ne|lt|le|gt|ge|nt|ot|ef)")
