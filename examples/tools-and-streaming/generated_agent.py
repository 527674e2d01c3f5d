"""An agent with tools, made anew for every call by `create_agent`: nothing that one caller said can reach another."""

from datetime import UTC, datetime

from strands import Agent, tool
from strands.models import BedrockModel

# Kept: clients are dear (8 MB, 0.2 s). Agents are cheap, and are not kept.
model = BedrockModel(model_id="us.anthropic.claude-sonnet-4-20250514-v1:0")

PRICES = {"tea": 2.5, "coffee": 3.0, "cake": 4.25}  # euro


@tool
def price_of(item: str) -> float:
    """The price of one item, in euro.

    Args:
        item: what the guest wants, in the singular
    """
    try:
        return PRICES[item.strip().lower()]
    except KeyError:
        raise ValueError(f"we do not sell {item}") from None


@tool
def add(a: float, b: float) -> float:
    """Add two amounts.

    Args:
        a: the first amount
        b: the second amount
    """
    return a + b


@tool
def current_time() -> str:
    """The time now, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def create_agent(session_id: str | None = None) -> Agent:
    """The agent for one call. The runtime puts the session's earlier turns back into it and keeps the new ones."""
    return Agent(
        name="waiter",
        model=model,
        system_prompt="You are a waiter. Look prices up and add them with the tools; never guess an amount.",
        tools=[price_of, add, current_time],
        trace_attributes={"session.id": session_id or "none"},
    )
