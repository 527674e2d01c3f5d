"""Sessions: what is kept of a conversation between its turns, in memory, in files or in S3.

Stores are plain and blocking; they are used in the thread of a call, never on the HTTP loop.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from fargateer_runtime import logs
from fargateer_runtime.faults import LoadFailed, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from fargateer_runtime.settings import Settings

FORMAT = 1
SWEEP_EVERY = 300.0  # seconds between two looks for expired files

Version = str | None


class Store(Protocol):
    """Bytes by key. A version guards against two tasks that take turns of one session at the same time."""

    def read(self, key: str) -> tuple[bytes | None, Version]: ...

    def write(self, key: str, data: bytes, version: Version) -> None:
        """Raises `Refused` (409) if somebody else has written since `version` was read."""

    def count(self) -> int:
        """How many sessions this process holds itself; 0 for a store elsewhere."""


class Sessions:
    """The saved state of sessions; expired ones are as if they had never been."""

    def __init__(self, store: Store, ttl: float, now: Callable[[], float] = time.time) -> None:
        self.store = store
        self.ttl = ttl
        self.now = now

    def load(self, session_id: str) -> tuple[dict[str, Any] | None, Version]:
        """The state that was saved last, and its version for `save`. Raises `Refused` (503) if the store fails."""
        try:
            data, version = self.store.read(key_of(session_id))
        except Refused:
            raise
        except Exception as error:
            raise _store_failed("read", error) from error
        if data is None:
            return None, version
        try:
            record = json.loads(data, object_hook=_decode)
            expired = self.now() - float(record["saved_at"]) > self.ttl
            state = record["state"] if record["format"] == FORMAT else None
        except (ValueError, KeyError, TypeError) as error:
            raise _store_failed("read", error) from error
        return (None if expired or not isinstance(state, dict) else state), version

    def save(self, session_id: str, state: dict[str, Any], version: Version) -> None:
        record = {"format": FORMAT, "session_id": session_id, "saved_at": self.now(), "state": state}
        data = json.dumps(record, default=_encode, ensure_ascii=False).encode()
        try:
            self.store.write(key_of(session_id), data, version)
        except Refused:
            raise
        except Exception as error:
            raise _store_failed("written", error) from error


def key_of(session_id: str) -> str:
    """A name that is safe in a path and tells nothing: session ids come from callers."""
    return hashlib.sha256(session_id.encode()).hexdigest() + ".json"


def _store_failed(step: str, error: Exception) -> Refused:
    logs.line("error", "the session store failed", step=step, error=str(error), traceback=logs.trace_of(error))
    return Refused(503, "session_store", f"the session cannot be {step}", retry_after=1)


def _encode(value: object) -> object:
    if isinstance(value, bytes):
        return {"__bytes__": base64.b64encode(value).decode()}
    if isinstance(value, tuple | set):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be kept in a session")


def _decode(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["__bytes__"]) if value.keys() == {"__bytes__"} else value


def open_store(settings: Settings) -> Sessions:
    """The store that AGENT_SESSION_STORE names. Raises `LoadFailed`."""
    where = settings.session_store
    parts = urlsplit(where)
    if where == "memory":
        return Sessions(Memory(settings.session_max), settings.session_ttl)
    if parts.scheme == "file" and parts.path and not parts.netloc:
        return Sessions(Files(Path(unquote(parts.path)), settings.session_ttl), settings.session_ttl)
    if parts.scheme == "s3" and parts.netloc:
        return Sessions(Bucket(parts.netloc, parts.path.strip("/")), settings.session_ttl)
    raise LoadFailed(
        "BadSetting",
        f"AGENT_SESSION_STORE is {where!r}",
        hint="it must be memory, file:///directory or s3://bucket/prefix",
    )


class Memory:
    """Sessions of this process; the one that was used longest ago goes first when there are too many."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.lock = threading.Lock()
        self.kept: OrderedDict[str, bytes] = OrderedDict()

    def read(self, key: str) -> tuple[bytes | None, Version]:
        with self.lock:
            data = self.kept.get(key)
            if data is not None:
                self.kept.move_to_end(key)
            return data, None

    def write(self, key: str, data: bytes, version: Version) -> None:  # noqa: ARG002 - one process, one lock per session
        with self.lock:
            self.kept[key] = data
            self.kept.move_to_end(key)
            while len(self.kept) > self.most:
                self.kept.popitem(last=False)

    def count(self) -> int:
        return len(self.kept)


class Files:
    """One file a session. Files older than the time to live are removed now and then."""

    def __init__(self, directory: Path, ttl: float) -> None:
        self.directory = directory
        self.ttl = ttl
        self.swept = 0.0
        try:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / ".writable").write_bytes(b"")
        except OSError as error:
            raise LoadFailed(
                "BadSetting",
                f"sessions cannot be kept in {directory}: {error.strerror}",
                hint="mount a volume there that the task's user may write",
            ) from error

    def read(self, key: str) -> tuple[bytes | None, Version]:
        try:
            return (self.directory / key).read_bytes(), None
        except FileNotFoundError:
            return None, None

    def write(self, key: str, data: bytes, version: Version) -> None:  # noqa: ARG002 - see README: one task a directory
        self._sweep()
        # Written apart and renamed: a task that is killed in the middle leaves the turn before.
        part = self.directory / f"{key}.{threading.get_ident()}.part"
        part.write_bytes(data)
        os.replace(part, self.directory / key)

    def _sweep(self) -> None:
        now = time.time()
        if now - self.swept < SWEEP_EVERY:
            return
        self.swept = now
        for path in self.directory.iterdir():
            try:
                if path.suffix in (".json", ".part") and now - path.stat().st_mtime > self.ttl:
                    path.unlink()
            except FileNotFoundError:
                continue

    def count(self) -> int:
        return 0


class Bucket:
    """One object a session. A write is conditional on what was read: replicas cannot overwrite each other's turns."""

    def __init__(self, bucket: str, prefix: str) -> None:
        try:
            import boto3
            import botocore.exceptions
        except ImportError as error:
            raise LoadFailed("MissingDependency", "sessions in S3 need boto3", hint="add boto3 to requirements.txt") from error
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.error = botocore.exceptions.ClientError
        try:
            self.client = boto3.client("s3")
        except botocore.exceptions.BotoCoreError as error:
            raise LoadFailed("BadSetting", f"there is no client for S3: {error}", hint="set AWS_REGION, as ECS does") from error

    def read(self, key: str) -> tuple[bytes | None, Version]:
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)
        except self.error as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None, None
            raise
        return answer["Body"].read(), answer["ETag"]

    def write(self, key: str, data: bytes, version: Version) -> None:
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        try:
            self.client.put_object(
                Bucket=self.bucket, Key=self.prefix + key, Body=data, ContentType="application/json", **condition
            )
        except self.error as error:
            if error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict", "412", "409"):
                raise Refused(409, "session_conflict", "another turn of this session ended in between") from error
            raise

    def count(self) -> int:
        return 0
