"""Stand-ins for what only the application brings: `slicer.app`, dialogs, the scripted module's bases."""

from __future__ import annotations

import importlib.util
import logging
import sys
import types
import unittest
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
import stand_in_parameter_node
from PySide6 import QtCore, QtUiTools, QtWidgets
from stand_in_qt import Proxy, install, wrapped
from stand_in_widgets import STAND_INS, qMRMLWidget

MODULE = Path(__file__).parents[2] / "MSAMSegment" / "MSAMSegment.py"


class Dialogs:
    """What was said to the user, and what the user answers.

    Attributes:
        questions, errors, infos: the texts, in order.
        answer: of the next yes-no questions.
        selected: modules that were gone to.
    """

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.errors: list[str] = []
        self.infos: list[str] = []
        self.selected: list[str] = []
        self.answer = True

    def ask(self, text: str, windowTitle: str | None = None, parent: Any = None, **_more: Any) -> bool:
        self.questions.append(text)
        return self.answer


class Application:
    """`slicer.app`, as far as the panel needs it."""

    def __init__(self, folder: Path, scene: Any) -> None:
        self.slicerHome = str(folder)
        self.onReloaded: Callable[[types.ModuleType], None] = lambda module: None
        self.mainWindow = QtWidgets.QMainWindow()
        self._settings = QtCore.QSettings(str(folder / "settings.ini"), QtCore.QSettings.Format.IniFormat)
        self._scene = scene

    def userSettings(self) -> Proxy:
        return wrapped(self._settings)

    def moduleManager(self) -> Any:
        return types.SimpleNamespace(connect=lambda *_: True, disconnect=lambda *_: True)

    def connect(self, signal: str, _slot: Any) -> bool:
        assert signal == "startupCompleted()"
        return True

    def clipboard(self) -> Any:
        return QtWidgets.QApplication.clipboard()

    def processEvents(self) -> None:
        QtWidgets.QApplication.processEvents()

    def setOverrideCursor(self, _cursor: Any) -> None:
        """The pointer is not looked at."""

    def restoreOverrideCursor(self) -> None:
        """The pointer is not looked at."""

    def testingEnabled(self) -> bool:
        return False

    def applicationLogic(self) -> Any:
        return slicer.modules.application

    def layoutManager(self) -> Any:
        return None


def load_ui(path: str) -> Proxy:
    """Makes the widgets of a .ui file; its connections are those between the scene and the widgets that show it."""
    tree = ElementTree.parse(path)
    root = tree.getroot()
    receivers = [each.findtext("receiver") for each in root.iter("connection")]
    for connections in root.findall("connections"):
        root.remove(connections)
    loader = QtUiTools.QUiLoader()
    for kind in STAND_INS:
        loader.registerCustomWidget(kind)
    buffer = QtCore.QBuffer()
    buffer.setData(ElementTree.tostring(root))
    widget = loader.load(buffer)
    for name in receivers:
        widget.mrmlSceneChanged.connect(widget.findChild(QtWidgets.QWidget, name).setMRMLScene)
    return wrapped(widget)


def child_widgets(widget: Proxy) -> types.SimpleNamespace:
    """All objects inside a widget by their names, layouts and the inner parts of widgets included, and itself."""
    found = [widget.raw, *widget.raw.findChildren(QtCore.QObject)]
    return types.SimpleNamespace(**{each.objectName(): wrapped(each) for each in found if each.objectName()})


def reload_module(name: str) -> types.ModuleType:
    """As Slicer does it: the source is read again, and a new widget takes the place of the one there was."""
    spec = importlib.util.spec_from_file_location(name, MODULE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module
    slicer.app.onReloaded(module)
    before = getattr(slicer.modules, f"{name}Widget")
    for child in before.parent.raw.findChildren(
        QtWidgets.QWidget, options=QtCore.Qt.FindChildOption.FindDirectChildrenOnly
    ):
        child.hide()
    before.cleanup()
    layout = before.parent.raw.layout()
    while layout.count():
        layout.takeAt(0)
    widget = getattr(module, f"{name}Widget")(before.parent)
    # From now on the application tells this one that it is entered and left.
    setattr(slicer.modules, f"{name}Widget", widget)
    widget.setup()
    return module


class ScriptedLoadableModule:
    """Base of the module class."""

    def __init__(self, parent: Any) -> None:
        self.parent, self.moduleName = parent, type(self).__name__

    def resourcePath(self, name: str) -> str:
        return str(MODULE.parent / "Resources" / name)


class ScriptedLoadableModuleWidget:
    """Base of the widget class."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName, self.developerMode = type(self).__name__.removesuffix("Widget"), False
        if parent is None:
            window = qMRMLWidget()
            QtWidgets.QVBoxLayout(window)
            self.parent = wrapped(window)
        else:
            self.parent = parent
        self.layout = self.parent.layout()
        if parent is None:
            self.setup()

    def resourcePath(self, name: str) -> str:
        return str(MODULE.parent / "Resources" / name)

    def setup(self) -> None:
        """Nothing without developer mode."""

    def cleanup(self) -> None:
        """Nothing by default."""

    def onReload(self) -> None:
        """What the developer's button does."""
        slicer.util.reloadScriptedModule(self.moduleName)


class ScriptedLoadableModuleLogic:
    """Base of the logic class."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName, self.isSingletonParameterNode = type(self).__name__.removesuffix("Logic"), True

    def getParameterNode(self) -> Any:
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is not None:
            node.SetAttribute("ModuleName", self.moduleName)
            return node
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return slicer.mrmlScene.AddNode(node)


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base of the self-test."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*(arguments or ("runTest",)))

    def delayDisplay(self, message: str, *_more: Any) -> None:
        logging.info(message)

    def runTest(self) -> None:
        """To be overridden."""


def put_modules() -> None:
    """The modules that slicer-core does not have."""
    base = types.ModuleType("slicer.ScriptedLoadableModule")
    for kind in (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    ):
        setattr(base, kind.__name__, kind)
    base.__all__ = [name for name in vars(base) if name.startswith("Scripted")]
    i18n = types.ModuleType("slicer.i18n")
    i18n.tr, i18n.translate = (lambda text: text), (lambda _context, text: text)
    for made in (base, i18n, stand_in_parameter_node.module()):
        sys.modules[made.__name__] = made
        setattr(slicer, made.__name__.partition(".")[2], made)


def put_application(folder: Path, monkeypatch: Any, scene: Any) -> tuple[Application, Dialogs]:
    """Brings up what the panel needs of the application, for one test."""
    install()
    put_modules()
    app, dialogs = Application(folder, scene), Dialogs()
    monkeypatch.setattr(slicer, "app", app, raising=False)
    views: dict[str, Any] = {}
    set_layers = slicer.util.setSliceViewerLayers

    def show_in_views(fit: bool = False, **layers: Any) -> None:
        views.update(layers)
        set_layers(**layers)

    functions = {
        "loadUI": load_ui,
        "childWidgetVariables": child_widgets,
        "mainWindow": lambda: wrapped(app.mainWindow),
        "confirmYesNoDisplay": dialogs.ask,
        "confirmOkCancelDisplay": dialogs.ask,
        "errorDisplay": lambda text, *_a, **_k: dialogs.errors.append(text),
        "infoDisplay": lambda text, *_a, **_k: dialogs.infos.append(text),
        "selectModule": lambda name: dialogs.selected.append(name),
        "selectedModule": lambda: dialogs.selected[-1] if dialogs.selected else "MSAMSegment",
        "reloadScriptedModule": reload_module,
        "modulePath": lambda _name: str(MODULE),
        "openAddDataDialog": lambda: dialogs.infos.append("add data"),
        "setSliceViewerLayers": show_in_views,
        "resetSliceViews": lambda: None,
        "resetThreeDViews": lambda: None,
        "showStatusMessage": lambda *_: None,
    }
    for name, function in functions.items():
        monkeypatch.setattr(slicer.util, name, function, raising=False)
    dialogs.views = views
    return app, dialogs
