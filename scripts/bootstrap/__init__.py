"""Make the project's own environment, .venv, from requirements.lock. Asks nothing.

``make`` runs it with whatever Python there is, from 3.6 on, as ``python3 -m scripts.bootstrap``;
so all modules here keep to what that one knows. It looks for the Python that the environment is
made from (``pythons``), and for uv, which makes it (``uv``):

* Python: STREAMDEV_PYTHON (3.11, or a path); else .python-version's; else the newest of the
  supported ones; on PATH or in pyenv. Where there is none, uv fetches one.
* uv: PATH's; else one from PyPI, kept in the user's cache.
"""
