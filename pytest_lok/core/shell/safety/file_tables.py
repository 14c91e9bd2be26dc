"""What is known about commands and files: who writes which, and who only reads."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_lok.core.shell.safety.options import CLOSED
from pytest_lok.core.text.words import rows, words
from pytest_lok.late_regex import late_regex

# fmt: off
READERS = words("""
    : . [ [[ awk bzip2 break cd command continue curl declare env eval exec exit export fd fdfind find gawk
    gh git glab gojq gsed gunzip htmlq jaq jo jq let local mapfile mawk mlr nice nohup openssl popd printf
    pushd read readarray readonly return rg rsync scp sed set shift sort source split ssh-keygen stdbuf tar
    time timeout trap typeset umask unset unzip wait wget xargs yq zip
""") | CLOSED
"""Commands that only read data: they run no file, and no code of the directory they are started in."""
HIDES_VARIABLES = READERS - words("""
    . awk command declare env eval exec export find gawk gojq jaq jo jq local mawk mlr nice nohup printenv
    readonly set source stdbuf time timeout typeset xargs yq
""")
"""Those of them that put no variable of their environment into what they print."""
LOADS_FILES = frozenset({".", "source", "git"})
"""Those of them that do where the directory is another than the project's."""

COPIERS = words("cp install ln mv rsync scp")
"""Commands that write their last operand."""
MOVERS = frozenset({"install", "ln", "mv"})
"""Those of them whose other operands may change, too: mv takes them away, a link is a way to them."""
MAKERS = words("""
    chattr mkdir mkfifo mktemp rm rmdir shred tee touch truncate unlink bzip2 bunzip2 gunzip gzip lz4 lzma
    uncompress unlzma unxz unzstd xz zip zstd patch dos2unix unix2dos
""")
"""Commands all of whose operands are files they write, change or delete."""
CHANGERS = frozenset({"chgrp", "chmod", "chown", "chcon", "setfacl"})
"""The same behind their first operand."""
MODULES: Mapping[str, int] = {
    "json.tool": 1, "tarfile": 0, "venv": 0, "virtualenv": 0, "zipapp": 0, "zipfile": 0,
    "compileall": 0
}
"""Python's modules that write files, and how many operands stand before those."""

_OUTPUTS = """
curl | -o --output -D --dump-header -c --cookie-jar --output-dir --trace --trace-ascii --libcurl --stderr
    --etag-save --hsts --alt-svc
wget | -O --output-document -o --output-file -a --append-output -P --directory-prefix --save-cookies
    --warc-file
sort | -o --output -T --temporary-directory
git | --output -o --output-directory --prefix --separate-git-dir
pytest | --junitxml --junit-xml --basetemp --report-log --resultlog
csplit | -f --prefix
tar | -C --directory -g --listed-incremental --index-file
unzip | -d
zip | -O --out -b --temp-path -lf --logfile-path
cp mv ln install | -t --target-directory
mktemp | -p --tmpdir
go | -o -coverprofile -cpuprofile -memprofile -outputdir -C
docker | -o --output --iidfile --cidfile
gh | -O --output -D --dir
openssl | -out -keyout -writerand
cargo | --target-dir --out-dir -C --root --manifest-path
npm | --prefix -C
pnpm | --prefix -C --dir
yarn | --cwd --prefix
kubectl | --output-directory --cache-dir
terraform | -out -state -state-out -chdir
helm | --output-dir -d --destination
zstd | -o --output-dir-flat --output-dir-mirror
shuf | -o --output
xxd dd grep find jq awk sed rg fd ag aws az gcloud glab systemctl dpkg |
ssh-keygen | -f
c++ cc clang clang++ g++ gcc ld as | -o -MF -dumpdir
rustc | -o --out-dir
javac | -d -s -h
swiftc | -o
mypy | --cache-dir --junit-xml --html-report --txt-report --xml-report
ruff | -o --output-file --cache-dir
"""
OUTPUTS: Mapping[str, frozenset[str]] = {
    name: frozenset(options) for names, options in rows(_OUTPUTS, 2) for name in names
}
"""Options that name a file or a directory to write."""
ANY_OUTPUT = words("""
    -o -O -d -t -C -p --out -out --outfile --outdir --out-dir --output -output --output-dir
    --output-directory --output-file --outputFile --target --target-dir --target-directory --directory
    --dir --dest --destination --prefix --root --cache-dir --log --log-file --logfile --save --write
    --junitxml --junit-xml --report --report-file --cwd --chdir --tmpdir --temp-dir
""")
"""The same where they are not known."""
# fmt: on
DATA_FILE = late_regex(r"[\w.+@%-]*\.(csv|diff|html?|json[l5]?|log|md|patch|rst|text|tsv|txt|xml)", re.ASCII)
TAR_WRITES = late_regex("(?!-)[A-Za-z]*[cruA]")
FILE_MAKERS = words("mkdir mkfifo mktemp tee touch truncate zip")
FILE_CHANGERS = MAKERS | CHANGERS | COPIERS | {"sed", "gsed", "yq", "dd"}
COMPRESSORS = words("bzip2 bunzip2 gunzip gzip lz4 lzma unxz unzstd xz zstd")
# who runs a file of these places is told so by its name in the same text
OUTSIDE = ("/dev/", "/tmp/", "/var/tmp/")  # noqa: S108 - only compared with
GIT_WRITES: Mapping[str, int] = {"init": 0, "bundle": 1, "mv": 0, "rm": 0}
"""Subcommands of git whose operands are files they write, but for the first ones."""
