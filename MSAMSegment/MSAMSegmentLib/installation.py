"""Gives 3D Slicer's own Python what the engine needs, after asking.

    findInterpreter(transport, chosen, onDone)      # somewhere there may be a Python that has it all
    plan = planFor(result)                          # what the one that was asked lacks
    Installer(transport, python, plan, ask, onProgress, onEnd).start()      # begun again, it goes on where it ended

PyTorch comes through Slicer's extension "PyTorch", which knows the build that fits the computer.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import slicer

from msam.errors import Cancelled, MsamError
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.install_plan import InstallPlan, megabytesOf, planFor, questionFor, titleOf
from MSAMSegmentLib.interpreters import Candidate, ProbeResult, candidates, findInterpreter, probe
from MSAMSegmentLib.package_run import PackageRun
from MSAMSegmentLib.package_versions import installed_versions
from MSAMSegmentLib.requirements import REQUIREMENTS, TORCH, Requirement
from MSAMSegmentLib.translation import tr as _
from MSAMSegmentLib.transport import Transport

__all__ = [
    "REQUIREMENTS",
    "TORCH",
    "Candidate",
    "InstallPlan",
    "Installer",
    "ProbeResult",
    "Requirement",
    "candidates",
    "findInterpreter",
    "planFor",
    "probe",
]

REQUESTER = "MSAMSegment"
# What the extension "PyTorch" chooses the build of PyTorch with, and installs first.
CHOOSER, CHOOSER_MODULE = "light-the-torch>=0.5", "light_the_torch"
# Of a package's part of the bar, what downloads can fill; the sizes are estimates, and unpacking comes after.
MOST_OF_DOWNLOADS = 0.9
MEGABYTE = 1_000_000

NO_EXTENSION = _(
    'PyTorch is missing, and the extension "PyTorch" that installs it is not there. Open the Extensions Manager (menu '
    'View), install "PyTorch", restart 3D Slicer, and try again.'
)
TRY_AGAIN = _("What was installed before stays; try again to go on from there.")


class Installer:
    """Installs what is missing into the Python of the application, one package after the other.

    Nothing waits for it: downloads take minutes, in which the application goes on. PyTorch is never imported here.
    """

    def __init__(
        self,
        transport: Transport,
        python: str,
        plan: InstallPlan,
        ask: Callable[[str], bool],
        onProgress: Callable[[float, str], None],
        onEnd: Callable[[MsamError | None], None],
    ) -> None:
        """Prepares; `start` installs.

        Args:
            transport: that starts processes.
            python: the program that runs Python as the application does.
            plan: what to install.
            ask: shows a question to the user and tells whether the answer was yes.
            onProgress: told the fraction done, 0 to 1, and what is being done.
            onEnd: told later, once, that all of it is there (None), or why it is not: `Cancelled`, or `SceneError`
                with what to do. What was installed until then stays.
        """
        self._transport = transport
        self._python = python
        self._plan = plan
        self._ask = ask
        self._onProgress = onProgress
        self._onEnd = onEnd
        self._waiting: list[Requirement] = []
        self._torchUtils: Any = None
        self._run: PackageRun | None = None
        self._isCancelled = False
        # In bytes: of all, of the packages that are installed, of the present one's files, and of its file under way.
        self._total = self._done = self._files = self._file = 0

    def start(self) -> None:
        """Asks, and begins to install what of the plan is still missing now.

        Raises:
            Cancelled: the user did not agree.
            SceneError: it cannot be installed here; the text says why, and what to do.
        """
        if self._plan.obstacle:
            raise SceneError(self._plan.obstacle)
        self._waiting = list(_stillMissing(self._plan.requirements))
        if self._plan.torch in self._waiting:
            self._torchUtils = _torchUtils()
        if self._waiting and not self._ask(questionFor(self._waiting, self._plan.torch)):
            raise Cancelled(_("Nothing was installed."))
        self._total = MEGABYTE * sum(map(megabytesOf, self._waiting))
        self._transport.callLater(0, self._next)

    def cancel(self) -> None:
        """Ends it, with the package under way where that is another's process. `onEnd` is told when it has ended."""
        self._isCancelled = True
        if self._run is not None:
            self._run.kill()

    def _next(self) -> None:
        if self._isCancelled:
            self._onEnd(Cancelled(_("The installation was cancelled.") + " " + TRY_AGAIN))
            return
        if not self._waiting:
            self._onProgress(1.0, _("All that the engine needs is installed."))
            self._onEnd(None)
            return
        self._files = self._file = 0
        requirement = self._waiting[0]
        words = _("Installing {package} (about {size} MB)")
        self._say(words.format(package=titleOf(requirement), size=megabytesOf(requirement)))
        if requirement != self._plan.torch:
            self._install(str(requirement), self._installed)
        elif importlib.util.find_spec(CHOOSER_MODULE) is None:
            self._install(CHOOSER, self._chooserInstalled)
        else:
            self._installTorch(requirement)

    def _install(self, wanted: str, onEnd: Callable[[int], None]) -> None:
        packaging = _packaging()
        if packaging is None:
            self._start(["pip", "install", wanted], onEnd)
            return
        try:
            packaging.pip_install(
                [wanted],
                blocking=False,
                # Slicer's own would be a second one, beside that of the panel.
                show_progress=False,
                requester=REQUESTER,
                logCallback=print,
                completedCallback=onEnd,
            )
        except (OSError, RuntimeError) as error:  # such as: another extension is installing something just now
            self._fail(str(error))

    def _start(self, arguments: Sequence[str], onEnd: Callable[[int], None]) -> None:
        self._run = PackageRun(self._transport, self._python, arguments, self._downloaded, onEnd)

    def _chooserInstalled(self, code: int) -> None:
        importlib.invalidate_caches()
        if code == 0 and not self._isCancelled:
            self._installTorch(self._waiting[0])
        else:
            self._installed(code)

    def _installTorch(self, requirement: Requirement) -> None:
        """Runs what the extension "PyTorch" would run, which would wait for it, and import PyTorch here."""
        arguments = getattr(self._torchUtils, "_getPipInstallArguments", None)
        wanted = f">={requirement.minimum}"
        if arguments is not None:
            self._start([CHOOSER_MODULE, *arguments(None, wanted)], self._installed)
            return
        # A version of the extension that does it in another way.
        try:
            torch = self._torchUtils().installTorch(askConfirmation=False, torchVersionRequirement=wanted)
        except Exception as error:  # it runs pip and imports what came of it: there is nothing that cannot go wrong
            self._fail(str(error))
        else:
            self._installed(0 if torch is not None else 1)

    def _installed(self, code: int) -> None:
        run, self._run = self._run, None
        if self._isCancelled:
            self._next()
            return
        if code != 0:
            ended = _("pip ended with code {code}").format(code=code)
            self._fail(run.complaint.rstrip(".") if run is not None and run.complaint else ended)
            return
        requirement = self._waiting.pop(0)
        if _stillMissing([requirement]):
            words = _("{package} was installed, but 3D Slicer does not find it. Restart 3D Slicer and try again.")
            self._onEnd(SceneError(words.format(package=titleOf(requirement))))
            return
        self._done += MEGABYTE * megabytesOf(requirement)
        self._next()

    def _fail(self, reason: str) -> None:
        words = _(
            "{package} could not be installed: {reason}. Check the connection to the internet and the space on the "
            "disk, and restart 3D Slicer in case an older version is in use; the Python console shows what pip said."
        ).format(package=titleOf(self._waiting[0]), reason=reason)
        self._onEnd(SceneError(f"{words} {TRY_AGAIN}"))

    def _downloaded(self, file: str, here: int, all_: int) -> None:
        if here < self._file:  # another file has begun
            self._files += self._file
        self._file = here
        words = _("Installing {package}: {here} of {size} MB of {file}")
        name, sizes = titleOf(self._waiting[0]), (round(here / MEGABYTE), round(all_ / MEGABYTE))
        self._say(words.format(package=name, here=sizes[0], size=sizes[1], file=file))

    def _say(self, words: str) -> None:
        part = MEGABYTE * megabytesOf(self._waiting[0])
        here = min(self._files + self._file, MOST_OF_DOWNLOADS * part)
        self._onProgress((self._done + here) / self._total, words)


def _stillMissing(requirements: Sequence[Requirement]) -> tuple[Requirement, ...]:
    versions = installed_versions([each.name for each in requirements])
    return tuple(each for each in requirements if not each.isMetBy(versions))


def _packaging() -> Any:
    """Slicer's own way to install packages, from 5.12 on; None before, and in its tests, where it would wait."""
    if slicer.app.testingEnabled():
        return None
    try:
        return importlib.import_module("slicer.packaging")
    except ImportError:
        return None


def _torchUtils() -> Any:
    try:
        return importlib.import_module("PyTorchUtils").PyTorchUtilsLogic
    except ImportError as error:
        raise SceneError(NO_EXTENSION) from error
