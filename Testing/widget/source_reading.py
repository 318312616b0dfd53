"""What the module's Python asks of Qt and of Slicer, read from its source without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODULE = Path(__file__).parents[2] / "MSAMSegment"
SOURCES = (
    MODULE / "MSAMSegment.py",
    *sorted((MODULE / "MSAMSegmentWidgets").glob("*.py")),
    *sorted((MODULE / "MSAMSegmentLib").glob("qt_*.py")),
)
# Objects that are reached by a path of attributes rather than by a name, with the class that each has in Slicer.
KNOWN_PATHS = {
    "editor.editor": "qMRMLSegmentEditorWidget",
    "editor.layout": "QVBoxLayout",
    "slicer.app": "LIVE slicer.app (qSlicerApplication)",
    "slicer.app.userSettings()": "QSettings",
    "slicer.app.clipboard()": "QClipboard",
    "slicer.app.layoutManager()": "LIVE layoutManager (qSlicerLayoutManager)",
    "slicer.app.moduleManager()": "LIVE moduleManager (qSlicerModuleManager)",
    "outgoing": "QNetworkRequest",
    "configuration": "QSslConfiguration",
    "self._reply": "QNetworkReply",
}


@dataclass(frozen=True)
class Use:
    """Something that the source uses.

    Attributes:
        where: file and line.
        of: what the member belongs to: `ui.name`, a class such as `QTimer`, or a path such as `slicer.util`.
        member: its name.
        how: "call", "set" or "get".
    """

    where: str
    of: str
    member: str
    how: str

    def __str__(self) -> str:
        return f"{self.where}: {self.of}.{self.member} ({self.how})"


@dataclass(frozen=True)
class Connection:
    """A signal that the source connects.

    Attributes:
        where: file and line.
        of: whose, as in `Use`.
        signature: as it is written.
    """

    where: str
    of: str
    signature: str

    def __str__(self) -> str:
        return f"{self.where}: {self.of} {self.signature}"


def path_of(node: ast.AST) -> str:
    """`a.b.c()` of an expression; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = path_of(node.value)
        return f"{base}.{node.attr}" if base else ""
    if isinstance(node, ast.Call):
        base = path_of(node.func)
        return f"{base}()" if base else ""
    return ""


class Reading:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.name = path.relative_to(MODULE).as_posix()
        self.tree = ast.parse(path.read_text())
        self.classes = dict(KNOWN_PATHS)
        for node in ast.walk(self.tree):
            self._learn(node)

    def _learn(self, node: ast.AST) -> None:
        """Notes the class of what is made here, or looked for in the user interface."""
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            kind = path_of(node.value)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            made = (
                kind.removeprefix("qt.").removesuffix("()") if kind.startswith("qt.Q") and kind.endswith("()") else ""
            )
            if made and "." not in made:
                self.classes.update({path_of(target): made for target in targets})
            if kind in self.classes:
                self.classes.update({path_of(target): self.classes[kind] for target in targets})
            if self._widget(kind):
                self.classes.update({path_of(target): self._widget(kind) for target in targets})
            for target in targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    for name, value in zip(target.elts, node.value.elts, strict=True):
                        if self._widget(path_of(value)):
                            self.classes[path_of(name)] = self._widget(path_of(value))

    @staticmethod
    def _widget(path: str) -> str:
        """`ui.name` of `ui.name` or `self.ui.name`."""
        path = path.removeprefix("self.")
        return path if path.startswith("ui.") and path.count(".") == 1 and not path.endswith("()") else ""

    def owner(self, node: ast.AST) -> str:
        """Whose member is used here, if that is known."""
        path = path_of(node)
        return self._widget(path) or self.classes.get(
            path, path if path in ("slicer", "slicer.util", "qt", "ui") else ""
        )

    def uses(self) -> Iterator[Use]:
        """All members of Qt, of Slicer and of the user interface that are used."""
        called = {id(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Attribute):
                continue
            where = f"{self.name}:{node.lineno}"
            how = "call" if id(node) in called else "set" if isinstance(node.ctx, ast.Store) else "get"
            path = path_of(node).removeprefix("self.")
            if path.startswith("ui.") and path.count(".") == 1:
                yield Use(where, "ui", node.attr, how)
            owner = self.owner(node.value)
            if owner == "" and path_of(node.value).startswith("qt.") and path_of(node.value).count(".") == 1:
                owner = path_of(node.value).removeprefix("qt.")
            if owner:
                yield Use(where, owner, node.attr, how)

    def connections(self) -> Iterator[Connection]:
        """All signals that are connected, those of `onClick` included."""
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
                continue
            where, first = f"{self.name}:{node.lineno}", node.args[0]
            if node.func.attr == "onClick" and self.owner(first):
                yield Connection(where, self.owner(first), "clicked()")
            elif node.func.attr in ("connect", "disconnect") and isinstance(first, ast.Constant):
                yield Connection(where, self.owner(node.func.value), first.value)


def read_all() -> list[Reading]:
    """All files of the module that speak to Qt."""
    return [Reading(path) for path in SOURCES]
