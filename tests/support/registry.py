"""A registry of container images on this machine: enough of the distribution API to pull from."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import re
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
CHUNK = 256 * 1024


@dataclass
class Registry:
    """Blobs by digest, manifests by repository and tag; requests are counted.

    Attributes:
        host: As an image's name begins: ``127.0.0.1:PORT``. Docker speaks plain HTTP with it.
        pause_s: Waited after each 256 KB, so that progress can be seen.
    """

    host: str = ""
    pause_s: float = 0.0
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def add(self, repository: str, tag: str, files: dict[str, bytes]) -> str:
        """Make an image of one layer with ``files``; return its full name."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        layer = gzip.compress(packed.getvalue(), compresslevel=1)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Env": ["LOCALSTACK_BUILD_VERSION=4.14.0"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(packed.getvalue())]},
            }
        ).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(config, CONFIG),
            "layers": [self._blob(layer, LAYER)],
        }
        self.manifests[f"{repository}:{tag}"] = json.dumps(manifest).encode()
        return f"{self.host}/{repository}:{tag}"

    def _blob(self, content: bytes, media_type: str) -> dict[str, str | int]:
        digest = _digest(content)
        self.blobs[digest] = content
        return {"mediaType": media_type, "size": len(content), "digest": digest}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@contextmanager
def serving() -> Iterator[Registry]:
    """A registry that answers while the block runs."""
    registry = Registry()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            registry.requests.append(self.path)
            content, media_type = self._find()
            self.send_response(404 if content is None else 200)
            answer = content if content is not None else b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("Docker-Distribution-API-Version", "registry/2.0")
            self.send_header("Docker-Content-Digest", _digest(answer))
            self.end_headers()
            for begin in range(0, len(answer) if body else 0, CHUNK):
                self.wfile.write(answer[begin : begin + CHUNK])
                if registry.pause_s and len(answer) > CHUNK:
                    time.sleep(registry.pause_s)

        def _find(self) -> tuple[bytes | None, str]:
            if self.path.rstrip("/") == "/v2":
                return b"{}", "application/json"
            if found := re.fullmatch(r"/v2/(.+)/blobs/(sha256:[0-9a-f]+)", self.path):
                return registry.blobs.get(found[2]), "application/octet-stream"
            if found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", self.path):
                if found[2].startswith("sha256:"):
                    by_digest = {_digest(each): each for each in registry.manifests.values()}
                    return by_digest.get(found[2]), MANIFEST
                return registry.manifests.get(f"{found[1]}:{found[2]}"), MANIFEST
            return None, "application/json"

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        registry.host = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield registry
        finally:
            server.shutdown()
            thread.join()
