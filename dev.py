#!/bin/sh
# streamdev's command line, from a checkout: hands over to the project's own environment.
#
# A shell and any Python can run this file, also one that is too old for streamdev itself. So it
# keeps to syntax that all of them know, and does nothing else. To Python, what the shell runs is
# a string. Where python3 is a script that chooses one (pyenv, asdf), going by that takes longer
# than most commands; so the shell takes the environment's own, if there is one.
# fmt: off
''':'
python=${0%/*}/.venv/bin/python
[ -x "$python" ] || python=python3
exec "$python" "$0" "$@"
'''
# fmt: on

import os
import sys

ROOT = os.path.dirname(os.path.realpath(__file__))
PYTHON = os.path.join(ROOT, ".venv", "bin", "python")
STAMP = os.path.join(ROOT, ".venv", "streamdev-stamp")  # written last by scripts/bootstrap.py
CONFIG = "pipelines.toml"


def has_config(folder):
    # type: (str) -> bool
    """Whether ``folder`` or one above it holds a pipelines.toml."""
    while not os.path.isfile(os.path.join(folder, CONFIG)):
        parent = os.path.dirname(folder)
        if parent == folder:
            return False
        folder = parent
    return True


def main():
    # type: () -> None
    """Replace this process by the command line."""
    if not (os.path.isfile(STAMP) and os.access(PYTHON, os.X_OK)):
        inside = os.path.realpath(os.getcwd()) == ROOT
        sys.stderr.write(
            "streamdev is not set up yet.\nRun: make %sup\n"
            % ("" if inside else "-C " + ROOT + " ")
        )
        sys.exit(1)
    if not os.environ.get("STREAMDEV_CONFIG") and not has_config(os.getcwd()):
        os.environ["STREAMDEV_CONFIG"] = os.path.join(ROOT, CONFIG)
    # -P: a file named like a module in the current folder is not taken for it.
    os.execv(PYTHON, [PYTHON, "-P", "-m", "streamdev.cli"] + sys.argv[1:])


if __name__ == "__main__":
    main()
