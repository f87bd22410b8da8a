"""``/_streamdev`` on LocalStack's gateway: what the command line asks the plugins directly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localstack.constants import VERSION
from localstack.http import Request, Response, route
from localstack.services.edge import ROUTER

from streamdev import __version__
from streamdev.plugins import alterations, dynamodb, log, mapping
from streamdev.plugins.executor import debugging, spares, warm
from streamdev.plugins.executor.debug_session import Request as DebugRequest
from streamdev.plugins.mapping import chaos
from streamdev.plugins.mapping.quiet_writer import QUIET_ERRORS
from streamdev.plugins.mapping.worker import MappingWorker
from streamdev.semantics.chaos import ChaosSettings

LOUD = (
    "STREAMDEV_MAPPING=localstack leaves the mappings to LocalStack, so the stream can't be kept "
    "from firing; --fire-streams has it fire."
)


class ControlResource:
    """The endpoint's routes; all speak JSON."""

    @route("/_streamdev/health", methods=["GET"])
    def health(self, _request: Request) -> Any:
        """Versions, and whether the database answers."""
        state, detail = dynamodb.database().state
        return {
            "version": __version__,
            "localstack": VERSION,
            "dynamodb": state,
            "detail": detail,
        }

    @route("/_streamdev/mappings", methods=["GET"])
    def mappings(self, _request: Request) -> Any:
        """Every mapping of a DynamoDB stream, and where it stands."""
        workers = mapping.mappings().all() if mapping.installed() else []
        return _json([_describe(worker) for worker in workers])

    @route("/_streamdev/mappings/<uuid>/forget", methods=["POST"])
    def forget(self, _request: Request, uuid: str) -> Any:
        """Drop a mapping's stored position; it counts when the mapping is made again."""
        worker = mapping.mappings().find(uuid) if mapping.installed() else None
        if worker is None:
            return _json({"error": f"There is no mapping {uuid}."}, status=404)
        worker.positions.drop()
        return {"uuid": uuid}

    @route("/_streamdev/batches", methods=["GET"])
    def batches(self, _request: Request) -> Any:
        """Every stored batch that was given up, without its records."""
        stored = mapping.mappings().batches.all() if mapping.installed() else {}
        return _json(
            [
                {"name": name, **{key: value for key, value in batch.items() if key != "payload"}}
                for name, batch in stored.items()
            ]
        )

    @route("/_streamdev/batches/<name>", methods=["GET"])
    def batch(self, _request: Request, name: str) -> Any:
        """A stored batch, whole."""
        batch = mapping.mappings().batches.find(name) if mapping.installed() else None
        if batch is None:
            return _json({"error": f"There is no batch {name}."}, status=404)
        return _json({"name": name, **batch})

    @route("/_streamdev/batches/<name>", methods=["PUT"])
    def put_batch(self, request: Request, name: str) -> Any:
        """Store a batch again, as an engine stored it before."""
        batch = request.get_json(silent=True)
        if not mapping.installed() or not mapping.mappings().batches.restore(name, batch):
            return _json({"error": f"The batch {name} can't be stored."}, status=409)
        return {"name": name}

    @route("/_streamdev/batches/<name>", methods=["DELETE"])
    def delete_batch(self, _request: Request, name: str) -> Any:
        """Forget a stored batch."""
        if mapping.installed():
            mapping.mappings().batches.delete(name)
        return {"name": name}

    @route("/_streamdev/quiet", methods=["POST"])
    def write_quietly(self, request: Request) -> Any:
        """Put and delete items without telling the functions (``mapping.quiet_writer``)."""
        if not mapping.installed():
            return _json({"error": LOUD}, status=409)
        asked = request.get_json()
        try:
            mapping.mappings().quiet.write(asked["stream_arn"], asked["requests"], asked["source"])
        except QUIET_ERRORS as error:
            return _json({"error": str(error)}, status=409)
        return {"written": len(asked["requests"])}

    @route("/_streamdev/config", methods=["POST"])
    def configure(self, request: Request) -> Any:
        """Apply settings: ``redact`` names attributes to mask in the log, by table.

        Tells the generation for the ``owner`` of the deploy (``alterations``).
        """
        settings = request.get_json(silent=True)
        redact = settings.get("redact", {}) if isinstance(settings, dict) else None
        if not isinstance(redact, dict):
            return _json({"error": "Expected an object with an object 'redact'."}, status=400)
        log.set_redaction({table: frozenset(names) for table, names in redact.items()})
        return {
            "redact": {table: sorted(names) for table, names in redact.items()},
            **alterations.generation(str(settings.get("owner"))),
        }

    @route("/_streamdev/functions/<name>/warm", methods=["POST"])
    def warm(self, request: Request, name: str) -> Any:
        """Have an update of the function that comes now start warm; told what will be in it."""
        try:
            contents = spares.Contents.from_json(request.get_json(silent=True))
        except ValueError as error:
            return _json({"error": str(error)}, status=400)
        warm.announce(name, contents)
        return {"function": name}

    @route("/_streamdev/functions/<name>/spare", methods=["POST"])
    def spare(self, request: Request, name: str) -> Any:
        """Have a process that waits for the function's next version, or go on with it."""
        asked = request.get_json(silent=True)
        try:
            contents = spares.Contents.from_json(asked)
            spares.keep(name, str(asked["account"]), str(asked["region"]), contents)
        except (ValueError, KeyError) as error:
            return _json({"error": str(error)}, status=400)
        return {"function": name}

    @route("/_streamdev/spares", methods=["GET"])
    def spares(self, _request: Request) -> Any:
        """The processes that wait for a function's next version."""
        return _json(spares.states())

    @route("/_streamdev/debug", methods=["GET"])
    def debug_sessions(self, _request: Request) -> Any:
        """The functions that are being debugged."""
        return _json(debugging.states())

    @route("/_streamdev/debug/<name>", methods=["POST"])
    def debug(self, request: Request, name: str) -> Any:
        """Begin to debug a function, or go on with it."""
        try:
            asked = DebugRequest(function=name, **request.get_json())
        except TypeError as error:
            return _json({"error": str(error)}, status=400)
        try:
            debugging.open_session(asked)
        except debugging.DebuggingError as error:
            return _json({"error": str(error)}, status=409)
        return {"function": name}

    @route("/_streamdev/debug/<name>/<owner>", methods=["DELETE"])
    def end_debugging(self, _request: Request, name: str, owner: str) -> Any:
        """Begin to end a session; it is over when it is no longer listed."""
        debugging.close_session(name, owner)
        return {"function": name}

    @route("/_streamdev/chaos/<function>/<owner>", methods=["POST"])
    def chaos(self, request: Request, function: str, owner: str) -> Any:
        """Begin chaos for a function, or go on with it."""
        try:
            settings = ChaosSettings.from_json(request.get_json(silent=True))
        except ValueError as error:
            return _json({"error": str(error)}, status=400)
        if not mapping.installed():
            return _json({"error": "The mappings are LocalStack's own here."}, status=409)
        try:
            chaos.open_session(function, owner, settings)
        except chaos.ChaosError as error:
            return _json({"error": str(error)}, status=409)
        return {"function": function}

    @route("/_streamdev/chaos/<function>/<owner>", methods=["DELETE"])
    def end_chaos(self, _request: Request, function: str, owner: str) -> Any:
        """End it; tell how often what was done."""
        return {"function": function, "deeds": chaos.close_session(function, owner)}


def _describe(worker: MappingWorker) -> dict[str, Any]:
    report = worker.report
    lanes = [lane.status for lane in worker.lanes]
    due = min((lane["due"] for lane in lanes if lane["due"] is not None), default=None)
    retry = next((lane["retry"] for lane in lanes if lane["retry"]), None)
    at = report.last_invocation
    trouble = chaos.find(report.function)
    return {
        "uuid": worker.uuid,
        "function": report.function,
        "function_arn": worker.function_arn,
        "table": report.table,
        "stream_arn": worker.stream.arn,
        "state": worker.current_state,
        "position": {shard: position.after for shard, position in worker.positions.all().items()},
        "backlog": worker.backlog,
        "waiting": sum(lane["waiting"] for lane in lanes),
        "due": _iso(due),
        "retry": _retry(retry),
        "lanes": [
            {**lane, "due": _iso(lane["due"]), "retry": _retry(lane["retry"])} for lane in lanes
        ],
        "last_result": report.last_result,
        "chaos": {**trouble.settings.to_json(), "deeds": trouble.deeds} if trouble else None,
        "in_flight": report.in_flight,
        "last_invocation": _iso(at.timestamp()) if at else None,
        "handled": report.handled,
        "failed": report.failed,
    }


def _retry(retry: dict[str, Any] | None) -> dict[str, Any] | None:
    return {**retry, "next": _iso(retry["next"])} if retry else None


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _json(value: Any, status: int = 200) -> Response:
    response = Response(status=status)
    response.set_json(value)
    return response


def install() -> None:
    """Add the routes to LocalStack's gateway."""
    ROUTER.add(ControlResource())
