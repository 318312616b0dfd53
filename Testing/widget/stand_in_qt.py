"""Qt as Slicer's Python sees it, on PySide6: PythonQt's manners, and nothing that PythonQt does not expose.

A property is an attribute (`button.text = "…"`, not `setText`, though that works too), signals are connected by
their signature (`button.connect("clicked()", f)`), and every member is looked up in the list of those that a running
Slicer has, when that list is at hand.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets
from qt_contract import bases, declared_signals, live_members

_proxies: dict[int, Proxy] = {}
_destroyed: dict[int, QtCore.QObject] = {}


def wrapped(value: Any) -> Any:
    """What Python gets to see of something that Qt returns."""
    if isinstance(value, QtCore.QObject):
        known = _proxies.get(id(value))
        if known is None or known.raw is not value:
            known = _proxies[id(value)] = Proxy(value)
        return known
    if isinstance(value, list):
        return tuple(wrapped(each) for each in value)
    return value


def destroy(qobject: QtCore.QObject) -> None:
    """For Python, it is as if Qt had deleted an object with all that belongs to it."""
    _destroyed.update((id(each), each) for each in (qobject, *qobject.findChildren(QtCore.QObject)))


def raw(value: Any) -> Any:
    """What Qt gets of something that Python passes."""
    if isinstance(value, Proxy):
        return value.raw
    if isinstance(value, (list, tuple)):
        return [raw(each) for each in value]
    return value


class Proxy:
    """A QObject as PythonQt shows it."""

    __slots__ = ("__weakref__", "raw")

    def __init__(self, qobject: QtCore.QObject) -> None:
        object.__setattr__(self, "raw", qobject)

    def __repr__(self) -> str:
        return f"{self.className()} {self.raw.objectName()!r}"

    def __bool__(self) -> bool:
        """Whether the object is there still: what Qt has deleted counts as no."""
        return id(self.raw) not in _destroyed

    def className(self) -> str:
        """The name of its class."""
        return self.raw.metaObject().className()

    def _check(self, name: str) -> None:
        if not self:
            raise ValueError(f"'{name}' is asked of a destroyed {self.className()}")
        members = live_members(self.className())
        if members is not None and name not in members and name not in ("name", "raw"):
            raise AttributeError(f"PythonQt exposes no '{name}' of {self.className()}")

    def __getattr__(self, name: str) -> Any:
        if name == "name":
            return self.raw.objectName()
        self._check(name)
        if self.raw.metaObject().indexOfProperty(name) >= 0:
            return wrapped(self.raw.property(name))
        member = getattr(self.raw, name)
        if isinstance(member, QtCore.SignalInstance):
            return _Signal(member)
        return lambda *arguments: wrapped(member(*raw(arguments)))

    def __setattr__(self, name: str, value: Any) -> None:
        self._check(name)
        if self.raw.metaObject().indexOfProperty(name) < 0:
            raise AttributeError(f"{self.className()} has no property '{name}'")
        if not self.raw.setProperty(name, raw(value)):
            raise TypeError(f"{self.className()}.{name} cannot be {value!r}")

    def setProperty(self, name: str, value: Any) -> bool:
        """A property by its name, dynamic ones included."""
        return self.raw.setProperty(name, raw(value))

    def property(self, name: str) -> Any:
        """A property by its name; None when there is none."""
        return wrapped(self.raw.property(name))

    def connect(self, signal: str, slot: Callable[..., Any]) -> bool:
        """Connects a signal by its signature; one that does not exist raises, where PythonQt would only complain."""
        self._signal(signal).connect(slot)
        return True

    def disconnect(self, signal: str, slot: Callable[..., Any]) -> bool:
        """Undoes `connect`."""
        self._signal(signal).disconnect(slot)
        return True

    def _signal(self, signature: str) -> _Signal:
        name, _, arguments = signature.partition("(")
        if hasattr(type(self.raw), "isStandIn"):
            expected = declared_signals(self.className())
            own = any(each in expected for each in (signature, signature.replace(" ", "")))
            if expected and not own and self.raw.metaObject().indexOfSignal(signature) < 0:
                raise ValueError(f"{self.className()} has no signal {signature}")
            return _Signal(getattr(self.raw, name))
        if (
            self.raw.metaObject().indexOfSignal(
                bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
            )
            < 0
        ):
            raise ValueError(f"{self.className()} has no signal {signature}")
        overload = arguments.rstrip(")")
        return _Signal(getattr(self.raw, name), count=len(overload.split(",")) if overload else 0)


def taken_by(slot: Callable[..., Any]) -> int | None:
    """How many arguments of a signal PythonQt hands over: as many as a function or a method takes; None for all."""
    function = getattr(slot, "__func__", slot)
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARARGS:
        return None
    return code.co_argcount - (function is not slot)


class _Signal:
    """A signal that hands its arguments over as PythonQt does."""

    connections: dict[tuple[int, Any], Callable[..., Any]] = {}  # noqa: RUF012

    def __init__(self, signal: QtCore.SignalInstance, count: int | None = None) -> None:
        self.signal, self.count = signal, count

    def connect(self, slot: Callable[..., Any]) -> None:
        def relay(*arguments: Any) -> None:
            given = (arguments if self.count is None else arguments[: self.count])[: taken_by(slot)]
            try:
                slot(*(wrapped(each) for each in given))
            except Exception as error:  # an exception in a slot is a failure, and Qt would only print it
                failures.append(error)
                raise

        self.connections[(str(self.signal), slot)] = relay
        self.signal.connect(relay)

    def disconnect(self, slot: Callable[..., Any]) -> None:
        relay = self.connections.pop((str(self.signal), slot), None)
        if relay is not None:
            self.signal.disconnect(relay)

    def emit(self, *arguments: Any) -> None:
        self.signal.emit(*raw(arguments))


failures: list[Exception] = []
"""Exceptions that left a slot or a timer."""


class QtClass:
    """A class of Qt: calling it makes a proxy, its attributes are enumerators and static methods."""

    def __init__(self, kind: type, replaced: dict[str, Any] | None = None) -> None:
        self.kind, self.replaced = kind, replaced or {}

    def __call__(self, *arguments: Any) -> Any:
        return wrapped(self.kind(*raw(arguments)))

    def __getattr__(self, name: str) -> Any:
        if name in self.replaced:
            return self.replaced[name]
        members = live_members(self.kind.__name__)
        if members is not None and name not in members:
            raise AttributeError(f"PythonQt exposes no '{name}' of {self.kind.__name__}")
        member = getattr(self.kind, name)
        if callable(member) and not isinstance(member, type):
            return lambda *arguments: wrapped(member(*raw(arguments)))
        return member


def _later(milliseconds: int, slot: Callable[[], None]) -> None:
    def call() -> None:
        try:
            slot()
        except Exception as error:
            failures.append(error)
            raise

    QtCore.QTimer.singleShot(milliseconds, call)


file_answer = [""]
"""What the user chooses in the next file dialogs; "" for leaving them."""


def file_dialog(*_arguments: Any) -> str:
    """A file dialog, which answers with a path only: PythonQt has no way to hand the chosen filter back."""
    return file_answer[0]


def qt_module() -> types.ModuleType:
    """A module `qt`."""
    module = types.ModuleType("qt")
    special = {
        "QTimer": {"singleShot": _later},
        "QFileDialog": dict.fromkeys(("getSaveFileName", "getOpenFileName", "getExistingDirectory"), file_dialog),
    }

    def lookup(name: str) -> Any:
        for source in (QtWidgets, QtGui, QtCore):
            if hasattr(source, name):
                found = getattr(source, name)
                break
        else:
            raise AttributeError(f"qt has no {name}")
        isObject = isinstance(found, type) and issubclass(found, QtCore.QObject)
        made = QtClass(found, special.get(name)) if name == "Qt" or isObject else found
        setattr(module, name, made)
        return made

    module.__getattr__ = lookup
    return module


def install() -> types.ModuleType:
    """Puts `qt` and `ctk` where `import` finds them, brings up Qt without a screen, and returns `qt`."""
    QtWidgets.QApplication.instance() or QtWidgets.QApplication(["stand-in"])
    from stand_in_collapsible import ctkCollapsibleButton

    module, ctk = qt_module(), types.ModuleType("ctk")
    ctk.ctkCollapsibleButton = QtClass(ctkCollapsibleButton)
    sys.modules["qt"], sys.modules["ctk"] = module, ctk
    return module


def inherits(proxy: Proxy, name: str) -> bool:
    """Whether an object is of a class of Slicer, CTK or Qt."""
    return name in bases(proxy.className()) or proxy.raw.inherits(name)
