"""Everything that the module asks of Qt and of Slicer is there in a running Slicer, by the lists beside the project."""

from __future__ import annotations

import ast
import json

import pytest
import source_reading
import ui_reading
from PySide6 import QtCore, QtWidgets
from qt_contract import FOLDER, bases, declared, declared_properties, declared_signals, live, live_members, plain
from source_reading import MODULE, read_all

pytestmark = pytest.mark.skipif(declared() is None or live() is None, reason="needs the lists beside the project")

# What Slicer's `guiConnectors.py` can bind: the class of the widget, and the type of the parameter.
BOUND = {
    ("QCheckBox", "bool"),
    ("QPushButton", "bool"),
    ("QSpinBox", "int"),
    ("QDoubleSpinBox", "float"),
    ("QLineEdit", "str"),
    ("qMRMLNodeComboBox", "node"),
}
# Kinds of members, as the list has them, that are not called.
SIGNAL = "Signal"
# No property, but Qt Designer's way of writing which widget a label belongs to.
OF_DESIGNER = ("buddy",)


def class_of(owner: str) -> str:
    """The class of `ui.name`; the class itself for anything else."""
    return ui_reading.widgets()[owner.removeprefix("ui.")] if owner.startswith("ui.") else owner


def members_of(owner: str) -> dict[str, str] | None:
    """The members of a widget, a class, or an object that the running Slicer was asked about."""
    name = class_of(owner)
    return live().get(name) or live_members(name)


def is_property(kind: str, name: str, member: str) -> bool:
    """Whether a member is a property, which is read and set without brackets."""
    return member in declared_properties(name) or (kind not in (SIGNAL, "", "builtin_qt_slot") and "(" not in kind)


def signal_names(name: str) -> set[str]:
    """The signals of a class, as `name(type,type)`: Qt's from Qt itself, Slicer's from the headers."""
    found = set(declared_signals(name))
    for each in bases(name):
        kind = getattr(QtWidgets, each, None) or getattr(QtCore, each, None)
        if isinstance(kind, type) and issubclass(kind, QtCore.QObject):
            meta = kind.staticMetaObject
            methods = [meta.method(index) for index in range(meta.methodCount())]
            found |= {
                bytes(method.methodSignature().data()).decode()
                for method in methods
                if method.methodType() is QtCore.QMetaMethod.MethodType.Signal
            }
    return found


def test_every_widget_that_the_python_uses_is_in_the_ui():
    there = ui_reading.widgets()
    missing = [
        str(use) for reading in read_all() for use in reading.uses() if use.of == "ui" and use.member not in there
    ]
    assert not missing


def test_every_class_of_the_ui_exists():
    assert not [kind for kind in ui_reading.widgets().values() if live_members(kind) is None]


def test_every_property_of_the_ui_exists():
    missing = [
        f"{name}: {kind}.{each}"
        for name, kind, each in ui_reading.properties()
        if each not in OF_DESIGNER
        and (each not in live_members(kind) or not is_property(live_members(kind)[each], kind, each))
    ]
    assert not missing


def test_every_connection_of_the_ui_exists():
    there = ui_reading.widgets()
    for sender, signal, receiver, slot in ui_reading.connections():
        assert plain(signal) in signal_names(there[sender]), signal
        assert slot.partition("(")[0] in live_members(there[receiver]), slot


def test_every_member_that_the_python_uses_exists_and_is_used_as_what_it_is():
    wrong = []
    for reading in read_all():
        for use in reading.uses():
            if use.of in ("ui", "qt", "slicer", "slicer.util"):
                continue
            members = members_of(use.of)
            if members is None or use.member not in members:
                wrong.append(f"{use}: no such member")
                continue
            kind = members[use.member]
            isProperty = is_property(kind, class_of(use.of), use.member)
            if use.how == "set" and not isProperty:
                wrong.append(f"{use}: no property")
            if use.how == "call" and (kind == "NoneType" or kind == SIGNAL):
                wrong.append(f"{use}: cannot be called")
            if use.how == "get" and (kind == "builtin_qt_slot" or "(" in kind):
                wrong.append(f"{use}: is to be called")
    assert not wrong


def test_every_signal_that_is_connected_exists():
    wrong = []
    for reading in read_all():
        for connection in reading.connections():
            if not connection.of:
                continue
            name = class_of(connection.of)
            signal = connection.signature.partition("(")[0]
            if signal not in (members_of(connection.of) or {}):
                wrong.append(f"{connection}: Python does not see it")
            elif signal_names(name) and connection.signature.replace(" ", "") not in signal_names(name):
                wrong.append(f"{connection}: not with these arguments")
    assert not wrong


def test_every_name_of_qt_and_of_slicer_exists():
    names = json.loads((FOLDER / "runtime-names.json").read_text())
    import slicer

    wrong = []
    for reading in read_all():
        for use in reading.uses():
            isThere = {
                "qt": lambda name: f"qt.{name}" in live(),
                "slicer": lambda name: name in names["slicer_all"] or hasattr(slicer, name) or name == "util",
                "slicer.util": lambda name: name in names["slicer_util"],
            }.get(use.of)
            if isThere is not None and not isThere(use.member):
                wrong.append(str(use))
    assert not wrong


def parameter_types() -> dict[str, str]:
    """The fields of the parameter node's class, with their types: "node" for a reference."""
    tree = ast.parse((MODULE / "MSAMSegment.py").read_text())
    kind = next(each for each in tree.body if getattr(each, "name", "") == "MSAMSegmentParameterNode")
    found = {}
    for field in kind.body:
        if isinstance(field, ast.AnnAssign):
            text = ast.unparse(field.annotation).removeprefix("Annotated[").split(",")[0]
            found[field.target.id] = "node" if text.startswith("slicer.vtkMRML") else text
    return found


def test_every_parameter_of_the_ui_exists_with_a_type_that_slicer_can_bind():
    types, there = parameter_types(), ui_reading.widgets()
    for parameter, widget in ui_reading.parameters().items():
        assert (there[widget], types[parameter]) in BOUND, f"{widget} cannot show {parameter}"


def test_the_parameter_node_has_the_fields_that_the_scene_side_reads():
    from MSAMSegmentLib.settings import NodeReference, Parameter, SceneSettings

    there = {name for name, value in vars(SceneSettings).items() if isinstance(value, Parameter | NodeReference)}
    assert set(parameter_types()) == there


def test_every_icon_exists():
    from_source = [
        node.value
        for path in source_reading.SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ICONS"
    ]
    names = [value.value for table in from_source for value in table.values]
    assert names and not [name for name in names if not (MODULE / "Resources" / "Icons" / f"{name}.svg").is_file()]


def test_every_widget_to_be_used_has_a_tooltip_that_is_a_sentence():
    for name, kind in ui_reading.widgets().items():
        tip = ui_reading.text_of(name, "toolTip")
        if tip is not None:
            assert tip[0].isupper() and tip.endswith("."), f"{name}: {tip!r}"
        if kind in ("QComboBox", "QSpinBox", "QDoubleSpinBox", "QLineEdit", "QListWidget", "QProgressBar"):
            assert ui_reading.text_of(name, "accessibleName"), f"{name} has no name for screen readers"
