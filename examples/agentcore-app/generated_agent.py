"""An app of the AgentCore SDK, as it is: the same file runs on AgentCore and on ECS."""

from bedrock_agentcore import BedrockAgentCoreApp
from strands import Agent

app = BedrockAgentCoreApp()


@app.entrypoint
async def invoke(payload, context):
    """Streams text as AgentCore does: every value that is yielded is one `data:` line."""
    # One agent a call, because calls run at the same time.
    agent = Agent(system_prompt="You are a helpful assistant.", callback_handler=None)
    yield {"session": context.session_id}
    async for event in agent.stream_async(payload.get("prompt", "Hello")):
        if "data" in event:
            yield {"data": event["data"]}


if __name__ == "__main__":
    app.run()
