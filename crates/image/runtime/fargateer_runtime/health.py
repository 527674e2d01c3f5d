"""The container's health check: asks our own server over a socket. No library, so that it costs little every 30 s."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from fargateer_runtime.faults import EXIT_OK, EXIT_UNHEALTHY

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT = 3.0  # seconds


def check(environment: Mapping[str, str]) -> int:
    """0 if `GET /health` answers 200 on 127.0.0.1 (or HOST, if it names one address), else 1."""
    port = environment.get("PORT", "").strip() or "8000"
    host = environment.get("HOST", "").strip()
    address = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    try:
        with socket.create_connection((address, int(port)), TIMEOUT) as connection:
            connection.settimeout(TIMEOUT)
            connection.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = connection.recv(64)
    except (OSError, ValueError):
        return EXIT_UNHEALTHY
    return EXIT_OK if b" 200 " in answer else EXIT_UNHEALTHY
