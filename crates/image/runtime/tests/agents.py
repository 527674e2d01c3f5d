"""Agents of users, in every form there is."""

AGENT = """
from strands import Agent, tool

@tool
def add(a: int, b: int) -> int:
    '''Adds two numbers.'''
    return a + b

@tool
def broken(reason: str) -> str:
    '''Fails.'''
    raise ValueError(reason)

agent = Agent(tools=[add, broken])
"""

FACTORY = """
from strands import Agent

def create_agent(session_id=None):
    return Agent(system_prompt=f"session {session_id}")
"""

# Answers at once, unless the payload says otherwise. Files stand in for signals between a test and the agent.
FUNCTION = """
import pathlib, sys, time

def handler(payload, context):
    if "raise" in payload:
        raise ValueError(payload["raise"])
    if "print" in payload:
        for n in range(payload.get("times", 1)):
            print(payload["print"], n)
            print("to stderr", payload["print"], file=sys.stderr)
    if "wait" in payload:
        pathlib.Path(payload["wait"] + ".here").touch()
        while not pathlib.Path(payload["wait"]).exists():
            time.sleep(0.005)
    if "spin" in payload:
        end = time.monotonic() + payload["spin"]
        while time.monotonic() < end:
            pass
    return {"echo": payload, "session": context.session_id, "request": context.request_id}
"""

GENERATOR = """
def invoke(payload):
    for word in payload["words"]:
        yield word
    if payload.get("fail"):
        raise RuntimeError("secret in the middle")
"""

# The Studio's form: a global agent, used synchronously in an async function.
MAIN = """
import json
from strands import Agent

helper = Agent(callback_handler=None)

async def main(user_input_arg: str = None, messages_arg: str = None):
    response = helper(json.loads(messages_arg) if messages_arg else user_input_arg)
    print(str(response))
    return str(response)
"""
