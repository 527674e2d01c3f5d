"""bundle: writes the runtime as one file, for a Dockerfile that copies nothing but `agent_server.py`.

    python bundle.py > agent_server.py

The result is `agent_server.py` followed by every module of the package as comment lines; it can be read and compared.
Not part of the image layer.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "fargateer_runtime"


def bundle() -> str:
    """The text of the one file. The same sources give the same text."""
    parts = [(HERE / "agent_server.py").read_text(encoding="utf-8"), "\n"]
    for path in sorted((HERE / PACKAGE).glob("*.py")):
        name = PACKAGE if path.stem == "__init__" else f"{PACKAGE}.{path.stem}"
        parts.append(f"#: module {name}\n")
        parts.extend(f"#| {line}".rstrip() + "\n" for line in path.read_text(encoding="utf-8").splitlines())
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(bundle())
