"""The program: its verbs, exit codes and the one line that tells why an agent is not served."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
from agents import AGENT, FACTORY, FUNCTION
from conftest import RUNTIME, environment, free_port, run, write

from fargateer_runtime import RUNTIME_VERSION


def last(done):
    """The last line, as JSON."""
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("verb", ["serve", "check"])
def test_an_import_error_is_exit_78_and_one_line_with_the_traceback(tmp_path, verb):
    write(tmp_path, "def fails():\n    raise KeyError('deep')\n\nfails()\n")
    done = run(tmp_path, verb, PORT=free_port(), AGENT_NAME="bot", AGENT_REVISION="7")
    assert done.returncode == 78
    told = last(done)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
    assert (told["event"], told["reason"], told["exit_code"]) == ("agent_load_failed", "ImportFailed", 78)
    assert (told["agent"], told["revision"], told["level"]) == ("bot", "7", "error")
    assert "generated_agent.py" in told["traceback"]
    assert "fails()" in told["traceback"]


@pytest.mark.parametrize(
    ("code", "given", "reason", "words"),
    [
        (None, {}, "ModuleNotFound", "generated_agent"),
        ("", {}, "SymbolNotFound", "create_agent"),
        ("agent = 1", {}, "SymbolNotUsable", "agent"),
        ("def create_agent(): raise OSError('no network')", {}, "StartupFailed", "no network"),
        ("def create_agent(): return 7", {}, "SymbolNotUsable", "returned int"),
        (FUNCTION, {"AGENT_ENTRYPOINT": "generated_agent:handle"}, "SymbolNotFound", "handle"),
        (FUNCTION, {"AGENT_POOL_SIZE": "0"}, "BadSetting", "AGENT_POOL_SIZE is '0'"),
        (FUNCTION, {"AGENT_INVOKE_TIMEOUT_SECONDS": "soon"}, "BadSetting", "AGENT_INVOKE_TIMEOUT_SECONDS"),
        (FUNCTION, {"AGENT_SESSION_STORE": "redis://x"}, "BadSetting", "AGENT_SESSION_STORE"),
        (FUNCTION, {"AGENT_SESSION_STORE": "file:///proc/nowhere"}, "BadSetting", "/proc/nowhere"),
        (FUNCTION, {"AGENT_MODEL": "gpt"}, "BadSetting", "AGENT_MODEL"),
        (FUNCTION, {"LOG_LEVEL": "loud"}, "BadSetting", "LOG_LEVEL"),
    ],
)
def test_why_an_agent_cannot_be_loaded_is_told(tmp_path, code, given, reason, words):
    if code is not None:
        write(tmp_path, code)
    # Without the offline model nothing heavy is imported.
    done = run(tmp_path, "check", **{"AGENT_MODEL": "", **given})
    assert (done.returncode, last(done)["reason"]) == (78, reason)
    assert words in last(done)["detail"]


@pytest.mark.parametrize("verb", ["serve", "check"])
def test_a_runtime_without_its_libraries_says_which(tmp_path, verb):
    write(tmp_path, FUNCTION)
    # -I and -S: no site-packages, as in an image whose requirements were forgotten.
    command = [sys.executable, "-I", "-S", str(RUNTIME / "agent_server.py"), verb]
    done = subprocess.run(command, cwd=tmp_path, env=environment(AGENT_MODEL=""), capture_output=True, text=True, timeout=60)
    assert (done.returncode, last(done)["reason"]) == (78, "MissingDependency")
    assert "starlette, uvicorn and websockets" in last(done)["hint"]


def test_a_taken_port_is_exit_69(tmp_path):
    write(tmp_path, FUNCTION)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(tmp_path, "serve", PORT=taken.getsockname()[1], AGENT_MODEL="")
    assert (done.returncode, last(done)["event"]) == (69, "agent_cannot_listen")


@pytest.mark.parametrize(
    ("code", "about"),
    [
        (AGENT, {"kind": "agent", "symbol": "agent", "sessions": "runtime", "model": "OfflineModel", "tools": ["add", "broken"]}),
        (FACTORY, {"kind": "factory", "symbol": "create_agent", "sessions": "runtime", "concurrency": 32}),
        (FUNCTION, {"kind": "function", "symbol": "handler", "sessions": "user"}),
    ],
)
def test_check_tells_how_an_agent_would_be_served(tmp_path, code, about):
    write(tmp_path, code)
    done = run(tmp_path, "check")
    assert done.returncode == 0, done.stdout
    told = last(done)
    assert told["event"] == "agent_check"
    assert about.items() <= told.items()
    assert (told["runtime"], told["contract"], told["offline"]) == (RUNTIME_VERSION, "v1", True)


def test_the_version_is_told():
    done = run(RUNTIME, "version")
    assert (done.returncode, done.stdout) == (0, f"fargateer-runtime {RUNTIME_VERSION} contract v1\n")


@pytest.mark.parametrize("arguments", [("dance",), ("serve", "now")])
def test_an_unknown_verb_is_exit_64(arguments):
    done = run(RUNTIME, *arguments)
    assert done.returncode == 64
    assert done.stderr.startswith("usage: agent_server.py")


# What the task definition has for images without curl.
INLINE = (
    "import socket,sys\ntry:\n s=socket.create_connection(('127.0.0.1',{port}),3);s.settimeout(3);"
    "s.sendall(b'GET /health HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n');sys.exit(b' 200 ' not in s.recv(64))\n"
    "except OSError:\n sys.exit(1)"
)


def test_both_health_commands_tell_a_ready_task_from_none(shared, tmp_path):
    task = shared("function", FUNCTION)
    for port, code in ((task.port, 0), (free_port(), 1)):
        assert run(tmp_path, "healthcheck", PORT=port).returncode == code
        inline = [sys.executable, "-I", "-S", "-c", INLINE.format(port=port)]
        assert subprocess.run(inline, timeout=60).returncode == code
