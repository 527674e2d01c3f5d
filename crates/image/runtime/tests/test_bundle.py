"""The runtime as one file: the same program."""

from __future__ import annotations

import subprocess
import sys

from agents import FUNCTION
from conftest import RUNTIME, run, write


def test_the_one_file_serves_as_the_package_does(tmp_path):
    write(tmp_path, FUNCTION)
    bundled = tmp_path / "agent_server.py"
    made = [subprocess.run([sys.executable, str(RUNTIME / "bundle.py")], capture_output=True, check=True).stdout for _ in range(2)]
    assert made[0] == made[1]
    bundled.write_bytes(made[0])
    done = run(tmp_path, "check", program=bundled, AGENT_MODEL="")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"symbol":"handler"' in done.stdout
    # A user's file may not even be Python: the traceback still shows the bundled lines.
    write(tmp_path, "def invoke(payload): pass\nfrom fargateer_runtime import settings\nsettings.from_environment(None)\n")
    failed = run(tmp_path, "check", program=bundled, AGENT_MODEL="")
    assert failed.returncode == 78
    assert "concurrency = read.whole(" in failed.stdout
