# SPDX-License-Identifier: MIT
"""Models for bench_suspicions.py: trained ones, fresh ones, half-random ones.

In: a trained checkpoint, the manifests of fixtures/, seeds. Out: dicts of numpy
arrays, and which of their tensors nobody trained. Invariant: every random
number is torch's, from the seed that is given; the initialisers are
torch.nn.init's, with the arguments that the upstream models use.
"""
import math
import pathlib
import sys

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import checkpoints  # noqa: E402

# What nobody trains.
BUFFERS = (".filter", ".window", ".mel_scale.fb")


def manifest(name, divide=1):
    """[(name, shape)] with long dims divided, so that a laptop can hold it."""
    return [(tensor, [d // divide if d >= 64 * divide else d for d in shape])
            for tensor, (dtype, shape) in checkpoints.manifest(name).items()
            if dtype == "F32"]


def fan_in(shape):
    return math.prod(shape[1:])


def uniform_bias(t, shape):
    bound = fan_in(shape) ** -0.5
    return nn.init.uniform_(t, -bound, bound)


def is_norm(name):
    return any(w in name.lower() for w in ("norm", "ln_", ".bn", "batchnorm"))


def weight_of(name, shapes):
    stem = name[:-len("bias")]
    for end in ("weight", "weight_v", "parametrizations.weight.original1"):
        if len(shapes.get(stem + end, ())) > 1:
            return shapes[stem + end]
    return None


def torch_default(name, t, shapes):
    """As torch.nn.Linear, Conv, Embedding, LayerNorm begin."""
    if t.ndim >= 2:
        if "emb" in name:
            return t.normal_()
        return nn.init.kaiming_uniform_(t, math.sqrt(5))
    if name.endswith("bias") and weight_of(name, shapes):
        return uniform_bias(t, weight_of(name, shapes))
    return t.zero_() if name.endswith(("bias", "alpha", "beta")) else t.fill_(1)


def bert(name, t, shapes):
    if t.ndim >= 2:
        return t.normal_(0, 0.02)
    return t.fill_(1) if is_norm(name) and name.endswith("weight") else t.zero_()


def gpt2(name, t, shapes):
    """transformers' GPT-2; the conditioning encoder as torch begins."""
    if not name.startswith("gpt."):
        return torch_default(name, t, shapes)
    if name.endswith("c_proj.weight"):
        return t.normal_(0, 0.02 / math.sqrt(2 * 24))
    return bert(name, t, shapes) if "ln_" not in name else torch_default(
        name, t, shapes)


def vocos(name, t, shapes):
    if t.ndim >= 2:
        return nn.init.trunc_normal_(t, std=0.02)
    if name.endswith("gamma"):
        return t.fill_(1 / 8)
    return bert(name, t, shapes)


def jax(name, t, shapes):
    """Cut at two standard deviations, as lecun_normal of jax and timm do."""
    if t.ndim >= 2:
        std = fan_in(t.shape) ** -0.5 / 0.87962566103
        return nn.init.trunc_normal_(t, std=std, a=-2 * std, b=2 * std)
    return bert(name, t, shapes)


def xavier(name, t, shapes):
    return nn.init.xavier_uniform_(t) if t.ndim >= 2 else bert(name, t, shapes)


def he(name, t, shapes):
    return nn.init.kaiming_normal_(t) if t.ndim >= 2 else bert(name, t, shapes)


def hifigan(name, t, shapes):
    """N(0, 0.01) in v, as init_weights means it."""
    if t.ndim >= 2 and name.endswith("weight_v"):
        return t.normal_(0, 0.01)
    return torch_default(name, t, shapes)


def draw(tensors, init, seed):
    """{name: array} of a fresh model; g is the norm of v."""
    torch.manual_seed(seed)
    shapes, out = dict(tensors), {}
    for name, shape in tensors:
        t = torch.empty(shape)
        if name.endswith(BUFFERS):
            t.copy_(torch.hann_window(t.numel()).reshape(shape))
        else:
            init(name, t, shapes)
        out[name] = t.numpy()
    for name in out:
        if name.endswith("weight_g"):
            v = out[name[:-1] + "v"].astype(np.float64)
            axes = tuple(i for i, d in enumerate(out[name].shape) if d == 1)
            out[name] = np.sqrt((v * v).sum(axes, keepdims=True)).astype(np.float32)
    return out


def redraw(source, init, seed, chosen):
    """`source` in which the chosen tensors are fresh."""
    names = [n for n, x in source.items() if x.dtype == np.float32 and chosen(n)]
    fresh = draw([(n, list(source[n].shape)) for n in names], init, seed)
    return {**source, **fresh}, set(names)


# --- small models that are trained here ---


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = (y.reshape(b, n, 4, d // 4).transpose(1, 2)
                   for y in self.qkv(self.ln_1(x)).chunk(3, -1))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, n, d))
        return x + self.down(nn.functional.gelu(self.up(self.ln_2(x))))


class Gpt(nn.Module):
    """Predicts the next byte of a text."""

    def __init__(self, d=128, layers=6):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(256, d), nn.Embedding(64, d)
        self.h = nn.ModuleList(Block(d) for _ in range(layers))
        self.ln_f, self.head = nn.LayerNorm(d), nn.Linear(d, 256, bias=False)

    def forward(self, x):
        y = self.wte(x) + self.wpe.weight[:x.shape[1]]
        for block in self.h:
            y = block(y)
        return self.head(self.ln_f(y))

    def loss(self, text):
        at = torch.randint(len(text) - 65, (16,))
        x = torch.stack([text[i:i + 65] for i in at])
        y = self(x[:, :-1])
        return nn.functional.cross_entropy(y.flatten(0, 1), x[:, 1:].flatten())


class Unit(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.dwconv = nn.Conv1d(d, d, 7, padding=3, groups=d)
        self.norm = nn.LayerNorm(d)
        self.pwconv1, self.pwconv2 = nn.Linear(d, 3 * d), nn.Linear(3 * d, d)
        self.gamma = nn.Parameter(torch.full((d,), 1 / 6))

    def forward(self, x):
        y = self.norm(self.dwconv(x).transpose(1, 2))
        y = self.pwconv2(nn.functional.gelu(self.pwconv1(y)))
        return x + (self.gamma * y).transpose(1, 2)


class ConvNext(nn.Module):
    """Predicts the log spectrum of tones from a coarse one, like a vocoder's
    trunk; 80 bands in, 129 out."""

    def __init__(self, d=128, layers=6):
        super().__init__()
        self.embed = nn.Conv1d(80, d, 7, padding=3)
        self.convnext = nn.ModuleList(Unit(d) for _ in range(layers))
        self.out = nn.Linear(d, 129)

    def forward(self, x):
        y = self.embed(x)
        for unit in self.convnext:
            y = unit(y)
        return self.out(y.transpose(1, 2))

    def loss(self, _):
        t = torch.arange(64 * 64) / 8000
        f0 = 80 + 300 * torch.rand(8, 1) + 40 * torch.sin(
            2 * math.pi * (1 + 4 * torch.rand(8, 1)) * t)
        phase = 2 * math.pi * torch.cumsum(f0 / 8000, 1)
        sound = sum(torch.rand(8, 1) * torch.sin(k * phase) for k in range(1, 8))
        sound = sound + 0.05 * torch.randn_like(sound)
        spectrum = torch.stft(sound, 256, 64, window=torch.hann_window(256),
                              return_complex=True).abs().add(1e-3).log()
        coarse = nn.functional.interpolate(spectrum.transpose(1, 2), size=80)
        target = spectrum.transpose(1, 2)
        return (self(coarse.transpose(1, 2)) - target).square().mean()


def reset(model, init):
    shapes = {n: list(p.shape) for n, p in model.named_parameters()}
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim >= 2 or not name.endswith("gamma"):
                init(name, p, shapes)


def stages(model, text, steps, rate=1e-3):
    """Trains; yields (steps, loss, {name: array}) at each of `steps`."""
    adam = torch.optim.AdamW(model.parameters(), rate)
    for step in range(max(steps) + 1):
        loss = model.loss(text)
        if step in steps:
            yield step, loss.item(), {n: p.detach().numpy().copy()
                                      for n, p in model.named_parameters()}
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
