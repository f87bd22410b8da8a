"""The plugins as LocalStack loads them: a folder with our code and its entry points."""

from __future__ import annotations

import os
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from streamdev import __version__

PACKAGES = ("semantics", "plugins")


def assemble(folder: Path) -> None:
    """Bring ``folder`` in line with the installed code, to be put on LocalStack's PYTHONPATH.

    It holds what of streamdev runs inside LocalStack and a ``.dist-info`` with the entry
    points: LocalStack finds plugins by the metadata of what is on its path. Files that are
    right already are left alone, so that their bytecode stays valid.
    """
    wanted = plugin_files()
    for relative, content in wanted.items():
        _write_if_changed(folder / relative, content)
    for present in sorted(folder.rglob("*"), reverse=True):
        if present.name == "__pycache__" or present.parent.name == "__pycache__":
            continue
        if present.is_dir():
            if not any(present.iterdir()):
                present.rmdir()
        elif present.relative_to(folder).as_posix() not in wanted:
            present.unlink()


def plugin_files() -> dict[str, bytes]:
    """What belongs in the folder: path in it → content."""
    package = files("streamdev")
    wanted = {"streamdev/__init__.py": package.joinpath("__init__.py").read_bytes()}
    for name in PACKAGES:
        wanted |= _tree(package.joinpath(name), f"streamdev/{name}")
    info = f"streamdev_localstack-{__version__}.dist-info"
    wanted[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: streamdev-localstack\nVersion: {__version__}\n"
    ).encode()
    wanted[f"{info}/entry_points.txt"] = wanted["streamdev/plugins/entry_points.txt"]
    return wanted


def _tree(folder: Traversable, prefix: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                found |= _tree(entry, f"{prefix}/{entry.name}")
        elif not entry.name.endswith((".pyc", ".pyo")):
            found[f"{prefix}/{entry.name}"] = entry.read_bytes()
    return found


def _write_if_changed(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)
