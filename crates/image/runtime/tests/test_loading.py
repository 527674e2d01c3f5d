"""Which symbol is served, and what is told when none can be."""

from __future__ import annotations

import sys

import pytest
from conftest import write

from fargateer_runtime.faults import LoadFailed
from fargateer_runtime.loading import load

ORDER = ("create_agent", "get_agent", "build_agent", "agent", "app", "invoke", "handler", "main")

WHOLE = """
class Agent:
    async def stream_async(self, prompt): yield {}

def create_agent(session_id=None): return Agent()
def get_agent(): return Agent()
def build_agent(): return Agent()
agent = Agent()
async def app(scope, receive, send): pass
def invoke(payload): pass
def handler(payload, context): pass
async def main(user_input_arg=None, messages_arg=None): pass
def chat(session_id): return Agent()
def answer(payload): pass
"""
KINDS = {
    "create_agent": "factory",
    "get_agent": "factory",
    "build_agent": "factory",
    "agent": "agent",
    "app": "app",
    "invoke": "function",
    "handler": "function",
    "main": "main",
    "chat": "factory",
    "answer": "function",
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Makes the user's module."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def make(code, name="generated_agent"):
        write(tmp_path, code, f"{name.replace('.', '/')}.py")
        return name

    yield make
    for name in ("generated_agent", "other", "pack", "pack.inner"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_symbols_are_taken_in_the_documented_order(module, first):
    module(WHOLE + "\n".join(f"del {name}" for name in ORDER[:first]))
    loaded = load("")
    assert (loaded.symbol, loaded.kind) == (ORDER[first], KINDS[ORDER[first]])


@pytest.mark.parametrize(("symbol", "kind"), KINDS.items())
def test_the_entry_point_goes_before_the_order(module, symbol, kind):
    loaded = load(f"{module(WHOLE, 'other')}:{symbol}")
    assert (loaded.symbol, loaded.kind) == (symbol, kind)


def test_an_entry_point_may_be_a_module_of_a_package(module):
    module("", "pack.__init__")
    assert load(f"{module(WHOLE, 'pack.inner')}").symbol == "create_agent"


def test_an_entry_point_may_be_an_attribute_of_an_object(module):
    module(WHOLE + "class Holder:\n    the_agent = agent\nholder = Holder()", "other")
    assert load("other:holder.the_agent").kind == "agent"


def test_an_app_of_agentcore_is_its_entrypoint(module):
    module(
        "from bedrock_agentcore import BedrockAgentCoreApp\napp = BedrockAgentCoreApp()\n@app.entrypoint\ndef f(payload): pass\n"
    )
    assert load("").kind == "agentcore"


def test_a_symbol_that_cannot_be_served_leaves_the_turn_to_the_next(module):
    module("import json as agent\napp = None\ndef main(user_input_arg, messages_arg): pass\n")
    assert load("").symbol == "main"


def refused(entrypoint):
    with pytest.raises(LoadFailed) as caught:
        load(entrypoint)
    return caught.value


def test_a_missing_module_is_told_with_those_there_are(module):
    module("", "my_agent")
    failed = refused("")
    assert (failed.reason, failed.detail) == ("ModuleNotFound", "there is no module 'generated_agent'")
    assert "my_agent" in failed.hint


def test_a_missing_symbol_is_told_with_the_nearest(module):
    failed = refused(f"{module(WHOLE, 'other')}:create_agnt")
    assert (failed.reason, failed.hint) == ("SymbolNotFound", "did you mean 'create_agent'?")


def test_a_module_without_any_symbol_is_told_with_what_it_has(module):
    module("def run_it(): pass")
    failed = refused("")
    assert failed.reason == "SymbolNotFound"
    assert "AGENT_ENTRYPOINT=generated_agent:NAME" in failed.hint
    assert "run_it" in failed.hint


@pytest.mark.parametrize(
    "code", ["agent = 'a text'", "def main(): pass", "class app: pass", "def agent(prompt): pass", "def invoke(): pass"]
)
def test_what_is_no_agent_is_told_as_not_usable(module, code):
    module(code)
    assert refused("").reason == "SymbolNotUsable"


def test_an_app_of_agentcore_without_an_entrypoint_is_told(module):
    module("from bedrock_agentcore import BedrockAgentCoreApp\napp = BedrockAgentCoreApp()\n")
    assert "@app.entrypoint" in refused("").hint


def test_a_package_that_is_not_installed_is_named(module):
    module("import no_such_package")
    failed = refused("")
    assert failed.reason == "ImportFailed"
    assert failed.hint == "add the package of 'no_such_package' to requirements.txt"
    assert "line 1" in failed.traceback


@pytest.mark.parametrize(
    ("entrypoint", "reason"),
    [("pack.inner", "ImportFailed"), ("pack.none", "ImportFailed"), ("nopack.inner", "ModuleNotFound"), ("..", "ModuleNotFound")],
)
def test_a_package_that_fails_is_told_apart_from_one_that_is_not_there(module, entrypoint, reason):
    module("1 / 0", "pack.__init__")
    module(WHOLE, "pack.inner")
    assert refused(entrypoint).reason == reason


def test_a_module_that_ends_the_process_is_told_as_that(module):
    module("raise SystemExit(0)")
    assert "__main__" in refused("").hint
