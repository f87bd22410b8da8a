"""A function's zip: its bytes, what is left out, and what is refused before deploying."""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamdev.config.load import load_project
from streamdev.config.models import Function
from streamdev.deploy import package as package_module
from streamdev.deploy.package import Package, build_package
from streamdev.deploy.requirements import Target
from streamdev.errors import DeployError

HANDLER = "def lambda_handler(event, context):\n    return 'ok'\n"
Build = Callable[..., Package]


def function_in(folder: Path, handler: str = "handler.lambda_handler") -> Function:
    """A function whose source is ``folder/src``."""
    path = folder / "pipelines.toml"
    path.write_text(
        "[pipelines.f]\n"
        'table = { name = "Things", key = "id:S", stream = "NEW_IMAGE" }\n'
        f'function = {{ source = "src", handler = "{handler}", runtime = "python3.13" }}\n'
        'mapping = { starting-position = "LATEST" }\n'
    )
    return load_project(path).pipeline().function


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "handler.py").write_text(HANDLER)
    return folder


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def build(handler: str = "handler.lambda_handler", out: str = "packages") -> Package:
        function = function_in(tmp_path, handler)
        target = Target.of_this_process()
        return build_package(function, target, tmp_path / out, tmp_path / "cache")

    return build


def names(package: Package) -> list[str]:
    with zipfile.ZipFile(package.path) as archive:
        return archive.namelist()


def test_equal_source_gives_equal_bytes(source: Path, build: Build) -> None:
    for name in ("b.py", "a.py", "z/c.py"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("x = 1\n")
    first = build()
    os.utime(source / "a.py", (1, 1))
    (source / "a.py").chmod(0o600)
    (source / "b.py").rename(source / "tmp")
    (source / "tmp").rename(source / "b.py")
    second = build(out="elsewhere")
    assert first.read() == second.read()
    assert names(first) == ["a.py", "b.py", "handler.py", "z/c.py"]


def test_the_hash_is_the_one_aws_computes(source: Path, build: Build) -> None:
    package = build()
    digest = hashlib.sha256(package.read()).digest()
    assert package.sha256 == base64.b64encode(digest).decode()
    assert package.size == len(package.read())


def test_a_change_gives_another_zip_and_the_old_one_goes(source: Path, build: Build) -> None:
    first = build()
    (source / "handler.py").write_text(HANDLER + "# changed\n")
    second = build()
    assert first.sha256 != second.sha256
    assert [path.name for path in second.path.parent.iterdir()] == [second.path.name]


def test_modes_and_times_are_fixed(source: Path, build: Build) -> None:
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o777)
    with zipfile.ZipFile(build().path) as archive:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
        times = {entry.date_time for entry in archive.infolist()}
        hashes = {entry.comment for entry in archive.infolist()}
        assert hashes == {hashlib.sha256(archive.read(name)).digest() for name in modes}
    assert modes == {"handler.py": 0o644, "run.sh": 0o755}
    assert times == {(1980, 1, 1, 0, 0, 0)}


def test_junk_is_left_out(source: Path, build: Build) -> None:
    junk = [
        "__pycache__/handler.cpython-313.pyc",
        ".git/HEAD",
        ".venv/lib/x.py",
        ".pytest_cache/README",
        "pkg/__pycache__/a.pyc",
        "old.pyc",
        "handler.py~",
        ".handler.py.swp",
        ".DS_Store",
    ]
    for name in (*junk, "pkg/a.py", "data.json"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("")
    assert names(build()) == ["data.json", "handler.py", "pkg/a.py"]


def test_links_count_as_what_they_point_at(tmp_path: Path, source: Path, build: Build) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "common.py").write_text("x = 1\n")
    (source / "shared").symlink_to(shared)
    (source / "loop").symlink_to(source)
    (source / "broken").symlink_to("nowhere")
    assert names(build()) == ["handler.py", "shared/common.py"]


def test_a_missing_folder_is_told(tmp_path: Path, build: Build) -> None:
    with pytest.raises(DeployError, match=r"folder .*src does not exist"):
        build()


def test_an_empty_folder_is_told(tmp_path: Path, build: Build) -> None:
    (tmp_path / "src").mkdir()
    with pytest.raises(DeployError, match="is empty"):
        build()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (b"def f(:\n    pass\n", "handler.py:1: SyntaxError"),
        (b"x = 1\nif x:\ny = 2\n", "handler.py:3: IndentationError"),
        (b"x = 1\n\xff\xfe\n", "handler.py"),
        (b"x = 1\x00\n", "handler.py"),
        (b"return 5\n", "handler.py:1: SyntaxError: 'return' outside function"),
    ],
)
def test_a_syntax_error_is_told_with_file_and_line(
    source: Path, build: Build, code: bytes, says: str
) -> None:
    (source / "handler.py").write_bytes(code)
    with pytest.raises(DeployError) as caught:
        build()
    assert says in caught.value.message


def test_a_dubious_escape_is_no_error(source: Path, build: Build) -> None:
    (source / "handler.py").write_text(HANDLER + "x = '\\d'\n")
    assert build().notes == ()


@pytest.mark.parametrize(
    ("file", "handler"),
    [
        ("handler.py", "handler.lambda_handler"),
        ("pkg/app.py", "pkg/app.main"),
        ("pkg/app.py", "pkg.app.main"),
        ("pkg/__init__.py", "pkg.main"),
    ],
)
def test_handlers_are_found_where_aws_finds_them(
    source: Path, build: Build, file: str, handler: str
) -> None:
    (source / file).parent.mkdir(exist_ok=True)
    (source / file).write_text(HANDLER + "main = lambda_handler\n")
    assert build(handler).notes == ()


def test_a_missing_module_is_told(source: Path, build: Build) -> None:
    with pytest.raises(DeployError, match=r"'app.main' needs app.py"):
        build("app.main")


def test_a_function_that_seems_missing_is_warned_about(source: Path, build: Build) -> None:
    (note,) = build("handler.main").notes
    assert "seems to define no 'main'" in note


def test_the_packages_own_files_can_be_big_but_not_too_big(
    source: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_module, "MAX_UNZIPPED", 2_000_000)
    (source / "model.bin").write_bytes(os.urandom(3_000_000))
    (source / "small.bin").write_bytes(b"x" * 1_000)
    with pytest.raises(DeployError) as caught:
        build()
    assert "unzipped; AWS takes 1.9 MB. Biggest: model.bin (2.9 MB), small.bin" in str(caught.value)
    monkeypatch.setattr(package_module, "MAX_UNZIPPED", 10_000_000)
    monkeypatch.setattr(package_module, "MAX_ZIPPED", 2_000_000)
    with pytest.raises(DeployError, match="zipped; AWS takes"):
        build()


def write_wheel(path: Path, module: str, code: str) -> None:
    """A wheel of ``greet`` 1.0 with one module."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(module, code)
        archive.writestr(
            "greet-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greet\nVersion: 1.0\n"
        )
        archive.writestr(
            "greet-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("greet-1.0.dist-info/RECORD", "")


def test_local_requirements_are_packed_and_renewed(
    tmp_path: Path, source: Path, build: Build
) -> None:
    wheel = tmp_path / "greet-1.0-py3-none-any.whl"

    def make_wheel(code: str) -> None:
        write_wheel(wheel, "greet.py", code)

    make_wheel("word = 'hello'\n")
    (source / "requirements.txt").write_text(f"# what it needs\ngreet @ file://{wheel}\n")
    first = build()
    assert "greet.py" in names(first)
    assert not [name for name in names(first) if name.endswith(("RECORD", "direct_url.json"))]
    assert build().sha256 == first.sha256
    assert build(out="elsewhere").sha256 == first.sha256


def test_what_is_the_functions_own_is_told_from_what_it_requires(
    tmp_path: Path, source: Path, build: Build
) -> None:
    library = tmp_path / "greet-1.0-py3-none-any.whl"

    def required(code: str) -> Package:
        write_wheel(library, "greet/__init__.py", code)
        return build()

    (source / "requirements.txt").write_text(f"greet @ file://{library}\n")
    (source / "app").mkdir()
    (source / "app" / "__init__.py").write_text("")
    first = required("word = 'hello'\n")
    assert first.own == ("app", "handler")
    (source / "handler.py").write_text(HANDLER + "# edited\n")
    edited = required("word = 'hello'\n")
    assert (edited.own, edited.required) == (first.own, first.required)
    assert edited.sha256 != first.sha256
    assert required("word = 'goodbye'\n").required != first.required


def test_a_file_that_changes_while_it_is_packed_is_packed_as_it_is_then(
    source: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = package_module._write

    def edit_and_write(*args: Any) -> None:
        (source / "handler.py").write_text(HANDLER + "# edited meanwhile\n")
        write(*args)

    monkeypatch.setattr(package_module, "_write", edit_and_write)
    with zipfile.ZipFile(build().path) as archive:
        assert archive.read("handler.py") == (source / "handler.py").read_bytes()
        assert b"edited meanwhile" in archive.read("handler.py")


def test_a_requirement_that_can_not_be_had_is_told(source: Path, build: Build) -> None:
    (source / "requirements.txt").write_text("greet @ file:///nowhere/greet-1.0-py3-none-any.whl\n")
    with pytest.raises(DeployError, match=r"requirements.txt can't be satisfied for Python 3"):
        build()


def test_an_empty_requirements_file_needs_nothing(source: Path, build: Build) -> None:
    (source / "requirements.txt").write_text("# nothing yet\n")
    assert names(build()) == ["handler.py", "requirements.txt"]


def test_a_package_made_from_an_older_one_has_the_same_bytes(source: Path, build: Build) -> None:
    (source / "big.py").write_text("".join(f"x{n} = {n}\n" for n in range(5_000)))
    (source / "gone.py").write_text("")
    build()
    (source / "handler.py").write_text(HANDLER + "# edited\n")
    (source / "new.py").write_text("")
    edited = build()
    assert edited.path.read_bytes() == build(out="from-nothing").path.read_bytes()
    # Nothing but a removal: all entries are taken over.
    (source / "gone.py").unlink()
    removed = build()
    assert removed.path.read_bytes() == build(out="from-nothing-again").path.read_bytes()
    with zipfile.ZipFile(removed.path) as archive:
        assert archive.testzip() is None
    # An older zip that is broken is no help, and no harm.
    removed.path.write_bytes(b"broken")
    (source / "new.py").write_text("# edited\n")
    assert build().path.read_bytes() == build(out="once-more").path.read_bytes()
