# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node of the pod network on the kernel: pods reach each other and the node through proxy ARP; others come and go."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, run
from ansible_collections.linuxnet.lab.plugins.plugin_utils.pod_network import plan

from ..engine.support import lab, sh, state, unlike
from .hosts import look

__all__ = ["lab"]
pytestmark = pytest.mark.usefixtures("lab")
POD = Options(name="pod_network", prune=True, recreate=True)


def node() -> None:
    """The host's own network: ens32, with another machine behind it."""
    for line in (
        "ip netns add other",
        "ip link add ens32 type veth peer name eth0 netns other",
        "ip addr add 192.168.26.105/24 dev ens32",
        "ip link set ens32 up",
        "ip -n other addr add 192.168.26.106/24 dev eth0",
        "ip -n other link set eth0 up",
    ):
        sh(*line.split())


def description(**values: Any) -> Any:
    stated = {"encapsulation": "vxlan", "block": "10.244.169.64/26", **values, **look()}
    host = {"underlay_address": "192.168.26.105", "underlay_device": "ens32", "underlay_mtu": 1500}
    other = {
        **host,
        "underlay_address": "192.168.26.106",
        "pod_network_stated": {**stated, "pods": [], "block": "10.244.31.64/26"},
    }
    hosts = {"vms105": {**host, "pod_network_stated": stated}, "vms106": other}
    part = plan(stated, "vms105", hosts, list(hosts))
    assert not part["problems"], part["problems"]
    return part["description"]


def ping(netns: str, dst: str) -> str:
    return sh("ip", "netns", "exec", netns, "ping", "-n", "-c", "2", "-i", "0.1", "-W", "2", dst, check=False)


PODS = [{"name": "minio-b6d98746c-m7rzc", "namespace": "velero", "address": "10.244.169.89"}, "web"]


@pytest.mark.parametrize("encapsulation", ["vxlan", "none"])
def test_a_node_stands_and_goes_without_a_trace(encapsulation: str) -> None:
    node()
    start = state()
    assert run(description(pods=PODS, encapsulation=encapsulation), POD).changed
    assert not run(description(pods=PODS, encapsulation=encapsulation), POD).changed

    minio, web = "velero.minio-b6d98746c-m7rzc", "default.web"
    routes = sh("ip", "route")
    assert "10.244.169.89 dev calia011d753862 scope link" in routes
    assert "blackhole 10.244.169.64/26 proto bird" in routes
    assert sh("ip", "-n", minio, "route").split("\n")[:2] == [
        "default via 169.254.1.1 dev eth0 ", "169.254.1.1 dev eth0 scope link ",
    ]  # fmt: skip
    (end,) = json.loads(sh("ip", "-j", "addr", "show", "calia011d753862"))
    assert end["address"] == "ee:ee:ee:ee:ee:ee"
    assert [one for one in end["addr_info"] if one["family"] == "inet"] == []
    for name, value in (
        ("conf", "proxy_arp=1"),
        ("neigh", "proxy_delay=0"),
        ("conf", "route_localnet=1"),
        ("conf", "forwarding=1"),
    ):
        option, _equals, expected = value.partition("=")
        assert sh("sysctl", "-n", f"net.ipv4.{name}.calia011d753862.{option}").strip() == expected
    if look()["default_accept_ra"]:  # the kernel has IPv6
        assert sh("sysctl", "-n", "net.ipv6.conf.calia011d753862.accept_ra").strip() == "0"

    answer = ping(web, "10.244.169.89")
    assert " 0% packet loss" in answer and set(re.findall(r"ttl=(\d+)", answer)) == {"63"}
    assert " 0% packet loss" in ping(minio, "192.168.26.105")
    assert " 0% packet loss" in ping(minio, "192.168.26.106")  # masqueraded: that machine has no route to the pool

    run({}, POD)
    assert not unlike(start, state())


def test_pods_come_and_go_while_another_ones_pings_go_on() -> None:
    node()
    run(description(pods=PODS), POD)
    with subprocess.Popen(
        ["ip", "netns", "exec", "default.web", "ping", "-n", "-i", "0.02", "-c", "200", "10.244.169.89"],
        stdout=subprocess.PIPE, text=True,
    ) as pinging:  # fmt: skip
        assert run(description(pods=[*PODS, "api"]), POD).changed
        assert run(description(pods=[*PODS, {"name": "api", "address": "10.244.169.100"}]), POD).changed
        assert run(description(pods=PODS), POD).changed
        assert pinging.poll() is None, "the changes took longer than the pings"
        text, _errors = pinging.communicate()
    assert "200 packets transmitted, 200 received" in text


def test_the_encapsulation_of_a_standing_network_is_switched() -> None:
    node()
    run(description(pods=PODS, encapsulation="none"), POD)
    assert run(description(pods=PODS, encapsulation="vxlan"), POD).changed
    assert "10.244.31.64/26 via 10.244.31.64 dev vxlan.calico proto bird onlink" in sh("ip", "route")
    assert run(description(pods=PODS, encapsulation="none"), POD).changed
    assert "10.244.31.64/26 via 192.168.26.106 dev ens32 proto bird" in sh("ip", "route")
    assert "vxlan.calico" not in sh("ip", "link")
    assert not run(description(pods=PODS, encapsulation="none"), POD).changed
