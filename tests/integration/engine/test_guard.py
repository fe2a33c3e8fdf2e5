# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The management guard: a plan that would cut the way that the controller came in on is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils import _guard_way, _netns
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, Refused, run
from ansible_collections.linuxnet.lab.plugins.module_utils._guard_way import Connection, ssh_connection
from ansible_collections.linuxnet.lab.plugins.plugin_utils import _kube

from .support import sh, state, unlike

pytestmark = pytest.mark.usefixtures("lab", "way")
CONNECTION = "198.51.100.9 50000 192.0.2.1 22"
CONNECTION6 = "2001:db8:1::9 50000 2001:db8::1 22"


@pytest.fixture
def way(lab: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The controller comes from 198.51.100.9 over the bridge br0, whose port is nic; from far, a port of sw in `out`."""
    for line in (
        "ip netns add red",
        "ip link add br0 type bridge",
        "ip netns add out",
        "ip link add nic type veth peer name far netns out",
        "ip -n out link add sw type bridge",
        "ip -n out link set far master sw up",
        "ip -n out link set sw up",
        "ip link set nic master br0 up",
        "ip link set br0 up",
        "ip addr add 192.0.2.1/24 dev br0",
        "ip addr add 2001:db8::1/64 dev br0 nodad",
        "ip route add default via 192.0.2.254 metric 100",
        "ip -6 route add default via 2001:db8::fe",
        "ip link add other type veth peer name other1",
        "ip link set other up",
        "ip link set other1 up",
    ):
        sh(*line.split())
    monkeypatch.setenv("SSH_CONNECTION", CONNECTION)
    yield


def _chain(source: str, *rules: str, table: str = "filter", **jump: str) -> dict[str, Any]:
    return {"name": "LINUXNET-T", "table": table, "rules": list(rules), "jumps": [{"from": source, **jump}]}


def _link(name: str, **options: Any) -> dict[str, Any]:
    return {"links": [{"name": name, **options}]}


def _port(**options: Any) -> dict[str, Any]:
    return _link("nic", port=options)


def _chains(*chains: dict[str, Any]) -> dict[str, Any]:
    return {"chains": list(chains)}


def _sysctl(name: str, value: int) -> dict[str, Any]:
    return {"sysctls": [{"name": name, "value": value}]}


def _found(session: str) -> list[str]:
    """What the kernel finds for the session's packets, out and in. It calls `local` and `main` one table or two."""
    client, client_port, server, server_port = session.split()
    ports = f"ipproto tcp sport {server_port} dport {client_port} tos 0x10"
    return [
        sh(*f"ip -o route get {client} from {server} {ports}".split(), check=False),
        sh(*f"ip -o route get {server} from {client} iif br0".split(), check=False).replace(" table local", ""),
    ]


ELSEWHERE = "lead the answers to the controller elsewhere"
_ROUTING = (ELSEWHERE, "removing the address", "removing the route", "changing value", "changing mtu")
STOPPED = "would stop packets of the controller"
ESTABLISHED = "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
CUTTING: list[tuple[dict[str, Any], str]] = [
    # the links of the way
    (_link("br0", state="absent"), "deleting it"),
    ({"namespaces": [{"name": "out", "state": "absent"}]}, "deleting it"),
    (_link("br0", up=False), "changing up"),
    (_link("nic", master=""), "changing master"),
    (_link("nic", up=False), "changing up"),
    (_link("far", netns="out", up=False), "changing up"),
    (_link("far", netns="out", master=""), "changing master"),
    (_link("sw", netns="out", state="absent"), "deleting it"),
    (
        {"links": [{"name": "lo", "netns": "out"}, {"name": "far", "netns": "red", "move_from": "out"}]},
        "moving it",
    ),
    (_link("br0", address="02:00:00:00:00:01"), "changing address"),
    (_link("nic", netns="red", move_from=""), "moving it"),
    (_port(locked=True), "changing port.locked"),
    (_port(guard=True), "changing port.guard"),
    (_port(flood=False, learning=False), "changing port.flood, port.learning"),
    # addresses
    ({"addresses": [{"dev": "br0", "address": "192.0.2.1/24", "state": "absent"}]}, "removing the address"),
    (
        {"addresses": [{"dev": "br0", "address": "192.0.2.1/24", "valid_lft": 60, "preferred_lft": 60}]},
        "would end with the address",
    ),
    ({"addresses": [{"dev": "other", "address": "198.51.100.10/24"}]}, ELSEWHERE),
    ({"addresses": [{"dev": "other", "address": "203.0.113.1/32", "peer": "198.51.100.9"}]}, ELSEWHERE),
    ({"addresses": [{"dev": "lo", "address": "198.51.100.9/32"}]}, "is that of the controller"),
    ({"addresses": [{"dev": "lo", "address": "192.0.2.254/32"}]}, "or of the gateway"),
    # routes
    ({"routes": [{"dst": "default", "metric": 100, "state": "absent"}]}, "removing the route"),
    ({"routes": [{"dst": "default", "metric": 100, "via": "192.0.2.253"}]}, ELSEWHERE),
    ({"routes": [{"dst": "default", "dev": "other"}]}, ELSEWHERE),
    ({"routes": [{"dst": "default", "type": "blackhole", "metric": 99}]}, ELSEWHERE),
    ({"routes": [{"dst": "198.51.100.0/24", "type": "blackhole"}]}, ELSEWHERE),
    ({"routes": [{"dst": "198.51.100.0/24", "type": "throw"}]}, ELSEWHERE),
    ({"routes": [{"dst": "198.51.100.0/24", "dev": "br0", "metric": 7}]}, ELSEWHERE),
    ({"routes": [{"dst": "0.0.0.0/1", "dev": "other"}, {"dst": "128.0.0.0/1", "dev": "other"}]}, ELSEWHERE),
    # policy rules
    ({"rules": [{"priority": 100, "to": "198.51.100.0/24", "action": "prohibit"}]}, ELSEWHERE),
    ({"rules": [{"priority": 100, "from": "192.0.2.1", "action": "blackhole"}]}, ELSEWHERE),
    ({"rules": [{"priority": 100, "ipproto": "tcp", "sport": 22, "action": "unreachable"}]}, ELSEWHERE),
    ({"rules": [{"priority": 100, "tos": "0x10", "action": "unreachable"}]}, ELSEWHERE),
    ({"rules": [{"priority": 100, "goto": 32767}]}, ELSEWHERE),
    (
        {
            "rules": [{"priority": 100, "table": 77}],
            "routes": [{"dst": "198.51.100.0/25", "dev": "other", "table": 77}],
        },
        ELSEWHERE,
    ),
    # neighbours and parameters
    (
        {"neighbors": [{"dev": "br0", "dst": "192.0.2.254", "lladdr": "02:00:00:00:00:99"}]},
        "would fix where the answers",
    ),
    (_sysctl("net.ipv4.conf.br0.arp_ignore", 8), "nobody would find the host"),
    # chains
    (_chains(_chain("INPUT", "-j DROP")), STOPPED),
    (_chains(_chain("INPUT", "-p tcp --dport 22 -j REJECT")), STOPPED),
    (_chains(_chain("INPUT", "-p tcp -m multiport --dports 21:23,80 -j DROP")), STOPPED),
    (_chains(_chain("INPUT", "! -s 203.0.113.0/24 -j DROP")), STOPPED),
    (_chains(_chain("INPUT", "-j DROP", rule="-i br+")), STOPPED),
    (_chains(_chain("INPUT", "-m limit --limit 3/min -j ACCEPT", "-j DROP")), STOPPED),
    (_chains(_chain("INPUT", ESTABLISHED, "-m conntrack --ctstate NEW -j DROP")), STOPPED),
    (_chains(_chain("OUTPUT", "-d 198.51.100.0/24 -j DROP")), STOPPED),
    (_chains(_chain("OUTPUT", "-p tcp --sport 22 -m length --length 100: -j DROP")), STOPPED),
    (_chains(_chain("PREROUTING", "-m addrtype --dst-type LOCAL -j DROP", table="raw")), STOPPED),
    (_chains(_chain("POSTROUTING", "-o br0 -j DROP", table="mangle")), STOPPED),
    (_chains(_chain("PREROUTING", "-p tcp --dport 22 -j REDIRECT --to-ports 2222", table="nat")), STOPPED),
    (
        _chains(
            _chain("INPUT", "-p tcp -j LINUXNET-U"),
            {"name": "LINUXNET-U", "table": "filter", "rules": ["-s 198.51.100.9 -j RETURN", "-j DROP"]},
            {"name": "LINUXNET-V", "table": "filter", "rules": ["-j DROP"], "jumps": ["OUTPUT"]},
        ),
        STOPPED,
    ),
]
CUTTING6: list[tuple[dict[str, Any], str]] = [
    (_sysctl("net.ipv6.conf.br0.disable_ipv6", 1), "changing value"),
    (_sysctl("net.ipv6.conf.all.disable_ipv6", 1), "changing value"),
    (_link("br0", mtu=1200), "changing mtu"),
    (_link("nic", mtu=1279), "changing mtu"),
    ({"addresses": [{"dev": "other", "address": "2001:db8:1::1/64"}]}, ELSEWHERE),
    ({"routes": [{"dst": "default", "family": "inet6", "dev": "other", "metric": 1}]}, ELSEWHERE),
    ({"rules": [{"priority": 100, "family": "inet6", "action": "prohibit"}]}, ELSEWHERE),
    ({"neighbors": [{"dev": "br0", "dst": "2001:db8::fe", "lladdr": "02:00:00:00:00:99"}]}, "would fix where"),
    (_chains({**_chain("INPUT", "-j DROP"), "family": "ipv6"}), STOPPED),
]
SERVICES = (
    _kube.Service("default", "web", "http", "tcp", "10.96.0.10", 80, 30080, (_kube.Endpoint("10.244.1.2", 80, True),)),
    _kube.Service("default", "gone", "ssh", "tcp", "10.96.0.11", 22, 30022, ()),
)
HARMLESS: list[dict[str, Any]] = [
    _link("br0", mtu=1200),
    _link("other", up=False),
    _link("other", netns="red", move_from=""),
    _port(cost=7, isolated=True),
    {"addresses": [{"dev": "br0", "address": "192.0.2.77/24"}]},
    {"addresses": [{"dev": "other", "address": "192.0.2.78/24"}]},
    {"addresses": [{"dev": "other", "address": "198.51.100.10/24", "noprefixroute": True}]},
    {"routes": [{"dst": "203.0.113.0/24", "type": "blackhole"}]},
    {"routes": [{"dst": "default", "dev": "other", "metric": 101}]},
    {"routes": [{"dst": "198.51.100.0/24", "via": "192.0.2.254"}]},
    {"routes": [{"dst": "default", "dev": "other", "table": 77}]},
    {"routes": [{"netns": "red", "dst": "198.51.100.0/24", "type": "blackhole"}]},
    {"routes": [{"dst": "default", "type": "blackhole", "family": "inet6", "metric": 1}]},
    {"rules": [{"priority": 100, "to": "203.0.113.0/24", "action": "prohibit"}]},
    {"rules": [{"priority": 100, "fwmark": 1, "action": "prohibit"}]},
    {"rules": [{"priority": 100, "iif": "other", "action": "prohibit"}]},
    {"rules": [{"priority": 100, "ipproto": "tcp", "sport": 23, "action": "prohibit"}]},
    {"rules": [{"priority": 100, "table": 77}], "routes": [{"dst": "203.0.113.0/24", "dev": "other", "table": 77}]},
    {"rules": [{"priority": 100, "suppress_prefixlength": 0}]},
    {"rules": [{"priority": 40000, "action": "prohibit"}]},
    {"neighbors": [{"dev": "br0", "dst": "192.0.2.77", "lladdr": "02:00:00:00:00:99"}]},
    {"neighbors": [{"dev": "other", "dst": "192.0.2.254", "lladdr": "02:00:00:00:00:99"}]},
    _sysctl("net.ipv6.conf.br0.disable_ipv6", 1),
    _sysctl("net.ipv4.conf.br0.arp_ignore", 1),
    _chains(_chain("INPUT", "-p tcp --dport 22 -s 198.51.100.0/24 -j ACCEPT", ESTABLISHED, "-j DROP")),
    _chains(_chain("INPUT", "-i other -j DROP", "-p tcp --dport 23:65535 -j REJECT", "-d 192.0.2.2 -j DROP")),
    _chains(_chain("INPUT", "-m conntrack --ctstate INVALID -j DROP", "-p icmp -j DROP", "-p udp -j DROP")),
    _chains(_chain("INPUT", "-j DROP", rule="-i other")),
    _chains(_chain("INPUT", "-p tcp ! --syn -m conntrack --ctstate NEW -j DROP", "-m mark --mark 1 -j DROP")),
    _chains(_chain("INPUT", "-j RETURN", "-j DROP")),
    _chains(_chain("FORWARD", "-j DROP")),
    _chains({**_chain("INPUT", "-j DROP"), "family": "ipv6"}),
    _chains({"name": "LINUXNET-T", "table": "filter", "rules": ["-j DROP"]}),
    _chains(*_kube.chains(SERVICES, _kube.Settings("10.244.0.0/16", 0x4000, (), True, True))),
]
HARMLESS6: list[dict[str, Any]] = [
    _sysctl("net.ipv6.conf.default.disable_ipv6", 1),
    _sysctl("net.ipv6.conf.other.disable_ipv6", 1),
    _sysctl("net.ipv6.conf.all.forwarding", 1),
    _link("br0", mtu=1280),
    _link("other", mtu=1000),
    {"routes": [{"dst": "default", "type": "blackhole", "metric": 1}]},
]


def _sessions(four: list[Any], six: list[Any]) -> list[Any]:
    return [(CONNECTION, one) for one in four] + [(CONNECTION6, one) for one in six]


@pytest.mark.parametrize("session, case", _sessions(CUTTING, CUTTING6))
def test_the_way_of_the_controller_is_not_cut_unasked(
    session: str, case: tuple[dict[str, Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", session)
    description, reason = case
    client, _blank, _rest = session.partition(" ")
    before = state()
    with pytest.raises(Refused) as refused:
        run(description, Options(adopt=True))
    said = str(refused.value)
    assert reason in said and f"the controller ({client}) comes in over br0, nic" in said
    assert "allow_disconnect: true" in said
    assert not unlike(before, state())


@pytest.mark.parametrize("session, case", _sessions(CUTTING, CUTTING6))
def test_the_way_of_the_controller_is_cut_when_that_is_meant(
    session: str, case: tuple[dict[str, Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", session)
    before = _found(session)
    assert run(case[0], Options(adopt=True, allow_disconnect=True)).changed
    if case[1] in _ROUTING:
        assert _found(session) != before


@pytest.mark.parametrize("session, description", _sessions(HARMLESS, HARMLESS6))
def test_what_does_not_cut_the_way_is_done(
    session: str, description: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", session)
    before = _found(session)
    assert run(description, Options(adopt=True)).changed
    assert _found(session) == before and all(before)


def test_what_stops_the_controller_already_is_no_reason_to_refuse_something_else() -> None:
    """Somebody has said allow_disconnect, or an earlier rule of their own accepts the controller."""
    run(_chains(_chain("INPUT", "-j DROP")), Options(allow_disconnect=True))
    other = {"name": "LINUXNET-U", "table": "filter", "rules": ["-p udp -j ACCEPT"], "jumps": ["INPUT"]}
    assert run(_chains(_chain("INPUT", "-j DROP"), other)).changed


def test_an_address_that_waits_on_a_link_that_is_down_is_seen_when_the_link_goes_up() -> None:
    for line in ("ip link set other down", "ip addr add 198.51.100.10/24 dev other"):
        sh(*line.split())
    with pytest.raises(Refused, match="changing up would cut the connection: the controller"):
        run(_link("other", up=True), Options(adopt=True))


@pytest.mark.parametrize(
    "description, reason",
    [(_link("other", state="absent"), "deleting it"), (_link("other1", state="absent"), "deleting it"),
     (_link("other", up=False), "changing up"), (_link("other", netns="red", move_from=""), "moving it")],
)  # fmt: skip
def test_the_link_that_has_the_hosts_address_need_not_be_the_one_of_the_way(
    description: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sh("ip", "addr", "add", "203.0.113.5/32", "dev", "other")
    monkeypatch.setenv("SSH_CONNECTION", "198.51.100.9 50000 203.0.113.5 22")
    with pytest.raises(Refused, match=f"{reason} would cut the connection: the controller"):
        run(description, Options(adopt=True))


def test_a_removal_and_its_replacement_are_judged_together() -> None:
    """The way is the same in the end: a route to the controller comes before the default one goes."""
    more = {"dst": "198.51.100.0/24", "via": "192.0.2.254"}
    gone = {"dst": "default", "metric": 100, "state": "absent"}
    assert run({"routes": [more, gone]}, Options(adopt=True)).changed


def test_a_session_of_link_local_addresses_has_a_way_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    sh(*["ip", "addr", "add", "fe80::7/64", "dev", "br0", "nodad"])
    monkeypatch.setenv("SSH_CONNECTION", "fe80::9%br0 50000 fe80::7%br0 22")
    with pytest.raises(Refused, match=r"changing up would cut the connection: the controller \(fe80::9\)"):
        run(_link("br0", up=False), Options(adopt=True))
    with pytest.raises(Refused, match="lead the answers to the controller elsewhere"):
        run({"routes": [{"dst": "fe80::9/128", "dev": "br0", "via": "fe80::1"}]})
    before = sh(*["ip", "-o", "route", "get", "fe80::9", "oif", "br0"])
    assert run({"routes": [{"dst": "fe80::9/128", "type": "blackhole"}, {"dst": "fe80::/96", "dev": "other"}]}).changed
    assert sh(*["ip", "-o", "route", "get", "fe80::9", "oif", "br0"]) == before != ""


def test_a_rule_that_comes_again_with_another_protocol_leaves_the_way_alone() -> None:
    for line in (
        "ip route add 198.51.100.0/24 via 192.0.2.254 table 77",
        "ip rule add priority 50 to 203.0.113.9/24 prohibit",  # the kernel keeps the bits behind the prefix
        "ip rule add priority 100 from 192.0.2.0/24 lookup 77 proto static",
        "ip rule add priority 200 to 198.51.100.0/24 prohibit",
    ):
        sh(*line.split())
    one = {"priority": 100, "from": "192.0.2.0/24", "table": 77, "proto": "boot"}
    assert run({"rules": [one]}, Options(adopt=True)).changed
    with pytest.raises(Refused, match="removing the rule would cut the connection"):
        run({"rules": [{**one, "state": "absent"}]}, Options(adopt=True))


def test_a_router_forgets_the_route_that_another_router_has_advertised(monkeypatch: pytest.MonkeyPatch) -> None:
    """net.ipv6.conf.*.forwarding: the kernel drops it at once (rt6_purge_dflt_routers)."""
    default = ("ip", "-6", "route", "show", "default")
    sh("ip", "-6", "route", "del", "default")
    sh("sysctl", "-qw", "net.ipv6.conf.br0.accept_ra=1")
    sh("ip", "netns", "exec", "out", sys.executable, "-c", _ADVERTISE)
    assert "proto ra" in sh(*default)
    monkeypatch.setenv("SSH_CONNECTION", CONNECTION6)
    forwarding = _sysctl("net.ipv6.conf.other.forwarding", 1)
    with pytest.raises(Refused, match="changing value would cut the connection"):
        run(forwarding)
    assert "proto ra" in sh(*default)
    run(forwarding, Options(allow_disconnect=True))
    assert not sh(*default)


# A router advertisement from `sw`: hop limit 64, a lifetime of 1800 seconds.
_ADVERTISE = """
import socket, struct, time
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
for _attempt in range(100):
    try:
        s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, socket.if_nametoindex("sw")))
        break
    except OSError:  # its own address is tentative
        time.sleep(0.1)
time.sleep(0.2)
"""


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The module runs in `red`, where e0 leads to everywhere; the host's own namespace has the name `host`."""
    for line in (
        "ip link add e0 netns red type veth peer name r0",
        "ip link set r0 up",
        "ip -n red link set e0 up",
        "ip -n red addr add 10.1.1.2/24 dev e0",
        "ip -n red route add default via 10.1.1.1",
        f"ip netns attach host {os.getpid()}",
    ):
        sh(*line.split())
    monkeypatch.setattr(_guard_way, "_FIRST_PROCESS", "/run/netns/host")
    home, red = (os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in (_netns.OWN, "/run/netns/red"))
    _netns.setns(red)
    yield
    _netns.setns(home)
    os.close(home)
    os.close(red)


def test_in_a_namespace_that_the_controller_did_not_come_to_nothing_is_its_way(inside: None) -> None:
    assert run(_link("e0", up=False), Options(adopt=True)).changed


def test_in_another_namespace_the_way_is_still_that_of_the_host(inside: None) -> None:
    with pytest.raises(Refused, match=r"\(198.51.100.9\) comes in over br0, nic"):
        run(_link("br0", netns="host", up=False), Options(adopt=True))
    assert run(_link("r0", netns="host", up=False), Options(adopt=True)).changed


def test_the_connection_is_found_although_sudo_dropped_it() -> None:
    """The variable is read from the environments of the parents."""
    program = (
        "import os,subprocess,sys;"
        "print(subprocess.run(['env','-i',sys.executable,'-c',"
        "'from ansible_collections.linuxnet.lab.plugins.module_utils._guard_way import ssh_connection; print(ssh_connection())'],"
        "capture_output=True,text=True).stdout)"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"SSH_CONNECTION": CONNECTION}
    ).stdout
    assert "client='198.51.100.9', client_port=50000, server='192.0.2.1', server_port=22" in out
    assert ssh_connection() == Connection("198.51.100.9", 50000, "192.0.2.1", 22)
