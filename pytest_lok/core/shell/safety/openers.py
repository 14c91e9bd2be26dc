"""Programs that open as code what operands or options name: tests, builds, images, charts, applications."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence

from pytest_lok.core.shell.ast import NamedCommand, ShellWord
from pytest_lok.core.text.words import rows, words
from pytest_lok.dataclass import dataclass

# fmt: off
_OPENING = """
pytest py.test | | | 1+ | -k -m -n -r -o --deselect --ignore --ignore-glob --tb --maxfail --durations
    --durations-min --timeout --cov --cov-report --cov-fail-under --junitxml --junit-xml --junit-prefix
    --basetemp --report-log --html --randomly-seed --reruns --reruns-delay --log-level --log-cli-level
    --log-file --color --capture --dist --numprocesses --maxprocesses --lok-arg --lok-tag --lok-workflow
unittest nose2 nosetests ward trial stestr green | | | 1+ | -k -m --timeout
coverage | run | | 1 -- | --source --omit --include --data-file --context -m
mocha ava tap tape jasmine | | | 1+ | -g --grep -R --reporter -t --timeout --match
cypress | run open | --spec -s | |
rspec cucumber minitest | | | 1+ | -t --tag -f --format
bats prove roundup shellspec | | | 1+ | -f --filter -j --jobs
phpunit pest | | --bootstrap | 1+ | --filter --group --testsuite
behave robot lettuce pabot | | --stage -P --pythonpath | 1+ | -n --name -t --tags --test -s --suite -i
    --include -d --outputdir
ptw pytest-watch kernprof pyinstrument scalene mprof memray viztracer py-spy | | | 1+ |
nox | | -f --noxfile | |
streamlit fastapi gradio panel bokeh voila chainlit | run dev serve | | 1 -- |
voila papermill marimo | | | 1 -- |
gunicorn uvicorn hypercorn daphne waitress-serve | | | 1+ | -b --bind -w --workers --host --port
    --log-level
celery flask | | -A --app | |
locust | | -f --locustfile | |
snakemake | | -s --snakefile | 1+ | -j --cores --jobs
nextflow cwltool toil | run | | 1 -- |
scrapy | runspider | | 1 |
mkdocs | | -f --theme | |
sphinx-build sphinx-autobuild | | | 1+ | -b
cookiecutter copier degit yo plop hygen | | | 1+ |
pre-commit | try-repo | | 1+ |
act | | -W --workflows -P --platform | |
tex latex pdftex pdflatex xetex xelatex luatex lualatex latexmk tectonic dvilualatex | | | 1+ |
go | run test | | 1+ -- | -run -bench -benchtime -count -timeout -tags -skip -cpu -parallel -coverpkg
    -covermode -coverprofile -fuzz -fuzztime -shuffle -o -p -mod
cabal stack runghc crystal odin zig nim dart flutter scala-cli kotlinc | run r test spec runghc script | |
    1+ -- | --name --plain-name -n
tcc | | -run | |
mix | run test | | 1+ -- | --only --exclude
npm pnpm yarn composer nx lerna | run run-script rum | | 1 -- | -w --workspace --filter
scons gradle gradlew mvn mvnw mvnd ant msbuild xbuild waf grunt gulp phing buck buck2 pants | | | 1+ |
    --tests -pl --projects -T -x --exclude-task -D
ant grunt gulp phing | | -f -file -buildfile --gruntfile --gulpfile | |
bazel bazelisk | run build test coverage | | 1+ -- | --test_filter --jobs
dotnet | run build test publish msbuild pack restore exec vstest watch new script fsi | --project | 1+ --
    | --filter -f --framework -o --output -r --runtime -v --verbosity --logger --results-directory
    --version-suffix
cmake | | | 1+ | -B -G -A --target -t -j --parallel --config --install --component --prefix --preset -L -U
meson | setup devenv | | 1+ | --buildtype --prefix
docker podman nerdctl buildah | build bud b | -f --file | 1+ | -t --tag --build-arg --target --platform
    --label --progress --network -m --memory --iidfile --cache-from
docker podman nerdctl | compose bake | -f --file | |
docker-compose podman-compose | | -f --file | |
docker | deploy | -c --compose-file | |
docker podman nerdctl | inspect | -f | |
podman nerdctl | play kube | | 1+ |
kubectl oc | apply create replace run | -f --filename -k --kustomize | |
kustomize skaffold tilt devspace | build run dev up apply | -f --filename | 1+ |
helm | install upgrade | | 2+ | --set --set-string -n --namespace --version --kube-context -f --values
    --timeout
helm | template lint package dependency | | 1+ | --set --set-string -n --namespace --version
    --kube-context -f --values --timeout
terraform tofu | apply destroy init | -from-module | 1+ | -var -target -var-file -replace -lock-timeout
    -parallelism
packer | build | | 1+ | -var -only -except -var-file
pulumi | | -C --cwd | |
nix | build develop eval flake profile shell run | | 1+ |
nix-build nix-instantiate nix-env | | | 1+ |
rpm | -i -U -F -ivh -Uvh -Fvh -iv -Uv --install --upgrade | | 1+ |
dpkg | -i --install --unpack --configure | | 1+ |
pacman | -U -S --upgrade --sync | | 1+ |
flatpak snap | run install | | 1 |
systemctl | link enable reenable edit | | 1+ |
pm2 forever supervisor | | | 1+ | -n --name -i
influx promtool logcli steampipe sqlite-utils osqueryi octosql textql bq | query instant range memory | |
    1+ |
osqueryi cypher-shell octosql textql | | -q | 1+ |
"""
"""Programs | subcommands, or none: always | options whose value is opened | operands that are opened (from
which one on, or that one alone; ``--``: what stands behind two dashes is handed on) | options of data."""
# fmt: on
_PLAIN_WORDS = words("""
    act ant ava behave buck context copier forever green lettuce minitest panel pants pest prove
    robot supervisor tap tape tex trial waf ward yo
""")
"""Programs whose names are plain words, which seldom mean the program among the arguments of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What one use of a program opens: operands from ``first`` to ``last``, values of ``code`` options."""

    subcommands: frozenset[str]
    code: frozenset[str]
    data: frozenset[str]
    first: int = 0
    last: int = 0
    ends: bool = False

    def behind(self, args: Sequence[ShellWord]) -> Sequence[ShellWord]:
        """The arguments, if it is this use: behind the subcommand."""
        if not self.subcommands:
            return args
        operands = 0
        for place, word in enumerate(args):
            option = word.prefix.startswith("-")
            # further on the same word is an operand, as `run` in a commit message is
            if word.literal in self.subcommands and (option or operands < 3):
                return args if option else args[place + 1 :]
            operands += not option
        return ()

    def opens(self, args: Sequence[ShellWord]) -> Iterator[tuple[ShellWord, str]]:
        """The words that name what is opened, with the option before them or ""."""
        least = most = 0  # operands so far: what follows an unknown option may be its value
        previous, ended = "", False
        for word in self.behind(args):
            if word.prefix.startswith("-") and not ended:
                option, equals, _ = word.prefix.partition("=")
                if word.literal in ("--", "-args"):
                    if self.ends:
                        return
                    ended = True
                elif word.literal is None and self._listed(self.code, option, attached=True):
                    yield word, option
                previous = "" if equals or word.literal is None or ended else option
                continue
            if previous and self._listed(self.code, previous):
                yield word, previous
            elif not (previous and self._listed(self.data, previous)):
                if least < self.last and most + 1 >= self.first:
                    yield word, ""
                most += 1
                # behind an option that is not known it may be the option's value, and no operand
                least += not previous
            previous = ""

    @staticmethod
    def _listed(options: frozenset[str], option: str, *, attached: bool = False) -> bool:
        """Whether it is one of the options: as it is, abbreviated, in a cluster or with what follows it."""
        if option.startswith("--"):
            return option in options or (
                len(option) > 3 and any(name.startswith(option) for name in options if name[:2] == "--")
            )
        # short options stand together, and the last one has the value
        end = f"-{option[-1]}"
        cluster = bool(re.fullmatch("-[A-Za-z]{2,3}", option)) and end in options
        return option in options or cluster or (attached and option[:2] in options)


@functools.cache
def _openings() -> Mapping[str, tuple[Opening, ...]]:
    found: dict[str, tuple[Opening, ...]] = {}
    for names, subcommands, code, operands, data in rows(_OPENING, 5):
        number = operands[0] if operands else "0"
        opening = Opening(
            subcommands=frozenset(subcommands),
            code=frozenset(code),
            data=frozenset(data),
            first=int(number.removesuffix("+")),
            last=10_000 if number.endswith("+") else int(number),
            ends="--" in operands,
        )
        for name in names:
            found[name] = (*found.get(name, ()), opening)
    return found


def opened_words(call: NamedCommand) -> Iterator[tuple[ShellWord, str]]:
    """The words that name what the command opens as code, with the option before them or ""."""
    for opening in _openings().get(call.name, ()):
        for word, option in opening.opens(call.args):
            in_file = "::" in word.prefix and call.name in ("pytest", "py.test")  # the name of a test in it
            if word.literal is None and not in_file:
                yield word, option


def opens_operands(name: str) -> bool:
    """Whether it opens its operands, whatever stands before them, and its name is no plain word."""
    return name not in _PLAIN_WORDS and any(
        opening.last and not opening.subcommands for opening in _openings().get(name, ())
    )
