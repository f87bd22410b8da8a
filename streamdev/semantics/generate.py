"""Items made up for a table: of its key's types, unique, and the same again for the same seed.

Where there are sample items, made-up ones are mixtures of them: each attribute has the values it
has in the samples, numbers any between the least and the greatest. Without samples they are people
as a user table might hold them.
"""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from streamdev.semantics.items import Item, KeySchema
from streamdev.semantics.values import AttributeValue

#: Seeds are below this, so that numbers made of one stay within DynamoDB's 38 digits.
SEEDS = 2**32
#: So many items share a partition key where the table has a sort key.
PARTITION_SIZE = 5

_FIRST = ("Ada", "Amir", "Ann", "Björn", "Chen", "Dana", "Emre", "Fatima", "Ines", "John", "Zoë")
_LAST = ("Berg", "Díaz", "Doe", "Haddad", "Khan", "Li", "Novak", "Okafor", "Rossi", "Smith")
_CITIES = ("Bern", "Lagos", "Lima", "Oslo", "Porto", "Pune", "Quito", "Tartu")


@dataclass(frozen=True)
class _Pool:
    """The values one attribute has in the samples, and the share of samples that have it."""

    values: Sequence[AttributeValue]
    share: float

    def draw(self, rng: random.Random) -> AttributeValue:
        numbers = [Decimal(value["N"]) for value in self.values if "N" in value]
        if len(numbers) < len(self.values):
            return rng.choice(self.values)
        places = max(-_exponent(number) for number in numbers)
        scale = Decimal(10) ** places
        drawn = rng.randint(int(min(numbers) * scale), int(max(numbers) * scale))
        return {"N": str(Decimal(drawn).scaleb(-places))}


def generate(schema: KeySchema, samples: Sequence[Item], seed: int) -> Iterator[Item]:
    """Items without end, no two with one key.

    Args:
        schema: The table's key, and its indexes'.
        samples: Items of that table in DynamoDB JSON, for the other attributes.
        seed: From 0 to ``SEEDS`` - 1. Of two seeds, no key is the same where it is a string or
            binary.
    """
    rng = random.Random(seed)
    pools = _pools(samples, schema)
    number = 0
    while True:
        number += 1
        item = _key(schema, seed, number)
        if samples:
            drawn = {n: pool.draw(rng) for n, pool in pools.items() if rng.random() < pool.share}
        else:
            drawn = _person(rng)
        for name, kind in schema.index_types.items():
            if not samples and name not in item:
                drawn[name] = _of_type(kind, name, seed, rng.randrange(100))
        yield {**{name: value for name, value in drawn.items() if name not in item}, **item}


def _pools(samples: Sequence[Item], schema: KeySchema) -> dict[str, _Pool]:
    found: dict[str, list[AttributeValue]] = {}
    for sample in samples:
        for name, value in sample.items():
            if not schema.is_key(name):
                found.setdefault(name, []).append(value)
    return {name: _Pool(values, len(values) / len(samples)) for name, values in found.items()}


def _key(schema: KeySchema, seed: int, number: int) -> Item:
    (partition, kind), *sort = schema.keys
    if not sort:
        return {partition: _of_type(kind, partition, seed, number)}
    ((name, sort_kind),) = sort
    return {
        partition: _of_type(kind, partition, seed, -(-number // PARTITION_SIZE)),
        name: _of_type(sort_kind, name, seed, number),
    }


def _of_type(kind: str, name: str, seed: int, number: int) -> AttributeValue:
    """The ``number``-th value of an attribute; all of one seed differ."""
    if kind == "N":
        return {"N": str(seed * 10**9 + number)}
    if kind == "B":
        digest = hashlib.blake2b(f"{seed} {name} {number}".encode(), digest_size=16).digest()
        return {"B": base64.b64encode(digest).decode()}
    return {"S": f"{name[:100]}-{seed:x}-{number:06d}"}


def _person(rng: random.Random) -> Item:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    return {
        "name": {"S": f"{first} {last}"},
        "email": {"S": f"{first}.{last}@example.com".lower()},
        "age": {"N": str(rng.randint(18, 90))},
        "city": {"S": rng.choice(_CITIES)},
        "active": {"BOOL": rng.random() < 0.8},
    }


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return min(exponent, 0) if isinstance(exponent, int) else 0
