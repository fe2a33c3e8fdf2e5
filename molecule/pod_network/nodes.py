# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nodes and pods of this scenario, and what is asked of them."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import shlex
from typing import Any

UNDERLAY = {"vms100": "192.168.26.100", "vms101": "192.168.26.101", "vms102": "192.168.26.102"}
BLOCK = {"vms100": "10.244.239.128/26", "vms101": "10.244.198.0/26", "vms102": "10.244.63.64/26"}  # the documents'
TUNNEL = {name: block.partition("/")[0] for name, block in BLOCK.items()}
# a pod of each node that stays all the time: its namespace, and its address, the block's first one behind the tunnel's
POD = {"vms100": "velero.minio-b6d98746c-m7rzc", "vms101": "default.web-1", "vms102": "default.web-2"}
ADDRESS = {name: str(ipaddress.ip_network(block)[1]) for name, block in BLOCK.items()}
GATEWAY, OUTSIDE = "192.168.26.2", "203.0.113.10"

# Requests, each from a port of its own: prints their answers, in the order of [protocol, address, port, times] given.
_ASK = r"""
import json, socket, sys
patience = float(sys.argv[2])
def ask(protocol, address, port):
    kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[protocol]
    with socket.socket(type=kind) as own:
        own.settimeout(patience)
        try:
            own.connect((address, port))
            own.send(b"GET / HTTP/1.0\r\n\r\n")
            text = own.recv(65536)
            while protocol == "tcp" and (part := own.recv(65536)):
                text += part
        except OSError as error:
            return {"error": type(error).__name__}
    return json.loads(text.rpartition(b"\r\n\r\n")[2])
print(json.dumps([[ask(*where) for _ in range(times)] for *where, times in json.loads(sys.argv[1])]))
"""


def host_end(pod: str) -> str:
    """The host end of NAMESPACE.NAME."""
    return "cali" + hashlib.sha1(pod.encode()).hexdigest()[:11]


def others(node: Any) -> list[str]:
    """The other nodes' names."""
    return [name for name in UNDERLAY if name != node.name]


def routes(node: Any) -> dict[str, dict[str, Any]]:
    """The routes of the node's main table, by destination."""
    return {route["dst"]: route for route in node.ip("-4 -d route show table main")}


def pings(node: Any, *wanted: tuple[str, str, str]) -> list[tuple[int, list[int]]]:
    """Like node.ping(), for several (namespace, address, options) at the same time."""
    lines = [
        f"{f'ip netns exec {netns} ' if netns else ''}ping -n -c 3 -i 0.2 -W 5 {options} {address} >/tmp/ping.{number} 2>&1 &"
        for number, (netns, address, options) in enumerate(wanted)
    ]
    show = [f"cat /tmp/ping.{number}; echo END" for number in range(len(wanted))]
    found = node.sh("\n".join([*lines, "wait", *show])).split("END\n")[: len(wanted)]
    return [(text.count("bytes from"), sorted({int(ttl) for ttl in re.findall(r"ttl=(\d+)", text)})) for text in found]


def ask(node: Any, netns: str, *wanted: tuple[str, str, int, int], patience: int = 15) -> list[list[dict[str, Any]]]:
    """The answers to requests from a host or one of its pods, a list for each (protocol, address, port, times).

    `patience` is in seconds: a busy machine is slow, and only where silence is expected is it worth less.
    """
    inside = f"ip netns exec {netns} " if netns else ""
    text = node.sh(f"{inside}python3 -c {shlex.quote(_ASK)} {shlex.quote(json.dumps(wanted))} {patience}")
    found: list[list[dict[str, Any]]] = json.loads(text)
    return found


def who(answers: list[dict[str, Any]]) -> set[str]:
    """Who answered, or the errors."""
    return {answer.get("error") or answer["name"].removesuffix(".udp") for answer in answers}


def seen(answers: list[dict[str, Any]]) -> set[str]:
    """Whom the servers saw, or the errors."""
    return {answer.get("error") or answer["client"] for answer in answers}
