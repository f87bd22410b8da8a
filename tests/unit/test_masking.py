"""Events whose secrets are replaced."""

from __future__ import annotations

from typing import Any

from streamdev.semantics.masking import Masks


def event(*changes: dict[str, Any]) -> dict[str, Any]:
    records = [{"eventID": "e", "dynamodb": {"SizeBytes": 9, **change}} for change in changes]
    return {"Records": records, "state": {"n": 1}}


def test_a_mask_keeps_the_type_and_says_whether_a_value_changed() -> None:
    masks = Masks(["email", "pin", "blob"])
    old = {"id": {"S": "1"}, "email": {"S": "a@b.org"}, "pin": {"N": "1234"}, "blob": {"B": "AAEC"}}
    new = {**old, "email": {"S": "c@d.org"}}
    first, second = masks.event(
        event({"Keys": {"id": {"S": "1"}}, "OldImage": old, "NewImage": new}, {"NewImage": old})
    )["Records"]
    before, after = first["dynamodb"]["OldImage"], first["dynamodb"]["NewImage"]
    assert before["id"] == {"S": "1"}
    assert [next(iter(value)) for value in before.values()] == ["S", "S", "N", "B"]
    assert before["email"] != after["email"]
    assert before["pin"] == after["pin"] != {"N": "1234"}
    assert second["dynamodb"]["NewImage"] == before
    assert first["dynamodb"]["SizeBytes"] == 9
    assert masks.used == {"email", "pin", "blob"}


def test_what_is_inside_of_a_value_is_masked_as_well() -> None:
    secret = {
        "M": {
            "list": {"L": [{"S": "hidden"}, {"BOOL": True}, {"NULL": True}]},
            "sets": {"SS": ["hidden", "other"]},
        }
    }
    masked = Masks(["m"]).event(event({"NewImage": {"m": secret, "open": {"S": "hidden too"}}}))
    image = masked["Records"][0]["dynamodb"]["NewImage"]
    assert image == {
        "m": {
            "M": {
                "list": {"L": [{"S": "masked-1"}, {"BOOL": False}, {"NULL": True}]},
                "sets": {"SS": ["masked-1", "masked-2"]},
            }
        },
        "open": {"S": "hidden too"},
    }


def test_a_secret_in_a_text_is_replaced() -> None:
    masks = Masks(["email", "x"])
    masks.event(event({"NewImage": {"email": {"S": "a@b.org"}, "x": {"S": "a"}}}))
    assert masks.text("a@b.org is a bad address") == "masked-1 is a bad address"


def test_the_event_is_as_it_was_without_masks() -> None:
    given = event({"NewImage": {"id": {"S": "1"}}})
    assert Masks([]).event(given) == given
