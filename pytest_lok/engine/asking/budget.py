"""What a run may still spend: reserved before each call, charged after it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.core.asking.images import TOKENS
from pytest_lok.core.results import NO_USAGE, Reply, Usage
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import BudgetError

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Budget
    from pytest_lok.engine.ports import Prompt


@dataclass(slots=True, kw_only=True)
class Spending:
    """What all runs that share one budget have spent, and the tokens of their questions that are out now.

    ``began`` is when the first of them began, None before that.
    """

    spent: Usage = NO_USAGE
    reserved: int = 0
    began: float | None = None


class BudgetTracker:
    """The budget of one run. ``spent`` counts every call that began and every answer, valid or not.

    The count starts at what earlier parts of the run have ``spent``. ``on_spent`` gets each addition.
    ``now`` gives seconds; the run begins when the tracker is made. With ``together`` the limits hold for all
    runs that have the same one, and ``spent`` is still this run's own. ``outer`` is the budget of the run in
    which this one runs: both must have room.
    """

    def __init__(
        self,
        budget: Budget,
        spent: Usage,
        on_spent: Callable[[Usage], None],
        now: Callable[[], float],
        together: Spending | None = None,
        outer: BudgetTracker | None = None,
    ) -> None:
        self._outer = outer
        self._budget = budget
        self._on_spent = on_spent
        self._now = now
        self._all = Spending() if together is None else together
        self._began = self._all.began = now() if self._all.began is None else self._all.began
        self._all.spent += spent
        self.spent = spent

    @contextmanager
    def reserve(self, prompt: Prompt) -> Iterator[None]:
        """Reserve the prompt's tokens for the time of one call; BudgetError if the budget has no room.

        Prompts that are being answered count with their own tokens, for calls that run side by side would
        not know of each other otherwise.
        """
        passed = self._now() - self._began
        if self._budget.time is not None and passed >= self._budget.time:
            raise _exhausted("time", f"{self._budget.time:g} s", f"{passed:.1f} s have passed")
        limit, past = self._budget, self._all.spent
        made, spent = past.calls, (past.tokens or 0) + self._all.reserved
        if limit.calls is not None and made >= limit.calls:
            raise _exhausted("calls", f"{limit.calls} call{'s' if limit.calls != 1 else ''}", f"{made} made")
        # estimated tokens, at four characters each, rounded up
        estimate = -(-(len(prompt.text) + len(prompt.system)) // 4) + TOKENS * len(prompt.images)
        if limit.tokens is not None and spent + estimate > limit.tokens:
            raise _exhausted(
                "tokens",
                f"{limit.tokens:,} tokens",
                f"{spent:,} are spent, and this prompt has some {estimate:,}",
            )
        if limit.usd is not None and (past.cost_usd or 0.0) >= limit.usd:
            raise _exhausted("usd", f"{limit.usd:g} USD", f"{past.cost_usd or 0.0:.4f} are spent")
        self._all.reserved += estimate
        try:
            with self._outer.reserve(prompt) if self._outer else nullcontext():
                self._add(Usage(calls=1))
                yield
        finally:
            self._all.reserved -= estimate

    @property
    def time_left(self) -> float:
        """Seconds that are left of the run's time; ``math.inf`` = no limit."""
        own = math.inf if self._budget.time is None else self._began + self._budget.time - self._now()
        return own if self._outer is None else min(own, self._outer.time_left)

    @property
    def usd_left(self) -> float:
        """Money that is left, in USD, before what others are spending now; ``math.inf`` = no limit."""
        return math.inf if self._budget.usd is None else self._budget.usd - (self._all.spent.cost_usd or 0.0)

    def charge_failure(self, cost_usd: float) -> None:
        """Count what a call has cost that gave no answer, as the backend told."""
        self._add(Usage(cost_usd=cost_usd))

    def charge(self, prompt: Prompt, reply: Reply) -> None:
        """Count a reply; BudgetError, with its text, if its cost is unknown and the budget is in USD."""
        usage = replace(reply.usage, calls=0)
        if usage.tokens is None and self._budget.tokens is not None:
            size = len(prompt.text) + len(prompt.system) + len(reply.text)
            usage = Usage(input_tokens=size // 4 + TOKENS * len(prompt.images), cost_usd=usage.cost_usd)
        self._add(usage)
        if self._outer is not None:
            self._outer.charge(prompt, reply)
        if self._budget.usd is not None and usage.cost_usd is None:
            priceless = reply.model or "*"
            raise BudgetError(
                f"what {reply.backend} ({priceless}) costs is unknown, so the budget in USD cannot be held",
                hint=f'give its price under [prices."{priceless}"], or limit tokens or calls',
                output=reply.text,
            )

    def _add(self, usage: Usage) -> None:
        self.spent += usage
        self._all.spent += usage
        self._on_spent(usage)


def _exhausted(key: str, limit: str, why: str) -> BudgetError:
    return BudgetError(
        f"the budget of {limit} does not allow another call: {why}", hint=f"raise `{key}` under [budget]"
    )
