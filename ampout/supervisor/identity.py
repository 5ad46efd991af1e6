"""Whom PostgreSQL runs as. It refuses to run as root, and its initdb refuses a user without a name.

Three ways, in this order:

1. As ourselves, where we are neither root nor nameless.
2. In a user namespace that shows us as another user. Files stay ours; nothing is created or handed over.
3. Where such namespaces are closed (many containers): as the unprivileged user `nobody`, on a data folder handed over
   to it. It keeps one capability, CAP_DAC_OVERRIDE, because the project often lies in a home that is closed to others.
"""

import ctypes
import os
import pwd
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ampout.supervisor.children import Identity, Ourselves

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWUSER = 0x10000000
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True, slots=True)
class Mapped:
    """Ourselves, shown as user and group `shown_uid`, `shown_gid` in a new user namespace."""

    shown_uid: int
    shown_gid: int

    def enter(self) -> None:
        """Open the namespace; raises OSError where the kernel or the container forbids it."""
        uid, gid = os.getuid(), os.getgid()
        _check(_libc.unshare(_CLONE_NEWUSER))
        # user_namespaces(7): without privileges, groups can only be mapped once setgroups is given up.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{self.shown_uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{self.shown_gid} {gid} 1")


@dataclass(frozen=True, slots=True)
class Servant:
    """An unprivileged user that may pass closed folders."""

    uid: int
    gid: int

    def enter(self) -> None:
        """Drop root; raises OSError where root may not even do that."""
        _libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)
        _keep_passing_closed_folders()


def candidates() -> Iterator[tuple[Identity, int]]:
    """The identities worth trying, best first, each with the uid that has to own its files."""
    uid = os.getuid()
    if uid != 0 and (_has_name(uid) or sys.platform != "linux"):
        yield Ourselves(), uid
        return
    nobody = _unprivileged_user()
    yield Mapped(nobody.pw_uid, nobody.pw_gid), uid
    if uid == 0:
        yield Servant(nobody.pw_uid, nobody.pw_gid), nobody.pw_uid


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _unprivileged_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        return next(entry for entry in pwd.getpwall() if entry.pw_uid != 0)


def _keep_passing_closed_folders() -> None:
    """Hold CAP_DAC_OVERRIDE across exec (capabilities(7), "Ambient"); where we may not, a probe tells if we get by."""
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    mask = 1 << _CAP_DAC_OVERRIDE
    if _libc.capset(header, struct.pack("6I", mask, mask, mask, 0, 0, 0)) == 0:
        _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
