"""The rules of the house: who imports whom, how long a module is, what no file may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "streamdev"
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))

# What each room may import of ours; "" are the modules beside the rooms (errors, paths).
ROOMS = {
    "": {""},
    "semantics": {"semantics"},
    "plugins": {"plugins", "semantics"},
    "config": {"config", "semantics", ""},
    "aws": {"aws", "semantics", ""},
    "engine": {"engine", "aws", "config", "semantics", ""},
    "deploy": {"deploy", "aws", "config", "semantics", ""},
    "snapshot": {"snapshot", "aws", "semantics", ""},
    "observe": {"observe", "aws", "config", "semantics", ""},
    "export": {"export", "deploy", "aws", "config", "semantics", ""},
    "testing": {"testing", "cli", "engine", "deploy", "observe", "aws", "config", "semantics", ""},
    "cli": {
        "cli",
        "engine",
        "deploy",
        "export",
        "observe",
        "snapshot",
        "aws",
        "config",
        "semantics",
        "",
    },
}

# Which room may use a package; the others go through it.
ONLY_IN = {
    "localstack": {"plugins"},
    "plux": {"plugins"},
    # In LocalStack the plugins use its own AWS clients.
    "boto3": {"aws", "plugins"},
    "botocore": {"aws", "plugins"},
    "docker": {"engine"},
    "pydantic": {"config"},
    "ruamel": {"export"},
    "pydantic_core": {"config"},
    "psutil": {"engine", "plugins", "cli"},
    "click": {"cli"},
    "pytest": {"testing"},
    "rich": {"cli", "observe"},
}

MAX_LINES = 300
# One subject each, told in one go; not to grow.
LONGER = {"streamdev/engine/host.py": 310, "streamdev/plugins/executor/environment.py": 340}


def room_of(module: Path) -> str:
    parts = module.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def name_of(module: Path) -> str:
    return str(module.relative_to(ROOT))


@cache
def imports_of(module: Path) -> frozenset[str]:
    """The full names a module imports, in functions and for type checking as well."""
    found: set[str] = set()
    # The oldest Python that the package runs on has to understand it.
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"), feature_version=(3, 11))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(module)} imports relatively"
            assert node.module is not None
            found.add(node.module)
            if node.module == "streamdev":
                found |= {f"streamdev.{alias.name}" for alias in node.names}
    return frozenset(found)


def rooms_imported(module: Path) -> Iterator[str]:
    # The package itself holds the version and nothing else.
    for name in imports_of(module) - {"streamdev", "streamdev.__version__"}:
        top, _, rest = name.partition(".")
        if top == "streamdev":
            first = rest.split(".")[0]
            yield first if (PACKAGE / first).is_dir() else ""


def third_party_imports(module: Path) -> set[str]:
    tops = {name.split(".")[0] for name in imports_of(module)}
    return tops - set(sys.stdlib_module_names) - {"streamdev", "__future__"}


modules = pytest.mark.parametrize("module", MODULES, ids=name_of)


def test_every_room_has_its_rule() -> None:
    rooms = {room_of(module) for module in MODULES}
    assert rooms <= set(ROOMS)


@modules
def test_a_room_imports_only_what_it_may(module: Path) -> None:
    assert set(rooms_imported(module)) <= ROOMS[room_of(module)]


@modules
def test_packages_are_used_in_their_rooms_only(module: Path) -> None:
    room = room_of(module)
    wrong = {name for name in third_party_imports(module) if room not in ONLY_IN.get(name, {room})}
    # Types of boto3's clients are no use of boto3.
    assert {name for name in wrong if not name.startswith("mypy_boto3")} == set()


@pytest.mark.parametrize(
    "module", [module for module in MODULES if room_of(module) == "semantics"], ids=name_of
)
def test_semantics_needs_the_standard_library_only(module: Path) -> None:
    assert third_party_imports(module) == set()


@pytest.mark.parametrize(
    "module", [module for module in MODULES if room_of(module) == "plugins"], ids=name_of
)
def test_plugins_need_nothing_that_localstack_lacks(module: Path) -> None:
    """They run in LocalStack's environment, where the command line's packages are not."""
    lacking = {"click", "rich", "pydantic", "pydantic_core", "docker", "streamdev.cli"}
    assert third_party_imports(module) & lacking == set()


@pytest.mark.parametrize("module", [*MODULES, *SCRIPTS], ids=name_of)
def test_a_module_fits_in_the_head(module: Path) -> None:
    lines = module.read_text(encoding="utf-8").count("\n")
    assert lines <= LONGER.get(name_of(module), MAX_LINES)


@cache
def tracked_files() -> tuple[Path, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return tuple(path for path in paths if path.is_file() and not path.is_symlink())


# Written so that this file does not hold what it looks for.
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w./-])/(?:" + "work|" + r"root)/\w"),
    "a registry's host name": re.compile(
        r"\b(?:" + r"files\.pythonhosted" + r"\.org|pypi" + r"\.org|registry" + r"\.npmjs\.org)\b"
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if match := FORBIDDEN[what].search(text):
            found.append(f"{path.relative_to(ROOT)}: {match[0]}")
    assert found == []
