"""Loading: from the user's files to the symbol that is served, and what kind of thing it is."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Literal

from fargateer_runtime import logs
from fargateer_runtime.faults import LoadFailed
from fargateer_runtime.settings import DEFAULT_MODULE

Kind = Literal["factory", "agent", "app", "agentcore", "function", "main"]

FACTORIES = ("create_agent", "get_agent", "build_agent")
FUNCTIONS = ("invoke", "handler")
# The documented order: what says most about how it wants to be served comes first.
ORDER = (*FACTORIES, "agent", "app", *FUNCTIONS, "main")
MAIN_PARAMETERS = {"user_input_arg", "messages_arg"}


@dataclass(frozen=True)
class Loaded:
    """The symbol to serve. `module` is the first copy, imported under its own name."""

    module: ModuleType
    symbol: str
    kind: Kind
    value: Any


def load(entrypoint: str) -> Loaded:
    """Imports the user's module and finds the symbol: `module:symbol`, `module`, or by the documented order.

    Raises `LoadFailed` (ModuleNotFound, ImportFailed, SymbolNotFound, SymbolNotUsable).
    """
    name, _, symbol = entrypoint.partition(":")
    module = _import(name or DEFAULT_MODULE)
    return _named(module, symbol) if symbol else _first(module)


def _import(name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    if not _exists(name):
        beside = sorted(path.stem for path in Path(here).glob("*.py") if path.stem != "agent_server")
        hint = f"{here} has the modules {', '.join(beside)}" if beside else f"{here} has no Python files"
        raise LoadFailed("ModuleNotFound", f"there is no module {name!r}", hint + "; AGENT_ENTRYPOINT names another")
    try:
        return importlib.import_module(name)
    except BaseException as error:  # a module may even call sys.exit
        raise import_failed(name, error) from error


def _exists(name: str) -> bool:
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except BaseException as error:
        # Looking for `package.module` imports the package.
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            return False
        raise import_failed(name, error) from error


def import_failed(name: str, error: BaseException) -> LoadFailed:
    hint = ""
    if isinstance(error, ModuleNotFoundError) and error.name:
        hint = f"add the package of {error.name!r} to requirements.txt"
    elif isinstance(error, SystemExit):
        hint = "keep what runs the agent below `if __name__ == '__main__':`"
    detail = f"importing {name} failed: {type(error).__name__}: {error}"
    return LoadFailed("ImportFailed", detail, hint, logs.trace_of(error))


def _named(module: ModuleType, symbol: str) -> Loaded:
    try:
        value = find(module, symbol)
    except AttributeError as error:
        near = difflib.get_close_matches(symbol, _public(module), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(_public(module)) or 'no public names'}"
        raise LoadFailed("SymbolNotFound", f"{module.__name__} has no {symbol!r}", hint) from error
    kind = _kind(symbol.rpartition(".")[2], value)
    if kind is None:
        raise _not_usable(module, [symbol])
    return _checked(Loaded(module, symbol, kind, value))


def find(module: ModuleType, symbol: str) -> Any:
    value: Any = module
    for part in symbol.split("."):
        value = getattr(value, part)
    return value


def _first(module: ModuleType) -> Loaded:
    unusable = []
    for symbol in ORDER:
        value = getattr(module, symbol, None)
        # `import strands.agent as agent` is a module of that name, not an agent.
        if value is None or isinstance(value, ModuleType):
            continue
        kind = _kind(symbol, value)
        if kind is not None:
            return _checked(Loaded(module, symbol, kind, value))
        unusable.append(symbol)
    if unusable:
        raise _not_usable(module, unusable)
    public = _public(module)
    hint = f"it has {', '.join(public)}; AGENT_ENTRYPOINT={module.__name__}:NAME serves one of them" if public else ""
    raise LoadFailed("SymbolNotFound", f"{module.__name__} has none of {', '.join(ORDER)}", hint)


def _public(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if not name.startswith("_") and not isinstance(value, ModuleType | type)]


def _not_usable(module: ModuleType, symbols: list[str]) -> LoadFailed:
    hint = (
        "an agent has stream_async or invoke_async, a factory returns one, an app is an ASGI app, invoke and handler take the "
        "payload, main takes (user_input_arg, messages_arg)"
    )
    return LoadFailed("SymbolNotUsable", f"{module.__name__} has {', '.join(symbols)}, which cannot be served", hint)


def _checked(loaded: Loaded) -> Loaded:
    if loaded.kind == "agentcore" and "main" not in loaded.value.handlers:
        detail = f"{loaded.module.__name__}:{loaded.symbol} has no entrypoint"
        raise LoadFailed("SymbolNotUsable", detail, "mark a function with @app.entrypoint")
    return loaded


def _kind(name: str, value: Any) -> Kind | None:
    """What a value is: by what it can do, and a function by its name and parameters."""
    if isinstance(value, type) or not (callable(value) or is_agent(value)):
        return None
    if any(base.__name__ == "BedrockAgentCoreApp" for base in type(value).__mro__):
        return "agentcore"
    if is_agent(value):
        return "agent"
    parameters = parameters_of(value)
    if parameters == ["scope", "receive", "send"] or (name == "app" and len(parameters) == 3):
        return "app"
    if name == "agent" or not isinstance(value, FunctionType):
        return None
    return _kind_of_function(name, parameters)


def _kind_of_function(name: str, parameters: list[str]) -> Kind | None:
    if set(parameters) >= MAIN_PARAMETERS:
        return "main"
    if name == "main":
        return None
    if name in FACTORIES or parameters == ["session_id"]:
        return "factory"
    return "function" if parameters else None


def is_agent(value: Any) -> bool:
    """Agents, graphs and swarms of strands, and whatever can be used like them."""
    return not isinstance(value, type) and any(callable(getattr(value, m, None)) for m in ("stream_async", "invoke_async"))


def parameters_of(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def copy_of(module: ModuleType, number: int) -> ModuleType:
    """The module once more, under another name: every object it makes at import exists anew.

    Raises whatever its import raises.
    """
    name = f"{module.__name__}__copy{number}"
    origin = module.__spec__.origin if module.__spec__ else None
    spec = importlib.util.spec_from_file_location(name, origin)
    if spec is None or spec.loader is None:
        raise ImportError(f"{module.__name__} is not a file")
    copied = importlib.util.module_from_spec(spec)
    # Classes of the module (dataclasses, pydantic models) look their module up by name.
    sys.modules[name] = copied
    try:
        spec.loader.exec_module(copied)
    except BaseException:
        del sys.modules[name]
        raise
    return copied
