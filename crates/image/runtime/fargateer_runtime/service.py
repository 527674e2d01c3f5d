"""The service: one call from its admission to its end, for every endpoint alike."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from fargateer_runtime import logs
from fargateer_runtime.calls import Finished
from fargateer_runtime.faults import Refused, timed_out

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fargateer_runtime.admission import Admission
    from fargateer_runtime.calls import Call, Event
    from fargateer_runtime.entries import Entry
    from fargateer_runtime.lifecycle import Lifecycle
    from fargateer_runtime.metrics import Metrics
    from fargateer_runtime.settings import Settings


class Service:
    """What the endpoints share."""

    def __init__(self, settings: Settings, lifecycle: Lifecycle, admission: Admission, metrics: Metrics) -> None:
        self.settings = settings
        self.lifecycle = lifecycle
        self.admission = admission
        self.metrics = metrics

    @contextlib.asynccontextmanager
    async def running(self, call: Call, entry: Entry, endpoint: str) -> AsyncIterator[AsyncIterator[Event | None]]:
        """Admits a call and starts it; gives its events. Whoever leaves early leaves the call behind, cancelled.

        Raises `Refused`: 429, 503, 504.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        deadline = started + self.settings.invoke_timeout
        token = logs.speaker.set(call)
        try:
            with self.lifecycle.serving(call):
                async with self._admitted(call, deadline):
                    # Nothing may be awaited between the slot and the thread that gives it back.
                    self._start(call, entry)
                    try:
                        yield self._events(call, deadline)
                    finally:
                        self._leave_behind(call)
        except Refused as refused:
            call.outcome = refused.code
            raise
        finally:
            seconds = loop.time() - started
            self.metrics.finished(endpoint, call.outcome, seconds)
            logs.line("info", "request", endpoint=endpoint, outcome=call.outcome, seconds=round(seconds, 3))
            logs.speaker.reset(token)

    def _start(self, call: Call, entry: Entry) -> None:
        try:
            call.start(entry.serve, self._thread_ended)
        except RuntimeError as error:
            self.admission.leave(call, 0.0)
            logs.line("error", "there is no thread for a call", error=str(error))
            raise Refused(429, "overloaded", "the task has no threads left", retry_after=5) from error

    @contextlib.asynccontextmanager
    async def _admitted(self, call: Call, deadline: float) -> AsyncIterator[None]:
        """Waits for the session's turn and a slot, no longer than the call's deadline."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(deadline):
                    await stack.enter_async_context(self.admission.turn(call.session_id))
                    await self.admission.enter()
            except TimeoutError as error:
                raise timed_out(self.settings.invoke_timeout) from error
            yield

    async def _events(self, call: Call, deadline: float) -> AsyncIterator[Event | None]:
        try:
            async for event in call.events(deadline, self.settings.keepalive):
                if isinstance(event, Finished):
                    self._note(call, event)
                yield event
        except TimeoutError:
            late = Finished(refused=timed_out(self.settings.invoke_timeout))
            self._note(call, late)
            yield late

    def _note(self, call: Call, finished: Finished) -> None:
        call.outcome = finished.refused.code if finished.refused else "ok"
        if finished.answer is not None:
            self.metrics.used(finished.answer.input_tokens, finished.answer.output_tokens)

    def _leave_behind(self, call: Call) -> None:
        if not call.finished:
            call.abandoned = True
            call.cancel()
            self.admission.abandon(call)

    def _thread_ended(self, call: Call) -> None:
        self.admission.leave(call, call.seconds)
