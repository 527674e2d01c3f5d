"""Logs: every line is JSON, and knows whose it is."""

from __future__ import annotations

import contextvars
import io
import json
from concurrent.futures import ThreadPoolExecutor

from agents import AGENT, FUNCTION, MAIN

from fargateer_runtime import logs

NOISY = """
import logging, sys, threading, warnings

log = logging.getLogger("mine")

def invoke(payload):
    log.info("with %s", payload["name"])
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("caught")
    warnings.warn("careful")
    print("two", "lines", sep="\\n")
    print("no line end", end="")
    log.info("wrong %d", "format")
    thread = threading.Thread(target=lambda: 1 / 0, name="mine")
    thread.start()
    thread.join()
    sys.stdout.buffer.write(b'{"by": "bytes"}\\n')
    sys.stdout.buffer.flush()
    return sys.stdout.isatty()
"""


def test_every_line_is_json_whatever_the_agents_code_does(start):
    task = start(NOISY, AGENT_NAME="bot", AGENT_REVISION="3", AGENT_MODEL="").ready()
    assert task.post(body={"name": "x"}, **{"X-Request-Id": "r-1", "X-Session-Id": "s-1"}).json() is False
    assert task.stop() == 0
    lines = task.lines()
    mine = [line for line in lines if line.get("request_id") == "r-1"]
    assert {(line["session_id"], line["agent"], line["revision"]) for line in mine} == {("s-1", "bot", "3")}
    told = {line["message"]: line for line in lines if "message" in line}
    assert {"with x", "two", "lines", "no line end"} <= {line["message"] for line in mine}
    assert "ZeroDivisionError" in told["caught"]["traceback"]
    assert told["two"]["stream"] == "stdout"
    assert any("careful" in message for message in told)
    assert told["a log record cannot be formatted"]["logger"] == "mine"
    assert told["a thread failed"]["thread"] == "mine"
    assert {"by": "bytes"} in lines


def test_prints_of_parallel_calls_each_have_their_request(shared):
    task = shared("function", FUNCTION)
    with ThreadPoolExecutor(20) as pool:
        futures = [
            pool.submit(task.post, "/invocations", {"print": f"word-{n}", "times": 20}, **{"X-Request-Id": f"p-{n}"})
            for n in range(20)
        ]
        assert all(future.result().status_code == 200 for future in futures)
    for n in range(20):
        task.line(message="request", request_id=f"p-{n}")
    lines = [line for line in task.lines() if line.get("request_id", "").startswith("p-") and "stream" in line]
    for n in range(20):
        printed = [line["message"] for line in lines if line["request_id"] == f"p-{n}" and line["stream"] == "stdout"]
        assert printed == [f"word-{n} {i}" for i in range(20)]


def test_lines_that_are_printed_in_pieces_at_the_same_time_stay_whole(monkeypatch):
    class One:
        session_id = None

        def __init__(self, name):
            self.request_id = name

        def heard(self, text):
            return False

    written = io.StringIO()
    monkeypatch.setattr(logs, "_out", written)
    stream = logs.Printed("stdout")
    contexts = {}
    for name in "ab":
        contexts[name] = contextvars.copy_context()
        contexts[name].run(logs.speaker.set, One(name))
    for piece in ("hel", "lo", "\n"):
        for name, context in contexts.items():
            context.run(stream.write, piece if piece == "\n" else piece + name)
    told = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["request_id"], line["message"]) for line in told] == [("a", "helaloa"), ("b", "helblob")]


def test_a_caller_is_told_the_kind_of_a_failure_and_the_log_all_of_it(shared):
    task = shared("function", FUNCTION)
    answer = task.post(body={"raise": "the secret"}, **{"X-Request-Id": "failing"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "the agent failed (ValueError)", "code": "agent_error", "request_id": "failing"}
    line = task.line(message="the agent failed", request_id="failing")
    assert "ValueError: the secret" in line["traceback"]
    assert task.line(message="request", request_id="failing")["outcome"] == "agent_error"


def test_answers_do_not_go_into_the_log(start):
    for code in (AGENT, MAIN):
        task = start(code).ready()
        task.ask("a private matter", "s")
        task.stream(body={"prompt": "a private matter"})
        assert task.stop() == 0
        assert "private" not in task.output.read_text()


def test_request_ids_that_could_forge_lines_are_replaced(shared):
    task = shared("function", FUNCTION)
    for given in ("a b", 'x"y', "x" * 300):
        answer = task.post(body={}, **{"X-Request-Id": given})
        assert len(answer.headers["x-request-id"]) == 32


def test_the_log_level_holds_for_the_agents_code_and_not_for_chatty_libraries(start):
    code = """
    import logging

    def invoke(payload):
        for name in ("mine", "botocore"):
            logging.getLogger(name).debug(name)
    """
    task = start(code, LOG_LEVEL="debug", AGENT_MODEL="").ready()
    assert task.post(body={}).status_code == 200
    assert task.line(logger="mine")["level"] == "debug"
    assert not any(line.get("logger") == "botocore" for line in task.lines())
