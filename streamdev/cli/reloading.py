"""What `watch` does when something was saved."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamdev.cli.context import Context
from streamdev.cli.deploy import deploy_project
from streamdev.cli.deploy_steps import deploy_lock, package_of, start_warm
from streamdev.cli.following import Following
from streamdev.cli.spares import Spares
from streamdev.errors import DeployError, StreamdevError
from streamdev.observe import batches
from streamdev.observe.names import Names
from streamdev.semantics.outcome import judge

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline
    from streamdev.deploy.package import Package
    from streamdev.engine.base import EngineInfo

# A file may be replaced at the moment it is read.
_ATTEMPTS = 10
_PAUSE_S = 0.05
# A save that is older was not what was noticed (a file moved here keeps its time).
_FRESH_S = 10.0
# What an invocation may take besides the function's timeout.
_MARGIN_S = 60.0


class Reloader:
    """Brings what runs in line with what was saved, and tells of it.

    Args:
        ctx: The command's context.
        info: The engine.
        names: The pipelines that are watched; none for all.
        following: Where it is told.
        spares: Processes that wait for the next edit.
        replay: Whether the last batch is sent through new code.
    """

    def __init__(
        self,
        ctx: Context,
        info: EngineInfo,
        names: Sequence[str],
        following: Following,
        spares: Spares,
        *,
        replay: bool,
    ) -> None:
        self._ctx = ctx
        self._info = info
        self._names = tuple(names)
        self._following = following
        self._spares = spares
        self._replay = replay
        #: What can't be deployed as it is now: the words, by pipeline ("" for pipelines.toml).
        self._wrong: dict[str, str] = {}

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """What is watched, as pipelines.toml was last read without an error."""
        return self._ctx.project.select(self._names)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The handlers' folders."""
        return tuple(dict.fromkeys(one.function.source for one in self.pipelines))

    def take(self, paths: frozenset[Path]) -> None:
        """Deploy what the changed ``paths`` are a part of."""
        if self._ctx.config_path in paths:
            self._reload_project()
        for pipeline in self.pipelines:
            source = pipeline.function.source
            own = [path for path in paths if path == source or path.is_relative_to(source)]
            if own:
                self._reload(pipeline, own)

    def _reload(self, pipeline: Pipeline, paths: Sequence[Path]) -> None:
        """Bring the pipeline's function in line with its folder."""
        from streamdev.deploy.apply import apply_plan
        from streamdev.deploy.reload import plan_reload

        ctx, noticed = self._ctx, time.time()
        files = _relative(paths, pipeline.function.source)
        try:
            package = self._package(pipeline)
            with deploy_lock(ctx):
                plan = plan_reload(ctx.project, pipeline, package, ctx.gateway)
                apply_plan(
                    plan,
                    ctx.gateway,
                    lambda change, done: None if done else start_warm(ctx, self._info, change),
                )
        except StreamdevError as error:
            self._tell_wrong(pipeline.name, files, error)
            return
        was_wrong = self._wrong.pop(pipeline.name, None) is not None
        if not plan.effective:
            if was_wrong:
                self._following.tell(pipeline.name, ("as it runs", "green"), "  nothing to reload")
                self._document(pipeline.name, files, "unchanged")
            return
        seconds = _since_save(paths, noticed)
        self._following.tell(
            pipeline.name,
            ("reloaded", "bold green"),
            f"  {', '.join(files)}: runs {seconds * 1000:,.0f} ms after the save",
            more=package.notes,
        )
        self._document(pipeline.name, files, "reloaded", seconds)
        self._spares.deployed(plan.changes)
        if self._replay:
            self._send_last_batch(pipeline)
        if self._info.has_plugins:
            self._spares.renew()

    def _package(self, pipeline: Pipeline) -> Package:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return package_of(self._ctx, self._info, pipeline.function)
            except OSError as error:
                if attempt == _ATTEMPTS:
                    raise DeployError(f"{error.filename} can't be read: {error}") from error
                time.sleep(_PAUSE_S)
        raise AssertionError

    def _reload_project(self) -> None:
        """Read pipelines.toml again and deploy what it says."""
        ctx, noticed = self._ctx, time.time()
        before = ctx.project
        name = ctx.config_path.name
        try:
            ctx.forget_project()
            _ = self.pipelines
        except StreamdevError as error:
            ctx.project = before
            self._tell_wrong(name, [name], error)
            return
        try:
            with self._following.printing:
                result = deploy_project(ctx, self._names, watching=True)
        except StreamdevError as error:
            self._tell_wrong(name, [name], error)
            return
        self._wrong.clear()
        self._spares.deployed(result.changes)
        self._following.watch(
            Names.of_project(ctx.project), [one.function.name for one in self.pipelines]
        )
        seconds = _since_save([ctx.config_path], noticed)
        count = sum(change.effective for change in result.changes)
        if count:
            self._following.tell(
                name,
                ("deployed", "bold green"),
                f"  {count} change(s): {seconds * 1000:,.0f} ms after the save",
            )
        self._document(None, [name], "reloaded" if count else "unchanged", seconds)

    def _tell_wrong(self, name: str, files: Sequence[str], error: StreamdevError) -> None:
        """Say once what can't be deployed, however often it is saved."""
        if self._wrong.get(name) == error.message:
            return
        self._wrong[name] = error.message
        first, *rest = error.message.splitlines()
        if error.hint:
            rest.append(error.hint)
        self._following.tell(
            name,
            ("not reloaded", "bold red"),
            f"  {first}",
            more=[*rest, "What ran before goes on running."],
        )
        told = {"message": error.message, "hint": error.hint}
        pipeline = name if name in self._ctx.project.pipelines else None
        self._document(pipeline, files, "failed", error=told)

    def _document(
        self,
        pipeline: str | None,
        files: Sequence[str],
        outcome: str,
        seconds: float | None = None,
        error: dict[str, Any] | None = None,
    ) -> None:
        self._following.document(
            "reload",
            pipeline=pipeline,
            files=list(files),
            outcome=outcome,
            seconds=None if seconds is None else round(seconds, 3),
            error=error,
        )

    def _send_last_batch(self, pipeline: Pipeline) -> None:
        """Give the function its last batch again; what comes of it is in the log as well."""
        ctx, function = self._ctx, pipeline.function
        lines = ctx.engine.read_log(since=None, follow=False, stop=threading.Event())
        batch = batches.last_batch(lines, function.name)
        if batch is None:
            self._tell_replay(pipeline, "nothing to replay: it was given no batch yet", 0, None)
            return
        count = len(batch.records)
        try:
            event = batches.WholeBatches(ctx.gateway).event(batch)
        except batches.GoneError as error:
            self._tell_replay(pipeline, f"can't replay the last batch: {error}", count, None)
            return
        payload = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
        try:
            answer = ctx.gateway.functions.invoke(
                function.name, payload, timeout_s=function.timeout + _MARGIN_S
            )
        except StreamdevError as error:
            self._tell_replay(
                pipeline, f"can't replay the last batch: {error.message}", count, None
            )
            return
        outcome = judge(
            answer.payload,
            is_error=answer.failed,
            logs="",
            report_failures=pipeline.mapping.report_batch_item_failures,
        )
        words = f"replayed the last batch, {count} record(s): {outcome.kind}"
        self._tell_replay(pipeline, words, count, outcome.kind)

    def _tell_replay(
        self, pipeline: Pipeline, words: str, records: int, outcome: str | None
    ) -> None:
        self._following.tell(pipeline.name, words)
        self._following.document(
            "replay", pipeline=pipeline.name, records=records, outcome=outcome, text=words
        )


def _relative(paths: Iterable[Path], source: Path) -> list[str]:
    return sorted({path.relative_to(source).as_posix() for path in paths})


def _since_save(paths: Iterable[Path], noticed: float) -> float:
    """Seconds since ``paths`` were written, the first of them counts, or since it was noticed."""
    saved = noticed
    for path in paths:
        with contextlib.suppress(OSError):
            written = path.stat().st_mtime
            if noticed - _FRESH_S < written < noticed:
                saved = min(saved, written)
    return time.time() - saved
