"""uvicorn, told what it is to be here: no logs of its own, nothing but HTTP, and a bound on connections."""

from __future__ import annotations

from typing import Any

import uvicorn
from fastapi import FastAPI

MOST_CONNECTIONS = 256
GRACE_SECONDS = 10


def server(app: FastAPI, **options: Any) -> uvicorn.Server:
    """A server for an application; `options` are uvicorn's."""
    chosen: dict[str, Any] = {
        "http": "h11",
        "ws": "none",
        "loop": "asyncio",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "limit_concurrency": MOST_CONNECTIONS,
        "timeout_graceful_shutdown": GRACE_SECONDS,
        **options,
    }
    return uvicorn.Server(uvicorn.Config(app, **chosen))
