"""Web: the endpoints of contract v1."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from fargateer_runtime import CONTRACT_VERSION, RUNTIME_VERSION, logs, metrics, wire
from fargateer_runtime.calls import Finished
from fargateer_runtime.faults import Refused, draining

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from starlette.requests import Request
    from starlette.types import Message, Receive, Scope, Send
    from starlette.websockets import WebSocket

    from fargateer_runtime.calls import Call, Event
    from fargateer_runtime.entries import Entry
    from fargateer_runtime.service import Service

STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
# WebSocket close codes.
RESTARTING = 1012
POLICY = 1008
# For how long a client may go on sending a body that was refused.
LINGER_SECONDS = 5.0
OWN_PATHS = ("/health", "/ping", "/metrics")


_HTTP_ERRORS = {
    404: ("not_found", "there is no such endpoint"),
    405: ("method_not_allowed", "the endpoint does not take this method"),
}


class JsonAnswer(JSONResponse):
    """JSON that never fails: what it cannot express is told as text."""

    def render(self, content: Any) -> bytes:
        return logs.to_bytes(content)


class Web:
    """The endpoints. Until `open` is called, they say that the task is starting."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.entry: Entry | None = None
        # The user's own ASGI app, or the WebSocket handler of one.
        self.mounted: Any = None
        self.own_websocket = True
        self.ping_status: Callable[[], Any] | None = None
        self.changed = time.time()
        self.busy = False
        self.starlette = Starlette(
            routes=[
                Route("/health", self.health, methods=["GET"]),
                Route("/ping", self.ping, methods=["GET"]),
                Route("/metrics", self.metrics, methods=["GET"]),
                Route("/", self.root, methods=["GET"]),
                Route("/invocations", Invocation(self, "/invocations"), methods=["POST"]),
                Route("/invoke", Invocation(self, "/invoke"), methods=["POST"]),
                Route("/invoke-stream", Invocation(self, "/invoke-stream"), methods=["POST"]),
                Route("/ws", _no_websocket, methods=["GET"]),
                WebSocketRoute("/ws", self.websocket),
            ],
            exception_handlers={HTTPException: _http_error, Refused: _refused_error},  # type: ignore[dict-item]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if self.mounted is not None and path not in OWN_PATHS and (self.entry is None or path == "/ws"):
            await self.mounted(scope, receive, send)
        else:
            await self.starlette(scope, receive, send)

    def admit(self) -> None:
        """Raises `Refused` if the task is not there for calls yet, or any more."""
        if self.service.lifecycle.state == "starting":
            raise Refused(503, "starting", "the agent is being loaded", retry_after=2)
        if self.service.lifecycle.state == "draining":
            raise draining()

    async def health(self, _: Request) -> Response:
        state = self.service.lifecycle.state
        if state == "ready" and self.service.admission.stuck(asyncio.get_running_loop().time()):
            # Every slot is held by code that does not end: only a new task will serve again.
            state = "stuck"
        settings = self.service.settings
        about = {"status": state, "agent": settings.agent_name, "revision": settings.agent_revision}
        versions = {"runtime": RUNTIME_VERSION, "contract": CONTRACT_VERSION}
        return JsonAnswer({**about, **versions}, 200 if state == "ready" else 503)

    async def ping(self, _: Request) -> Response:
        """AgentCore's form. `HealthyBusy` while calls run, or when the app says so itself."""
        busy = bool(self.service.lifecycle.in_flight)
        if self.ping_status is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    told = await asyncio.to_thread(self.ping_status)
                    busy = busy or getattr(told, "value", told) == "HealthyBusy"
        if busy != self.busy:
            self.busy, self.changed = busy, time.time()
        status = "HealthyBusy" if busy else "Healthy"
        code = 200 if self.service.lifecycle.state == "ready" else 503
        return JsonAnswer({"status": status, "time_of_last_update": int(self.changed)}, code)

    async def metrics(self, _: Request) -> Response:
        return PlainTextResponse(self.service.metrics.text(), media_type=metrics.CONTENT_TYPE)

    async def root(self, _: Request) -> Response:
        endpoints = ["/health", "/ping", "/metrics", "/invocations", "/invoke", "/invoke-stream", "/ws"]
        about = {"service": "fargateer-runtime", "runtime": RUNTIME_VERSION, "contract": CONTRACT_VERSION}
        return JsonAnswer({**about, "status": self.service.lifecycle.state, "endpoints": endpoints})

    async def websocket(self, websocket: WebSocket) -> None:
        try:
            self.admit()
            conversation = Conversation(self, websocket)
        except Refused as refused:
            await websocket.close(RESTARTING if refused.status == 503 else POLICY, refused.message)
            return
        await websocket.accept()
        with self.service.lifecycle.serving(conversation):
            await conversation.hold()


async def _no_websocket(_: Request) -> Response:
    raise Refused(426, "not_a_websocket", "/ws speaks WebSocket; the task needs the package websockets for it")


async def _http_error(request: Request, error: HTTPException) -> Response:
    code, message = _HTTP_ERRORS.get(error.status_code, ("bad_request", error.detail))
    refused = Refused(error.status_code, code, message, headers=dict(error.headers or {}))
    return refusal(wire.Contract(), wire.request_id(request.headers), refused)


async def _refused_error(request: Request, error: Refused) -> Response:
    return refusal(wire.Contract(), wire.request_id(request.headers), error)


def refusal(dialect: wire.Dialect, request_id: str, refused: Refused) -> Response:
    headers = {"X-Request-Id": request_id, **refused.headers}
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    return JsonAnswer(dialect.error(request_id, refused), refused.status, headers)


class Incoming:
    """The body of a request. Knows whether more of it is to come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.unread = True

    async def __call__(self) -> Message:
        message = await self._receive()
        self.unread = message.get("more_body", False)
        return message

    async def turn_away(self, response: Response, send: Send) -> None:
        """Answers, and hears out for a while who still sends.

        Closing a connection with unread data resets it, and the client would lose the answer (RFC 9112, 9.6).
        """
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": response.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while self.unread:
                    await self()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Invocation:
    """`POST /invocations`, `/invoke` and `/invoke-stream`, as an ASGI app each."""

    def __init__(self, web: Web, path: str) -> None:
        self.web = web
        self.path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        incoming = Incoming(receive)
        dialect = wire.Contract() if self.path == "/invocations" else wire.Studio()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        # One id for the answer and the log, also if the body turns out to be none.
        headers["x-request-id"] = request_id = wire.request_id(headers)
        try:
            self.web.admit()
            entry = self.web.entry
            if entry is None:
                raise Refused(404, "not_found", f"the app has no {self.path}")
            body = await read_body(incoming, headers, self.web.service.settings.max_body_bytes)
            call = wire.read_call(body, headers, raw=entry.kind in ("function", "agentcore"))
            work = self._stream if self._streams(call, entry) else self._answer
            await unless_gone(work(call, entry, dialect, send), incoming)
        except Refused as refused:
            await incoming.turn_away(refusal(dialect, request_id, refused), send)

    def _streams(self, call: Call, entry: Entry) -> bool:
        if self.path != "/invocations":
            return self.path == "/invoke-stream"
        return wire.wants_stream(call) if entry.streams is None else entry.streams

    async def _answer(self, call: Call, entry: Entry, dialect: wire.Dialect, send: Send) -> None:
        async with self.web.service.running(call, entry, self.path) as events:
            finished = await _last(events)
        if finished.refused is not None:
            raise finished.refused
        assert finished.answer is not None  # noqa: S101 - `Finished` has one of the two
        value = finished.answer.value
        if isinstance(value, Response) and self.path == "/invocations":
            response: Response = value
            if not hasattr(response, "body"):
                raise Refused(500, "agent_error", "the entrypoint answered with a stream of its own: it has to yield values")
            response.headers.update(answer_headers(call))
        else:
            response = JsonAnswer(dialect.answer(call, finished.answer), headers=answer_headers(call))
        await _send_whole(response, send)

    async def _stream(self, call: Call, entry: Entry, dialect: wire.Dialect, send: Send) -> None:
        async with self.web.service.running(call, entry, self.path) as events:
            start = Response(headers={**STREAM_HEADERS, **answer_headers(call)}, media_type="text/event-stream")
            del start.headers["content-length"]
            await send({"type": "http.response.start", "status": 200, "headers": start.raw_headers})
            async for event in events:
                chunk = wire.KEEP_ALIVE if event is None else b"".join(map(wire.sse, dialect.events(call, event)))
                if chunk:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _last(events: AsyncIterator[Event | None]) -> Finished:
    async for event in events:
        if isinstance(event, Finished):
            return event
    raise draining()


def answer_headers(call: Call) -> dict[str, str]:
    headers = {"X-Request-Id": call.request_id}
    return headers if call.session_id is None else {**headers, "X-Session-Id": call.session_id}


async def _send_whole(response: Response, send: Send) -> None:
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body})


def too_large(limit: int) -> Refused:
    return Refused(413, "too_large", f"the body is larger than {limit} bytes", headers={"Connection": "close"})


async def read_body(receive: Receive, headers: dict[str, str], limit: int) -> bytes:
    """The whole body. Raises `Refused` (413), early if its length is told."""
    told = headers.get("content-length", "")
    if told.isdecimal() and int(told) > limit:
        raise too_large(limit)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "bad_request", "the body ended early")
        body += message.get("body", b"")
        if len(body) > limit:
            raise too_large(limit)
        if not message.get("more_body"):
            return bytes(body)


async def unless_gone(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Does the work; stops it if the client goes away."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if not task.cancelled():
        task.result()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Conversation:
    """One WebSocket: JSON objects in, the events of each turn out, all in one session."""

    def __init__(self, web: Web, websocket: WebSocket) -> None:
        self.web = web
        self.socket = websocket
        asked = wire.session_of({"session_id": websocket.query_params.get("session_id")}, websocket.headers)
        self.session = asked or uuid.uuid4().hex
        self.incoming: asyncio.Queue[str | None] = asyncio.Queue(maxsize=16)
        self.turn: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """The turn is in flight itself; between turns a conversation ends at once (see `hold`)."""

    def give_up(self) -> None:
        if self.turn is not None:
            self.turn.cancel()

    async def hold(self) -> None:
        reader = asyncio.ensure_future(self._read())
        drained = asyncio.ensure_future(self.web.service.lifecycle.draining.wait())
        try:
            while not drained.done():
                following = asyncio.ensure_future(self.incoming.get())
                await asyncio.wait({following, drained}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done() or (text := following.result()) is None:
                    following.cancel()
                    break
                await self._take(text, reader)
        finally:
            drained.cancel()
            left = reader.done()
            reader.cancel()
            if not left:
                with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                    await self.socket.close(RESTARTING, "the task is stopping")

    async def _read(self) -> None:
        try:
            while True:
                await self.incoming.put(await self.socket.receive_text())
        except (WebSocketDisconnect, KeyError, RuntimeError):
            # KeyError: a binary message, which is not part of the contract.
            with contextlib.suppress(asyncio.QueueFull):
                self.incoming.put_nowait(None)

    async def _take(self, text: str, reader: asyncio.Future[None]) -> None:
        """One turn; stops if the client goes away."""
        self.turn = asyncio.ensure_future(self._turn(text))
        await asyncio.wait({self.turn, reader}, return_when=asyncio.FIRST_COMPLETED)
        if not self.turn.done():
            self.turn.cancel()
            await asyncio.wait({self.turn})
        if not self.turn.cancelled() and (error := self.turn.exception()) is not None:
            logs.line("warning", "a WebSocket turn failed", error=str(error))

    async def _turn(self, text: str) -> None:
        dialect = wire.Contract(typed=True)
        request_id = uuid.uuid4().hex
        entry = self.web.entry
        try:
            if entry is None:
                raise Refused(404, "not_found", "the app has no /ws")
            value = _json_of(text)
            headers = {**dict(self.socket.headers), wire.SESSION_HEADERS[0]: self.session, "x-request-id": request_id}
            call = wire.call_of(value, headers, raw=entry.kind in ("function", "agentcore"))
            async with self.web.service.running(call, entry, "/ws") as events:
                async for event in events:
                    for told in dialect.events(call, event) if event is not None else ():
                        await self.socket.send_text(logs.to_bytes(told).decode())
        except Refused as refused:
            await self.socket.send_text(logs.to_json({"type": "error", **dialect.error(request_id, refused)}))


def _json_of(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Refused(400, "bad_request", "the message is not JSON") from error


class Gate:
    """In front of the user's own app: admission, deadline, body limit, drain."""

    def __init__(self, web: Web, app: Any) -> None:
        self.web = web
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - we run in one
            with self.web.service.lifecycle.serving(Visit(task)), contextlib.suppress(asyncio.CancelledError):
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        incoming = Incoming(receive)
        visitor = Visitor(wire.request_id(headers), incoming, send, self.web.service.settings.max_body_bytes)
        token = logs.speaker.set(visitor)
        started = time.monotonic()
        outcome = "ok"
        try:
            told = headers.get("content-length", "")
            if told.isdecimal() and int(told) > visitor.limit:
                raise too_large(visitor.limit)
            self.web.admit()
            await self._visit(scope, visitor)
        except Refused as refused:
            outcome = refused.code
            if not visitor.answered:
                await incoming.turn_away(refusal(wire.Contract(), visitor.request_id, refused), send)
        finally:
            seconds = time.monotonic() - started
            self.web.service.metrics.finished("app", outcome, seconds)
            logs.line("info", "request", endpoint=scope["path"], outcome=outcome, seconds=round(seconds, 3))
            logs.speaker.reset(token)

    async def _visit(self, scope: Scope, visitor: Visitor) -> None:
        service = self.web.service
        limit = service.settings.invoke_timeout
        task = asyncio.ensure_future(self._served(scope, visitor))
        with service.lifecycle.serving(Visit(task)):
            done, _ = await asyncio.wait({task}, timeout=limit)
            if not done:
                task.cancel()
                raise Refused(504, "timeout", f"the app did not answer within {limit:g} s")
        if visitor.overrun:
            raise too_large(visitor.limit)
        if task.cancelled():
            raise draining()
        error = task.exception()
        if isinstance(error, Refused):
            raise error
        if error is not None:
            logs.line("error", "the app failed", error=str(error), traceback=logs.trace_of(error))
            raise Refused(500, "agent_error", f"the app failed ({type(error).__name__})")

    async def _served(self, scope: Scope, visitor: Visitor) -> None:
        await self.web.service.admission.enter()
        started = time.monotonic()
        try:
            await self.app(scope, visitor.receive, visitor.send)
        finally:
            self.web.service.admission.leave(visitor, time.monotonic() - started)


class Visit:
    """A request to the user's app, for a drain."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task

    def cancel(self) -> None:
        self.task.cancel()

    def give_up(self) -> None:
        self.task.cancel()


class Visitor:
    """One request to the user's app: counts its body, notes its answer, and is the speaker of what is printed meanwhile."""

    session_id: str | None = None

    def __init__(self, request_id: str, receive: Receive, send: Send, limit: int) -> None:
        self.request_id = request_id
        self.limit = limit
        self.answered = False
        self.overrun = False
        self._receive = receive
        self._send = send
        self._read = 0

    def heard(self, text: str) -> bool:  # noqa: ARG002 - what an app prints is never its answer
        return False

    async def receive(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self.limit:
            self.overrun = True
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        if self.overrun and not self.answered:
            # What the app makes of a body that ended early is not the answer; ours follows.
            return
        if message["type"] == "http.response.start":
            self.answered = True
            headers = [*message.get("headers", []), (b"x-request-id", self.request_id.encode())]
            message = {**message, "headers": headers}
        await self._send(message)
