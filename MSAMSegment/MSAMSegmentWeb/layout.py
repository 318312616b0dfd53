"""The page as Vue templates: read from the folder `page`, and put together once."""

from __future__ import annotations

from trame.widgets import html
from trame_client.ui.core import AbstractLayout
from trame_server import Server

from MSAMSegmentWeb.pages import FOLDER

PARTS = ("topbar.html", "panel.html", "stage.html", "status.html", "dialogs.html")


def build(server: Server) -> AbstractLayout:
    """The page's main template, and the one shown when the connection is gone."""
    layout = AbstractLayout(server, html.Div(trame_server=server, classes="app"))
    for part in PARTS:
        layout.root.add_child((FOLDER / part).read_text("utf-8"))
    layout.flush_content()
    server.state.trame__template_error = (FOLDER / "gone.html").read_text("utf-8")
    # What only the browser knows: a file on its way, a question it asks, a name that is being typed, what it waits for.
    own = {"upload": None, "question": None, "renaming": None, "help_shown": False, "exporting": False}
    server.state.client_only(*own)
    server.state.update(own)
    return layout
