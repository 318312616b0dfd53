"""The transport within 3D Slicer, run for real on Qt 6, and read against what a running Slicer 5.13 has."""

from __future__ import annotations

import ast
import gc
import importlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transport_checks import TransportChecks, ask

from msam.protocol.steps import ClickRecord
from MSAMSegmentLib.transport import Request

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
QtCore = pytest.importorskip("PySide6.QtCore", reason="needs PySide6")
QtNetwork = pytest.importorskip("PySide6.QtNetwork", reason="needs PySide6")
slicer = pytest.importorskip("slicer", reason="needs slicer-core")
qt_manners = importlib.import_module("qt_manners")
EngineLink = importlib.import_module("MSAMSegmentLib.engine_link").EngineLink
Scan = importlib.import_module("MSAMSegmentLib.scans").Scan
step_run = importlib.import_module("MSAMSegmentLib.step_run")

LIBRARY = Path(__file__).parents[2] / "MSAMSegment" / "MSAMSegmentLib"
SIGNAL = re.compile(r"[a-zA-Z]+\(.*\)")
TRANSPORT = "MSAMSegmentLib.qt_transport"
# Which class of Qt is behind a name of the sources that is not `qt.` itself.
BEHIND = {
    "_manager": "qt.QNetworkAccessManager",
    "_reply": "qt.QNetworkReply",
    "_process": "qt.QProcess",
    "_timer": "qt.QTimer",
    "variables": "qt.QProcessEnvironment",
    "configuration": "qt.QSslConfiguration",
    "outgoing": "qt.QNetworkRequest",
}


@pytest.fixture
def qt_module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`import qt` finds PySide6 with PythonQt's manners, and `slicer.app` the application."""
    application = QtCore.QCoreApplication.instance() or QtCore.QCoreApplication([])
    monkeypatch.setitem(sys.modules, "qt", qt_manners.module())
    monkeypatch.setattr(slicer, "app", SimpleNamespace(processEvents=application.processEvents), raising=False)
    sys.modules.pop(TRANSPORT, None)
    yield sys.modules["qt"]
    sys.modules.pop(TRANSPORT, None)


class TestQtTransport(TransportChecks):
    """All that every transport must do."""

    @pytest.fixture
    def transport(self, qt_module: Any) -> Iterator[Any]:
        """A transport in an application that has nothing else to do."""
        transport = importlib.import_module(TRANSPORT).QtTransport()
        yield transport
        transport.close()
        transport.runUntil(lambda: False, 0.02)

    def test_a_proxy_of_the_system_is_not_asked_for_this_computer(self, transport: Any, odd: Any) -> None:
        nowhere = QtNetwork.QNetworkProxy(QtNetwork.QNetworkProxy.ProxyType.HttpProxy, "127.0.0.1", 1)
        QtNetwork.QNetworkProxy.setApplicationProxy(nowhere)
        try:
            assert ask(transport, Request("GET", f"{odd[0]}/echo", {})).status == 200
        finally:
            QtNetwork.QNetworkProxy.setApplicationProxy(QtNetwork.QNetworkProxy())

    def test_nothing_is_kept_of_what_has_ended(self, transport: Any) -> None:
        rung: list[int] = []
        for number in range(50):
            transport.callLater(0, lambda number=number: rung.append(number))
        assert transport.runUntil(lambda: len(rung) == 50, 5)
        transport.runUntil(lambda: False, 0.02)
        gc.collect()
        assert not transport._timers
        assert not transport._manager.findChildren(QtCore.QTimer)


@pytest.fixture(scope="module")
def members(shared: Path) -> dict[str, Any]:
    """What Python sees of every class in a running Slicer 5.13."""
    return json.loads((shared / "slicer-api" / "runtime-members.json").read_text())


def test_every_member_of_qt_that_is_used_is_there_in_slicer(members: dict[str, Any]):
    used = set()
    for node in ast.walk(ast.parse((LIBRARY / "qt_transport.py").read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            used |= _members_of(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SIGNAL.fullmatch(node.value):
            used.add(("signal", node.value.partition("(")[0]))
    assert used
    for kind, member in used:
        if kind == "signal":
            assert any(member in members[each] for each in BEHIND.values()), member
        else:
            assert member in members[kind], f"{kind} has no {member}"


@pytest.mark.parametrize("member", ["get", "post", "put", "deleteResource"])
def test_the_methods_of_http_are_there_in_slicer(members: dict[str, Any], member: str):
    assert member in members["qt.QNetworkAccessManager"]


def test_the_application_can_be_kept_alive_in_slicer(members: dict[str, Any]):
    assert "processEvents" in members["LIVE slicer.app (qSlicerApplication)"]


def _members_of(node: ast.Attribute) -> set[tuple[str, str]]:
    """The members of Qt that an expression `a.b` names: (class, member)."""
    value = node.value
    if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "qt":
        return {(f"qt.{value.attr}", node.attr)}
    behind = value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""
    return {(BEHIND[behind], node.attr)} if behind in BEHIND else set()


def test_the_real_engine_is_started_and_answers_a_click_over_qt(qt_module: Any, volumeNode: Any) -> None:
    transport = importlib.import_module(TRANSPORT).QtTransport()
    link = EngineLink(transport)
    link.useThisComputer(sys.executable, "compact", "cpu")
    outcomes: list[Any] = []
    scan, spec = Scan.of(volumeNode), step_run.StepSpec((ClickRecord((30.0, 25.0, 20.0)),))
    try:
        step_run.StepRunner(link, transport).run(scan, spec, lambda *told: None, outcomes.append, outcomes.append)
        assert transport.runUntil(lambda: bool(outcomes), 120)
        assert outcomes[0].mask.whole(scan.shapeIjk)[20, 25, 30]
        host = EngineLink(transport)
        host.useHost(link.endpoint.url, "0123456789abcdef0123")
        host.test(lambda well, words: outcomes.append(words))
        assert transport.runUntil(lambda: len(outcomes) == 2, 20)
        assert "does not accept the key" in outcomes[1]
    finally:
        transport.close()
