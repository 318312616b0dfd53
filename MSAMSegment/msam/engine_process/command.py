"""How the engine's process is started."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

# Of the application's own Python (3D Slicer sets them); another interpreter would take its modules from there.
FOREIGN = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__")
TOKEN_BYTES = 32
# Where this very package lies.
FOLDER = str(Path(__file__).parents[2])
# As `-m` runs a module, but with a folder before all others that modules are taken from.
RUN = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def command(python: str, model: str | None = None, device: str | None = None, own: bool = False) -> list[str]:
    """The program and its arguments. The token is none of them: everybody can see those.

    Args:
        python: the interpreter that has what the engine needs.
        model: loaded at the start.
        device: "auto", "cpu", "cuda", "cuda:N", "mps"; None for "auto".
        own: it is the application's own interpreter.
    """
    arguments = []
    if model is not None:
        arguments += ["--model", model]
    if device is not None:
        arguments += ["--device", device]
    return module_command(python, "msam.service", *arguments, own=own)


def module_command(python: str, module: str, *arguments: str, own: bool = False) -> list[str]:
    """The program and its arguments that run a module of this very package.

    Args:
        python: the interpreter that has what the module needs.
        module: such as "msam.service".
        arguments: for the module.
        own: it is the application's own interpreter. That of 3D Slicer is a launcher, which puts its folder of
            installed packages before all that `PYTHONPATH` names, and another release of this may be installed there.
    """
    how = ("-c", RUN, FOLDER, module) if own else ("-m", module)
    # -P: nothing is imported from the folder that the application happens to be in.
    return [python, "-P", "-u", *how, *arguments]


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment for the engine: that of the application, with this very package and no other of its modules."""
    kept = {name: value for name, value in base.items() if name.upper() not in FOREIGN}
    # As in `msam.cli.main`: the matrix products are too small for threads of OpenBLAS.
    return {
        "OPENBLAS_NUM_THREADS": "1",
        **kept,
        "PYTHONPATH": FOLDER,
        "PYTHONIOENCODING": "utf-8",
    }


def new_token() -> str:
    """A token for one process: 256 bits."""
    return secrets.token_hex(TOKEN_BYTES)


def first_line(token: str) -> bytes:
    """What is written to the standard input of the process right after it was started."""
    return token.encode() + b"\n"
