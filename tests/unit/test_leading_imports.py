"""What a handler imports first: found as far as nothing can make a difference, and no farther."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamdev.plugins.executor.imports import Import, leading_imports


def found(root: Path, files: dict[str, str], handler: str = "handler.f") -> list[Import]:
    for name, code in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(code)
    own = {name.partition("/")[0].removesuffix(".py") for name in files}
    return leading_imports(root, handler, own)


def test_imports_are_told_in_the_order_they_would_be_made(tmp_path: Path) -> None:
    files = {
        "handler.py": (
            '"""A handler."""\n'
            "from __future__ import annotations\n"
            "import json, boto3.session as s\n"
            "import first\n"
            "from library.part import a, b\n"
            "from second import x\n"
            "LIMIT: int = 5\n"
            "if TYPE_CHECKING:\n    import never\n"
            "class Thing(Base):\n    made = make()\n"
            "def f(event, context):\n    import later\n"
            "import last\n"
        ),
        "first.py": "import one\n",
        "second.py": "import two\nimport handler\n",
    }
    assert found(tmp_path, files) == [
        ("__future__", ("annotations",)),
        ("json", ()),
        ("boto3.session", ()),
        ("one", ()),
        ("library.part", ("a", "b")),
        ("two", ()),
        ("last", ()),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "os.environ['MODE'] = 'fast'",
        "os.environ.setdefault('MODE', 'fast')",
        "sys.path += ['lib']",
        "patched = patch_all()",
        "name: str = find()",
        "del sys.modules['json']",
        "try:\n    import maybe\nexcept ImportError:\n    pass",
        "if condition:\n    import maybe",
        "with warnings.catch_warnings():\n    import noisy",
        "import broken_one",
        "import compiled",
    ],
)
def test_what_comes_after_anything_that_may_matter_is_not_told(
    tmp_path: Path, statement: str
) -> None:
    files = {
        "handler.py": f"import before\n{statement}\nimport after\n",
        "broken_one.py": "import within\ndef (:\n",
        "compiled.so": "",
    }
    (tmp_path / "compiled.so").write_text("")
    own = ("handler", "broken_one", "compiled")
    for name, code in files.items():
        (tmp_path / name).write_text(code)
    assert leading_imports(tmp_path, "handler.f", own) == [("before", ())]


def test_what_an_own_module_does_counts_for_those_that_import_it(tmp_path: Path) -> None:
    files = {
        "handler.py": "import before\nimport settings\nimport after\n",
        "settings.py": "import os\nos.environ['MODE'] = 'fast'\n",
    }
    assert found(tmp_path, files) == [("before", ()), ("os", ())]


def test_packages_and_relative_imports_are_followed(tmp_path: Path) -> None:
    files = {
        "app/__init__.py": "import zero\n",
        "app/handler.py": (
            "from . import parts\nfrom .parts.deep import thing\nfrom app import more\n"
        ),
        "app/parts/__init__.py": "import one\n",
        "app/parts/deep.py": "from ..shared import y\nimport two\n",
        "app/shared.py": "import three\n",
        "app/more.py": "import four\n",
    }
    told = [("zero", ()), ("one", ()), ("three", ()), ("two", ()), ("four", ())]
    assert found(tmp_path, files, "app/handler.f") == told


@pytest.mark.parametrize("handler", ["missing.f", "handler", "", "gone/too.f"])
def test_a_handler_that_is_not_there_imports_nothing(tmp_path: Path, handler: str) -> None:
    assert leading_imports(tmp_path, handler, ("missing", "gone")) == []
