"""Lifecycle: starting, ready, draining; and the drain itself, which ends within the grace period whatever user code does."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Parts of the grace period: calls may finish by themselves, then are asked to end, then their callers are told, then we leave.
SOFT, HARD, LAST = 0.7, 0.88, 0.95


class Stoppable(Protocol):
    """A call, or anything else that somebody waits for."""

    def cancel(self) -> None: ...

    def give_up(self) -> None: ...


class Lifecycle:
    """Lives on the HTTP loop; only `state` is read from elsewhere."""

    def __init__(self) -> None:
        self.state = "starting"
        self.in_flight: set[Stoppable] = set()
        self.draining = asyncio.Event()
        self.hurry = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.contextmanager
    def serving(self, work: Stoppable) -> Iterator[None]:
        """Counts work as in flight: a drain waits for it."""
        self.in_flight.add(work)
        self._idle.clear()
        try:
            yield
        finally:
            self.in_flight.discard(work)
            if not self.in_flight:
                self._idle.set()

    async def drain(self, grace: float, close: Callable[[], None]) -> int:
        """Ends what is in flight within `grace` seconds. Returns how many calls had to be left."""
        end = asyncio.get_running_loop().time() + grace
        self.state = "draining"
        self.draining.set()
        close()
        if not await self._idle_by(end - (1 - SOFT) * grace):
            for work in list(self.in_flight):
                work.cancel()
            if not await self._idle_by(end - (1 - HARD) * grace):
                for work in list(self.in_flight):
                    work.give_up()
                await self._idle_by(end - (1 - LAST) * grace)
        return len(self.in_flight)

    async def _idle_by(self, end: float) -> bool:
        """Waits until nothing is in flight; earlier, if somebody asks a second time that we end."""
        waits = [asyncio.ensure_future(self._idle.wait()), asyncio.ensure_future(self.hurry.wait())]
        left = max(0.0, end - asyncio.get_running_loop().time())
        await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        self.hurry.clear()
        return self._idle.is_set()
