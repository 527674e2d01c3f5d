"""Wire: the JSON that callers send and get, in two dialects: contract v1 (`/invocations`, `/ws`) and the Studio's."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from fargateer_runtime import logs
from fargateer_runtime.calls import Answer, Call, Delta, Finished, Input, Tool, Value
from fargateer_runtime.entries import text_of
from fargateer_runtime.faults import Refused, bad_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fargateer_runtime.calls import Event

SESSION_HEADERS = ("x-amzn-bedrock-agentcore-runtime-session-id", "x-session-id")
REQUEST_HEADERS = ("x-amzn-bedrock-agentcore-runtime-request-id", "x-request-id")
KEEP_ALIVE = b": keep-alive\n\n"
# What comes from callers and goes into logs, headers and file names.
IDENTIFIER = re.compile(r"[\w.:=@/+-]{1,256}", re.ASCII)


def read_call(body: bytes, headers: Mapping[str, str], *, raw: bool) -> Call:
    """A call from a request. `raw`: any JSON will do, because the user's function takes it as it is.

    Raises `Refused` (400).
    """
    try:
        value = json.loads(body)
    except ValueError as error:
        raise bad_request("the body is not JSON") from error
    return call_of(value, headers, raw=raw)


def call_of(value: Any, headers: Mapping[str, str], *, raw: bool) -> Call:
    if not raw and not isinstance(value, dict):
        raise bad_request("the body must be a JSON object")
    return Call(request_id(headers), session_of(value, headers), read_input(value, raw=raw), headers)


def request_id(headers: Mapping[str, str]) -> str:
    given = next((headers[name] for name in REQUEST_HEADERS if name in headers), "")
    return given if IDENTIFIER.fullmatch(given) else uuid.uuid4().hex


def session_of(value: Any, headers: Mapping[str, str]) -> str | None:
    in_body = value.get("session_id") if isinstance(value, dict) else None
    given = next((headers[name] for name in SESSION_HEADERS if headers.get(name)), in_body)
    if given in (None, ""):
        return None
    if not isinstance(given, str) or not IDENTIFIER.fullmatch(given):
        raise bad_request("the session id must be 1 to 256 letters, digits or . : = @ / + - _")
    return given


def read_input(value: Any, *, raw: bool) -> Input:
    """Understands the documented bodies; what a raw function gets is not judged."""
    if not isinstance(value, dict):
        return Input(value, prompt=value if isinstance(value, str) else None)
    inner = value.get("input")
    fields = {**value, **inner} if isinstance(inner, dict) else value
    prompts = (fields.get("prompt"), fields.get("user_input"), inner, fields.get("input_data"))
    prompt = next((given for given in prompts if isinstance(given, str | list) and given), None)
    messages = fields.get("messages") or None
    if not raw:
        _judge(prompt, messages)
    if value.get("api_keys"):
        logs.line("warning", "api_keys of a request are not used", hint="give them to the task as secrets")
    if isinstance(messages, list) and not raw:
        messages = [_message(message) for message in messages]
    return Input(value, prompt, messages if isinstance(messages, list) else None)


def _judge(prompt: Any, messages: Any) -> None:
    if isinstance(prompt, list) and not all(isinstance(block, dict) for block in prompt):
        raise bad_request("a prompt that is a list must hold content blocks")
    if messages is None and prompt is None:
        raise bad_request('the body has no prompt: send {"prompt": "..."} or {"messages": [...]}')
    if messages is not None and not (isinstance(messages, list) and all(isinstance(m, dict) for m in messages)):
        raise bad_request("messages must be a list of objects")


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """Content may be a plain text, as other APIs have it."""
    role, content = message.get("role"), message.get("content")
    if role not in ("user", "assistant") or not isinstance(content, str | list):
        raise bad_request("a message needs a role (user, assistant) and content")
    return {"role": role, "content": [{"text": content}] if isinstance(content, str) else content}


def wants_stream(call: Call) -> bool:
    if "text/event-stream" in call.headers.get("accept", ""):
        return True
    return isinstance(call.given.body, dict) and call.given.body.get("stream") is True


class Dialect(Protocol):
    """How answers and events look to one kind of client."""

    def answer(self, call: Call, answer: Answer) -> Any: ...

    def events(self, call: Call, event: Event) -> Iterator[Any]: ...

    def error(self, call_id: str, refused: Refused) -> dict[str, Any]: ...


class Contract:
    """Contract v1. `typed`: values of the user's functions come as events, too (WebSocket), not as they are."""

    def __init__(self, *, typed: bool = False) -> None:
        self.typed = typed

    def answer(self, call: Call, answer: Answer) -> Any:
        if answer.raw:
            return answer.value
        output = {"text": answer.text, "stop_reason": answer.stop_reason, **answer.extra}
        usage = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
        told = {"output": output, "usage": usage, "request_id": call.request_id}
        return told if call.session_id is None else {**told, "session_id": call.session_id}

    def events(self, call: Call, event: Event) -> Iterator[Any]:
        match event:
            case Delta(text):
                yield {"type": "delta", "text": text}
            case Tool(id=number, name=name, status=status, content=content):
                key = "input" if status == "call" else "output"
                yield {"type": "tool", "id": number, "name": name, "status": status, key: content}
            case Value(value):
                yield {"type": "value", "value": value} if self.typed else value
            case Finished(refused=Refused() as refused):
                yield {"type": "error", **self.error(call.request_id, refused)}
            case Finished(answer=Answer() as answer):
                yield from self._last(call, answer)

    def _last(self, call: Call, answer: Answer) -> Iterator[Any]:
        if not answer.raw:
            yield {"type": "result", **self.answer(call, answer)}
        elif self.typed:
            yield {"type": "result", "output": answer.value, "request_id": call.request_id}
        elif not answer.extra.get("streamed"):
            yield answer.value

    def error(self, call_id: str, refused: Refused) -> dict[str, Any]:
        return {"error": refused.message, "code": refused.code, "request_id": call_id}


class Studio:
    """What the Studio's client expects. One object an answer: it remembers whether any text was told."""

    def __init__(self) -> None:
        self.told = False

    def answer(self, call: Call, answer: Answer) -> Any:
        told = {"success": True, "response": answer.text, "type": "sync", "request_id": call.request_id}
        return told if call.session_id is None else {**told, "session_id": call.session_id}

    def events(self, call: Call, event: Event) -> Iterator[Any]:
        match event:
            case Delta(text):
                yield self._delta(text)
            case Value(value):
                if told := text_of(value):
                    yield self._delta(told)
            case Finished(refused=Refused() as refused):
                yield {"type": "error", **self.error(call.request_id, refused)}
            case Finished(answer=Answer() as answer):
                if answer.text and not self.told:
                    yield self._delta(answer.text)
                yield {"type": "done"}
            case _:
                return

    def _delta(self, text: str) -> dict[str, Any]:
        self.told = True
        return {"type": "delta", "text": text}

    def error(self, call_id: str, refused: Refused) -> dict[str, Any]:
        # `message` in streams and `detail` in answers are the names that the Studio's client reads.
        told = {"error": refused.message, "message": refused.message, "detail": refused.message}
        return {**told, "code": refused.code, "request_id": call_id}


def sse(value: Any) -> bytes:
    return b"data: " + logs.to_bytes(value) + b"\n\n"
