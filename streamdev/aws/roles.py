"""IAM roles with one inline policy each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamdev.aws.errors import AwsNotFoundError

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway


@dataclass(frozen=True)
class RoleState:
    """A role as it exists: who may take it on and what its inline policy allows."""

    name: str
    arn: str
    trust: Mapping[str, Any]
    policy: Mapping[str, Any] | None
    tags: Mapping[str, str]


class Roles:
    """Looks up, creates and changes roles."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def find(self, name: str, policy_name: str) -> RoleState | None:
        """The role called ``name`` with its inline policy ``policy_name``, or ``None``."""
        client = self._gateway.client("iam")
        try:
            with self._gateway.errors():
                role = client.get_role(RoleName=name)["Role"]
        except AwsNotFoundError:
            return None
        policy: Mapping[str, Any] | None
        try:
            with self._gateway.errors():
                document = client.get_role_policy(RoleName=name, PolicyName=policy_name)
            policy = _document(document["PolicyDocument"])
        except AwsNotFoundError:
            policy = None
        return RoleState(
            name=role["RoleName"],
            arn=role["Arn"],
            trust=_document(role.get("AssumeRolePolicyDocument", {})),
            policy=policy,
            tags={tag["Key"]: tag["Value"] for tag in role.get("Tags", ())},
        )

    def create(self, name: str, trust: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Create a role without a policy."""
        with self._gateway.errors():
            self._gateway.client("iam").create_role(
                RoleName=name,
                AssumeRolePolicyDocument=json.dumps(trust),
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )

    def update_trust(self, name: str, trust: Mapping[str, Any]) -> None:
        """Change who may take the role on."""
        with self._gateway.errors():
            self._gateway.client("iam").update_assume_role_policy(
                RoleName=name, PolicyDocument=json.dumps(trust)
            )

    def put_policy(self, name: str, policy_name: str, policy: Mapping[str, Any]) -> None:
        """Create or replace the role's inline policy."""
        with self._gateway.errors():
            self._gateway.client("iam").put_role_policy(
                RoleName=name, PolicyName=policy_name, PolicyDocument=json.dumps(policy)
            )

    def delete(self, name: str, policy_name: str) -> None:
        """Delete the role and its inline policy."""
        client = self._gateway.client("iam")
        try:
            with self._gateway.errors():
                client.delete_role_policy(RoleName=name, PolicyName=policy_name)
        except AwsNotFoundError:
            pass  # IAM refuses to delete a role that still has a policy; this one has none.
        with self._gateway.errors():
            client.delete_role(RoleName=name)


def _document(value: Any) -> Mapping[str, Any]:
    """A policy document; boto3 decodes it for most, not all, emulators."""
    document: Mapping[str, Any] = json.loads(value) if isinstance(value, str) else value
    return document
