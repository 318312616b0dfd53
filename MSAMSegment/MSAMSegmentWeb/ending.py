"""How the process of a page ends."""

from __future__ import annotations

import atexit
import os
import sys
import warnings
from contextlib import suppress
from typing import NoReturn


def end_process(code: int) -> NoReturn:
    """Ends this process at once, when all that had to be closed has been.

    The views of a page, its scene and their observers hold each other, in VTK as in trame, so that nothing lets go of
    them before Python's own end. That takes them apart in no order, and has crashed there now and then.

    Args:
        code: the exit code.
    """
    # Folders for a while, which trame leaves to this moment, are cleaned up here; that needs no complaint.
    warnings.simplefilter("ignore", ResourceWarning)
    atexit._run_exitfuncs()
    # The terminal may be gone.
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
