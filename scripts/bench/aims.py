"""The aims: what was set out to be reached, what was measured, and whether it was reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scripts.bench import figures
from scripts.bench.figures import ALONE, COMPOSE, HOST, LOCALSTACK, MINISTACK
from scripts.bench.report import Report, number
from scripts.bench.resources import PARTS

SMALL, LARGE = 1_000, 20_000
IDLE = 60
NOT_MEASURED = ("–", "not measured")

# What was measured, and the verdict.
Judged = tuple[str, str]


@dataclass(frozen=True)
class Aim:
    """One aim.

    Attributes:
        says: The aim, for people.
        judge: Looks into the figures.
    """

    says: str
    judge: Callable[[Report], Judged]


def markdown(report: Report) -> str:
    """The table of aims; each is judged by the median of the rounds."""
    lines = ["| aim | measured | |", "|---|---|---|"]
    lines += [f"| {aim.says} | {' | '.join(aim.judge(report))} |" for aim in AIMS]
    return "\n".join(lines) + "\n"


def _under(figure: str, subject: str, limit: float) -> Callable[[Report], Judged]:
    """The figure is less than ``limit``."""

    def judge(report: Report) -> Judged:
        spread = report.spread(figure, subject)
        if spread is None:
            return NOT_MEASURED
        return f"{spread} {report.figures[figure].unit}", _verdict(spread.middle < limit)

    return judge


def _ratio(
    figure: str,
    subject: str,
    to: str,
    *,
    at_most: float = float("inf"),
    at_least: float = 0.0,
    to_figure: str | None = None,
) -> Callable[[Report], Judged]:
    """The subject's figure is within limits of another one's."""

    def judge(report: Report) -> Judged:
        ratio = report.ratio(figure, subject, to, to_name=to_figure)
        if ratio is None:
            return NOT_MEASURED
        return f"×{ratio}", _verdict(at_least <= ratio.middle <= at_most)

    return judge


def _beaten_if_the_ceiling_allows(count: int) -> Callable[[Report], Judged]:
    """More than MiniStack's rate, unless DynamoDB Local alone is below that."""

    def judge(report: Report) -> Judged:
        figure = figures.bulk(count)
        ratio = report.ratio(figure, HOST, MINISTACK)
        if ratio is None:
            return NOT_MEASURED
        ceiling = report.ratio(figure, ALONE, MINISTACK)
        told = f"×{ratio}" + (f"; the ceiling is at ×{ceiling}" if ceiling else "")
        if ratio.middle <= 1 and ceiling is not None and ceiling.middle <= 1:
            return told, "the ceiling does not allow it"
        return told, _verdict(ratio.middle > 1)

    return judge


def _memory(report: Report) -> Judged:
    whole = report.spread(figures.MEMORY, HOST)
    if whole is None:
        return NOT_MEASURED
    parts = {part: report.spread(figures.memory_of(part), HOST) for part in PARTS}
    told = ", ".join(f"{part} {number(found.middle)}" for part, found in parts.items() if found)
    return f"{whole} MiB: {told}", "stated"


def _verdict(reached: bool) -> str:
    return "reached" if reached else "**not reached**"


AIMS = (
    Aim("`up` on a prepared machine until ready: under 8 s", _under(figures.READY, HOST, 8)),
    Aim("the same with Compose, image present: under 15 s", _under(figures.READY, COMPOSE, 15)),
    Aim("`up` when all runs already: under 1 s", _under(figures.AGAIN, HOST, 1)),
    Aim("redeploy after a handler edit: under 1 s", _under(figures.REDEPLOY, HOST, 1)),
    Aim(
        "`up` to first record handled: half of LocalStack's with its own settings",
        _ratio(figures.FIRST, HOST, LOCALSTACK, at_most=0.5),
    ),
    Aim("write to handler, p50: under 60 ms", _under(figures.HANDLED, HOST, 60)),
    Aim(
        "write to handler, p50: at or below MiniStack's",
        _ratio(figures.HANDLED, HOST, MINISTACK, at_most=1),
    ),
    Aim(
        "write to handler, p99: at or below MiniStack's",
        _ratio(figures.HANDLED_P99, HOST, MINISTACK, at_most=1),
    ),
    Aim(
        "write to handler less the put, p50: under 5 ms",
        _under(figures.AFTER_PUT, HOST, 5),
    ),
    Aim(
        "write to handler with Compose: within 1.3 times the host engine's",
        _ratio(figures.HANDLED, COMPOSE, HOST, at_most=1.3),
    ),
    *(
        Aim(
            f"{figures.bulk(count)}: at least 0.8 of DynamoDB Local alone",
            _ratio(figures.bulk(count), HOST, ALONE, at_least=0.8),
        )
        for count in (SMALL, LARGE)
    ),
    *(
        Aim(
            f"{figures.bulk(count)}: MiniStack's rate, if the ceiling allows",
            _beaten_if_the_ceiling_allows(count),
        )
        for count in (SMALL, LARGE)
    ),
    Aim(
        f"no slower per item at {LARGE:,} than at {SMALL:,}",
        _ratio(figures.bulk(LARGE), HOST, HOST, at_least=1, to_figure=figures.bulk(SMALL)),
    ),
    Aim(
        "CPU of an idle engine over a minute: under 1 % of a core",
        _under(figures.idle_cpu(IDLE), HOST, 1),
    ),
    Aim("memory of an idle engine: stated, with what makes it up", _memory),
)
