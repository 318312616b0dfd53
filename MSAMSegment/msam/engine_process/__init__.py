"""The engine as a child process that its parent need not worry about.

| file | holds |
|---|---|
| `machine` | the life of the process as pure transitions: events in, actions out |
| `command` | how the process is started, by whatever starts it |
| `runner` | `EngineProcess`: what drives the machine in Python, with threads |

An application with an event loop of its own (Qt) drives the same machine: it turns the signals of a `QProcess` and of a
timer into events, and does the actions that come back.
"""

from msam.engine_process.endpoint import Endpoint
from msam.engine_process.runner import EngineProcess

__all__ = ["Endpoint", "EngineProcess"]
