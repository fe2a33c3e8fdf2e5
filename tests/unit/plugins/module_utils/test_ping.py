# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ping's output as numbers."""

from __future__ import annotations

from ansible_collections.linuxnet.lab.plugins.module_utils._ping import Probe, arguments, parse

ANSWERED = """PING 10.10.200.10 (10.10.200.10) 56(84) bytes of data.
64 bytes from 10.10.200.10: icmp_seq=1 ttl=64 time=0.091 ms
64 bytes from 10.10.200.10: icmp_seq=2 ttl=64 time=0.062 ms

--- 10.10.200.10 ping statistics ---
3 packets transmitted, 2 received, 33.3333% packet loss, time 2003ms
rtt min/avg/max/mdev = 0.062/0.076/0.091/0.013 ms
"""
TOO_LONG = """PING 172.17.1.3 (172.17.1.3) 1423(1451) bytes of data.
ping: local error: message too long, mtu=1450

--- 172.17.1.3 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms
"""
UNREACHABLE = """PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.
From 192.168.20.1 icmp_seq=1 Destination Host Unreachable

--- 192.0.2.1 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms
"""


def test_answers_are_counted_and_timed() -> None:
    assert parse(ANSWERED) == {
        "transmitted": 3, "received": 2, "loss": 33.3, "ttl": [64], "rtt": {"min": 0.062, "avg": 0.076, "max": 0.091},
        "errors": [],
    }  # fmt: skip


def test_complaints_are_told() -> None:
    assert parse(TOO_LONG)["errors"] == ["local error: message too long, mtu=1450"]
    assert parse(UNREACHABLE)["errors"] == ["Destination Host Unreachable"]
    assert parse("ping: connect: Network is unreachable\n") == {
        "transmitted": 0, "received": 0, "loss": 100.0, "ttl": [], "rtt": None, "errors": ["connect: Network is unreachable"],
    }  # fmt: skip


def test_a_probe_is_a_command_line() -> None:
    line = " ".join(arguments(Probe("10.0.0.1", size=1422, df=True, source="eth0")))
    assert line == "ping -n -c 3 -i 0.2 -s 1422 -W 2 -M do -I eth0 10.0.0.1"
