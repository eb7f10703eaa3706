"""A program that uses NumPy, and of the crate only attach.py.

    peer.py DIRECTORY-OF-ATTACH.PY

Each line it reads is a JSON object that says what to `do`; it answers with a line, `ok`, or ends with an exception.
"""

import json
import sys

import numpy

sys.path.insert(0, sys.argv[1])

from attach import attach  # noqa: E402


def made(dtype, shape, order="C"):
    """The array of this type and shape: as `made` in Rust has it."""
    numbers = numpy.arange(numpy.prod(shape, dtype=int))
    dtype = numpy.dtype(dtype)
    if dtype.kind == "b":
        numbers = numbers % 3 == 1
    elif dtype.kind == "f":
        numbers = numbers / 4 - 3
    elif dtype.kind == "c":
        numbers = numbers / 4 - 3 + numbers / 2 * 1j
    else:
        # What is negative wraps around where there is no sign.
        numbers = (numbers * 3 - 7).astype(dtype)
    return numbers.astype(dtype).reshape(shape).copy(order=order)


def is_made(array, dtype, shape, view="a"):
    expected = eval(view, {"a": made(dtype, shape)})
    assert array.shape == expected.shape, (array.shape, expected.shape)
    assert array.dtype.str == dtype, (array.dtype.str, dtype)
    assert numpy.array_equal(array, expected), (array, expected)
    assert not array.flags.writeable


def write(path, dtype, shape, order, version):
    with open(path, "wb") as file:
        numpy.lib.format.write_array(file, made(dtype, shape, order), tuple(version))


def load(path, dtype, shape, order):
    array = numpy.load(path, mmap_mode="r")
    is_made(array, dtype, shape)
    assert array.size == 0 or type(array) is numpy.memmap
    assert array.flags.c_contiguous if order == "C" else array.flags.f_contiguous
    assert array.offset % 128 == 0 if array.size else True
    with open(path, "rb") as file:
        again = numpy.load(file)
    assert numpy.array_equal(array, again) and again.dtype == array.dtype


def look(location, dtype, shape, view):
    array = attach(location)
    is_made(array, dtype, shape, view)
    # And as bytes.
    assert array.tobytes() == eval(view, {"a": made(dtype, shape)}).tobytes()


def text(location, expected):
    array = attach(location)
    assert array.tobytes().decode() == expected and not array.flags.writeable


COMMANDS = {"write": write, "load": load, "look": look, "text": text}

print("ready:", flush=True)
for line in sys.stdin:
    arguments = json.loads(line)
    COMMANDS[arguments.pop("do")](**arguments)
    print("did: it", flush=True)
