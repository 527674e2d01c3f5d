"""Writes a few packages into the folder that is named: what an index would have, without one."""

import base64
import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path


def wheel(folder, name, version, tag, files, requires=()):
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in requires)
    files = dict(files)
    files[f"{info}/METADATA"] = metadata
    pure = str(tag.endswith("any")).lower()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
    record = ""
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as archive:
        for path, text in files.items():
            data = text.encode()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(data)}\n"
            archive.writestr(zipfile.ZipInfo(path), data)
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), record + f"{info}/RECORD,,\n")


folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
entry = "[console_scripts]\ngreet = greeting:main\n"
code = "def hello(name):\n    return f'hello {name}'\n\n\ndef main():\n    print(hello('world'))\n"
version = sys.argv[2]
code += f"# {version}\n"
entries = {"greeting.py": code, f"greeting-{version}.dist-info/entry_points.txt": entry}
wheel(folder, "greeting", version, "py3-none-any", entries, ["native"])
wheel(folder, "native", "2.0", "cp311-cp311-manylinux_2_28_x86_64", {"native.py": "MACHINE = 'x86_64'\n"})
wheel(folder, "native", "2.0", "cp311-cp311-manylinux_2_28_aarch64", {"native.py": "MACHINE = 'aarch64'\n"})
wheel(folder, "newer", "1.0", "cp311-cp311-manylinux_2_36_x86_64", {"newer.py": "\n"})
# What the runtime asks for, as far as installing goes.
wheel(folder, "starlette", "1.10.0", "py3-none-any", {"starlette/__init__.py": "\n"})
wheel(folder, "uvicorn", "0.54.0", "py3-none-any", {"uvicorn/__init__.py": "\n"})
# A package with nothing but its source.
with tarfile.open(folder / "sourceonly-1.0.tar.gz", "w:gz") as archive:
    for path, text in {"PKG-INFO": "Metadata-Version: 2.1\nName: sourceonly\nVersion: 1.0\n", "setup.py": "raise SystemExit('this must not run')\n"}.items():
        data = text.encode()
        member = tarfile.TarInfo(f"sourceonly-1.0/{path}")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
