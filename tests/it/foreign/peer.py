"""A program that shares a struct by name, or in a file, and knows nothing of the crate.

    peer.py name|file WHERE OFFSET COMMAND [SIZE]
"""

import mmap
import os
import sys
from struct import Struct

# As C lays it out: kind, value, counts, turn, total, last, and what fills it up to a multiple of its alignment.
SAMPLE = Struct("@B d 3H I Q B 0Q")


class Named:
    """Shared memory by name."""

    def __init__(self, name, size):
        from multiprocessing import resource_tracker
        from multiprocessing.shared_memory import SharedMemory

        options = {"name": name, "create": size is not None, "size": size or 0}
        try:
            self.memory = SharedMemory(track=False, **options)
        except TypeError:
            # Before 3.13 a name is removed at the exit of whoever has opened it, if it is not taken off this list.
            self.memory = SharedMemory(**options)
            resource_tracker.unregister(self.memory._name, "shared_memory")
        self.bytes = self.memory.buf

    def close(self):
        self.memory.close()


class File:
    """A file, mapped."""

    def __init__(self, path, size):
        flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if size is not None else 0)
        fd = os.open(path, flags, 0o600)
        if size is not None:
            os.ftruncate(fd, size)
        self.bytes = mmap.mmap(fd, 0)
        os.close(fd)

    def close(self):
        self.bytes.close()


def show(sample):
    kind, value, *counts, turn, total, last = sample
    print("sample:", kind, f"{value:.3f}", ",".join(map(str, counts)), turn, total, last, flush=True)


def main(kind, where, offset, command, size=None):
    offset = int(offset)
    if command == "layout":
        print("layout:", SAMPLE.size, flush=True)
        return
    # The number of bytes, if something else than those of a sample at the offset.
    size = (int(size) if size else offset + SAMPLE.size) if command == "create" else None
    shared = {"name": Named, "file": File}[kind](where, size)
    try:
        if command == "create":
            if size >= offset + SAMPLE.size:
                SAMPLE.pack_into(shared.bytes, offset, 7, 2.5, 1, 11, 21, 1, 1 << 40, 200)
            print("created: until the end of the input", flush=True)
            sys.stdin.read()
        elif command == "change":
            kind, value, *counts, turn, total, last = sample = SAMPLE.unpack_from(shared.bytes, offset)
            show(sample)
            counts = [count + 100 for count in counts]
            SAMPLE.pack_into(shared.bytes, offset, kind + 1, 2 * value, *counts, turn + 1, total + 5, last - 1)
        elif command == "look on":
            # What is there whenever a line comes.
            for _ in sys.stdin:
                show(SAMPLE.unpack_from(shared.bytes, offset))
        else:
            sys.exit(f"there is no command {command}")
    finally:
        shared.close()


main(*sys.argv[1:])
