"""What chaos decides: by the seed alone, about as often as asked, and within AWS's promises."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdev.semantics.batching import Batcher
from streamdev.semantics.chaos import DEEDS, ChaosSettings, Decisions, Deed
from tests.support.streams import numbers, record, records

seeds = st.integers(0, 10**6)
batches_of_items = st.lists(st.sampled_from("abcd"), min_size=1, max_size=12)


NINE = records(9)
EACH: dict[Deed, float] = dict.fromkeys(DEEDS, 0.5)


def settings(
    shares: dict[Deed, float], seed: int = 1, *, within_keys: bool = False
) -> ChaosSettings:
    return ChaosSettings(seed, shares, within_keys=within_keys)


def story(chosen: ChaosSettings, lane: int = 0) -> list[object]:
    decisions = Decisions(chosen, lane)
    return [
        fate
        for _ in range(8)
        for fate in (
            decisions.shape(),
            decisions.cut(9),
            decisions.handover(),
            numbers(decisions.early(NINE)),
        )
    ]


@given(seeds, st.integers(0, 9))
def test_the_same_seed_decides_the_same(seed: int, lane: int) -> None:
    chosen = settings(EACH, seed, within_keys=True)
    assert story(chosen, lane) == story(ChaosSettings.from_json(chosen.to_json()), lane)
    assert story(chosen, lane) != story(settings(EACH, seed + 1, within_keys=True), lane)
    assert story(chosen, lane) != story(chosen, lane + 1)


@pytest.mark.parametrize("deed", ["fail", "delay", "throttle", "duplicate"])
def test_about_the_share_is_met_and_the_other_shares_change_nothing(deed: Deed) -> None:
    alone = Decisions(settings({deed: 0.3}), 0)
    beside = Decisions(settings({**EACH, "throttle": 0.0, deed: 0.3}), 0)
    met = [getattr(alone.handover(), deed) for _ in range(2000)]
    assert 500 < sum(met) < 700
    assert met == [getattr(beside.handover(), deed) for _ in range(2000)]


def test_none_and_all() -> None:
    nothing = Decisions(settings({}), 0)
    all_of_it = Decisions(settings({"fail": 1, "reorder": 1, "split": 1}), 0)
    for _ in range(100):
        assert not any(vars(nothing.handover()).values())
        assert nothing.shape() == (False, False)
        assert all_of_it.handover().fail
        assert all_of_it.shape() == (True, True)


def test_a_throttled_batch_does_not_fail_as_well() -> None:
    fate = Decisions(settings({"throttle": 1, "fail": 1}), 0).handover()
    assert (fate.throttle, fate.fail) == (True, False)


@given(seeds, st.integers(2, 50))
def test_a_cut_leaves_records_on_both_sides(seed: int, count: int) -> None:
    decisions = Decisions(settings({"split": 1}, seed), 0)
    decisions.shape()
    assert 1 <= decisions.cut(count) < count


@given(seeds, batches_of_items)
def test_items_overtake_each_other_and_each_stays_in_order(seed: int, keys: list[str]) -> None:
    batch = tuple(record(number, key=key) for number, key in enumerate(keys, 1))
    decisions = Decisions(settings({"reorder": 1}, seed), 0)
    decisions.shape()
    early = decisions.early(batch)
    assert numbers(early) == sorted(numbers(early))
    if len(set(keys)) == 1:
        assert early == batch
        return
    ahead = {one.item for one in early}
    assert all((one in early) == (one.item in ahead) for one in batch)
    assert batch[0] not in early
    assert early


@given(seeds, st.integers(2, 12))
def test_within_keys_an_items_own_records_overtake(seed: int, count: int) -> None:
    decisions = Decisions(settings({"reorder": 1}, seed, within_keys=True), 0)
    decisions.shape()
    early = decisions.early(records(count))
    assert 0 < len(early) < count
    assert 1 not in numbers(early)


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"seed": 1, "shares": {"fail": 2}, "delay_s": 1, "within_keys": False},
        {"seed": 1, "shares": {"fail": "x"}, "delay_s": 1, "within_keys": False},
        {"seed": 1, "shares": {}, "delay_s": -1, "within_keys": False},
    ],
)
def test_what_are_no_settings_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r"settings|share|float"):
        ChaosSettings.from_json(document)  # type: ignore[arg-type]


def test_a_batch_that_was_put_back_is_taken_up_to_where_it_was_cut() -> None:
    batcher = Batcher(4, 10)
    batcher.add(records(6), 0)
    taken = batcher.take(0)
    batcher.put_back((*taken[2:], *taken[:2]), 1)
    assert numbers(batcher.take(math.inf, most=2)) == [3, 4]
    assert numbers(batcher.take(math.inf)) == [1, 2, 5, 6]
