"""What the pytest plugin costs those who don't use it, and the names it makes up."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamdev.config.load import load_project
from streamdev.deploy import topics
from streamdev.deploy.isolated import isolated

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_run_without_its_fixtures_imports_next_to_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_imported(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("streamdev")
            ours = {name for name in sys.modules if name.partition(".")[0] == "streamdev"}
            assert ours == {"streamdev", "streamdev.testing", "streamdev.testing.plugin"}
            heavy = {"boto3", "botocore", "click", "pydantic", "rich", "docker"}
            assert not heavy & sys.modules.keys()
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-W", "error")
    result.assert_outcomes(passed=1)


def test_its_fixtures_and_options_are_explained(pytester: pytest.Pytester) -> None:
    shown = pytester.runpytest_subprocess("--fixtures", "-p", "streamdev").stdout.str()
    for name in ("config", "engine", "pipeline", "pipelines"):
        assert f"\nstreamdev_{name}" in shown
    assert "--streamdev-engine" in pytester.runpytest_subprocess("--help").stdout.str()


def test_without_a_pipelines_file_it_says_where_it_looked(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STREAMDEV_CONFIG", raising=False)
    pytester.makepyfile("def test_it(streamdev_pipeline): pass")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*There is no pipelines.toml in *or above it."])
    assert "Traceback" not in result.stdout.str()
    assert "streamdev/testing/" not in result.stdout.str()


def test_a_copy_shares_no_name_with_the_pipeline(tmp_path: Path) -> None:
    for original in load_project(REPOSITORY / "pipelines.toml").pipelines.values():
        environment = {
            "PLAIN": original.table.name,
            "ARN": f"arn:aws:dynamodb:us-east-1:000000000000:table/{original.table.name}",
            "OTHER": f"{original.table.name}-archive",
        }
        function = original.function.model_copy(update={"environment": environment})
        copy, names = isolated(original.model_copy(update={"function": function}), "t1")
        assert copy.table.name == names[original.table.name] == f"{original.table.name}-t1"
        assert copy.function.name != original.function.name
        assert copy.name == original.name
        assert copy.mapping.starting_position == "TRIM_HORIZON"
        assert not set(topics.destinations([copy])) & set(topics.destinations([original]))
        assert {t.name for t in copy.tables} == {f"{t.name}-t1" for t in original.tables}
        assert (copy.api is None) == (original.api is None)
        if copy.api and original.api:
            assert copy.api.name == f"{original.api.name}-t1"
        assert copy.function.environment == {
            "PLAIN": copy.table.name,
            "ARN": f"arn:aws:dynamodb:us-east-1:000000000000:table/{copy.table.name}",
            "OTHER": environment["OTHER"],
        }


def test_long_names_stay_within_the_limits(tmp_path: Path) -> None:
    long = "f" * 64
    (tmp_path / "pipelines.toml").write_text(
        f"[pipelines.{long}]\n"
        f'table = {{ name = "{"t" * 255}", key = "id:S", stream = "KEYS_ONLY" }}\n'
        'function = { source = ".", handler = "a.b", runtime = "python3.13" }\n'
        f'mapping = {{ starting-position = "LATEST", on-failure = {{ s3 = "{"b" * 63}" }} }}\n'
    )
    (original,) = load_project(tmp_path / "pipelines.toml").pipelines.values()
    copy, _ = isolated(original, "t123456789")
    assert (len(copy.table.name), len(copy.function.name)) == (255, 64)
    assert copy.mapping.on_failure is not None
    assert len(copy.mapping.on_failure.name) == 63
