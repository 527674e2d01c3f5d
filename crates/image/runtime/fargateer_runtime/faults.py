"""What can go wrong, as types: `LoadFailed` ends the process, `Refused` is an answer to one caller."""

from __future__ import annotations

from dataclasses import dataclass, field

EXIT_OK = 0
EXIT_UNHEALTHY = 1
EXIT_USAGE = 64
EXIT_CANNOT_LISTEN = 69
EXIT_CANNOT_LOAD = 78


class LoadFailed(Exception):
    """The agent cannot be loaded; trying again without a change will not help.

    `reason` is one of: BadSetting, MissingDependency, ModuleNotFound, ImportFailed, SymbolNotFound, SymbolNotUsable,
    StartupFailed.
    """

    def __init__(self, reason: str, detail: str, hint: str = "", traceback: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.hint = hint
        self.traceback = traceback


@dataclass
class Refused(Exception):
    """An answer that is not the agent's: told to the caller as it stands, so it holds nothing internal."""

    status: int
    code: str
    message: str
    retry_after: int | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message


def bad_request(message: str) -> Refused:
    return Refused(400, "bad_request", message)


def draining() -> Refused:
    # `Connection: close` makes the load balancer look for another task instead of this connection.
    return Refused(503, "draining", "the task is stopping", retry_after=1, headers={"Connection": "close"})


def timed_out(seconds: float) -> Refused:
    return Refused(504, "timeout", f"the agent did not answer within {seconds:g} s")


def agent_failed(error: BaseException) -> Refused:
    """An exception of user code. Its text may hold anything, so only its type is told; the log has the rest."""
    name = type(error).__name__
    if name == "ModelThrottledException":
        return Refused(503, "model_throttled", "the model refused the call: too many requests", retry_after=5)
    return Refused(500, "agent_error", f"the agent failed ({name})")
