"""Mounted: serves the user's own ASGI app on an event loop of its own, so that what blocks it does not block our answers."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from fargateer_runtime import logs
from fargateer_runtime.faults import LoadFailed

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STOP_WITHIN = 2.0  # seconds for the app's shutdown


class Mounted:
    """An ASGI app that runs `app` in another thread's loop. Start it before it is called."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.loop = asyncio.new_event_loop()
        self._state: dict[str, Any] = {}
        self._stop: asyncio.Event | None = None
        self._life: asyncio.Task[None] | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Runs the app's start-up. Raises `LoadFailed` (StartupFailed)."""
        threading.Thread(target=self._run, name="app", daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._start(), self.loop).result()

    def stop(self) -> None:
        """Runs the app's shutdown; waits for it a short while."""
        if self._stop is not None:
            self.loop.call_soon_threadsafe(self._stop.set)
            self._stopped.wait(STOP_WITHIN)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _start(self) -> None:
        self._stop = asyncio.Event()
        started: asyncio.Future[str | None] = self.loop.create_future()
        self._life = self.loop.create_task(self._lifespan(started, self._stop))
        failure = await started
        if failure is not None:
            raise LoadFailed("StartupFailed", f"the app's start-up failed: {failure}")

    async def _lifespan(self, started: asyncio.Future[str | None], stop: asyncio.Event) -> None:
        asked = False

        async def receive() -> Message:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "lifespan.startup"}
            await stop.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: Message) -> None:
            if not started.done() and message["type"] == "lifespan.startup.complete":
                started.set_result(None)
            elif not started.done() and message["type"] == "lifespan.startup.failed":
                started.set_result(str(message.get("message", "")) or "no reason given")

        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self.app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - an app without a lifespan raises whatever it likes
            logs.line("debug", "the app has no lifespan", error=str(error))
        if not started.done():
            started.set_result(None)
        self._stopped.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        home = asyncio.get_running_loop()

        async def far_receive() -> Message:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_coroutine(receive), home))

        async def far_send(message: Message) -> None:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_coroutine(send, message), home))

        work = self.app({**scope, "state": dict(self._state)}, far_receive, far_send)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_awaited(work), self.loop))


async def _coroutine(function: Any, *arguments: Any) -> Any:
    return await function(*arguments)


async def _awaited(work: Any) -> None:
    await work
