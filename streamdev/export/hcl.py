"""Terraform's language, written as ``terraform fmt`` has it.

The libraries that write HCL keep no comments. HCL Native Syntax Specification: a quoted string
is a template, in which ``${`` and ``%{`` begin something unless the first character is doubled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_STEP = "  "
#: Lists of plain values up to this long stay on their line.
_WIDTH = 76
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SPECIAL = re.compile(r'[\\"\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]')
_INTRODUCER = re.compile(r"([$%]+)\{")


@dataclass(frozen=True)
class Expression:
    """An expression as it is written: ``aws_sqs_queue.failed.arn``."""

    text: str


@dataclass(frozen=True)
class Joined:
    """A string of text and expressions: ``"Things${var.name_suffix}"``."""

    parts: tuple[str | Expression, ...]


@dataclass(frozen=True)
class Call:
    """A function with one argument: ``jsonencode({...})``."""

    name: str
    argument: Any


@dataclass(frozen=True)
class Noted:
    """A value with a comment above it."""

    comment: str
    value: Any


@dataclass(frozen=True)
class Block:
    """A block: ``resource "aws_sqs_queue" "failed" {...}``.

    Attributes:
        header: Its type and labels.
        body: Arguments and nested blocks (whose own ``header`` is their type), in order.
        comment: What stands above it.
    """

    header: tuple[str, ...]
    body: tuple[tuple[str, Any] | Block, ...]
    comment: str = ""


def block(*header: str, comment: str = "", **arguments: Any) -> Block:
    """A block of arguments alone; those that are ``None`` are left out."""
    return Block(header, tuple(present(arguments)), comment)


def present(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments that have a value."""
    yield from ((name, value) for name, value in arguments.items() if value is not None)


def render(blocks: Iterable[Block], header: str) -> str:
    """A file's text; a comment that stands in several places is written at the first one."""
    writer = _Writer()
    parts = ["\n".join(_comment(header, "")), *("\n".join(writer.block(one, "")) for one in blocks)]
    return "\n\n".join(parts) + "\n"


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {line}".rstrip() if line else "" for line in text.splitlines()]


class _Writer:
    def __init__(self) -> None:
        self._told: set[str] = set()

    def block(self, block: Block, indent: str) -> list[str]:
        """The block's lines: what takes several lines has empty ones around it."""
        kind, *labels = block.header
        lines = self._told_once(block.comment, indent)
        if not block.body:
            return [*lines, f"{indent}{' '.join([kind, *map(_quoted, labels)])} {{}}"]
        lines.append(f"{indent}{' '.join([kind, *map(_quoted, labels)])} {{")
        inner = indent + _STEP
        items = [
            self.block(one, inner) if isinstance(one, Block) else self._argument(*one, inner)
            for one in block.body
        ]
        for number, item in enumerate(items):
            if number and (len(item) > 1 or len(items[number - 1]) > 1):
                lines.append("")
            lines += item
        return [*_aligned(lines), f"{indent}}}"]

    def _told_once(self, comment: str, indent: str) -> list[str]:
        if not comment or comment in self._told:
            return []
        self._told.add(comment)
        return _comment(comment, indent)

    def _argument(self, name: str, value: Any, indent: str) -> list[str]:
        comment = ""
        if isinstance(value, Noted):
            comment, value = value.comment, value.value
        first, *rest = self._value(value, indent)
        return [*self._told_once(comment, indent), f"{indent}{name} = {first}", *rest]

    def _value(self, value: Any, indent: str) -> list[str]:
        """The lines of a value; the first one stands behind what it belongs to."""
        match value:
            case Call():
                first, *rest = self._value(value.argument, indent)
                lines = [f"{value.name}({first}", *rest]
                return [*lines[:-1], f"{lines[-1]})"]
            case Mapping():
                return self._object(value, indent)
            case list() | tuple():
                return self._list(value, indent)
        return [_scalar(value)]

    def _object(self, values: Mapping[str, Any], indent: str) -> list[str]:
        if not values:
            return ["{}"]
        inner = indent + _STEP
        lines: list[str] = []
        for key, value in values.items():
            lines += self._argument(key if _IDENTIFIER.match(key) else _quoted(key), value, inner)
        return ["{", *_aligned(lines), f"{indent}}}"]

    def _list(self, values: Sequence[Any], indent: str) -> list[str]:
        if not any(isinstance(one, Mapping | list | tuple | Call) for one in values):
            line = f"[{', '.join(map(_scalar, values))}]"
            if len(indent) + len(line) <= _WIDTH or len(values) == 1:
                return [line]
        inner = indent + _STEP
        lines = ["["]
        for one in values:
            first, *rest = self._value(one, inner)
            lines += [f"{inner}{first}", *rest]
            lines[-1] += ","
        return [*lines, f"{indent}]"]


def _aligned(lines: list[str]) -> list[str]:
    """Neighbouring arguments that end on their line, with their ``=`` below each other.

    Lines of a deeper level, and those that open one, stand between such neighbours.
    """
    matches = [_ASSIGNMENT.match(line) for line in lines]
    made = list(lines)
    start = 0
    while start < len(lines):
        end, indent = start, matches[start]
        while end < len(lines) and (found := matches[end]) and indent and found[1] == indent[1]:
            end += 1
        group = [found for found in matches[start:end] if found]
        width = max((len(found[2]) for found in group), default=0)
        for number, found in enumerate(group, start):
            made[number] = f"{found[1]}{found[2]:<{width}} = {found[3]}"
        start = max(end, start + 1)
    return made


#: Indentation, name and value of an argument that ends on its line.
_ASSIGNMENT = re.compile(r'( *)([\w-]+|"(?:[^"\\]|\\.)*") += (.*(?<![\[{(]))\Z')


def _scalar(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case Expression():
            return value.text
        case Joined():
            return f'"{"".join(_joined(value.parts))}"'
        case str():
            return _quoted(value)
    raise TypeError(f"{value!r} is no value of HCL")


def _joined(parts: Sequence[str | Expression]) -> Iterator[str]:
    for number, part in enumerate(parts):
        if isinstance(part, Expression):
            yield f"${{{part.text}}}"
            continue
        text = _escaped(part)
        # Before an expression "$" would escape it.
        if text.endswith(("$", "%")) and number + 1 < len(parts):
            text = text[:-1] + f"\\u{ord(text[-1]):04x}"
        yield text


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    text = _SPECIAL.sub(lambda m: _ESCAPES.get(m[0], f"\\u{ord(m[0]):04x}"), text)
    return _INTRODUCER.sub(_introducer, text)


def _introducer(match: re.Match[str]) -> str:
    signs = match[1]
    if len(signs) == 1:
        return f"{signs}{signs}{{"
    # "$$${" is read in more than one way.
    return "".join(f"\\u{ord(sign):04x}" for sign in signs) + "{"
