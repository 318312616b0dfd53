"""The bond of a child process with its parent: the pipe on the standard input, which says nothing after the start."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

LONGEST_TOKEN = 256
# How often it is looked whether this process has been handed on to another parent.
LOOK_SECONDS = 0.5


def read_token() -> str:
    """The first line of the standard input. Empty when the parent has gone before it wrote one."""
    return sys.stdin.buffer.readline(LONGEST_TOKEN).decode("ascii", "replace").strip()


def when_parent_ends(act: Callable[[], None]) -> None:
    """Calls `act` once the parent closes its end of the pipe, or is no longer there, however it ended.

    The pipe alone would do, were it not that another child of the same parent may have inherited its end.
    """
    once = threading.Event()
    lock = threading.Lock()

    def end() -> None:
        with lock:
            if once.is_set():
                return
            once.set()
        act()

    def listen() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        end()

    def look(parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        end()

    threading.Thread(target=listen, name="parent's pipe", daemon=True).start()
    if sys.platform != "win32":
        threading.Thread(target=look, args=(os.getppid(),), name="parent's life", daemon=True).start()
