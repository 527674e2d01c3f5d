"""The offline model: the same answer for the same conversation, tools and structured output included."""

from __future__ import annotations

import asyncio
import threading

import pytest
from conftest import run, write
from pydantic import BaseModel, Field
from strands import Agent, tool
from strands.types.exceptions import StructuredOutputException

from fargateer_runtime.offline import OfflineModel, made_up


@tool
def multiply(a: int, b: int) -> int:
    """Multiplies."""
    return a * b


@tool
def send(to: str, text: str, urgent: bool) -> str:
    """Sends a text."""
    return f"to={to} text={text} urgent={urgent}"


def agent(*tools):
    return Agent(model=OfflineModel(), tools=list(tools), callback_handler=None)


def test_it_echoes_with_the_number_of_the_turn():
    talker = agent()
    assert str(talker("hello")).strip() == "[offline] turn 1: hello"
    assert str(talker("again")).strip() == "[offline] turn 2: again"


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("multiply 6 7", "multiply answered: 42"),
        ("please multiply -6 by 7!", "multiply answered: -42"),
        ('multiply {"a": 2, "b": 3}', "multiply answered: 6"),
        ("multiply {broken 2 3", "multiply answered: 6"),
        ("multiply", "multiply answered: 0"),
        ("send bob the rest of it", "send answered: to=bob text=the rest of it urgent=False"),
        ("multiplying 6 7", "turn 1: multiplying 6 7"),
    ],
)
def test_it_calls_the_tool_that_the_text_names(prompt, answer):
    assert str(agent(multiply, send)(prompt)).strip() == f"[offline] {answer}"


class Inner(BaseModel):
    kind: str = Field(pattern=None, min_length=9)


class Form(BaseModel):
    name: str
    age: int = Field(ge=18)
    ratio: float = Field(gt=0)
    sort: str = Field(json_schema_extra={"enum": ["a", "b"]})
    tags: list[str] = Field(min_length=2)
    inner: Inner
    maybe: int | None
    left_out: str = "x"


def test_structured_output_is_valid():
    form = agent()("anything", structured_output_model=Form).structured_output
    assert isinstance(form, Form)
    assert (form.age, len(form.tags), form.sort, form.left_out) == (18, 2, "a", "x")


def test_structured_output_that_cannot_be_made_up_ends():
    class Strict(BaseModel):
        code: str = Field(pattern="^[0-9]{4}$")

    with pytest.raises(StructuredOutputException):
        agent()("anything", structured_output_model=Strict)


def test_made_up_values_keep_to_their_schema():
    assert made_up({"const": 3}) == 3
    assert made_up({"default": []}) == []
    assert made_up({"anyOf": [{"type": "boolean"}, {"type": "null"}]}) is False
    assert made_up({"type": "string", "maxLength": 3}) == "off"
    assert made_up({"type": "null"}) is None


def test_it_stops_in_the_middle_when_told():
    told = threading.Event()

    async def follow():
        async for event in agent().stream_async("word " * 1000, cancel_signal=told):
            if "data" in event:
                told.set()
            if "result" in event:
                return event["result"].stop_reason
        return None

    assert asyncio.run(follow()) == "cancelled"


def test_it_replaces_every_model_and_leaves_fakes_of_the_agent_alone(tmp_path):
    write(
        tmp_path,
        """
        from strands import Agent
        from strands.models import BedrockModel
        from fargateer_runtime.offline import OfflineModel

        class Fake(OfflineModel):
            pass

        class Mine(Agent):
            pass

        seen = [
            type(one.model).__name__ for one in
            (Agent(), Agent("us.model"), Agent(model=BedrockModel(region_name="eu-west-1")), Mine(), Agent(model=Fake()))
        ]
        assert seen == ["OfflineModel"] * 4 + ["Fake"], seen
        assert type(Agent(aux_model="us.model").aux_model).__name__ == "OfflineModel"
        agent = Agent()
        """,
    )
    done = run(tmp_path, "check")
    assert done.returncode == 0, done.stdout


def test_without_it_models_are_what_the_agent_says(tmp_path):
    write(tmp_path, "from strands import Agent\nagent = Agent()\n")
    done = run(tmp_path, "check", AGENT_MODEL="")
    assert '"model":"BedrockModel"' in done.stdout
    assert '"offline":false' in done.stdout
