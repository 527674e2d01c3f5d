"""Sessions: kept in memory, in files and in S3, across tasks."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from agents import AGENT, FACTORY, MAIN
from bucket import S3
from conftest import until

from fargateer_runtime.faults import LoadFailed, Refused
from fargateer_runtime.sessions import Files, Memory, Sessions, key_of, open_store
from fargateer_runtime.settings import Settings


@pytest.fixture
def s3():
    server = S3()
    yield server
    server.close()


@pytest.mark.parametrize("code", [FACTORY, MAIN], ids=["factory", "main"])
def test_a_session_in_files_goes_on_in_the_next_task(start, tmp_path, code):
    where = (tmp_path / "sessions with space").as_uri()
    for number in (1, 2):
        task = start(code, AGENT_SESSION_STORE=where).ready()
        assert task.ask("hello", "kept") == f"[offline] turn {number}: hello"
        assert task.stop() == 0


def test_a_session_in_s3_goes_on_in_another_task_at_the_same_time(start, s3):
    store = {"AGENT_SESSION_STORE": "s3://bucket/some/prefix", **s3.environment}
    one, other = start(AGENT, **store), start(AGENT, **store)
    said = [task.ready().ask("hello", "kept") for task in (one, other, one)]
    assert said == [f"[offline] turn {number}: hello" for number in (1, 2, 3)]
    (path,) = s3.objects
    assert path == f"/bucket/some/prefix/{key_of('kept')}"


def test_two_tasks_cannot_overwrite_each_others_turns(start, s3):
    store = {"AGENT_SESSION_STORE": "s3://bucket", "AGENT_OFFLINE_WORD_DELAY_SECONDS": 0.02, **s3.environment}
    one, other = start(AGENT, **store).ready(), start(AGENT, **store).ready()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(one.post, "/invocations", {"prompt": "word " * 100, "session_id": "kept"})
        until(lambda: one.metric("fargateer_agent_running_calls") == 1)
        assert other.ask("quick", "kept") == "[offline] turn 1: quick"
        assert (slow.result().status_code, slow.result().json()["code"]) == (409, "session_conflict")
    assert other.ask("quick", "kept") == "[offline] turn 2: quick"


def test_a_store_that_fails_is_told_without_its_reasons(start, s3):
    task = start(AGENT, AGENT_SESSION_STORE="s3://bucket", **s3.environment).ready()
    s3.failing = True
    answer = task.post(body={"prompt": "hello", "session_id": "kept"})
    assert (answer.status_code, answer.json()["code"]) == (503, "session_store")
    assert "AccessDenied" not in answer.text
    assert "AccessDenied" in task.line(message="the session store failed")["traceback"]
    assert task.ask("hello") == "[offline] turn 1: hello"


def test_a_turn_that_fails_leaves_the_session_as_it_was(start):
    task = start(
        """
        from strands import Agent
        from strands.models import Model

        def create_agent(session_id=None):
            agent = Agent()
            agent.add_hook(fail)
            return agent

        from strands.hooks import AfterInvocationEvent

        def fail(event: AfterInvocationEvent):
            if "fail" in str(event.agent.messages[-2]):
                raise ValueError("as told")
        """
    ).ready()
    assert task.ask("hello", "kept") == "[offline] turn 1: hello"
    assert task.post(body={"prompt": "fail", "session_id": "kept"}).status_code == 500
    assert task.ask("hello", "kept") == "[offline] turn 2: hello"


def test_an_agent_with_a_session_manager_of_its_own_keeps_its_turns_itself(start, tmp_path):
    task = start(
        f"""
        from strands import Agent
        from strands.session import FileSessionManager

        def create_agent(session_id=None):
            manager = FileSessionManager(session_id=session_id, storage_dir={str(tmp_path)!r}) if session_id else None
            return Agent(session_manager=manager)
        """
    ).ready()
    assert [task.ask("hello", "own") for _ in range(3)] == [f"[offline] turn {n}: hello" for n in (1, 2, 3)]
    assert task.metric("fargateer_agent_sessions") == 0


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_an_expired_session_is_as_if_it_had_never_been():
    clock = Clock()
    sessions = Sessions(Memory(10), 60, clock)
    sessions.save("a", {"n": 1}, None)
    clock.now += 60
    assert sessions.load("a") == ({"n": 1}, None)
    clock.now += 1
    assert sessions.load("a") == (None, None)


def test_memory_forgets_the_session_that_was_used_longest_ago():
    memory = Memory(2)
    memory.write("a", b"1", None)
    memory.write("b", b"2", None)
    memory.read("a")
    memory.write("c", b"3", None)
    assert [memory.read(key)[0] for key in "abc"] == [b"1", None, b"3"]
    assert memory.count() == 2


def test_files_older_than_their_time_are_removed(tmp_path):
    files = Files(tmp_path, ttl=60)
    files.write("old.json", b"x", None)
    os.utime(tmp_path / "old.json", (1, 1))
    files.swept = 0.0
    files.write("new.json", b"y", None)
    assert files.read("old.json") == (None, None)
    assert files.read("new.json") == (b"y", None)


def test_bytes_survive_and_other_objects_are_refused():
    sessions = Sessions(Memory(10), 60)
    sessions.save("a", {"image": b"\x00\xff", "pair": (1, 2)}, None)
    assert sessions.load("a")[0] == {"image": b"\x00\xff", "pair": [1, 2]}
    with pytest.raises(TypeError):
        sessions.save("a", {"what": object()}, None)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", json.dumps({"format": 1, "saved_at": "x"}).encode()])
def test_a_record_that_cannot_be_read_is_told_not_guessed(data):
    memory = Memory(10)
    memory.write(key_of("a"), data, None)
    with pytest.raises(Refused) as caught:
        Sessions(memory, 60).load("a")
    assert caught.value.code == "session_store"


@pytest.mark.parametrize("where", ["", "disk", "file://host/x", "s3://", "s3:/x", "http://x"])
def test_a_store_that_is_none_is_refused(where):
    with pytest.raises(LoadFailed) as caught:
        open_store(Settings(session_store=where))
    assert caught.value.reason == "BadSetting"
