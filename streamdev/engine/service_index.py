"""LocalStack's index of AWS's services, made once instead of in each new engine.

LocalStack tells a request's service by an index over all of botocore's models. Where it is not
built in, as it is in LocalStack's own image, an engine makes it when it is first needed, which
takes several seconds of its start (``localstack.aws.spec.get_service_catalog``).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from streamdev.engine import subprocesses
from streamdev.engine.base import Progress
from streamdev.engine.cache import make_once
from streamdev.engine.environment import EngineEnvironment
from streamdev.engine.folders import STATIC_LIBS
from streamdev.engine.variables import folder_variables, inherited_variables


def service_index(environment: EngineEnvironment, progress: Progress) -> Path:
    """A folder with the index of this LocalStack, under LocalStack's name for it.

    Raises:
        EngineStartError: The cache can't be written.
        CommandFailedError: LocalStack can't make it; with what it printed.
    """

    def build(folder: Path) -> None:
        progress.step("Indexing AWS's services for LocalStack (once)")
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            (root / STATIC_LIBS).mkdir(parents=True)
            subprocesses.run(
                [environment.python, "-P", "-m", "localstack.aws.spec"],
                environ=inherited_variables(os.environ) | folder_variables(root),
            )
            shutil.copytree(root / STATIC_LIBS, folder)

    return make_once(
        environment.root.with_name(f"{environment.root.name}-services"),
        build,
        what="LocalStack's index of AWS's services",
        progress=progress,
    )
