"""The U-Net in DDPM's layout against diffusers' UNet2DModel, and both layouts' blocks against its blocks."""

import math

import pytest
import torch
from torch import nn

from implementations.networks.conditioning import sinusoidal
from implementations.networks.residual_blocks import Attention, ResidualBlock, doubled, halved, unchanged
from implementations.networks.unet import unet
from tests.parity.conftest import close, normal, peer, spread

ORIGINAL = {
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "norm_eps": 1e-6,
    "downsample_padding": 0,
    "attention_head_dim": None,  # one head; the default, 8, gives 32 heads of 256 channels, by as many parameters
}


@pytest.fixture(scope="module")
def diffusers():
    return peer("diffusers", "0.42.1")


def theirs(diffusers, size, widths, layers, attended):
    down = ["AttnDownBlock2D" if attends else "DownBlock2D" for attends in attended]
    up = ["AttnUpBlock2D" if attends else "UpBlock2D" for attends in reversed(attended)]
    return diffusers.UNet2DModel(
        sample_size=size,
        block_out_channels=widths,
        layers_per_block=layers,
        down_block_types=down,
        up_block_types=up,
        **ORIGINAL,
    )


def copy(ours, theirs):
    with torch.no_grad():
        ours.weight.copy_(theirs.weight.view_as(ours.weight))
        if ours.bias is not None:
            ours.bias.copy_(theirs.bias)


def copy_attention(ours, theirs):
    copy(ours.norm, theirs.group_norm)
    copy(ours.out, theirs.to_out[0])
    parts = [theirs.to_q, theirs.to_k, theirs.to_v]
    with torch.no_grad():
        ours.qkv.weight.copy_(torch.cat([part.weight for part in parts])[:, :, None, None])
        ours.qkv.bias.copy_(torch.cat([part.bias for part in parts]))


def copy_block(ours, theirs, attention=None):
    copy(ours.norms[0], theirs.norm1)
    copy(ours.norms[1], theirs.norm2)
    copy(ours.first, theirs.conv1)
    copy(ours.last, theirs.conv2)
    copy(ours.shift, theirs.time_emb_proj)
    assert (ours.shortcut is None) == (theirs.conv_shortcut is None)
    if ours.shortcut is not None:
        copy(ours.shortcut, theirs.conv_shortcut)
    assert (ours.attention is None) == (attention is None)
    if attention is not None:
        copy_attention(ours.attention, attention)


def attentions(block):
    return list(getattr(block, "attentions", None) or [None] * len(block.resnets))


def copy_network(ours, theirs):
    copy(ours.conditioning.first, theirs.time_embedding.linear_1)
    copy(ours.conditioning.second, theirs.time_embedding.linear_2)
    copy(ours.stem, theirs.conv_in)
    copy(ours.norm, theirs.conv_norm_out)
    copy(ours.head, theirs.conv_out)
    encoder = iter(ours.encoder)
    for level in theirs.down_blocks:
        for block, attention in zip(level.resnets, attentions(level), strict=True):
            copy_block(next(encoder), block, attention)
        for resolution in level.downsamplers or []:
            copy(next(encoder).convolution, resolution.conv)
    assert next(encoder, None) is None
    middle = theirs.mid_block
    for mine, block, attention in zip(ours.middle, middle.resnets, [*middle.attentions, None], strict=True):
        copy_block(mine, block, attention)
    ups = iter(ours.ups)
    for mine, level in zip(ours.decoder, theirs.up_blocks, strict=True):
        for block, other, attention in zip(mine, level.resnets, attentions(level), strict=True):
            copy_block(block, other, attention)
        for resolution in level.upsamplers or []:
            copy(next(ups).convolution, resolution.conv)
    assert next(ups, None) is None


def test_both_count_the_parameters_of_ddpm_for_cifar(diffusers):
    with torch.device("meta"):
        other = theirs(diffusers, 32, (128, 256, 256, 256), 2, [False, True, False, False])
        mine = unet((3, 32, 32), generator=None)
    assert sum(p.numel() for p in mine.parameters()) == sum(p.numel() for p in other.parameters()) == 35_746_307


@pytest.mark.parametrize("channels", [8, 128])
def test_the_sinusoids_are_those_of_the_original(diffusers, channels):
    labels = torch.tensor([0.0, 0.5, 1.0, 17.0, 250.0, 999.0])
    other = diffusers.models.embeddings.get_timestep_embedding(
        labels, channels, flip_sin_to_cos=False, downscale_freq_shift=1
    )
    # They compute in float32, so that a phase near label * 1 carries a few roundings of 6e-8 relative.
    for mine, single, label in zip(sinusoidal(labels, channels), other.double(), labels, strict=True):
        close(mine, single, tolerance=4 * 6e-8 * (1.0 + float(label)))


@pytest.mark.parametrize(
    ("height", "width", "layers", "attended"),
    [(8, 8, 1, [False, True]), (12, 8, 2, [True, False]), (8, 8, 1, [False, False, False])],
)
def test_the_network_agrees(diffusers, height, width, layers, attended):
    multipliers = (1, 2, 2)[: len(attended)]
    other = spread(theirs(diffusers, height, tuple(128 * m for m in multipliers), layers, attended), 0.02)
    heights = [height // 2**level for level, attends in enumerate(attended) if attends]
    mine = unet((3, height, width), 128, multipliers, layers, heights, generator=torch.Generator()).double().eval()
    copy_network(mine, other)
    x, label = normal(3, 3, height, width), torch.tensor([0.0, 5.0, 999.0])
    expected = other(x, label).sample
    assert expected.abs().mean() > 0.1
    with torch.no_grad():
        found = mine(x, label)
    close(found[:1], expected[:1].detach())  # float64 throughout, since all waves of 0 are exact
    close(found, expected.detach(), tolerance=1e-5)  # their sinusoids are float32


def test_the_network_of_cifar_agrees(diffusers):
    other = theirs(diffusers, 32, (128, 256, 256, 256), 2, [False, True, False, False]).eval()
    mine = unet((3, 32, 32), generator=torch.Generator()).eval()
    copy_network(mine, other)
    x, label = normal(1, 3, 32, 32).float(), torch.tensor([500])
    with torch.no_grad():
        expected = other(x, label).sample
        assert expected.abs().mean() > 0.1
        close(mine(x, label), expected, tolerance=1e-5)  # both float32: 2e-6 seen


@pytest.mark.parametrize(
    ("resample", "how"),
    [(unchanged, {}), (halved, {"down": True}), (doubled, {"up": True})],
    ids=["same", "down", "up"],
)
@pytest.mark.parametrize("outputs", [64, 32])
def test_a_block_divided_by_root_two_agrees(diffusers, resample, how, outputs):
    """With means and repetition inside: the block of DDPM++, which diffusers has for NCSN++."""
    options = {"use_in_shortcut": True} if how else {}
    block = diffusers.models.resnet.ResnetBlock2D(
        in_channels=64,
        out_channels=outputs,
        temb_channels=48,
        groups=16,
        groups_out=math.gcd(outputs, outputs // 4),
        eps=1e-6,
        output_scale_factor=math.sqrt(2.0),
        **options,
        **how,
    )
    other = spread(block, 0.1)
    mine = ResidualBlock(64, outputs, 48, 0.0, math.sqrt(0.5), torch.Generator(), resample).double().eval()
    copy_block(mine, other)
    x, e = normal(2, 64, 6, 4), normal(2, 48, seed=1)
    # They take silu of the embedding in every block, we once for all of them.
    with torch.no_grad():
        close(mine(x, nn.functional.silu(e), None), other(x, e))


@pytest.mark.parametrize("scale", [1.0, math.sqrt(0.5)])
def test_attention_agrees(diffusers, scale):
    attention = diffusers.models.attention_processor.Attention(
        64,
        heads=1,
        dim_head=64,
        rescale_output_factor=1 / scale,
        eps=1e-6,
        norm_num_groups=16,
        residual_connection=True,
        bias=True,
        upcast_softmax=False,
        _from_deprecated_attn_block=True,
    )
    other = spread(attention, 0.3)
    mine = Attention(64, scale, 1.0, torch.Generator()).double().eval()
    copy_attention(mine, other)
    x = normal(2, 64, 3, 5)
    with torch.no_grad():
        close(mine(x), other(x))
