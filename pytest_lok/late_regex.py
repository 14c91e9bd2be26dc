"""``late_regex``: a regular expression that is compiled when it is first used.

Compiling one takes a tenth of a millisecond, and a start uses few of the package's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from re import compile as late_regex
else:

    class late_regex:  # noqa: N801 - it is called as a function is
        """It has what a compiled expression has; only ``re``'s functions do not take it for one."""

        def __init__(self, text: str | bytes, flags: int = 0) -> None:
            self.pattern = text
            self._flags = flags

        def __getattr__(self, name: str) -> Any:
            found = getattr(re.compile(self.pattern, self._flags), name)
            setattr(self, name, found)
            return found


__all__ = ["late_regex"]
