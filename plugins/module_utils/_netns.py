# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network namespaces: list, create, remove, keep, enter. No process is forked; one thread does it all.

A namespace is called by its name in /run/netns, by a path, or by a PID; '' is the one the module was started in.
Source: iproute2's ip/ipnetns.c (how names are made), setns(2), network_namespaces(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

RUN = "/run/netns"
OWN = "/proc/thread-self/ns/net"  # /proc/self would be the main thread's
CLONE_NEWNET = 0x40000000
MS_BIND, MS_REC, MS_SHARED, MNT_DETACH = 0x1000, 0x4000, 0x100000, 2

_libc = ctypes.CDLL(None, use_errno=True)


def _call(result: int, what: str) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)


def _mount(source: str, target: str, flags: int) -> None:
    _call(_libc.mount(source.encode(), target.encode(), b"none", flags, None), target)


def setns(descriptor: int) -> None:
    """Move this thread into the namespace behind a file descriptor."""
    _call(_libc.setns(descriptor, CLONE_NEWNET), "setns")


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def named() -> dict[str, tuple[int, int]]:
    """{name: identity}. A plain file left over under /run/netns is no namespace (its device is not nsfs)."""
    device = os.stat(OWN).st_dev
    found = {}
    with suppress(FileNotFoundError), os.scandir(RUN) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # it went away meanwhile
                found[entry.name] = _identity(entry.path)
    return {name: identity for name, identity in sorted(found.items()) if identity[0] == device}


def path_of(netns: str) -> str:
    """The file of a namespace given in its canonical form ('' own, /path, or a name)."""
    if not netns:
        return OWN
    return netns if netns.startswith("/") else f"{RUN}/{netns}"


def prepare() -> None:
    """/run/netns as a shared mount, so that a namespace removed here goes away in other mount namespaces too."""
    os.makedirs(RUN, mode=0o755, exist_ok=True)
    try:
        _mount("", RUN, MS_SHARED | MS_REC)
    except OSError:  # not a mount point yet
        _mount(RUN, RUN, MS_BIND | MS_REC)
        _mount("", RUN, MS_SHARED | MS_REC)


def _place(name: str) -> str:
    """The file for a name, to be mounted on. An empty one may be there: whoever made it was killed before the mount."""
    target = f"{RUN}/{name}"
    try:
        os.close(os.open(target, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
    except FileExistsError:
        if name in named():
            raise
        if not os.path.isfile(target) or os.path.getsize(target):
            raise FileExistsError(errno.EEXIST, f"{target} is no network namespace; move it away") from None
    return target


def create(name: str) -> None:
    """Make a named namespace as `ip netns add` does, after prepare(). FileExistsError if the name is taken."""
    target = _place(name)
    home = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call(_libc.unshare(CLONE_NEWNET), "unshare")
        _mount(OWN, target, MS_BIND)
    except OSError:
        os.unlink(target)
        raise
    finally:
        setns(home)
        os.close(home)


def remove(name: str) -> int:
    """Take a name away; the namespace lives on behind the returned descriptor until that is closed.

    So the removal can be undone, with all that is in the namespace, by attach().
    """
    target = f"{RUN}/{name}"
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call(_libc.umount2(target.encode(), MNT_DETACH), target)
        os.unlink(target)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def attach(name: str, descriptor: int) -> None:
    """Give a namespace that is held by a descriptor a name (again)."""
    target = _place(name)
    try:
        _mount(f"/proc/self/fd/{descriptor}", target, MS_BIND)
    except OSError:
        os.unlink(target)
        raise


class Namespaces:
    """Ways into the namespaces of one run. Entering is nested and always undone."""

    def __init__(self) -> None:
        self.home = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        self.own = _identity(OWN)
        self._known: dict[tuple[int, int], str] | None = None
        self.at = ""

    def close(self) -> None:
        os.close(self.home)

    def known(self) -> dict[tuple[int, int], str]:
        """{identity: name} of all named namespaces."""
        if self._known is None:
            self._known = {identity: name for name, identity in named().items()}
        return self._known

    def forget(self) -> None:
        """Names have come or gone: look again when asked."""
        self._known = None

    def canonical(self, given: str | int | None) -> str:
        """'' for the own namespace, a name, or a path for one that has no name. ValueError if there is no such thing.

        A name that does not exist (yet) stays as it is.
        """
        text = "" if given is None else str(given)
        if not text:
            return ""
        if text.isdigit() and text not in self.known().values():
            text = f"/proc/{text}/ns/net"
        if not text.startswith("/"):
            path = f"{RUN}/{text}"
            if not self.exists(text):
                return text
        else:
            path = text
        try:
            identity = _identity(path)
        except OSError as error:
            raise ValueError(f"there is no network namespace {given} ({error.strerror})") from None
        if identity[0] != self.own[0]:
            raise ValueError(f"{given} is not a network namespace")
        if identity == self.own:
            return ""
        return self.known().get(identity, text)

    def exists(self, netns: str) -> bool:
        """Whether there is such a namespace (its file is one, not a leftover)."""
        return self.inode(netns) is not None

    def inode(self, netns: str) -> int | None:
        """The inode of a namespace: its identity for as long as it lives. None if there is none."""
        if not netns:
            return self.own[1]
        try:
            device, inode = _identity(path_of(netns))
        except OSError:
            return None
        return inode if device == self.own[0] else None

    def here(self) -> tuple[int, int]:
        """The identity of the namespace that the thread is in."""
        return _identity(OWN)

    def open(self, netns: str) -> int:
        """A descriptor of the namespace; the caller closes it. FileNotFoundError if there is none."""
        return os.open(path_of(netns), os.O_RDONLY | os.O_CLOEXEC) if netns else os.dup(self.home)

    @contextmanager
    def entered(self, netns: str) -> Iterator[None]:
        """The thread is in the namespace for the length of the block."""
        before = self.at
        if netns != before:
            self._go(netns)
        try:
            yield
        finally:
            if netns != before:
                self._go(before)

    def _go(self, netns: str) -> None:
        if not netns:
            setns(self.home)
        else:
            descriptor = self.open(netns)
            try:
                setns(descriptor)
            finally:
                os.close(descriptor)
        self.at = netns

    @contextmanager
    def scratch(self) -> Iterator[None]:
        """The thread is in a new, nameless namespace, which is gone afterwards."""
        before = self.at
        _call(_libc.unshare(CLONE_NEWNET), "unshare")
        try:
            yield
        finally:
            self._go(before)
