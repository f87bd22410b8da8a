"""Functions: compared and brought about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from streamdev.aws.functions import FunctionProgress, FunctionSettings, FunctionState
from streamdev.aws.gateway import Gateway
from streamdev.aws.versions import AliasState
from streamdev.deploy.changes import Action, Change
from streamdev.deploy.resources import ALIAS, FunctionResource
from streamdev.deploy.waiting import wait_for
from streamdev.errors import DeployError

DEADLINE_S = 120.0


def plan(
    desired: FunctionResource, existing: FunctionState | None, alias: AliasState | None
) -> Change:
    """What the function needs; ``alias`` is the one mappings call, as it exists."""
    assert desired.settings is not None
    assert desired.package is not None
    if existing is None:
        return Change(desired, Action.CREATE)
    if existing.state == "Failed":
        return Change(desired, Action.REPLACE, (f"it had failed: {existing.reason}",))
    parts: set[str] = set()
    reasons: list[str] = []
    if existing.code_sha256 != desired.package.sha256:
        parts.add("code")
        reasons.append("code")
    if differences := _differences(existing.settings, desired.settings):
        parts.add("settings")
        reasons += differences
    if existing.reserved_concurrency != desired.reserved_concurrency:
        parts.add("concurrency")
        was, wanted = existing.reserved_concurrency, desired.reserved_concurrency
        reasons.append(f"reserved-concurrency {_shown(was)} → {_shown(wanted)}")
    if provisioning := _provisioning(desired, alias):
        parts.add("provisioning")
        reasons.append(provisioning)
    if any(existing.tags.get(key) != value for key, value in desired.tags.items()):
        parts.add("tags")
        reasons.append("taken over: it was made elsewhere")
    if not parts:
        return Change(desired, Action.NOTHING)
    return Change(desired, Action.UPDATE, tuple(reasons), frozenset(parts))


def _provisioning(desired: FunctionResource, alias: AliasState | None) -> str | None:
    """Why the warm environments are not what they should be, or ``None`` where they are."""
    assert desired.package is not None
    wanted = desired.provisioned_concurrency
    provisioned = alias.provisioned if alias else None
    if provisioned != wanted:
        return f"provisioned-concurrency {_shown(provisioned)} → {_shown(wanted)}"
    if alias is None or wanted is None:
        return None
    if alias.status == "FAILED":
        return f"provisioned concurrency had failed: {alias.reason}"
    if (alias.code_sha256, alias.settings) != (desired.package.sha256, desired.settings):
        return f"version {alias.version} is out of date"
    return None


def _differences(was: FunctionSettings, wanted: FunctionSettings) -> list[str]:
    reasons = []
    for name in (field.name for field in fields(FunctionSettings)):
        old, new = getattr(was, name), getattr(wanted, name)
        if old == new:
            continue
        if isinstance(old, Mapping):
            # Values may be secrets: only names are shown.
            changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
            reasons.append(f"environment: {', '.join(changed)}")
        else:
            reasons.append(f"{name.replace('_', '-')} {old} → {new}")
    return reasons


def _shown(concurrency: int | None) -> str:
    return "none" if concurrency is None else str(concurrency)


def apply(gateway: Gateway, change: Change, desired: FunctionResource) -> None:
    """Bring the function about and wait until it can be invoked, or delete it.

    Raises:
        DeployError: It failed, or was not ready in time.
    """
    if change.action in (Action.DELETE, Action.REPLACE):
        gateway.functions.delete(desired.name)
    if change.action is Action.DELETE:
        return
    assert desired.settings is not None
    assert desired.package is not None
    if change.action in (Action.CREATE, Action.REPLACE):
        gateway.functions.create(
            desired.name, desired.settings, desired.package.read(), desired.tags
        )
        _wait(gateway, desired.name)
        if desired.reserved_concurrency is not None:
            gateway.functions.reserve(desired.name, desired.reserved_concurrency)
        if desired.provisioned_concurrency is not None:
            _provision(gateway, desired)
        return
    if "code" in change.parts:
        gateway.functions.update_code(desired.name, desired.package.read())
        # AWS takes no second change while one is under way.
        _wait(gateway, desired.name)
    if "settings" in change.parts:
        gateway.functions.update_settings(desired.name, desired.settings)
        _wait(gateway, desired.name)
    if "concurrency" in change.parts:
        gateway.functions.reserve(desired.name, desired.reserved_concurrency)
    if "provisioning" in change.parts:
        _provision(gateway, desired)
    if "tags" in change.parts:
        gateway.functions.tag(_wait(gateway, desired.name).arn, desired.tags)


def _provision(gateway: Gateway, desired: FunctionResource) -> None:
    """Publish the function, point the alias at it and wait for its warm environments.

    Without ``provisioned_concurrency`` the environments are given up; the alias stays, as a
    mapping may still call it at this moment.
    """
    versions, name = gateway.versions, desired.name
    before = versions.find(name, ALIAS)
    wanted = desired.provisioned_concurrency
    if wanted is None:
        versions.provision(name, ALIAS, None)
        return
    version = versions.publish(name)
    _wait(gateway, f"{name}:{version}")
    versions.point(name, ALIAS, version)
    if before is None or before.provisioned != wanted or before.status == "FAILED":
        versions.provision(name, ALIAS, wanted)
    state = wait_for(
        f"Provisioned concurrency of {name}",
        lambda: versions.find(name, ALIAS),
        lambda state: state is not None and state.status in ("READY", "FAILED"),
        deadline_s=DEADLINE_S,
        describe=lambda state: f"{state.status}" if state else "the alias does not exist",
    )
    if state is not None and state.status == "FAILED":
        raise DeployError(f"Provisioned concurrency of {name} failed: {state.reason}.")
    if before is not None and before.version != version:
        versions.delete(name, before.version)


def _wait(gateway: Gateway, name: str) -> FunctionProgress:
    """Wait until the function is active and its last update has been taken on."""
    state = wait_for(
        f"Function {name}",
        lambda: gateway.functions.progress(name),
        lambda state: state is not None and (state.ready or state.failed),
        deadline_s=DEADLINE_S,
        describe=_describe,
    )
    assert state is not None
    if state.failed:
        raise DeployError(f"Function {name} failed: {_describe(state)}.")
    return state


def _describe(state: FunctionProgress | None) -> str:
    if state is None:
        return "it does not exist"
    words = f"{state.state}, last update {state.update}"
    return f"{words}: {state.reason}" if state.reason else words
