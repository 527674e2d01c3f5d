"""Functions, generators, apps of AgentCore and ASGI apps: the user's own JSON, told as it is."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from agents import FUNCTION, GENERATOR
from conftest import until
from websockets.sync.client import connect

ODD = """
def invoke(payload):
    value = {"itself": None}
    value["itself"] = value
    odd = {"bytes": b"\\xff", "set": {1}, "object": object, "half": "\\ud800", "keys": {(1, 2): 3}, "itself": value}
    print("half \\ud800")
    return odd[payload]
"""
ASYNC = """
import asyncio

async def invoke(payload):
    await asyncio.sleep(0)
    return [payload, None, {1, 2}]
"""
AGENTCORE = """
from bedrock_agentcore import BedrockAgentCoreApp
from bedrock_agentcore.runtime.context import BedrockAgentCoreContext
from starlette.responses import JSONResponse

app = BedrockAgentCoreApp()

@app.entrypoint
async def entry(payload, context):
    if payload.get("respond"):
        return JSONResponse({"made": "by hand"}, status_code=418)
    return {"session": context.session_id, "request": BedrockAgentCoreContext.get_request_id(),
            "token": BedrockAgentCoreContext.get_workload_access_token()}

@app.ping
def ping():
    return "HealthyBusy"

@app.websocket
async def talk(websocket, context):
    await websocket.accept()
    await websocket.send_json({"said": await websocket.receive_text()})
    await websocket.close()
"""
APP = """
import contextlib, pathlib, time
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

@contextlib.asynccontextmanager
async def life(app):
    yield {"started": "yes"}
    pathlib.Path("stopped").touch()

app = FastAPI(lifespan=life)

@app.get("/health")
def health():
    return "this is the runtime's"

@app.post("/echo")
async def echo(request: Request):
    body = await request.json()
    print("app got", body["n"])
    return {"echo": body, "state": request.state.started}

@app.get("/block")
async def block():
    # What nobody should do in a loop, and everybody does.
    pathlib.Path("blocked").touch()
    while not pathlib.Path("release").exists():
        time.sleep(0.005)
    return "free"

@app.get("/stream")
async def stream():
    async def words():
        yield "one "
        yield "two"
    return StreamingResponse(words(), media_type="text/plain")

@app.get("/fail")
async def fail():
    raise ValueError("secret")

@app.websocket("/talk")
async def talk(websocket: WebSocket):
    await websocket.accept()
    await websocket.send_text("heard " + await websocket.receive_text())
    await websocket.close()
"""
NO_START = """
import contextlib
from starlette.applications import Starlette

@contextlib.asynccontextmanager
async def life(app):
    raise RuntimeError("no database")
    yield

app = Starlette(lifespan=life)
"""


def test_a_function_gets_the_body_as_it_is_and_its_value_is_the_answer(shared):
    task = shared("function", FUNCTION)
    body = {"prompt": 3, "x": [None], "session_id": "s"}
    answer = task.post(body=body, **{"X-Request-Id": "r"})
    assert answer.json() == {"echo": body, "session": "s", "request": "r"}


def test_an_async_function_may_answer_anything(start):
    task = start(ASYNC, AGENT_MODEL="").ready()
    for body in ("text", 7, None, [], {"prompt": 1}):
        answer = task.http.post("/invocations", content=json.dumps(body))
        assert answer.json() == [body, None, [1, 2]]


def test_what_json_cannot_express_is_told_as_text(start):
    task = start(ODD, AGENT_MODEL="").ready()
    told = [task.http.post("/invocations", json=kind).json() for kind in ("bytes", "set", "half", "keys", "itself")]
    assert told == ["\ufffd", [1], "?", "{(1, 2): 3}", "{'itself': {...}}"]
    assert task.line(message="half ?")


def test_a_generator_is_told_value_by_value(shared):
    task = shared("generator", GENERATOR, AGENT_MODEL="")
    body = {"words": ["a ", {"data": "b"}, 3]}
    assert task.stream(body=body) == body["words"]
    assert task.post(body=body).json() == body["words"]
    assert task.stream("/invoke-stream", body) == [
        {"type": "delta", "text": "a "}, {"type": "delta", "text": "b"}, {"type": "done"}
    ]  # fmt: skip
    assert task.post("/invoke", body).json()["response"] == "a b"
    with connect(f"ws://127.0.0.1:{task.port}/ws") as socket:
        socket.send(json.dumps(body))
        told = [json.loads(socket.recv(timeout=20)) for _ in range(4)]
    assert [event["type"] for event in told] == ["value", "value", "value", "result"]


def test_a_stream_that_fails_in_the_middle_ends_with_an_error_without_its_text(shared):
    told = shared("generator", GENERATOR, AGENT_MODEL="").stream(body={"words": ["a"], "fail": True})
    assert told[0] == "a"
    assert (told[1]["type"], told[1]["code"], told[1]["error"]) == ("error", "agent_error", "the agent failed (RuntimeError)")


def test_a_function_without_a_generator_streams_one_value(shared):
    assert shared("function", FUNCTION).stream(body={"n": 1})[0]["echo"] == {"n": 1}


def test_an_app_of_agentcore_is_served_as_agentcore_does(start):
    task = start(AGENTCORE).ready()
    headers = {"X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": "s-1", "X-Amzn-Bedrock-AgentCore-Runtime-Request-Id": "r-1"}
    answer = task.post(body={}, WorkloadAccessToken="t", **headers)
    assert answer.json() == {"session": "s-1", "request": "r-1", "token": "t"}
    assert task.post(body={}, accept="text/event-stream").headers["content-type"] == "application/json"
    made = task.post(body={"respond": True})
    assert (made.status_code, made.json()) == (418, {"made": "by hand"})
    assert task.http.get("/ping").json()["status"] == "HealthyBusy"
    with connect(f"ws://127.0.0.1:{task.port}/ws") as socket:
        socket.send("hello")
        assert json.loads(socket.recv(timeout=20)) == {"said": "hello"}
    assert task.stop() == 0


@pytest.fixture
def app(start):
    return start(APP, AGENT_MAX_BODY_BYTES=1000, AGENT_INVOKE_TIMEOUT_SECONDS=20).ready()


def test_an_app_answers_every_path_but_the_runtimes(app):
    assert app.http.get("/health").json()["status"] == "ready"
    answer = app.post("/echo", {"n": 1}, **{"X-Request-Id": "r-9"})
    assert answer.json() == {"echo": {"n": 1}, "state": "yes"}
    assert answer.headers["x-request-id"] == "r-9"
    assert app.line(message="app got 1")["request_id"] == "r-9"
    assert app.http.get("/stream").text == "one two"
    assert app.http.get("/nowhere").json() == {"detail": "Not Found"}
    with connect(f"ws://127.0.0.1:{app.port}/talk") as socket:
        socket.send("this")
        assert socket.recv(timeout=20) == "heard this"


def test_an_app_is_started_and_stopped(app, tmp_path):
    assert not (tmp_path / "stopped").exists()
    assert app.stop() == 0
    assert (tmp_path / "stopped").exists()


def test_an_app_that_blocks_its_loop_does_not_block_health(app, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(app.http.get, "/block")
        until((tmp_path / "blocked").exists)
        assert app.health() == 200
        assert app.http.get("/metrics").status_code == 200
        (tmp_path / "release").touch()
        assert blocked.result().json() == "free"


def test_the_body_of_a_request_to_an_app_is_limited_told_or_not(app):
    assert app.post("/echo", {"n": "x" * 1000}).json()["code"] == "too_large"
    chunks = app.http.post("/echo", content=iter([b'{"n": "', b"x" * 600, b"x" * 600, b'"}']))
    assert (chunks.status_code, chunks.json()["code"]) == (413, "too_large")


def test_an_app_that_fails_tells_nothing_to_its_caller_and_all_to_the_log(app):
    answer = app.http.get("/fail")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "ValueError: secret" in app.line(message="the app failed")["traceback"]


def test_an_app_that_cannot_start_is_exit_78(start):
    task = start(NO_START)
    assert task.code() == 78
    assert (task.lines()[-1]["reason"], "no database" in task.lines()[-1]["detail"]) == ("StartupFailed", True)
