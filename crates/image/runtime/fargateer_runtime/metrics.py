"""Metrics in Prometheus' text format. Made here, because a client library would be one more pin in every agent's lock."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from fargateer_runtime import CONTRACT_VERSION, RUNTIME_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)  # seconds

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """What is counted of one process. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[Labels, int] = {}
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0
        self._tokens = {"input": 0, "output": 0}
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {}

    def gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        """A value that is read whenever somebody asks for the metrics."""
        with self._lock:
            self._gauges[name] = (about, read)

    def finished(self, endpoint: str, outcome: str, seconds: float) -> None:
        """One request has its answer. `outcome` is `ok` or the code of the error the caller was told."""
        labels = (("endpoint", endpoint), ("outcome", outcome))
        with self._lock:
            self._requests[labels] = self._requests.get(labels, 0) + 1
            self._seconds += seconds
            self._buckets[next((i for i, limit in enumerate(BUCKETS) if seconds <= limit), len(BUCKETS))] += 1

    def used(self, input_tokens: int, output_tokens: int) -> None:
        with self._lock:
            self._tokens["input"] += input_tokens
            self._tokens["output"] += output_tokens

    def text(self) -> str:
        with self._lock:
            requests, buckets, seconds, tokens = (
                dict(self._requests), list(self._buckets), self._seconds, dict(self._tokens),
            )  # fmt: skip
            gauges = dict(self._gauges)
        lines = list(_family("fargateer_agent_info", "gauge", "Versions of the runtime and its contract."))
        version = (("contract", CONTRACT_VERSION), ("runtime", RUNTIME_VERSION))
        lines.append(_sample("fargateer_agent_info", version, 1))
        lines += _family("fargateer_agent_requests_total", "counter", "Requests to the agent by outcome.")
        lines += [_sample("fargateer_agent_requests_total", labels, n) for labels, n in sorted(requests.items())]
        lines += _histogram("fargateer_agent_request_seconds", buckets, seconds)
        lines += _family("fargateer_agent_tokens_total", "counter", "Tokens that the model said it used.")
        lines += [_sample("fargateer_agent_tokens_total", (("direction", way),), n) for way, n in tokens.items()]
        for name, (about, read) in gauges.items():
            lines += _family(name, "gauge", about)
            lines.append(_sample(name, (), read()))
        return "\n".join(lines) + "\n"


def _family(name: str, kind: str, about: str) -> Iterable[str]:
    return (f"# HELP {name} {about}", f"# TYPE {name} {kind}")


def _sample(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    # Every digit: a rate is the difference of two large numbers.
    return f"{name}{{{shown}}} {value!r}" if shown else f"{name} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _histogram(name: str, buckets: list[int], seconds: float) -> Iterable[str]:
    yield from _family(name, "histogram", "Seconds from a request to the end of its answer.")
    total = 0
    for limit, count in zip((*map(str, BUCKETS), "+Inf"), buckets, strict=True):
        total += count
        yield _sample(f"{name}_bucket", (("le", limit),), total)
    yield _sample(f"{name}_sum", (), seconds)
    yield _sample(f"{name}_count", (), total)
