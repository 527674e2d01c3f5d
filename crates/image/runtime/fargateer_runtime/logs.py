"""Logs: one JSON object a line on standard output.

What user code prints becomes log lines, too, with the request it was printed for. `sys.stdout` is replaced once, at the start, and
never per request: a write finds its request through a context variable, so parallel callers cannot get each other's text.
"""

from __future__ import annotations

import contextvars
import io
import json
import logging
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fargateer_runtime.settings import Settings

LONGEST_LINE = 64 * 1024  # characters; CloudWatch takes 256 KB an event


class Speaker(Protocol):
    """Whoever is being served while a line is written: a call."""

    request_id: str
    session_id: str | None

    def heard(self, text: str) -> bool:
        """Takes a printed text; False if it is not part of an answer and belongs into the log."""


speaker: contextvars.ContextVar[Speaker | None] = contextvars.ContextVar("fargateer_speaker", default=None)

_write_lock = threading.Lock()
_constant: dict[str, str] = {}
_out: TextIO = sys.stdout


def to_json(value: object) -> str:
    """JSON of anything: what JSON cannot express is told as text rather than fail an answer or a log line."""
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        # Keys that are no text, or an object that holds itself.
        return json.dumps(str(value), ensure_ascii=False)


def to_bytes(value: object) -> bytes:
    """The JSON as UTF-8; half a character (a lone surrogate) becomes a question mark."""
    return to_json(value).encode("utf-8", errors="replace")


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    for method in ("model_dump", "to_dict"):
        if callable(make := getattr(value, method, None)):
            return make()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)


def line(level: str, message: str, **fields: Any) -> None:
    """Writes one line. Fields that are None are left out."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    entry: dict[str, Any] = {"time": stamp, "level": level, "message": message[:LONGEST_LINE], **_constant}
    served = speaker.get()
    if served is not None:
        entry["request_id"] = served.request_id
        entry["session_id"] = served.session_id
    entry.update(fields)
    text = to_json({key: value for key, value in entry.items() if value is not None}) + "\n"
    with _write_lock:
        try:
            _out.write(text)
            _out.flush()
        except (OSError, ValueError):
            # The reader of our output has gone; an agent does not stop serving for that.
            return


def set_up(settings: Settings) -> None:
    """Turns logging, warnings, prints and uncaught exceptions into JSON lines. Call it once, before user code."""
    _constant.update(
        {key: value for key, value in (("agent", settings.agent_name), ("revision", settings.agent_revision)) if value}
    )
    if isinstance(_out, io.TextIOWrapper):
        # Whatever the locale of the image is.
        _out.reconfigure(encoding="utf-8", errors="replace")
    logging.basicConfig(level=settings.log_level.upper(), handlers=[_Json()], force=True)
    logging.captureWarnings(capture=True)
    for noisy in (
        "botocore",
        "urllib3",
        "httpx",
        "httpcore",
        "opentelemetry",
        "mcp",
        "strands.telemetry",
        "strands.telemetry",
        "asyncio",
        "uvicorn",
        "websockets",
    ):
        # Their INFO tells every request and their DEBUG whole bodies, secrets included.
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
    sys.stdout = Printed("stdout")
    sys.stderr = Printed("stderr")
    threading.excepthook = _uncaught_in_thread


def trace_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit or args.exc_value is None:
        return
    line("error", "a thread failed", thread=args.thread.name if args.thread else None, traceback=trace_of(args.exc_value))


class _Json(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            error = record.exc_info[1] if record.exc_info else None
            trace = trace_of(error) if error else None
            line(record.levelname.lower(), record.getMessage(), logger=record.name, traceback=trace)
        except Exception:  # noqa: BLE001 - a wrong format string of user code must not fail its request
            line("error", "a log record cannot be formatted", logger=record.name)


class Printed(io.TextIOBase):
    """What stands in for `sys.stdout` and `sys.stderr`: whole lines, each with its request."""

    def __init__(self, stream: str) -> None:
        super().__init__()
        self.stream = stream
        self.original: TextIO = sys.__stdout__ if stream == "stdout" else sys.__stderr__  # type: ignore[assignment]
        # Unfinished lines by who writes them: a call, or else a thread.
        self.unfinished: dict[object, str] = {}
        self.lock = threading.Lock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def buffer(self) -> Any:
        # Libraries that write bytes mean the real stream.
        return self.original.buffer

    def fileno(self) -> int:
        return self.original.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        served = speaker.get()
        if served is not None and self.stream == "stdout" and served.heard(text):
            return len(text)
        key: object = served if served is not None else threading.get_ident()
        with self.lock:
            whole = self.unfinished.pop(key, "") + text
            *lines, rest = whole.split("\n")
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest], ""
            if rest:
                self.unfinished[key] = rest
        self._tell(lines)
        return len(text)

    def finish(self, key: object) -> None:
        """Tells what a call printed without a last line end."""
        with self.lock:
            rest = self.unfinished.pop(key, "")
        self._tell([rest])

    def _tell(self, lines: Iterable[str]) -> None:
        for printed in lines:
            if printed.strip():
                line("info", printed.rstrip("\r"), stream=self.stream)


def finish_prints(key: object) -> None:
    """Ends the unfinished lines of a call on both streams."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Printed):
            stream.finish(key)
