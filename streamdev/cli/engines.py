"""Which engine a command works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streamdev.aws.names import DEFAULT_REGION
from streamdev.cli.context import Context
from streamdev.engine.base import Engine
from streamdev.engine.record import EngineRecord, read_record
from streamdev.errors import EngineNotRunningError, InvalidInputError


@dataclass(frozen=True)
class Choice:
    """An engine and, in a phrase, why it is the one.

    Attributes:
        name: Its name, a key of ``ENGINES``.
        why: The reason, for people.
        by_machine: Whether this machine decided it, and no option or running engine.
    """

    name: str
    why: str
    by_machine: bool = False


def choose_engine(ctx: Context) -> Engine:
    """The engine in force, made ready to be asked.

    Raises:
        InvalidInputError: What was asked for contradicts what runs, or lacks its endpoint.
    """
    return ENGINES[choose(ctx).name](ctx)


def choose(ctx: Context) -> Choice:
    """Which engine is in force: the running one's kind, else the option's, else by choice.

    Raises:
        InvalidInputError: Another engine than the one asked for runs in this checkout.
    """
    asked = ctx.settings.engine
    if asked == "auto" and ctx.settings.endpoint_url:
        return Choice("external", "an endpoint is given")
    if asked not in ("auto", "external") and ctx.settings.endpoint_url:
        raise InvalidInputError(
            f"--endpoint-url is for the external engine, and --engine {asked} is another one.",
            hint="Use --engine external with it, or leave it out.",
        )
    record = read_record(ctx.state.engine_record)
    if record is not None and asked in ("auto", record.engine):
        return Choice(record.engine, "it was started in this checkout")
    if record is not None and asked != "external" and _runs(ctx, record):
        raise InvalidInputError(
            f"This checkout's engine runs already, as {record.engine}, not as {asked}.",
            hint=f"Stop it first: ./dev.py down --engine {record.engine}",
        )
    if asked != "auto":
        return Choice(asked, "it was asked for")
    return _by_machine(ctx)


def was_stopped(ctx: Context) -> bool:
    """Whether an engine that no longer answers was stopped on purpose.

    Raises:
        EngineNotRunningError: It died; the message says how.
    """
    from streamdev.engine.lock import engine_lock

    # Whoever is stopping it holds the lock until nothing is left of it.
    with engine_lock(ctx.state):
        return ctx.engine.running() is None


def _by_machine(ctx: Context) -> Choice:
    """Compose where a Docker daemon answers and the image is at hand, else a process."""
    from streamdev.engine.compose import why_not

    reason = why_not(environ=ctx.environ)
    if reason is None:
        why = "a Docker daemon answers, and the image is here or can be pulled"
        return Choice("compose", why, by_machine=True)
    return Choice("host", f"Compose can't be used: {reason}", by_machine=True)


def _runs(ctx: Context, record: EngineRecord) -> bool:
    try:
        return ENGINES[record.engine](ctx).running() is not None
    except EngineNotRunningError:
        return False


def region_of(environ: Mapping[str, str]) -> str:
    """The region to work in: ``STREAMDEV_REGION``, else us-east-1.

    Raises:
        InvalidInputError: AWS's standard partition has no such region.
    """
    region = environ.get("STREAMDEV_REGION") or DEFAULT_REGION
    if region == DEFAULT_REGION:
        return region  # botocore's list takes a moment to read

    from difflib import get_close_matches

    from streamdev.aws.regions import known_regions

    if region not in known_regions():
        near = get_close_matches(region, sorted(known_regions()), n=1)
        raise InvalidInputError(
            f"STREAMDEV_REGION is {region!r}, which is no region of AWS's partition aws.",
            hint=f"Did you mean {near[0]}?" if near else "For instance: STREAMDEV_REGION=eu-west-1",
        )
    return region


def _host(ctx: Context) -> Engine:
    from streamdev.engine.host import START_TIMEOUT_S, HostEngine

    return HostEngine(
        ctx.state,
        port=ctx.settings.port,
        region=region_of(ctx.environ),
        environ=ctx.environ,
        start_timeout=_seconds(ctx.environ, "STREAMDEV_START_TIMEOUT", START_TIMEOUT_S),
    )


def _compose(ctx: Context) -> Engine:
    from streamdev.engine.compose import START_TIMEOUT_S, ComposeEngine

    return ComposeEngine(
        ctx.state,
        port=ctx.settings.port,
        region=region_of(ctx.environ),
        environ=ctx.environ,
        start_timeout=_seconds(ctx.environ, "STREAMDEV_START_TIMEOUT", START_TIMEOUT_S),
    )


def _external(ctx: Context) -> Engine:
    from streamdev.aws.endpoints import check_endpoint
    from streamdev.engine.external import ExternalEngine

    if not ctx.settings.endpoint_url:
        raise InvalidInputError(
            "The external engine needs an endpoint.",
            hint="Say which: --endpoint-url http://127.0.0.1:4566 (or STREAMDEV_ENDPOINT_URL)",
        )
    allow_remote = ctx.settings.allow_remote_endpoint
    return ExternalEngine(check_endpoint(ctx.settings.endpoint_url, allow_remote=allow_remote))


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise InvalidInputError(
            f"{name} is {text!r}, which is no number of seconds.", hint=f"For instance: {name}=300"
        )
    return seconds


ENGINES: dict[str, Callable[[Context], Engine]] = {
    "host": _host,
    "compose": _compose,
    "external": _external,
}
