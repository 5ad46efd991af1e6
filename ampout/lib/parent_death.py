"""Processes that cannot outlive the one that started them.

Linux sends a child its parent-death signal even when the parent ended by `kill -9` (prctl(2), PR_SET_PDEATHSIG). It is
bound to the thread that started the child: when that ends, the signal is sent as well.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(death_signal: signal.Signals, parent: int) -> None:
    """Have the kernel send this process `death_signal` when its parent ends (Linux; elsewhere nothing happens)."""
    if sys.platform != "linux":
        return
    _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)
