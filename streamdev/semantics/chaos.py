"""What chaos does to a mapping's batches, decided by a seed.

Each decision is a roll of its own for the kind of deed, the lane and the how-manieth batch (or
handing over) of that lane it is. So the same seed decides the same again, whatever the records
are, and the share of one kind does not change what the others meet.

AWS delivers at least once and in order for each item. Failures, throttles, delays, duplicates and
smaller batches are within that. So is another order between items: with ``ParallelizationFactor``
it is what happens. Another order within an item is not; it takes ``within_keys``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, get_args

from streamdev.semantics.records import Record

Deed = Literal["fail", "delay", "throttle", "duplicate", "reorder", "split"]
DEEDS: tuple[Deed, ...] = get_args(Deed)

_A_SHARE = re.compile(r"\d+(\.\d+)?%?|\.\d+")

#: What a retry's reason begins with where chaos is the reason.
REASON = "chaos: "

Records = tuple[Record, ...]


@dataclass(frozen=True)
class ChaosSettings:
    """What is to happen.

    Attributes:
        seed: Decides.
        shares: Of each deed, how many batches it meets, 0 to 1.
        delay_s: How long a delayed batch waits, seconds.
        within_keys: Whether records of one item may change places as well.
    """

    seed: int
    shares: Mapping[Deed, float]
    delay_s: float = 1.0
    within_keys: bool = False

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ChaosSettings:
        """Settings as `to_json` writes them.

        Raises:
            ValueError: They are none.
        """
        try:
            shares: dict[Deed, float] = {
                deed: float(document["shares"].get(deed, 0)) for deed in DEEDS
            }
            settings = cls(
                seed=int(document["seed"]),
                shares=shares,
                delay_s=float(document["delay_s"]),
                within_keys=bool(document["within_keys"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no settings of chaos: {error!r}") from error
        if not all(0 <= share <= 1 for share in shares.values()) or settings.delay_s < 0:
            raise ValueError("a share is between 0 and 1, a delay not negative")
        return settings

    @property
    def words(self) -> str:
        """``fail 40%, delay 10%; seed 7``."""
        shares = ", ".join(
            f"{deed} {share * 100:g}%" for deed, share in self.shares.items() if share
        )
        return f"{shares}; seed {self.seed}"

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON."""
        return {
            "seed": self.seed,
            "shares": dict(self.shares),
            "delay_s": self.delay_s,
            "within_keys": self.within_keys,
        }


@dataclass(frozen=True)
class Handover:
    """What meets a batch when it is handed to the function.

    Attributes:
        delay: It waits before.
        throttle: The function is not run, as if it were throttled.
        fail: The function is not run, and counts as failed.
        duplicate: When the function has handled it, it gets it once more.
    """

    delay: bool = False
    throttle: bool = False
    fail: bool = False
    duplicate: bool = False


class Decisions:
    """Decides for one lane, batch by batch.

    Args:
        settings: What is to happen.
        lane: The lane's number in its shard, from 0.
    """

    def __init__(self, settings: ChaosSettings, lane: int) -> None:
        self.settings = settings
        self._lane = lane
        self._batches = 0
        self._handovers = 0

    def handover(self) -> Handover:
        """Decide about the next time a batch is handed over; a retry is a further time."""
        self._handovers += 1
        number = self._handovers
        throttle = self._meets("throttle", number)
        return Handover(
            delay=self._meets("delay", number),
            throttle=throttle,
            fail=not throttle and self._meets("fail", number),
            duplicate=self._meets("duplicate", number),
        )

    def shape(self) -> tuple[bool, bool]:
        """Decide whether the next batch is reordered, and whether it is split."""
        self._batches += 1
        return self._meets("reorder", self._batches), self._meets("split", self._batches)

    def cut(self, count: int) -> int:
        """Where the batch last decided about, of ``count`` records (2 or more), is cut."""
        return 1 + int(self._roll("cut", self._batches) * (count - 1))

    def early(self, records: Sequence[Record]) -> Records:
        """Those records of the batch last decided about that overtake the others, in order.

        The records of an item stay together unless the settings say otherwise. All of them, if
        there is nothing to overtake.
        """
        own = self.settings.within_keys

        def name(record: Record) -> str:
            return record.sequence if own else record.item

        # The first one always steps back, so that something is overtaken.
        names = list(dict.fromkeys(map(name, records)))[1:]
        if not names:
            return tuple(records)
        chosen = {one for one in names if self._roll("early", self._batches, one) < 0.5}
        chosen = chosen or {names[int(self._roll("one", self._batches) * len(names))]}
        return tuple(record for record in records if name(record) in chosen)

    def _meets(self, deed: Deed, number: int) -> bool:
        return self._roll(deed, number) < self.settings.shares.get(deed, 0)

    def _roll(self, *place: object) -> float:
        return roll(self.settings.seed, self._lane, *place)


def share(text: str) -> float:
    """The share that ``20%`` or ``0.2`` means, 0 to 1.

    Raises:
        ValueError: It is neither, or over 100%.
    """
    found = _A_SHARE.fullmatch(text)
    value = float(text.rstrip("%")) / (100 if text.endswith("%") else 1) if found else 2.0
    if value > 1:
        raise ValueError(f"{text!r} is no share")
    return value


def roll(seed: int, *place: object) -> float:
    """A number from 0 to under 1, always the same for the same seed and place."""
    text = "/".join(map(str, (seed, *place)))
    return int.from_bytes(sha256(text.encode()).digest()[:6], "big") / 2**48
