"""What handlers may import where nobody made a runtime folder for them.

That is so where LocalStack's own image is started by hand (``docker compose up -d``). AWS's
runtime gives boto3 and what it needs, and LocalStack's environment holds the same: they alone
are linked from there. In place of AWS's runtime client, ours stands in.
"""

from __future__ import annotations

import contextlib
from importlib.util import find_spec
from pathlib import Path

MODULES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")


def link_from_localstack(folder: Path) -> Path:
    """Make ``folder`` a runtime folder of links; return it. It may have been made before."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in MODULES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        link = folder / source.name
        if not link.exists():
            # Handlers start side by side, and an older LocalStack's link may lead nowhere.
            link.unlink(missing_ok=True)
            with contextlib.suppress(FileExistsError):
                link.symlink_to(source)
    return folder
