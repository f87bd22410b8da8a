"""Every recorded batch, given to the handler again, ends as it was recorded."""

import json
import re
from pathlib import Path

import pytest
from handler import lambda_handler

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.json"))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_recorded_batch_ends_as_it_did(path: Path) -> None:
    fixture = json.loads(path.read_text(encoding="utf-8"))
    error = fixture["outcome"]["error"]
    if error:
        with pytest.raises(Exception, match=re.escape(error["message"])) as raised:
            lambda_handler(fixture["event"], None)
        assert raised.type.__name__ == error["type"]
    else:
        failures = lambda_handler(fixture["event"], None)["batchItemFailures"]
        assert [one["itemIdentifier"] for one in failures] == fixture["outcome"]["failures"]
