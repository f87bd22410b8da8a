"""What the last deploy left behind, so that the next one need not look at all of it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamdev import __version__
from streamdev.config.models import Pipeline, Project
from streamdev.deploy.changes import Action, Change
from streamdev.deploy.existing import Existing
from streamdev.deploy.package import Package
from streamdev.deploy.plan import Plan, make_plan


class Memory:
    """Which pipelines were deployed, as what, in which generation of the engine.

    The generation (`Control.configure`) tells whether anybody else has changed anything since.
    What is remembered is forgotten before a plan is applied, and known again when all of it is.

    Args:
        path: Where it is kept, between commands.
        generation: The engine's, told before anything of it was looked at.
    """

    def __init__(self, path: Path, generation: str) -> None:
        self._path = path
        self._kept: dict[str, Any] = {"generation": generation, "names": [], "pipelines": {}}
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["generation"] == generation:
                self._kept = {key: kept[key] for key in self._kept}
        except (OSError, ValueError, KeyError, TypeError):
            pass  # nothing is remembered

    def unchanged(self, wanted: Mapping[str, Plan], *, whole: bool) -> frozenset[str]:
        """The pipelines of which everything is as a deploy left it, and as it is ``wanted``.

        Args:
            wanted: `plan_from_nothing` of the pipelines to deploy, by their name.
            whole: Whether these are all of the project. Then none is unchanged where they have
                other resources than before: what is left over of those has to be looked for.
        """
        if whole and self._kept["names"] != _names(wanted):
            return frozenset()
        known = self._kept["pipelines"]
        return frozenset(
            name for name, plan in wanted.items() if known.get(name) == _fingerprint(plan)
        )

    def forget(self) -> None:
        """Have the next deploy look at everything, unless `keep` is called before it."""
        self._path.unlink(missing_ok=True)

    def keep(self, wanted: Mapping[str, Plan], *, whole: bool) -> None:
        """Remember that all that is ``wanted`` is there."""
        if whole:
            self._kept["names"] = _names(wanted)
            self._kept["pipelines"] = {}
        for name, plan in wanted.items():
            self._kept["pipelines"][name] = _fingerprint(plan)
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(self._kept), encoding="utf-8")
        part.replace(self._path)


def plan_from_nothing(
    project: Project, pipeline: Pipeline, packages: Mapping[str, Package], region: str
) -> Plan:
    """All that the pipeline needs, as it would be made where there is nothing."""
    return make_plan(project, [pipeline], packages, Existing(), region=region)


def with_unchanged(plan: Plan, unchanged: Sequence[Plan]) -> Plan:
    """``plan`` with what need not be looked at, each resource once."""
    looked_at = {(change.resource.kind, change.resource.name) for change in plan.changes}
    others: dict[tuple[str, str], Change] = {}
    for change in (change for one in unchanged for change in one.changes):
        key = (change.resource.kind, change.resource.name)
        if key not in looked_at:
            others[key] = replace(change, action=Action.NOTHING)
    return Plan((*others.values(), *plan.changes))


def _names(wanted: Mapping[str, Plan]) -> list[str]:
    return sorted(
        {
            f"{change.resource.kind} {change.resource.name}"
            for plan in wanted.values()
            for change in plan.changes
        }
    )


def _fingerprint(plan: Plan) -> str:
    described = repr((__version__, [change.resource for change in plan.changes]))
    return hashlib.sha256(described.encode()).hexdigest()
