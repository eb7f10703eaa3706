"""A value that a Rust process shares, as a NumPy array that is not copied and can't be written.

    array = attach(text)            text: what `Shared::location()` says, one line
    python attach.py LOCATION       prints the array's shape, the type of its elements, and their sum

The array is what it was as long as that process has a handle on the value: let it wait for this one. Afterwards the
memory may hold anything. A string is an array of its bytes: `array.tobytes().decode()`.
"""

import json
import mmap
import os
import sys

import numpy


def attach(text):
    at = json.loads(text)
    shape, strides, dtype = at["shape"], at["strides"], numpy.dtype(at["dtype"])
    memory, first = b"", 0
    if at["length"] > 0:
        if at["kind"] == "shm":
            from _posixshmem import shm_open

            file = shm_open(at["name"], os.O_RDONLY, mode=0)
        else:
            file = os.open(at["name"], os.O_RDONLY | getattr(os, "O_BINARY", 0))
        # Where a mapping can begin, and how far before the value that is.
        before = at["offset"] % mmap.ALLOCATIONGRANULARITY
        try:
            memory = mmap.mmap(file, before + at["length"], access=mmap.ACCESS_READ, offset=at["offset"] - before)
        finally:
            os.close(file)
        # The element with index 0 is not the first in memory if an axis runs backwards.
        first = before + sum((1 - length) * stride for length, stride in zip(shape, strides) if stride < 0)
    return numpy.ndarray(shape, dtype, memory, first, strides)


if __name__ == "__main__":
    array = attach(sys.argv[1])
    print(array.shape, array.dtype, array.sum())
