"""Class data sharing: what the JVM loads and checks at each start, done once for all.

DynamoDB Local's start is mostly the JVM reading thousands of classes. With an archive of them
(JEP 350, "Dynamic CDS Archives") it takes about half of the processor time. The archive holds for
one JVM and one class path, in which CDS allows no folders: so streamdev's own classes come in a
jar, together with DynamoDB Local's, whose own jar names its folder as a part of the class path.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import subprocess
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamdev.engine import ports, subprocesses
from streamdev.engine.base import Progress
from streamdev.engine.cache import make_once
from streamdev.paths import user_cache

SOURCE = Path(__file__).resolve().parents[1] / "plugins" / "dynamodb"
JAR, ARCHIVE = "streamdev.jar", "classes.jsa"
_START_S, _END_S = 60.0, 120.0
# A zip's oldest date, so that equal classes give an equal file.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_TABLE = {
    "TableName": "warm",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
}
_ITEM = {"TableName": "warm", "Item": {"id": {"S": "1"}, "n": {"N": "1"}}}


@dataclass(frozen=True)
class JavaClasses:
    """What makes DynamoDB Local start quicker.

    Attributes:
        class_path: streamdev's own classes, DynamoDB Local's, and its libraries.
        archive: The archive of all classes; ``None`` where the JVM could not make one.
    """

    class_path: str
    archive: Path | None


def java_classes(dynamodb_dir: Path, java_home: Path, progress: Progress) -> JavaClasses:
    """Class path and archive for this JVM and DynamoDB Local, from the cache or made now.

    Args:
        dynamodb_dir: Folder with ``DynamoDBLocal.jar``.
        java_home: The JVM that will run it.
        progress: Told what is made.

    Raises:
        EngineStartError: The cache can't be written.
    """
    classes = {
        path.relative_to(SOURCE).as_posix(): path.read_bytes()
        for path in sorted(SOURCE.rglob("*.class"))
    }
    key = hashlib.sha256(repr((classes, str(dynamodb_dir))).encode())

    def write_jar(folder: Path) -> None:
        folder.mkdir(parents=True)
        with (
            zipfile.ZipFile(dynamodb_dir / "DynamoDBLocal.jar") as local,
            zipfile.ZipFile(folder / JAR, "w") as jar,
        ):
            for entry in local.infolist():
                if entry.filename not in classes and entry.filename != "META-INF/MANIFEST.MF":
                    jar.writestr(entry, local.read(entry))
            for name, content in classes.items():
                jar.writestr(zipfile.ZipInfo(name, _EPOCH), content)

    jar = (
        make_once(
            user_cache() / f"java-classes-{key.hexdigest()[:12]}",
            write_jar,
            what="DynamoDB Local's classes",
            progress=progress,
        )
        / JAR
    )
    libraries = sorted((dynamodb_dir / "DynamoDBLocal_lib").glob("*.jar"))
    class_path = os.pathsep.join(map(str, [jar, *libraries]))

    def write_archive(folder: Path) -> None:
        progress.step("Preparing DynamoDB Local for quick starts (once)")
        folder.mkdir(parents=True)
        _dump(folder, class_path, dynamodb_dir, java_home)

    java = java_home / "bin" / "java"
    stat = java.resolve().stat()
    key.update(f"{java.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode())
    archive = (
        make_once(
            user_cache() / f"java-archive-{key.hexdigest()[:12]}",
            write_archive,
            what="DynamoDB Local's class data",
            progress=progress,
        )
        / ARCHIVE
    )
    return JavaClasses(class_path, archive if archive.is_file() else None)


def _dump(folder: Path, class_path: str, dynamodb_dir: Path, java_home: Path) -> None:
    """Run DynamoDB Local for a few calls; the JVM writes the archive when it ends."""
    port = ports.free_port()
    data = folder / "data"
    data.mkdir()
    command = [
        str(java_home / "bin" / "java"),
        "-XX:+UseSerialGC",
        f"-XX:ArchiveClassesAtExit={folder / ARCHIVE}",
        f"-Djava.library.path={dynamodb_dir / 'DynamoDBLocal_lib'}",
        *("-cp", class_path, "Loopback"),
        *("-port", str(port), "-disableTelemetry", "-dbPath", str(data)),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _use(process, port)
    finally:
        subprocesses.stop(process, patience_s=_END_S)
        shutil.rmtree(data, ignore_errors=True)


def _use(process: subprocess.Popen[bytes], port: int) -> None:
    """The calls of an engine's life, so that their classes are loaded; none if it ends."""
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            _call(port, "DynamoDB_20120810.ListTables", {})
            break
        except OSError:
            time.sleep(0.1)
    else:
        return
    _call(port, "DynamoDB_20120810.CreateTable", _TABLE)
    _call(port, "DynamoDB_20120810.PutItem", _ITEM)
    _call(port, "DynamoDB_20120810.BatchWriteItem", {"RequestItems": {"warm": [_put("2")]}})
    _call(port, "DynamoDB_20120810.Scan", {"TableName": "warm"})
    streams = "DynamoDBStreams_20120810."
    arn = _call(port, f"{streams}ListStreams", {})["Streams"][0]["StreamArn"]
    described = _call(port, f"{streams}DescribeStream", {"StreamArn": arn})["StreamDescription"]
    where = {
        "StreamArn": arn,
        "ShardId": described["Shards"][0]["ShardId"],
        "ShardIteratorType": "TRIM_HORIZON",
    }
    iterator = _call(port, f"{streams}GetShardIterator", where)["ShardIterator"]
    _call(port, f"{streams}GetRecords", {"ShardIterator": iterator})


def _put(key: str) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"id": {"S": key}}}}


def _call(port: int, target: str, parameters: dict[str, Any]) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_S)
    try:
        headers = {
            "X-Amz-Target": target,
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": "AWS4-HMAC-SHA256 Credential=warm/20260101/us-east-1/dynamodb/"
            "aws4_request, SignedHeaders=host, Signature=0",
        }
        connection.request("POST", "/", json.dumps(parameters), headers)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
