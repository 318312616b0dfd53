"""The sizes of a network and the way its regions of interest are made: one record, stored with the weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from msam.errors import ConfigError


@dataclass(frozen=True)
class ModelConfig:
    """Everything that tells one configuration of the architecture from another.

    The defaults are the published sizes ("vit_b" of SAM-Med3D, arXiv 2310.15161, with the adapter and the LoRA of
    M-SAM, arXiv 2403.05912). Lengths are in voxels of the region of interest unless they say otherwise.
    """

    name: str = "vit_b"

    # Image encoder
    roi_size: int = 128
    patch_size: int = 16
    embed_dim: int = 768
    depth: int = 12
    num_heads: int = 12
    mlp_ratio: float = 4.0
    window_size: int = 14
    global_blocks: tuple[int, ...] = (2, 5, 8, 11)
    relative_position: bool = True
    out_channels: int = 384
    lora_rank: int = 0

    # Convolutional stem: channels after each halving of the resolution. Empty: patches straight from the voxels.
    stem_channels: tuple[int, ...] = ()
    # Residual blocks after each halving, as many as there are channels. Empty: one each.
    stem_depths: tuple[int, ...] = ()
    # Slopes of the intensity windows that the stem sees side by side. Empty: the intensities as they are.
    intensity_windows: tuple[float, ...] = ()

    # Prompt encoder: hidden channels of the mask branch; whether it also sees the clicks as maps.
    mask_channels: int = 16
    dense_clicks: bool = False

    # Mask-Enhanced Adapter. Without it the mask embedding is added to the image embedding, as in SAM-Med3D.
    adapter: bool = True
    adapter_heads: int = 6

    # Mask decoder
    decoder_depth: int = 2
    decoder_heads: int = 8
    decoder_mlp_dim: int = 2048
    upscale_channels: tuple[int, int] = (96, 48)
    # Residual blocks at the two resolutions of the upscaling, where there is a stem.
    detail_depths: tuple[int, int] = (0, 1)
    # Whether the logits come out twice as fine as the upscaling; needs a stem (`msam.model.fine_logits`).
    fine_logits: bool = False
    mask_tokens: int = 4
    quality_hidden_dim: int = 256
    # Whether the quality is judged from the mask as well (`msam.model.mask_summary`), or from its token alone.
    quality_sees_mask: bool = False

    # Regions of interest: isotropic spacings in mm, fine to coarse. Empty: the volume's own spacing.
    spacings: tuple[float, ...] = ()
    # "foreground": mean and deviation of the voxels above zero, as published. "click": relative to the clicked tissue.
    normalisation: Literal["foreground", "click"] = "foreground"
    # Which clicks a decoding step sees: the "new" one only (M-SAM) or "all" so far (SAM-Med3D).
    clicks_per_step: Literal["new", "all"] = "new"

    def __post_init__(self) -> None:
        for condition, complaint in (
            (self.roi_size % self.patch_size == 0, "roi_size must be a multiple of patch_size"),
            (self.embed_dim % self.num_heads == 0, "embed_dim must be a multiple of num_heads"),
            (self.out_channels % 3 == 0, "out_channels must be a multiple of 3 (sine, cosine, sine)"),
            (self.out_channels % self.adapter_heads == 0, "out_channels must be a multiple of adapter_heads"),
            (
                self.out_channels // 2 % self.decoder_heads == 0,
                "half of out_channels must be a multiple of decoder_heads",
            ),
            (
                2 ** len(self.stem_channels) <= self.patch_size,
                "the stem halves the region more often than a patch is wide",
            ),
            (
                len(self.stem_depths) in (0, len(self.stem_channels)),
                "stem_depths must have as many entries as stem_channels",
            ),
            (bool(self.stem_channels) or not self.fine_logits, "fine_logits need the features of a stem"),
            (self.window_size in (0, *range(self.token_grid, 256)), "a window is smaller than the token grid"),
            (self.relative_position or not self.window_size, "windows need the relative position terms"),
            (
                all(0 <= block < self.depth for block in self.global_blocks),
                "global_blocks must name blocks below depth",
            ),
            (tuple(sorted(self.spacings)) == self.spacings, "spacings must run from fine to coarse"),
        ):
            if not condition:
                raise ConfigError(f"The configuration '{self.name}' cannot be built: {complaint}.")

    @property
    def token_grid(self) -> int:
        """Tokens along each axis of a region: the `s` of an embedding `(B, C, s, s, s)`."""
        return self.roi_size // self.patch_size

    @property
    def map_size(self) -> int:
        """Cells along each axis of what the mask branch sees and of the decoder's upscaling."""
        return 4 * self.token_grid

    @property
    def mask_size(self) -> int:
        """Logits along each axis of a region: the `m` of logits `(B, 1, m, m, m)`."""
        return 2 * self.map_size if self.fine_logits else self.map_size

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """The configuration that `to_dict` gave.

        Raises:
            ConfigError: a name that is not a field, or values that do not fit together.
        """
        unknown = sorted(set(values) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise ConfigError(f"The model's configuration has fields this version does not know: {', '.join(unknown)}.")
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**fields)


VIT_B_SAM_MED3D = ModelConfig(name="sam-med3d", adapter=False, spacings=(1.5,), clicks_per_step="all")
VIT_B_MSAM = ModelConfig(name="m-sam", lora_rank=4)
COMPACT = ModelConfig(
    name="compact",
    roi_size=48,
    patch_size=8,
    embed_dim=192,
    depth=8,
    num_heads=6,
    window_size=0,
    global_blocks=(),
    relative_position=False,
    out_channels=192,
    stem_channels=(32, 64),
    stem_depths=(1, 3),
    intensity_windows=(0.15, 0.5, 2.0, 8.0),
    mask_channels=64,
    dense_clicks=True,
    adapter_heads=6,
    decoder_heads=6,
    decoder_mlp_dim=384,
    upscale_channels=(64, 32),
    detail_depths=(3, 1),
    fine_logits=True,
    mask_tokens=1,
    quality_hidden_dim=128,
    quality_sees_mask=True,
    spacings=(0.75, 1.5, 3.0, 6.0),
    normalisation="click",
    clicks_per_step="all",
)
