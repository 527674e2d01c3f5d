"""The examples of the repository, as a user would run them."""

from __future__ import annotations

import re

import pytest
from conftest import EXAMPLES, RUNTIME, Task

FOLDERS = ("strands-agent", "tools-and-streaming", "agentcore-app", "fastapi-app")


@pytest.fixture
def example(request, tmp_path):
    folder = EXAMPLES / request.param
    for path in folder.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    task = Task(tmp_path)
    yield task.ready()
    task.close()


@pytest.mark.parametrize("example", ["strands-agent"], indirect=True)
def test_the_studios_agent_answers_counts_words_and_streams(example):
    assert example.ask("hello") == "[offline] turn 1: hello"
    assert example.ask("word_counter of these four words") == "[offline] word_counter answered: Word count: 4"
    assert [example.ask("hello", "s") for _ in range(2)] == ["[offline] turn 1: hello", "[offline] turn 2: hello"]
    *deltas, done = example.stream("/invoke-stream", {"prompt": "hello there"})
    assert [event["text"] for event in deltas] == ["[offline] ", "turn ", "1: ", "hello ", "there"]
    assert done == {"type": "done"}
    assert example.stop() == 0


@pytest.mark.parametrize("example", ["tools-and-streaming"], indirect=True)
def test_the_waiter_calls_its_tools_and_tells_them(example):
    told = example.stream(body={"prompt": "price_of tea"})
    assert [event["status"] for event in told if event["type"] == "tool"] == ["call", "success"]
    assert told[-1]["output"]["text"] == "[offline] price_of answered: 2.5"
    assert example.ask("add 2.5 4.25") == "[offline] add answered: 6.75"
    failed = example.stream(body={"prompt": "price_of gold"})
    assert [event["status"] for event in failed if event["type"] == "tool"] == ["call", "error"]


@pytest.mark.parametrize("example", ["agentcore-app"], indirect=True)
def test_the_app_of_agentcore_streams_as_it_does_there(example):
    told = example.stream(body={"prompt": "hello"}, **{"X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": "s"}, accept="*/*")
    assert told[0] == {"session": "s"}
    assert "".join(event["data"] for event in told[1:]) == "[offline] turn 1: hello"


@pytest.mark.parametrize("example", ["fastapi-app"], indirect=True)
def test_the_app_of_fastapi_answers_its_own_paths(example):
    assert example.post("/weather", {"prompt": "rain?"}).json() == {"answer": "[offline] turn 1: rain?"}
    assert example.post("/weather-streaming", {"prompt": "rain?"}).text == "[offline] turn 1: rain?"
    assert example.post("/weather", {}).status_code == 422
    assert example.http.get("/openapi.json").json()["info"]["title"] == "weather"
    assert example.health() == 200


@pytest.mark.parametrize("folder", FOLDERS)
def test_examples_pin_the_versions_they_are_tested_with(folder):
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", (RUNTIME / "requirements-test.lock").read_text(), re.MULTILINE))
    pinned = dict(line.split("==") for line in (EXAMPLES / folder / "requirements.txt").read_text().split())
    assert pinned.items() <= locked.items()
    needed = re.findall(r"^([\w-]+)>=", (RUNTIME / "requirements.in").read_text(), re.MULTILINE)
    assert {*needed, "strands-agents"} <= pinned.keys()
    assert {path.name for path in (EXAMPLES / folder).iterdir()} >= {"generated_agent.py", "README.md", "agent-deployment.yaml"}


def test_the_lock_of_the_runtime_is_part_of_what_is_tested():
    def pins(name):
        return set(re.findall(r"^([\w.-]+==\S+)", (RUNTIME / name).read_text(), re.MULTILINE))

    assert pins("requirements.lock") <= pins("requirements-test.lock")
