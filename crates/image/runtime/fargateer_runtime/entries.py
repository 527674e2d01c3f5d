"""Entries: how each kind of symbol answers a call. `serve` runs in the call's thread, without a running loop."""

from __future__ import annotations

import functools
import inspect
import json
import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from fargateer_runtime import logs
from fargateer_runtime.calls import Answer, Call, Value
from fargateer_runtime.faults import LoadFailed, bad_request
from fargateer_runtime.loading import Kind, Loaded, is_agent, parameters_of
from fargateer_runtime.pool import Pool, pristine
from fargateer_runtime.turns import settled, turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fargateer_runtime.sessions import Sessions
    from fargateer_runtime.settings import Settings

FUNCTION_SLOTS = 32  # calls at once where nothing is pooled


class Entry(Protocol):
    """What is served."""

    kind: Kind
    slots: int
    # Who keeps the turns of a session: the runtime or the user's code.
    sessions: str
    # Whether `/invocations` answers with a stream; None: as the caller asks.
    streams: bool | None

    def serve(self, call: Call) -> Answer: ...

    def copies(self) -> int:
        """How many copies of the user's module there are."""

    def model(self) -> str | None:
        """The class of the model that answers, where it can be known before a call."""

    def tools(self) -> list[str]:
        """The names of the tools, where they can be known before a call."""


def entry_of(loaded: Loaded, settings: Settings, sessions: Sessions) -> Entry:
    """The entry for a loaded symbol; an `app` has none, it is mounted.

    Raises `LoadFailed` (StartupFailed) if a factory does not return an agent.
    """
    if loaded.kind == "factory":
        return Factory(loaded, settings, sessions)
    if loaded.kind == "agent":
        return PooledAgent(loaded, settings, sessions)
    if loaded.kind == "main":
        return Main(loaded, settings, sessions)
    return Function(loaded, settings)


def _agent_input(call: Call) -> Any:
    given = call.given
    if given.messages is not None:
        return given.messages
    if given.prompt is None:
        raise bad_request('the body has no prompt: send {"prompt": "..."} or {"messages": [...]}')
    return given.prompt


class _Remembering:
    """One turn of an agent, with the session's snapshot before and after it."""

    def __init__(self, sessions: Sessions) -> None:
        self.store = sessions

    def turn(self, call: Call, agent: Any) -> Answer:
        prompt = _agent_input(call)
        # An agent with a session manager of its own keeps its turns itself; twice would be wrong.
        remembers = hasattr(agent, "load_snapshot") and not getattr(agent, "_session_manager", None)
        if call.session_id is None or not remembers:
            return self._run(call, agent, prompt)
        state, version = self.store.load(call.session_id)
        if state is not None:
            agent.load_snapshot(_snapshot(agent, state))
        answer = self._run(call, agent, prompt)
        if not call.abandoned:
            self.store.save(call.session_id, agent.take_snapshot(preset="session").to_dict(), version)
        return answer

    def _run(self, call: Call, agent: Any, prompt: Any) -> Answer:
        answer: Answer = call.run(turn(call, agent, prompt))
        return answer


def _snapshot(agent: Any, state: dict[str, Any]) -> Any:
    return type(agent.take_snapshot(preset="session")).from_dict(state)


class PooledAgent:
    """`agent = Agent(...)`: a global of the module, so calls use copies of the module."""

    kind: Kind = "agent"
    streams: bool | None = None

    def __init__(self, loaded: Loaded, settings: Settings, sessions: Sessions) -> None:
        self.pool = Pool(loaded, settings.pool_size)
        self.slots = settings.max_concurrency or settings.pool_size
        self.remembering = _Remembering(sessions)
        self.agent = loaded.value
        self.sessions = "runtime" if hasattr(loaded.value, "load_snapshot") else "none"

    def serve(self, call: Call) -> Answer:
        copy = self.pool.take()
        try:
            return self.remembering.turn(call, copy.value)
        finally:
            # The agent got the call's own cancel signal, which leaves nothing behind.
            self.pool.give_back(copy, reusable=True)

    def copies(self) -> int:
        return self.pool.made

    def model(self) -> str | None:
        return _model_of(self.agent)

    def tools(self) -> list[str]:
        return list(getattr(self.agent, "tool_names", []))


class Factory:
    """`create_agent(session_id=None)`: a new agent for every call, which is cheap and isolates best."""

    kind: Kind = "factory"
    streams: bool | None = None

    def __init__(self, loaded: Loaded, settings: Settings, sessions: Sessions) -> None:
        self.create = loaded.value
        self.takes_session = bool(parameters_of(loaded.value))
        self.slots = settings.max_concurrency or FUNCTION_SLOTS
        self.remembering = _Remembering(sessions)
        self.sessions = "runtime"
        # Some factories return the same agent again and again: it is lent to one call at a time, set back before.
        self.seen: weakref.WeakKeyDictionary[Any, tuple[threading.Lock, Any]] = weakref.WeakKeyDictionary()
        self.lock = threading.Lock()
        self.example = self._first(loaded)

    def _first(self, loaded: Loaded) -> Any:
        import asyncio

        try:
            agent = asyncio.run(settled(self._build(None)))
        except BaseException as error:
            detail = f"{loaded.symbol}() failed: {type(error).__name__}: {error}"
            raise LoadFailed("StartupFailed", detail, traceback=logs.trace_of(error)) from error
        if not is_agent(agent):
            detail = f"{loaded.symbol}() returned {type(agent).__name__}, which is not an agent"
            raise LoadFailed("SymbolNotUsable", detail, "return a strands Agent")
        if getattr(agent, "_session_manager", None):
            self.sessions = "agent"
        self._lend(agent)
        return agent

    def _build(self, session_id: str | None) -> Any:
        return self.create(session_id) if self.takes_session else self.create()

    def _lend(self, agent: Any) -> tuple[threading.Lock, Any]:
        with self.lock:
            if agent not in self.seen:
                self.seen[agent] = (threading.Lock(), pristine(agent))
            return self.seen[agent]

    def serve(self, call: Call) -> Answer:
        agent = self._build(call.session_id)
        if inspect.isawaitable(agent):
            agent = call.run(settled(agent))
        lock, snapshot = self._lend(agent)
        with lock:
            if snapshot is not None:
                agent.load_snapshot(snapshot)
            return self.remembering.turn(call, agent)

    def copies(self) -> int:
        return 1

    def model(self) -> str | None:
        return _model_of(self.example)

    def tools(self) -> list[str]:
        return list(getattr(self.example, "tool_names", []))


def _model_of(agent: Any) -> str | None:
    model = getattr(agent, "model", None)
    return type(model).__name__ if model is not None else None


class Context:
    """The second argument of `handler(payload, context)`."""

    def __init__(self, call: Call) -> None:
        self.request_id = call.request_id
        self.session_id = call.session_id
        self.request_headers = dict(call.headers)
        # Set when nobody waits for the answer any more; long work should look at it.
        self.cancelled = call.cancelled


class Function:
    """`invoke(payload)`, `handler(payload, context)` and the entrypoint of a BedrockAgentCoreApp: the user's own JSON."""

    sessions = "user"

    def __init__(self, loaded: Loaded, settings: Settings) -> None:
        self.kind = loaded.kind
        self.slots = settings.max_concurrency or FUNCTION_SLOTS
        agentcore = loaded.kind == "agentcore"
        self.function: Callable[..., Any] = loaded.value.handlers["main"] if agentcore else loaded.value
        self.context: Callable[[Call], Any] = _agentcore_context if agentcore else Context
        # AgentCore does not look at what the caller accepts.
        self.streams = _is_generator(self.function) if agentcore else None
        parameters = parameters_of(self.function)
        # As AgentCore does it: a second parameter called `context` gets one.
        self.takes_context = len(parameters) >= 2 and parameters[1] == "context"

    def serve(self, call: Call) -> Answer:
        # Made for every call: it also sets context variables that user code reads.
        context = self.context(call)
        arguments = (call.given.body, context) if self.takes_context else (call.given.body,)
        value = self.function(*arguments)
        if inspect.isawaitable(value):
            value = call.run(settled(value))
        return _streamed(call, value)

    def copies(self) -> int:
        return 1

    def model(self) -> str | None:
        return None

    def tools(self) -> list[str]:
        return []


def _is_generator(function: Any) -> bool:
    return inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)


def _streamed(call: Call, value: Any) -> Answer:
    """The answer of a function: a generator's values are told one by one, and are the answer together."""
    if inspect.isasyncgen(value):
        values = call.run(_tell_all(call, value))
    elif inspect.isgenerator(value):
        values = []
        for item in value:
            if call.cancelled.is_set():
                break
            call.emit(Value(item))
            values.append(item)
    else:
        return Answer(text=_as_text(value), value=value, raw=True)
    text = "".join(piece for piece in map(text_of, values) if piece)
    return Answer(text=text, value=values, raw=True, extra={"streamed": True})


async def _tell_all(call: Call, values: AsyncIterator[Any]) -> list[Any]:
    told = []
    async for item in values:
        call.emit(Value(item))
        told.append(item)
    return told


def text_of(value: Any) -> str | None:
    """The text in something that a function yielded: a string, or an event that carries one."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return next((value[key] for key in ("data", "text") if isinstance(value.get(key), str)), None)
    return None


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else logs.to_json(value)


def _agentcore_context(call: Call) -> Any:
    """What AgentCore hands to an entrypoint, and what code below it reads from `BedrockAgentCoreContext`."""
    from bedrock_agentcore.runtime.context import BedrockAgentCoreContext, RequestContext

    BedrockAgentCoreContext.set_request_context(call.request_id, call.session_id)
    headers = dict(call.headers)
    BedrockAgentCoreContext.set_request_headers(headers)
    if token := headers.get("workloadaccesstoken"):
        BedrockAgentCoreContext.set_workload_access_token(token)
    return RequestContext(session_id=call.session_id, request_headers=headers, request=None)


class Main:
    """`main(user_input_arg, messages_arg)`: what the Studio generates. It prints its answer, returns it, or both.

    Its agents are usually globals of the module, so calls use copies of it. The turns of a session are kept as messages and handed
    over as `messages_arg`, which is how this form takes a conversation.
    """

    kind: Kind = "main"
    sessions = "runtime"
    streams: bool | None = None

    def __init__(self, loaded: Loaded, settings: Settings, sessions: Sessions) -> None:
        self.pool = Pool(loaded, settings.pool_size)
        self.slots = settings.max_concurrency or (FUNCTION_SLOTS if self.pool.shared else settings.pool_size)
        self.store = sessions

    def serve(self, call: Call) -> Answer:
        if call.session_id is None:
            return self._run(call, call.given.messages)
        state, version = self.store.load(call.session_id)
        kept = (state or {}).get("messages", [])
        messages = [*kept, *(call.given.messages or [{"role": "user", "content": [{"text": call.given.text}]}])]
        answer = self._run(call, messages if kept or call.given.messages else None)
        if not call.abandoned:
            said = {"role": "assistant", "content": [{"text": answer.text}]}
            self.store.save(call.session_id, {"messages": [*messages, said]}, version)
        return answer

    def _run(self, call: Call, messages: list[Any] | None) -> Answer:
        call.printed = []
        copy = self.pool.take()
        try:
            main = functools.partial(copy.value, user_input_arg=call.given.text or None)
            value = main(messages_arg=json.dumps(messages) if messages else None)
            if inspect.isawaitable(value):
                value = call.run(settled(value))
            elif inspect.isasyncgen(value) or inspect.isgenerator(value):
                value = _streamed(call, value).text
        finally:
            self.pool.give_back(copy, reusable=not call.cancelled.is_set())
        printed = "".join(call.printed).strip()
        return Answer(text=_as_text(value).strip() or printed)

    def copies(self) -> int:
        return self.pool.made

    def model(self) -> str | None:
        return next((_model_of(agent) for agent, _ in self.pool.first.pristine), None)

    def tools(self) -> list[str]:
        return [name for agent, _ in self.pool.first.pristine for name in getattr(agent, "tool_names", [])]
