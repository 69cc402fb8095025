#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bench's other worker: peers that load a .safetensors file to the device.

Requests on stdin, a line of JSON each: {"command": "peers"}, or {"command":
"load_file" | "fastsafetensors", "file": F}. A line of JSON for each on stdout.
Timed in here, after the imports and CUDA's initialisation, until the device has
the bytes; torch's cache of device memory is emptied before, so that everybody
allocates anew.
Exit 77 where torch has no device."""
import gc
import json
import os
import sys
import time


def load_file(torch, path):
    from safetensors.torch import load_file as load
    return load(path, device="cuda"), lambda: None


def fastsafetensors(torch, path):
    from fastsafetensors import fastsafe_open
    opened = fastsafe_open(filenames=[path], nogds=True, device="cuda:0")
    f = opened.__enter__()
    return ({k: f.get_tensor(k) for k in f.keys()},
            lambda: opened.__exit__(None, None, None))


PEERS = {"load_file": load_file, "fastsafetensors": fastsafetensors}


def installed():
    """The peers that can be imported, with their versions, and why not."""
    import importlib
    found, missing = {}, {}
    for name, module in (("load_file", "safetensors"),
                         ("fastsafetensors", "fastsafetensors")):
        try:
            found[name] = getattr(importlib.import_module(module),
                                  "__version__", "?")
        except Exception as error:  # a half-installed one is none
            missing[name] = f"{type(error).__name__}: {error}"
    return {"peers": found, "missing": missing}


def load(torch, request):
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.synchronize()
    start = time.perf_counter()
    tensors, close = PEERS[request["command"]](torch, request["file"])
    torch.cuda.synchronize()
    reply = {"seconds": time.perf_counter() - start,
             "tensors": len(tensors),
             "bytes": sum(t.numel() * t.element_size()
                          for t in tensors.values())}
    tensors.clear()
    close()
    return reply


def main():
    # What a library prints goes to stderr: stdout has nothing but replies.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import torch
    if not torch.cuda.is_available():
        print("gpu_peer: torch has no CUDA device", file=sys.stderr)
        return 77
    torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["command"] == "peers":
                reply = installed() | {"torch": torch.__version__,
                                       "torch_cuda": torch.version.cuda}
            else:
                reply = load(torch, request)
        except Exception as error:  # told, and the next request is served
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
