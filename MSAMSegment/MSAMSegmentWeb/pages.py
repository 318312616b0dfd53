"""The plain pages: the one that the application grows in, the one for the key, and the one for a second browser."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from string import Template

from aiohttp import web
from trame_client.module import vue3

FOLDER = Path(__file__).parent / "page"
# What trame's own page loads; the names of these files change with every release.
PARTS = re.compile(r"<script[^>]*\bsrc=[^>]*></script>|<link[^>]*rel=\"stylesheet\"[^>]*>")


@cache
def _index() -> str:
    trame = Path(vue3.www, "index.html").read_text("utf-8")
    return Template((FOLDER / "index.html").read_text("utf-8")).substitute(
        trame="\n    ".join(PARTS.findall(trame)), icons=(FOLDER / "icons.svg").read_text("utf-8")
    )


def index_page() -> web.Response:
    """The page itself."""
    return web.Response(text=_index(), content_type="text/html")


def key_page() -> web.Response:
    """Asks for the key."""
    return _plain(
        "Enter the key",
        "This page is protected by a key. Whoever started it can tell you.",
        '<form id="key"><input type="password" name="key" autocomplete="off" aria-label="Key" autofocus>'
        '<button>Open</button></form><p id="answer" role="alert"></p>',
        status=401,
    )


def occupied_page() -> web.Response:
    """Says that somebody else is at work."""
    return _plain(
        "Somebody is already here",
        "This page serves one browser at a time, and another one has it open. Close it there, wait a few seconds and "
        "try again; what is open there is closed with it, so export it first. Or start a second page for yourself: "
        "msam-segment app --port 0",
        '<a class="button" href="/">Try again</a>',
        status=409,
    )


def _plain(title: str, text: str, content: str, *, status: int) -> web.Response:
    page = Template((FOLDER / "gate.html").read_text("utf-8")).substitute(title=title, text=text, content=content)
    return web.Response(text=page, content_type="text/html", status=status)
