"""What the figures of a benchmark depend on beside the code: the machine, Python, bytecode and the load."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest_lok

_CALM = 0.5
"""The load per core above which other work disturbs the figures."""


def conditions() -> Iterator[str]:
    """A line for each."""
    yield f"processor: {_processor()}, {os.cpu_count()} cores, {_speed()}"
    yield f"system:    {platform.system()} {platform.release()} {platform.machine()}"
    yield f"python:    {platform.python_version()} ({platform.python_compiler()}), {_optimised()}"
    yield f"bytecode:  {_bytecode()}"
    yield f"load:      {load()}"


def load() -> str:
    """The load of the last minute, with a warning where it disturbs the figures."""
    now = os.getloadavg()[0]
    busy = now / (os.cpu_count() or 1) > _CALM
    return f"{now:.1f} in the last minute" + (", TOO BUSY for figures to keep" if busy else "")


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or "unknown"


def _speed() -> str:
    try:
        found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = []
    return f"at {max(map(float, found)):.0f} MHz" if found else "of unknown speed"


def _optimised() -> str:
    import sysconfig

    flags = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    kinds = [word for word in ("--enable-optimizations", "--with-lto") if word in flags]
    return f"built with {' '.join(kinds)}" if kinds else "built without optimizations"


def _bytecode() -> str:
    """Whether the package's bytecode is kept; what is not kept is compiled in every process."""
    sources = list(Path(pytest_lok.__file__).parent.rglob("*.py"))
    kept = sum(Path(importlib.util.cache_from_source(str(path))).exists() for path in sources)
    written = "not written" if sys.dont_write_bytecode else "written"
    return f"of {kept} of {len(sources)} modules of the package, {written} by this process"
