"""Fixtures that all tests share."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does, and before numpy is imported

from pathlib import Path

import pytest
import torch
from hypothesis import settings

# A busy machine is no defect: examples are counted, not timed.
settings.register_profile("project", deadline=None, max_examples=25, print_blob=True)
settings.load_profile("project")

torch.set_num_threads(2)

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """The small files that the tests bring along."""
    return DATA


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the labelled scans and the parity cases, which lies beside the project; skips without it."""
    folder = Path(os.environ.get("MSAM_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data" / "manifest.json").is_file():
        pytest.skip("needs the shared folder beside the project")
    return folder
