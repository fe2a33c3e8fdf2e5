# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the scenarios' tests share: iproute2's own view of a host, pings, and packets as they are on the wire."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

NODES = ["vms100", "vms101", "vms102"]
UNDERLAY = {name: f"192.168.26.{100 + number}" for number, name in enumerate(NODES)}

# A name server that gives each name the address argv[1]. It prints its process, which ends with the test.
NAME_SERVER = r"""
import os, socket, sys
own = socket.socket(type=socket.SOCK_DGRAM)
own.bind((sys.argv[1], 53))
if pid := os.fork():
    print(pid)
    sys.exit()
for stream in range(3):
    os.dup2(os.open(os.devnull, os.O_RDWR), stream)
while True:
    query, client = own.recvfrom(512)
    end = query.index(0, 12) + 5
    known = query[end - 4 : end] == bytes([0, 1, 0, 1])  # IN A
    answer = bytes([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]) + socket.inet_aton(sys.argv[1])
    header = query[:2] + bytes([0x81, 0x80, 0, 1, 0, known, 0, 0, 0, 0])
    own.sendto(header + query[12:end] + answer * known, client)
"""


class Packet(NamedTuple):
    """An IPv4 packet: its bytes behind the Ethernet header, and what the header says."""

    data: bytes

    @property
    def protocol(self) -> int:
        return self.data[9]

    @property
    def ttl(self) -> int:
        return self.data[8]

    @property
    def source(self) -> str:
        return ".".join(map(str, self.data[12:16]))

    @property
    def destination(self) -> str:
        return ".".join(map(str, self.data[16:20]))

    @property
    def payload(self) -> bytes:
        return self.data[(self.data[0] & 15) * 4 :]


class Node:
    """A test host, asked with iproute2, ping and tcpdump."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.name = host.backend.get_hostname()

    def sh(self, command: str) -> str:
        done = self.host.run(command)
        assert done.rc == 0, (command, done.stdout, done.stderr)
        return str(done.stdout)

    def ip(self, arguments: str) -> Any:
        return json.loads(self.sh(f"ip -j {arguments}") or "[]")

    def info(self, module: str, **options: Any) -> Any:
        """What a module that only looks finds here, over SSH; it never says that it changed something."""
        found = self.host.ansible(f"linuxnet.lab.{module}", json.dumps(options) if options else None, check=False)
        assert found.get("changed") is False and "msg" not in found, found
        return found

    def ping(self, netns: str, address: str, options: str = "") -> tuple[int, list[int]]:
        """How many of three requests were answered, and the ttl values of the answers."""
        inside = f"ip netns exec {netns} " if netns else ""
        out = self.host.run(f"{inside}ping -n -c 3 -i 0.2 -W 5 {options} {address}").stdout
        return len(re.findall("bytes from", out)), sorted({int(ttl) for ttl in re.findall(r"ttl=(\d+)", out)})

    def capture(self, netns: str, device: str, wanted: str, meanwhile: str) -> Packet:
        """The first packet on a device that the filter wants, while a command runs. Offloads do not change pings."""
        inside = f"ip netns exec {netns} " if netns else ""
        script = f": >/tmp/started; {inside}tcpdump -i {device} -c 1 -n -x -U {shlex.quote(wanted)} 2>/tmp/started & pid=$!; "
        script += "for i in $(seq 600); do grep -q listening /tmp/started && break; sleep 0.05; done; "
        script += f"{meanwhile} >/dev/null 2>&1; (sleep 5; kill $pid) >/dev/null 2>&1 & wait $pid"
        out = self.sh(f"bash -c {shlex.quote(script)}")
        hexes = re.findall(r"^\s+0x[0-9a-f]+:\s+((?:[0-9a-f]{2,4} ?)+)", out, re.M)
        assert hexes, f"no packet {wanted} on {device}: {out}"
        return Packet(bytes.fromhex("".join(hexes).replace(" ", "")))

    def capture_at(self, far: Node, device: str, wanted: str, ping: str) -> Packet:
        """The first packet that arrives at another host, which this one sends with a command again and again."""
        with ThreadPoolExecutor() as pool:
            found = pool.submit(far.capture, "", device, wanted, ":")
            while not found.done():
                self.sh(ping)
            return found.result()

    @contextmanager
    def name_server(self, address: str) -> Iterator[None]:
        """A name server on this host until the end of the block; all names have its own address."""
        process = self.sh(f"python3 -c {shlex.quote(NAME_SERVER)} {address}").strip()
        try:
            yield
        finally:
            self.sh(f"kill {process}")

    @contextmanager
    def without_forwarding(self) -> Iterator[None]:
        """The host forwards no packets until the end of the block."""
        self.sh("sysctl -qw net.ipv4.ip_forward=0")
        try:
            yield
        finally:
            self.sh("sysctl -qw net.ipv4.ip_forward=1")


@pytest.fixture
def node(host: Any) -> Node:
    """The test host that a test is about."""
    return Node(host)


@pytest.fixture
def outside(host: Any) -> Node:
    """The test host that plays the Internet."""
    return Node(host.get_host("ansible://outside", ansible_inventory=host.backend.ansible_inventory))
