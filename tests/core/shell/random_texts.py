"""Random shell texts with hostile values, in real shells: no value may ever run.

``python -m tests.core.shell.random_texts 20000 [SEED]`` tries that many texts.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_lok.core.shell.compiler import ShellTemplate
from pytest_lok.core.templates.scope import Scope
from pytest_lok.errors import SourceError, TemplateError
from tests.core.shell.shells import NAMES

HOLES = ("{{ arg.a }}", "{{ arg.b }}", "{{ arg.c | allow_dash }}")

SOUP = [
    *HOLES, *HOLES, " ", " ", " ", "\n", "\n", ";", "&", "&&", "||", "|", "|&", "(", ")", "{ ", " }", "((", "))",
    "<", ">", ">>", "2>&1", ">&2", "&>", "<&0", "<>", ">|", "<<<", "<<E", "<<-E", "<<'E'", '<<"E"', "<<\\E", "<(", ">(",
    "\nE\n", "\n\tE\n", "E", "'", "'", '"', '"', "`", "\\", "\\\n", "$", "$(", "$((", "${", "${x:-", "${x#", "$'", '$"',
    "$[", "[", "]", "[ ", " ]", "[[ ", " ]]", "#", " # ", "!", "! ", "if ", "then ", "else ", "elif ", "fi", "; fi",
    "for x in ", "for x", "; do ", "do ", "done", "; done", "while ", "until ", "case ", " in ", "esac", ";;", ";&", "x)",
    "*)", "(x)", "f() ", "f ", "function f ", "select x in ", "coproc ", "time ", "eval ", "exec ", "command ", "builtin ",
    ". ", "source ", "trap ", "trap 'f' EXIT", "alias f=", "alias echo='eval '", "sh -c ", "bash -c ", "sh ", "sh -s ",
    "bash", "dash -c '", "xargs ", "xargs -I{} ", "xargs sh -c ", "env ", "env -i ", "nohup ", "nice ", "timeout 1 ",
    "echo ", "echo ", "printf ", "printf '%s\\n' ", "printf %s ", "cat", "cat ", "cat -", "true ", ": ", "test ", "test -v ",
    "read x", "read -r x", "read ", "set -- ", "set ", "unset ", "export ", "export x=", "readonly y=", "local x=",
    "declare x=", "declare -i x=", "typeset ", "let ", "x=", "y=", "x+=", "x[0]=", "x=(", "IFS=", "PS4=", "set -x",
    "BASH_ENV=", "ENV=", "PATH=", "$x", '"$x"', "${x}", "$y", "$1", '"$1"', '"$@"', "$*", "$#", "$?", "$$", "$lok_1",
    "$((x))", "$((x+1))", "$(( ", " ))", "((x++))", "find . -exec ", " \\;", " {} ", "-v ", "-n ", "-z ", "-eq ", " = ",
    " == ", " -a ", " -o ", "-- ", "-c ", "-e ", "-m ", "--body ", "awk ", "sed ", "sed -n ", "awk -v x=", "python3 -c ",
    "python3 - ", "perl -e ", "a", "b", "0", "1", "~", "*", "?", "/", "./", "{a,", "}", "%", "@", ",", "=", ":", "-", "^",
    "\t", "\r", "\r\n", "x <", "mapfile x", "getopts a x ", "printf -v x ", "shift", "return", "exit", "break", "wait ",
    "tee f", "tee f | sh", "| sh", "| bash", "| xargs ", "| while read x; do ", "sh <<E\n", "cat <<E | sh\n", "sed e", "e",
]  # fmt: skip

PAYLOADS = [
    "pwn", "pwn x", "; pwn;", "\npwn\n", "&pwn&", "|pwn", "$(pwn)", "`pwn`", "';pwn;'", '";pwn;"', "'\"'\";pwn;\"'\"",
    "$(pwn)'$(pwn)\"$(pwn)", "')\npwn\n('", "\")\npwn\n(\"", "\nE\npwn\n", "E\npwn\nE\n", "\tE\npwn", "E", "\n", "", "x",
    "\\", "\\\n", "'", '"', "`", "$", "$x", "#", "# ", "{", "}", "}\npwn\n", ")\npwn\n", "))\npwn\n((", "]]\npwn\n",
    "a[$(pwn)]", "x[$(pwn)]", "a[$(pwn)]=1", "x=$(pwn)", "-v", "-R", "(", ")", "!", "=", "-n", "-o", "-c", "-e", "-exec",
    "--", "-x", "1;pwn", "\npwn;:", "esac\npwn\n", ";;\nesac\npwn\n", "done\npwn\n", "fi\npwn\n", "}; pwn; {", "1e pwn",
    "BEGIN{system(\"pwn\")}", "@{[`pwn`]}", "import os;os.system('pwn')", "system('pwn')", "e pwn", "s/.*/pwn/e",
    "0 -o a[$(pwn)]", "-v a[$(pwn)]", "{pwn,}", "~pwn", "<(pwn)", ">(pwn)", "!pwn", "%s%n", "\\n", "\\055", "$((a[$(pwn)]))",
    "${x:-$(pwn)}", "$'\\npwn\\n'", "\r\npwn\r\n", "f", "eval pwn", "sh -c pwn", "pwn;", "PATH=. pwn", "./pwn", "$lok_1",
    "x=pwn", "() { pwn; }", "alias x=pwn", "IFS=x", "-I{}", "{}", "/dev/stdin", "-", "\x01pwn\x02", "\x81\x88pwn", "a b c",
]  # fmt: skip

HARMLESS = {"a": "v", "b": "v", "c": "v"}

STRONG = [
    "pwn",
    "$(pwn)",
    "\npwn\n",
    ";pwn;",
    "a[$(pwn)]",
    "'\npwn\n'",
    '"\npwn\n"',
    "x;pwn",
    "`pwn`",
    "pwn #",
]

SOURCES = [
    "x=W", 'x="W"', "x=W; y=$x; x=$y", "export x=W", 'x="$(echo W)"', "read x <<E\nW\nE\n", "f() { x=$1; }; f W",
    "set -- W; x=$1", "for x in W; do :; done", "x=$(cat <<E\nW\nE\n)", ": ${x:=$(printf %s W)}", "readonly x=W", "x=W :",
    "x=W; set -- $x", "x=W; export x", "x=W; f() { echo $x; }", "x=$(echo W | cat)", "x=W; alias y=$x", "local x=W",
]  # fmt: skip
SINKS = [
    'eval "$x"', "eval $x", "$x", '"$x"', 'sh -c "$x"', "bash -c $x", 'echo "$x" | sh', "sh <<E\n$x\nE\n", "echo $((x))",
    'trap "$x" EXIT', "trap 'eval \"$x\"' EXIT", '[ -v "$x" ]', "[ $x ]", "test $x = y", 'unset "$x"', 'read "$x" </dev/null',
    'let "$x"', "[[ x -eq $x ]]", 'declare -i y="$x"', "sh -c 'eval \"$1\"' _ \"$x\"", 'echo "$x" | { read y; eval "$y"; }',
    'f() { eval "$1"; }; f "$x"', 'command eval "$x"', 'env sh -c "$x"', 'echo "$x" | xargs -I{} sh -c "{}"', "PS4=$x; set -x; :",
    'export x; sh -c \'eval "$x"\'', 'printf "$x" y', "echo $x", 'printf "%s\\n" "$x"', "cat <<E\n$x\nE\n", 'eval "echo $x"',
    "nohup sh -c \"$x\"", "$(echo $x)", "`echo $x`", "x=$x sh -c '$x'", "printf $x 'a[$(pwn)]'", "while read y; do $y; done <<E\n$x\nE\n",
    "eval eval '$x'", "find . -maxdepth 0 -exec sh -c \"$x\" \\;", "set -- $x; \"$@\"", "${y:-$x}", "unset y; : ${y:=$x}; eval $y",
    "export -p | sh", "env | sh", "eval $(env)", "IFS=x; eval ${x#a}", "exec 3<<E; . /dev/fd/3\n$x\nE\n", "echo $x >f; sleep 0",
]  # fmt: skip


class Grammar:
    """Texts that are mostly well-formed and mostly accepted; ``odd`` is how often they are neither."""

    def __init__(self, chance: random.Random, odd: float) -> None:
        self.chance = chance
        self.odd = odd
        self.depth = 0
        self.docs: list[str] = []

    def pick(self, usual: Sequence[str], odd: Sequence[str] = ()) -> str:
        return self.chance.choice(odd if odd and self.chance.random() < self.odd else usual)

    def text(self) -> str:
        """A few lines."""
        return "".join(self.line() for _ in range(self.chance.choice([1, 1, 2])))

    def line(self) -> str:
        command = self.list()
        docs, self.docs = self.docs, []
        return command + self.pick("\n", ["", "\r\n", " \\\n"]) + "".join(docs)

    def list(self) -> str:
        text = self.pipeline()
        while self.chance.random() < 0.2:
            text += self.pick(["; ", " && ", " || ", "\n"], [" & ", ";;", " |& ", " ;\n"])
            if text.endswith("\n"):
                text += "".join(self.docs)
                self.docs = []
            text += self.pipeline()
        return text

    def pipeline(self) -> str:
        text = self.command()
        while self.chance.random() < 0.12:
            text += " | "
            kind = self.pick(["cat", "sed s/a/b/", "tee f", "xargs echo", "loop", "read", "self"],
                             ["sh", "bash", "sh -s", "xargs", "xargs -I{} sh -c '{}'", "xargs env"])  # fmt: skip
            match kind:
                case "loop":
                    text += f"while read x; do {self.simple()}; done"
                case "read":
                    text += f"{{ read x; {self.simple()}; }}"
                case "self":
                    text += self.command()
                case _:
                    text += kind
        return text

    def command(self) -> str:
        if self.depth > 2 or self.chance.random() < 0.75:
            return self.simple()
        self.depth += 1
        kind = self.pick(
            ["if", "else", "for", "while", "case", "lines", "(", "{", "f", "!", "flow", "flow"],
            ["((", "select"],
        )
        made: dict[str, Callable[[], str]] = {
            "if": lambda: f"if {self.list()}; then {self.list()}; fi",
            "else": lambda: f"if {self.simple()}; then {self.list()}; else {self.simple()}; fi",
            "for": lambda: f"for x in {self.word()} {self.word()}; do {self.list()}; done",
            "while": lambda: f"while {self.simple()}; do {self.list()}; break; done",
            "case": lambda: f"case {self.word()} in {self.pattern()}) {self.list()};; esac",
            "lines": lambda: f"case {self.word()} in\n({self.pattern()}|b) {self.simple()}\n;;\n*) :\nesac",
            "(": lambda: f"( {self.list()} )",
            "{": lambda: f"{{ {self.list()}; }}",
            "f": lambda: f"f() {{ {self.list()}; }}; f {self.word()}",
            "!": lambda: f"! {self.simple()}",
            "flow": self.flow,
            "((": lambda: f"(( {self.word()} ))",
            "select": lambda: f"select x in {self.word()}; do {self.list()}; done",
        }
        text = made[kind]()
        self.depth -= 1
        return text + (self.redirect() if self.chance.random() < 0.1 else "")

    def flow(self) -> str:
        """A value that goes somewhere through a variable; only some of the places are harmless."""
        source = self.chance.choice(SOURCES).replace("W", self.word())
        return source + ("" if source.endswith("\n") else "; ") + self.chance.choice(SINKS)

    def pattern(self) -> str:
        return self.pick(["a", "*", "'x'", "?"], ["{{ arg.a }}", "$x", "@(a|b)"])

    def simple(self) -> str:
        prefix = ""
        if self.chance.random() < 0.3:
            name = self.pick("xy", ["PATH", "IFS", "PS4", "ENV", "BASH_ENV", "x[0]", "x+"])
            prefix = f"{name}={self.word()}{self.pick([' ', '; ', '; '])}"
        name = self.pick(
            ["echo", "echo", "printf '%s\\n'", "printf '%s'", "cat --", "true", ":", "printf", "git log", "env", "e=1",
             "export x=1", "nohup echo", "command echo", "set --", "f", "find . -name", "sed s/a/b/", "awk '{print}'"],
            ["eval", "sh -c", "bash -c", "sh", "exec", "read", "export", "unset", "local", "readonly", "declare", ".",
             "trap", "$x", '"$x"', "xargs", "find . -exec", "timeout 1", "let", "[[", "test -v", "printf -v x", "alias",
             "python3 -c", "sed", "awk", "{{ arg.b }}", "builtin", "time", "nice -n 1", "type", "declare -i x; :", "test"],
        )  # fmt: skip
        args = "".join(" " + self.word() for _ in range(self.chance.choice([0, 1, 1, 2])))
        if name == "[[":
            args += " ]]"
        if self.chance.random() < 0.15:
            name, args = (
                "[",
                self.pick([" -n W ]", " W = W ]", " ! W != W ]", " -f W ]"], [" W W ]", " W ]", " -v W ]"]),
            )
            while "W" in args:
                args = args.replace("W", self.word(), 1)
        return prefix + name + args + (self.redirect() if self.chance.random() < 0.15 else "")

    def redirect(self) -> str:
        if self.chance.random() < 0.3:
            return self.pick(
                [" > f", " 2>&1", " < /dev/null", " >> f"], [" > {{ arg.a }}", " <<< {{ arg.b }}", " &> f"]
            )
        tabs = self.pick(["", "-"])
        delimiter = self.pick(["E", "'E'", '"E"', "\\E"], ["$x", "E'F'", "{{ arg.a }}"])
        body = "".join(self.body_line() for _ in range(self.chance.randint(0, 2)))
        self.docs.append(body + (self.pick(["", "\t"]) if tabs else "") + "E\n")
        return f" <<{tabs}{delimiter}"

    def body_line(self) -> str:
        parts = [
            self.chance.choice([self.hole, self.piece, self.quoted])()
            for _ in range(self.chance.randint(0, 3))
        ]
        return self.pick(["", "\t", " "]) + "".join(parts) + self.pick("\n", ["\\\n"])

    def hole(self) -> str:
        return self.chance.choice(HOLES)

    def piece(self) -> str:
        return self.pick(
            ["a", "b-c", "$x", "${x}", "${y:-z}", "\\$", "\\\\", "$((1+1))", "$(echo a)", "#", "*", "~", "=", ",", "-", "%s", "é"],
            ["$1", "it's", '"q"', "`echo a`", "$((x))", "{", "}", "\\", "$", "$'", "${x", "$(", "`", "${x:-'", "\\\n", "<(", "$["],
        )  # fmt: skip

    def quoted(self) -> str:
        inner = "".join(
            self.chance.choice([self.hole, self.piece])() for _ in range(self.chance.randint(0, 3))
        )
        quote = self.chance.choice(['"', '"', "'"])
        return quote + inner + quote

    def word(self) -> str:
        text = ""
        for _ in range(self.chance.choice([1, 1, 1, 2, 3])):
            kind = self.chance.random()
            if kind < 0.4:
                text += self.hole()
            elif kind < 0.5:
                text += self.piece()
            elif kind < 0.8 or self.depth > 2:
                text += self.quoted()
            else:
                text += self.substitution()
        return text

    def substitution(self) -> str:
        self.depth += 1
        outer, self.docs = self.docs, []
        inner = self.list()
        if self.docs:
            inner += "\n" + "".join(self.docs)
        self.docs = outer
        self.depth -= 1
        return self.pick(['"$({})"', "$({})"], ["`{}`", "'{}'", "${{x:-{}}}", "$(({}))", '"`{}`"']).format(
            inner
        )


@dataclass(slots=True)
class Tally:
    """What happened to the texts; ``escapes`` are the ones whose values ran."""

    tried: int = 0
    accepted: int = 0
    runs: int = 0
    escapes: list[str] = field(default_factory=list)


def texts(chance: random.Random) -> Iterator[str]:
    """Random texts without end."""
    while True:
        if chance.random() < 0.5:
            yield "".join(chance.choice(SOUP) for _ in range(chance.randint(2, 14)))
        else:
            yield Grammar(chance, odd=chance.choice([0.0, 0.02, 0.1, 0.3])).text()


class Arena:
    """A directory in which ``pwn`` leaves a mark when it is run."""

    def __init__(self, root: Path) -> None:
        self.mark = root / "mark"
        self.cwd = root / "cwd"
        self.bin = root / "bin"
        self.cwd.mkdir()
        self.bin.mkdir()
        for place in (self.bin, self.cwd):
            (place / "pwn").write_text(f"#!/bin/sh\n: > '{self.mark}'\n")
            (place / "pwn").chmod(0o755)

    def runs_pwn(self, shell: list[str], template: ShellTemplate, values: Mapping[str, str]) -> bool:
        """Whether the text with these values, in that shell, runs ``pwn``."""
        try:
            command = template.render(Scope(arguments=values))
        except TemplateError:
            return False
        env = {"PATH": f"{self.bin}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", **command.values}
        process = subprocess.Popen(
            [*shell, "-c", command.text], env=env, cwd=self.cwd, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        found = self.mark.exists()
        if found:
            self.mark.unlink()
        return found


def fuzz(
    count: int, *, seed: int, shells: list[list[str]], root: Path, rounds: int = 2, unsafe: bool = False
) -> Tally:
    """Try ``count`` texts; each that compiles runs in every shell, ``rounds`` times with other values."""
    chance = random.Random(seed)
    arena = Arena(root)
    tally = Tally()
    for text in texts(chance):
        if tally.tried == count:
            return tally
        if "{{" not in text:
            continue
        tally.tried += 1
        try:
            template = ShellTemplate.parse(text, NAMES, unsafe=unsafe)
        except SourceError:
            continue
        tally.accepted += 1
        for _ in range(rounds):
            values = {name: _value(chance) for name in "abc"}
            for shell in shells:
                tally.runs += 1
                # What runs with harmless values too is the text's own doing.
                if arena.runs_pwn(shell, template, values) and not arena.runs_pwn(shell, template, HARMLESS):
                    tally.escapes.append(f"{shell}: {text!r}\n  values {values!r}")
    return tally


def _value(chance: random.Random) -> str:
    if chance.random() < 0.4:
        return chance.choice(STRONG)
    return "".join(chance.choice(PAYLOADS) for _ in range(chance.choice([1, 1, 2, 3])))


def main() -> None:
    """Fuzz from the command line."""
    count, seed = map(int, (sys.argv[1:] + ["20000", "0"][len(sys.argv) - 1 :])[:2])
    with tempfile.TemporaryDirectory() as root:
        tally = fuzz(count, seed=seed, shells=[["dash"], ["bash"], ["bash", "--posix"]], root=Path(root))
    for escape in tally.escapes:
        print(escape)
    print(
        f"{tally.tried:,} texts, {tally.accepted:,} accepted, {tally.runs:,} runs, {len(tally.escapes)} escapes"
    )


if __name__ == "__main__":
    main()
