"""The reference pipelines' sample data is what their tables and handlers take."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from streamdev.cli.item_input import parse_item
from streamdev.config.load import load_project
from streamdev.semantics import values
from streamdev.semantics.items import KeySchema

REPOSITORY = Path(__file__).resolve().parents[2]
PIPELINES = load_project(REPOSITORY / "pipelines.toml").pipelines


@pytest.mark.parametrize("name", PIPELINES)
def test_sample_data_fits_the_table(name: str) -> None:
    pipeline = PIPELINES[name]
    assert pipeline.seed is not None
    schema = KeySchema(tuple((key.name, key.type) for key in pipeline.table.keys))
    items = [parse_item(line, schema) for line in pipeline.seed.read_text("utf-8").splitlines()]
    assert len({repr(schema.key_of(item)) for item in items}) == len(items) > 3
    if name == "async-request":
        # What API Gateway's template writes: an id and the body as it was sent.
        assert all(item.keys() == {"id", "request"} for item in items)
        assert all(isinstance(json.loads(item["request"]["S"]), dict) for item in items)


def test_sample_profiles_are_valid() -> None:
    handler = REPOSITORY / "lambda_src" / "user_profile"
    problems = runpy.run_path(str(handler / "profiles.py"))["problems"]
    text = (REPOSITORY / "samples" / "user_profile.jsonl").read_text("utf-8")
    schema = KeySchema((("id", "S"),))
    for line in text.splitlines():
        item = parse_item(line, schema)
        assert problems({name: values.to_plain(value) for name, value in item.items()}) == ()
