"""Roles of functions: compared and brought about."""

from __future__ import annotations

from streamdev.aws.gateway import Gateway
from streamdev.aws.roles import RoleState
from streamdev.deploy.changes import Action, Change
from streamdev.deploy.resources import RoleResource


def plan(desired: RoleResource, existing: RoleState | None) -> Change:
    """What the role needs."""
    if existing is None:
        return Change(desired, Action.CREATE)
    parts: set[str] = set()
    reasons: list[str] = []
    if existing.trust != desired.trust:
        parts.add("trust")
        reasons.append("trust")
    if existing.policy != desired.policy:
        parts.add("policy")
        reasons.append("policy" if existing.policy is not None else "policy missing")
    if not parts:
        return Change(desired, Action.NOTHING)
    return Change(desired, Action.UPDATE, tuple(reasons), frozenset(parts))


def apply(gateway: Gateway, change: Change, desired: RoleResource) -> None:
    """Bring the role about, or delete it."""
    if change.action is Action.DELETE:
        gateway.roles.delete(desired.name, desired.policy_name)
        return
    if change.action is Action.CREATE:
        gateway.roles.create(desired.name, desired.trust, desired.tags)
    elif "trust" in change.parts:
        gateway.roles.update_trust(desired.name, desired.trust)
    if change.action is Action.CREATE or "policy" in change.parts:
        gateway.roles.put_policy(desired.name, desired.policy_name, desired.policy)
