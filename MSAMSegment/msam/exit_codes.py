"""How the program and the service end. The only list of exit codes; `--help` of every command shows it."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit code of a process means."""

    DONE = 0
    SOME_FAILED = 1
    WRONG_USE = 2
    EMPTY_MASK = 3
    UNEXPECTED = 70
    DEVICE_LOST = 71
    CANCELLED = 130

    @property
    def meaning(self) -> str:
        """In a few words."""
        return {
            ExitCode.DONE: "done",
            ExitCode.SOME_FAILED: "some scans of a batch failed",
            ExitCode.WRONG_USE: "wrong use or bad input",
            ExitCode.EMPTY_MASK: "the mask is empty",
            ExitCode.UNEXPECTED: "an unexpected error",
            ExitCode.DEVICE_LOST: "a graphics card of serve no longer answers",
            ExitCode.CANCELLED: "cancelled",
        }[self]


EXIT_CODES = "Exit codes: " + ", ".join(f"{code.value} {code.meaning}" for code in ExitCode) + "."
