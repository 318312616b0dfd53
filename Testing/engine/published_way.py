"""The network computed the published way: the slow, literal version that the engine is measured and tested against.

Padding is materialised, the relative position terms are added to a full attention map, nothing is kept between steps,
every mask token is decoded, and softmax attention is written out. It shares the parameters of a network of the engine,
and none of its arithmetic beyond plain layers.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from msam.model.attention import Attention
from msam.model.layers import TokenLinear
from msam.model.mask_summary import summarise
from msam.model.network import MSAM
from msam.model.two_way_transformer import CrossAttention


def relative_rows(table: Tensor, size: int) -> Tensor:
    """Row (query index - key index + size - 1) of `table`, for all pairs: (size, size, c)."""
    return torch.stack([torch.stack([table[q - k + size - 1] for k in range(size)]) for q in range(size)])


def self_attention(layer: Attention, x: Tensor, window: int) -> Tensor:
    """`layer` on normalised tokens (B, g, g, g, C), padded with zeros to `window` tokens along each axis."""
    batch, grid, width = x.shape[0], x.shape[1], x.shape[-1]
    size = max(window, grid)
    x = F.pad(x, (0, 0) + (0, size - grid) * 3)
    qkv = layer.qkv(x).reshape(batch, size**3, 3, layer.heads, -1).permute(2, 0, 3, 1, 4)
    query, key, value = qkv.reshape(3, batch * layer.heads, size**3, -1).unbind(0)
    logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    if layer.relative_position:
        cube = query.reshape(-1, size, size, size, query.shape[-1])
        depth, height, across = (
            relative_rows(table, size) for table in (layer.rel_pos_d, layer.rel_pos_h, layer.rel_pos_w)
        )
        first = torch.einsum("bdhwc,dkc->bdhwk", cube, depth)
        second = torch.einsum("bdhwc,hkc->bdhwk", cube, height)
        third = torch.einsum("bdhwc,wkc->bdhwk", cube, across)
        logits = logits.view(-1, *(size,) * 6)
        logits = logits + first[:, :, :, :, None, None]  # key's last axis
        logits = logits + second[:, :, :, None, :, None]  # the query's own last axis stands where the key's first does
        logits = logits + third[:, :, :, None, None, :]  # and here where the key's second does
        logits = logits.view(-1, size**3, size**3)
    out = logits.softmax(dim=-1) @ value
    out = out.view(batch, layer.heads, size, size, size, -1).permute(0, 2, 3, 4, 1, 5)
    out = layer.proj(out.reshape(batch, size, size, size, width))
    return out[:, :grid, :grid, :grid]


def cross_attention(layer: CrossAttention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    def heads(x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], layer.heads, -1).transpose(1, 2)

    query, key, value = heads(layer.q_proj(query)), heads(layer.k_proj(key)), heads(layer.v_proj(value))
    weights = torch.softmax(query @ key.permute(0, 1, 3, 2) / math.sqrt(query.shape[-1]), dim=-1)
    out = (weights @ value).transpose(1, 2)
    return layer.out_proj(out.reshape(*out.shape[:2], -1))


class PublishedWay(nn.Module):
    """`encode` and `decode` as the two papers' code computes them, on the parameters of `network`."""

    def __init__(self, network: MSAM) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        for module in self.network.modules():
            if isinstance(module, TokenLinear):
                module.least_rows = math.inf  # plain linear layers

    def encode(self, roi: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The image embedding, and the features of the stem where the configuration has one."""
        encoder, config = self.network.image_encoder, self.network.config
        features = encoder.stem(roi) if encoder.stem is not None else []
        patches = features[-1] if features else roi
        x = encoder.patch_embed.proj(patches).permute(0, 2, 3, 4, 1) + encoder.pos_embed
        for index, block in enumerate(encoder.blocks):
            window = 0 if index in config.global_blocks else config.window_size
            x = x + self_attention(block.attn, block.norm1(x), window)
            x = x + block.mlp(block.norm2(x))
        return encoder.neck(x.permute(0, 4, 1, 2, 3)), features

    def decode(
        self, image: tuple[Tensor, list[Tensor]], points: Tensor, labels: Tensor, mask_logits: Tensor
    ) -> tuple[Tensor, Tensor]:
        embedding, features = image
        prompt, decoder, grid = self.network.prompt_encoder, self.network.mask_decoder, self.network.config.token_grid
        maps = prompt.maps(points, labels, mask_logits)
        points = torch.cat((points + 0.5, torch.zeros_like(points[:, :1])), dim=1)
        labels = torch.cat((labels, -torch.ones_like(labels[:, :1])), dim=1)
        clicks = self._position(points / self.network.config.roi_size)
        clicks[labels == -1] = prompt.not_a_point_embed.weight
        clicks[labels == 0] += prompt.point_embeddings[0].weight
        clicks[labels == 1] += prompt.point_embeddings[1].weight
        dense = prompt.mask_downscaling(maps)

        axis = (torch.arange(grid, dtype=embedding.dtype) + 0.5) / grid
        position = torch.empty(grid, grid, grid, 3, dtype=embedding.dtype)
        position[..., 0], position[..., 1], position[..., 2] = axis[None, :, None], axis[:, None, None], axis
        place = self._position(position).flatten(0, 2)[None]

        source = self._adapter(embedding, dense) if self.network.adapter is not None else embedding + dense
        tokens = torch.cat((decoder.iou_token.weight, decoder.mask_tokens.weight)).expand(len(points), -1, -1)
        tokens = torch.cat((tokens, clicks), dim=1)
        queries, keys = tokens, source.flatten(2).permute(0, 2, 1)
        for index, layer in enumerate(decoder.transformer.layers):
            if index == 0:
                queries = cross_attention(layer.self_attn, queries, queries, queries)
            else:
                placed = queries + tokens
                queries = queries + cross_attention(layer.self_attn, placed, placed, queries)
            queries = layer.norm1(queries)
            queries = queries + cross_attention(layer.cross_attn_token_to_image, queries + tokens, keys + place, keys)
            queries = layer.norm2(queries)
            queries = layer.norm3(queries + layer.mlp(queries))
            keys = keys + cross_attention(layer.cross_attn_image_to_token, keys + place, queries + tokens, queries)
            keys = layer.norm4(keys)
        final = decoder.transformer.final_attn_token_to_image
        queries = queries + cross_attention(final, queries + tokens, keys + place, keys)
        queries = decoder.transformer.norm_final_attn(queries)

        upscaled = keys.transpose(1, 2).view_as(source)
        for number, layer in enumerate(decoder.output_upscaling):
            upscaled = layer(upscaled)
            if features and number == 0:
                upscaled = upscaled + decoder.detail.from_middle(features[-1]) + decoder.detail.maps_to_middle(maps)
                upscaled = decoder.detail.refine_middle(upscaled)
            if features and number == 3:
                upscaled = upscaled + decoder.detail.from_fine(features[-2]) + decoder.detail.from_maps(maps)
                upscaled = decoder.detail.refine(upscaled)
        hypernetworks = decoder.output_hypernetworks_mlps
        weights = torch.stack([mlp(queries[:, 1 + n]) for n, mlp in enumerate(hypernetworks)], dim=1)
        masks = (weights @ upscaled.flatten(2)).view(len(points), -1, *upscaled.shape[2:])
        judged, mask = queries[:, 0], masks[:, :1]
        seen = mask
        if decoder.fine_logits is not None:  # no paper's: `test_fine_logits` checks the module itself
            mask = decoder.fine_logits(mask, upscaled)
            seen = F.avg_pool3d(mask, 2)
        if decoder.quality_sees_mask:  # no paper's: `test_mask_summary` checks the summary itself
            judged = torch.cat((judged, summarise(seen, upscaled)), dim=1)
        return mask, decoder.iou_prediction_head(judged)[:, :1]

    def _position(self, positions: Tensor) -> Tensor:
        angles = (
            2
            * math.pi
            * ((2 * positions - 1) @ self.network.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix)
        )
        return torch.cat((angles.sin(), angles.cos(), angles.sin()), dim=-1)

    def _adapter(self, image: Tensor, prompt: Tensor) -> Tensor:
        adapter = self.network.adapter
        block = adapter.mutual_enhancement
        prompt, image = adapter.add_norm2(prompt), adapter.add_norm3(image)
        new_image = block.image_conv2(F.gelu(block.image_norm(block.image_conv1(image))))
        new_image = block.image_addnorm1(new_image + image)
        new_prompt = block.prompt_conv2(F.gelu(block.prompt_norm(block.prompt_conv1(prompt))))
        new_prompt = block.prompt_addnorm1(new_prompt + prompt)
        out_image = block.image_addnorm2(normed(block.image_multiheadattn, new_image + image + prompt) + new_image)
        out_image = block.image_addnorm3(voxelwise(block.mlp1, out_image) + out_image)
        out_prompt = block.prompt_addnorm2(normed(block.prompt_multiheadattn, image + new_prompt + prompt) + new_prompt)
        out_prompt = block.prompt_addnorm3(voxelwise(block.mlp2, out_prompt) + out_prompt)
        total = out_image + image + out_prompt + prompt
        out = adapter.add_norm(normed(adapter.multi_head_self_attention, total) + total)
        return out + voxelwise(adapter.mlp, out)


def normed(layer: nn.Module, x: Tensor) -> Tensor:
    """An attention of the adapter: norm, attention, shortcut, norm, perceptron."""
    attended = self_attention(layer, layer.norm1(x).permute(0, 2, 3, 4, 1), 0).permute(0, 4, 1, 2, 3)
    return voxelwise(layer.mlp, layer.norm2(attended + x))


def voxelwise(mlp: nn.Module, x: Tensor) -> Tensor:
    return mlp(x.permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3)
