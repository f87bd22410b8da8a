"""How much of DynamoDB's work is throttled: from the user's variable to LocalStack's."""

from __future__ import annotations

import pytest

from streamdev.engine.variables import throttle_variables
from streamdev.errors import InvalidInputError


@pytest.mark.parametrize(
    ("value", "probability"), [("30%", "0.3"), ("0.05", "0.05"), (".5", "0.5"), ("100%", "1")]
)
def test_a_share_reaches_localstack(value: str, probability: str) -> None:
    made = throttle_variables({"STREAMDEV_DYNAMODB_THROTTLE": value})
    assert made == {"DYNAMODB_ERROR_PROBABILITY": probability}


@pytest.mark.parametrize("environ", [{}, {"STREAMDEV_DYNAMODB_THROTTLE": ""}])
def test_by_default_nothing_is_throttled(environ: dict[str, str]) -> None:
    assert throttle_variables(environ) == {}


@pytest.mark.parametrize("value", ["120%", "often", "-0.1", "0,5", "nan", "1.5"])
def test_what_is_no_share_is_refused(value: str) -> None:
    with pytest.raises(InvalidInputError, match="is no share"):
        throttle_variables({"STREAMDEV_DYNAMODB_THROTTLE": value})
