"""What pip installs: all packages, and the resources inside of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PACKAGES = ("msam", "MSAMSegmentLib", "MSAMSegmentWeb")
ASKING = (
    "from msam.checkpoints.catalogue import list_models\n"
    "from MSAMSegmentLib.requirements import REQUIREMENTS\n"
    "print([model.name for model in list_models()], len(REQUIREMENTS))\n"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip would have installed the project into."""
    pytest.importorskip("setuptools")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("out")
    for name in ("pyproject.toml", "README.md", "LICENSE.txt"):
        shutil.copy(PROJECT / name, source)
    shutil.copytree(
        PROJECT / "MSAMSegment", source / "MSAMSegment", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(out)]
    subprocess.run([sys.executable, *build, str(source)], check=True, capture_output=True, timeout=300)
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(out / "site")
    return out / "site"


def test_every_module_is_in_it(installed: Path) -> None:
    sources = {path.relative_to(PROJECT / "MSAMSegment") for name in PACKAGES for path in python_files(name)}
    assert sources == {path.relative_to(installed) for path in installed.rglob("*.py")}


def python_files(package: str) -> list[Path]:
    """The modules of a package in the source tree."""
    return list((PROJECT / "MSAMSegment" / package).rglob("*.py"))


def test_it_brings_the_model_and_finds_it(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed), "MSAM_MODELS": str(tmp_path)}
    asked = subprocess.run(
        [sys.executable, "-P", "-c", ASKING], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.startswith("['compact'")
    assert not asked.stdout.rstrip().endswith(" 0")
