"""The offline model: answers without a network and without credentials, the same for the same conversation.

With AGENT_MODEL=offline every `Agent` that is built gets it, whatever model it asks for. The one seam is `Agent.__init__`, because
all agents go through it: globals, those of factories, and those that functions build while they run. A model that has the attribute
`offline = True` is left alone, so a project can bring a fake of its own.

What it says: `[offline] turn N: TEXT`. It calls a tool when TEXT names one, with the JSON object in TEXT, else with the numbers and
words after the name, and then tells what the tool answered. A forced tool (structured output) gets a valid made-up input.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
from typing import TYPE_CHECKING, Any

from strands import Agent
from strands.models import Model

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from strands.types.content import Messages
    from strands.types.event_loop import Usage
    from strands.types.streaming import StreamEvent
    from strands.types.tools import ToolSpec

CONTEXT_WINDOW = 100_000  # tokens
DEEPEST = 4  # levels of optional fields that are filled


def install(word_delay: float) -> None:
    """From now on every agent is built with the offline model. `word_delay`: seconds between two words."""
    build = Agent.__init__

    @functools.wraps(build)
    def offline_init(self: Agent, model: Any = None, *arguments: Any, **options: Any) -> None:
        if options.get("aux_model") is not None:
            options["aux_model"] = _offline(options["aux_model"], word_delay)
        build(self, _offline(model, word_delay), *arguments, **options)

    Agent.__init__ = offline_init  # type: ignore[method-assign]


def _offline(model: Any, word_delay: float) -> Model:
    if isinstance(model, Model) and getattr(model, "offline", False):
        return model
    return OfflineModel(word_delay)


class OfflineModel(Model):
    """Keeps nothing between calls, so any number of agents may share one."""

    offline = True

    def __init__(self, word_delay: float = 0.0) -> None:
        self.word_delay = word_delay
        self.config: dict[str, Any] = {"model_id": "offline", "context_window_limit": CONTEXT_WINDOW}

    def update_config(self, **model_config: Any) -> None:
        self.config.update(model_config)

    def get_config(self) -> dict[str, Any]:
        return self.config

    async def structured_output(
        self, output_model: type[Any], prompt: Messages, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        del prompt, system_prompt, kwargs
        yield {"output": output_model(**made_up(output_model.model_json_schema()))}

    async def stream(
        self,
        messages: Messages,
        tool_specs: list[ToolSpec] | None = None,
        system_prompt: str | None = None,
        *,
        tool_choice: Any = None,
        cancel_signal: threading.Event | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[StreamEvent]:
        del system_prompt, kwargs
        said = decide(messages, tool_specs or [], tool_choice)
        words = 0
        yield {"messageStart": {"role": "assistant"}}
        if isinstance(said, str):
            yield {"contentBlockStart": {"start": {}}}
            for word in re.findall(r"\S+\s*", said) or [""]:
                if cancel_signal is not None and cancel_signal.is_set():
                    break
                words += 1
                yield {"contentBlockDelta": {"delta": {"text": word}}}
                await asyncio.sleep(self.word_delay)
        else:
            name, given = said
            words = len(given) + 1
            number = f"offline-{sum(len(message['content']) for message in messages)}-{name}"
            yield {"contentBlockStart": {"start": {"toolUse": {"name": name, "toolUseId": number}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(given)}}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn" if isinstance(said, str) else "tool_use"}}
        asked = sum(len(text.split()) for message in messages for text in _texts(message))
        usage: Usage = {"inputTokens": asked, "outputTokens": words, "totalTokens": asked + words}
        yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 0}}}


def decide(messages: Messages, specs: list[ToolSpec], choice: Any) -> str | tuple[str, dict[str, Any]]:
    """What to say: a text, or a tool and its input."""
    last: Any = messages[-1] if messages else {"content": []}
    forced = _forced(specs, choice)
    results = [block["toolResult"] for block in last["content"] if "toolResult" in block]
    # What was made up and refused would be made up and refused again, for ever.
    if forced is not None and not any(result.get("status") == "error" for result in results):
        return forced["name"], made_up(_schema(forced))
    if results:
        return "[offline] " + "; ".join(_told(messages, result) for result in results)
    text = " ".join(_texts(last))
    for spec in specs:
        named = re.search(rf"(?<![\w-]){re.escape(spec['name'])}(?![\w-])", text)
        if named:
            return spec["name"], _arguments(_schema(spec), text[named.end() :])
    turn = sum(1 for message in messages if message["role"] == "user" and any(True for _ in _texts(message)))
    return f"[offline] turn {turn}: {text}"


def _texts(message: Any) -> Iterator[str]:
    for block in message["content"]:
        if "text" in block:
            yield block["text"]


def _forced(specs: list[ToolSpec], choice: Any) -> ToolSpec | None:
    if not isinstance(choice, dict) or not specs or "auto" in choice:
        return None
    wanted = (choice.get("tool") or {}).get("name")
    return next((spec for spec in specs if wanted in (None, spec["name"])), None)


def _schema(spec: ToolSpec) -> dict[str, Any]:
    schema: Any = spec["inputSchema"]
    return dict(schema.get("json", schema))


def _told(messages: Messages, result: Any) -> str:
    number = result["toolUseId"]
    uses = (block["toolUse"] for message in messages for block in message["content"] if "toolUse" in block)
    name = next((use["name"] for use in uses if use["toolUseId"] == number), "the tool")
    shown = " ".join(item["text"] if "text" in item else json.dumps(item.get("json")) for item in result["content"])
    return f"{name} answered: {shown}"


def _arguments(schema: dict[str, Any], text: str) -> dict[str, Any]:
    """Reads a tool's input from the words after its name."""
    if (start := text.find("{")) >= 0:
        try:
            given, _ = json.JSONDecoder().raw_decode(text[start:])
        except ValueError:
            given = None
        if isinstance(given, dict):
            return given
    numbers = re.findall(r"-?\d+(?:\.\d+)?", text)
    words = " ".join(re.sub(r"-?\d+(?:\.\d+)?", " ", text).split()).strip(" :,.?!")
    properties: dict[str, Any] = schema.get("properties", {})
    texts = [name for name, about in properties.items() if about.get("type") == "string"]
    given = {}
    for name, about in properties.items():
        kind = about.get("type")
        if kind in ("integer", "number") and numbers:
            number = float(numbers.pop(0))
            given[name] = int(number) if kind == "integer" or number.is_integer() else number
        elif kind == "string" and words:
            # One text takes all that is there; of several, the first words go to the first ones.
            given[name], _, words = (words, "", "") if name == texts[-1] else words.partition(" ")
        elif name in schema.get("required", []):
            given[name] = made_up(about, schema)
    return given


def made_up(schema: dict[str, Any], root: dict[str, Any] | None = None, depth: int = 0) -> Any:
    """The plainest value that a JSON schema allows."""
    root = root or schema
    if "$ref" in schema:
        return made_up(root["$defs"][schema["$ref"].rpartition("/")[2]], root, depth + 1)
    given = [schema[key] for key in ("default", "const") if key in schema] or schema.get("enum")
    if given:
        return given[0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return made_up(schema[key][0], root, depth + 1)
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        # Optional fields, too: a tool's schema also calls those optional that may be null but not absent. Not for ever, though.
        needed = schema.get("required", []) if depth > DEEPEST else schema.get("properties", {})
        return {name: made_up(schema["properties"][name], root, depth + 1) for name in needed}
    if kind == "array":
        return [made_up(schema.get("items", {}), root, depth + 1) for _ in range(schema.get("minItems", 0))]
    return _made_up_scalar(kind, schema)


def _made_up_scalar(kind: str, schema: dict[str, Any]) -> Any:
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("exclusiveMinimum", 0) + (1 if "exclusiveMinimum" in schema else 0))
    if kind == "string":
        return "offline".ljust(schema.get("minLength", 0), "-")[: schema.get("maxLength")]
    return {"boolean": False}.get(kind)
