"""Agents of strands: isolation of callers, turns of sessions, the shape of answers and events."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from agents import AGENT, FACTORY, MAIN
from conftest import events
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

FORMS = {"agent": AGENT, "factory": FACTORY, "main": MAIN}
SINGLETON = """
from strands import Agent

_agent = None

def get_agent():
    global _agent
    if _agent is None:
        _agent = Agent()
    return _agent
"""
GRAPH = """
from strands import Agent
from strands.multiagent import GraphBuilder

first = Agent(name="first")
second = Agent(name="second")
builder = GraphBuilder()
builder.add_node(first, "first")
builder.add_node(second, "second")
builder.add_edge("first", "second")
agent = builder.build()
"""


@pytest.fixture(params=FORMS)
def task(request, shared):
    return shared(request.param, FORMS[request.param])


def test_forty_parallel_calls_get_their_own_answers(task):
    def call(number):
        session = f"many-{number % 8}" if number % 2 else None
        return number, session, task.ask(f"question {number}", session)

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(call, range(40)))
    turns = {}
    for number, session, text in answers:
        turn, _, said = text.removeprefix("[offline] turn ").partition(": ")
        assert said == f"question {number}"
        turns.setdefault(session, []).append(int(turn))
    assert turns.pop(None) == [1] * 20
    assert {session: sorted(seen) for session, seen in turns.items()} == {f"many-{n}": [1, 2, 3, 4, 5] for n in (1, 3, 5, 7)}


def test_the_turns_of_a_session_come_in_order_and_are_remembered(task):
    said = [task.ask(f"line {n}", "in-order") for n in range(1, 4)]
    assert said == [f"[offline] turn {n}: line {n}" for n in range(1, 4)]


def test_a_call_without_a_session_knows_nothing_of_the_one_before(task):
    assert [task.ask("hello"), task.ask("hello")] == ["[offline] turn 1: hello"] * 2


def test_streams_tell_words_and_then_the_result(task):
    told = task.stream(body={"prompt": "one two"})
    *deltas, result = told
    assert {event["type"] for event in deltas} == {"delta"}
    assert "".join(event["text"] for event in deltas).strip() == "[offline] turn 1: one two"
    assert result["type"] == "result"
    assert result["output"]["text"] == "[offline] turn 1: one two"


def test_the_studio_is_answered_in_its_form(task):
    answer = task.post("/invoke", {"prompt": "", "user_input": "hello", "api_keys": None})
    assert answer.json() | {"request_id": ""} == {
        "success": True, "response": "[offline] turn 1: hello", "type": "sync", "request_id": ""
    }  # fmt: skip
    *deltas, done = task.stream("/invoke-stream", {"prompt": "hello"})
    assert {event["type"] for event in deltas} == {"delta"}
    assert "".join(event["text"] for event in deltas).strip() == "[offline] turn 1: hello"
    assert done == {"type": "done"}


def test_messages_are_the_conversation_so_far(task):
    messages = [
        {"role": "user", "content": [{"text": "first"}]},
        {"role": "assistant", "content": "an answer"},
        {"role": "user", "content": "second"},
    ]
    for body in ({"messages": messages}, {"input": {"messages": messages}}):
        assert task.post(body=body).json()["output"]["text"] == "[offline] turn 2: second"


@pytest.mark.parametrize(
    "body", [{"prompt": "hi"}, {"input": {"prompt": "hi"}}, {"input": "hi"}, {"prompt": [{"text": "hi"}]}, {"input_data": "hi"}]
)
def test_a_prompt_may_stand_in_every_documented_place(shared, body):
    assert shared("agent", AGENT).post(body=body).json()["output"]["text"] == "[offline] turn 1: hi"


def test_an_answer_has_its_message_usage_and_ids(shared):
    answer = shared("agent", AGENT).post(
        body={"prompt": "one two three"}, **{"X-Request-Id": "r-1", "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": "ids"}
    )
    text = "[offline] turn 1: one two three"
    assert answer.json() == {
        "output": {"text": text, "stop_reason": "end_turn", "message": {"role": "assistant", "content": [{"text": text}]}},
        "usage": {"input_tokens": 3, "output_tokens": 6},
        "request_id": "r-1",
        "session_id": "ids",
    }
    assert (answer.headers["x-request-id"], answer.headers["x-session-id"]) == ("r-1", "ids")


def test_the_usage_of_a_call_is_its_own_although_agents_add_theirs_up(start):
    task = start(AGENT, AGENT_POOL_SIZE=1).ready()
    used = [task.post(body={"prompt": "same words"}).json()["usage"] for _ in range(3)]
    assert used == [{"input_tokens": 2, "output_tokens": 5}] * 3


def test_a_stream_tells_each_tool_once_when_called_and_once_when_done(shared):
    told = shared("agent", AGENT).stream(body={"prompt": "please add 40 and 2", "stream": True}, accept="*/*")
    tools = [event for event in told if event["type"] == "tool"]
    number = tools[0]["id"]
    assert tools == [
        {"type": "tool", "id": number, "name": "add", "status": "call", "input": {"a": 40, "b": 2}},
        {"type": "tool", "id": number, "name": "add", "status": "success", "output": [{"text": "42"}]},
    ]
    assert told[-1]["output"]["text"] == "[offline] add answered: 42"


def test_a_tool_that_fails_is_told_as_an_error_of_the_tool(shared):
    told = shared("agent", AGENT).stream(body={"prompt": "broken by purpose"})
    assert [event["status"] for event in told if event["type"] == "tool"] == ["call", "error"]
    assert told[-1]["type"] == "result"


@pytest.mark.parametrize("name", ["agent", "main"])
def test_calls_run_at_once_in_copies_up_to_the_size_of_the_pool(start, name):
    task = start(FORMS[name], AGENT_POOL_SIZE=3, AGENT_OFFLINE_WORD_DELAY_SECONDS=0.02).ready()
    assert task.metric("fargateer_agent_pool_copies") == 1
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(lambda n: task.ask(f"question {n}"), range(6)))
    assert said == [f"[offline] turn 1: question {n}" for n in range(6)]
    assert task.metric("fargateer_agent_pool_copies") == 3


@pytest.mark.parametrize("code", [SINGLETON, GRAPH], ids=["get_agent", "graph"])
def test_other_agents_keep_callers_apart_too(start, code):
    task = start(code).ready()
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda n: task.ask(f"question {n}"), range(8)))
    assert all(f"question {n}" in text and "turn 1" in text for n, text in enumerate(said))


def test_an_agent_of_another_module_exists_once_and_serves_one_call_at_a_time(start, tmp_path):
    (tmp_path / "elsewhere.py").write_text("from strands import Agent\nshared = Agent()\n")
    task = start("from elsewhere import shared as agent", AGENT_OFFLINE_WORD_DELAY_SECONDS=0.01).ready()
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda n: task.ask(f"question {n}"), range(8)))
    assert said == [f"[offline] turn 1: question {n}" for n in range(8)]
    assert task.line(level="warning")["message"].startswith("agents come from another module")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "no prompt"),
        ({"prompt": ""}, "no prompt"),
        ([1], "JSON object"),
        ({"messages": "hello"}, "list of objects"),
        ({"messages": [{"role": "system", "content": "x"}]}, "role"),
        ({"prompt": ["x"]}, "content blocks"),
        ({"prompt": "x", "session_id": "../../etc"}, None),
        ({"prompt": "x", "session_id": "a b"}, "session id"),
        ({"prompt": "x", "session_id": 7}, "session id"),
    ],
)
def test_a_body_that_cannot_be_understood_is_400_with_the_reason(shared, body, words):
    answer = shared("agent", AGENT).post(body=body)
    if words is None:
        # A harmless id: it never becomes a path.
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        assert words in answer.json()["error"]


def test_what_is_not_json_unknown_or_the_wrong_method_is_told_as_json(shared):
    http = shared("agent", AGENT).http
    for answer, status, code in (
        (http.post("/invocations", content=b"{"), 400, "bad_request"),
        (http.get("/nowhere"), 404, "not_found"),
        (http.get("/invocations"), 405, "method_not_allowed"),
        (http.get("/ws"), 426, "not_a_websocket"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_health_and_ping_have_their_shapes(shared):
    http = shared("agent", AGENT).http
    health = http.get("/health")
    assert (health.status_code, health.json()["status"], health.json()["contract"]) == (200, "ready", "v1")
    ping = http.get("/ping").json()
    assert ping["status"] in ("Healthy", "HealthyBusy")
    assert isinstance(ping["time_of_last_update"], int)


def test_metrics_count_outcomes_tokens_and_time(start):
    task = start(AGENT).ready()
    task.ask("one two")
    task.ask("one two", "kept")
    assert task.post(body={}).status_code == 400
    text = task.http.get("/metrics").text
    assert 'fargateer_agent_requests_total{endpoint="/invocations",outcome="ok"} 2' in text
    assert 'fargateer_agent_tokens_total{direction="input"} 4' in text
    assert 'fargateer_agent_request_seconds_bucket{le="+Inf"} 2' in text
    assert task.metric("fargateer_agent_sessions") == 1
    assert task.metric("fargateer_agent_running_calls") == 0
    assert task.metric("fargateer_agent_slots") == 4
    # Every family is told with its type, and no sample without one.
    typed = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    for line in text.splitlines():
        if not line.startswith("#"):
            name = line.split("{")[0].split()[0]
            assert name in typed or name.rpartition("_")[0] in typed, line


def turn(socket, **message):
    socket.send(json.dumps(message))
    told = []
    while not told or told[-1]["type"] not in ("result", "error"):
        told.append(json.loads(socket.recv(timeout=20)))
    return told


def test_a_websocket_is_one_session_with_the_events_of_a_stream(task):
    with connect(f"ws://127.0.0.1:{task.port}/ws") as socket:
        for number in (1, 2):
            *deltas, result = turn(socket, prompt="hello there")
            assert "".join(event["text"] for event in deltas).strip() == f"[offline] turn {number}: hello there"
            assert result["output"]["text"] == f"[offline] turn {number}: hello there"
        assert turn(socket, nonsense=1)[-1]["code"] == "bad_request"
        assert turn(socket, prompt="and on")[-1]["output"]["text"] == "[offline] turn 3: and on"


def test_a_websocket_may_go_on_with_a_session_that_is_there(shared):
    task = shared("agent", AGENT)
    task.ask("first", "by-socket")
    with connect(f"ws://127.0.0.1:{task.port}/ws?session_id=by-socket") as socket:
        assert turn(socket, prompt="second")[-1]["session_id"] == "by-socket"
    assert task.ask("third", "by-socket") == "[offline] turn 3: third"


def test_a_websocket_with_a_session_id_that_is_none_is_refused(shared):
    with pytest.raises(InvalidStatus):
        connect(f"ws://127.0.0.1:{shared('agent', AGENT).port}/ws?session_id=a%20b")


def test_a_client_that_leaves_cancels_its_call(start):
    task = start(AGENT, AGENT_POOL_SIZE=1, AGENT_OFFLINE_WORD_DELAY_SECONDS=0.05).ready()
    body = {"prompt": "word " * 2000}
    with task.http.stream("POST", "/invocations", json=body, headers={"accept": "text/event-stream"}) as answer:
        next(answer.iter_lines())
    # The only slot is free again long before the 100 s that all words would take.
    assert task.ask("hello") == "[offline] turn 1: hello"
    assert task.line(message="request")["outcome"] == "cancelled"


def test_a_quiet_stream_is_kept_alive_by_comments(start):
    task = start(AGENT, AGENT_OFFLINE_WORD_DELAY_SECONDS=0.4, AGENT_KEEPALIVE_SECONDS=0.1).ready()
    with task.http.stream("POST", "/invocations", json={"prompt": "hello", "stream": True}) as answer:
        lines = list(answer.iter_lines())
    assert ": keep-alive" in lines
    assert json.loads(lines[-2].removeprefix("data: "))["type"] == "result"


def test_a_stream_may_not_be_cached_or_buffered(shared):
    task = shared("agent", AGENT)
    with task.http.stream("POST", "/invoke-stream", json={"prompt": "hello"}) as answer:
        assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
        assert events(answer)
