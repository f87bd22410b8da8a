"""The first thing a handler's process runs: makes it look as on AWS, then gives it to the runtime.

Started as ``python -S bootstrap.py PARENT CLIENT SEARCH [DEBUGGER]``: the process id of
LocalStack, the file of streamdev's own Runtime API client (with a question mark in front: only
where AWS's is missing), and the folders to import from, first to last, before the standard
library; while the function is being debugged, also how, as JSON (``function.Debugger``).
Imports nothing of streamdev, and nothing that a handler would then find loaded on AWS only.
"""

import builtins
import os
import sys


def _die_with_parent(parent: int) -> None:
    """Have this process killed when LocalStack ends, also while a handler is busy.

    An idle one ends anyway, when its connection to the Runtime API closes.
    """
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig, sigkill = 1, 9
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, sigkill, 0, 0, 0)
    elif sys.platform == "darwin":
        import _thread

        _thread.start_new_thread(_wait_for_end, (parent,))
    if os.getppid() != parent:
        os._exit(1)


def _wait_for_end(process: int) -> None:
    """Wait in the kernel for another process to end, then kill this one's group (macOS)."""
    if sys.platform == "darwin":
        import select

        note = select.kevent(process, select.KQ_FILTER_PROC, fflags=select.KQ_NOTE_EXIT)
        select.kqueue().control([note], 1)
        os.killpg(os.getpgrp(), 9)


def _limit_files() -> None:
    """As many open files as a Lambda function may have ("Lambda quotas")."""
    import resource

    most = 1_024
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _restore_site_builtins() -> None:
    """What ``site`` would have added, and AWS's runtime has."""
    import _sitebuiltins

    eof = "Ctrl-D (i.e. EOF)"
    builtins.quit = _sitebuiltins.Quitter("quit", eof)
    builtins.exit = _sitebuiltins.Quitter("exit", eof)
    builtins.help = _sitebuiltins._Helper()


def _listen_for_debugger(settings: str) -> None:
    """Let a debugger attach, and wait for it if asked to.

    Files are known to the debugger by their place in the handler's own folder, whatever folder
    they were unpacked to; a mapping of its own may call that /var/task, as it is on AWS.
    """
    import json

    debugger = json.loads(settings)
    before = dict(os.environ)
    # Last: what the handler imports is what it would import without.
    sys.path.append(debugger["folder"])
    # It would print a page about the standard library, which nobody wants to step through.
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    import debugpy
    import debugpy.server
    import pydevd_file_utils as files

    task_root = os.environ["LAMBDA_TASK_ROOT"]
    set_up = files.setup_client_server_paths

    def set_up_paths(paths: "list[tuple[str, str]]") -> None:
        given = [(here, task_root if there == "/var/task" else there) for here, there in paths]
        set_up([(debugger["source"], task_root), *given])

    files.setup_client_server_paths = set_up_paths
    set_up_paths([])
    debugpy.configure(subProcess=False)
    debugpy.listen((debugger["host"], debugger["port"]))
    os.environ.clear()
    os.environ.update(before)
    if debugger["wait"]:
        debugpy.wait_for_client()


def _run_awslambdaric(address: str, handler: str) -> bool:
    """Run AWS's own runtime client; false where it is not installed."""
    try:
        from awslambdaric import bootstrap, lambda_runtime_client
    except ImportError:
        return False
    if lambda_runtime_client.runtime_client is None:
        return False
    # On AWS an error is one message of several lines; by default it would have carriage
    # returns between them here.
    bootstrap.ERROR_LOG_LINE_TERMINATE = "\n"
    bootstrap.run(handler, lambda_runtime_client.LambdaRuntimeClient(address))
    return True


def _run_own_client(path: str, address: str, handler: str) -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("_streamdev_runtime_client", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.run(address, handler)


def main() -> None:
    """Set the process up and run the handler until the environment is ended."""
    _, parent, client, search, *debugger = sys.argv
    _die_with_parent(int(parent))
    _limit_files()
    runtime_dir = os.environ.get("LAMBDA_RUNTIME_DIR")
    folders = [path for path in search.split(":") if path]
    # What is left is the standard library, and before it what PYTHONPATH of the function says.
    rest = [path for path in sys.path if path and path != runtime_dir]
    sys.path[:] = folders + [path for path in rest if path not in folders]
    _restore_site_builtins()
    if os.environ.get("LC_CTYPE") == "C.UTF-8":
        # Python's own doing, where the machine lacks the locale that LANG names.
        del os.environ["LC_CTYPE"]
    sys.stdout.reconfigure(errors="strict")  # type: ignore[union-attr]
    sys.argv[1:] = []
    if debugger:
        _listen_for_debugger(debugger[0])
    address, handler = os.environ["AWS_LAMBDA_RUNTIME_API"], os.environ["_HANDLER"]
    if client.startswith("?") and _run_awslambdaric(address, handler):
        return
    _run_own_client(client.lstrip("?"), address, handler)


main()
