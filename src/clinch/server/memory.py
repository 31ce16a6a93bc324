"""How a process that answers requests treats its memory. Where the system has no such calls, all
goes on without."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD of glibc's malloc.h, in bytes.
_MALLOC = ((-1, 32 << 20), (-2, 2 << 20), (-3, 8 << 20))
_MADV_COLLAPSE = 25
_LARGE_PAGE = 2 << 20


def keep_what_is_freed() -> None:
    """Let the allocator keep what a large answer took for the next one.

    glibc would give it back to the kernel after each, and touch every page of it anew: a tenth of
    the time of a page of leads.
    """
    with suppress(AttributeError, OSError):
        set_option = ctypes.CDLL(None).mallopt
        for option, size in _MALLOC:
            set_option(option, size)


def settle_what_lasts() -> None:
    """Make it cheap to reach the declarations, the routes and the modules, which stay as long as
    the process.

    They are kept out of garbage collection, which took a tenth of a request's time, and brought
    together in large pages (Linux 6.1), of which the processor remembers more;
    docs/decisions/028-what-lasts-stands-in-large-pages.md has the figures.
    """
    gc.collect()
    gc.freeze()
    with suppress(AttributeError, OSError):
        advise = ctypes.CDLL(None).madvise
        for start, end in _own_memory():
            advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_COLLAPSE)


def _own_memory() -> Iterator[tuple[int, int]]:
    """Where the heap and the arenas of Python's allocator are, if they hold a large page."""
    for line in Path("/proc/self/maps").read_text(errors="replace").splitlines():
        addresses, rights, _, _, _, *name = line.split()
        start, end = (int(address, 16) for address in addresses.split("-"))
        if rights.startswith("rw") and name in ([], ["[heap]"]) and end - start >= _LARGE_PAGE:
            yield start, end
