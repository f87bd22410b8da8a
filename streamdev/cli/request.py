"""request: send one through a pipeline's API, and show how it goes on."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.options import common_options, pipeline_option
from streamdev.errors import InvalidInputError, NotFoundError, TimedOutError

if TYPE_CHECKING:
    from streamdev.config.models import ApiMethod, Pipeline

PAUSE_S = 0.1


@dataclass(frozen=True)
class Endpoint:
    """A pipeline's API that takes requests and tells how they stand: two URLs."""

    send: str
    look: str
    method: str


@click.command()
@click.argument("body")
@click.option("--wait", is_flag=True, help="Follow the request until it is done or has failed.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long --wait waits.",
)
@pipeline_option
@common_options
@pass_context
def request(ctx: Context, body: str, wait: bool, timeout: float, pipeline: str | None) -> int:
    """Send a request through a pipeline's API and show the answer, or with --wait its life.

    BODY is sent as it is; - is standard input. Without -p the first pipeline with an API takes
    it. With --wait the exit code is 1 if the request failed, 7 if it did not end in time.

    Examples:
      ./dev.py request '{"dish": "soup"}'
      ./dev.py request '{"dish": "soup"}' --wait
      ./dev.py request '{"fail": "no soup today"}' --wait
    """
    endpoint = _endpoint(ctx, _pipeline(ctx, pipeline))
    sent = ctx.stdin.read() if body == "-" else body
    began = time.monotonic()
    status, answer = _call(endpoint.method, endpoint.send, sent)
    life = [{"after_ms": _since(began), "status_code": status, **answer}]
    _tell(ctx, life[-1], f"answered {status}")
    if status >= 400:
        from streamdev.aws.errors import AwsError

        message = f"The API answered {status}: {answer.get('message', answer)}"
        raise AwsError(message, code=str(status))
    if wait:
        _follow(ctx, endpoint, str(answer["id"]), began, timeout, life)
    if ctx.settings.json:
        ctx.print_json(life if wait else life[-1])
    return ExitCode.FAILED if life[-1].get("state") == "failed" else ExitCode.OK


def _follow(
    ctx: Context,
    endpoint: Endpoint,
    request_id: str,
    began: float,
    timeout: float,
    life: list[dict[str, Any]],
) -> None:
    state = None
    while state not in ("done", "failed"):
        if time.monotonic() - began > timeout:
            raise TimedOutError(
                f"The request {request_id} is still {state} after {timeout:g} s.",
                hint="See ./dev.py status and ./dev.py logs.",
            )
        status, answer = _call("GET", endpoint.look.replace("{id}", request_id))
        if status == 404:
            raise NotFoundError(f"There is no request {request_id} any more.")
        if answer.get("state") == state:
            time.sleep(PAUSE_S)
            continue
        state = answer.get("state")
        life.append({"after_ms": _since(began), "status_code": status, **answer})
        _tell(ctx, life[-1], str(state))


def _tell(ctx: Context, step: dict[str, Any], what: str) -> None:
    if ctx.settings.json:
        return
    more = step.get("error") or step.get("message") or ""
    line = Text.assemble((f"{step['after_ms']:>9,.1f} ms  ", "dim"), (what, "bold"))
    line.append(f"  {step.get('id', '')}  {more}".rstrip())
    ctx.out.print(line)


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def _pipeline(ctx: Context, name: str | None) -> Pipeline:
    if name is not None:
        return ctx.project.pipeline(name)
    with_api = [pipeline for pipeline in ctx.project.pipelines.values() if pipeline.api]
    if not with_api:
        raise InvalidInputError(
            f"No pipeline in {ctx.project.path.name} has an api.", hint="See docs/pipelines.md."
        )
    return with_api[0]


def _endpoint(ctx: Context, pipeline: Pipeline) -> Endpoint:
    from streamdev.deploy.apis import find
    from streamdev.deploy.resources import project_id

    if pipeline.api is None:
        raise InvalidInputError(f"The pipeline {pipeline.name!r} has no api.")
    send = _first(pipeline.api.methods, "PutItem")
    look = _first(pipeline.api.methods, "GetItem")
    if send is None or look is None or look.path_parameters != ("id",):
        raise InvalidInputError(
            f"The api of {pipeline.name!r} can't be used by this command: it needs a method with "
            "PutItem, and one with GetItem and {id} in its path."
        )
    gateway = ctx.gateway
    existing = gateway.apis.all()
    api = find(pipeline.api.name, project_id(ctx.project.path), existing)
    if api is None:
        # What a stack has made (export) bears no project's mark.
        named = [one for one in existing if one.name == pipeline.api.name]
        api = named[0] if len(named) == 1 else None
    if api is None:
        raise NotFoundError(f"There is no api {pipeline.api.name}.", hint="Deploy: ./dev.py deploy")
    base = gateway.apis.url(api.id, pipeline.api.stage)
    return Endpoint(base + send.path, base + look.path, send.http_method)


def _first(methods: tuple[ApiMethod, ...], action: str) -> ApiMethod | None:
    return next((method for method in methods if method.action == action), None)


def _call(method: str, url: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
    from streamdev.aws.web import call

    status, text = call(method, url, None if body is None else body.encode())
    try:
        answer = json.loads(text)
    except ValueError:
        answer = text
    return status, answer if isinstance(answer, dict) else {"message": answer}


COMMANDS: list[click.Command] = [request]
