"""A FastAPI app of one's own: it answers every path but /health, /ping and /metrics, which are the runtime's."""

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from strands import Agent

app = FastAPI(title="weather")


class Question(BaseModel):
    """The body of a question."""

    prompt: str


def make_agent() -> Agent:
    """One agent a request, because requests run at the same time."""
    return Agent(system_prompt="You answer questions about the weather.", callback_handler=None)


@app.post("/weather")
async def weather(question: Question) -> dict[str, str]:
    """The whole answer."""
    result = await make_agent().invoke_async(question.prompt)
    return {"answer": str(result).strip()}


@app.post("/weather-streaming")
async def weather_streaming(question: Question) -> StreamingResponse:
    """The answer as plain text, while it is made."""

    async def words():
        async for event in make_agent().stream_async(question.prompt):
            if "data" in event:
                yield event["data"]

    return StreamingResponse(words(), media_type="text/plain")
