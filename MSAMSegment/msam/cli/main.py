"""Where `msam-segment` starts. Imports nothing that the core of the package can do without."""

from __future__ import annotations

import os
import sys

# The small matrix products of cutting and pasting are over before OpenBLAS has woken its threads; on a busy machine
# these waits cost seconds. It must be said before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What the extra `cli` brings; the commands need them as soon as they are imported.
OF_THE_EXTRA = ("typer", "rich", "httpx")


def main() -> None:
    """Runs the command line and ends the process with one of `msam.exit_codes.ExitCode`."""
    try:
        try:
            from msam.cli.app import app
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] not in OF_THE_EXTRA:
                raise
            sys.stderr.write(
                f'The command line needs the package {error.name}; install it with: pip install "msam-segment[cli]"\n'
            )
            sys.exit(2)
        app()
    except KeyboardInterrupt:
        sys.exit(130)
