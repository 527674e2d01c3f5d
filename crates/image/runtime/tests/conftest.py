"""The test bench: real server processes on free ports, each with an agent of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

RUNTIME = Path(__file__).resolve().parents[1]
PROGRAM = RUNTIME / "agent_server.py"
EXAMPLES = RUNTIME.parents[2] / "examples"
PATIENCE = 30.0  # seconds until a condition that should hold at once counts as false, on a busy machine

sys.path.insert(0, str(RUNTIME))


def until(condition, what="the condition"):
    """Waits for a condition; returns what it returned."""
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not become true"
        time.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**given):
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    fixed = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-east-1", "HOST": "127.0.0.1", "AGENT_MODEL": "offline"}
    return {**kept, **fixed, **{key: str(value) for key, value in given.items()}}


def run(folder, *arguments, program=PROGRAM, **given):
    """Runs the program to its end."""
    return subprocess.run(
        [sys.executable, str(program), *arguments], cwd=folder, env=environment(**given), capture_output=True, text=True, timeout=60
    )


class Task:
    """A running server, as ECS would see its task."""

    def __init__(self, folder, **given):
        self.port = free_port()
        self.output = Path(folder) / f"stdout-{self.port}.log"
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), "serve"],
                cwd=folder,
                env=environment(PORT=self.port, **given),
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        # No certificates are read, which would cost more than most tests.
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE, verify=False)

    def ready(self):
        until(lambda: self.process.poll() is not None or self.health() == 200, "readiness")
        assert self.process.poll() is None, self.output.read_text()
        return self

    def health(self):
        """The status of /health on a connection of its own; None while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def post(self, path="/invocations", body=None, **headers):
        return self.http.post(path, json=body, headers=headers)

    def ask(self, prompt, session=None):
        answer = self.post(body={"prompt": prompt, **({"session_id": session} if session else {})})
        assert answer.status_code == 200, answer.text
        return answer.json()["output"]["text"]

    def stream(self, path="/invocations", body=None, **headers):
        """The events of a whole stream."""
        with self.http.stream("POST", path, json=body, headers={"accept": "text/event-stream", **headers}) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"].startswith("text/event-stream")
            return events(answer)

    def metric(self, name):
        lines = self.http.get("/metrics").text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), None)

    def lines(self):
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def line(self, **fields):
        """The first log line that has these fields; waits for it."""
        return until(lambda: next((line for line in self.lines() if fields.items() <= line.items()), None), f"a line with {fields}")

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def code(self):
        return self.process.wait(PATIENCE)

    def stop(self):
        self.signal()
        return self.code()

    def close(self):
        self.http.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def events(answer):
    """The JSON of each `data:` line; comments are left out."""
    return [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: ")]


def write(folder, code, name="generated_agent.py"):
    path = Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(code))
    return path.parent


@pytest.fixture
def start(tmp_path):
    """Starts tasks with a given agent; ends them after the test."""
    with ExitStack() as stack:

        def begin(code=None, **given):
            if code is not None:
                write(tmp_path, code)
            task = Task(tmp_path, **given)
            stack.callback(task.close)
            return task

        yield begin


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Tasks that several tests use: one for each agent."""
    with ExitStack() as stack:
        tasks = {}

        def begin(name, code, **given):
            if name not in tasks:
                tasks[name] = Task(write(tmp_path_factory.mktemp(name), code), **given)
                stack.callback(tasks[name].close)
            return tasks[name].ready()

        yield begin
