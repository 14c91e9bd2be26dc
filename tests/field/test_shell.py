"""The shell is a closed world: a value is one argument, and nothing that is known to run its arguments gets it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.cli.projects import Done, Project

ANSWER = "[defaults]\nbackend = 'm'\n[backends.m]\ntype = 'scripted'\n[[backends.m.replies]]\nreply = {}\n"


def write(project: Project, shell: str, answer: str) -> None:
    """The workflow that runs the text with what a model answered for ``§``."""
    project.write("lok.toml", ANSWER.format(json.dumps(answer)))
    text = json.dumps(shell.replace("§", "{{ steps.m.output }}"))
    project.workflow("w", f'[[steps]]\nname = "m"\nprompt = "x"\n[[steps]]\nname = "a"\nshell = {text}\n')


def run(project: Project, shell: str, answer: str, environ: Mapping[str, str] | None = None) -> Done:
    write(project, shell, answer)
    project.environ |= environ or {}
    return project.lok("run", "w")


def refused(project: Project, shell: str, answer: str, *hints: str) -> None:
    """It is no valid workflow, the placeholder is pointed at, and nothing ran."""
    done = run(project, shell, answer)
    assert done.code == 2, (shell, done.err)
    assert ".lok/workflows/w.toml:6:" in done.err
    assert "a value cannot be" in done.err
    assert "unsafe_shell" in done.err
    for hint in hints:
        assert hint in done.err
    assert not list(project.root.glob("*PWNED*"))


# --- what xargs reads


HOSTILE = '--checkpoint=1 "--checkpoint-action=exec=touch PWNED" a.txt'


@pytest.mark.parametrize(
    "shell",
    [
        "printf %s § | xargs tar cf o.tar",
        "echo § | xargs git log",
        "echo § | tr , ' ' | xargs -n1 sort",
        "cat <<E | xargs curl\n§\nE",
        "x=§; echo $x | xargs tar cf o.tar",
        "echo § | xargs -I% tar cf o.tar %",
        "echo § | xargs tee",
        "printf '%s' § | xargs pip install",
        "echo § | xargs git",
        "for f in $(echo §); do tar cf o.tar $f; done",
        'echo § | while read -r f; do tar cf o.tar "$f"; done',
        'tar cf o.tar "$(echo §)"',
        "tar cf o.tar $(printf '%s' §)",
        "read -r f <<E\n§\nE\ntar cf o.tar $f",
    ],
)
def test_lines_that_a_command_reads_are_no_options(project: Project, shell: str) -> None:
    project.write("a.txt", "")
    refused(project, shell, HOSTILE)


@pytest.mark.parametrize(
    "shell",
    [
        "printf '%s' § | xargs tar cf o.tar --",
        "echo § | xargs -I% tar cf o.tar ./%",
        "echo § | xargs echo",
        "git ls-files -- § | xargs wc -l",
        'tar cf o.tar -- "$(echo §)"',
        'printf "%s\\n" § | while read -r f; do tar cf o.tar -- "$f"; done',
    ],
)
def test_lines_behind_two_dashes_are_operands(project: Project, shell: str) -> None:
    project.write("a.txt", "")
    done = run(project, f"git init -q; {shell}; true", "a.txt")
    assert done.code == 0, done.err
    run(project, f"git init -q; {shell}; true", HOSTILE)
    assert not (project.root / "PWNED").exists()


@pytest.mark.parametrize(
    "shell",
    [
        'f=§; tar cf o.tar "$f"',
        "f=§; tar cf o.tar $f",
        "for f in §; do tar cf o.tar $f; done",
        "a=§; f=$a; tar cf o.tar $f",
    ],
)
def test_a_variable_makes_no_option(project: Project, shell: str) -> None:
    project.write("a.txt", "")
    for answer in (HOSTILE, "--checkpoint-action=exec=touch PWNED", "a.txt --checkpoint=1"):
        done = run(project, shell, answer)
        assert not (project.root / "PWNED").exists()
        if not shell.endswith('"'):
            assert done.code == 3
            assert "looks like an option" in done.err
    assert run(project, shell, "a.txt").code == 0


# --- commands that run their arguments

BEFORE = (
    """
ssh-agent|setpriv|choom -n 0|linux64|x86_64|conda run|gosu nobody|op run --|doppler run --|aws-vault exec p --|pyenv exec
nobody-knows-it|./with-env.sh|nobody-knows --user u|dbus-run-session --|sotruss|luit --|pg_virtualenv|memusage|catchsegv
systemd-inhibit|torsocks|proxychains4 -q|chronic|tini --|su-exec u|mise exec --|uvx
""".replace("\n", "|")
    .strip("|")
    .split("|")
)


@pytest.mark.parametrize("before", BEFORE)
def test_whoever_stands_before_a_shell_its_code_takes_no_value(project: Project, before: str) -> None:
    refused(project, f'{before} sh -c "echo §"', "$(touch PWNED)")
    refused(project, f"{before} /bin/bash -lc §", "$(touch PWNED)")
    refused(project, f"{before} python3.12 -c §", "import os; os.system('touch PWNED')")
    refused(project, f"x=§; export x; {before} sh -c 'eval \"$x\"'", "touch PWNED")
    refused(project, f"echo § | {before} sh", "touch PWNED")


@pytest.mark.parametrize(
    "shell",
    [
        'ansible all -a "echo §"',
        "nobody-knows run -- §",
        "nobody-knows exec §",
        "gosu nobody §",
        "setpriv --nnp §",
        "ssh-agent §",
    ],
)
def test_a_wrapper_runs_no_value(project: Project, shell: str) -> None:
    refused(project, shell, "touch PWNED")


@pytest.mark.parametrize(
    "option",
    ["-c", "-e", "-x", "-lc", "-xe", "--eval", "--exec", "--command", "--ev", "--exe", "--comm", "--command=", "--pre-command=",
     "--shell-command", "--onSuccess", "--on-error", "--postCommand=", "-exec", "-command", "--script", "--hook", "--interpreter=", "--"],
)  # fmt: skip
def test_an_option_of_a_program_that_nobody_knows_takes_no_code(project: Project, option: str) -> None:
    if option != "--":
        refused(project, f"nobody-knows {option}{'' if option.endswith('=') else ' '}§", "touch PWNED")
    refused(project, f"nobody-knows {option}§", "touch PWNED")


@pytest.mark.parametrize(
    "shell",
    ["nobody-knows §", "nobody-knows --title §", "nobody-knows --name=§", "nobody-knows -n § -v", "nobody-knows -- §", "nobody-knows -name §",
     "nobody-knows --description § --comment §", "nobody-knows --run-id §", "nobody-knows -k§", "nobody-knows --filter §"],
)  # fmt: skip
def test_other_arguments_of_it_are_data_and_plan_names_it(project: Project, shell: str) -> None:
    project.write("bin/nobody-knows", '#!/bin/sh\nprintf "%s|" "$@"\n').chmod(0o755)
    path = {"PATH": f"{project.root}/bin:{project.environ['PATH']}"}
    assert run(project, shell, "it's $(touch PWNED)", path).code == 0
    assert not (project.root / "PWNED").exists()
    planned = project.lok("plan", "w")
    assert "nobody-knows" in planned.out.partition("lok does not know")[2]
    assert "nobody-knows" in project.lok("workflow", "validate", "w").err


def test_plan_says_nothing_of_commands_it_knows(project: Project) -> None:
    assert run(project, "echo §; git status --short § || true; grep -c § f || true", "x").code == 0
    assert "does not know" not in project.lok("plan", "w").out
    assert project.lok("workflow", "validate", "w").err == ""


# --- programs of small languages


@pytest.mark.parametrize(
    ("shell", "hint"),
    [
        ('jq -e ".approved == \\"§\\"" v.json', "jq --arg"),
        ("jq -n §", "jq --arg"),
        ("jq -f §", "jq --arg"),
        ("jq --arg a § '.a' v.json; jq '.a'§ v.json", "jq --arg"),
        ("gojq '.§'", "jq --arg"),
        ("yq '.a == \"§\"' f", "strenv"),
        ("yq eval §", "strenv"),
        ("sed s/a/§/ f", "sed --sandbox"),
        ("sed -e p --sandbox -e § f", "sed --sandbox"),
        ("awk '/§/' f", "awk -v"),
        ("awk -v § '{}'", ""),
        ("rake -e §", ""),
        ("irb -e §", ""),
        ("bpftrace -e §", ""),
        ("cmake -P §", ""),
        ("echo § | bc", ""),
        ("dc -e §", ""),
        ("gnuplot -e §", ""),
        ("gh api repos --jq '.[] | select(.a == \"§\")'", ""),
        ("aws ec2 describe --query §", ""),
        ("mlr filter §", ""),
    ],
)
def test_a_program_of_a_small_language_holds_no_value(project: Project, shell: str, hint: str) -> None:
    project.write("v.json", '{"approved": "no"}')
    refused(project, shell, 'x" or true or "', hint)


@pytest.mark.parametrize(
    ("shell", "answer", "out"),
    [
        ("jq -r --arg v § '.a + $v' v.json", '-x" or true', '1-x" or true'),
        ("jq -nr '$v' --arg v §", "--args", "--args"),
        ("sed --sandbox s/1/§/ n", "2", "2"),
        ("awk -v v=§ 'BEGIN { print v }'", "$(x)", "$(x)"),
    ],
)
def test_their_safe_forms_take_it(project: Project, shell: str, answer: str, out: str) -> None:
    project.write("v.json", '{"a": "1"}')
    project.write("n", "1\n")
    done = run(project, shell, answer)
    assert (done.code, done.out.strip()) == (0, out), done.err


def test_what_sed_runs_is_an_error_in_its_sandbox(project: Project) -> None:
    project.write("n", "1\n")
    assert run(project, "sed --sandbox s/1/§/ n", "x/e;e touch PWNED;s/").code == 1
    assert not (project.root / "PWNED").exists()


# --- options and variables that run something


@pytest.mark.parametrize(
    "shell",
    [
        "printf a | split --filter=§ -", "split --filter § f", "split --fil=§ f", "go build -toolexec §", "go test -exec=§",
        "helm template . --post-renderer §", "dpkg --pre-invoke=§ -i x", "tar --to-command § -xf a", "tar --to-comm=§ -xf a",
        "tar -I § -cf a b", "tar -xI§ -f a", "tar cfI a § b", "tar --use-comp § -cf a b", "tar --checkpoint-action=exec=§ -cf a b",
        "tar -cf a -T §", "sort --compress-p=§", "find . -exec § \\;", "find . -okdir § \\;", "git -c core.pager=§ log",
        "git -c core.sshCommand=§ fetch", "rsync -ae § a b", "rsync -avze§ a b", "rsync --rsh=§ a b", "curl -K §", "curl --conf §",
        "wget -e §", "man -P § ls", "install --strip-program=§ -s a b", "sdiff --diff-program=§ a b", "zip -TT § a.zip b",
        "cargo --config § build", "ctest -S §", "rg --pre=§ x", "fd -X § x", "gcc -wrapper § a.c", "gcc -DX=§ a.c", "gcc -B§ a.c", "ld -plugin § a.o",
        "pytest -p §", "go build -ldflags=§", "pip install §", "npm install §", "cargo install §", "npm init §", "uv pip install §",
        "python3 -m pip install §", "python3 -m timeit §", "openssl x509 -engine §", "scp x h:§", "git clone -u § x",
        "git clone --template=§ x", "git clone -c core.fsmonitor=§ x", "git send-email --smtp-server=§", "aws ssm send-command --x §",
        "gh alias set x §", "gh config set pager §", "gh extension install §", "java -cp § M", "java §", "x-www-browser §",
    ],
)  # fmt: skip
def test_an_option_that_runs_something_takes_no_value(project: Project, shell: str) -> None:
    refused(project, shell, "touch PWNED")


@pytest.mark.parametrize(
    "shell",
    [
        "grep -e § f", "grep -c § f", "head -c § f", "sort -k § f", "split -l § f", "git commit -m §", "git switch -c §",
        "git -c user.name=§ status", "git cherry-pick -x §", "cut -c § f", "curl -e § u", "docker build --build-arg A=§ .",
        "kubectl logs p -c §", "gh pr comment 1 --body §", "go test -run § ./...", "go build -o § .", "tar xzf §", "npm test -- §",
        "cargo test -- §", "pytest -k §", "python3 -m pytest -k §", "rsync -av § b", "gh pr create --title § --body §",
        "helm upgrade r . --set a=§", "terraform plan -var a=§", "gcc -O§ a.c", "date +§", "rg -e § .", "curl -H 'X: §' u",
        "git config user.name §", "docker ps --filter §", "gh workflow run x -f a=§", "ls -I § .",
    ],
)  # fmt: skip
def test_options_that_are_data_take_one(project: Project, shell: str) -> None:
    write(project, shell, "x")
    assert project.lok("workflow", "validate", "w").code == 0


@pytest.mark.parametrize(
    "name",
    ["TAR_OPTIONS", "JAVA_OPTS", "JAVA_TOOL_OPTIONS", "GREP_OPTIONS", "MAVEN_OPTS", "CFLAGS", "LDFLAGS", "GOFLAGS", "NODE_OPTIONS",
     "PYTEST_ADDOPTS", "ANYTHING_OPTIONS", "LESSOPEN", "GIT_SSH", "RUSTC_WRAPPER", "CC", "MAKEFLAGS", "npm_config_script_shell", "HOME",
     "PYTHONPATH", "LD_PRELOAD", "https_proxy", "SOME_COMMAND", "BASH_ENV", "SHELLOPTS", "MY_PATH"],
)  # fmt: skip
def test_a_variable_that_is_an_option_takes_no_value(project: Project, name: str) -> None:
    refused(project, f"{name}=§ tar cf o.tar a", "touch PWNED")
    refused(project, f"export {name}=§; tar cf o.tar a", "touch PWNED")
    refused(project, f"env {name}=§ tar cf o.tar a", "touch PWNED")


@pytest.mark.parametrize(
    "name", ["TITLE", "x", "PR", "BODY", "NODE_ENV", "DOCKER_TAG", "GIT_AUTHOR_NAME", "OUT", "args", "FILE"]
)
def test_a_variable_of_ones_own_takes_one(project: Project, name: str) -> None:
    done = run(project, f'{name}=§ printenv {name}; export {name}=§; echo "${name}"', "-x $(y)")
    assert (done.code, done.out) == (0, "-x $(y)\n-x $(y)\n"), done.err


# --- written, then run


@pytest.mark.parametrize(
    "shell",
    [
        "echo § > a.txt; cp a.txt b.sh; sh b.sh", "echo § | dd of=b.sh; sh b.sh", "echo § > a.txt; install a.txt b.sh; ./b.sh",
        "echo § > a.txt; mv a.txt b.sh; . ./b.sh", "echo § > a.txt; ln a.txt b.sh; bash b.sh", "echo § | tee d/b.sh; cd d; sh b.sh",
        "echo § > d/b.sh; cp d/b.sh .; ./b.sh", "echo § > Makefile; make", "echo § > package.json; npm test", "echo § >> conftest.py; pytest",
        "git config core.fsmonitor §", "git config alias.x §", "git config alias.x §; git x", "git config --global core.pager §",
        "git -c alias.x='!sh -c \"$0\"' x §", "git config alias.x '!sh -c \"$0\"'; git x §", "git config § x",
        'f=b.sh; echo § > "$f"; sh b.sh',
        'echo § > b.sh; f=b.sh; sh "$f"',
        "echo § | sed 'w b.sh'; sh b.sh",
        "curl -o b.sh §; sh b.sh",
        "echo § > b.sh; find . -name b.sh -exec sh {} \\;",
        "install /dev/stdin b.sh <<E && ./b.sh\n§\nE",
        "for TAR_OPTIONS in §; do tar cf a b; done",
        "npm config set script-shell §",
        "o=--exec; nobody $o §",
        "ARGS='--filter=§'; split $ARGS",
    ],
)  # fmt: skip
def test_what_a_text_runs_it_does_not_write_from_values(project: Project, shell: str) -> None:
    refused(project, shell, "touch PWNED")


def test_what_it_writes_and_does_not_run_is_data(project: Project) -> None:
    project.write("run.sh", "cat b.txt\n")
    done = run(project, "echo § > a.txt; cp a.txt b.txt; sh run.sh", "$(touch PWNED)")
    assert (done.code, done.out) == (0, "$(touch PWNED)\n"), done.err


# --- values that name a file to send


@pytest.mark.parametrize(
    ("shell", "hint"),
    [
        ("gh api x -F body=§", "-f"), ("gh api x --field body=§", "-f"), ("curl -d § u", "--data-raw"), ("curl -d§ u", "--data-raw"),
        ("curl --data=§ u", "--data-raw"), ("curl -F file=§ u", "--form-string"), ("curl --data-binary § u", "--data-raw"),
        ("curl --json § u", "--data-raw"), ("curl --data-urlencode § u", "NAME"), ("curl -H § u", ""), ("http POST u body=§", "--raw"),
        ("http POST u §", "--raw"), ("xh u a:=§", "--raw"), ("glab api x -F a=§", "-f"),
    ],
)  # fmt: skip
def test_a_value_that_would_name_a_file_is_refused(project: Project, shell: str, hint: str) -> None:
    refused(project, shell, "@.env", hint)


@pytest.mark.parametrize(
    "shell",
    ["gh api x -f body=§", "curl --data-raw § u", "curl -d 'a=§' u", "curl --form-string a=§ u", "curl --data-urlencode a=§ u",
     "http u --raw §", "gh pr create -F §"],
)  # fmt: skip
def test_options_that_take_it_as_it_is_are_accepted(project: Project, shell: str) -> None:
    write(project, shell, "x")
    assert project.lok("workflow", "validate", "w").code == 0


def test_where_nearly_any_option_reads_a_file_the_value_is_looked_at(project: Project) -> None:
    for shell, answer in [
        ("az boards create --title §", "@.env"),
        ("aws s3api put --body §", "file://.env"),
        ("gcc §", "@x"),
    ]:
        done = run(project, shell, answer)
        assert done.code == 3
        assert "would name a file" in done.err


# --- files that values name


TARGETS = [
    "date > §", "echo hi | tee §", 'F="docs/§.md"; date > "$F"', "date > docs/§", "echo a > a.txt; cp a.txt §", "date 2>> §",
    'F=§; date > "$F"', "F=§; G=$F; date > $G", "for f in §; do date > \"$f\"; done", "date | dd of=§", "touch §", "sort -o § /dev/null",
    'f() { date > "$1"; }; f §', "{ date; } > §", "export F=§; date > $F", 'D=docs; date > "$D/§"', "find . -fprint §",
    "mkdir -p docs/§",
]  # fmt: skip


@pytest.mark.parametrize("shell", TARGETS)
def test_a_value_names_files_in_the_project_only(project: Project, shell: str) -> None:
    (project.root / "docs").mkdir()
    outside = project.root.parent
    before = sorted(path.name for path in outside.iterdir())
    for answer in (
        "../escaped",
        "/../../zz",
        f"{outside}/escaped",
        "docs/../../escaped",
        "a/../../../escaped",
        "..",
        "",
    ):
        if ".md" in shell and answer in ("..", ""):
            continue  # `...md` and `.md` are names like others
        done = run(project, shell, answer)
        assert done.code in (1, 3), (answer, done)
        assert sorted(path.name for path in outside.iterdir()) == before
    done = run(project, shell, "fine")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    "answer",
    [
        ".git/hooks/post-commit",
        ".lok/workflows/w.toml",
        "conftest.py",
        ".github/workflows/x.yml",
        "lok.toml",
        "Makefile",
        ".env",
    ],
)
def test_it_names_no_file_that_decides_what_is_run(project: Project, answer: str) -> None:
    done = run(project, "date > §", answer)
    assert done.code == 3
    assert "names" in done.err or "write to" in done.err


def test_it_names_no_file_that_the_text_runs(project: Project) -> None:
    project.write("run.sh", "true\n")
    assert run(project, "echo 'touch PWNED' > §; sh run.sh", "./run.sh").code == 3
    assert run(project, "echo 'touch PWNED' > §; sh run.sh", "other.sh").code == 0
    assert not (project.root / "PWNED").exists()


def test_it_is_reached_through_no_link(project: Project) -> None:
    (project.root / "out").symlink_to(project.root.parent)
    assert run(project, "date > §", "out/escaped").code == 3
    assert run(project, 'F="out/§"; date > "$F"', "escaped").code == 3
    assert not (project.root.parent / "escaped").exists()


def test_the_authors_own_directory_may_be_anywhere(project: Project) -> None:
    elsewhere = project.root.parent / "elsewhere"
    elsewhere.mkdir()
    assert run(project, f"date > {elsewhere}/log-§.txt", "a").code == 0
    assert (elsewhere / "log-a.txt").exists()
    assert run(project, f"date > {elsewhere}/log-§.txt", "/../../escaped").code == 3


@pytest.mark.parametrize(
    "shell",
    ['date > "$(echo §)"', 'F=$(echo §); date > "$F"', 'read F <<E\n§\nE\ndate > "$F"', 'F=§; date > "x$F$F"', 'F=§; date > "${F#a}"',
     'F=§; date > ".$F"'],
)  # fmt: skip
def test_a_name_that_is_made_from_it_on_the_way_is_refused(project: Project, shell: str) -> None:
    refused(project, shell, "/etc/x")


# --- comments


@pytest.mark.parametrize(
    "shell", ["echo a # §", "# §\necho a", "echo a # {{ arg.nope }} it's", "echo a\n# {{ no such thing"]
)
def test_a_placeholder_in_a_comment_is_left_out(project: Project, shell: str) -> None:
    if "no such" in shell:
        shell += " }}\n"
    done = run(project, shell, "x\ntouch PWNED")
    assert done.code == 0, done.err
    assert done.out.endswith("a\n")
    assert not (project.root / "PWNED").exists()


def test_a_hash_in_a_word_or_in_quotes_begins_no_comment(project: Project) -> None:
    assert run(project, "echo a#§ '# §' \"# §\"", "x").out == "a#x # x # x\n"


# --- the same by other keys


def step(project: Project, keys: str) -> Done:
    project.write("lok.toml", ANSWER.format(json.dumps("touch PWNED")))
    keys = keys.replace("§", "{{ steps.m.output }}")
    project.workflow("w", f'[[steps]]\nname = "m"\nprompt = "x"\n[[steps]]\nname = "a"\n{keys}\n')
    return project.lok("run", "w")


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["sh", "-c", "echo §"], '"$1"'),
        (["/bin/bash", "-euc", "§"], '"$1"'),
        (["sudo", "-n", "sh", "-c", "§"], '"$1"'),
        (["nobody-knows", "--", "python3.12", "-c", "§"], '"$1"'),
        (["node", "--eval", "§"], '"$1"'),
        (["perl", "-e§"], '"$1"'),
        (["sh", "§"], '"$1"'),
        (["jq", "-e", '.approved == "§"', "v.json"], "jq --arg"),
        (["sed", "s/a/§/", "f"], "sed --sandbox"),
        (["env", "awk", "/§/", "f"], "awk -v"),
    ],
)
def test_argv_holds_no_value_in_code(project: Project, argv: list[str], hint: str) -> None:
    done = step(project, f"argv = {json.dumps(argv, ensure_ascii=False)}")
    assert done.code == 2
    assert "a value cannot be" in done.err
    assert hint in done.err
    assert not (project.root / "PWNED").exists()


@pytest.mark.parametrize(
    "argv",
    [
        ["sh", "-c", 'printf %s "$1"', "-", "§"],
        ["python3", "-c", "import sys; sys.stdout.write(sys.argv[1])", "§"],
        ["jq", "-nj", "--arg", "v", "§", "$v"],
        ["sh", "show.sh", "-c", "§"],
        ["printf", "%s", "§"],
        ["awk", "-v", "v=§", 'BEGIN { printf "%s", v }'],
        ["sed", "--sandbox", "s/^x$/§/;q", "x"],
    ],
)
def test_argv_takes_it_everywhere_else(project: Project, argv: list[str]) -> None:
    project.write("show.sh", 'printf %s "$2"')
    project.write("x", "x")
    done = step(project, f"argv = {json.dumps(argv, ensure_ascii=False)}")
    assert (done.code, done.out.strip()) == (0, "touch PWNED"), done.err


@pytest.mark.parametrize(
    "keys",
    [
        'shell = "sh"\nstdin = "§"', 'shell = "echo §; sh"\nstdin = "§"', 'shell = "cat | bash -s"\nstdin = "x §"', 'argv = ["python3", "-"]\nstdin = "§"',
        'shell = "xargs tar cf o.tar"\nstdin = "§"', 'argv = ["sudo", "sh"]\nstdin = "§"', 'shell = "tar cf o.tar a"\nenv = { TAR_OPTIONS = "§" }',
        'argv = ["ls"]\nenv = { LD_PRELOAD = "§" }',
    ],
)  # fmt: skip
def test_no_value_is_code_by_way_of_the_input_or_the_environment(project: Project, keys: str) -> None:
    done = step(project, keys)
    assert done.code == 2
    assert "a value cannot be" in done.err
    assert not (project.root / "PWNED").exists()


@pytest.mark.parametrize(
    "keys",
    ['shell = "cat"\nstdin = "§"', 'shell = "cat; : §"\nstdin = "§"', 'argv = ["sh", "-c", "cat"]\nstdin = "§"', 'shell = "xargs -d \'\\\\n\' printf %s"\nstdin = "§"',
     'shell = "python3 show.py"\nstdin = "§"', 'shell = "printf %s \\"$V\\""\nenv = { V = "§" }'],
)  # fmt: skip
def test_data_may_come_either_way(project: Project, keys: str) -> None:
    project.write("show.py", "print(input())")
    done = step(project, keys)
    assert (done.code, done.out.strip()) == (0, "touch PWNED"), done.err


# --- values that become an expression, a program or a setting


@pytest.mark.parametrize(
    ("shell", "bad", "good"),
    [
        ("find § -name a.txt", ["!", "(", ")", ",", "-delete", "!x"], "a.txt"),
        ("find -- § -maxdepth 0", ["!", "(", "-delete"], "a.txt"),
        ("find . -type f §", ["!", "(", ")"], ""),
        ('v=§; find "$v"', ["!", ",", "-delete"], "a.txt"),
        ("awk '{ print }' §", ["FS=x", "a_1=", "-f", "awk::FS=x"], "a.txt"),
        ("awk '{ print }' a§", ["=1", "b=c"], ".txt"),
        ("v=§; awk '{ print }' \"$v\"", ["FS=x"], "a.txt"),
        ("awk '{ print }' ./§", [], "a.txt"),
        ("awk -v v=§ 'BEGIN { print v }'", [], "FS=x"),
        ("find ./§ -maxdepth 0", [], "a.txt"),
    ],
)
def test_an_operand_is_no_expression_and_sets_nothing(
    project: Project, shell: str, bad: list[str], good: str
) -> None:
    project.write("a.txt", "a\n")
    for answer in bad:
        done = run(project, shell, answer)
        assert done.code == 3, (answer, done)
        assert "the value at" in done.err
    if good:
        assert run(project, shell, good).code == 0
    assert (project.root / "a.txt").exists()


@pytest.mark.parametrize(
    "shell",
    [
        "printf 'url=§' | curl -K -", "printf 'url=§' | curl -sK- u", "echo § | curl --config=/dev/stdin", "echo 'url=§' > c.cfg; curl -K c.cfg",
        "echo 'url=§' > c.cfg; curl -sSKc.cfg", "echo 'proxy=§' > .curlrc; curl u", "echo § | wget -i -", "echo § | tar cf a -T -",
        "echo § | sed 's/a/b/e'", "echo § | sed -n '1e'", "echo § | sed 'e'", "echo § | sed -e 's|a|b|ge'", "echo § | awk '{ system($0) }'",
        "echo § | awk '{ print | \"sh\" }'", "awk -v c=§ 'BEGIN { system(c) }'", "gcc -DV=§ t.c", "gcc -D§ t.c", "gcc -include § t.c",
        "gcc -Wl,§ t.c", "gcc -I § t.c", "cc -D § t.c", "gcc -f§ t.c", "go build -ldflags \"-X main.v=§\" .", "go build -ldflags='-X main.v=§' .",
        "echo § | gcc -x c -; ./a.out", "echo § | docker build -", "echo § | docker build -f - .", "echo § | kubectl apply -f -", "tar § f", "ar § a b",
    ],
)  # fmt: skip
def test_what_is_a_program_to_its_reader_holds_no_value(project: Project, shell: str) -> None:
    refused(project, shell, "touch PWNED")


@pytest.mark.parametrize(
    "shell",
    [
        "printf '%s' § | curl --data-binary @- u", "curl -K c.cfg u; echo §", "echo § | sed --sandbox 's/a/b/'", "echo § | sed -n 's/e/b/p'",
        "echo § | awk '{ print $1 }'", "gcc -O2 -o a.out t.c; echo §", "go build -ldflags '-s -w' .; echo §",
        "echo § | docker ps -", "echo § | kubectl get -f x", "tar cf a.tar -- §",
    ],
)  # fmt: skip
def test_what_only_reads_it_takes_it(project: Project, shell: str) -> None:
    accepted(project, shell)


def accepted(project: Project, shell: str) -> None:
    """It is a valid workflow; nothing of it runs."""
    text = json.dumps(shell.replace("§", "{{ steps.m.output }}"))
    project.write("lok.toml", ANSWER.format('"x"'))
    project.workflow("w", f'[[steps]]\nname = "m"\nprompt = "x"\n[[steps]]\nname = "a"\nshell = {text}\n')
    done = project.lok("workflow", "validate", "w")
    assert done.code == 0, (shell, done.err)


# --- written or chosen by a value, then run by what is no shell


@pytest.mark.parametrize(
    "shell",
    [
        "echo § > t.c; gcc t.c -o t.out; ./t.out", "echo § > t.rs; rustc t.rs", "echo § > t.go; go build .", "echo § > test_x.py; pytest",
        "echo § > q.py; python3 -m q", "echo § > q.py; python3 -c 'import q'", "echo § > q.py; python3 run.py", "echo § > x.mk; make -f x.mk",
        "echo § > x.ninja; ninja -f x.ninja", "echo § | split - q; sh qaa", "echo § | split; sh xaa", "echo § | csplit - 1; sh xx00",
        "echo § > .git/config; git status", "echo § > sub/.git/config", "git config include.path §", "echo § | tee q.py; python3 -m q",
        "echo § | dd of=q.py; node x.js", "echo § > a.txt; cp a.txt q.py; python3 -m q", "echo § > a.txt; cat a.txt > q.py; pytest",
        "echo § > a.txt; python3 a.txt", "echo § > a.txt; gcc -x c a.txt", "echo § > a.txt; sh < a.txt", "echo § > a.txt; cat a.txt | sh",
        "echo § > a.txt; perl *.txt", "cat > q.py <<E && pytest\n§\nE", "{ echo §; } > q.py; pytest", "v=§; echo \"$v\" > q.py; pytest",
        "jq -n --arg v § '$v' > package.json; npm test", "f() { pytest; }; echo § > q.py; f", "for i in 1 2; do pytest; echo § > q.py; done",
        "pytest & echo § > q.py", "echo § > q.js && npm test", "echo § | git apply; make", "mytool -o q.py §; pytest", "echo § > q.py; uv run pytest",
        "cp § q.py; python3 -m q", "sed --sandbox -i s/a/§/ q.py; pytest", "V=§ yq -i '.a=strenv(V)' package.json; npm test",
        "V=§ envsubst < t > q.py; pytest", "awk -v v=§ '{ print v > \"q.py\" }' t; pytest",
        "echo § > q.py; timeout 9 pytest", "echo § > q.py; sh -c 'pytest'",
    ],
)  # fmt: skip
def test_a_file_with_a_value_is_not_found_by_what_runs_files(project: Project, shell: str) -> None:
    refused(project, shell, "touch PWNED")


@pytest.mark.parametrize(
    "shell",
    [
        "echo § > q.py; cat q.py; wc -l q.py; git add q.py; git commit -m x", "echo § > r.md; gh pr comment 1 --body-file r.md", "make; echo § > q.py",
        "pytest && echo § > q.py", "echo § > r.md; make", "echo § > r.json; curl --data-binary @r.json u", "git diff § > d.diff; make", "date > q; make; echo §",
        "echo § > q.py; sh -c 'cat q.py'", "echo § > q.py; timeout 5 cat q.py", "echo § > q.py; jq . q.py; rm q.py", "echo § > a.txt; sh run.sh",
        "echo § > /tmp/q; make", "make > log.txt; pytest; echo §", "echo § | tee r.log; npm test", "echo § > a.txt; mytool < a.txt",
    ],
)  # fmt: skip
def test_one_that_is_only_read_may_hold_it(project: Project, shell: str) -> None:
    accepted(project, shell)


@pytest.mark.parametrize(
    "shell",
    [
        "cd § && make", "cd § && npm test", "cd § && git status", "cd § && pytest", "cd 'a/§' && cargo build", "v=§; cd \"$v\"; ./run.sh", "pushd § && make",
        "(cd § && make)", "cd § && uv run x", "cd § && sh run.sh", "cd § && . ./env", "git -C § status", "git --git-dir=§ log", "git --git-dir § log",
        "git --work-tree=§ status", "git --exec-path=§ x", "make -C §",
        "npm --prefix=§ test", "npm test --prefix §", "cargo -C § test", "cargo test --manifest-path §", "go -C § test", "pnpm -C § test",
        "cmake -S § -B b", "cmake --build §", "ctest --test-dir §", "mvn -f §", "gradle -p §", "poetry -C § run pytest", "mypy --config-file § .",
        "eslint --config § .", "jest --config=§", "cd \"$(dirname §)\" && make", "docker compose --file § up",
    ],
)  # fmt: skip
def test_no_value_chooses_the_directory_whose_code_runs(project: Project, shell: str) -> None:
    refused(project, shell, "sub")


@pytest.mark.parametrize("shell", ["cd § && ls", "cd § && wc -l *.md", "make && cd § && cat x", "cd sub && make; echo §", "cp a §; make", "cargo test --exclude §", "cmake --build b --config §", "git -C sub log §",
                                   "(cd § && grep -r a .)"])  # fmt: skip
def test_one_in_which_is_only_read_may_be_chosen(project: Project, shell: str) -> None:
    accepted(project, shell)


def test_code_of_the_authors_own_that_gets_a_value_is_named(project: Project) -> None:
    accepted(project, "V=§ perl -e 'system($ENV{V})'")
    assert "`perl -e`" in project.lok("plan", "w").out
    accepted(project, "echo § | python3 -c 'import os, sys; os.system(sys.stdin.read())'")
    assert "`python3 -c`" in project.lok("workflow", "validate", "w").err
    refused(project, "perl -ne 'print' §", "x")


# --- files that values change or delete


CHANGED = [
    "rm -f §", "rm -rf -- §", "rmdir §", "mv § kept", "mv kept §", "cp -t § kept", "cp --target-dir=§ kept", "sed -i s/a/b/ §", "sed --in-place s/a/b/ §",
    "gzip -f §", "xz §", "unlink §", "shred §", "chmod 600 §", "touch §", "truncate -s0 §", "tar -cf § kept", "tar cf § kept", "tar -cf x -C § .",
    "ln -f kept §", "ln § linked", "split -l1 kept §", "sort -o§ kept", "find § -delete", "find § -exec rm {} +", "install kept §", "mktemp -p §",
    "TMPDIR=§ mktemp", "python3 -m json.tool kept §", "python3 -m zipfile -c § kept", "python3 -m tarfile -c § kept", "cd § && touch x",
    "awk -v f=§ '{ print > f }' kept", "git init -q §", "git archive --output=§ HEAD", "patch -o § kept", "dd of=§ if=kept", "openssl rand -out § 3",
    "v=§; rm -f \"$v\"", "for f in §; do rm -f \"$f\"; done", "zip -q § kept", "nobody-knows --out §", "nobody-knows --prefix=§", "nobody-knows -d §",
    "curl -s -o § file:///dev/null", "curl -s --output-dir § -O u", "wget -q -P § u", "unzip -q a -d §", "ar rcs § kept", "git bundle create § HEAD",
]  # fmt: skip


@pytest.mark.parametrize("shell", CHANGED)
def test_a_value_changes_and_deletes_in_the_project_only(project: Project, shell: str) -> None:
    project.write("kept", "a\n")
    outside = project.root.parent / "outside"
    outside.mkdir()
    (outside / "precious").write_text("a\n")
    (project.root / "link").symlink_to(outside)
    for answer in (
        "../outside/precious",
        f"{outside}/precious",
        "link/precious",
        "../outside",
        ".git/hooks",
        "conftest.py",
    ):
        done = run(project, shell, answer)
        assert done.code == 3, (answer, done)
        assert "write" in done.err
        assert [path.name for path in outside.iterdir()] == ["precious"]
        assert (outside / "precious").read_text() == "a\n"
        assert (outside / "precious").stat().st_mode & 0o044


@pytest.mark.parametrize(
    "shell", ["rm -r §", "mv § moved", "sed -i s/a/b/ §/f", "chmod 700 §", "tar -cf §/a.tar kept", "cd § && touch x", "find § -delete", "gzip §/f",
              "cp -t § kept", "rm -r ./§", "rm -r -- §/"])  # fmt: skip
def test_what_is_in_the_project_may_be_changed(project: Project, shell: str) -> None:
    project.write("kept", "a\n")
    project.write("sub/f", "a\n")
    done = run(project, shell, "sub")
    assert done.code == 0, done.err


def test_names_that_come_by_way_of_xargs_are_deleted_by_nobody(project: Project) -> None:
    refused(project, "printf %s § | xargs rm --", "../x")
    refused(project, "printf %s § | xargs -I% rm ./%", "../x")
    refused(project, "curl -T kept file://§", "/x")
    refused(project, "curl -T kept §", "file:///x")
    accepted(project, "curl -T kept https://h/§")


# --- what was taken for code and is data


@pytest.mark.parametrize(
    "shell",
    [
        "git clean -fdx §", "shellcheck -e § a.sh", "shellcheck -x §", "pylint -e §", "kubectl -n § get pods", "docker run --rm app:§ true",
        "docker run -e TITLE=§ app true", "docker run --rm -l a=§ h/app@§ true", "python3 -c 'import sys; print(sys.argv)' §", "node -e '1' §",
        "ruby -e '1' §", "curl -d \"$(jq -n --arg t § '{t:$t}')\" u", "find src -newer § -type f | xargs wc -l", "find src -name § | xargs wc -l",
    ],
)  # fmt: skip
def test_data_is_not_taken_for_code(project: Project, shell: str) -> None:
    accepted(project, shell)


@pytest.mark.parametrize(
    "shell",
    [
        "git rebase -ix §", "kubectl § get", "docker run --rm § true", "docker run app:1 §", "docker run -e § app", "docker run -e LD_PRELOAD=§ app true",
        "docker run -v §:/x app true", "docker run --entrypoint § app", "python3 -c 'x'§", "python3 -c § a", "node -e § a", "perl -e '1' §",
        "curl -d \"$(jq -rn --arg t § '$t')\" u", "curl -d \"$(jq -n --arg t § '{t:$t}' | jq -r .t)\" u", "curl -d \"$(jq -rn --arg t § '{t:$t}.t')\" u",
        "curl -d \"$(echo §; jq -n --arg t § '{t:$t}')\" u", "find § -type f | xargs wc -l", "find . -printf § | xargs wc -l",
    ],
)  # fmt: skip
def test_what_stands_beside_it_and_is_code_stays_refused(project: Project, shell: str) -> None:
    refused(project, shell, "x")


# --- programs that open as code what an operand or an option names


@pytest.mark.parametrize(
    "shell",
    [
        "pytest §", "pytest tests/§", "pytest -x §", "pytest -- §", "pytest -q --foo §", "python3 -m pytest §", "python -m unittest §",
        "coverage run §", "uv run pytest §", "poetry run py.test §", "timeout 9 pytest §", "nobody-knows pytest §", "nyc mocha §", "mocha §", "rspec §", "bats §", "prove §",
        "v=§; pytest \"$v\"", "f() { pytest \"$1\"; }; f §", "echo § | xargs pytest --", "find . -exec pytest § \\;", "nox -f §", "go test §",
        "go test ./§", "go test -v ./... §", "npm run §", "yarn run -s §", "pnpm run §", "./gradlew §", "mvn §", "bazel test §", "dotnet test §",
        "dotnet run --project §", "dotnet run --proj=§", "cmake §", "cmake -S . §", "cmake -D§ .", "cmake -D X=§ .", "meson setup b §", "docker build §", "docker build -t a §",
        "docker build -f § .", "docker build -f§ .", "docker build --file=§ .", "docker buildx build §", "docker image build §", "docker compose -f § up",
        "docker-compose -f § up", "podman build §", "podman kube play §", "docker stack deploy -c § x", "kubectl apply -f §", "kubectl apply -k §",
        "kubectl -n a create -f§", "helm install r §", "helm upgrade -i r §", "helm template §", "helm install --foo x §", "terraform apply §", "terraform init -from-module=§",
        "packer build §", "gunicorn §", "flask --app § run", "celery -A § worker", "streamlit run §", "mkdocs build -f §", "sphinx-build § out", "pandoc --filter § a",
        "pdflatex §", "cookiecutter §", "pre-commit try-repo §", "nix build §", "nix-build §", "dpkg -i §", "rpm -Uvh §", "systemctl enable §", "tcc -run §", "zig run §",
        "kubectl get pods -o §", "kubectl get pods -o jsonpath=§", "kubectl get pods -ojsonpath=§", "kubectl get pods --output=go-template=§",
        "docker ps --format §", "docker inspect -f §", "gcloud x list --filter=§", "nobody-knows --query §", "nobody-knows --sql-query=§", "curl -w 'a §' u", "curl -b § u",
    ],
)  # fmt: skip
def test_no_value_names_what_a_program_opens_as_code(project: Project, shell: str) -> None:
    refused(project, shell, "touch PWNED")


@pytest.mark.parametrize(
    "shell",
    [
        "pytest -k §", "pytest -vk §", "pytest -m § tests", "pytest -k '§ and not slow'", "pytest tests/test_a.py::§", "pytest --deselect §", "pytest --junitxml=§", "coverage run a.py §",
        "mocha -g § test", "go test -run § ./...", "go test ./... -args §", "go run ./cmd §", "npm run build -- §", "npm run build §", "npm test -- §", "jest §",
        "cargo run §", "cargo test §", "dotnet test --filter §", "dotnet run -- §", "cmake -B § .", "cmake --build b --target §", "docker build -t § .",
        "docker build --build-arg A=§ .", "docker compose up §", "docker compose -p § up", "docker logs -f §", "docker rm -f §", "docker ps -f name=§",
        "kubectl get -f §", "kubectl -n § get pods", "kubectl get pod § -o yaml", "helm upgrade § .", "helm install r . --set a=§", "terraform plan -var a=§",
        "terraform apply -var a=§ plan.out", "gcloud x describe §", "nobody-knows --queue §", "curl -b a=§ u", "curl -w '%{http_code}' §", "rpm -q §", "dpkg -l §",
        "systemctl status §", "pandoc § -o a.html", "pre-commit run --files §", "act -j §", "nox -s §", "nobody-knows run context §",
    ],
)  # fmt: skip
def test_one_that_only_picks_or_is_handed_on_may_be_chosen(project: Project, shell: str) -> None:
    accepted(project, shell)


def test_argv_is_the_way_to_run_what_a_value_names(project: Project) -> None:
    project.write("test_a.py", "def test_a(): print('ran')\n")
    done = run(project, "true", "test_a.py")
    project.workflow(
        "w",
        '[[steps]]\nname = "m"\nprompt = "x"\n[[steps]]\nname = "a"\n'
        'argv = ["pytest", "-sqp", "no:cacheprovider", "{{ steps.m.output }}"]\n',
    )
    done = project.lok("run", "w")
    assert (done.code, "ran" in done.out) == (0, True), done.err


# --- brought along by a value, then run


@pytest.mark.parametrize(
    "shell",
    [
        "export V=§; envsubst < t > q.py; pytest", "V=§; export V; envsubst < t > q.py; pytest", "set -a; V=§; envsubst < t > q.py; pytest", "set -o allexport; V=§; j2 t -o q.py; pytest",
        "declare -x V=§; gomplate -f t -o q.py; pytest", "export V=§; sh -c 'echo \"$V\"' > q.py; pytest", "tar xf §; make", "tar -xzf a -C d §; make", "tar --extract --file=§; make",
        "tar x < §; make", "echo § | tar x; make", "unzip §; make", "7z x §; make", "bsdtar xf §; pytest", "jar xf §; make", "python3 -m zipfile -e § .; make",
        "git checkout §; make", "git checkout -b x §; make", "git checkout origin/§ -- .; make", "git switch §; npm test", "git reset --hard §; make", "git merge §; make", "git pull origin §; make",
        "git cherry-pick §; make", "git rebase §; make", "git revert §; make", "git stash apply §; make", "git restore --source=§ .; make", "git restore -s § .; make", "git worktree add w §; cd w; make",
        "git clone § d; cd d; make", "git clone -b § u d; make -C d", "git submodule add § d; make", "git fetch origin §; git checkout FETCH_HEAD; make", "git branch b §; git checkout b; make",
        "git fetch u §:b && git switch b && pytest", "f() { git checkout b; make; }; git fetch origin §:b; f", "v=§; git checkout \"$v\"; make", "git -C d checkout §; make -C d",
        "gh pr checkout §; make", "gh repo clone § d; make -C d", "gh run download §; sh run.sh", "hg update §; make", "svn co § d; make -C d", "curl -O §; make", "curl -sLO §; make", "wget §; make",
        "aws s3 cp § .; make", "docker cp §:/x .; make", "gcc §; ./a.out", "rustc §; ./x", "go build §; ./x",
    ],
)  # fmt: skip
def test_what_a_value_brings_is_not_run_by_the_same_text(project: Project, shell: str) -> None:
    refused(project, shell, "main")


@pytest.mark.parametrize(
    "shell",
    [
        "export V=§; git diff > d.py; make", "export V=§; date > q.py; make", "export V=§; envsubst < t > q.txt; make", "export V=§; make", "tar cf a.tar §; make", "tar tf §; make", "tar x < a.tar; make; echo §",
        "git checkout -b §; make", "git switch -c §; npm test", "git checkout -- §; make", "git checkout main -- §; make", "git restore §; make", "git merge -m § main; make", "git reset §; make",
        "git fetch origin §; make", "git checkout main; make; git fetch origin §", "git fetch origin §; git diff FETCH_HEAD", "git fetch origin § && git checkout §", "git checkout §; git diff | head",
        "make; git checkout §", "git log §; make", "git diff §; make", "gh pr view §; make", "gh pr checkout §; gh pr diff §", "curl §; make", "wget -q -O /dev/null §; make", "gcc -O§ a.c; ./a.out",
        "aws s3 cp a s3://§; make", "echo § | git commit -F -; make",
    ],
)  # fmt: skip
def test_one_that_brings_nothing_or_is_only_read_may_be_named(project: Project, shell: str) -> None:
    accepted(project, shell)


@pytest.mark.parametrize(
    "shell", ["curl -F 'a=@§' u", "curl -F 'a=<§' u", "curl -sF a=@§ u", "curl -d @§ u", "curl --data-binary=@§ u", "curl --json @§ u", "wget --post-file=§ u", "gh pr comment 1 --body-file §",
              "gh pr create -F §", "gh release create v1 --notes-file=§", "gh api x -F a=@§"])  # fmt: skip
def test_a_file_to_send_is_one_of_the_project(project: Project, shell: str) -> None:
    shell = f"false && {shell} || true"
    outside = project.root.parent / "key"
    outside.write_text("secret")
    (project.root / "link").symlink_to(outside)
    for answer in ("../key", str(outside), ".env", ".git/config", "link"):
        done = run(project, shell, answer)
        assert done.code == 3, (answer, done)
    assert run(project, shell, "notes.md").code == 0
