# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads share one heap, and a large block that was freed changes nothing for the next."""

import re
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import ctypes, sys, threading
from tradepost.heap import keep_heap_flat

if sys.argv[1] == "flat":
    keep_heap_flat()
bytearray(20_000_000)  # taken from the system and given back: by default such blocks then come from the heap
gate = threading.Barrier(5)
kept = []

def work():
    kept.append([bytearray(2_000) for _ in range(50)])
    kept.append(bytearray(1_000_000))
    gate.wait()
    gate.wait()

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
gate.wait()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = libc.fopen(sys.argv[2].encode(), b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
gate.wait()
"""


def heaps_and_mapped(how: str, folder: Path) -> tuple[int, int]:
    """Return how many heaps there are, and how many blocks of 1 MB came from the system itself."""
    report = folder / how
    subprocess.run((sys.executable, "-c", _PROGRAM, how, str(report)), check=True)
    text = report.read_text()
    mapped = re.search(r'<total type="mmap" count="(\d+)"', text)
    assert mapped is not None
    return text.count("<heap nr="), int(mapped[1])


def test_threads_share_one_heap_and_large_blocks_come_from_the_system(tmp_path: Path) -> None:
    heaps, mapped = heaps_and_mapped("flat", tmp_path)
    default_heaps, default_mapped = heaps_and_mapped("default", tmp_path)

    assert heaps == 1 < default_heaps
    assert mapped >= 4 > default_mapped
