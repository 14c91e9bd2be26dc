"""Where a value may stand in shell text, how it is spelled there, and what is said where it may not."""

import pytest

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.shell.compiler import MAX_VALUE, ShellTemplate
from pytest_lok.core.templates.scope import Scope, VisibleNames
from pytest_lok.errors import SourceError, TemplateError
from tests.core.shell.shells import NAMES, compiled, filled

SPELLED = [
    ("git diff {{ arg.a }}", 'git diff "${lok_1}"'),
    ('echo "a {{ arg.a }} b"', 'echo "a ${lok_1} b"'),
    ("echo 'a {{ arg.a }} b'", "echo 'a '\"${lok_1}\"' b'"),
    ("x={{arg.a}}/{{arg.b}}", 'x="${lok_1}"/"${lok_2}"'),
    ("cat <<E\n$x {{ arg.a }}\nE", "cat <<E\n$x ${lok_1}\nE"),
    ("cat <<'E'\n$x \\ `y` {{ arg.a }}\nE", "cat <<E\n\\$x \\\\ \\`y\\` ${lok_1}\nE"),
    ("cat <<'E' <<'F'\n$x\nE\n$y{{ arg.a }}\nF", "cat <<'E' <<F\n$x\nE\n\\$y${lok_1}\nF"),
    ('echo "$(echo "{{ arg.a }}")"', 'echo "$(echo "${lok_1}")"'),
    ("echo lok_1 {{ arg.a }}", 'echo lok_1 "${lok__1}"'),
    ("echo {{ '}}' }}", 'echo "${lok_1}"'),
    ("echo {{ '{% if x %}' }}", 'echo "${lok_1}"'),
    ("echo {{\n  arg.a\n}}", 'echo "${lok_1}"'),
]


@pytest.mark.parametrize(("text", "spelled"), SPELLED)
def test_a_placeholder_is_a_reference_spelled_for_its_quoting(text: str, spelled: str) -> None:
    assert filled(text, a="A", b="B").text == spelled


def test_values_travel_beside_the_text() -> None:
    command = filled("echo {{ arg.a }} '{{ arg.b }}' {{ arg.a }}", a="one", b="two")
    assert command.values == {"lok_1": "one", "lok_2": "two", "lok_3": "one"}


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "if (((", "echo 'never closed", "cat <<< x; diff <(a) <(b)", "arr=(1 2); echo ${arr[@]}", "{#", "x={#a",
        "awk '{% if'", "printf '{%s}'", "echo ${#x} ${x%}", "\\", "[[ a =~ b ]] && ((i++))", "alias x=eval", "a }} b",
    ],
)  # fmt: skip
@pytest.mark.parametrize("unsafe", [False, True])
def test_shell_without_placeholders_runs_verbatim(text: str, unsafe: bool) -> None:
    command = ShellTemplate.parse(text, NAMES, unsafe=unsafe).render(Scope())
    assert (command.text, command.values) == (text, {})


@pytest.mark.parametrize(
    "text", ["{# {{ arg.a }} #}", "echo ${#x}{{ arg.a }} {#", "printf '{%s%}' {{ arg.a }} '{%d'"]
)
def test_other_braces_are_literal(text: str) -> None:
    with_text = text.replace("{{ arg.a }}", "X")
    assert filled(text, a="X").text.replace('"${lok_1}"', "X") == with_text


ACCEPTED = [
    "awk -v n={{ arg.a }} 'BEGIN { exit !(n > 0.8) }'",
    "GIT_AUTHOR_NAME={{ arg.a }} git commit -m x",
    "perl -ne 'print if $_ =~ /x/' < f; echo {{ arg.a }}",
    "gh pr view {{ arg.1 }} --json title",
    "git fetch origin {{ arg.a }} && git checkout {{ arg.a }}",
    "git checkout -b fix/issue-{{ arg.a }}-$(date +%s)",
    'if [ -n "{{ arg.1 }}" ]; then\n  git diff {{ arg.1 }}\nelif [ "{{ arg.a }}" = "true" ]; then\n  git diff\nfi',
    "start=$(date +%s); title={{ arg.a }}; echo $(( $(date +%s) - start )) $title",
    "n=$((n + 1)); echo {{ arg.a }}",
    "n=$(( (n + 1) * 2 )); echo {{ arg.a }}",
    "for n in $(seq 1 {{ arg.a }}); do echo $((n * 2)); done",
    "git diff --name-only {{ arg.1 }} | while read -r f; do n=$((n + 1)); done; echo $n",
    "git diff --name-only {{ arg.1 }} | xargs wc -l",
    "echo {{ arg.a }} | xargs -n1 -I{} echo {}",
    "ls | grep {{ arg.a }} | awk '{print $2}' | sed -n -e 's/a/b/p' | sort -u",
    "echo '{{ arg.a }}' | python3 -c 'import sys; print(sys.stdin.read())'",
    "echo '{{ arg.a }}' | perl -ne 'print'",
    "echo {{ arg.a }} | jq -r '.[]' | while read -r f; do git add -- \"$f\"; done",
    "python3 -m json.tool <<'E'\n{{ arg.a }}\nE",
    "X={{ arg.a }} python3 - <<'E'\nimport os\nE",
    "python3 - {{ arg.a }} <<'E'\nimport sys\nE",
    "python3 -u tool.py {{ arg.a }}",
    "python3.12 -m pytest -k {{ arg.a }}",
    "bash -eu scripts/run.sh {{ arg.a }}",
    'sh "$HOME/run.sh" {{ arg.a }}',
    "node app.js {{ arg.a }}",
    "deno run app.ts {{ arg.a }}",
    "go run ./cmd {{ arg.a }}",
    "uv run pytest -k {{ arg.a }}",
    "npm test -- --grep {{ arg.a }}",
    "npx --yes eslint {{ arg.a }}",
    "timeout 60 git log {{ arg.a }}",
    "env A={{ arg.a }} B=2 git log {{ arg.b }}",
    "env A={{ arg.a }} sh -c 'echo \"$A\"'",
    "nice -n 5 cargo build {{ arg.a }}",
    "time -p git log {{ arg.a }}",
    "command -v {{ arg.a }} >/dev/null || exit 1",
    "! git diff --quiet {{ arg.a }}",
    "cd {{ arg.a }} && ls",
    "cat > notes.md <<EOF\n{{ arg.a }}\nEOF",
    "echo {{ arg.a }} >> notes.md 2>&1 < /dev/null",
    "find {{ arg.a }} -name {{ arg.b }} -exec grep {{ arg.c }} {} \\;",
    "find . -exec sh -c 'wc -l \"$1\"' _ {} \\; ; echo {{ arg.a }}",
    "trap 'rm -f \"$tmp\"' EXIT; tmp=$(mktemp); echo {{ arg.a }} > \"$tmp\"",
    "trap - EXIT; echo {{ arg.a }}",
    ". ./venv/bin/activate && pytest tests -m {{ arg.a }}",
    '. "$HOME/.cargo/env"; x={{ arg.a }}',
    'eval "$(ssh-agent -s)" > /dev/null 2>&1; git push origin {{ arg.a }}',
    '. "$HOME/.cargo/env"; echo {{ arg.a }} > "$out"',
    "msg={{ arg.a }}; ssh host uptime; echo \"$msg\"",
    'export PATH="$HOME/bin:$PATH"; tool {{ arg.a }}',
    '"$HOME/bin/tool" {{ arg.a }}',
    "set -eu; set -- {{ arg.a }}; echo \"$1\"",
    "export A={{ arg.a }} B; readonly C={{ arg.b }}",
    "read -r first second <<E\n{{ arg.a }}\nE\necho \"$first\"",
    "gh api repos/{owner}/{repo}/pulls/{{ arg.1 }}/comments",
    "git -C sub log {{ arg.a }}",
    "git stash show stash@{1} {{ arg.a }}",
    "docker build -t {{ arg.a }} .",
    "curl -d '{\"body\": \"'{{ arg.a }}'\"}' https://localhost",
    "case {{ arg.a }} in -*) echo no;; (a|b) echo ab;; esac",
    "f() { echo {{ arg.a }} \"$1\"; }; f {{ arg.b }}",
    "f () ( echo {{ arg.a }} )\nf",
    "[ ! -f {{ arg.a }} ] || [ x{{ arg.a }} != x ]",
    "[ {{ arg.a }} -gt 3 ] && test {{ arg.a }}",
    "echo \"$(case x in x) echo {{ arg.a }};; esac)\" $(echo a # it's\n)",
    "echo a#{{ arg.a }} '#' # it's \"over",
    "echo ${x:-y} ${x#*/} ${#x} $# $? $$ ${1} `date` {{ arg.a }}",
    "echo \"${x:-$(date)}\" ${x:-\"a b\"} {{ arg.a }}",
    "echo $'a b' $\"a b\" {{ arg.a }}",
    "echo a \\\n  {{ arg.a }} \\\n  b && \\\n  echo",
    "while :; do break; done; until true; do :; done; { echo {{ arg.a }}; } > f",
    "if a; then b; elif c; then d; else e; fi 2>&1 | tee log; echo {{ arg.a }}",
    "[[ -n $x && $y == a* ]]; echo {{ arg.a }}",
]  # fmt: skip


@pytest.mark.parametrize("text", ACCEPTED)
def test_values_may_stand_where_they_are_data(text: str) -> None:
    assert filled(text, **{"1": "v", "a": "v", "b": "v", "c": "v"}).values


NAME = "in the name of a command"
ARGUMENT = "an argument of "
LATER = " reads later and may run as code"
REFUSED = [
    *((text, NAME) for text in (
        "§", "§ x", "x=1 §", ">f §", "2>&1 §", "<f §", "a | §", "a|§", "a && §", "a || §", "a; §", "a & §", "a\n§", "(§)",
        "{ §; }", "! §", "if §; then b; fi", "if a; then §; fi", "if a; then b; else §; fi", "while §; do b; done",
        "for x in a; do §; done", "case a in a) §;; esac", "case a in (a|b) §\nesac", "$(§)", 'echo "$(§)"', "./bin/§.sh",
        "f() { §; }", "exec §", "env §", "env A=1 §", "command §", "nohup §", "time §", "sudo -n §", "timeout 5 §",
        "timeout § ls", "nice -n 1 §", "uv run §", "npx §", "find . -exec § \\;", "busybox §", "'§'", '"§"', "a§b", "$(echo §)",
        '"$(echo §)" x', "env -- §", "builtin §", "bundle exec §",
            "go run §",
            "pipx run §",
    )),
    *((text, ARGUMENT) for text in (
        "eval §", "eval 2>&1 §", "eval 'echo' §", "eval \"$(echo §)\"", "sh -c §", "sh -c 'echo §'", 'bash -c "echo §"',
        "/bin/sh -c §", "sh -ec §", "sh -c 'echo \"$1\"' _ §", "sh §", "sh -- §", "bash ./§.sh", "sh -o §", "dash -s §",
        "xargs §", "echo a | xargs -n1 §", "ssh host §", "ssh §", "python -c §", "python3 §", "python3 -m §",
        "python -m timeit §", "perl -e §", "perl -pe 's/§//' f", "perl -e 'p' §", "node -e §", "node --eval §", "deno eval §",
            "deno run §",
        "awk § f", "awk -v x=1 '{ print \"§\" }'", "sed § f", "sed -n s/a/§/ f", "sed -e §", "sed -f §", "sed --expression=§",
        ". §", "source §", ". ./x §", "trap § EXIT", "trap 'x' §", "'eval' §", "\\eval §", "e'v'al §",
        "command eval §", "env sh -c §", "env A=1 bash -c §", "sudo -u root ls §", "env -S §", "exec -a § ls", "exec sh -c §",
        "busybox sh -c §", "timeout 5 sh -c §", "find . -exec sh -c § \\;", "find . -exec sh -c 'echo §' \\;", "uv run sh -c §",
        "make §", "make X=§", "su -c §", "parallel §", "watch §", "at §", "vim §", "psql -c §", "sqlite3 db §", "socat - §",
        "docker exec web ls §", "docker run §", "docker compose exec web §", "kubectl exec pod -- §", "git submodule foreach §",
        "nix develop -c §", "unset §", "read §", "export §", "local §", "readonly x §", "declare -i x=§", "typeset -n x=§",
        "let §", "[[ § == x ]]", "[[ -v § ]]", "printf -v § x", "printf -v x §", 'printf "$f" §', "$cmd §", '"$cmd" §',
        "${cmd:-ls} §", "$(which ls) §", "getopts § x", "mapfile -C §", "wait -p §", "set §", "set -o §", "bind §", "enable §",
    )),
    *((text, "where `") for text in (
        "[ § x ]", "[ § § ]", "[ a § b ]", "test § § §", "[ -v § ]", "test -R §", "[ -o § ]", "[ -n § -a x = y ]",
        "[ -z a -o -n § ]", "[ \\( § \\) ]", "[ $x = § ]", "[ ! ! -n § ]", '[ "$@" = § ]',
    )),
    *((text, "the subcommand of ") for text in ("git §", "git -c x=y §", "gh --help §", "docker §", "npm §", "git § log")),
    *((text, "the value of ") for text in (
        "git -c § log", "git log --exec=§", "git rebase -x §", "git rebase --exec §", "git grep -O§", "rsync -e § a b", "tar -I § x",
        "fd x -x §", "rg --pre § x", "sort --compress-program=§", "foo --shell §", "foo --command=§", "foo --run-hook §",
    )),
    *((text, "decides what is run") for text in (
        "PATH=§ ls", "PATH=§:$PATH", "IFS=§", "export PATH=§", "env LD_PRELOAD=§ ls", "BASH_ENV=§ sh x", "PS4=§", "ENV=§",
        "GIT_SSH_COMMAND=§ git fetch", "EDITOR=§ git commit", "export PAGER=§",
    )),
    *((text, "backticks") for text in ("`echo §`", 'echo "`echo §`"', "echo `echo '§'`", "x=`§`")),
    *((text, "$((…)), which") for text in ("echo $((§))", "echo $((1 + §))", 'x="$((§ * 2))"', "echo $(($(echo §) + 1))")),
    *((text, "inside ${…}") for text in ("echo ${x:-§}", 'echo "${x:-§}"', ": ${x:=§}", "echo ${x#§}", "echo ${x:-$(echo §)}")),
    *((text, "the target of a redirect of this kind") for text in ("echo >&§", 'echo > "$(echo §)"', "cat <&§")),
    *((text, "in a pattern of `case`") for text in ("case a in §) b;; esac", "case a in x|§) b;; esac", "case a in ('§') b;; esac")),
    *((text, "directly after a backslash") for text in ("echo \\§", 'echo "\\§"', "echo a\\\\\\§", "cat <<E\n\\§\nE")),
    *((text, "directly after `$`") for text in ("echo $§", 'echo "$§"', "cat <<E\n$§\nE")),
    *((text, "inside a string that starts with `$`") for text in ("echo $'§'", 'echo $"§"')),
    *((text, "inside braces") for text in ("echo {a,§}", "echo {b..§}", "rm {x,}§", "echo {1..§}")),
    *((text, "which runs it as code") for text in (
        "echo § | sh", "echo § | bash -x", "echo § | sh -s a", "echo § | tr a b | (sh)", "echo § | { cat; sh; }",
        "echo § | while read x; do sh; done", "echo § | env sh", "echo § | sudo -u x sh", "echo § | python3", "echo § | python3 -",
        "echo § | ssh host", "echo § | sh /dev/stdin", "echo § | . /dev/stdin", "echo § | xargs sh -c", "echo § | xargs -I{} {}",
            "echo § | xargs -I X X",
        "echo § | xargs env", "echo § | sed -f -", "echo § | awk -f/dev/stdin", "echo § | $cmd", "echo § | sh -c sh",
        "sh <<E\n§\nE", "sh <<'E'\n§\nE", "bash -s <<E\n§\nE", "python3 - <<E\n§\nE", "perl <<E\n§\nE", "ssh host <<E\n§\nE",
        "cat <<E | sh\n§\nE", "{ sh; } <<E\n§\nE", "while read x; do sh; done <<E\n§\nE", "cat <<E |\n§\nE\nsh", "psql <<E\n§\nE",
        "sh -c 'sh' <<E\n§\nE", "echo $(echo § | sh)", "echo \"$(cat <<E | sh\n§\nE\n)\"", "{ echo §; } | sh", "(echo §) | sh",
        "if a; then echo §; fi | sh", "docker exec -i c sh <<E\n§\nE", "mapfile -C eval -c 1 x <<E\n§\nE", "make -f - <<E\n§\nE",
    )),
    *((text, LATER) for text in (
        'x=§; eval "$x"', "x=§; $x", 'x=§; "$x" y', 'x=§; sh -c "$x"', 'x=§; bash -c "echo $x"', "x=§; trap \"$x\" EXIT",
        "x=§; trap 'eval \"$x\"' EXIT", 'x=§; echo "$x" | sh', "x=§; sh <<E\n$x\nE", "x=§; echo $((x + 1))", "x=§ eval '$x'",
        "x=§ sh -c '$x'", "x=§ sh -c 'eval \"$x\"'", 'x=§; y=$x; z="a$y"; eval $z', 'y=$x; x=§; eval "$y"', "x=§; y=x; echo $((y))",
        "x=§; y=x; eval \\$$y", "x=§; y='$x'; eval \"$y\"", 'x=§; d="$"; eval "${d}x"', "for x in §; do $x; done",
        'for x in §; do eval "$x"; done', 'set -- §; eval "$1"', 'set -- §; "$@"', 'f() { eval "$1"; }; f §', 'f() { "$@"; }; f ls §',
        'f() { x=$1; }; f §; eval "$x"', "f() { sh; }; echo § | f", "read x <<E\n§\nE\n$x", 'echo § | while read x; do eval "$x"; done',
        'echo § | { read x; eval "$x"; }', "while read x; do :; done <<E\n§\nE\n$x", 'x=$(echo §); eval "$x"', 'x="$(prog §)"; eval "$x"',
        ": ${y:=$x}; x=§; eval $y", "x=§; let n=x+1", "x=§; [[ $x -eq 1 ]]", "declare -i n; n=§", "x=§; unset $x", "x=§; [ $x = y ]", 'cd §; eval "echo $PWD"',
        'x=§; [ -v "$x" ]', 'x=§; printf $x a', "x=§; python3 -c \"print($x)\"", 'x=§; ssh host "rm $x"', 'x=§; sed "s/a/$x/"',
        "x=§; find . -exec $x \\;", "x=§; make T=$x", "x=§; PATH=$x:$PATH", "export x=§; sh <<'E'\neval \"$x\"\nE",
        "x=§; . \"$x\"", "x=§; bash $x",
    )),
    ("eval §\neval() { :; }", ARGUMENT),
    ("x=§; $(echo $x)", LATER),
    ("cd § && make test", "in the name of the directory"),
    ("git -C § log", "the value of"),
    *((text, "in a text that") for text in (
        "env | sh; echo §", 'eval "$(env)"; echo §', 'eval "$(export -p)"; echo §', "set | sh; echo §", "printenv X | sh; echo §",
        ". /proc/self/environ; echo §", "echo § > f; sh f", "echo § > ./f; ./f", "echo § > f; . ./f", "echo § | tee f; bash f",
        'echo § > f; while read x; do eval "$x"; done < f', "echo § > f; sh < f", 'echo § > "$f"; . "$f"', 'echo § > "$f"; bash "$f"', 'echo § >f; eval "$(cat f)"',
    )),
    ("exec <<E\n§\nE\nsh", "input of `exec`"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_values_may_not_stand_where_they_could_be_code(text: str, why: str) -> None:
    source = text.replace("§", "{{ arg.a }}")
    with pytest.raises(SourceError) as raised:
        ShellTemplate.parse(source, NAMES)
    for fault in raised.value.faults:
        assert fault.message.startswith("a value cannot be ")
        assert source[fault.start : fault.end] == "{{ arg.a }}"
        assert 'argv = ["command", "{{ arg.a }}"]' in fault.hint
        assert 'stdin = "{{ arg.a }}"' in fault.hint
        assert "unsafe_shell = true" in fault.hint
    assert any(why in fault.message for fault in raised.value.faults)


UNREADABLE = [
    (": §; $_", "`$_`"),
    ("echo §; eval \"${_}\"", "`$_`"),
    ("command_not_found_handle() { eval \"$*\"; }; nosuch §", "in place of any command"),
    ("cat <<< E\n§", "<<<"), ("diff <(a) b; echo §", "<("), ("tee >(a); echo §", ">("), ("a &> f §", "&>"), ("a |& b; echo §", "|&"),
    ("((x++)); echo §", "(("), ("x=(1 2); echo §", "("), ("x+=1 §", "assignment"), ("x[0]=1 §", "assignment"), ("é=1 §", "assignment"),
    ("§=5", "assignment"), ("echo $[1 + §]", "$["), ("function f { eval §; }", "function"), ("select x in a; do §; done", "select"),
    ("coproc §", "coproc"), ("case a in a) b;& c) §;; esac", ";&"), ("case a in a) b;;& c) §;; esac", ";;&"), ("alias x=eval\nx §", "alias"),
    ("command alias x=eval\nx §", "alias"), ("eval 'alias x=eval'\nx §", "alias"), ("echo $'it\\'s' §", "$'"), ("echo ${x/a/b} §", "${"),
    ("echo ${x[@]} §", "${"), ("echo ${!x} §", "${"), ("echo ${x:1:2} §", "${"), ("echo \"${x:-'}\" §", "quotes inside"), ("echo 'a §", "single"),
    ("echo \"a §", "double quote"), ("echo `a §", "backtick"), ("echo § \\", "backslash"), ("echo ${x §", "${"),
    ("echo $(a §", "too early"), ("cat <<E\n§", "no end"), ("cat <<E §", "no body"), ("cat <<$x\n§\n$x", "delimiter"),
    ("cat <<'E F'\n§\nE F", "delimiter"), ("cat <<E'F'\n§\nEF", "delimiter"), ("cat <<E \"a\nb\"\n§\nE", "goes over"),
    ("echo $(cat <<E) §\nE\n", "no body"), ("cat <<E\na \\\nE\n§\nE", "joined"), ("cat <<EF\nE\\\nF\n§\nEF", "joined"),
    ("exec 3<<E\n§\nE\n. /dev/fd/3", "standard input"), ("if a; then b; fi §", "not expected"), ("done; §", "not expected"), ("a ) §", "not expected"),
    ("} §", "not expected"),
    ("; echo §", "not expected"), ("case a in b c) echo §;; esac", "not expected"), ("echo > ; echo §", "not expected"),
    ("`'` echo §", "single quote"), ("sh -c '" + "sh -c \"" * 1 + "x' ; echo §", "code that"), ("for 1 in §", "not expected"), ("for x §", "missing"), ("case § x", "missing"), ("a ;; §", "not expected"),
    ("ec\\\nho §", "continued"), ("a &\\\n& §", "continued"), ("echo \"$x\\\ny\" §", "continued"), ("echo $\\\n(a) §", "next line"),
    ("f() §", "not expected"), ("f(x) §", "("), ("echo $((a b \"§\"))", "calculation"), ("echo $((1) §", "calculation"), ("a {x}>f §", "{"),
    ("sh -c 'if' ; echo §", "code that"), ("eval 'f() { x; }'; echo §", "code that"), ("if\\\n a; then §; fi", "in this spelling"),
    ("in §", "in this spelling"), ("echo a\0 §", "NUL"),
    ("cat <<E\n$(cat <<'Q'\na \\\nQ\n)\n§\nQ\nE", "joined"),
    ("cat <<E\r\n§\r\nE\r\n", "delimiter"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "why"), UNREADABLE)
def test_what_is_not_surely_read_takes_no_values(text: str, why: str) -> None:
    source = text.replace("§", "{{ arg.a }}")
    with pytest.raises(SourceError) as raised:
        ShellTemplate.parse(source, NAMES)
    (fault,) = raised.value.faults
    assert why in fault.message
    assert fault.message.startswith("this shell text cannot take values: ")
    assert "unsafe_shell = true" in fault.hint
    assert 0 <= fault.start < fault.end <= len(source)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("echo ${x:-", "}"), ("echo $((", "))"), ("echo ${x:-\"$(echo ", ')"}'), ("f() { ", "; }"), ("case x in a) ", ";; esac"),
    ],
)  # fmt: skip
def test_deep_nesting_is_refused_not_a_crash(start: str, end: str) -> None:
    with pytest.raises(SourceError):
        compiled(start * 2000 + "a {{ arg.a }}" + end * 2000)


@pytest.mark.parametrize("word", ["env ", "eval ", "command ", "nohup "])
def test_long_chains_of_wrappers_are_refused_not_a_crash(word: str) -> None:
    with pytest.raises(SourceError):
        compiled(word * 3000 + "; echo {{ arg.a }}")


def test_every_fault_of_a_text_is_reported_in_its_order() -> None:
    source = "{{ arg.a }} x\necho {{ arg.nope }} >&{{ arg.b }} {% if x %}"
    with pytest.raises(SourceError) as raised:
        ShellTemplate.parse(source, NAMES)
    found = [(source[fault.start : fault.end], fault.message[:24]) for fault in raised.value.faults]
    assert found == [
        ("{{ arg.a }}", "a value cannot be in the"),
        ("nope", "there is no argument 'no"),
        ("{{ arg.b }}", "a value cannot be the ta"),
        ("{% if x %}", "`{% if %}` works in prom"),
    ]


@pytest.mark.parametrize("text", ["{% for x in y %}", "{%- set a = 1 -%}", "{% raw %}", "{%if a%}b{%endif%}"])
@pytest.mark.parametrize("unsafe", [False, True])
def test_statements_are_for_prompts(text: str, unsafe: bool) -> None:
    with pytest.raises(SourceError, match="works in prompts, not in shell") as raised:
        ShellTemplate.parse(f"echo {text}", NAMES, unsafe=unsafe)
    assert "for_each" in raised.value.faults[0].hint


def test_a_broken_placeholder_is_shown_in_its_place_with_a_way_to_write_braces() -> None:
    source = "echo ok; docker ps --format '{{.Names}}'"
    with pytest.raises(SourceError) as raised:
        ShellTemplate.parse(source, NAMES)
    fault = raised.value.faults[0]
    assert source[fault.start : fault.end] == "."
    assert "{{ '{{' }}" in fault.hint
    assert filled("docker ps --format '{{ '{{' }}.Names}}'").values == {"lok_1": "{{"}


@pytest.mark.parametrize(
    "text", ["docker inspect -f '{{ '{{' }}.Id{{ '}}' }}'", 'gh pr view 1 -t "{{ "{{" }}.title}}"', "sh -c 'echo {{ '{{' }}'"]
)  # fmt: skip
def test_literal_braces_are_their_authors_text_wherever_they_stand(text: str) -> None:
    assert set(filled(text).values.values()) <= {"{{", "}}"}
    with pytest.raises(SourceError):
        compiled(text.replace("{{ '{{' }}", "{{ arg.a }}").replace('{{ "{{" }}', "{{ arg.a }}"))


@pytest.mark.parametrize("text", ["echo {{- arg.a }}", "echo {{ arg.a -}} b", "echo {{+arg.a}}"])
def test_whitespace_control_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="no meaning in shell"):
        compiled(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [("echo {{ arg.a", "never closed"), ("echo {{ 'x }}", "has no end"), ("echo {{ ! }} b", "!")],
)
def test_a_placeholder_that_is_no_expression_is_a_fault(text: str, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        compiled(text)


def test_steps_and_arguments_are_those_of_all_placeholders() -> None:
    names = VisibleNames(steps=frozenset({"deep-audit", "fix"}), arguments=frozenset({"a"}))
    template = ShellTemplate.parse(
        "echo {{ steps.deep-audit.output }} '{{ steps.fix.output }}' {{ arg.a }}", names
    )
    assert template.steps == {"deep-audit", "fix"}
    assert template.arguments == {"a"}
    results = {
        name: StepResult(name=name, outcome=Outcome.PASSED, output=f"<{name}>") for name in names.steps
    }
    command = template.render(Scope(steps=results, arguments={"a": "A"}))
    assert list(command.values.values()) == ["<deep-audit>", "<fix>", "A"]


def test_a_missing_value_is_an_error_naming_it() -> None:
    with pytest.raises(TemplateError, match="a"):
        filled("echo {{ arg.a }}")


# --- values that cannot be passed


@pytest.mark.parametrize("text", ["echo {{ arg.a }}", "cat <<'E'\n{{ arg.a }}\nE", "printf '{{ arg.a }}'"])
def test_a_value_that_is_too_long_names_stdin(text: str) -> None:
    assert filled(text, a="é" * (MAX_VALUE // 2)).values
    with pytest.raises(TemplateError, match="120,002 bytes") as raised:
        filled(text, a="é" * (MAX_VALUE // 2 + 1))
    assert "{{ arg.a }}" in raised.value.message
    assert "`stdin`" in raised.value.hint


def test_all_values_together_have_a_limit_too() -> None:
    with pytest.raises(TemplateError, match="together") as raised:
        filled("echo" + " {{ arg.a }}" * 8, a="x" * MAX_VALUE)
    assert "`stdin`" in raised.value.hint


@pytest.mark.parametrize(("value", "why"), [("a\0b", "NUL"), ("\ud800", "half a character")])
@pytest.mark.parametrize("unsafe", [False, True])
def test_what_no_command_can_hold_names_stdin(value: str, why: str, unsafe: bool) -> None:
    template = ShellTemplate.parse("echo {{ arg.a }}", NAMES, unsafe=unsafe)
    with pytest.raises(TemplateError, match=why) as raised:
        template.render(Scope(arguments={"a": value}))
    assert "`stdin`" in raised.value.hint


def test_bytes_that_are_no_text_can_be_passed() -> None:
    assert filled("echo {{ arg.a }}", a="\udcff").values == {"lok_1": "\udcff"}


# --- leading dashes


@pytest.mark.parametrize(
    "text",
    [
        "git diff §", 'git diff "§"', "git diff '§'", "git diff ''§", "git diff §.txt", "git diff §b", "rm a §", "git log -n §",
        "gh pr view § --json x", "cd §", "cat § -- x", "f() { :; }; f §", "for x in §; do :; done", "x=1 ls §", "ls | grep §",
        "echo $(ls §)", "timeout 5 ls §", "python3 x.py §", "find . -exec ls § \\;", "foo --other §", "foo -M §", "npm run x §",
    ],
)  # fmt: skip
def test_a_value_may_not_start_a_word_with_a_dash(text: str) -> None:
    text = text.replace("§", "{{ arg.a }}")
    with pytest.raises(TemplateError, match="looks like an option: '-rf") as raised:
        filled(text, a="-rf", b="x")
    assert "{{ arg.a }}" in raised.value.message
    assert "--" in raised.value.hint
    assert "allow_dash" in raised.value.hint
    assert filled(text, a="rf", b="x")
    assert filled(text.replace("arg.a }}", "arg.a | allow_dash }}"), a="-rf", b="x")


@pytest.mark.parametrize(
    "text",
    [
        "git diff -- §", "git diff -- x §", "gh pr create --body §", "gh pr create --title '§'", "git commit -m §", "git commit -m \"§\"",
        "git commit --message §", "gh x --label §", "gh x --comment §", "echo §", "echo a §", "printf '%s' §", "printf %s a §", "printf §",
        "test § = x", "[ -n § ]", '[ "§" = x ]', "x=§", "export x=§", "cat <<E\n§\nE", "foo x§", "foo --body=§", "foo $x§", "case § in *) ;; esac",
        "command echo §", "foo \"x$(echo §)\"", "set -- §", "true §",
    ],
)  # fmt: skip
def test_where_a_dash_means_nothing_it_is_allowed(text: str) -> None:
    assert filled(text.replace("§", "{{ arg.a }}"), a="-rf")


def test_an_empty_value_does_not_hide_the_dash_after_it() -> None:
    for a, b in [("", "-rf"), ("-rf", "")]:
        with pytest.raises(TemplateError, match="option"):
            filled("wc {{ arg.a }}{{ arg.b }}", a=a, b=b)
    with pytest.raises(TemplateError, match="option"):
        filled("wc {{ arg.a }}-rf", a="")
    assert filled("wc {{ arg.a }}{{ arg.b }}", a="x", b="-rf")
    assert filled("wc {{ arg.a }}$x", a="")  # what the text's author puts there is the author's
    assert filled("wc {{ arg.a }}{{ arg.b }}", a="", b="")


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("arg.a | allow_dash", True),
        ("arg.a | trim | allow_dash", True),
        ("(arg.a ~ 'x') | allow_dash", True),
        ("arg.a|allow_dash", True),
        ("arg.a | allow_dash | trim", False),
        ("arg.a ~ 'x' | allow_dash", False),
        ("arg.a if 1 else 'x' | allow_dash", False),
        ("arg.a", False),
    ],
)
def test_allow_dash_counts_as_the_last_filter_of_the_whole_expression(expression: str, allowed: bool) -> None:
    text = f"git log {{{{ {expression} }}}}"
    if allowed:
        assert filled(text, a="-x").values
    else:
        with pytest.raises(TemplateError, match="option"):
            filled(text, a="-x")


# --- unsafe_shell


def test_unsafe_pastes_values_as_text() -> None:
    template = ShellTemplate.parse("{{ arg.a }} | sh -c '{{ arg.b }}' # {{ arg.a }}", NAMES, unsafe=True)
    command = template.render(Scope(arguments={"a": "-x $(y)", "b": "'"}))
    assert command.text == "-x $(y) | sh -c ''' # -x $(y)"
    assert command.values == {}


def test_unsafe_does_not_render_values_again() -> None:
    template = ShellTemplate.parse("{{ arg.a }}{{ arg.b }}", NAMES, unsafe=True)
    assert template.render(Scope(arguments={"a": "{{ arg.b }}", "b": "1"})).text == "{{ arg.b }}1"


def test_unsafe_text_has_the_limit_of_an_argument() -> None:
    template = ShellTemplate.parse("echo {{ arg.a }}", NAMES, unsafe=True)
    with pytest.raises(TemplateError, match="takes at most"):
        template.render(Scope(arguments={"a": "x" * 140_000}))
