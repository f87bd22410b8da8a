"""The environment variables of a handler's process, made from nothing.

After AWS's list of defined runtime environment variables (Lambda developer guide, "Using Lambda
environment variables"): the reserved ones can't be changed by the function's configuration, the
others can. Nothing of LocalStack's own environment is passed on.
"""

from __future__ import annotations

from pathlib import Path

from streamdev.plugins.executor.function import Function, Host, InitializationType, LogSettings

DEFAULT_ACCOUNT = "000000000000"


def handler_variables(
    function: Function,
    host: Host,
    logs: LogSettings,
    *,
    api_address: str,
    temp_dir: Path,
    initialization_type: InitializationType,
) -> dict[str, str]:
    """All variables of a handler's process.

    Args:
        function: Whose handler it is.
        host: Where it runs.
        logs: Its log group and stream, and how its logger writes.
        api_address: ``host:port`` of its Runtime API.
        temp_dir: Its own folder for temporary files, also its home.
        initialization_type: Why the environment is started.
    """
    root = str(function.task_root)
    library_dirs = [root, f"{root}/lib", *(f"{layer}/lib" for layer in function.layers)]
    variables = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": ":".join(
            ["/usr/local/bin", "/usr/bin", "/bin", *(f"{layer}/bin" for layer in function.layers)]
        ),
        "LD_LIBRARY_PATH": ":".join(library_dirs),
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        # An SDK must find neither the developer's own configuration nor a cloud's metadata.
        "HOME": str(temp_dir),
        "TMPDIR": str(temp_dir),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": host.endpoint_url,
    }
    if host.runtime_dir:
        # Also a process that the handler starts finds boto3, as on AWS.
        variables["PYTHONPATH"] = str(host.runtime_dir)
    variables.update(function.environment)
    variables.update(
        {
            "_HANDLER": function.handler,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_REGION": function.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
            "AWS_LAMBDA_FUNCTION_VERSION": function.qualifier,
            "AWS_LAMBDA_INITIALIZATION_TYPE": initialization_type,
            "AWS_LAMBDA_LOG_GROUP_NAME": logs.group,
            "AWS_LAMBDA_LOG_STREAM_NAME": logs.stream,
            "AWS_LAMBDA_RUNTIME_API": api_address,
            "LAMBDA_TASK_ROOT": root,
            "LAMBDA_RUNTIME_DIR": str(host.runtime_dir or ""),
            **_credentials(function.account),
        }
    )
    if logs.format:
        variables["AWS_LAMBDA_LOG_FORMAT"] = logs.format
    if logs.level:
        variables["AWS_LAMBDA_LOG_LEVEL"] = logs.level
    if host.engine_id:
        variables["STREAMDEV_ENGINE_ID"] = host.engine_id
    return variables


def _credentials(account: str) -> dict[str, str]:
    # LocalStack takes an access key of twelve digits for the account's number.
    access_key = "test" if account == DEFAULT_ACCOUNT else account
    return {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
    }
