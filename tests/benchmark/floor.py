# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The floor: what Python can do at best with this very network, made for it by hand and for nothing else.

struct.pack, setns by ctypes, plain sockets, many requests a send, an acknowledgement of the last one. It plans
nothing, checks nothing, undoes nothing. The network: a bridge with an address, and N namespaces, each with a veth
into the bridge, an address and a default route; everything up.

`floor.py start|build|rerun|teardown N` is a contestant; `survey` is what all contestants' networks are counted with.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import struct
import sys
from collections.abc import Iterable, Iterator

BRIDGE, BRIDGE_ADDRESS, LENGTH = "bench0", "10.96.0.1", 16
INSIDE = "eth0"
GROUP = 9696  # of all links in the root namespace
RUN = "/run/netns"
SELF = "/proc/thread-self/ns/net"
BATCH = 64

CLONE_NEWNET = 0x40000000
MS_BIND, MS_REC, MS_SHARED, MNT_DETACH = 0x1000, 0x4000, 0x100000, 2
NEWLINK, DELLINK, GETLINK, NEWADDR, GETADDR, NEWROUTE, GETROUTE = 16, 17, 18, 20, 22, 24, 26
REQUEST, ACK, DUMP, NEW = 0x1, 0x4, 0x300, 0x600
IFF_UP = 1
MAIN, STATIC = 254, 4

_libc = ctypes.CDLL(None, use_errno=True)
_header = struct.Struct("=IHHII")
_attribute = struct.Struct("=HH")
_error = struct.Struct("=i")


def namespace(number: int) -> str:
    """The name of a namespace, 0 to N - 1."""
    return f"bench-{number:04}"


def outside(number: int) -> str:
    """The name of the bridge's end of a veth."""
    return f"bench-h{number:04}"


def address(number: int) -> str:
    """The address in a namespace."""
    return str(socket.inet_ntoa(struct.pack("!I", 0x0A600100 + number)))


def raise_descriptor_limit() -> None:
    """A socket and a namespace for each of N."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _call(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def unshare() -> None:
    """Into a new network namespace."""
    _call(_libc.unshare(CLONE_NEWNET))


def _enter(name: str) -> None:
    descriptor = os.open(f"{RUN}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    _call(_libc.setns(descriptor, CLONE_NEWNET))
    os.close(descriptor)


# ---- messages -----------------------------------------------------------------------------------------------------


def _nla(number: int, payload: bytes) -> bytes:
    size = 4 + len(payload)
    return _attribute.pack(size, number) + payload + bytes(-size & 3)


def _u32(number: int, value: int) -> bytes:
    return struct.pack("=HHI", 8, number, value)


def _text(number: int, text: str) -> bytes:
    return _nla(number, text.encode() + b"\0")


def _link(index: int, flags: int, attributes: bytes = b"") -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, flags, flags) + attributes


def _veth(index: int, name: str, master: int, inside: int, descriptor: int) -> bytes:
    peer = struct.pack("=BxHiII", 0, 0, inside, 0, 0) + _text(3, INSIDE) + _u32(28, descriptor)
    info = _text(1, "veth") + _nla(2, _nla(1, peer))
    return _link(index, IFF_UP, _text(3, name) + _u32(10, master) + _u32(27, GROUP) + _nla(18, info))


def _address(index: int, text: str) -> bytes:
    packed = socket.inet_aton(text)
    return struct.pack("=BBBBI", socket.AF_INET, LENGTH, 0, 0, index) + _nla(2, packed) + _nla(1, packed)


def _default(gateway: bytes) -> bytes:
    return struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, MAIN, STATIC, 0, 1, 0) + _nla(5, gateway)


class Channel:
    """A netlink socket in the namespace that the thread is in."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)

    def close(self) -> None:
        """Done."""
        self.socket.close()

    def change(self, requests: list[tuple[int, int, bytes]]) -> None:
        """(type, flags, body) of each; OSError of the first that failed."""
        for start in range(0, len(requests), BATCH):
            part = requests[start : start + BATCH]
            last = len(part) - 1
            data = b"".join(
                _header.pack(16 + len(body), kind, REQUEST | flags | (ACK if n == last else 0), n, 0) + body
                for n, (kind, flags, body) in enumerate(part)
            )
            self.socket.send(data)
            done = False
            while not done:
                for kind, sequence, body in self._receive():
                    code = -_error.unpack_from(body)[0]
                    if kind == 2 and code:
                        raise OSError(code, os.strerror(code))
                    done = done or sequence == last

    def dump(self, kind: int, body: bytes) -> Iterator[memoryview]:
        """The body of each message of a dump."""
        self.socket.send(_header.pack(16 + len(body), kind, REQUEST | DUMP, 1, 0) + body)
        while True:
            for answer, _sequence, found in self._receive():
                if answer == 3:
                    return
                if answer == 2:
                    raise OSError(-_error.unpack_from(found)[0], "dump")
                yield found

    def _receive(self) -> Iterator[tuple[int, int, memoryview]]:
        data = memoryview(self.socket.recv(1 << 18))
        at, end = 0, len(data)
        while at < end:
            size, kind, _flags, sequence, _pid = _header.unpack_from(data, at)
            yield kind, sequence, data[at + 16 : at + size]
            at += (size + 3) & ~3


# ---- the contestant -----------------------------------------------------------------------------------------------


def _make_namespaces(names: Iterable[str]) -> list[tuple[int, Channel]]:
    """Named as `ip netns add` does it; the thread goes from each new one straight into the next."""
    os.makedirs(RUN, exist_ok=True)
    run = RUN.encode()
    if _libc.mount(b"", run, b"none", MS_SHARED | MS_REC, None):
        _call(_libc.mount(run, run, b"none", MS_BIND | MS_REC, None))
        _call(_libc.mount(b"", run, b"none", MS_SHARED | MS_REC, None))
    found = []
    for name in names:
        path = f"{RUN}/{name}"
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
        unshare()
        _call(_libc.mount(SELF.encode(), path.encode(), b"none", MS_BIND, None))
        found.append((os.open(path, os.O_RDONLY | os.O_CLOEXEC), Channel()))
    return found


def build(size: int) -> None:
    """All of it."""
    home = os.open(SELF, os.O_RDONLY | os.O_CLOEXEC)
    made = _make_namespaces(map(namespace, range(size)))
    _call(_libc.setns(home, CLONE_NEWNET))
    root = Channel()
    bridge = 2
    links = [
        (NEWLINK, NEW, _link(bridge, IFF_UP, _text(3, BRIDGE) + _u32(27, GROUP) + _nla(18, _text(1, "bridge")))),
        (NEWADDR, NEW, _address(bridge, BRIDGE_ADDRESS)),
    ]
    for number, (descriptor, _channel) in enumerate(made):
        links.append((NEWLINK, NEW, _veth(bridge + 1 + number, outside(number), bridge, 2, descriptor)))
    root.change(links)
    root.close()
    lo, eth0 = (NEWLINK, 0, _link(1, IFF_UP)), (NEWLINK, 0, _link(2, IFF_UP))
    route = (NEWROUTE, NEW, _default(socket.inet_aton(BRIDGE_ADDRESS)))
    for number, (descriptor, channel) in enumerate(made):
        channel.change([lo, eth0, (NEWADDR, NEW, _address(2, address(number))), route])
        channel.close()
        os.close(descriptor)


def rerun(size: int) -> None:
    """Look whether all is there; a floor does not put right what is not."""
    found, wanted = survey(), expected(size)
    if found != wanted:
        raise SystemExit(f"not as it was built: {found}, not {wanted}")


def teardown(size: int) -> None:
    """The links of the root namespace as one group, so that there is one wait for RCU; then the namespaces."""
    root = Channel()
    root.change([(DELLINK, 0, _link(0, 0, _u32(27, GROUP)))])
    for number in range(size):
        path = f"{RUN}/{namespace(number)}"
        _call(_libc.umount2(path.encode(), MNT_DETACH))
        os.unlink(path)


# ---- counting -----------------------------------------------------------------------------------------------------


def _attributes(body: memoryview, at: int) -> dict[int, memoryview]:
    found, end = {}, len(body)
    while at + 4 <= end:
        size, number = _attribute.unpack_from(body, at)
        found[number & 0x3FFF] = body[at + 4 : at + size]
        at += (size + 3) & ~3
    return found


def _links(channel: Channel) -> dict[int, tuple[str, bool, int]]:
    """{ifindex: (name, up, master)}"""
    found = {}
    for body in channel.dump(GETLINK, _link(0, 0, _u32(29, 8))):  # without statistics
        _family, _type, index, flags = struct.unpack_from("=BxHiI", body)
        attributes = _attributes(body, 16)
        master = int.from_bytes(attributes.get(10, b""), sys.byteorder)
        found[index] = (bytes(attributes[3]).rstrip(b"\0").decode(), bool(flags & IFF_UP), master)
    return found


def _addresses(channel: Channel, links: dict[int, tuple[str, bool, int]]) -> set[tuple[str, str]]:
    """{(link, address/length)}, IPv4"""
    found = set()
    for body in channel.dump(GETADDR, struct.pack("=BBBBI", socket.AF_INET, 0, 0, 0, 0)):
        _family, length, _flags, _scope, index = struct.unpack_from("=BBBBI", body)
        found.add((links[index][0], f"{socket.inet_ntoa(_attributes(body, 8)[2])}/{length}"))
    return found


def _has_default(channel: Channel, links: dict[int, tuple[str, bool, int]]) -> bool:
    for body in channel.dump(GETROUTE, struct.pack("=BBBBBBBBI", socket.AF_INET, *[0] * 8)):
        if body[1] == 0 and body[4] == MAIN:
            attributes = _attributes(body, 12)
            out = links[int.from_bytes(attributes[4], sys.byteorder)][0]
            if out == INSIDE and socket.inet_ntoa(attributes[5]) == BRIDGE_ADDRESS:
                return True
    return False


def survey() -> dict[str, int]:
    """What there is, counted: only what is right counts. Every contestant's network goes through this."""
    home = os.open(SELF, os.O_RDONLY | os.O_CLOEXEC)
    channel = Channel()
    links = _links(channel)
    bridge = next((index for index, (name, _up, _master) in links.items() if name == BRIDGE), -1)
    names = sorted(os.listdir(RUN)) if os.path.isdir(RUN) else []
    count = dict.fromkeys(expected(0), 0)
    count["namespaces"] = len(names)
    count["links"] = len(links) - 1
    count["bridge up"] = int(links.get(bridge, ("", False, 0))[1])
    count["bridge addresses"] = int((BRIDGE, f"{BRIDGE_ADDRESS}/{LENGTH}") in _addresses(channel, links))
    count["ports up"] = sum(up and master == bridge for _name, up, master in links.values())
    channel.close()
    for number, name in enumerate(names):
        _enter(name)
        channel = Channel()
        links = _links(channel)
        up = {link for link, is_up, _master in links.values() if is_up}
        count["lo up"] += "lo" in up
        count["ends up"] += INSIDE in up
        count["addresses"] += (INSIDE, f"{address(number)}/{LENGTH}") in _addresses(channel, links)
        count["default routes"] += _has_default(channel, links)
        channel.close()
    _call(_libc.setns(home, CLONE_NEWNET))
    os.close(home)
    return count


def expected(size: int) -> dict[str, int]:
    """What survey() has to say of N namespaces."""
    each = ("namespaces", "ports up", "lo up", "ends up", "addresses", "default routes")
    return {**dict.fromkeys(each, size), "links": size + 1, "bridge up": 1, "bridge addresses": 1}


if __name__ == "__main__":
    raise_descriptor_limit()
    if sys.argv[1] != "start":  # which is there to be measured itself
        {"build": build, "rerun": rerun, "teardown": teardown}[sys.argv[1]](int(sys.argv[2]))
