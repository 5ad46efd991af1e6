"""Machines: overlays over this system with packages of their own, on a network that reaches nothing else.

All of it lives in namespaces, so that it ends with the process that made it. It takes root.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOTS = Path("/tmp/ampout-corpus")
WIRE = "wire"
NETWORK = "192.0.2."
"""RFC 5737: for examples."""
NAME_SERVER = 1
INSTALL_SECONDS = 600
COMMAND_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Machine:
    """One pretend host: its short name, its last octet, its host name and its Debian packages."""

    name: str
    number: int
    host: str
    packages: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Where the others find it."""
        return f"{NETWORK}{self.number}"

    @property
    def root(self) -> Path:
        """Its file system."""
        return ROOTS / self.name / "root"

    # -- Making it

    def install(self) -> None:
        """Lay an overlay over this system and install the packages there; the network is this system's."""
        if self.root.is_mount():
            return
        layers = ROOTS / self.name
        layers.mkdir(parents=True, exist_ok=True)
        call("mount", "-t", "tmpfs", "-o", "size=900m", "none", str(layers))
        for name in ("upper", "work", "root"):
            (layers / name).mkdir()
        options = f"lowerdir=/,upperdir={layers}/upper,workdir={layers}/work"
        call("mount", "-t", "overlay", "overlay", "-o", options, str(self.root))
        call("mount", "-t", "proc", "proc", str(self.root / "proc"))
        call("mount", "--bind", "/dev", str(self.root / "dev"))
        self.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", mode=0o755)
        self.write("/etc/mailname", f"{self.host}\n")
        apt = ["apt-get", "install", "-y", "--no-install-recommends", *self.packages, "faketime"]
        call("env", "DEBIAN_FRONTEND=noninteractive", "chroot", str(self.root), *apt, seconds=INSTALL_SECONDS)

    def join(self) -> None:
        """Give it a network of its own, on the common wire."""
        if self.name in names_of_networks():
            return
        call("ip", "netns", "add", self.name)
        call("ip", "-n", WIRE, "link", "add", f"v{self.number}", "type", "veth", "peer", "eth0", "netns", self.name)
        call("ip", "-n", WIRE, "link", "set", f"v{self.number}", "master", "bridge", "up")
        call("ip", "-n", self.name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            call("ip", "-n", self.name, "link", "set", link, "up")
        if self.root.is_mount():
            self.write("/etc/resolv.conf", f"nameserver {NETWORK}{NAME_SERVER}\n")
            self.write("/etc/hosts", f"127.0.0.1 localhost\n{self.address} {self.host} {self.host.partition('.')[0]}\n")

    # -- Using it

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write one of its files."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_symlink():
            file.unlink()
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def run(self, command: str, *, stdin: str = "", check: bool = True) -> str:
        """Run a shell command there as root; returns what it prints."""
        done = subprocess.run(
            self._inside(command), input=stdin, check=False, capture_output=True, text=True, timeout=COMMAND_SECONDS
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{self.name}: {command}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def start(self, command: str) -> None:
        """Start a program there that stays; it ends with `stop`."""
        log = (self.root / "started.log").open("ab")
        subprocess.Popen(self._inside(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self) -> None:
        """End whatever runs there: politely, then for good. What runs elsewhere is never touched."""
        self._signal(signal.SIGTERM)
        time.sleep(1.5)
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        listed = subprocess.run(["ip", "netns", "pids", self.name], check=False, capture_output=True, text=True)
        for pid in listed.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), number)

    def set_clock(self, offset: str) -> None:
        """Let its programs see another time from now on, such as `+5h`; it holds for set-uid programs too."""
        self.write("/etc/faketimerc", f"{offset}\n")
        self.write("/etc/ld.so.preload", "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1\n")

    def mend_clock(self) -> None:
        """Let its programs see the true time again."""
        self.write("/etc/ld.so.preload", "")

    def _inside(self, command: str) -> list[str]:
        clean = 'env -i HOME=/root LANG=C.UTF-8 PATH="$PATH"'
        inner = f'hostname {self.host}; exec chroot {self.root} {clean} sh -c "$0"'
        return ["ip", "netns", "exec", self.name, "unshare", "-u", "sh", "-c", inner, command]


def lay_wire() -> None:
    """Make the wire that joins the machines; the names of networks are kept in this mount namespace alone."""
    if WIRE in names_of_networks():
        return
    call("ip", "netns", "add", WIRE)
    call("ip", "-n", WIRE, "link", "add", "bridge", "type", "bridge")
    call("ip", "-n", WIRE, "link", "set", "bridge", "up")


def names_of_networks() -> Iterable[str]:
    """The networks that exist."""
    listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    return {line.split()[0] for line in listed.splitlines() if line}


def call(*command: str, seconds: float = COMMAND_SECONDS) -> None:
    """Run a command of this system; raises RuntimeError with its words where it fails."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def wait_until(what: str, holds: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds; raises TimeoutError, naming it, where it never does."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.2)
