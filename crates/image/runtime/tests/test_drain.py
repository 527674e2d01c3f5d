"""The end of a task: SIGTERM in every state, and exit 0 within the grace period."""

from __future__ import annotations

import json
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from agents import AGENT, FUNCTION
from conftest import PATIENCE, events, until
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

SLOW_IMPORT = """
import pathlib, time
pathlib.Path("importing").touch()
time.sleep(3600)
"""
# Python waits for the threads of executors when it ends; strands uses one for every synchronous call.
POOLED = """
import concurrent.futures, pathlib, time

def work(path):
    pathlib.Path(path + ".here").touch()
    time.sleep(3600)

def invoke(payload):
    with concurrent.futures.ThreadPoolExecutor() as executor:
        executor.submit(work, payload["wait"]).result()
"""
# Changes the handlers, as some libraries do.
GREEDY = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FUNCTION


def open_stream(task, words, pool):
    """A stream that has begun; gives a future of its events."""
    begun = threading.Event()

    def follow():
        with task.http.stream("POST", "/invocations", json={"prompt": "word " * words, "stream": True}) as answer:
            begun.set()
            return events(answer)

    future = pool.submit(follow)
    assert begun.wait(PATIENCE)
    return future


def test_an_idle_task_leaves_at_once(start):
    task = start(FUNCTION, AGENT_MODEL="").ready()
    before = time.monotonic()
    assert task.stop() == 0
    assert time.monotonic() - before < 5
    assert task.line(event="agent_drained")["left"] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_agent_is_imported_ends_the_task(start, tmp_path, number):
    task = start(SLOW_IMPORT, AGENT_MODEL="")
    until((tmp_path / "importing").exists)
    assert until(task.health) == 503
    refused = task.post(body={})
    assert (refused.status_code, refused.json()["code"]) == (503, "starting")
    task.signal(number)
    assert task.code() == 0
    assert task.lines()[-1]["event"] == "agent_stopped"


def test_handlers_that_the_agents_code_has_set_do_not_keep_the_task(start):
    task = start(GREEDY, AGENT_MODEL="").ready()
    assert task.stop() == 0


def test_a_short_stream_finishes_and_new_calls_are_sent_away(start):
    task = start(AGENT, AGENT_OFFLINE_WORD_DELAY_SECONDS=0.02, AGENT_SHUTDOWN_GRACE_SECONDS=20).ready()
    with ThreadPoolExecutor(1) as pool:
        stream = open_stream(task, 50, pool)
        task.signal()
        until(lambda: task.health() == 503)
        with httpx.Client(base_url=task.http.base_url, verify=False) as other:
            refused = other.post("/invocations", json={"prompt": "new"})
        assert (refused.status_code, refused.json()["code"]) == (503, "draining")
        assert refused.headers["connection"] == "close"
        assert "retry-after" in refused.headers
        result = stream.result()[-1]
    assert (result["type"], result["output"]["stop_reason"]) == ("result", "end_turn")
    assert task.code() == 0


def test_a_long_stream_is_cancelled_with_a_clean_last_event_within_the_grace(start):
    task = start(AGENT, AGENT_OFFLINE_WORD_DELAY_SECONDS=0.02, AGENT_SHUTDOWN_GRACE_SECONDS=2).ready()
    with ThreadPoolExecutor(1) as pool:
        stream = open_stream(task, 5000, pool)
        before = time.monotonic()
        task.signal()
        told = stream.result()
    assert (told[-1]["type"], told[-1]["output"]["stop_reason"]) == ("result", "cancelled")
    assert any(event["type"] == "delta" for event in told)
    assert task.code() == 0
    # Two seconds, and what a busy machine adds.
    assert time.monotonic() - before < 5
    assert task.line(event="agent_drained")["left"] == 0


@pytest.mark.parametrize("code", [FUNCTION, POOLED], ids=["thread", "executor"])
def test_code_that_does_not_end_is_left_and_its_caller_told(start, tmp_path, code):
    task = start(code, AGENT_MODEL="", AGENT_SHUTDOWN_GRACE_SECONDS=1).ready()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(task.post, "/invocations", {"wait": str(tmp_path / "never")})
        until(Path(tmp_path / "never.here").exists)
        task.signal()
        assert (answer.result().status_code, answer.result().json()["code"]) == (503, "draining")
    assert task.code() == 0


def test_who_waits_for_a_slot_is_sent_to_another_task(start, tmp_path):
    task = start(FUNCTION, AGENT_MODEL="", AGENT_MAX_CONCURRENCY=1).ready()
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(task.post, "/invocations", {"wait": str(gate)})
        until(Path(f"{gate}.here").exists)
        second = pool.submit(task.post, "/invocations", {})
        until(lambda: task.metric("fargateer_agent_waiting_calls") == 1)
        task.signal()
        assert second.result().status_code == 503
        gate.touch()
        assert first.result().status_code == 200
    assert task.code() == 0


def test_a_second_signal_does_not_wait_for_long_calls(start):
    task = start(AGENT, AGENT_OFFLINE_WORD_DELAY_SECONDS=0.02, AGENT_SHUTDOWN_GRACE_SECONDS=600).ready()
    with ThreadPoolExecutor(1) as pool:
        stream = open_stream(task, 50_000, pool)
        task.signal()
        until(lambda: task.health() == 503)
        task.signal()
        assert stream.result()[-1]["output"]["stop_reason"] == "cancelled"
    assert task.code() == 0


def test_a_websocket_is_closed_as_a_restart(start):
    task = start(AGENT).ready()
    with connect(f"ws://127.0.0.1:{task.port}/ws") as socket:
        socket.send(json.dumps({"prompt": "hello"}))
        until(lambda: json.loads(socket.recv(timeout=20))["type"] == "result")
        task.signal()
        with pytest.raises(ConnectionClosedError):
            socket.recv(timeout=20)
        assert socket.close_code == 1012
    assert task.code() == 0
