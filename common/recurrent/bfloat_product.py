"""Products of small bfloat16 matrices with AVX-512's dot instruction (``vdpbf16ps``), for the compiled loops.

A library's product of a step's 24 rows by 128 x 512 weights takes 1.7 times as long (8 rows: three times), since it
checks, packs and parts first. Here the weights are packed once for all steps, and one tile of up to six rows and 64
columns stays in registers over the whole sum. A row's result does not depend on the other rows.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic
from torch import Tensor

from common.decoding.compiled import compiled

# Columns of a panel, as many as four registers hold; rows of a tile, each with as many sums.
REGISTER, NUM_REGISTERS = 16, 4
PANEL = REGISTER * NUM_REGISTERS
TILE, HALF_TILE = 6, 3
PAIR_BYTES, PANEL_BYTES = 4, 4 * PANEL  # of two neighbouring values of a row, and of these of a panel's columns


def runs() -> bool:
    """Whether this processor has the instruction, and numba compiles for it and not for another one."""
    return _has("avx512bf16") and not (config.CPU_NAME or config.CPU_FEATURES)  # type: ignore[attr-defined]


def pays() -> bool:
    """Whether there is nothing faster: where there is AMX, libraries multiply with that."""
    return runs() and not _has("amx-bf16")


@cache
def _has(feature: str) -> bool:
    try:
        return bool(binding.get_host_cpu_features().get(feature))
    except RuntimeError:  # of a processor that LLVM does not know
        return False


def fits(num_inputs: int, num_outputs: int) -> bool:
    """Whether weights of this size can be packed."""
    return num_inputs % 2 == 0 and num_outputs % PANEL == 0


def pack(weight: Tensor) -> Tensor:
    """[D, K, N] bfloat16 → [D, N / 64, K / 2, 64, 2]: panels of columns, values of two rows side by side."""
    num_directions, num_inputs, num_outputs = weight.shape
    parts = weight.view(torch.int16).reshape(num_directions, num_inputs // 2, 2, num_outputs // PANEL, PANEL)
    return parts.permute(0, 3, 1, 4, 2).contiguous()


class _BFloat(ir.types.Type):
    """LLVM's bfloat, which llvmlite has no type for."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


def _tile(num_rows: int) -> Any:
    """A compiled function: rows at ``left`` by a panel → sums at ``out``; all are addresses, steps are in bytes."""
    index, pair, sums = ir.IntType(64), ir.IntType(32), ir.VectorType(ir.FloatType(), REGISTER)
    pairs, values = ir.VectorType(pair, REGISTER), ir.VectorType(_BFloat(), 2 * REGISTER)
    first = ir.Constant(ir.VectorType(pair, REGISTER), [ir.Constant(pair, 0)] * REGISTER)

    @intrinsic
    def tile(context: Any, left: Any, panel: Any, out: Any, left_step: Any, out_step: Any, num_pairs: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            left, panel, out, left_step, out_step, num_pairs = arguments
            kind = ir.FunctionType(sums, [sums, values, values])
            dot = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512bf16.dpbf16ps.512")

            def at(address: Any, offset: Any, what: Any) -> Any:
                return builder.inttoptr(builder.add(address, offset), what.as_pointer())

            def times(value: Any, factor: int) -> Any:
                return builder.mul(value, ir.Constant(index, factor))

            before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(index)
            k.add_incoming(ir.Constant(index, 0), before)
            totals = [[builder.phi(sums) for _ in range(NUM_REGISTERS)] for _ in range(num_rows)]
            weights = []
            for place in range(NUM_REGISTERS):
                offset = builder.add(times(k, PANEL_BYTES), ir.Constant(index, place * PANEL_BYTES // NUM_REGISTERS))
                weights.append(builder.load(at(panel, offset, values), align=PANEL_BYTES // NUM_REGISTERS))
            for row, total in enumerate(totals):
                offset = builder.add(times(left_step, row), times(k, PAIR_BYTES))
                one = builder.load(at(left, offset, pair), align=2)
                one = builder.insert_element(ir.Constant(pairs, ir.Undefined), one, ir.Constant(pair, 0))
                both = builder.bitcast(builder.shuffle_vector(one, ir.Constant(pairs, ir.Undefined), first), values)
                for place, each in enumerate(total):
                    each.add_incoming(ir.Constant(sums, [ir.Constant(ir.FloatType(), 0.0)] * REGISTER), before)
                    total[place] = builder.call(dot, [each, both, weights[place]])
                    each.add_incoming(total[place], loop)
            following = builder.add(k, ir.Constant(index, 1))
            k.add_incoming(following, loop)
            builder.cbranch(builder.icmp_signed("<", following, num_pairs), loop, after)
            builder.position_at_end(after)
            for row, total in enumerate(totals):
                for place, each in enumerate(total):
                    offset = builder.add(times(out_step, row), ir.Constant(index, place * 4 * REGISTER))
                    builder.store(each, at(out, offset, sums), align=4)
            return context.get_dummy_value()

        return types.void(*[types.uintp] * 3, *[types.intp] * 3), generate

    return tile


_six, _three, _one = _tile(TILE), _tile(HALF_TILE), _tile(1)


@compiled
def multiply(left, packed, out):
    """left [D, B, K] (bits of bfloat16 in uint16) by ``pack``ed weights → out [D, B, N] float32."""
    num_directions, num_rows, num_inputs = left.shape
    left_step, out_step, num_pairs = 2 * num_inputs, 4 * out.shape[2], num_inputs // 2
    for d in range(num_directions):
        source, target = left[d].ctypes.data, out[d].ctypes.data
        for number in range(packed.shape[1]):
            panel, columns = np.uintp(packed[d, number].ctypes.data), target + number * 4 * PANEL
            row = 0
            while row < num_rows:
                a, c = np.uintp(source + row * left_step), np.uintp(columns + row * out_step)
                if row + TILE <= num_rows:
                    _six(a, panel, c, left_step, out_step, num_pairs)
                    row += TILE
                elif row + HALF_TILE <= num_rows:
                    _three(a, panel, c, left_step, out_step, num_pairs)
                    row += HALF_TILE
                else:
                    _one(a, panel, c, left_step, out_step, num_pairs)
                    row += 1


def suits(weight: Tensor) -> bool:
    """Whether ``multiply`` can and should compute products with weights [D, K, N]."""
    return weight.dtype == torch.bfloat16 and fits(*weight.shape[1:]) and pays()
