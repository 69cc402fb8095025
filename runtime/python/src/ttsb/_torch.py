# SPDX-License-Identifier: MIT
"""Tensors of a blob as torch's.

Invariant: no value is converted; a dtype that torch lacks is refused with the
tensor's name."""
from typing import Any, Dict, Iterable

from ._dtypes import PACKED, torch_bits
from ._tensor import AsBytes, Tensor


def torch_tensor(tensor: Tensor) -> Any:
    """On the blob's memory, which is read-only."""
    import torch
    try:
        bits = torch_bits(torch, tensor.dtype)
    except TypeError as error:
        raise TypeError(f"{tensor.name}: {error}") from None
    if bits is None:
        return torch.from_dlpack(tensor)
    shape = tensor.shape
    if tensor.dtype in PACKED:
        if not shape or shape[-1] % 2 != 0:
            raise TypeError(f"{tensor.name}: torch has pairs of F4, and the "
                            f"shape {list(shape)} is not made of pairs")
        shape = shape[:-1] + (shape[-1] // 2,)
    return torch.from_dlpack(AsBytes(tensor)).view(bits).reshape(shape)


def state_dict(tensors: Iterable[Tensor], copy: bool) -> Dict[str, Any]:
    """By name; those without bytes are left out."""
    found: Dict[str, Any] = {}
    for tensor in tensors:
        if tensor.absent or tensor.missing:
            continue
        target = tensor.alias_of
        if copy and target is not None:
            found[tensor.name] = found[target]
            continue
        value = torch_tensor(tensor)
        found[tensor.name] = value.clone() if copy else value
    return found
