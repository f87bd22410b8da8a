"""A template's values as YAML that reads as if it were written by hand.

CloudFormation and SAM read YAML 1.1, in which ``on``, ``1_000`` or ``12:30`` are no text unless
they are quoted: all but plain words are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.scalarstring import (
    DoubleQuotedScalarString,
    LiteralScalarString,
    SingleQuotedScalarString,
)
from ruamel.yaml.tag import Tag

from streamdev.export.values import Block, Call, Commented, GetAtt, Ref, Sub

INDENT = 2

# Words and what names are made of; a colon or a space never at the end, "#" never after a space.
_PART = r"(?:[\w${}./,()'-]|:(?=[\w$:/]))"
_PLAIN = re.compile(rf"(?:[A-Za-z$/]|\.\.?/){_PART}*(?: {_PART}+)*\Z", re.ASCII)
#: YAML 1.1's words for booleans and nothing.
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
# Without the line breaks that YAML 1.1 has and 1.2 has not.
_PRINTABLE = re.compile(
    r"[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*\Z"
)


def render(template: Commented, header: str) -> str:
    """The template as YAML, with ``header`` as a comment above it.

    A comment that stands in several places is written at the first one.
    """
    yaml = YAML()
    yaml.width = 4096
    yaml.indent(mapping=INDENT, sequence=2 * INDENT, offset=INDENT)
    stream = StringIO()
    yaml.dump(_Nodes().of(template, 0), stream)
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    return comment + stream.getvalue()


class _Nodes:
    """Turns values into what ruamel.yaml dumps."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def of(self, value: Any, indent: int) -> Any:
        """The node of ``value``; ``indent`` is the column of a map's keys."""
        match value:
            case Ref():
                return TaggedScalar(value.name, style=None, tag="!Ref")
            case GetAtt():
                return TaggedScalar(f"{value.name}.{value.attribute}", style=None, tag="!GetAtt")
            case Sub():
                return TaggedScalar(value.text, style=_style(value.text), tag="!Sub")
            case Call():
                return self._call(value, indent)
            case Block():
                return _block(value.text)
            case str():
                return _text(value)
            case Commented():
                return self._map(value.values, indent, value.comments)
            case Mapping():
                return self._map(value, indent, {})
            case list() | tuple():
                return self._list(value, indent)
        return value

    def _map(
        self, values: Mapping[str, Any], indent: int, comments: Mapping[str, str]
    ) -> CommentedMap:
        made = CommentedMap()
        for key, value in values.items():
            comment = comments.get(key)
            if comment is not None and comment not in self._told:
                self._told.add(comment)
                made.yaml_set_comment_before_after_key(key, before=comment, indent=indent)
            made[_text(key)] = self.of(value, indent + INDENT)
        return made

    def _call(self, call: Call, indent: int) -> CommentedSeq:
        made = CommentedSeq(self.of(one, indent) for one in call.arguments)
        made.yaml_set_ctag(Tag(suffix=f"!{call.name}"))
        made.fa.set_flow_style()
        return made

    def _list(self, values: Sequence[Any], indent: int) -> CommentedSeq:
        # It stands one step in, and what is in it stands after "- ".
        made = CommentedSeq(self.of(one, indent + 2 * INDENT) for one in values)
        if all(isinstance(one, int) for one in values):
            made.fa.set_flow_style()
        return made


def _text(value: str) -> Any:
    match _style(value):
        case None:
            return value
        case "'":
            return SingleQuotedScalarString(value)
    return DoubleQuotedScalarString(value)


def _style(value: str) -> str | None:
    """How text is quoted; ``None``: not at all."""
    if _PLAIN.match(value) and value.lower() not in _WORDS:
        return None
    return "'" if _PRINTABLE.match(value) and not re.search(r"[\n\t]", value) else '"'


def _block(text: str) -> Any:
    lines = text.split("\n")
    showable = (
        _PRINTABLE.match(text)
        and lines[0].strip()
        # A first line that is indented, and spaces at lines' ends, are easily lost.
        and not lines[0].startswith((" ", "\t"))
        and not any(line.endswith((" ", "\t")) for line in lines)
        and lines[-2:] != ["", ""]
    )
    return LiteralScalarString(text) if showable else _text(text)
