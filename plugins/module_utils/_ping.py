# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ping(8) of iputils: its command line, its output as numbers, many of them at once in their namespaces."""

from __future__ import annotations

import re
import subprocess
from typing import Any, NamedTuple

from ._netns import Namespaces

IPV4_ICMP = 28  # bytes of IPv4 and ICMP header around a payload
_AT_ONCE = 64
_REPLY = re.compile(r"bytes from .*ttl=(\d+)")
_COUNTS = re.compile(r"(\d+) packets transmitted, (\d+) received")
_RTT = re.compile(r"= ([\d.]+)/([\d.]+)/([\d.]+)")
_ERROR = re.compile(r"(?:From \S+ icmp_seq=\d+ |ping: |local error: ?)(.+)")


class Probe(NamedTuple):
    """One destination to ask, from one namespace."""

    dst: str
    netns: str = ""
    requests: int = 3
    interval: float = 0.2
    size: int = 56  # bytes of payload: what goes over the wire is 28 more (IPv4)
    df: bool = False  # do not fragment, and do not let the host do it
    source: str = ""
    timeout: int = 2  # seconds to wait for the last answer


def arguments(probe: Probe) -> list[str]:
    """The command line."""
    found = ["ping", "-n", "-c", str(probe.requests), "-i", f"{probe.interval:g}", "-s", str(probe.size)]
    found += ["-W", str(probe.timeout)]
    found += ["-M", "do"] if probe.df else []
    found += ["-I", probe.source] if probe.source else []
    return [*found, probe.dst]


def parse(output: str) -> dict[str, Any]:
    """What ping says: packets, loss in per cent, the ttl of the replies, round trip times in ms, its complaints."""
    counts = _COUNTS.search(output)
    sent, received = (int(counts[1]), int(counts[2])) if counts else (0, 0)
    times = _RTT.search(output)
    return {
        "transmitted": sent,
        "received": received,
        "loss": round(100 * (sent - received) / sent, 1) if sent else 100.0,
        "ttl": sorted({int(value) for value in _REPLY.findall(output)}),
        "rtt": dict(zip(("min", "avg", "max"), map(float, times.groups()))) if times else None,
        "errors": sorted({line.strip() for line in _ERROR.findall(output)}),
    }


def run(probes: list[Probe], namespaces: Namespaces) -> list[dict[str, Any]]:
    """All probes, as many at once as is decent; results in their order. FileNotFoundError without ping."""
    results: list[dict[str, Any]] = []
    for start in range(0, len(probes), _AT_ONCE):
        running = [_start(probe, namespaces) for probe in probes[start : start + _AT_ONCE]]
        for child in running:
            output, _none = child.communicate()
            results.append(parse(output))
    return results


def _start(probe: Probe, namespaces: Namespaces) -> subprocess.Popen[str]:
    with namespaces.entered(probe.netns):
        return subprocess.Popen(
            arguments(probe), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        )  # fmt: skip
