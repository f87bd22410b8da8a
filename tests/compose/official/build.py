"""Builds the image that is laid out as LocalStack's own."""

from __future__ import annotations

import io
import shutil
import struct
import uuid
import zipfile
from pathlib import Path

import docker

from streamdev.engine.images import OWN


def build(client: docker.DockerClient, base_image: str, context: Path) -> str:
    """Build it from the parts of our own image, in the empty folder ``context``.

    Each of pytest's workers has one of its own name, so that none removes another's.
    """
    name = f"streamdev-test/official-layout-{uuid.uuid4().hex[:8]}:4.14.0"
    for file in ("Dockerfile", "docker-entrypoint.sh"):
        shutil.copy(Path(__file__).with_name(file), context)
    (context / "agent.jar").write_bytes(_agent_jar())
    arguments = {"BASE_IMAGE": base_image, "OWN_IMAGE": OWN}
    client.images.build(path=str(context), tag=name, rm=True, buildargs=arguments)
    return name


def _agent_jar() -> bytes:
    """A Java agent that does nothing: ``class Agent { static void premain(String s) {} }``.

    The bytes are those of the class file format (Java Virtual Machine Specification, chapter 4).
    """

    def utf8(text: str) -> bytes:
        return b"\x01" + struct.pack(">H", len(text)) + text.encode()

    def class_of(index: int) -> bytes:
        return b"\x07" + struct.pack(">H", index)

    pool = [
        *(utf8("Agent"), class_of(1), utf8("java/lang/Object"), class_of(3)),
        *(utf8("premain"), utf8("(Ljava/lang/String;)V"), utf8("Code")),
    ]
    code = struct.pack(">HHIBHH", 0, 1, 1, 0xB1, 0, 0)
    method = struct.pack(">HHHHHI", 0x0009, 5, 6, 1, 7, len(code)) + code
    content = struct.pack(">IHHH", 0xCAFEBABE, 0, 52, len(pool) + 1) + b"".join(pool)
    content += struct.pack(">HHHHHH", 0x0021, 2, 4, 0, 0, 1) + method + struct.pack(">H", 0)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nPremain-Class: Agent\n")
        jar.writestr("Agent.class", content)
    return packed.getvalue()
