"""How the engine's packages come into 3D Slicer's own Python."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest
import slicer
from pip_site import Site

from msam.errors import Cancelled
from MSAMSegmentLib import installation
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
    monkeypatch.setattr(slicer.util, "pip_install", site.put)

    class Logic:
        def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
            assert not askConfirmation
            site.put(f"{BIG.name}{torchVersionRequirement}")
            return types.ModuleType(BIG.name)

    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = Logic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    return site


class User:
    """Who is asked and told."""

    def __init__(self, answer: bool = True) -> None:
        self.answer = answer
        self.questions: list[str] = []
        self.told: list[tuple[float, str]] = []

    def ask(self, question: str) -> bool:
        self.questions.append(question)
        return self.answer

    def install(self, plan: InstallPlan = PLAN, isCancelled=lambda: False) -> None:
        Installer(plan, self.ask, lambda fraction, words: self.told.append((fraction, words)), isCancelled).run()


# What to install


def test_the_plan_says_what_is_missing_how_much_that_is_and_asks():
    plan = planFor(ProbeResult(OWN, "3.12.10", {"numpy": "2.4.6", "SimpleITK": "2.5.5"}))
    assert [each.name for each in plan.packages] == ["fastapi", "uvicorn", "safetensors", "zstandard"]
    assert plan.isTorchMissing
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
        User().install(plan)
    assert site.installed == []


def test_the_python_of_somebody_else_is_not_changed():
    plan = planFor(ProbeResult(OTHER, "3.12.10", {name: ALL[name] for name in ALL if name != "uvicorn"}))
    assert plan.obstacle.endswith('Install that with: "/usr/bin/python3" -m pip install "uvicorn>=0.34"')


# Installing


def test_all_that_is_missing_is_installed_one_by_one_and_pytorch_by_its_extension(site):
    user = User()
    user.install()
    assert site.installed == [str(SMALL), str(MIDDLE), str(BIG)]
    assert len(user.questions) == 1
    fractions = [fraction for fraction, _ in user.told]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == 1
    assert len(fractions) == 4


def test_newer_slicers_install_with_their_own_packaging(site, monkeypatch):
    calls = []

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
        assert blocking and not show_progress
        calls.append((requirements, requester))
        for requirement in requirements:
            site.put(requirement)

    packaging = types.ModuleType("slicer.packaging")
    packaging.pip_install = pip_install
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    monkeypatch.setattr(slicer.util, "pip_install", lambda requirement: pytest.fail("the old way"))
    User().install()
    assert calls == [([str(SMALL)], "MSAMSegment"), ([str(MIDDLE)], "MSAMSegment")]


def test_nothing_is_installed_without_consent(site):
    with pytest.raises(Cancelled):
        User(answer=False).install()
    assert site.installed == []


def test_nothing_is_asked_when_nothing_is_missing_any_more(site):
    User().install()
    again = User(answer=False)
    again.install()
    assert again.questions == []
    assert again.told == [(1.0, "All that the engine needs is installed.")]


def test_after_a_failure_it_goes_on_where_it_ended(site):
    site.broken.add(MIDDLE.name)
    with pytest.raises(
        SceneError, match=r"msam_stand_in_middle could not be installed: pip ended with code 1\..*internet"
    ):
        User().install()
    assert site.installed == [str(SMALL)]
    site.broken.clear()
    user = User()
    user.install()
    assert site.installed == [str(SMALL), str(MIDDLE), str(BIG)]
    assert SMALL.name not in user.questions[0]
    assert MIDDLE.name in user.questions[0]


def test_what_was_pressed_during_a_package_counts_before_the_next_one(site):
    """The application may only take notice of it while progress is told."""
    user, pressed = User(), []
    with pytest.raises(Cancelled):
        Installer(
            PLAN, user.ask, lambda fraction, words: pressed.append(1) if site.installed else None, lambda: bool(pressed)
        ).run()
    assert len(site.installed) == 1


def test_it_can_be_cancelled_between_packages_and_begun_again(site):
    with pytest.raises(Cancelled, match="stays"):
        User().install(isCancelled=lambda: bool(site.installed))
    assert site.installed == [str(SMALL)]
    User().install()
    assert site.installed == [str(SMALL), str(MIDDLE), str(BIG)]


def test_without_the_extension_it_says_how_to_get_it_before_anything_is_asked(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    user = User()
    with pytest.raises(SceneError, match=r'Extensions Manager .* "PyTorch", restart'):
        user.install()
    assert (user.questions, site.installed) == ([], [])
    # It is not needed for the rest.
    user.install(InstallPlan((SMALL, MIDDLE)))
    assert site.installed == [str(SMALL), str(MIDDLE)]


@pytest.mark.parametrize("failure", [subprocess.CalledProcessError(1, "ltt"), ImportError("a library is missing")])
def test_a_failure_of_the_extension_is_told_in_words(site, monkeypatch, failure):
    def installTorch(self, **options):
        raise failure

    monkeypatch.setattr(sys.modules["PyTorchUtils"].PyTorchUtilsLogic, "installTorch", installTorch)
    with pytest.raises(SceneError, match=r"PyTorch could not be installed: .*try again to go on"):
        User().install()
    assert site.installed == [str(SMALL), str(MIDDLE)]


def test_an_extension_that_installs_nothing_is_told_in_words(site, monkeypatch):
    monkeypatch.setattr(sys.modules["PyTorchUtils"].PyTorchUtilsLogic, "installTorch", lambda self, **options: None)
    with pytest.raises(SceneError, match="did not install PyTorch"):
        User().install()


def test_a_package_that_is_not_found_afterwards_is_told_in_words(site, monkeypatch):
    monkeypatch.setattr(slicer.util, "pip_install", lambda requirement: None)
    with pytest.raises(SceneError, match="Restart 3D Slicer"):
        User().install()


def test_a_disk_that_is_full_is_told_in_words(site, monkeypatch):
    def pip_install(requirement):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(slicer.util, "pip_install", pip_install)
    with pytest.raises(SceneError, match="No space left on device"):
        User().install()


def test_the_sizes_of_all_requirements_are_known():
    assert set(installation.MEGABYTES) == set(ALL)
