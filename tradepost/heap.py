# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the memory of a process of many threads flat.

glibc gives threads heaps of their own, up to eight a core, and after the first large mail keeps blocks of that size in
them: over 6,000 mails a milter child grew by 25 MB, without these by 13 MB, most of it words that are remembered.
"""

import ctypes

# malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGE_BYTES = 512 * 1024
_KEPT_BYTES = 8 * 1024 * 1024


def keep_heap_flat() -> None:
    """Use one heap, and give large blocks back to the system when they are freed.  Call before the first thread starts.

    Elsewhere than on glibc it does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)  # the interpreter lets one thread run at a time anyway
        # Named, they stay as they are; else each large block that is freed raises them.
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back() -> None:
    """Give freed memory back to the system, as after loading tables: what was read on the way stays with the process else."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
