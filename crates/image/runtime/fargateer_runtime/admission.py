"""Admission: who is served now, who waits, who is sent away.

Lives on the HTTP loop alone, so it needs no locks. Waiting callers are served first come, first served; the turns of one session
come in order, and wait without holding a slot.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from typing import TYPE_CHECKING

from fargateer_runtime.faults import Refused, draining

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STUCK_AFTER = 60.0  # seconds with every slot held by a call that nobody waits for any more


class Admission:
    """`slots` calls run at once, `most_waiting` more may wait."""

    def __init__(self, slots: int, most_waiting: int) -> None:
        self.slots = slots
        self.most_waiting = most_waiting
        self.running = 0
        self.waiting = 0
        self.closed = False
        self._queue: deque[asyncio.Future[None]] = deque()
        self._sessions: dict[str, deque[asyncio.Future[None]]] = {}
        self._abandoned: set[object] = set()
        self._average = 1.0  # seconds a call takes, for Retry-After
        self._all_abandoned_since: float | None = None

    @contextlib.asynccontextmanager
    async def turn(self, session_id: str | None) -> AsyncIterator[None]:
        """Waits for the session's turn; the slot is taken apart (`enter`), because an abandoned call keeps its slot.

        Raises `Refused` (429) if too many wait already.
        """
        if session_id is None:
            yield
            return
        if session_id in self._sessions:
            await self._wait_in(self._sessions[session_id])
        else:
            self._sessions[session_id] = deque()
        try:
            yield
        finally:
            self._next_turn(session_id)

    def _next_turn(self, session_id: str) -> None:
        line = self._sessions[session_id]
        if not _wake_first(line):
            del self._sessions[session_id]

    async def enter(self) -> None:
        """Takes a slot, waiting for one if need be. Raises `Refused`: 429 too many wait, 503 draining."""
        if self.closed:
            raise draining()
        if self.running >= self.slots or self._queue:
            await self._wait_in(self._queue)
        else:
            self.running += 1

    def leave(self, who: object, seconds: float) -> None:
        """Gives a slot back, to the first who waits."""
        self._abandoned.discard(who)
        self._note_stuck()
        self._average += 0.2 * (seconds - self._average)
        if not _wake_first(self._queue):
            self.running -= 1

    def abandon(self, who: object) -> None:
        """The caller of a running call has gone; its thread cannot be stopped and keeps its slot until it leaves."""
        self._abandoned.add(who)
        self._note_stuck()

    @property
    def abandoned(self) -> int:
        return len(self._abandoned)

    def _note_stuck(self) -> None:
        if self.abandoned < self.slots:
            self._all_abandoned_since = None
        elif self._all_abandoned_since is None:
            self._all_abandoned_since = asyncio.get_running_loop().time()

    def stuck(self, now: float) -> bool:
        """Whether this process will not serve anybody again: every slot is held by calls that do not end."""
        return self._all_abandoned_since is not None and now - self._all_abandoned_since > STUCK_AFTER

    def close(self) -> None:
        """From now on nobody gets in; those who wait are told to go elsewhere."""
        self.closed = True
        for line in (self._queue, *self._sessions.values()):
            for waiter in line:
                if not waiter.done():
                    waiter.set_exception(draining())

    async def _wait_in(self, line: deque[asyncio.Future[None]]) -> None:
        if self.closed:
            raise draining()
        if self.waiting >= self.most_waiting:
            raise self._too_many()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(waiter)
        self.waiting += 1
        try:
            await waiter
        except BaseException:
            # Whoever gave us the turn cannot know that we left at the same moment: it is passed on.
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_on(line)
            raise
        finally:
            self.waiting -= 1
            if waiter in line:
                line.remove(waiter)

    def _pass_on(self, line: deque[asyncio.Future[None]]) -> None:
        if line is self._queue:
            if not _wake_first(line):
                self.running -= 1
            return
        for session_id, other in list(self._sessions.items()):
            if other is line:
                self._next_turn(session_id)

    def _too_many(self) -> Refused:
        seconds = math.ceil((self.waiting + 1) / self.slots * self._average)
        return Refused(429, "overloaded", "too many calls wait for this task", retry_after=max(1, min(60, seconds)))


def _wake_first(line: deque[asyncio.Future[None]]) -> bool:
    """Gives the turn to the first who still waits."""
    while line:
        waiter = line.popleft()
        if not waiter.done():
            waiter.set_result(None)
            return True
    return False
