"""A `qt` module on PySide6 with the manners of PythonQt, as far as the transport needs them.

`connect` takes the signature of a signal as text and fails for one that does not exist; callables get no more arguments
than they take; enumerations are whole numbers.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from enum import Enum
from typing import Any

from PySide6 import QtCore, QtNetwork


def plain(value: Any) -> Any:
    """An enumeration as its number, anything else as it is."""
    return value.value if isinstance(value, Enum) else value


def connect(thing: Any, signature: str, callback: Callable[..., None]) -> None:
    """Connects a signal, given as in C++."""
    found = thing.metaObject().indexOfSignal(QtCore.QMetaObject.normalizedSignature(signature).data().decode())
    if found < 0:
        raise AssertionError(f"{type(thing).__name__} has no signal {signature}")
    taken = len(inspect.signature(callback).parameters)
    getattr(thing, signature.split("(")[0]).connect(lambda *given: callback(*map(plain, given[:taken])))


class Connectable:
    """What every object of PythonQt has."""

    def connect(self, signature: str, callback: Callable[..., None]) -> None:
        """See above."""
        connect(self, signature, callback)


class Reply:
    """A QNetworkReply, which PySide6 makes by itself."""

    def __init__(self, reply: QtNetwork.QNetworkReply) -> None:
        self.reply = reply
        self.aborted = 0

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.reply, name)
        return (lambda *given: plain(member(*given))) if callable(member) else plain(member)

    def abort(self) -> None:
        """Fails when it is called twice: Slicer crashes then."""
        self.aborted += 1
        assert self.aborted == 1
        self.reply.abort()

    def connect(self, signature: str, callback: Callable[..., None]) -> None:
        """See above."""
        connect(self.reply, signature, callback)


class Manager(Connectable, QtNetwork.QNetworkAccessManager):
    """A QNetworkAccessManager."""

    def get(self, *given: Any) -> Reply:
        """See Qt."""
        return Reply(super().get(*given))

    def put(self, *given: Any) -> Reply:
        """See Qt."""
        return Reply(super().put(*given))

    def post(self, *given: Any) -> Reply:
        """See Qt."""
        return Reply(super().post(*given))

    def deleteResource(self, *given: Any) -> Reply:
        """See Qt."""
        return Reply(super().deleteResource(*given))


class Process:
    """A QProcess, of which PySide6 does not let go of `connect` either."""

    CrashExit = QtCore.QProcess.ExitStatus.CrashExit.value
    FailedToStart = QtCore.QProcess.ProcessError.FailedToStart.value

    def __init__(self, parent: Any = None) -> None:
        self.process = QtCore.QProcess(parent)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.process, name)

    def connect(self, signature: str, callback: Callable[..., None]) -> None:
        """See above."""
        connect(self.process, signature, callback)


class Timer:
    """A QTimer, of which PySide6 does not let go of `connect`."""

    def __init__(self, parent: Any = None) -> None:
        self.timer = QtCore.QTimer(parent)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.timer, name)

    def connect(self, signature: str, callback: Callable[..., None]) -> None:
        """See above."""
        connect(self.timer, signature, callback)


class NetworkRequest(QtNetwork.QNetworkRequest):
    """A QNetworkRequest."""

    ManualRedirectPolicy = QtNetwork.QNetworkRequest.RedirectPolicy.ManualRedirectPolicy.value
    RedirectPolicyAttribute = QtNetwork.QNetworkRequest.Attribute.RedirectPolicyAttribute
    HttpStatusCodeAttribute = QtNetwork.QNetworkRequest.Attribute.HttpStatusCodeAttribute


def module() -> types.ModuleType:
    """The module that `import qt` shall find."""
    qt = types.ModuleType("qt")
    qt.QByteArray = QtCore.QByteArray  # type: ignore[attr-defined]
    qt.QNetworkAccessManager = Manager  # type: ignore[attr-defined]
    qt.QNetworkRequest = NetworkRequest  # type: ignore[attr-defined]
    qt.QProcess = Process  # type: ignore[attr-defined]
    qt.QProcessEnvironment = QtCore.QProcessEnvironment  # type: ignore[attr-defined]
    qt.QSslConfiguration = QtNetwork.QSslConfiguration  # type: ignore[attr-defined]
    qt.QTimer = Timer  # type: ignore[attr-defined]
    qt.QUrl = QtCore.QUrl  # type: ignore[attr-defined]
    return qt
