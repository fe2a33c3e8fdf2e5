# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chains of services in the kernel, proven by requests: who answers, and whom it sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..engine.support import lab, sh, state, unlike
from ..iptables.support import back_end, feed, saved
from .network import (
    ADDRESS,
    CLIENT,
    NODE,
    SILENCE,
    apply,
    ask,
    ask_udp,
    build,
    pod_of,
    pods,
    remove,
    rules_with,
    service,
    stop,
)

__all__ = ["back_end", "lab"]
REQUESTS = 180
UNLIKELY = 30.0  # chi-square of 2 degrees of freedom: one run in three million is beyond
FOREIGN = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -m comment --comment "somebody else's" -j ACCEPT
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""
LOCALNET = Path("/proc/sys/net/ipv4/conf/all/route_localnet")


@pytest.fixture
def node(lab: None, back_end: str) -> Iterator[str]:
    """The network with either back end of iptables, and rules of somebody else."""
    feed(FOREIGN)
    build()
    yield back_end
    stop()


def rules() -> list[str]:
    """All that is saved, without counters, `TABLE LINE`; a table that somebody has looked at, and no more, is nothing."""
    found: dict[str, list[str]] = {}
    for line in saved():
        if line.startswith("*"):
            lines = found.setdefault(line[1:], [])
        elif line != "COMMIT":
            lines.append(line.partition(" [")[0])
    return [
        f"{table} {line}"
        for table in sorted(found)
        for line in found[table]
        if not all(line.startswith(":") and line.endswith(" ACCEPT") for line in found[table])
    ]


def chain(name: str, table: str = "nat") -> list[str]:
    """The rules of a chain."""
    return [line.partition(" ")[2] for line in rules() if line.startswith(f"{table} -A {name} ")]


def chains(prefix: str) -> list[str]:
    """The chains whose names begin so."""
    return [line.split()[1][1:] for line in rules() if line.split()[1].startswith(f":{prefix}")]


# ---- the chains


def test_chains_are_those_of_the_documents(node: str) -> None:
    """Section 1.F: the very lines, and the order that kube-proxy leaves in the built-in chains."""
    assert apply(service()).changed
    found = [line.partition(" ")[2] for line in rules()]
    assert (
        '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"'
        " -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS" in found
    )
    assert '-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS' in found
    assert '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES' in found
    assert '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES' in found
    assert chain("KUBE-SERVICES")[-1].endswith("-j KUBE-NODEPORTS")

    def targets(name: str, table: str) -> list[str]:
        return [rule.split()[-1] for rule in chain(name, table)]

    front = ["KUBE-FIREWALL", "KUBE-PROXY-FIREWALL", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES", "ACCEPT"]
    assert targets("INPUT", "filter") == front
    front = ["KUBE-PROXY-FIREWALL", "KUBE-FORWARD", "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "DOCKER-USER"]
    assert targets("FORWARD", "filter") == front
    assert targets("OUTPUT", "filter") == ["KUBE-FIREWALL", "KUBE-PROXY-FIREWALL", "KUBE-SERVICES"]
    assert targets("POSTROUTING", "nat") == ["KUBE-POSTROUTING", "MASQUERADE"]
    # default/web, tcp, and its three endpoints
    assert chain("KUBE-NODEPORTS") == [
        '-A KUBE-NODEPORTS -p tcp -m comment --comment "default/web" -m tcp --dport 30999 -j KUBE-EXT-LOLE4ISW44XBNF3G'
    ]
    assert [rule.split()[1:2] + rule.split()[-2:] for rule in chain("KUBE-SVC-LOLE4ISW44XBNF3G")[1:]] == [
        ["KUBE-SVC-LOLE4ISW44XBNF3G", "-j", "KUBE-SEP-EE2BA6FTWY2G4HVT"],
        ["KUBE-SVC-LOLE4ISW44XBNF3G", "-j", "KUBE-SEP-EEDKICTWS2XF6JRA"],
        ["KUBE-SVC-LOLE4ISW44XBNF3G", "-j", "KUBE-SEP-MVPEVELNNAHSJTXP"],
    ]
    assert found.count(":KUBE-PROXY-CANARY -") == 3


def test_nothing_is_left_and_rules_of_others_stay(node: str) -> None:
    before, objects, localnet = rules(), state(), LOCALNET.read_text()
    first = apply(service(), service(name="dns", cluster_ip="10.96.0.10", port=53, node_port=30053, protocol="udp"))
    assert first.changed and LOCALNET.read_text().strip() == "1"
    again = apply(service(), service(name="dns", cluster_ip="10.96.0.10", port=53, node_port=30053, protocol="udp"))
    assert not again.changed and again.commands == []
    # the canary is the only chain of table mangle
    assert [line for line in rules() if "KUBE-" not in line and not line.startswith("mangle :")] == before
    assert remove().changed
    assert rules() == before and not unlike(objects, state()) and LOCALNET.read_text() == localnet
    assert not remove().changed


def test_a_service_or_an_endpoint_that_is_gone_leaves_no_chain(node: str) -> None:
    dns = service(name="dns", cluster_ip="10.96.0.10", port=53, node_port=30053)
    apply(service())
    alone = rules()
    apply(service(), dns)
    assert [line for line in rules() if "default/dns" in line]
    result = apply(service())
    assert result.changed and rules() == alone
    apply(service(endpoints=["web-1"]))
    assert len(chains("KUBE-SEP-")) == 1
    assert pod_of(ask("client", NODE, 30999)) == "web-1"


def test_one_more_endpoint_leaves_the_chains_of_the_others_alone(node: str) -> None:
    """What does not change keeps its counters, so nothing of it went through iptables-restore."""
    apply(service(endpoints=["web-1", "web-2"]), service(name="other", cluster_ip="10.96.0.8", node_port=30998))
    ask("client", NODE, 30998)
    counters = rules_with("default/other")
    result = apply(service(), service(name="other", cluster_ip="10.96.0.8", node_port=30998))
    assert result.changed and rules_with("default/other") == counters and sum(count for count, _rule in counters) > 0
    touched = {line.split()[4] for line in result.commands if " -A " in line or " -N " in line}
    assert touched == {"KUBE-SVC-LOLE4ISW44XBNF3G", "KUBE-SEP-MVPEVELNNAHSJTXP"}


def test_chains_that_somebody_else_made_are_refused(node: str) -> None:
    """On a node of Kubernetes they are kube-proxy's."""
    sh("iptables", "-t", "nat", "-N", "KUBE-SERVICES")
    before = rules()
    with pytest.raises(Exception, match="KUBE-SERVICES"):
        apply(service())
    assert rules() == before


# ---- who answers


def spread(found: Counter[str]) -> float:
    """Chi-square of an equal share for each pod."""
    share = sum(found.values()) / len(ADDRESS)
    return sum((found[name] - share) ** 2 / share for name in ADDRESS)


def test_every_endpoint_answers_at_the_node_port(node: str) -> None:
    apply(service())
    answers = [ask("client", NODE, 30999) for _number in range(REQUESTS)]
    found = Counter(pod_of(answer) for answer in answers)
    assert set(found) == set(ADDRESS) and spread(found) < UNLIKELY, found
    assert {answer["client"] for answer in answers} == {NODE}  # masqueraded: the way back is by this node
    counted = rules_with("--to-destination")
    assert {rule.split()[-1].split(":")[0]: count for count, rule in counted} == {
        ADDRESS[name]: count for name, count in found.items()
    }


def test_every_endpoint_answers_datagrams(node: str) -> None:
    apply(service(protocol="udp"))
    answers = [ask_udp("client", NODE, 30999) for _number in range(REQUESTS)]
    found = Counter(pod_of(answer) for answer in answers)
    assert set(found) == set(ADDRESS) and spread(found) < UNLIKELY, found
    assert {answer["client"] for answer in answers} == {NODE}
    assert pod_of(ask_udp("web-1", "10.96.0.7", 80)) in ADDRESS
    with pytest.raises(ConnectionRefusedError):  # another protocol is another service
        ask("client", NODE, 30999)


def test_the_node_itself_and_localhost(node: str) -> None:
    apply(service())
    for address, port in ((NODE, 30999), ("127.0.0.1", 30999), ("10.96.0.7", 80)):
        assert {pod_of(ask("", address, port)) for _number in range(40)} == set(ADDRESS)
    apply(service(), localhost=False)
    with pytest.raises(ConnectionRefusedError):
        ask("", "127.0.0.1", 30999)
    assert pod_of(ask("", NODE, 30999)) in ADDRESS
    assert chain("KUBE-FIREWALL", "filter") == [] and LOCALNET.read_text().strip() == "0"


def test_node_ports_at_one_address_only(node: str) -> None:
    sh("ip", "address", "add", "192.0.2.3/24", "dev", "up0")
    apply(service(), addresses=["192.0.2.3"])
    assert pod_of(ask("client", "192.0.2.3", 30999)) in ADDRESS
    with pytest.raises(ConnectionRefusedError):
        ask("client", NODE, 30999)


def test_cluster_ip(node: str) -> None:
    """A pod is seen with its own address, but by itself; what comes from outside of the pool is masqueraded."""
    apply(service())
    seen = [ask("web-2", "10.96.0.7", 80) for _number in range(40)]
    assert {pod_of(answer) for answer in seen} == set(ADDRESS)
    assert {answer["client"] for answer in seen if pod_of(answer) != "web-2"} == {ADDRESS["web-2"]}
    assert {answer["client"] for answer in seen if pod_of(answer) == "web-2"} == {NODE}  # hairpin
    assert {ask("client", "10.96.0.7", 80)["client"] for _number in range(10)} == {NODE}


def test_hairpin_through_the_node_port(node: str) -> None:
    """A pod that is the only endpoint of the service it asks."""
    apply(service(endpoints=["web-1"]))
    for address, port in ((NODE, 30999), ("10.96.0.7", 80)):
        answer = ask("web-1", address, port)
        assert pod_of(answer) == "web-1" and answer["client"] == NODE


def test_local_policy_keeps_the_address_of_the_client(node: str) -> None:
    apply(service(external_traffic_policy="local"), where=pods(web_3="elsewhere"))
    answers = [ask("client", NODE, 30999) for _number in range(40)]
    assert {pod_of(answer) for answer in answers} == {"web-1", "web-2"}
    assert {answer["client"] for answer in answers} == {CLIENT}
    # from inside, all endpoints answer
    assert {pod_of(ask("", NODE, 30999)) for _number in range(40)} == set(ADDRESS)
    assert {pod_of(ask("web-1", NODE, 30999)) for _number in range(40)} == set(ADDRESS)
    assert {pod_of(ask("client", "10.96.0.7", 80)) for _number in range(40)} == set(ADDRESS)


def test_local_policy_without_an_endpoint_here_drops(node: str) -> None:
    away = pods(web_1="elsewhere", web_2="elsewhere", web_3="elsewhere")
    apply(service(external_traffic_policy="local"), where=away)
    with pytest.raises(TimeoutError):
        ask("client", NODE, 30999, SILENCE)
    ((count, rule),) = rules_with("has no local endpoints")
    assert count > 0 and rule.endswith("-j DROP")
    assert pod_of(ask("", NODE, 30999)) in ADDRESS
    assert pod_of(ask("web-1", NODE, 30999)) in ADDRESS


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_no_endpoints_refuse_at_once(node: str, protocol: str) -> None:
    """The answer is an ICMP message, so a client does not wait. A datagram of the node itself cannot even be sent."""
    apply(service(endpoints=[], protocol=protocol))
    request = {"tcp": ask, "udp": ask_udp}[protocol]
    for where, address, port in (
        ("client", NODE, 30999),
        ("client", "10.96.0.7", 80),
        ("web-1", "10.96.0.7", 80),
        ("", "10.96.0.7", 80),
    ):
        with pytest.raises(ConnectionRefusedError if where or protocol == "tcp" else PermissionError):
            request(where, address, port)
    assert {rule.rpartition(" --reject-with")[0][-6:] for _count, rule in rules_with("has no endpoints")} == {"REJECT"}
    assert chains("KUBE-SVC-") == chains("KUBE-EXT-") == chains("KUBE-SEP-") == []
    apply(service(protocol=protocol))
    assert pod_of(request("client", NODE, 30999)) in ADDRESS


def test_a_client_stays_with_its_endpoint(node: str) -> None:
    apply(service(session_affinity="client_ip"))
    first = {pod_of(ask("client", NODE, 30999)) for _number in range(30)}
    assert len(first) == 1
    again = apply(service(session_affinity="client_ip"))
    assert not again.changed
    assert {pod_of(ask("client", NODE, 30999)) for _number in range(10)} == first
    assert len({pod_of(ask("web-1", "10.96.0.7", 80)) for _number in range(30)}) == 1


def test_twenty_services_of_ten_endpoints(node: str) -> None:
    """As many as in the benchmark: all there, nothing to do the second time."""
    many: list[dict[str, Any]] = [
        service(
            name=f"web-{n}", cluster_ip=f"10.96.1.{n}", node_port=31000 + n,
            endpoints=[f"10.244.2.{e}" for e in range(1, 10)] + ["web-1"],
        )
        for n in range(1, 21)
    ]  # fmt: skip
    assert apply(*many).changed
    assert len(chains("KUBE-SEP-")) == 200
    assert apply(*many).commands == []
