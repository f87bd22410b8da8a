"""chaos: batches fail, wait, come twice, for as long as the command runs."""

from __future__ import annotations

import os
import secrets
import threading
import time
import uuid
from collections.abc import Mapping

import click
from rich.text import Text

from streamdev.aws.errors import AwsError
from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.following import Following, ended_by_ctrl_c, how_it_ended
from streamdev.cli.options import common_options, complete_pipelines
from streamdev.engine.base import require
from streamdev.errors import EngineNotRunningError, InvalidInputError, NotFoundError
from streamdev.semantics.chaos import DEEDS, ChaosSettings, Deed, share

#: How often the engine is told that the command still runs; it gives up after 15 s.
_RENEW_S = 3.0
_DEFAULT_SHARE = 0.1
_SEEDS = 1_000_000


def _share(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """The share that ``20%`` or ``0.2`` means.

    Raises:
        click.BadParameter: It is neither, or over 100%.
    """
    if value is None:
        return None
    try:
        return share(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}. Write 20% or 0.2; 100% is all batches.") from error


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete_pipelines)
@click.option(
    "--fail", callback=_share, metavar="SHARE", help="So many fail, without the function being run."
)
@click.option(
    "--delay", callback=_share, metavar="SHARE", help="So many are held back (--delay-for)."
)
@click.option(
    "--throttle",
    callback=_share,
    metavar="SHARE",
    help="So many are throttled: tried again, and no attempt is used up.",
)
@click.option(
    "--duplicate",
    callback=_share,
    metavar="SHARE",
    help="So many are handed over once more when the function is done with them.",
)
@click.option(
    "--reorder",
    callback=_share,
    metavar="SHARE",
    help="So many are overtaken by records of other items that came later.",
)
@click.option("--split", callback=_share, metavar="SHARE", help="So many are cut in two.")
@click.option(
    "--delay-for",
    type=click.FloatRange(0, 60),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a batch is held back.",
)
@click.option(
    "--within-keys",
    is_flag=True,
    help="With --reorder: records of one item overtake each other too, which AWS never does.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="NUMBER",
    help="Decides which batches are met; the same number, the same again (default: any).",
)
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="End after so long (default: with Ctrl-C).",
)
@common_options
@pass_context
def chaos(
    ctx: Context,
    name: str,
    fail: float | None,
    delay: float | None,
    throttle: float | None,
    duplicate: float | None,
    reorder: float | None,
    split: float | None,
    delay_for: float,
    within_keys: bool,
    seed: int | None,
    seconds: float | None,
) -> int:
    """Make trouble between the stream and a function, until Ctrl-C, and see how it copes.

    NAME is the pipeline. A share of its batches fails, is held back, throttled, handed over twice,
    reordered or split; without any share, 10% of each. All of it is what AWS may do as well:
    records come at least once, and those of one item in order. Batches that fail are retried,
    and given up, as the mapping is set.

    What is done is shown among the processed records, here and in logs and why, as chaos. When
    the command ends, however it ends, all is as before.

    Examples:
      ./dev.py chaos user-profile
      ./dev.py chaos user-profile --fail 30% --duplicate 20% --seed 7
      ./dev.py chaos user-profile --throttle 100% --for 30
    """
    info = require(ctx.engine)
    pipeline = ctx.project.pipeline(name)
    if not info.has_plugins:
        raise InvalidInputError(
            f"The {info.name} engine has no chaos: its mappings are not streamdev's.",
            hint="Use the host or the compose engine.",
        )
    shares: dict[Deed, float | None] = {
        "fail": fail,
        "delay": delay,
        "throttle": throttle,
        "duplicate": duplicate,
        "reorder": reorder,
        "split": split,
    }
    settings = _settings(shares, delay_for, within_keys=within_keys, seed=seed)
    function = pipeline.function.name
    if ctx.gateway.functions.find(function) is None:
        raise NotFoundError(
            f"There is no function {function!r} in the engine.", hint="Make it: ./dev.py deploy"
        )
    stop = threading.Event()
    following = Following(ctx, [function], stop)
    session = _Session(ctx, function, settings)
    end = time.monotonic() + seconds if seconds else None
    with ended_by_ctrl_c(stop):
        try:
            session.renew()
            _tell(ctx, pipeline.name, settings, seconds)
            following.start()
            while not stop.wait(_left(end)):
                if end is not None and time.monotonic() >= end:
                    break
                session.renew()
        finally:
            deeds = session.end()
            following.close()
    over = end is not None and time.monotonic() >= end
    _tell_end(ctx, pipeline.name, deeds)
    return ExitCode.OK if over else how_it_ended(ctx)


def _settings(
    shares: Mapping[Deed, float | None], delay_for: float, *, within_keys: bool, seed: int | None
) -> ChaosSettings:
    given: dict[Deed, float] = {deed: share or 0.0 for deed, share in shares.items()}
    if all(share is None for share in shares.values()):
        given = dict.fromkeys(DEEDS, _DEFAULT_SHARE)
    elif not any(given.values()):
        raise InvalidInputError("All shares are 0, so nothing would happen.", hint="Say --fail 20%")
    if within_keys and not given["reorder"]:
        raise InvalidInputError("--within-keys goes with --reorder.", hint="Say --reorder 20%")
    if seed is None:
        seed = secrets.randbelow(_SEEDS)
    return ChaosSettings(seed, given, delay_for, within_keys)


def _left(end: float | None) -> float:
    return _RENEW_S if end is None else max(0.0, min(_RENEW_S, end - time.monotonic()))


def _tell(ctx: Context, pipeline: str, settings: ChaosSettings, seconds: float | None) -> None:
    until = f"for {seconds:g} s" if seconds else "until Ctrl-C"
    ctx.err.print(Text.assemble((pipeline, "bold"), f": {settings.words}; {until}."))
    if settings.within_keys:
        note = "records of one item overtake each other: on AWS they never do."
        ctx.err.print(Text.assemble(("Note: ", "yellow"), note))


def _tell_end(ctx: Context, pipeline: str, deeds: Mapping[str, int] | None) -> None:
    if deeds is None:
        ctx.err.print(
            Text(f"The chaos for {pipeline} was over before: the engine ended it.", "dim")
        )
        return
    told = ", ".join(f"{number} {deed}" for deed, number in deeds.items()) or "nothing"
    ctx.err.print(Text(f"All is as before. What was done: {told}.", "dim"))


class _Session:
    """The chaos in the engine, this command being its owner."""

    def __init__(self, ctx: Context, function: str, settings: ChaosSettings) -> None:
        self._control = ctx.gateway.control
        self._function = function
        self._settings = settings.to_json()
        self._owner = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"

    def renew(self) -> None:
        """Begin, or go on.

        Raises:
            InvalidInputError: It can't be had; the message says why.
        """
        try:
            self._control.chaos(self._function, self._owner, self._settings)
        except AwsError as error:
            raise InvalidInputError(
                error.message, hint="Is another ./dev.py chaos running? End that one first."
            ) from error

    def end(self) -> dict[str, int] | None:
        """End it; what was done, ``None`` if it was over before."""
        try:
            return self._control.end_chaos(self._function, self._owner)
        except EngineNotRunningError:
            return None  # it ended with the engine


COMMANDS: list[click.Command] = [chaos]
