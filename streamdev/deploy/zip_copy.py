"""Entries of one zip copied into another as they are, without compressing them anew."""

from __future__ import annotations

import copy
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# The local file header (APPNOTE.TXT, 4.3.7): its size, and where it has the lengths of what
# follows it, the name and the extra field.
_HEADER = 30
_LENGTHS = struct.Struct("<26xHH")


@contextmanager
def opened(older: Sequence[Path]) -> Iterator[zipfile.ZipFile | None]:
    """The first of the zips that can be read, or ``None``."""
    for path in older:
        try:
            archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile):
            continue
        with archive:
            yield archive
        return
    yield None


def copy_entry(source: zipfile.ZipFile, target: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Copy the entry of that name if it is the same; return whether it was.

    Args:
        source: Opened for reading.
        target: Opened for writing.
        entry: What it is to be; its comment is a hash of its content.
    """
    found = source.NameToInfo.get(entry.filename)
    if found is None or source.fp is None or target.fp is None:
        return False
    if (found.external_attr, found.comment) != (entry.external_attr, entry.comment):
        return False
    source.fp.seek(found.header_offset)
    header = source.fp.read(_HEADER)
    raw = header + source.fp.read(sum(_LENGTHS.unpack(header)) + found.compress_size)
    copied = copy.copy(found)
    target.fp.seek(target.start_dir)
    copied.header_offset = target.fp.tell()
    target.fp.write(raw)
    target.start_dir = target.fp.tell()
    target.filelist.append(copied)
    target.NameToInfo[copied.filename] = copied
    return True
