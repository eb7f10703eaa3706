"""A program that reads sealed memory and makes some, and knows nothing of the crate.

    peer.py WHERE

At WHERE are 32-bit numbers. It says under which numbers it has open what it has made: twice each of them, sealed; a text,
not sealed; and half of a number, sealed.
"""

import fcntl
import mmap
import os
import sys
from array import array

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def made(content, seals):
    memory = os.memfd_create("of another language", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(memory, content)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
    return memory


here = os.open(sys.argv[1], os.O_RDONLY)
assert fcntl.fcntl(here, fcntl.F_GET_SEALS) & SEALS == SEALS
with mmap.mmap(here, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as content:
    numbers = array("I", content[:])

twice = array("I", [2 * number for number in numbers]).tobytes()
text = "made elsewhere: §".encode()
print(made(twice, SEALS), made(text, 0), made(twice[:2], SEALS), flush=True)
sys.stdin.read()
