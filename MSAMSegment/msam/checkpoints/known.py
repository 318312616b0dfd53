"""Public models that can be downloaded, each with what a user should know before."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class KnownModel:
    """A public checkpoint.

    Attributes:
        name: what users call it.
        description: one line.
        repository: where it is published.
        url: the file itself; https.
        size: in bytes.
        licence: its SPDX identifier, as the repository states it.
        attribution: who made it and where it is described.
        sha256: of the file, in lower-case hexadecimal; None where only the repository can tell.
    """

    name: str
    description: str
    repository: str
    url: str
    size: int
    licence: str
    attribution: str
    sha256: str | None

    @property
    def file_name(self) -> str:
        """The file's name at its repository."""
        return PurePosixPath(self.url).name

    @property
    def installed_name(self) -> str:
        """The file's name once it is installed: the model's, with the suffix that tells its kind."""
        return self.name + PurePosixPath(self.url).suffix


KNOWN_MODELS = (
    KnownModel(
        name="sam-med3d-turbo",
        description="SAM-Med3D at its published sizes, fine-tuned on 44 data sets",
        repository="Hugging Face, blueyo0/SAM-Med3D",
        url="https://huggingface.co/blueyo0/SAM-Med3D/resolve/main/sam_med3d_turbo.pth",
        size=402_163_626,
        licence="Apache-2.0",
        attribution="Wang et al., SAM-Med3D, arXiv 2310.15161",
        sha256="899a46d04d3b70f723282ceb489149373558bf0aaba389a346f5ab57da5cdd3c",
    ),
)


def known_model(name: str) -> KnownModel | None:
    """The public model of that name, in whatever case it is typed."""
    return next((model for model in KNOWN_MODELS if model.name == name.casefold()), None)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in lower-case hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
