"""The agent. The runtime looks for `agent` here; `create_agent(session_id)` would make one a conversation."""

import os

from strands import Agent, tool
from strands.models import BedrockModel


@tool
def word_count(text: str) -> str:
    """Counts the words of a text."""
    return f"{len(text.split())} words"


agent = Agent(
    model=BedrockModel(model_id=os.environ.get("MODEL_ID", "us.anthropic.claude-sonnet-4-20250514-v1:0")),
    system_prompt="You are a helpful assistant.",
    tools=[word_count],
    callback_handler=None,
)
