"""agent_server: the program of an agent's container.

    python agent_server.py [serve]       serves the agent (the default)
    python agent_server.py healthcheck   exit 0 if the server of this container is ready, else 1
    python agent_server.py check         loads the agent, tells as one JSON line how it would be served
    python agent_server.py version       the runtime's version and contract

The code is in the package `fargateer_runtime` beside this file. The same program also exists as one file (see `bundle.py`):
then the package's modules follow below, as comment lines, and are imported from there.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = "fargateer_runtime"
# A bundled module is a line with this mark and its name, then its lines, each after the second mark.
MODULE_MARK = "#: module "
LINE_MARK = "#| "


class Bundled(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the package's modules from the comment lines of this very file."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname not in self.sources:
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=fullname == PACKAGE)

    def exec_module(self, module: ModuleType) -> None:
        source = self.sources[module.__name__]
        name = f"<{module.__name__} in {Path(__file__).name}>"
        # Without this, tracebacks would tell line numbers that nobody can look up.
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), module.__dict__)  # noqa: S102 - our own text, from this file


def bundled_sources(text: str) -> dict[str, str]:
    """The modules that follow in the text of a bundled file, by name; none if it is not bundled."""
    sources: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(MODULE_MARK):
            lines = sources.setdefault(line.removeprefix(MODULE_MARK).strip(), [])
        elif line.startswith(LINE_MARK.rstrip()):
            lines.append(line.removeprefix(LINE_MARK.rstrip()).removeprefix(" "))
    return {name: "\n".join(lines) + "\n" for name, lines in sources.items()}


def find_package() -> None:
    """Makes `fargateer_runtime` importable: from beside this file, else from within it."""
    here = Path(__file__).resolve().parent
    if (here / PACKAGE / "__init__.py").is_file():
        if str(here) not in sys.path:
            sys.path.append(str(here))
    else:
        sys.meta_path.insert(0, Bundled(bundled_sources(Path(__file__).read_text(encoding="utf-8"))))


if __name__ == "__main__":
    find_package()
    from fargateer_runtime.program import main

    sys.exit(main(sys.argv[1:]))
