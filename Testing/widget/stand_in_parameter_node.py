"""A stand-in for `slicer.parameterNodeWrapper`: typed fields on a parameter node, bound to widgets both ways."""

from __future__ import annotations

import enum
import types
import typing
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer
import vtk


@dataclass
class WithinRange:
    """Annotation of a number that lies between two others."""

    minimum: float
    maximum: float


PROPERTIES = {
    "QCheckBox": ("checked", "stateChanged(int)", bool),
    "QPushButton": ("checked", "toggled(bool)", bool),
    "QSpinBox": ("value", "valueChanged(int)", int),
    "QDoubleSpinBox": ("value", "valueChanged(double)", float),
    "QLineEdit": ("text", "textChanged(QString)", str),
}


def bare(kind: Any) -> Any:
    """A type without its annotations."""
    return typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind


def is_node(kind: Any) -> bool:
    """Whether a field refers to a node."""
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)


class Field:
    """One typed field, written as Slicer writes it."""

    def __init__(self, name: str, kind: Any, default: Any) -> None:
        self.name, self.kind, self.default = name, bare(kind), default
        bounds = [each for each in typing.get_args(kind)[1:] if isinstance(each, WithinRange)]
        self.bounds = bounds[0] if bounds else None

    def __get__(self, wrapper: Any, owner: type) -> Any:
        return self if wrapper is None else wrapper._kept[self.name].value

    def __set__(self, wrapper: Any, value: Any) -> None:
        wrapper._kept[self.name].write(value)

    def read(self, node: Any) -> Any:
        """What a node says. One that says nothing is given the default, as Slicer does, whenever that may be."""
        if not node.HasParameter(self.name):
            self.write(node, self.default)
        if is_node(self.kind):
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if self.kind is bool:
            return text == "True"
        return self.kind[text] if issubclass(self.kind, enum.Enum) else self.kind(text)

    def write(self, node: Any, value: Any) -> None:
        """Checks a value and writes it."""
        if self.bounds is not None and not self.bounds.minimum <= value <= self.bounds.maximum:
            raise ValueError(f"{value} is not within {self.bounds}")
        if is_node(self.kind):
            if value is not None and not isinstance(value, self.kind):
                raise ValueError(f"{value!r} is no {self.kind}")
            node.SetParameter(self.name, "")
            node.SetNodeReferenceID(self.name, None if value is None else value.GetID())
            return
        if not isinstance(value, (int, float) if self.kind is float else self.kind):
            raise ValueError(f"{value!r} is no {self.kind}")
        node.SetParameter(self.name, value.name if isinstance(value, enum.Enum) else str(value))


class Kept:
    """A field's value, which Slicer keeps and reads anew whenever the node is modified."""

    def __init__(self, field: Field, node: Any) -> None:
        self.field, self.node = field, node
        self.value = field.read(node)
        self.isWriting = False
        this = weakref.ref(self)
        self.tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: this().on_modified())

    def __del__(self) -> None:
        self.node.RemoveObserver(self.tag)

    def on_modified(self) -> None:
        if not self.isWriting:
            self.value = self.field.read(self.node)

    def write(self, value: Any) -> None:
        self.isWriting = True
        try:
            with slicer.util.NodeModify(self.node):
                self.field.write(self.node, value)
                self.value = self.field.read(self.node)
        finally:
            self.isWriting = False


def parameterNodeWrapper(kind: type) -> type:
    """Makes a class with typed fields the wrapper of a parameter node."""
    fields = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        default = getattr(kind, name, None if is_node(bare(hint)) else bare(hint)())
        fields[name] = Field(name, hint, default)
        setattr(kind, name, fields[name])

    def prepare(self: Any, node: Any) -> None:
        self.parameterNode, self._bound, self._updating = node, {}, False
        self._kept = {field.name: Kept(field, node) for field in fields.values()}

    def connect_gui(self: Any, mapping: dict[str, Any]) -> int:
        tag = len(self._bound)
        self._bound[tag] = {name: Binding(self, fields[name], widget) for name, widget in mapping.items()}

        def update(_caller: Any, _event: str) -> None:
            if self._updating:
                return
            self._updating = True
            try:
                with slicer.util.NodeModify(self.parameterNode):
                    for binding in [each for bound in self._bound.values() for each in bound.values()]:
                        binding.write()
            finally:
                self._updating = False

        # As in Slicer, nothing takes this observer away again: the wrapper lives as long as the node.
        self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, update)
        return tag

    def disconnect_gui(self: Any, tag: int) -> None:
        for binding in self._bound.pop(tag, {}).values():
            binding.release()

    kind.__init__ = prepare
    kind.connectParametersToGui = connect_gui
    kind.disconnectGui = disconnect_gui
    kind.AddObserver = lambda self, event, call, priority=0.0: self.parameterNode.AddObserver(event, call, priority)
    kind.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    kind.fieldNames = tuple(fields)
    return kind


class Binding:
    """A field and its widget."""

    def __init__(self, wrapper: Any, field: Field, widget: Any) -> None:
        self.wrapper, self.field, self.widget = wrapper, field, widget
        name = widget.className()
        if is_node(field.kind) and name == "qMRMLNodeComboBox":
            self.signal = "currentNodeChanged(vtkMRMLNode*)"
            self.read: Callable[[], Any] = widget.currentNode
            self.put: Callable[[Any], Any] = widget.setCurrentNode
            widget.nodeTypes = [field.kind.__name__]
        else:
            key, self.signal, expected = PROPERTIES[name]
            if expected is not field.kind:
                raise RuntimeError(f"A {name} cannot show {field.name}, which is {field.kind}")
            self.read, self.put = (lambda: getattr(widget, key)), (lambda value: setattr(widget, key, value))
            if field.bounds is not None:
                widget.minimum, widget.maximum = field.kind(field.bounds.minimum), field.kind(field.bounds.maximum)
        self.write()
        widget.connect(self.signal, self._changed)

    def write(self) -> None:
        self.put(self.field.__get__(self.wrapper, type(self.wrapper)))

    def release(self) -> None:
        self.widget.disconnect(self.signal, self._changed)

    def _changed(self, *_arguments: Any) -> None:
        with slicer.util.NodeModify(self.wrapper.parameterNode):
            if not self.wrapper._updating:
                self.field.__set__(self.wrapper, self.read())


def module() -> types.ModuleType:
    """A module `slicer.parameterNodeWrapper`."""
    made = types.ModuleType("slicer.parameterNodeWrapper")
    made.parameterNodeWrapper, made.WithinRange = parameterNodeWrapper, WithinRange
    return made
