"""pipelines.toml: what is taken, what is refused, and in which words."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdev.config.load import load_project
from streamdev.config.locate import line_of
from streamdev.config.models import Project
from streamdev.errors import InvalidInputError

REPOSITORY = Path(__file__).resolve().parents[2]

MINIMAL = """\
[pipelines.user-profile]
table    = { name = "UserProfileTable", key = "id:S", stream = "NEW_AND_OLD_IMAGES" }
function = { source = "src", handler = "handler.lambda_handler", runtime = "python3.13" }
mapping  = { starting-position = "TRIM_HORIZON" }
"""

SIX_FILTERS = "[" + ", ".join(["{ eventName = ['INSERT'] }"] * 6) + "]"


def load(folder: Path, text: str) -> Project:
    path = folder / "pipelines.toml"
    path.write_text(text, encoding="utf-8")
    return load_project(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        load(folder, text)
    return caught.value.message


def changed(**parts: str) -> str:
    """MINIMAL with further keys in ``table``, ``function`` or ``mapping``."""
    lines = MINIMAL.splitlines()
    for name, more in parts.items():
        lines = [f"{line[:-2]}, {more} }}" if line.startswith(name) else line for line in lines]
    return "\n".join(lines)


def test_the_repositorys_own_file_is_valid() -> None:
    pipeline = load_project(REPOSITORY / "pipelines.toml").pipeline("user-profile")
    assert pipeline.table.name == "UserProfileTable"
    assert pipeline.mapping.batch_size == 1


def test_what_is_left_out_has_awss_defaults(tmp_path: Path) -> None:
    pipeline = load(tmp_path, MINIMAL).pipeline()
    assert pipeline.function.name == "user-profile"
    assert pipeline.function.source == tmp_path / "src"
    assert (pipeline.function.timeout, pipeline.function.memory_size) == (3, 128)
    mapping = pipeline.mapping
    assert (mapping.batch_size, mapping.maximum_batching_window) == (100, 0)
    assert (mapping.maximum_retry_attempts, mapping.maximum_record_age) == (-1, -1)
    assert (mapping.parallelization_factor, mapping.tumbling_window) == (1, 0)
    assert mapping.enabled
    assert not mapping.bisect_batch_on_function_error
    assert not mapping.report_batch_item_failures
    assert pipeline.table.sort_key is None


def test_models_can_not_be_changed(tmp_path: Path) -> None:
    pipeline = load(tmp_path, MINIMAL).pipeline()
    with pytest.raises(ValueError, match="frozen"):
        pipeline.mapping.batch_size = 5


@pytest.mark.parametrize(
    ("part", "key", "value", "says"),
    [
        ("mapping", "batch-size", "10001", "10001 is over AWS's limit of 10000"),
        ("mapping", "batch-size", "0", "0 is under AWS's least of 1"),
        ("mapping", "batch-size", '"100"', "must be a whole number, not '100'"),
        ("mapping", "maximum-batching-window", "301", "limit of 300"),
        ("mapping", "maximum-retry-attempts", "-2", "least of -1"),
        ("mapping", "maximum-retry-attempts", "10001", "limit of 10000"),
        ("mapping", "maximum-record-age", "59", "AWS takes -1 or 60 to 604800"),
        ("mapping", "maximum-record-age", "604801", "limit of 604800"),
        ("mapping", "parallelization-factor", "11", "limit of 10"),
        ("mapping", "tumbling-window", "901", "limit of 900"),
        ("mapping", "enabled", "1", "must be true or false, not 1"),
        ("mapping", "filter-criteria", SIX_FILTERS, "at most 5"),
        ("mapping", "on-failure", "{ }", "name one destination"),
        ("mapping", "on-failure", '{ sqs = "a", sns = "b" }', "name one destination"),
        ("mapping", "on-failure", '{ sqs = "q.fifo" }', "'q.fifo' is not allowed"),
        ("function", "timeout", "901", "limit of 900"),
        ("function", "memory-size", "127", "least of 128"),
        ("function", "reserved-concurrency", "-1", "least of 0"),
        ("function", "environment", '{ AWS_REGION = "x" }', "Lambda sets AWS_REGION itself"),
        ("function", "environment", '{ 1A = "x" }', "a letter, then"),
        ("function", "name", '"a b"', "letters, digits, '_' and '-'"),
        ("table", "ttl", '""', "at least 1"),
        ("table", "sort-key", '"at"', 'write "NAME:TYPE"'),
        ("table", "sort-key", '"id:S"', "the same attribute 'id'"),
        (
            "table",
            "local-secondary-indexes",
            '[{ name = "by-at", sort-key = "at:N" }]',
            "need a table with a sort-key",
        ),
        (
            "table",
            "global-secondary-indexes",
            '[{ name = "by-id", key = "id:N" }]',
            "'id' is S in one key and N in another",
        ),
        (
            "table",
            "global-secondary-indexes",
            '[{ name = "one", key = "a:S", projection = "INCLUDE" }]',
            "non-key-attributes go with projection INCLUDE",
        ),
    ],
)
def test_what_aws_would_refuse_is_refused(
    tmp_path: Path, part: str, key: str, value: str, says: str
) -> None:
    text = changed(**{part: f"{key} = {value}"})
    message = refusal(tmp_path, text)
    line = next(n for n, one in enumerate(text.splitlines(), 1) if one.startswith(part))
    assert message.startswith(
        f"{tmp_path / 'pipelines.toml'}:{line}: pipelines.user-profile.{part}"
    )
    assert says in message


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("UserProfileTable", "User Table", "'User Table' is not allowed"),
        ("UserProfileTable", "UP", "AWS takes at least 3"),
        ("NEW_AND_OLD_IMAGES", "NEW_AND_OLD_IMAGE", "did you mean 'NEW_AND_OLD_IMAGES'?"),
        ("TRIM_HORIZON", "AT_TIMESTAMP", "is none of TRIM_HORIZON, LATEST"),
        ("python3.13", "nodejs22.x", "'nodejs22.x' is none of python3.8"),
        ("handler.lambda_handler", "handler", "MODULE.FUNCTION"),
        ('key = "id:S"', 'key = "id:X"', "'id:X' is no key"),
        ("starting-position", "starting_position", "did you mean 'starting-position'?"),
        ("[pipelines.user-profile]", "[pipelines.'user profile']", "letters, digits"),
    ],
)
def test_wrong_values_are_told_with_what_is_right(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert says in refusal(tmp_path, MINIMAL.replace(old, new))


def test_an_unknown_key_gets_the_nearest_known_one(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed(mapping="batchsize = 3"))
    assert "pipelines.user-profile.mapping.batchsize: unknown key" in message
    assert "did you mean 'batch-size'?" in message


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    text = "\n".join(line for line in MINIMAL.splitlines() if not line.startswith("mapping"))
    assert "pipelines.toml:1: pipelines.user-profile.mapping: is missing" in refusal(tmp_path, text)


def test_all_problems_are_told_at_once_but_not_endlessly(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed(mapping="batch-size = 0, tumbling-window = -1"))
    assert "batch-size" in message
    assert "tumbling-window" in message
    many = "".join(f"[pipelines.p{number}]\n" for number in range(10))
    lines = refusal(tmp_path, many).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "and 20 more."


def test_invalid_toml_is_told_with_file_and_line(tmp_path: Path) -> None:
    message = refusal(tmp_path, MINIMAL + "[pipelines.\n")
    assert message.startswith(f"{tmp_path / 'pipelines.toml'}:5:")
    assert "not valid TOML" in message
    cut_off = refusal(tmp_path, MINIMAL + "x = [\n\n")
    assert cut_off.startswith(f"{tmp_path / 'pipelines.toml'}:6: not valid TOML")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="There is no") as caught:
        load_project(tmp_path / "pipelines.toml")
    assert "--config" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["", "pipelines = 3", "[pipelines]", "[pipeline.x]"])
def test_a_file_without_pipelines_is_refused(tmp_path: Path, text: str) -> None:
    assert "[pipelines.NAME]" in refusal(tmp_path, text)


def test_an_unknown_pipeline_gets_the_nearest_known_one(tmp_path: Path) -> None:
    project = load(tmp_path, MINIMAL)
    with pytest.raises(InvalidInputError, match="no pipeline 'user-profil'") as caught:
        project.pipeline("user-profil")
    assert caught.value.hint == "Did you mean 'user-profile'?"


def test_two_pipelines_may_share_a_table_they_agree_on(tmp_path: Path) -> None:
    second = MINIMAL.replace("user-profile", "audit")
    project = load(tmp_path, MINIMAL + second)
    assert list(project.tables) == ["UserProfileTable"]
    message = refusal(tmp_path, MINIMAL + second.replace("NEW_AND_OLD_IMAGES", "KEYS_ONLY"))
    assert "pipelines.toml:6: pipelines.audit.table" in message
    assert "must agree" in message


def test_two_pipelines_can_not_share_a_function(tmp_path: Path) -> None:
    second = changed(function='name = "user-profile"').replace(
        "pipelines.user-profile", "pipelines.b"
    )
    message = refusal(tmp_path, f"{MINIMAL}{second}")
    assert "already the function of pipeline 'user-profile'" in message


def test_filters_are_tables_or_json(tmp_path: Path) -> None:
    text = changed(
        mapping="filter-criteria = [{ eventName = ['INSERT'] }, '{\"eventName\":[\"REMOVE\"]}']"
    )
    patterns = load(tmp_path, text).pipeline().mapping.filter_criteria
    assert [json.loads(one) for one in patterns] == [
        {"eventName": ["INSERT"]},
        {"eventName": ["REMOVE"]},
    ]


@pytest.mark.parametrize(
    "pattern", ["3", "'no json'", "{ eventName = 'INSERT' }", "{ a = [1979-05-27] }"]
)
def test_a_filter_that_aws_refuses_is_refused(tmp_path: Path, pattern: str) -> None:
    message = refusal(tmp_path, changed(mapping=f"filter-criteria = [{pattern}]"))
    assert "pipelines.user-profile.mapping.filter-criteria[0]: " in message


def test_lines_are_found_in_every_way_of_writing_a_key() -> None:
    text = (
        "# a comment\n"
        "[pipelines.a]\n"
        "table = { name = 'T', key = 'id:S' }\n"
        "mapping.batch-size = 3\n"
        "\n"
        "[pipelines.a.function]\n"
        "timeout = 3\n"
        "[[pipelines.a.list]]\n"
        "x = 1\n"
    )
    assert line_of(text, ("pipelines", "a", "table", "key")) == 3
    assert line_of(text, ("pipelines", "a", "mapping", "batch-size")) == 4
    assert line_of(text, ("pipelines", "a", "function", "timeout")) == 7
    assert line_of(text, ("pipelines", "a", "function", "handler")) == 6
    assert line_of(text, ("pipelines", "a", "list", 0, "x")) == 9
    assert line_of(text, ("elsewhere",)) is None


@given(st.text(max_size=200))
def test_any_text_is_taken_or_refused_in_words(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipelines.toml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        with pytest.raises(InvalidInputError):
            load_project(path)
