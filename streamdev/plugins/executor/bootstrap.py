"""The first thing a handler's process runs: makes it look as on AWS, then gives it to the runtime.

Started as ``python -S bootstrap.py PARENT CLIENT SEARCH [HOW SETTINGS]``: the process id of
LocalStack, the file of streamdev's own Runtime API client (with a question mark in front: only
where AWS's is missing), and the folders to import from, first to last, before the standard
library. HOW is ``debugger`` while the function is being debugged, ``ahead`` where the process is
started before its code is there; then standard input is the socket it is told that by. SETTINGS
are JSON, ``function.Debugger`` or ``function.Ahead``.
Imports nothing of streamdev, and nothing that a handler would then find loaded on AWS only.
"""

import builtins
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


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


class _Ahead:
    """What is done before the code is there.

    Whatever would make a difference to importing it all later ends the process, and one that
    starts with the code takes its place: an import that fails, or one of the function's own
    modules, which have to be new.
    """

    def __init__(self, settings: "dict[str, Any]") -> None:
        self._own = frozenset(settings["own"])
        self._imports = settings["imports"]
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, *_where: object) -> None:
        """Asked for every module that is imported; knows of none."""
        if name.partition(".")[0] in self._own:
            os._exit(0)

    def wait(self) -> None:
        """Import ahead, wait for the code, and make the process one that was started with it."""
        import importlib
        import json

        try:
            for module, names in self._imports:
                __import__(module, fromlist=names)
        except BaseException:
            os._exit(0)
        sys.meta_path.remove(self)
        given = b""
        try:
            os.write(0, b"r")  # ready
            while part := os.read(0, 65536):
                given += part
        except OSError:
            pass
        if not given:
            os._exit(0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        told = json.loads(given)
        os.environ.update(told["variables"])
        os.chdir(told["folder"])
        sys.path[:] = [told["search"].get(path, path) for path in sys.path]
        sys.path_importer_cache.clear()
        importlib.invalidate_caches()


def _run_awslambdaric(address: str, handler: str, ahead: "_Ahead | None") -> bool:
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
    if ahead is not None:
        # Its logging is set up by then, as it is when a handler imports anything. The frame of
        # this is left out of stack traces, being one of a file bootstrap.py.
        load, wait = bootstrap._get_handler, ahead.wait

        def wait_and_load(handler: str) -> object:
            wait()
            return load(handler)

        bootstrap._get_handler = wait_and_load
    bootstrap.run(handler, lambda_runtime_client.LambdaRuntimeClient(address))
    return True


def _run_own_client(path: str, address: str, handler: str, ahead: "_Ahead | None") -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("_streamdev_runtime_client", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.run(address, handler, ahead.wait if ahead else lambda: None)


def main() -> None:
    """Set the process up and run the handler until the environment is ended."""
    _, parent, client, search, *more = sys.argv
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
    ahead = None
    if more[:1] == ["debugger"]:
        _listen_for_debugger(more[1])
    elif more:
        import json

        ahead = _Ahead(json.loads(more[1]))
    address, handler = os.environ["AWS_LAMBDA_RUNTIME_API"], os.environ["_HANDLER"]
    if client.startswith("?") and _run_awslambdaric(address, handler, ahead):
        return
    _run_own_client(client.lstrip("?"), address, handler, ahead)


main()
