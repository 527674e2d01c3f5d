"""Settings: everything that comes from the environment, read once at the start.

Nothing else in the package reads the environment, so that a test can make any settings it wants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fargateer_runtime.faults import LoadFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_MODULE = "generated_agent"
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Settings:
    """Names, units and defaults are those of the table in README.md."""

    host: str = "0.0.0.0"  # noqa: S104 - a container answers on every address of its task
    port: int = 8000
    agent_name: str = ""
    agent_revision: str = ""
    entrypoint: str = ""
    model: str = ""
    pool_size: int = 4
    max_concurrency: int | None = None
    max_queue: int = 64
    invoke_timeout: float = 300.0
    max_body_bytes: int = 10 * 1024 * 1024
    session_store: str = "memory"
    session_ttl: float = 86_400.0
    session_max: int = 1000
    shutdown_grace: float = 25.0
    keepalive: float = 15.0
    offline_word_delay: float = 0.0
    log_level: str = "info"


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Reads the settings; an empty value counts as absent.

    Raises `LoadFailed` (BadSetting) that names the variable, its value and what is allowed.
    """
    read = _Reader(environment)
    concurrency = read.whole("AGENT_MAX_CONCURRENCY", 0, 0)
    return Settings(
        host=read.text("HOST", Settings.host),
        port=read.whole("PORT", Settings.port, 1, 65_535),
        agent_name=read.text("AGENT_NAME", ""),
        agent_revision=read.text("AGENT_REVISION", ""),
        entrypoint=read.text("AGENT_ENTRYPOINT", ""),
        model=read.one_of("AGENT_MODEL", "", ("offline",)),
        pool_size=read.whole("AGENT_POOL_SIZE", Settings.pool_size, 1),
        max_concurrency=concurrency or None,
        max_queue=read.whole("AGENT_MAX_QUEUE", Settings.max_queue, 0),
        invoke_timeout=read.seconds("AGENT_INVOKE_TIMEOUT_SECONDS", Settings.invoke_timeout),
        max_body_bytes=read.whole("AGENT_MAX_BODY_BYTES", Settings.max_body_bytes, 1),
        session_store=read.text("AGENT_SESSION_STORE", Settings.session_store),
        session_ttl=read.seconds("AGENT_SESSION_TTL_SECONDS", Settings.session_ttl),
        session_max=read.whole("AGENT_SESSION_MAX", Settings.session_max, 1),
        shutdown_grace=read.seconds("AGENT_SHUTDOWN_GRACE_SECONDS", Settings.shutdown_grace),
        keepalive=read.seconds("AGENT_KEEPALIVE_SECONDS", Settings.keepalive),
        offline_word_delay=read.seconds("AGENT_OFFLINE_WORD_DELAY_SECONDS", Settings.offline_word_delay, zero="allowed"),
        log_level=read.one_of("LOG_LEVEL", Settings.log_level, LOG_LEVELS),
    )


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def text(self, name: str, default: str) -> str:
        return self.environment.get(name, "").strip() or default

    def one_of(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default).lower()
        if value != default and value not in allowed:
            raise _bad(name, value, "one of " + ", ".join(allowed))
        return value

    def whole(self, name: str, default: int, least: int, most: int = 2**53) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal() or not least <= int(value) <= most:
            raise _bad(name, value, f"a whole number from {least}" + (f" to {most}" if most < 2**53 else ""))
        return int(value)

    def seconds(self, name: str, default: float, zero: str = "refused") -> float:
        value = self.text(name, str(default))
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number < 1e9 or (number == 0 and zero != "allowed"):
            raise _bad(name, value, "seconds, a number above 0")
        return number


def _bad(name: str, value: str, allowed: str) -> LoadFailed:
    return LoadFailed("BadSetting", f"{name} is {value!r}", hint=f"it must be {allowed}")
