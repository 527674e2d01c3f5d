"""A call: one invocation of the agent, in a thread and an event loop of its own.

User code may block, spin or start loops as it likes: it never runs on the HTTP loop, so health answers stay quick. What it tells
while it works goes to the HTTP loop as events; the last event is always `Finished`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fargateer_runtime import logs
from fargateer_runtime.faults import Refused, agent_failed, draining

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping


@dataclass(frozen=True)
class Delta:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True)
class Tool:
    """A tool was asked (`status` is `call`) or has answered (`success`, `error`)."""

    id: str
    name: str
    status: str
    content: Any


@dataclass(frozen=True)
class Value:
    """What a function of the user yielded, told as it is."""

    value: Any


@dataclass
class Answer:
    """What the agent answered. `raw` answers are the user's own JSON, told as they are."""

    text: str
    value: Any = None
    raw: bool = False
    stop_reason: str = "end_turn"
    extra: dict[str, Any] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Finished:
    answer: Answer | None = None
    refused: Refused | None = None


Event = Delta | Tool | Value | Finished


@dataclass(frozen=True)
class Input:
    """What the caller sent. `body` is the JSON as it came; `prompt` and `messages` are what was understood of it."""

    body: Any
    prompt: str | list[Any] | None = None
    messages: list[Any] | None = None

    @property
    def text(self) -> str:
        """The prompt as text: of content blocks and messages, the last text."""
        if isinstance(self.prompt, str):
            return self.prompt
        blocks = self.prompt if self.prompt is not None else (self.messages or [{}])[-1].get("content", [])
        return " ".join(block["text"] for block in blocks if isinstance(block, dict) and "text" in block)


class Call:
    """Made on the HTTP loop; `start` begins the thread. Implements `logs.Speaker` for what is printed meanwhile."""

    def __init__(self, request_id: str, session_id: str | None, given: Input, headers: Mapping[str, str]) -> None:
        self.request_id = request_id
        self.session_id = session_id
        self.given = given
        self.headers = headers
        # Set once nobody wants the answer as it was asked for: the deadline, a caller who left, the end of the task.
        self.cancelled = threading.Event()
        # The caller has been told something else, or has gone: the turn must not be saved.
        self.abandoned = False
        self.finished = False
        self.seconds = 0.0
        # How it ended for its caller: `ok`, the code of an error, or `cancelled` if the caller left.
        self.outcome = "cancelled"
        self.printed: list[str] | None = None
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._home = asyncio.get_running_loop()
        self._runner: asyncio.Runner | None = None
        self._task: asyncio.Task[Any] | None = None
        self._gentle = False

    # In the HTTP loop

    def start(self, serve: Callable[[Call], Answer], ended: Callable[[Call], None]) -> None:
        """Runs `serve` in a thread. `ended` is called on the HTTP loop when the thread has nothing more to do."""
        context = contextvars.copy_context()
        # A daemon, so that user code that never ends cannot keep the process from ending.
        threading.Thread(target=context.run, args=(self._work, serve, ended), name=f"call-{self.request_id}", daemon=True).start()

    async def events(self, deadline: float, keepalive: float) -> AsyncIterator[Event | None]:
        """The events up to `Finished`; None where nothing happened for `keepalive` seconds.

        Raises TimeoutError at `deadline` (loop time).
        """
        while True:
            left = deadline - self._home.time()
            if left <= 0:
                raise TimeoutError
            try:
                event = await asyncio.wait_for(self._events.get(), min(left, keepalive))
            except TimeoutError:
                if left > keepalive:
                    yield None
                continue
            yield event
            if isinstance(event, Finished):
                return

    def cancel(self) -> None:
        """Asks the work to end soon. An agent ends by itself, with what it has; other code is interrupted at an await."""
        self.cancelled.set()
        if not self._gentle:
            self.interrupt()

    def interrupt(self) -> None:
        task = self._task
        if task is not None:
            # RuntimeError: that loop has ended in this very moment, which is what was wanted.
            with contextlib.suppress(RuntimeError):
                task.get_loop().call_soon_threadsafe(task.cancel)

    def give_up(self) -> None:
        """Ends the caller's wait although the thread goes on."""
        self.abandoned = True
        self._events.put_nowait(Finished(refused=draining()))

    # In the call's thread

    def emit(self, event: Event) -> None:
        self._post(self._events.put_nowait, event)

    def heard(self, text: str) -> bool:
        if self.printed is None:
            return False
        self.printed.append(text)
        if text:
            self.emit(Delta(text))
        return True

    def gently(self) -> None:
        """From here on the work watches `cancelled` itself."""
        self._gentle = True

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine on the call's own loop."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(self._watched(work))

    async def _watched(self, work: Coroutine[Any, Any, Any]) -> Any:
        self._task = asyncio.current_task()
        try:
            if self.cancelled.is_set() and not self._gentle:
                work.close()
                raise asyncio.CancelledError
            return await work
        finally:
            self._task = None

    def _work(self, serve: Callable[[Call], Answer], ended: Callable[[Call], None]) -> None:
        started = time.monotonic()
        logs.speaker.set(self)
        try:
            finished = Finished(answer=serve(self))
        except Refused as refused:
            finished = Finished(refused=refused)
        except BaseException as error:  # noqa: BLE001 - SystemExit of user code must not be silent either
            finished = Finished(refused=self._failed(error))
        finally:
            self._close_loop()
            logs.finish_prints(self)
        self.seconds = time.monotonic() - started
        self._post(self._end, finished, ended)

    def _failed(self, error: BaseException) -> Refused:
        if self.cancelled.is_set() and isinstance(error, asyncio.CancelledError):
            return draining()
        logs.line("error", "the agent failed", error=str(error), traceback=logs.trace_of(error))
        return agent_failed(error)

    def _close_loop(self) -> None:
        if self._runner is not None:
            try:
                self._runner.close()
            except Exception as error:  # noqa: BLE001 - what user code left in its loop cannot be our caller's fault
                logs.line("warning", "the loop of a call did not close", error=str(error))

    def _end(self, finished: Finished, ended: Callable[[Call], None]) -> None:
        self.finished = True
        self._events.put_nowait(finished)
        ended(self)

    def _post(self, act: Callable[..., None], *arguments: Any) -> None:
        # RuntimeError: the HTTP loop has ended; nobody is there to be told.
        with contextlib.suppress(RuntimeError):
            self._home.call_soon_threadsafe(act, *arguments)
