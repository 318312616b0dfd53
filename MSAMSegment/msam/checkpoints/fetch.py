"""`python -m msam.checkpoints.fetch NAME`: downloads a public model for an application that has asked its user.

Progress and failures go to the standard output as lines of `msam.protocol.events`. It ends with its parent, and when
its standard input is closed; what has arrived by then is kept for the next time.
"""

from __future__ import annotations

import os
import sys

from msam.checkpoints.catalogue import models_folder
from msam.checkpoints.known import known_model
from msam.errors import MsamError
from msam.protocol.events import Event, Failed, Progress, encode_event
from msam.service.parent import when_parent_ends


def main(arguments: list[str]) -> int:
    """Downloads the model that the one argument names; returns the exit code."""
    model = known_model(arguments[0]) if len(arguments) == 1 else None
    if model is None:
        _tell(Failed("There is no public model of that name."))
        return 1
    told = -1

    def report(received: int, total: int | None) -> None:
        nonlocal told
        percent = 100 * received // (total or model.size)
        if percent != told:
            told = percent
            _tell(Progress(min(1.0, percent / 100), f"Downloading {model.name}"))

    try:
        from msam.checkpoints.download import download

        download(model, models_folder(), progress=report)
    except ImportError as error:
        _tell(Failed(f"Downloads need the Python package {error.name}; install it where the engine runs."))
        return 1
    except MsamError as error:
        _tell(Failed(str(error)))
        return 1
    return 0


def _tell(event: Event) -> None:
    sys.stdout.buffer.write(encode_event(event))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    # The application ends its child, but that may be a launcher, such as Slicer's for Python, which ends alone.
    when_parent_ends(lambda: os._exit(1))
    raise SystemExit(main(sys.argv[1:]))
