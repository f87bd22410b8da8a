"""What all models of pipelines.toml share: frozen, strict, keys in kebab case."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


def kebab(name: str) -> str:
    """``batch_size`` → ``batch-size``."""
    return name.replace("_", "-")


class Model(BaseModel):
    """A part of pipelines.toml."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        # TOML has types: "100" is no number and 1 is no boolean.
        strict=True,
        alias_generator=kebab,
        validate_default=False,
    )
