"""Weights packed for products with few rows: what decoding does, one token at a time.

A product with one row reads every weight once and does little else, so it is as fast as weights
come from memory: fewer bytes a weight, more tokens a second (Pope et al., "Efficiently Scaling
Transformer Inference", 2022, section 2.1).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

Product = Callable[[Tensor], Tensor]
"""x (N, in) of any float dtype -> x @ weight.T (N, out), fp32 or bf16."""

KERNEL_WIDTH = 32
"""The 8-bit kernel reads so many numbers of a row at once, also beyond its end."""

WIDE = 4096
"""Outputs from which on rounding the inputs, too, costs less time than it saves."""


def fp32(weight: Tensor) -> Product:
    """Weights (out, in) as they are; the result is fp32."""
    product = _laid_out(weight.float())
    return lambda x: product(x.float())


def bf16(weight: Tensor) -> Product:
    """Weights (out, in) rounded to bfloat16, and products in it; the result is bf16."""
    product = _laid_out(weight.bfloat16())
    return lambda x: product(x.bfloat16())


def int8(weight: Tensor) -> Product:
    """Weights (out, in) as 8-bit integers with a scale per row; the result is bf16 or fp32.

    Scales are rounded up to bfloat16 first, as the kernel wants them, and the integers are made
    to fit: so the rounding of the scale costs nothing.

    Inputs are multiplied in bfloat16. Where there are many outputs, a kernel that takes integers
    on both sides is so much faster that it is worth the calls that round the inputs. Either way
    a row's result is the same whatever other rows there are.
    """
    scale = weight.float().abs().amax(dim=1).clamp_min(1e-12) / 127
    rounded = scale.bfloat16()
    up = torch.where(rounded.float() < scale, rounded * (1 + 2**-7), rounded)  # (out,)
    integers = torch.round(weight / up.float()[:, None]).clamp_(-127, 127).to(torch.int8)
    missing = -weight.shape[1] % KERNEL_WIDTH
    if missing:
        padded = F.pad(integers, (0, missing))
        return lambda x: torch._weight_int8pack_mm(F.pad(x.bfloat16(), (0, missing)), padded, up)
    if weight.shape[0] < WIDE or not _multiplies_integers():
        return lambda x: torch._weight_int8pack_mm(x.bfloat16(), integers, up)
    wide, columns = up.float() / 127, integers.t()

    def rounding(x: Tensor) -> Tensor:
        largest = torch.linalg.vector_norm(x, torch.inf, -1, True).float().clamp_min_(1e-12)
        eighths = (x * (127 / largest)).round_().to(torch.int8)
        return (torch._int_mm(eighths, columns) * wide).mul_(largest)

    return rounding


@cache
def _multiplies_integers() -> bool:
    """Whether 8-bit integers are multiplied exactly here; old CPUs clip sums at 16 bits."""
    largest = torch.full((1, 64), 127, dtype=torch.int8)
    try:
        return (
            int(torch._int_mm(largest, largest.expand(8, 64).contiguous().t())[0, 0]) == 64 * 127**2
        )
    except (AttributeError, RuntimeError, NotImplementedError):
        return False


FORMATS: dict[str, Callable[[Tensor], Product]] = {"fp32": fp32, "bf16": bf16, "int8": int8}
"""By the names of `--precision`, `request.TORCH_PRECISIONS`."""


def _laid_out(weight: Tensor) -> Product:
    """A product with oneDNN's own layout of the weights, where torch has it: else a plain one.

    torch lays weights out anew in every call otherwise, which takes longer than the product of
    a few rows does.
    """
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return lambda x: F.linear(x, weight)
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
        linear = torch.ops.mkldnn._linear_pointwise.default
        linear(weight[:1].contiguous(), packed, None, "none", [], "")
    except (AttributeError, RuntimeError, NotImplementedError):  # a build or a CPU without it
        return lambda x: F.linear(x, weight)
    return lambda x: linear(x, packed, None, "none", [], "")
