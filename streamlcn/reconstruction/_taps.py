"""The innermost step of back-projection, in the compiler's own language.

Written in Python it becomes a loop that waits for each sum before it begins the next one. Here 64 sums stand
in registers side by side while the projections pass, so that the processor has always something to do.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core.cgutils import get_or_insert_function, ir  # type: ignore[attr-defined]
from numba.extending import intrinsic

__all__ = ["add_8", "add_16", "add_32", "add_64", "add_few"]

LANES = 8
"""Floats per vector: a 256-bit register; processors with shorter ones take two for each."""

FLOAT, INT, WORD, BYTES = ir.FloatType(), ir.IntType(32), ir.IntType(64), ir.IntType(8).as_pointer()
VECTOR = ir.VectorType(FLOAT, LANES)
NOTHING = ir.Constant(VECTOR, ir.Undefined)


def _make_add(vectors: int) -> Any:
    """Return a compiled function that adds taps of some projections to 8 ``vectors`` voxels from z on.

    Its arguments: volume line (z,), rows (k, u, z), places (n,) int32 and shares (n,) float32 of the taps,
    the first projection and z. For k of n, one after the other and each product fused with its sum:
    v += (1 - share) * row[place]; v += share * row[place + 1]. For ``vectors`` 0 only what is left of the
    line is added, fewer than 8 voxels.
    """

    @intrinsic
    def add(_context: Any, line: Any, rows: Any, places: Any, shares: Any, first: Any, z: Any) -> Any:
        signature = types.void(line, rows, places, shares, first, z)

        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
            arrays = [
                context.make_array(t)(context, builder, a)
                for t, a in zip(sig.args[:4], args[:4], strict=True)
            ]
            left = builder.sub(builder.extract_value(arrays[0].shape, 0), args[5])
            _emit(builder, _Vectors(builder, vectors, left), *arrays, *args[4:])
            return context.get_dummy_value()

        return signature, generate

    return add


class _Vectors:
    """Loads and stores ``count`` vectors in a row, or when that is 0 the first ``left`` floats of one."""

    def __init__(self, builder: ir.IRBuilder, count: int, left: Any) -> None:
        self._builder, self.count = builder, max(count, 1)
        lanes = ir.Constant(ir.VectorType(INT, LANES), list(range(LANES)))
        here = self.spread(builder.trunc(left, INT), ir.VectorType(INT, LANES))
        self._mask = None if count else builder.icmp_signed("<", lanes, here)

    def spread(self, value: Any, kind: Any = VECTOR) -> Any:
        """Return a vector of one value."""
        one = self._builder.insert_element(ir.Constant(kind, ir.Undefined), value, INT(0))
        same = ir.Constant(ir.VectorType(INT, LANES), [0] * LANES)
        return self._builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), same)

    def call(self, name: str, result: Any, *args: Any) -> Any:
        """Call one of the compiler's own functions."""
        kind = ir.FunctionType(result, [a.type for a in args])
        function = get_or_insert_function(self._builder.module, kind, name)  # type: ignore[no-untyped-call]
        return self._builder.call(function, args)

    def load(self, address: Any) -> list[Any]:
        """Return what stands at an address."""
        places = [self._at(address, n) for n in range(self.count)]
        if self._mask is None:
            return [self._builder.load(place, align=4) for place in places]
        name = f"llvm.masked.load.v{LANES}f32.p0"
        return [self.call(name, VECTOR, place, INT(4), self._mask, NOTHING) for place in places]

    def store(self, vectors: list[Any], address: Any) -> None:
        """Write vectors to an address."""
        for n, vector in enumerate(vectors):
            place = self._at(address, n)
            if self._mask is None:
                self._builder.store(vector, place, align=4)
            else:
                name = f"llvm.masked.store.v{LANES}f32.p0"
                self.call(name, ir.VoidType(), vector, place, INT(4), self._mask)

    def _at(self, address: Any, number: int) -> Any:
        moved = self._builder.gep(address, [WORD(4 * LANES * number)])
        return self._builder.bitcast(moved, VECTOR.as_pointer())


def _emit(
    builder: ir.IRBuilder,
    vectors: _Vectors,
    line: Any,
    rows: Any,
    places: Any,
    shares: Any,
    first: Any,
    z: Any,
) -> None:
    """Write the loop over projections, with the voxels in registers."""
    stride_k, stride_u = (builder.extract_value(rows.strides, axis) for axis in (0, 1))
    here = builder.mul(z, WORD(4))
    voxels = builder.gep(builder.bitcast(line.data, BYTES), [here])
    start = builder.add(here, builder.mul(first, stride_k))
    base = builder.gep(builder.bitcast(rows.data, BYTES), [start])
    loaded = vectors.load(voxels)
    before, loop = builder.block, builder.append_basic_block("projection")
    after = builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    k, sums = builder.phi(WORD), [builder.phi(VECTOR) for _ in loaded]
    place = builder.sext(builder.load(builder.gep(places.data, [k])), WORD)
    share = builder.load(builder.gep(shares.data, [k]))
    lower = builder.gep(base, [builder.add(builder.mul(k, stride_k), builder.mul(place, stride_u))])
    upper = builder.gep(lower, [stride_u])
    added = sums
    for weight, tap in ((builder.fsub(FLOAT(1.0), share), lower), (share, upper)):
        weights, taps = vectors.spread(weight), vectors.load(tap)
        name = f"llvm.fma.v{LANES}f32"
        added = [vectors.call(name, VECTOR, weights, t, s) for t, s in zip(taps, added, strict=True)]
    following = builder.add(k, WORD(1))
    count = builder.extract_value(shares.shape, 0)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
    for phi, at_first, later in ((k, WORD(0), following), *zip(sums, loaded, added, strict=True)):
        phi.add_incoming(at_first, before)
        phi.add_incoming(later, loop)
    builder.position_at_end(after)
    vectors.store(added, voxels)


add_64, add_32, add_16, add_8, add_few = (_make_add(vectors) for vectors in (8, 4, 2, 1, 0))
