"""Asks a server that claims to be AWS whether it behaves as AWS documents.

    python probe.py --endpoint http://127.0.0.1:4566 [--json FILE] [--only PREFIX] [--workers N] [--patience SECONDS]

Every function named `check_...` in a `checks_*.py` beside this file is one check. It takes an `Aws` (see kit.py), makes its
own resources, and passes unless it raises. Its identity is `<module>.<name>` without the prefixes; its docstring is the
documented behaviour in one sentence. The exit code is 0 when all pass.
"""

import argparse
import importlib
import inspect
import json
import pathlib
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from kit import Aws, look_around

HERE = pathlib.Path(__file__).resolve().parent


def checks():
    """All checks, in the order of modules and of their lines, as (identity, function)."""
    for path in sorted(HERE.glob("checks_*.py")):
        module = importlib.import_module(path.stem)
        for name, function in vars(module).items():
            if name.startswith("check_") and inspect.isfunction(function) and function.__module__ == path.stem:
                yield f"{path.stem.removeprefix('checks_')}.{name.removeprefix('check_')}", function


def run(identity, function, arguments):
    """Runs one check; a failure is its result, never the end of the run."""
    began = time.monotonic()
    error = None
    try:
        function(Aws(arguments.endpoint, identity, arguments.patience))
    except Exception as failure:  # a check may fail in any way a client can
        line = traceback.extract_tb(failure.__traceback__)
        own = [frame.lineno for frame in line if pathlib.Path(frame.filename).name.startswith("checks_")]
        error = f"{type(failure).__name__}: {failure}"[:600] + (f" (line {own[-1]})" if own else "")
    sentence = " ".join((function.__doc__ or "").split())
    return {
        "id": identity,
        "documented": sentence,
        "passed": error is None,
        "error": error,
        "seconds": round(time.monotonic() - began, 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--json", help="write the results to this file")
    parser.add_argument("--only", default="", help="only checks whose identity starts with this")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--patience", type=float, default=20.0, help="seconds to wait for what AWS does by itself")
    arguments = parser.parse_args()
    look_around(arguments.endpoint)
    wanted = [(identity, function) for identity, function in checks() if identity.startswith(arguments.only)]
    with ThreadPoolExecutor(max_workers=arguments.workers) as pool:
        results = list(pool.map(lambda check: run(*check, arguments), wanted))
    for result in results:
        if not result["passed"]:
            print(f"FAILED {result['id']}: {result['documented']}\n       {result['error']}")
    passed = sum(result["passed"] for result in results)
    print(f"{passed} of {len(results)} checks passed")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0 if passed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
