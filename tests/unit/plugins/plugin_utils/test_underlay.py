# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which address and device of a host its tunnels stand on."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.plugin_utils._underlay import Underlay, derived, known, underlay_of

REPORT = {
    "network": {
        "default": "ens32",
        "interfaces": {
            "lo": {"addresses": ["127.0.0.1"], "mtu": 65536},
            "ens32": {"addresses": ["fe80::1", "2001:db8::7", "192.168.26.100"], "mtu": 1500},
            "mgmt": {"addresses": ["198.18.0.2"], "mtu": 9000},
        },
    }
}
FACTS = {
    "interfaces": ["lo", "ens-32", "mgmt"],
    "lo": {"device": "lo", "mtu": 65536, "ipv4": {"address": "127.0.0.1"}},
    "ens_32": {
        "device": "ens-32",
        "mtu": 1500,
        "ipv4": {"address": "192.168.26.100"},
        "ipv6": [{"address": "2001:db8::7"}],
    },
    "mgmt": {
        "device": "mgmt",
        "mtu": 9000,
        "ipv4": {"address": "198.18.0.2"},
        "ipv4_secondaries": [{"address": "198.18.0.3"}],
    },
    "default_ipv4": {"interface": "ens-32", "address": "192.168.26.100"},
}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Underlay()),
        ({"underlay_address": "192.0.2.1"}, Underlay("192.0.2.1")),
        (
            {"underlay_address": "192.0.2.1", "underlay_mtu": 1400, "underlay_device": "eth9"},
            Underlay("192.0.2.1", "eth9", 1400),
        ),
        ({"underlay_address": "192.0.2.1", "underlay_mtu": "9000"}, Underlay("192.0.2.1", None, 9000)),
        (
            {"underlay_address": "192.0.2.1", "underlay_subnet": "192.0.2.0/29"},
            Underlay("192.0.2.1", subnet=ipaddress.IPv4Network("192.0.2.0/29")),
        ),
        ({"ansible_host": "192.0.2.5"}, Underlay("192.0.2.5")),
        ({"ansible_host": "h1.example"}, Underlay()),
        ({"ansible_host": "127.0.0.1"}, Underlay()),
        ({"prepare_report": REPORT}, Underlay("192.168.26.100", "ens32", 1500)),
        ({"prepare_report": REPORT, "ansible_host": "198.18.0.2"}, Underlay("198.18.0.2", "mgmt", 9000)),
        (
            {"prepare_report": REPORT, "ansible_host": "203.0.113.1"},
            Underlay("192.168.26.100", "ens32", 1500),
        ),  # behind NAT
        ({"prepare_report": REPORT, "underlay_address": "198.18.0.2"}, Underlay("198.18.0.2", "mgmt", 9000)),
        ({"prepare_report": REPORT, "underlay_address": "2001:db8::7"}, Underlay("2001:db8::7", "ens32", 1500)),
        ({"prepare_report": REPORT, "underlay_mtu": 1300}, Underlay("192.168.26.100", "ens32", 1300)),
        ({"ansible_facts": FACTS}, Underlay("192.168.26.100", "ens-32", 1500)),
        ({"ansible_facts": FACTS, "ansible_host": "198.18.0.3"}, Underlay("198.18.0.3", "mgmt", 9000)),
        ({"ansible_facts": {}}, Underlay()),
    ],
)
def test_underlay(variables: dict[str, Any], expected: Underlay) -> None:
    assert underlay_of(variables) == expected


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"underlay_address": "here"}, "underlay_address: 'here' is not an IP address"),
        ({"underlay_address": "192.0.2.9", "prepare_report": REPORT}, "'192.0.2.9' is on no interface of this host"),
        ({"underlay_address": "192.0.2.9", "underlay_mtu": "big"}, "underlay_mtu: 'big' is no MTU"),
        ({"underlay_address": "192.0.2.9", "underlay_mtu": 100}, "underlay_mtu: 100 is no MTU"),
        ({"underlay_address": "192.0.2.9", "underlay_subnet": "192.0.2.9/24"}, "'192.0.2.9/24' is not an IPv4 network"),
        (
            {"underlay_address": "192.0.2.9", "underlay_subnet": "192.0.2.0/29"},
            "underlay_subnet: '192.0.2.0/29' does not have the host's underlay address, 192.0.2.9",
        ),
    ],
)
def test_problems(variables: dict[str, Any], text: str) -> None:
    assert text in underlay_of(variables).problem


def test_version_and_known() -> None:
    assert Underlay("192.0.2.1").version == 4
    assert Underlay("2001:db8::1").version == 6
    assert Underlay().version is None
    assert known({"prepare_report": REPORT}) and not known({})


@pytest.mark.parametrize(
    ("network", "address", "expected"),
    [
        ("10.11.0.0/16", "192.168.26.100", "10.11.26.100"),
        ("172.18.42.0/24", "192.168.26.100", "172.18.42.100"),
        ("10.11.0.0/20", "192.168.255.7", "10.11.15.7"),
        ("172.18.42.0/24", "2001:db8::17", "172.18.42.23"),
    ],
)
def test_derived(network: str, address: str, expected: str) -> None:
    assert str(derived(ipaddress.IPv4Network(network), address)) == expected
