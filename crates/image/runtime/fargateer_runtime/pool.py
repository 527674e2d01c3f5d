"""The pool: independent copies of the user's module, so that agents it holds are never used by two callers at once.

An `Agent` refuses a second call while it works, and remembers what the caller before said. Copying an agent is not possible (it
holds locks), so the module is imported again under another name, lazily, up to AGENT_POOL_SIZE; before each call a copy's agents
are set back to how they were made.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fargateer_runtime import logs
from fargateer_runtime.loading import Loaded, copy_of, find, is_agent

if TYPE_CHECKING:
    from types import ModuleType


@dataclass(eq=False)
class Copy:
    """One import of the module. `pristine` are the agents it holds, each with its state from before any call."""

    module: ModuleType
    value: Any
    pristine: list[tuple[Any, Any]] = field(default_factory=list)
    stateful: set[int] = field(default_factory=set)

    def reset(self) -> None:
        for agent, snapshot in self.pristine:
            agent.load_snapshot(snapshot)


class Pool:
    """Lends copies. Every method may be called from any thread."""

    def __init__(self, loaded: Loaded, most: int) -> None:
        self.loaded = loaded
        self.most = most
        self.made = 1
        self._copies_made = 1
        self._changed = threading.Condition()
        self.first = _copy(loaded.module, loaded.symbol)
        self._free = [self.first]
        # Without agents in the module there is nothing that callers could share.
        self.shared = not self.first.stateful

    def take(self) -> Copy:
        """A copy for one call, set back; blocks until there is one. Give it back whatever happens."""
        if self.shared:
            return self.first
        copy = self._take()
        copy.reset()
        return copy

    def _take(self) -> Copy:
        with self._changed:
            while not self._free and self.made >= self.most:
                self._changed.wait()
            if self._free:
                return self._free.pop()
            self.made += 1
        grown = self._grow()
        if grown is not None:
            return grown
        with self._changed:
            self.made -= 1
            # At least the copies that exist go on serving, one call each.
            self.most = max(1, self.made)
        return self._take()

    def give_back(self, copy: Copy, *, reusable: bool) -> None:
        """A copy whose call was cancelled may hold agents that are told to stop at their next call: it is not used again."""
        if self.shared:
            return
        with self._changed:
            if reusable or self.most == 1:
                self._free.append(copy)
            else:
                self.made -= 1
                if copy is not self.first:
                    sys.modules.pop(copy.module.__name__, None)
            self._changed.notify()

    def _grow(self) -> Copy | None:
        with self._changed:
            self._copies_made += 1
            number = self._copies_made
        try:
            copy = _copy(copy_of(self.loaded.module, number), self.loaded.symbol)
        except Exception as error:  # noqa: BLE001 - an import that works once only is a fact about the module
            logs.line("warning", "the agent's module cannot be imported again; fewer calls run at once", error=str(error))
            return None
        if copy.stateful & self.first.stateful:
            logs.line("warning", "agents come from another module and exist once; one call runs at a time")
            return None
        return copy


def _copy(module: ModuleType, symbol: str) -> Copy:
    copy = Copy(module, find(module, symbol))
    for value in [copy.value, *vars(module).values()]:
        _note(copy, value)
    return copy


def _note(copy: Copy, value: Any) -> None:
    """Notes an agent, or the agents of a graph or swarm."""
    if not is_agent(value) or id(value) in copy.stateful:
        return
    copy.stateful.add(id(value))
    snapshot = pristine(value)
    if snapshot is not None:
        copy.pristine.append((value, snapshot))
    nodes = getattr(value, "nodes", None)
    for node in nodes.values() if isinstance(nodes, dict) else ():
        _note(copy, getattr(node, "executor", None))


def pristine(agent: Any) -> Any | None:
    """The agent's state, to set it back to; None if it has no snapshots (graphs set their nodes back themselves)."""
    if not (callable(getattr(agent, "take_snapshot", None)) and callable(getattr(agent, "load_snapshot", None))):
        return None
    return agent.take_snapshot(preset="session", include=["system_prompt"])
