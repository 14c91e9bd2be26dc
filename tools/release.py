"""`python -m tools.release TWINE`: build the package, and try it where nothing else of this repository is.

The source distribution and the wheel that is built from it are checked with ``TWINE check``. The wheel is
installed into an environment of its own, and the demo of the source distribution runs there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "build" / "release"
LEFT_OUT = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables by which another environment would leak in."""


def main(arguments: list[str]) -> int:
    """Every step in its order; the exit code of the first that fails."""
    (twine,) = arguments
    shutil.rmtree(PLACE, ignore_errors=True)
    try:
        sdist, wheel = build()
        run(twine, "check", "--strict", sdist, wheel)
        python = install(wheel)
        source = unpack(sdist)
        where = run(
            python, "-c", "import pytest_lok; print(pytest_lok.__file__)", cwd=source / "demo"
        ).strip()
        if not Path(where).is_relative_to(PLACE / "venv"):
            print(f"the demo would run with {where} instead of the wheel", file=sys.stderr)
            return 1
        stage = PLACE / "stage"
        stage.mkdir()
        shutil.copytree(source / "demo", stage / "demo")
        print(run(python, "-m", "demo", cwd=stage))
    except subprocess.CalledProcessError as error:
        print(error.stdout, error, sep="\n", file=sys.stderr)
        return error.returncode
    print(
        f"{sdist.name} and {wheel.name} are in {os.path.relpath(PLACE / 'dist')}; the demo ran from the wheel"
    )
    return 0


def build() -> tuple[Path, Path]:
    """The source distribution, and the wheel that is built from it."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", PLACE / "dist", ROOT)
    (sdist,), (wheel,) = (list((PLACE / "dist").glob(kind)) for kind in ("*.tar.gz", "*.whl"))
    return sdist, wheel


def install(wheel: Path) -> Path:
    """The interpreter of an environment that holds the wheel and what it asks for."""
    python = PLACE / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", "--without-pip", PLACE / "venv")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", wheel)
    run(sys.executable, "-m", "pip", "--python", python, "check")
    return python


def unpack(sdist: Path) -> Path:
    """The directory of the source distribution's files."""
    with tarfile.open(sdist) as archive:
        archive.extractall(PLACE / "source", filter="data")
    (source,) = (PLACE / "source").iterdir()
    return source


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a command prints; CalledProcessError if it fails."""
    print("$", *(os.path.relpath(word) if isinstance(word, Path) else word for word in command), flush=True)
    environ = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    return subprocess.run(
        command, cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    ).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
