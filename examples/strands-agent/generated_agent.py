"""An agent as the Strands Studio generates it: agents are globals, `main` takes the input, prints the answer and returns it."""

import argparse
import asyncio
import json
import os

from strands import Agent, tool
from strands.models import BedrockModel


@tool
def word_counter(text: str) -> str:
    """Count the number of words in the provided text."""
    return f"Word count: {len(text.split())}"


writer_model = BedrockModel(
    model_id=os.environ.get("MODEL_ID", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
    temperature=0.7,
    max_tokens=4000,
)

writer = Agent(
    model=writer_model,
    system_prompt="You are a helpful assistant. Use the word_counter tool when asked for the number of words.",
    tools=[word_counter],
    callback_handler=None,
)


async def main(user_input_arg: str | None = None, messages_arg: str | None = None):
    """`messages_arg` is a JSON list of messages, the whole conversation; it goes before `user_input_arg`."""
    if messages_arg is not None and messages_arg.strip():
        user_input = json.loads(messages_arg)
    elif user_input_arg is not None and user_input_arg.strip():
        user_input = user_input_arg.strip()
    else:
        user_input = "Hello, how can you help me?"

    answer = ""
    async for event in writer.stream_async(user_input):
        if "data" in event:
            answer += event["data"]
            print(event["data"], end="", flush=True)
    return answer


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Execute Strands Agent")
    parser.add_argument("--user-input", type=str, help="User input prompt")
    parser.add_argument("--messages", type=str, help="JSON string of conversation messages")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.user_input, arguments.messages))
