"""A CloudFormation or SAM template, read: its resources, with intrinsic functions resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from streamdev.aws import names
from streamdev.errors import InvalidInputError

_PSEUDO = {
    "AWS::AccountId": names.ACCOUNT_ID,
    "AWS::NoValue": None,
    "AWS::Partition": "aws",
    "AWS::Region": names.DEFAULT_REGION,
    "AWS::URLSuffix": "amazonaws.com",
}
# AWS, "Intrinsic function reference" and "Condition functions".
_FUNCTIONS = {
    *("And", "Base64", "Cidr", "Condition", "Equals", "FindInMap", "ForEach", "GetAtt", "GetAZs"),
    *("If", "ImportValue", "Join", "Length", "Not", "Or", "Ref", "Select", "Split", "Sub"),
    *("ToJsonString", "Transform"),
}
#: Properties that hold a resource's own name.
_NAME_PROPERTIES = ("FunctionName", "TableName", "QueueName", "TopicName", "BucketName")
_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")


class UnresolvedError(Exception):
    """A value that only AWS knows; the message says which, with its line."""


@dataclass(frozen=True)
class Reference:
    """A resource of the template, or an attribute of it (``Arn``); ``None``: its ``Ref``."""

    logical_id: str
    attribute: str | None = None


class Template:
    """A template's parts.

    Raises:
        InvalidInputError: It can't be read, is no template, or has tags that are no functions.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tree = self._read()
        self._refuse_unknown(self._tree, 1)
        self.resources: Mapping[str, Any] = self._tree["Resources"]
        self._parameters: Mapping[str, Any] = self._tree.get("Parameters") or {}

    def _read(self) -> Any:
        yaml = YAML()
        yaml.version = (1, 1)
        try:
            tree = yaml.load(self._path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"{self._path} can't be read: {error}.") from error
        except MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise InvalidInputError(
                f"{self._path}:{line}: not valid YAML: {error.problem}."
            ) from error
        except YAMLError as error:
            raise InvalidInputError(f"{self._path}: not valid YAML: {error}.") from error
        resources = tree.get("Resources") if isinstance(tree, Mapping) else None
        if not isinstance(resources, Mapping) or not all(
            isinstance(one, Mapping) and isinstance(one.get("Type"), str)
            for one in resources.values()
        ):
            raise InvalidInputError(
                f"{self._path} is no template: it has no Resources with a Type."
            )
        return tree

    def _refuse_unknown(self, node: Any, line: int) -> None:
        """Tags and ``Fn::`` keys that are no function of AWS's."""
        function = _function_of(node)
        if function is not None and function not in _FUNCTIONS:
            raise InvalidInputError(
                f"{self._path}:{line}: there is no intrinsic function {function}."
            )
        for key, value in _children(node):
            self._refuse_unknown(value, _line(node, key, line))

    @property
    def global_properties(self) -> Mapping[str, Any]:
        """``Globals.Function``: what functions have unless they say otherwise."""
        found: Mapping[str, Any] = (self._tree.get("Globals") or {}).get("Function") or {}
        return found

    @property
    def other_globals(self) -> list[str]:
        """The other sections of ``Globals``, which no function has anything from."""
        return [section for section in self._tree.get("Globals") or {} if section != "Function"]

    def properties(self, logical_id: str) -> Mapping[str, Any]:
        """A resource's properties, as they stand there."""
        found: Mapping[str, Any] = self.resources[logical_id].get("Properties") or {}
        return found

    def name(self, logical_id: str) -> str:
        """The resource's own name; without one the logical id, as AWS would make one up.

        Raises:
            UnresolvedError: Its name is a value that only AWS knows.
        """
        properties = self.properties(logical_id)
        for key in _NAME_PROPERTIES:
            if key in properties:
                return str(self.value(properties, key))
        return logical_id

    def value(self, node: Any, key: Any) -> Any:
        """``node[key]`` with its functions resolved; what names a resource is a `Reference`.

        Raises:
            UnresolvedError: A function needs what only AWS knows.
        """
        return self._resolved(node[key], _line(node, key, 1))

    def _resolved(self, node: Any, line: int) -> Any:
        function = _function_of(node)
        if function is not None:
            return self._call(function, _argument(node), line)
        if isinstance(node, Mapping):
            found = {str(k): self._resolved(v, _line(node, k, line)) for k, v in node.items()}
            return {key: value for key, value in found.items() if value is not None}
        if isinstance(node, Sequence) and not isinstance(node, str):
            return [self._resolved(one, _line(node, i, line)) for i, one in enumerate(node)]
        return str(node) if isinstance(node, str) else node

    def _call(self, function: str, argument: Any, line: int) -> Any:
        match function, argument:
            case "Ref", str():
                return self._ref(argument, line)
            case "GetAtt", str():
                logical_id, _, attribute = argument.partition(".")
                return Reference(logical_id, attribute)
            case "GetAtt", [str() as logical_id, str() as attribute]:
                return Reference(logical_id, attribute)
            case "Sub", str():
                return self._sub(argument, {}, line)
            case "Sub", [str() as text, Mapping() as variables]:
                return self._sub(text, variables, line)
            case "Join", [str() as separator, list() as parts]:
                return separator.join(self._text(self._resolved(one, line), line) for one in parts)
        raise UnresolvedError(f"{self._path}:{line}: {function} is not resolved here")

    def _ref(self, name: str, line: int) -> Any:
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self.resources:
            return Reference(name)
        parameter = self._parameters.get(name)
        if parameter is None or "Default" not in parameter:
            raise UnresolvedError(f"{self._path}:{line}: {name} has no default")
        default = parameter["Default"]
        return default if parameter.get("Type") == "Number" else str(default)

    def _sub(self, text: str, variables: Mapping[str, Any], line: int) -> str:
        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            if name in variables:
                value = self._resolved(variables[name], line)
            elif "." in name:
                value = Reference(*name.split(".", 1))
            else:
                value = self._ref(name, line)
            return self._text(value, line)

        return _VARIABLE.sub(replaced, text).replace("${!", "${")

    def _text(self, value: Any, line: int) -> str:
        if isinstance(value, Reference):
            kind = self.resources.get(value.logical_id, {}).get("Type", "")
            if value.attribute is None and kind.endswith(("Table", "Function", "Bucket")):
                return self.name(value.logical_id)
            raise UnresolvedError(f"{self._path}:{line}: {value.logical_id} is known to AWS only")
        return str(value)


def _function_of(node: Any) -> str | None:
    """The intrinsic function a node is a call of: by its tag, or as a map of one key."""
    tag = getattr(node, "tag", None) if isinstance(node, CommentedBase | TaggedScalar) else None
    short: str | None = getattr(tag, "value", None)
    if short is not None and short.startswith("!") and not short.startswith("!!"):
        return short[1:]
    if isinstance(node, Mapping) and len(node) == 1:
        (key,) = node
        if key == "Ref":
            return "Ref"
        if isinstance(key, str) and key.startswith("Fn::"):
            return key.removeprefix("Fn::").partition("::")[0]
    return None


def _argument(node: Any) -> Any:
    if isinstance(node, TaggedScalar):
        return str(node.value)
    tag = getattr(getattr(node, "tag", None), "value", None)
    if isinstance(node, Mapping) and tag is None:
        (node,) = node.values()
    return list(node) if isinstance(node, Sequence) and not isinstance(node, str) else node


def _children(node: Any) -> list[tuple[Any, Any]]:
    if isinstance(node, Mapping):
        return list(node.items())
    if isinstance(node, Sequence) and not isinstance(node, str):
        return list(enumerate(node))
    return []


def _line(node: Any, key: Any, otherwise: int) -> int:
    """The line that ``node[key]`` stands in, from 1."""
    data = getattr(getattr(node, "lc", None), "data", None) or {}
    return data[key][0] + 1 if key in data else otherwise
