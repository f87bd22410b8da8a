"""What the last deploy left behind, so that the next one need not look at all of it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamdev import __version__
from streamdev.aws.gateway import Gateway
from streamdev.config.models import Pipeline, Project
from streamdev.deploy import functions
from streamdev.deploy.changes import Action, Change
from streamdev.deploy.existing import Existing
from streamdev.deploy.package import Package
from streamdev.deploy.plan import Plan, make_plan
from streamdev.deploy.resources import ALIAS, FunctionResource

#: A resource's kind and name.
Key = str


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

    def differing(
        self, wanted: Mapping[str, Plan], *, whole: bool
    ) -> dict[str, frozenset[Key] | None]:
        """Which resources of each pipeline differ from what a deploy left.

        Args:
            wanted: `plan_from_nothing` of the pipelines to deploy, by their name.
            whole: Whether these are all of the project. Then nothing is known where they have
                other resources than before: what is left over of those has to be looked for.

        Returns:
            By the pipelines' names; ``None`` where nothing is known.
        """
        if whole and self._kept["names"] != _names(wanted):
            return dict.fromkeys(wanted)
        found: dict[str, frozenset[Key] | None] = {}
        for name, plan in wanted.items():
            known, now = self._kept["pipelines"].get(name), _fingerprints(plan)
            if known is None or list(known) != list(now):
                found[name] = None
            else:
                found[name] = frozenset(key for key in now if known[key] != now[key])
        return found

    def forget(self) -> None:
        """Have the next deploy look at everything, unless `keep` is called before it."""
        self._path.unlink(missing_ok=True)

    def keep(self, wanted: Mapping[str, Plan], *, whole: bool) -> None:
        """Remember that all that is ``wanted`` is there."""
        if whole:
            self._kept["names"] = _names(wanted)
            self._kept["pipelines"] = {}
        for name, plan in wanted.items():
            self._kept["pipelines"][name] = _fingerprints(plan)
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(self._kept), encoding="utf-8")
        part.replace(self._path)


def plan_from_nothing(
    project: Project, pipeline: Pipeline, packages: Mapping[str, Package], region: str
) -> Plan:
    """All that the pipeline needs, as it would be made where there is nothing."""
    return make_plan(project, [pipeline], packages, Existing(), region=region)


def known_plans(
    memory: Memory, wanted: Mapping[str, Plan], gateway: Gateway, *, whole: bool
) -> dict[str, Plan]:
    """The plans of those pipelines that need not be looked at whole; arguments as `differing`'s."""
    found = {}
    for name, differing in memory.differing(wanted, whole=whole).items():
        if differing is not None and (plan := _plan_differing(wanted[name], differing, gateway)):
            found[name] = plan
    return found


def _plan_differing(wanted: Plan, differing: frozenset[Key], gateway: Gateway) -> Plan | None:
    """The plan of a pipeline whose other resources are as a deploy left them.

    ``None`` where more differs than functions: how these stand can be asked by itself.
    """
    changes = []
    for change in wanted.changes:
        resource = change.resource
        if _key(change) not in differing:
            changes.append(replace(change, action=Action.NOTHING))
        elif isinstance(resource, FunctionResource):
            state = gateway.functions.find(resource.name)
            alias = gateway.versions.find(resource.name, ALIAS) if state else None
            changes.append(functions.plan(resource, state, alias))
        else:
            return None
    return Plan(tuple(changes))


def merged(known: Iterable[Plan], looked_at: Plan) -> Plan:
    """``looked_at`` with what else the ``known`` ones have, that once."""
    seen = {_key(change) for change in looked_at.changes}
    others = {_key(change): change for plan in known for change in plan.changes}
    kept = (change for key, change in others.items() if key not in seen)
    return Plan((*kept, *looked_at.changes))


def _key(change: Change) -> Key:
    return f"{change.resource.kind} {change.resource.name}"


def _names(wanted: Mapping[str, Plan]) -> list[Key]:
    return sorted({_key(change) for plan in wanted.values() for change in plan.changes})


def _fingerprints(plan: Plan) -> dict[Key, str]:
    return {
        _key(change): hashlib.sha256(repr((__version__, change.resource)).encode()).hexdigest()
        for change in plan.changes
    }
