"""Pickled documents, read without importing or calling anything that a pickle names.

The unpickler is Python's own, but every global it may ask for is one of the stand-ins below, and the opcodes
are looked through first: some of them make any unpickler allocate gigabytes, or overflow the C stack, from a
few bytes. Stock documents need OrderedDict, numpy arrays, dtypes and scalars, and now and then an enum of a
device package, which becomes its plain value.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from streamlcn.documents._arrays import array_from, dtype_from, scalar_from
from streamlcn.documents._refused import refused

__all__ = ["ArrayShell", "unpickled"]

_REFUSED_OPCODES = frozenset((
    "PUT", "GET", "PERSID", "BINPERSID", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ", "NEWOBJ_EX",
    "NEXT_BUFFER", "READONLY_BUFFER", "EMPTY_SET", "ADDITEMS", "FROZENSET", "INT", "LONG", "FLOAT", "STRING",
    "UNICODE", "DUP",
))  # fmt: skip
_TUPLES = frozenset(("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"))
_MEMOS = frozenset(("MEMOIZE", "BINPUT", "LONG_BINPUT"))
_CALLS = frozenset(("REDUCE", "BUILD"))
_MOST_TUPLES = 10_000  # nested 100 000 deep, their hash overflows the C stack
_ENUM_PACKAGES = ("ophyd.", "ophyd_async.", "dodal.", "nslsii.")
_MULTIARRAY = ("numpy._core.multiarray", "numpy.core.multiarray")
_NUMERIC = ("numpy._core.numeric", "numpy.core.numeric")


class _StandIn:
    """What a pickle gets for a global: it can be called, and nothing else can be done to it."""

    __slots__ = ()

    def __setstate__(self, state: object) -> NoReturn:
        raise refused("unsafe", "a pickle tried to change what it may only call")


class _MakeDict(_StandIn):
    __slots__ = ()

    def __call__(self, *arguments: object) -> dict[str, Any]:
        if arguments:
            raise refused("unsafe", "refused an OrderedDict made from arguments")
        return {}


class _MakeDtype(_StandIn):
    __slots__ = ()

    def __call__(self, code: object, *_flags: object) -> DtypeShell:
        return DtypeShell(dtype_from(code))


class _ArrayType(_StandIn):
    __slots__ = ()


class _MakeArray(_StandIn):
    __slots__ = ()

    def __call__(self, *arguments: object) -> ArrayShell:
        if not arguments or not isinstance(arguments[0], _ArrayType):
            raise refused("unsafe", "refused a subclass of numpy's array")
        return ArrayShell()


class _MakeArrayFromBuffer(_StandIn):
    __slots__ = ()

    def __call__(self, data: object, dtype: object, shape: object, order: object = "C") -> ArrayShell:
        shell = ArrayShell()
        shell.value = array_from(data, _dtype_of(dtype), shape, is_fortran=order == "F")
        return shell


class _MakeScalar(_StandIn):
    __slots__ = ()

    def __call__(self, dtype: object, data: object = b"") -> Any:
        return scalar_from(data, _dtype_of(dtype))


class _MakeEnum(_StandIn):
    __slots__ = ()

    def __call__(self, *arguments: object) -> str | int:
        if len(arguments) == 1 and type(value := arguments[0]) in (str, int):
            return value  # type: ignore[return-value]
        raise refused("unsafe", "refused a device package's class that is not an enum of one plain value")


class DtypeShell:
    """A dtype while its pickle is read: the byte order comes after the code."""

    __slots__ = ("value",)

    def __init__(self, value: np.dtype[Any]) -> None:
        self.value = value

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise refused("unsafe", "refused a structured dtype")
        self.value = dtype_from(self.value.str, state[1])


class ArrayShell:
    """An array while its pickle is read: shape and bytes come after it was made."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: npt.NDArray[Any] | None = None

    def __setstate__(self, state: object) -> None:
        if self.value is not None or not isinstance(state, tuple) or len(state) != 5:
            raise refused("unsafe", "refused an array with a strange state")
        _, shape, dtype, is_fortran, data = state
        self.value = array_from(data, _dtype_of(dtype), shape, is_fortran=bool(is_fortran))


_STAND_INS: dict[tuple[str, str], _StandIn] = {
    ("collections", "OrderedDict"): _MakeDict(),
    ("numpy", "dtype"): _MakeDtype(),
    ("numpy", "ndarray"): _ArrayType(),
    **{(module, "_reconstruct"): _MakeArray() for module in _MULTIARRAY},
    **{(module, "scalar"): _MakeScalar() for module in _MULTIARRAY},
    **{(module, "_frombuffer"): _MakeArrayFromBuffer() for module in _NUMERIC},
}
_ENUM = _MakeEnum()


class _StrictUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        stand_in = _STAND_INS.get((module, name))
        if stand_in is not None:
            return stand_in
        if module.startswith(_ENUM_PACKAGES):
            return _ENUM
        raise refused("unsafe", f"a pickle asked for {module[:80]}.{name[:80]}, which is never given out")

    def persistent_load(self, pid: object) -> NoReturn:
        raise refused("unsafe", f"a pickle refers to something outside itself ({str(pid)[:40]!r})")


def unpickled(message: bytes, start: int, most_opcodes: int) -> Any:
    """Return the value of the pickle at ``start``; arrays are still `ArrayShell`.

    Raises `BadDocument` and, for pickles that are broken, whatever the unpickler raises.
    """
    stream = io.BytesIO(message)  # shares the bytes, where a view would be copied piece by piece
    stream.seek(start)
    _look_through(stream, most_opcodes)
    stream.seek(start)
    return _StrictUnpickler(stream).load()


def _look_through(stream: io.BytesIO, most_opcodes: int) -> None:
    """Read the opcodes alone; this also finds lengths that go beyond the data."""
    tuples, last_was_tuple = 0, False
    for number, (opcode, argument, _) in enumerate(pickletools.genops(stream), 1):
        name = opcode.name
        if name in _REFUSED_OPCODES or (name == "LONG_BINPUT" and int(argument or 0) > number):
            raise refused("unsafe", f"refused the pickle opcode {name}, which no document needs")
        if number > most_opcodes:
            raise refused("too_large", f"refused a pickle of more than {most_opcodes} opcodes")
        if name in _TUPLES:
            tuples, last_was_tuple = tuples + 1, True
        elif last_was_tuple and name not in _MEMOS:
            tuples, last_was_tuple = tuples - (name in _CALLS), False
        if tuples > _MOST_TUPLES:
            raise refused("unsafe", f"refused a pickle of more than {_MOST_TUPLES} tuples")


def _dtype_of(shell: object) -> np.dtype[Any]:
    if not isinstance(shell, DtypeShell):
        raise refused("unsafe", "refused an array without a plain dtype")
    return shell.value
