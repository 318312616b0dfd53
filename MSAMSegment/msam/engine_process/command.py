"""How the engine's process is started."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

# Of the application's own Python (3D Slicer sets them); another interpreter would take its modules from there.
FOREIGN = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__")
TOKEN_BYTES = 32


def command(python: str, model: str | None = None, device: str | None = None) -> list[str]:
    """The program and its arguments. The token is none of them: everybody can see those.

    Args:
        python: the interpreter that has what the engine needs.
        model: loaded at the start.
        device: "auto", "cpu", "cuda", "cuda:N", "mps"; None for "auto".
    """
    # -P: nothing is imported from the folder that the application happens to be in.
    arguments = [python, "-P", "-u", "-m", "msam.service"]
    if model is not None:
        arguments += ["--model", model]
    if device is not None:
        arguments += ["--device", device]
    return arguments


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment for the engine: that of the application, with this very package and no other of its modules."""
    kept = {name: value for name, value in base.items() if name.upper() not in FOREIGN}
    # As in `msam.cli.main`: the matrix products are too small for threads of OpenBLAS.
    return {
        "OPENBLAS_NUM_THREADS": "1",
        **kept,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONIOENCODING": "utf-8",
    }


def new_token() -> str:
    """A token for one process: 256 bits."""
    return secrets.token_hex(TOKEN_BYTES)


def first_line(token: str) -> bytes:
    """What is written to the standard input of the process right after it was started."""
    return token.encode() + b"\n"
