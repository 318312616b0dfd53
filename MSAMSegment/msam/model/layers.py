"""The small layers that every part of the network shares."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_HAS_ONEDNN = torch.backends.mkldnn.is_available()


class LayerNorm3d(nn.Module):
    """Layer norm over the channels of `(B, C, D, H, W)`, one voxel at a time."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        normed = F.layer_norm(x.movedim(1, -1), self.weight.shape, self.weight, self.bias, self.eps)
        return normed.movedim(-1, 1)


class TokenLinear(nn.Linear):
    """A linear layer over the last axis of many tokens.

    Inference on a processor computes it as a convolution of one voxel, which is the same sum: PyTorch hands
    convolutions to oneDNN and matrix products to MKL, and on processors that are not Intel's oneDNN is twice as fast.
    """

    least_rows: float = 64  # below, the detour costs more than it saves

    def forward(self, x: Tensor) -> Tensor:
        rows = x.numel() // x.shape[-1]
        if x.device.type != "cpu" or torch.is_grad_enabled() or rows < self.least_rows:
            return super().forward(x)
        image = x.reshape(1, rows, 1, x.shape[-1]).movedim(-1, 1)  # channels last, so no copy
        out = F.conv2d(image, self.weight[:, :, None, None], self.bias)
        return out.movedim(1, -1).reshape(*x.shape[:-1], -1)


class Conv3d(nn.Conv3d):
    """A convolution that inference on a processor always leaves to oneDNN.

    PyTorch keeps small ones (a batch of one, and B x C x D x H of 20,480 or less) for a path of its own, which is
    several times as slow; most grids of the compact network are that small. In mixed precision it leaves the choice of
    the type to autocast, which does not know this call.
    """

    def forward(self, x: Tensor) -> Tensor:
        on_processor = _HAS_ONEDNN and x.device.type == "cpu" and x.dtype == torch.float32
        at_inference = not (torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"))
        if not (on_processor and at_inference) or isinstance(self.padding, str):
            return super().forward(x)
        return torch.mkldnn_convolution(
            x, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups
        )


class MLPBlock(nn.Module):
    """The two-layer perceptron of a transformer block, on the last axis."""

    def __init__(self, width: int, hidden: int, activation: type[nn.Module] = nn.GELU) -> None:
        super().__init__()
        self.lin1 = TokenLinear(width, hidden)
        self.lin2 = TokenLinear(hidden, width)
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.lin2(self.act(self.lin1(x)))
        return out


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions around a shortcut, for features finer than the tokens."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(1, channels)
        self.conv1 = Conv3d(channels, channels, kernel_size=3, padding=1)
        self.norm2 = nn.GroupNorm(1, channels)
        self.conv2 = Conv3d(channels, channels, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv1(F.gelu(self.norm1(x)))
        out: Tensor = x + self.conv2(F.gelu(self.norm2(hidden)))
        return out


def residual_blocks(channels: int, depth: int) -> nn.Sequential:
    """So many residual blocks, one after the other; none is the identity."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(depth)))
