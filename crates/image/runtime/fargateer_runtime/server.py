"""Server: the HTTP loop in a thread of its own. User code is imported by the main thread meanwhile, and never runs here."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import uvicorn

from fargateer_runtime.admission import Admission
from fargateer_runtime.lifecycle import Lifecycle
from fargateer_runtime.metrics import Metrics
from fargateer_runtime.service import Service
from fargateer_runtime.web import Gate, Web

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fargateer_runtime.entries import Entry
    from fargateer_runtime.settings import Settings

BACKLOG = 2048
# A load balancer keeps idle connections for 60 s; ours must live longer, else it sends into closed ones (502).
KEEP_CONNECTIONS = 75  # seconds
APP_SLOTS = 32
# Python hands its lock over every 5 ms when threads compute; an answer needs it several times, behind each of them.
SWITCH_INTERVAL = 0.001  # seconds


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours: uvicorn would stop listening before the load balancer knows."""
        yield


class Server:
    """Listens from the moment it is made; `open` lets calls in."""

    def __init__(self, settings: Settings) -> None:
        """Raises OSError if the address cannot be had."""
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        self.socket = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
        self.settings = settings
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._thread.start()
        self._up.wait()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.metrics = Metrics()
        self.lifecycle = Lifecycle()
        self.admission = Admission(APP_SLOTS, self.settings.max_queue)
        self.web = Web(Service(self.settings, self.lifecycle, self.admission, self.metrics))
        self.uvicorn = _Uvicorn(
            uvicorn.Config(
                self.web,
                log_config=None,
                access_log=False,
                lifespan="off",
                loop="asyncio",
                server_header=False,
                timeout_keep_alive=KEEP_CONNECTIONS,
                timeout_graceful_shutdown=1,
                ws="auto" if has_websockets() else "none",
                ws_max_size=self.settings.max_body_bytes,
            )
        )
        self._up.set()
        await self.uvicorn.serve(sockets=[self.socket])

    def open(self, entry: Entry | None, mounted: Any, ping_status: Any) -> None:
        """Lets calls in. `mounted` is the user's own app, or one that has a WebSocket handler of its own."""

        def open_now() -> None:
            self.admission.slots = entry.slots if entry else self.settings.max_concurrency or APP_SLOTS
            self.web.entry = entry
            self.web.mounted = Gate(self.web, mounted) if mounted is not None else None
            self.web.ping_status = ping_status
            self._gauges(entry)
            self.lifecycle.state = "ready"
            opened.set()

        opened = threading.Event()
        self.loop.call_soon_threadsafe(open_now)
        opened.wait()

    def _gauges(self, entry: Entry | None) -> None:
        gauge = self.metrics.gauge
        gauge("fargateer_agent_running_calls", "Calls that hold a slot.", lambda: self.admission.running)
        gauge("fargateer_agent_slots", "Calls that may run at once.", lambda: self.admission.slots)
        gauge("fargateer_agent_waiting_calls", "Calls that wait for a slot or a turn.", lambda: self.admission.waiting)
        gauge("fargateer_agent_abandoned_calls", "Calls whose caller has gone.", lambda: self.admission.abandoned)
        gauge("fargateer_agent_in_flight", "Requests without their whole answer.", lambda: len(self.lifecycle.in_flight))
        if entry is not None:
            gauge("fargateer_agent_pool_copies", "Copies of the agent's module.", entry.copies)

    def drain(self) -> int:
        """Ends what is in flight within the grace period, and the server. Returns how many calls had to be left."""
        work = self.lifecycle.drain(self.settings.shutdown_grace, self.admission.close)
        left = asyncio.run_coroutine_threadsafe(work, self.loop).result()
        self.uvicorn.should_exit = True
        self._thread.join(self.settings.shutdown_grace * 0.05)
        return left

    def hurry(self) -> None:
        """Somebody asked a second time: the next step of the drain comes at once."""
        self.loop.call_soon_threadsafe(self.lifecycle.hurry.set)


def has_websockets() -> bool:
    return any(importlib.util.find_spec(name) is not None for name in ("websockets", "wsproto"))
