"""Program: the verbs of `agent_server.py`, and the life of a serving process in the main thread."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

from fargateer_runtime import CONTRACT_VERSION, RUNTIME_VERSION, logs
from fargateer_runtime.faults import EXIT_CANNOT_LISTEN, EXIT_CANNOT_LOAD, EXIT_OK, EXIT_USAGE, LoadFailed
from fargateer_runtime.settings import Settings, from_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from fargateer_runtime.entries import Entry
    from fargateer_runtime.loading import Loaded
    from fargateer_runtime.server import Server
    from fargateer_runtime.sessions import Sessions

USAGE = "usage: agent_server.py [serve | healthcheck | check | version]"


def main(arguments: Sequence[str]) -> int:
    verb = arguments[0] if arguments else "serve"
    if len(arguments) > 1 or verb not in ("serve", "healthcheck", "check", "version"):
        sys.stderr.write(USAGE + "\n")
        return EXIT_USAGE
    if verb == "version":
        sys.stdout.write(f"fargateer-runtime {RUNTIME_VERSION} contract {CONTRACT_VERSION}\n")
        return EXIT_OK
    if verb == "healthcheck":
        from fargateer_runtime import health

        return health.check(os.environ)
    signals = Signals() if verb == "serve" else None
    try:
        settings = from_environment(os.environ)
        logs.set_up(settings)
        if signals is None:
            return check(settings)
        return serve(settings, signals)
    except LoadFailed as failed:
        _tell(failed)
        leave(EXIT_CANNOT_LOAD)


def _tell(failed: LoadFailed) -> None:
    logs.line(
        "error", "cannot load the agent", event="agent_load_failed", reason=failed.reason, detail=failed.detail,
        hint=failed.hint or None, traceback=failed.traceback or None, exit_code=EXIT_CANNOT_LOAD,
    )  # fmt: skip


def leave(code: int) -> NoReturn:
    """Ends the process now: threads of user code that never end must not hold it."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):
                continue
    os._exit(code)


class Signals:
    """SIGTERM and SIGINT, from the first moment on: Python as process 1 would ignore SIGTERM.

    The signal's number comes through a pipe to a thread. So it is seen while the main thread is in C code, and what is done about
    it may take locks.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.server: Server | None = None
        self.started = time.monotonic()
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self.install()
        threading.Thread(target=self._watch, name="signals", daemon=True).start()

    def install(self) -> None:
        """Also after user code was imported, which may have set handlers of its own."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _nothing)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def _watch(self) -> None:
        while True:
            number = os.read(self._read, 1)[0]
            if number not in (signal.SIGTERM, signal.SIGINT):
                continue
            if self.server is None:
                logs.line("info", "stopped while starting", event="agent_stopped", signal=signal.Signals(number).name)
                leave(EXIT_OK)
            if self.asked.is_set():
                self.server.hurry()
            self.asked.set()


def _nothing(_number: int, _frame: Any) -> None:
    return None


def serve(settings: Settings, signals: Signals) -> int:
    """Serves until a signal asks to stop. Does not return to user code: the process ends here."""
    server = _listen(settings)
    loaded, entry, sessions = _load(settings)
    mounted, ping_status = _mounted(loaded)
    signals.install()
    signals.server = server
    server.open(entry, mounted, ping_status)
    if entry is not None:
        server.metrics.gauge("fargateer_agent_sessions", "Sessions in this process's memory.", sessions.store.count)
    about = _about(loaded, entry, settings)
    seconds = round(time.monotonic() - signals.started, 3)
    logs.line("info", "ready", event="agent_ready", seconds=seconds, host=settings.host, port=settings.port, **about)
    signals.asked.wait()
    logs.line("info", "draining", event="agent_draining", in_flight=len(server.lifecycle.in_flight))
    left = server.drain()
    if mounted is not None:
        mounted.stop()
    logs.line("info", "drained", event="agent_drained", left=left, exit_code=EXIT_OK)
    if server.admission.running == 0:
        # Nothing is left that could hold us: exit handlers of user code run (telemetry is sent).
        return EXIT_OK
    leave(EXIT_OK)


def _http() -> ModuleType:
    """Our server's module, which needs libraries. Raises `LoadFailed` (MissingDependency)."""
    try:
        from fargateer_runtime import server
    except ModuleNotFoundError as error:
        hint = "add starlette, uvicorn and websockets to requirements.txt"
        raise LoadFailed("MissingDependency", f"the runtime needs the package {error.name}", hint) from error
    if not server.has_websockets():
        logs.line("warning", "there is no /ws", hint="add websockets to requirements.txt")
    return server


def _listen(settings: Settings) -> Server:
    try:
        server: Server = _http().Server(settings)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        logs.line(
            "error", "cannot listen", event="agent_cannot_listen", address=where, detail=str(error), exit_code=EXIT_CANNOT_LISTEN
        )  # fmt: skip
        leave(EXIT_CANNOT_LISTEN)
    return server


def _load(settings: Settings) -> tuple[Loaded, Entry | None, Sessions]:
    from fargateer_runtime import loading
    from fargateer_runtime.entries import entry_of
    from fargateer_runtime.sessions import open_store

    if settings.model == "offline":
        _go_offline(settings)
    sessions = open_store(settings)
    loaded = loading.load(settings.entrypoint)
    return loaded, None if loaded.kind == "app" else entry_of(loaded, settings, sessions), sessions


def _go_offline(settings: Settings) -> None:
    try:
        from fargateer_runtime import offline
    except ModuleNotFoundError as error:
        logs.line("warning", "no offline model: strands-agents is not installed", missing=error.name)
    else:
        offline.install(settings.offline_word_delay)


def _mounted(loaded: Loaded) -> tuple[Any, Any]:
    """The app to mount, started; and who knows AgentCore's ping status."""
    if loaded.kind == "agentcore":
        has_websocket = getattr(loaded.value, "_websocket_handler", None) is not None
        status = loaded.value.get_current_ping_status
    else:
        has_websocket, status = False, None
    if loaded.kind != "app" and not has_websocket:
        return None, status
    from fargateer_runtime.mounted import Mounted

    mounted = Mounted(loaded.value)
    mounted.start()
    return mounted, status


def _about(loaded: Loaded, entry: Entry | None, settings: Settings) -> dict[str, Any]:
    about: dict[str, Any] = {
        "kind": loaded.kind, "module": loaded.module.__name__, "symbol": loaded.symbol,
        "runtime": RUNTIME_VERSION, "contract": CONTRACT_VERSION, "offline": settings.model == "offline",
    }  # fmt: skip
    if entry is None:
        return {**about, "sessions": "user"}
    known = {"concurrency": entry.slots, "model": entry.model(), "tools": entry.tools() or None}
    return {**about, "sessions": entry.sessions, **known}


def check(settings: Settings) -> int:
    """Loads the agent as `serve` would, and tells about it in one line."""
    _http()
    loaded, entry, _ = _load(settings)
    about = _about(loaded, entry, settings)
    logs.line("info", "the agent can be served", event="agent_check", file=loaded.module.__file__, **about)
    # Threads that the import started must not hold us.
    leave(EXIT_OK)
