"""Turns: drives one turn of an agent of strands and tells what happens as our events."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from fargateer_runtime.calls import Answer, Call, Delta, Tool
from fargateer_runtime.loading import parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterator


async def turn(call: Call, agent: Any, prompt: Any) -> Answer:
    """One turn. Ends early, with what there is, when the call is cancelled (`stop_reason` "cancelled")."""
    _quieten(agent)
    before = _usage(agent)
    state = {"session_id": call.session_id, "request_id": call.request_id}
    if not callable(getattr(agent, "stream_async", None)):
        return _answer(agent, await agent.invoke_async(prompt), before)
    extra: dict[str, Any] = {}
    parameters = parameters_of(agent.stream_async)
    if "invocation_state" in parameters:
        extra["invocation_state"] = state
    if "cancel_signal" in parameters:
        extra["cancel_signal"] = call.cancelled
        call.gently()
    result = None
    names: dict[str, str] = {}
    async for event in agent.stream_async(prompt, **extra):
        if not isinstance(event, dict):
            continue
        # What a graph's or swarm's node says is wrapped.
        inner = event.get("event") if event.get("type") == "multiagent_node_stream" else event
        if not isinstance(inner, dict):
            continue
        if isinstance(text := inner.get("data"), str) and text:
            call.emit(Delta(text))
        for tool in _tools(inner.get("message"), names):
            call.emit(tool)
        result = event.get("result", result)
    return _answer(agent, result, before)


def _quieten(agent: Any) -> None:
    """The default handler prints every token: the answers would fill the log, in pieces."""
    handler = getattr(agent, "callback_handler", None)
    if type(handler).__name__ == "PrintingCallbackHandler":
        agent.callback_handler = _ignore


def _ignore(**_: Any) -> None:
    return None


def _tools(message: Any, names: dict[str, str]) -> Iterator[Tool]:
    """The tool calls and results of a whole message; strands tells each message once, when it is complete."""
    for block in message.get("content", []) if isinstance(message, dict) else []:
        if use := block.get("toolUse"):
            names[use["toolUseId"]] = use["name"]
            yield Tool(use["toolUseId"], use["name"], "call", use.get("input"))
        elif result := block.get("toolResult"):
            number = result["toolUseId"]
            yield Tool(number, names.get(number, ""), result.get("status", "success"), result.get("content"))


def _usage(agent: Any) -> tuple[int, int]:
    """Tokens so far. They grow over the calls of one agent, so a call's own are a difference."""
    metrics = getattr(agent, "event_loop_metrics", None)
    usage = getattr(metrics, "accumulated_usage", None) or {}
    return usage.get("inputTokens", 0), usage.get("outputTokens", 0)


def _answer(agent: Any, result: Any, before: tuple[int, int]) -> Answer:
    after = _usage(agent)
    if after == (0, 0):
        # Graphs and swarms tell it with the result, for that call alone.
        usage = getattr(result, "accumulated_usage", None) or {}
        after, before = (usage.get("inputTokens", 0), usage.get("outputTokens", 0)), (0, 0)
    message = getattr(result, "message", None)
    answer = Answer(
        text=_text(result).strip(),
        stop_reason=str(getattr(result, "stop_reason", "end_turn")),
        input_tokens=max(0, after[0] - before[0]),
        output_tokens=max(0, after[1] - before[1]),
    )
    if isinstance(message, dict):
        answer.extra["message"] = {key: message[key] for key in ("role", "content") if key in message}
    if structured := getattr(result, "structured_output", None):
        answer.extra["structured_output"] = structured
    if interrupts := getattr(result, "interrupts", None):
        answer.extra["interrupts"] = list(interrupts)
    return answer


def _text(result: Any) -> str:
    """The answer as text. Of several nodes, the last one's: the others' were on the way."""
    nodes = getattr(result, "results", None)
    if isinstance(nodes, dict) and nodes:
        return _text(getattr(list(nodes.values())[-1], "result", ""))
    return "" if result is None else str(result)


async def settled(value: Any) -> Any:
    """The value, waited for if it has to be."""
    return await value if inspect.isawaitable(value) else value
