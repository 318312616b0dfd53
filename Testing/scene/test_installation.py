"""How the engine's packages come into 3D Slicer's own Python."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
import slicer
from pip_site import PipTransport, Site

from msam.errors import Cancelled, MsamError
from MSAMSegmentLib import install_plan, package_run
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.installation import (
    REQUIREMENTS,
    TORCH,
    Candidate,
    Installer,
    InstallPlan,
    ProbeResult,
    Requirement,
    planFor,
)

ALL = {each.name: each.minimum for each in (*REQUIREMENTS, TORCH)}
OWN = Candidate("PythonSlicer", True, "the Python of 3D Slicer")
OTHER = Candidate("/usr/bin/python3", False, "the Python that you chose")

# No such packages exist, so none of them is there until a stand-in puts it there.
SMALL, MIDDLE, BIG = (Requirement(f"msam_stand_in_{name}", "1.5") for name in ("small", "middle", "big"))
PLAN = InstallPlan((SMALL, MIDDLE), torch=BIG)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Slicer 5.10 with the extension "PyTorch", whose pip installs into a folder of its own."""
    site = Site(tmp_path / "site")
    site.folder.mkdir()
    monkeypatch.syspath_prepend(str(site.folder))
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    monkeypatch.setattr(slicer, "app", types.SimpleNamespace(testingEnabled=lambda: False), raising=False)
    monkeypatch.setattr(slicer.util, "startupEnvironment", dict, raising=False)

    class Logic:
        @staticmethod
        def _getPipInstallArguments(forceComputationBackend=None, torchVersionRequirement=None):
            assert forceComputationBackend is None
            return ["install", f"{BIG.name}{torchVersionRequirement}", "torchvision"]

    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = Logic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    return site


class User:
    """Who is asked and told."""

    def __init__(self, site: Site, answer: bool = True) -> None:
        self.transport = PipTransport(site)
        self.answer = answer
        self.questions: list[str] = []
        self.told: list[tuple[float, str]] = []
        self.ends: list[MsamError | None] = []

    def ask(self, question: str) -> bool:
        self.questions.append(question)
        return self.answer

    def begin(self, plan: InstallPlan = PLAN) -> Installer:
        """Begins an installation whose processes the test ends."""
        self.transport.waits = True
        installer = Installer(
            self.transport, OWN.python, plan, self.ask, lambda *told: self.told.append(told), self.ends.append
        )
        installer.start()
        self.transport.pump()
        return installer

    def end(self, code: int | None = None) -> None:
        """Lets the process under way end, as pip would or with a code."""
        wanted = next(word for word in self.transport.commands[-1] if ">=" in word)
        self.transport.processes[-1].end(self.transport.site.put(wanted) if code is None else code)
        self.transport.pump()

    def install(self, plan: InstallPlan = PLAN) -> None:
        """Installs all of it, and raises what it ends with."""
        installer = Installer(
            self.transport, OWN.python, plan, self.ask, lambda *told: self.told.append(told), self.ends.append
        )
        installer.start()
        self.transport.pump(30)
        (end,) = self.ends
        if end is not None:
            raise end


# What to install


def test_the_plan_says_what_is_missing_how_much_that_is_and_asks():
    plan = planFor(ProbeResult(OWN, "3.12.10", {"numpy": "2.4.6", "SimpleITK": "2.5.5"}))
    assert [each.name for each in plan.packages] == ["fastapi", "uvicorn", "safetensors", "zstandard"]
    assert plan.torch is not None
    assert not plan.obstacle
    assert 200 < plan.megabytes < 300
    for words in ("zstandard 0.23 or later, about 6 MB", "PyTorch 2.6 or later", "Install them now?"):
        assert words in plan.question


def test_the_plan_for_a_complete_one_is_empty():
    plan = planFor(ProbeResult(OWN, "3.12.10", ALL))
    assert plan == InstallPlan(())
    assert plan.question == ""


def test_what_slicer_is_built_with_is_never_replaced(site):
    plan = planFor(ProbeResult(OWN, "3.12.10", {**ALL, "numpy": "1.26.4", "fastapi": "0.1"}))
    assert "numpy 1.26.4" in plan.obstacle
    with pytest.raises(SceneError, match="Install a newer 3D Slicer"):
        User(site).install(plan)
    assert site.installed == []


def test_the_python_of_somebody_else_is_not_changed():
    plan = planFor(ProbeResult(OTHER, "3.12.10", {name: ALL[name] for name in ALL if name != "uvicorn"}))
    assert plan.obstacle.endswith('Install that with: "/usr/bin/python3" -m pip install "uvicorn>=0.34"')


# Installing


def test_all_that_is_missing_is_installed_one_by_one_and_pytorch_as_its_extension_would(site):
    user = User(site)
    user.install()
    chooser = "light-the-torch>=0.5"
    assert site.installed == [str(SMALL), str(MIDDLE), chooser, str(BIG)]
    assert [command[3:] for command in user.transport.commands] == [
        ["pip", "install", str(SMALL)],
        ["pip", "install", str(MIDDLE)],
        ["pip", "install", chooser],
        ["light_the_torch", "install", str(BIG), "torchvision"],
    ]
    assert all(command[:3] == [OWN.python, "-u", "-m"] for command in user.transport.commands)
    assert len(user.questions) == 1
    fractions = [fraction for fraction, _ in user.told]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == 1


def test_the_application_goes_on_while_something_is_installed_and_pytorch_is_not_imported(site):
    user = User(site)
    user.begin()
    assert user.ends == []
    for _ in range(4):
        user.end()
    assert user.ends == [None]
    assert BIG.name not in sys.modules


def test_a_download_is_told_of_in_numbers(site):
    user = User(site)
    user.begin(InstallPlan((), torch=BIG))
    user.end()
    process = user.transport.processes[-1]
    process.say(b"Downloading https://example.org/torch-2.13.0-cp312-linux.whl (3.0 MB)")
    for here in (0, 1_000_000, 3_000_000):
        process.say(b"Progress %d of 3000000" % here)
    process.say(b"  Downloading sympy-1.14.0-py3-none-any.whl (6.0 MB)")
    process.say(b"Progress 1000000 of 6000000")
    process.say(b"Progress 6000000 of 6000000")
    assert "1 of 3 MB of torch-2.13.0-cp312-linux.whl" in user.told[-4][1]
    assert "1 of 6 MB of sympy-1.14.0" in user.told[-2][1]
    fractions = [fraction for fraction, _ in user.told]
    assert fractions == sorted(fractions)
    assert fractions[-4] == pytest.approx(1 / 5)
    assert fractions[-2] == pytest.approx(4 / 5)
    assert fractions[-1] == pytest.approx(0.9)
    user.end()
    assert user.told[-1][0] == 1


def test_numbers_are_asked_for_of_a_pip_that_has_them(site, monkeypatch):
    for version, progress in (("24.1", "raw"), ("24.0", None)):
        monkeypatch.setattr(package_run, "installed_versions", lambda names, version=version: {"pip": version})
        user = User(site)
        user.begin()
        assert user.transport.environments[-1].get("PIP_PROGRESS_BAR") == progress
        assert user.transport.environments[-1]["PIP_NO_INPUT"] == "1"


def test_newer_slicers_install_with_their_own_packaging(site, monkeypatch):
    calls, ends = [], []

    # The signature of Slicer 5.12.
    def pip_install(
        requirements,
        constraints=None,
        no_deps_requirements=None,
        skip_packages=None,
        blocking=True,
        show_progress=True,
        requester=None,
        parent=None,
        logCallback=None,
        completedCallback=None,
    ):
        assert not blocking and not show_progress
        calls.append((requirements, requester))
        ends.append(lambda: completedCallback(site.put(*requirements)))

    packaging = types.ModuleType("slicer.packaging")
    packaging.pip_install = pip_install
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    user = User(site)
    user.begin()
    while ends:
        ends.pop()()
    assert calls == [([wanted], "MSAMSegment") for wanted in (str(SMALL), str(MIDDLE), "light-the-torch>=0.5")]
    assert [command[3] for command in user.transport.commands] == ["light_the_torch"]
    user.end()
    assert user.ends == [None]


def test_another_extension_that_installs_at_the_same_time_is_told_of(site, monkeypatch):
    def pip_install(requirements, **options):
        raise RuntimeError("A non-blocking pip_install is already in progress.")

    packaging = types.ModuleType("slicer.packaging")
    packaging.pip_install = pip_install
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    with pytest.raises(SceneError, match=r"small could not be installed: A non-blocking .* in progress\..*try again"):
        User(site).install()


def test_nothing_is_installed_without_consent(site):
    user = User(site, answer=False)
    with pytest.raises(Cancelled):
        user.install()
    assert (site.installed, user.transport.commands) == ([], [])


def test_nothing_is_asked_when_nothing_is_missing_any_more(site):
    User(site).install()
    again = User(site, answer=False)
    again.install()
    assert again.questions == []
    assert again.told == [(1.0, "All that the engine needs is installed.")]


def test_after_a_failure_it_goes_on_where_it_ended(site):
    site.broken.add(MIDDLE.name)
    with pytest.raises(
        SceneError, match=r"msam_stand_in_middle could not be installed: pip ended with code 1\..*internet"
    ):
        User(site).install()
    assert site.installed == [str(SMALL)]
    site.broken.clear()
    user = User(site)
    user.install()
    assert str(BIG) in site.installed
    assert SMALL.name not in user.questions[0]
    assert MIDDLE.name in user.questions[0]


def test_it_can_be_cancelled_in_the_middle_of_a_package_and_begun_again(site):
    user = User(site)
    installer = user.begin()
    user.end()
    installer.cancel()
    user.transport.pump(3)
    (end,) = user.ends
    assert isinstance(end, Cancelled)
    assert "stays" in str(end)
    assert not user.transport.processes[-1].alive
    assert site.installed == [str(SMALL)]
    User(site).install()
    assert str(BIG) in site.installed


def test_a_package_that_could_not_be_stopped_any_more_counts_the_next_time(site):
    user = User(site)
    installer = user.begin()
    installer.cancel()
    user.end()  # before the process is gone
    assert [type(end) for end in user.ends] == [Cancelled]
    assert site.installed == [str(SMALL)]
    again = User(site)
    again.install()
    assert SMALL.name not in again.questions[0]


def test_without_the_extension_it_says_how_to_get_it_before_anything_is_asked(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    user = User(site)
    with pytest.raises(SceneError, match=r'Extensions Manager .* "PyTorch", restart'):
        user.install()
    assert (user.questions, site.installed) == ([], [])
    # It is not needed for the rest.
    user.install(InstallPlan((SMALL, MIDDLE)))
    assert site.installed == [str(SMALL), str(MIDDLE)]


def test_what_pip_said_last_is_told(site):
    user = User(site)
    user.begin()
    user.transport.processes[-1].say(b"ERROR: Could not install packages due to an OSError: No space left on device\n")
    user.end(1)
    assert "No space left on device. Check" in str(user.ends[0])


def test_a_python_that_cannot_be_started_is_told_in_words(site):
    user = User(site)
    user.begin()
    user.transport.processes[-1].callbacks.onNotStarted("PythonSlicer: there is no such file.")
    assert "small could not be installed: PythonSlicer: there is no such file. Check" in str(user.ends[0])


class OtherExtension:
    """A version of the extension "PyTorch" that tells nobody how it installs."""

    result: object = types.ModuleType(BIG.name)

    def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
        assert not askConfirmation
        if isinstance(self.result, Exception):
            raise self.result
        if self.result is not None:
            OtherExtension.site.put(f"{BIG.name}{torchVersionRequirement}")
        return self.result


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (types.ModuleType(BIG.name), None),
        (ImportError("a library is missing"), "could not be installed: a library is missing"),
        (None, "could not be installed"),
    ],
)
def test_a_version_of_the_extension_that_does_it_in_another_way(site, monkeypatch, result, words):
    OtherExtension.site, OtherExtension.result = site, result
    monkeypatch.setattr(sys.modules["PyTorchUtils"], "PyTorchUtilsLogic", OtherExtension)
    user = User(site)
    if words is None:
        user.install()
        assert str(BIG) in site.installed
    else:
        with pytest.raises(SceneError, match=words):
            user.install()


def test_a_package_that_is_not_found_afterwards_is_told_in_words(site):
    user = User(site)
    user.begin()
    user.end(0)
    assert "Restart 3D Slicer" in str(user.ends[0])


def test_the_sizes_of_all_requirements_are_known():
    assert set(install_plan.MEGABYTES) == set(ALL)
