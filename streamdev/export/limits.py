"""What AWS refuses and a local engine takes, found before anything is written.

What `streamdev.config` refuses already is not looked for again. Each limit is told with the AWS
page that has it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date

from streamdev.aws import names
from streamdev.config.models import Api, Pipeline, Project
from streamdev.deploy import topics
from streamdev.deploy.package import check_source
from streamdev.deploy.policy import execution_policy
from streamdev.errors import InvalidInputError

# AWS, "CloudFormation quotas": a template in S3, and the resources in it.
MAX_TEMPLATE_BYTES = 1024 * 1024
MAX_RESOURCES = 500
# AWS, "IAM and AWS STS quotas": a role's inline policies together; white space does not count.
MAX_POLICY_CHARACTERS = 10_240
# AWS, "Lambda quotas": all environment variables.
MAX_ENVIRONMENT_BYTES = 4096
# AWS, DynamoDB's "Projection" API page: of one index, and of a table's indexes together.
MAX_PROJECTED = 20
MAX_PROJECTED_TOGETHER = 100
# AWS, "Lambda quotas": concurrent executions of an account, of which 100 stay unreserved.
MAX_RESERVED = 900
# AWS, "DynamoDB Streams and AWS Lambda triggers": so many should read a shard at a time.
MAX_READERS = 2
# AWS, "PutRetentionPolicy": the days it takes.
RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653)
DEFAULT_RETENTION = 30
# How long names may be, and the longest suffix that is offered.
_LONGEST_NAMES = {"function": 64, "table": 255, "sqs": 80, "sns": 256, "s3": 63}
_LONGEST_SUFFIX = 16
#: AWS, "Lambda runtimes" (as of 2026-11): deprecated, and from when no new function can have it.
BLOCKED_FROM = {"python3.8": date(2027, 2, 1), "python3.9": date(2027, 2, 1)}

_NO_BUCKET = re.compile(
    r"\.\.|^\d+\.\d+\.\d+\.\d+$|^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\.mrap|--x-s3)$"
)


def check(project: Project, region: str, today: date) -> tuple[str, ...]:
    """What to tell the person who deploys the project.

    Raises:
        InvalidInputError: AWS would refuse it; the message names its limit.
        DeployError: A handler's folder is missing, or its code can't be packaged.
    """
    pipelines = tuple(project.pipelines.values())
    found = refusals(pipelines, region, today)
    if found:
        raise InvalidInputError(
            "\n".join(f"{project.path.name}: {refusal}." for refusal in found),
            hint="A local engine takes it, AWS does not; nothing was written.",
        )
    of_code = [note for pipeline in pipelines for note in check_source(pipeline.function)]
    return (*of_code, *notes(pipelines))


def room_for_suffix(pipelines: Sequence[Pipeline]) -> int:
    """So long a suffix leaves every name within AWS's limits."""
    found = [("function", pipeline.function.name) for pipeline in pipelines]
    found += [("table", pipeline.table.name) for pipeline in pipelines]
    found += [("table", table.name) for pipeline in pipelines for table in pipeline.tables]
    found += [(str(service), name) for service, name in topics.destinations(pipelines)]
    return min(_LONGEST_SUFFIX, *(_LONGEST_NAMES[kind] - len(name) for kind, name in found))


def refusals(pipelines: Sequence[Pipeline], region: str, today: date) -> list[str]:
    """A line for each thing that AWS refuses: pipeline, what, and AWS's limit."""
    return [
        f"{pipeline.name}: {problem}"
        for pipeline in pipelines
        for problem in _refusals(pipeline, region, today)
    ]


def _refusals(pipeline: Pipeline, region: str, today: date) -> Iterator[str]:
    function, failure = pipeline.function, pipeline.mapping.on_failure
    blocked = BLOCKED_FROM.get(function.runtime)
    if blocked is not None and blocked <= today:
        yield f"AWS takes no new function with {function.runtime} since {blocked} (Lambda runtimes)"
    size = _environment_bytes(pipeline, region)
    if size > MAX_ENVIRONMENT_BYTES:
        yield (
            f"{size} bytes of environment variables, those of tables and topics included, "
            f"are over AWS's {MAX_ENVIRONMENT_BYTES} (Lambda quotas)"
        )
    policy = json.dumps(execution_policy(pipeline, region), separators=(",", ":"))
    if len(policy) > MAX_POLICY_CHARACTERS:
        yield (
            f"the role's policy of {len(policy)} characters is over AWS's "
            f"{MAX_POLICY_CHARACTERS} (IAM quotas): name fewer tables and topics"
        )
    projected = [index.non_key_attributes for index in pipeline.table.indexes]
    for index in pipeline.table.indexes:
        if (count := len(index.non_key_attributes)) > MAX_PROJECTED:
            yield f"index {index.name} has {count} non-key-attributes, over AWS's {MAX_PROJECTED}"
    if (together := sum(map(len, projected))) > MAX_PROJECTED_TOGETHER:
        yield (
            f"the indexes of {pipeline.table.name} have {together} non-key-attributes together, "
            f"over AWS's {MAX_PROJECTED_TOGETHER}"
        )
    if failure is not None and failure.s3 is not None and _NO_BUCKET.search(failure.s3):
        yield f"{failure.s3} is no bucket's name on AWS (Bucket naming rules)"
    if pipeline.api is not None:
        yield from _siblings(pipeline.api)


def _environment_bytes(pipeline: Pipeline, region: str) -> int:
    variables = [*pipeline.function.environment.items()]
    variables += [(t.environment_variable or "", t.name) for t in pipeline.tables]
    variables += [
        (topic.environment_variable, names.topic_arn(topic.name, region))
        for topic in pipeline.topics
        if topic.environment_variable
    ]
    return sum(len(name.encode()) + len(value.encode()) for name, value in variables if name)


def _siblings(api: Api) -> Iterator[str]:
    """API Gateway takes one path variable below a resource, whatever its name."""
    below: dict[str, dict[str, None]] = {}
    for method in api.methods:
        parent = ""
        for part in method.path.split("/")[1:]:
            if part.startswith("{"):
                below.setdefault(parent, {})[part] = None
            parent += f"/{part}"
    for parent, variables in below.items():
        if len(variables) > 1:
            yield (
                f"API Gateway takes one path variable below {parent or '/'}, "
                f"not {' and '.join(variables)}"
            )


def notes(pipelines: Sequence[Pipeline]) -> list[str]:
    """What AWS takes, and what yet needs a look: quotas that can be raised, advice it gives."""
    found = [
        f"{pipeline.name}: {runtime} is deprecated; AWS takes new functions with it until {until}."
        for pipeline in pipelines
        if (until := BLOCKED_FROM.get(runtime := pipeline.function.runtime))
    ]
    reserved = sum(pipeline.function.reserved_concurrency or 0 for pipeline in pipelines)
    if reserved > MAX_RESERVED:
        found.append(
            f"{reserved} reserved executions are over the {MAX_RESERVED} of a new account: have "
            "the Lambda quota 'Concurrent executions' raised first."
        )
    readers = Counter(pipeline.table.name for pipeline in pipelines)
    found += [
        f"{count} functions read the stream of {table}; AWS throttles more than {MAX_READERS} "
        "readers of a shard."
        for table, count in readers.items()
        if count > MAX_READERS
    ]
    return found


def template_refusal(text: str, resources: int) -> str | None:
    """What AWS refuses in a template as a whole; ``None`` if nothing."""
    if (size := len(text.encode())) > MAX_TEMPLATE_BYTES:
        return f"The template has {size} bytes, over AWS's {MAX_TEMPLATE_BYTES} (a template in S3)."
    if resources > MAX_RESOURCES:
        return f"The template has {resources} resources, over AWS's {MAX_RESOURCES}."
    return None
