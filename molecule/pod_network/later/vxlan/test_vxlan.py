# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same network over VXLAN, as Calico has it (dataplane 2.3), switched while it stood."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from nodes import ADDRESS, BLOCK, POD, TUNNEL, UNDERLAY, ask, host_end, others, pings, routes, who

testinfra_hosts = ["ansible://pod_hosts"]


def mac(name: str) -> str:
    """66: and the first five bytes of sha1(name of the node)."""
    digits = "66" + hashlib.sha1(name.encode()).hexdigest()[:10]
    return ":".join(digits[n : n + 2] for n in range(0, 12, 2))


def test_the_tunnel(node: Any) -> None:
    (link,) = node.ip("-d addr show vxlan.calico")
    assert (link["mtu"], link["address"]) == (1450, mac(node.name)) and "UP" in link["flags"]
    assert [(a["local"], a["prefixlen"]) for a in link["addr_info"] if a["family"] == "inet"] == [
        (TUNNEL[node.name], 32)
    ]
    data = link["linkinfo"]["info_data"]
    assert (data["id"], data["port"], data["local"], data["link"]) == (4096, 4789, UNDERLAY[node.name], "ens32")
    assert not data["learning"] and "remote" not in data and "group" not in data


def test_entries_and_routes(node: Any) -> None:
    neighbors = {one["dst"]: one for one in node.ip("-4 neigh show dev vxlan.calico")}
    fdb = {one["mac"]: one for one in json.loads(node.sh("bridge -j fdb show dev vxlan.calico"))}
    found = routes(node)
    for other in others(node):
        assert (neighbors[TUNNEL[other]]["lladdr"], neighbors[TUNNEL[other]]["state"]) == (mac(other), ["PERMANENT"])
        entry = fdb[mac(other)]
        assert (entry["dst"], entry["flags"], entry["state"]) == (UNDERLAY[other], ["self"], "permanent")
        route = found[BLOCK[other]]
        assert (route["gateway"], route["dev"]) == (TUNNEL[other], "vxlan.calico")
        assert (route["protocol"], route["flags"]) == ("bird", ["onlink"])
    assert len(neighbors) == len(fdb) == 2 and found[BLOCK[node.name]]["type"] == "blackhole"


def test_nothing_of_the_other_tunnel_is_left(node: Any) -> None:
    (link,) = node.ip("addr show tunl0")  # the kernel's own, in each namespace
    assert link["flags"] == ["NOARP"] and not link["addr_info"]
    rules = node.sh("iptables-save")
    assert "tunl0" not in rules and "ipencap" not in rules
    not_ours = "! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL"
    for proto, ports in (("-p udp ", " --to-ports 4790-65535"), ("", "")):
        assert f"-A LINUXNET-POD-POST -o vxlan.calico {proto}-m addrtype {not_ours} -j MASQUERADE{ports}" in rules
    for other in others(node):
        assert f"-A LINUXNET-POD-IN -s {UNDERLAY[other]}/32 -p udp -m udp --dport 4789 -j ACCEPT" in rules


def test_pods_reach_each_other(node: Any) -> None:
    assert pings(node, *((POD[node.name], ADDRESS[other], "") for other in others(node))) == [(3, [62])] * 2
    (answers,) = ask(node, POD[node.name], ("tcp", "10.96.0.80", 80, 40))
    assert who(answers) == set(POD.values())


def test_the_outer_header(node: Any) -> None:
    other = others(node)[0]
    meanwhile = f"ip netns exec {POD[node.name]} ping -c 2 {ADDRESS[other]}"
    packet = node.capture("", "ens32", f"udp dst port 4789 and dst {UNDERLAY[other]}", meanwhile)
    assert (packet.protocol, packet.source, packet.destination) == (17, UNDERLAY[node.name], UNDERLAY[other])
    udp, vxlan = packet.payload[:8], packet.payload[8:16]
    assert int.from_bytes(udp[2:4], "big") == 4789
    assert vxlan[0] == 8 and int.from_bytes(vxlan[4:7], "big") == 4096  # the flag that says that there is a VNI
    frame = packet.payload[16:]
    assert frame[:6].hex(":") == mac(other) and frame[6:12].hex(":") == mac(node.name)
    inner = type(packet)(frame[14:])
    assert (inner.protocol, inner.source, inner.destination, inner.ttl) == (1, ADDRESS[node.name], ADDRESS[other], 63)


def test_a_packet_of_the_mtu_passes_and_none_that_is_longer(node: Any) -> None:
    (end,) = node.ip(f"link show {host_end(POD[node.name])}")
    (inside,) = node.ip(f"-n {POD[node.name]} link show eth0")
    assert end["mtu"] == inside["mtu"] == 1450
    sizes = [(POD[node.name], ADDRESS[others(node)[0]], f"-M do -s {size}") for size in (1422, 1423)]
    assert [answers for answers, _ttl in pings(node, *sizes)] == [3, 0]
