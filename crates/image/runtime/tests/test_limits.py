"""Limits: what happens when there is too much, too long or too large."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from agents import FUNCTION
from conftest import until

LIGHT = {"AGENT_MODEL": ""}

# An app of its own, which reads its whole body.
APP = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def took(request):
    return JSONResponse({"bytes": len(await request.body())})

app = Starlette(routes=[Route("/invocations", took, methods=["POST"])])
"""


def wait_for(tmp_path, name):
    """A payload that makes the agent wait for a file, and what tells that it does."""
    path = str(tmp_path / name)
    return {"wait": path}, Path(path + ".here").exists, Path(path).touch


def test_who_comes_when_too_many_wait_is_told_when_to_come_again(start, tmp_path):
    task = start(FUNCTION, AGENT_MAX_CONCURRENCY=2, AGENT_MAX_QUEUE=3, **LIGHT).ready()
    body, _, release = wait_for(tmp_path, "gate")
    with ThreadPoolExecutor(5) as pool:
        served = [pool.submit(task.post, "/invocations", body) for _ in range(5)]
        until(lambda: task.metric("fargateer_agent_running_calls") == 2 and task.metric("fargateer_agent_waiting_calls") == 3)
        refused = task.post(body=body)
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert task.health() == 200
        release()
        assert [future.result().status_code for future in served] == [200] * 5
    assert task.metric("fargateer_agent_running_calls") == 0


def test_a_turn_that_waits_for_its_session_takes_no_slot(start, tmp_path):
    task = start(FUNCTION, AGENT_MAX_CONCURRENCY=2, **LIGHT).ready()
    body, here, release = wait_for(tmp_path, "gate")
    with ThreadPoolExecutor(3) as pool:
        turns = [pool.submit(task.post, "/invocations", {**body, "session_id": "s"}) for _ in range(3)]
        until(here)
        until(lambda: task.metric("fargateer_agent_waiting_calls") == 2)
        assert task.post(body={"other": 1}).status_code == 200
        release()
        assert [turn.result().status_code for turn in turns] == [200] * 3


def test_health_is_quick_while_the_agents_code_spins(start):
    task = start(FUNCTION, AGENT_MAX_CONCURRENCY=4, **LIGHT).ready()
    with ThreadPoolExecutor(4) as pool:
        spinning = [pool.submit(task.post, "/invocations", {"spin": 1.5}) for _ in range(4)]
        until(lambda: task.metric("fargateer_agent_running_calls") == 4)
        seconds = []
        while not all(future.done() for future in spinning):
            before = time.monotonic()
            assert task.http.get("/health").status_code == 200
            seconds.append(time.monotonic() - before)
    # The check of a task fails after 5 s. The median is far below, the worst is what a busy machine makes of it.
    assert sorted(seconds)[len(seconds) // 2] < 0.5
    assert max(seconds) < 3


def test_a_call_that_takes_too_long_is_504_and_keeps_its_slot_until_it_ends(start, tmp_path):
    task = start(FUNCTION, AGENT_MAX_CONCURRENCY=1, AGENT_INVOKE_TIMEOUT_SECONDS=0.4, **LIGHT).ready()
    body, _, release = wait_for(tmp_path, "gate")
    late = task.post(body=body)
    assert (late.status_code, late.json()["code"]) == (504, "timeout")
    assert task.metric("fargateer_agent_abandoned_calls") == 1
    # Whoever waits for the slot is told the same, in time.
    assert task.post(body={}).status_code == 504
    release()
    until(lambda: task.metric("fargateer_agent_abandoned_calls") == 0)
    assert task.post(body={}).status_code == 200


def test_a_stream_that_takes_too_long_ends_with_an_error(start, tmp_path):
    task = start(FUNCTION, AGENT_INVOKE_TIMEOUT_SECONDS=0.4, **LIGHT).ready()
    body, _, release = wait_for(tmp_path, "gate")
    told = task.stream(body=body)
    assert [(event["type"], event["code"]) for event in told] == [("error", "timeout")]
    release()


def test_an_async_call_that_takes_too_long_is_interrupted(start):
    task = start(
        "import asyncio\nasync def invoke(payload):\n    if payload: await asyncio.sleep(3600)\n",
        AGENT_MAX_CONCURRENCY=1,
        AGENT_INVOKE_TIMEOUT_SECONDS=0.4,
        **LIGHT,
    ).ready()
    assert task.post(body=1).status_code == 504
    assert task.post(body=0).status_code == 200


def test_a_body_that_is_too_large_is_413_told_or_not(start):
    task = start(FUNCTION, AGENT_MAX_BODY_BYTES=1000, **LIGHT).ready()
    assert task.post(body={"x": "y" * 900}).status_code == 200
    assert task.post(body={"x": "y" * 1000}).json()["code"] == "too_large"
    chunks = task.http.post("/invocations", content=iter([b'{"x": "', b"y" * 600, b"y" * 600, b'"}']))
    assert (chunks.status_code, chunks.json()["code"]) == (413, "too_large")
    assert task.post(body={}).status_code == 200


@pytest.mark.parametrize("code", [FUNCTION, APP])
def test_who_sends_all_of_a_body_that_is_too_large_reads_the_answer(start, code):
    task = start(code, AGENT_MAX_BODY_BYTES=1000, **LIGHT).ready()
    # More than the buffers of both sockets hold: a server that closed at once would reset the connection.
    body = b"x" * 16_000_000
    for sent in (body, iter([body])):
        client = http.client.HTTPConnection("127.0.0.1", task.port, timeout=30)
        client.request("POST", "/invocations", sent, {"Content-Type": "application/json"}, encode_chunked=True)
        answer = client.getresponse()
        assert (answer.status, json.loads(answer.read())["code"]) == (413, "too_large")
        client.close()


@pytest.mark.parametrize("wrong", ["AGENT_MAX_QUEUE", "AGENT_MAX_BODY_BYTES"])
def test_a_limit_that_is_no_number_is_refused_at_the_start(start, wrong):
    task = start(FUNCTION, **LIGHT, **{wrong: "many"})
    assert task.code() == 78
    assert wrong in task.lines()[-1]["detail"]
