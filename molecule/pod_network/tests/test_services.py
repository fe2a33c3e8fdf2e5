# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services over three nodes, from the nodes and their pods (dataplane 1.F): rules, and who answers whom."""

from __future__ import annotations

from collections import Counter
from typing import Any

from nodes import ADDRESS, POD, TUNNEL, UNDERLAY, ask, host_end, others, routes, seen, who

testinfra_hosts = ["ansible://pod_hosts"]
WEB = {"minio-b6d98746c-m7rzc": "vms100", "web-1": "vms101", "web-2": "vms102"}  # and the node of each
ALL = {f"{'velero' if name.startswith('minio') else 'default'}.{name}" for name in WEB}
SVC, EXT = "KUBE-SVC-LOLE4ISW44XBNF3G", "KUBE-EXT-LOLE4ISW44XBNF3G"  # default/web, tcp


def saved(node: Any) -> list[tuple[int, str]]:
    """(packets, rule) of all rules."""
    lines = [line.partition("] ") for line in node.sh("iptables-save -c").splitlines() if line.startswith("[")]
    return [(int(counters[1:].partition(":")[0]), rule) for counters, _space, rule in lines]


def hits(node: Any, comment: str) -> dict[str, int]:
    """How often each endpoint of a service was chosen, by the counters of the DNAT rules."""
    return {
        rule.rpartition(" ")[2].partition(":")[0]: packets
        for packets, rule in saved(node)
        if f"--comment {comment} " in rule.replace('"', "") and "-j DNAT" in rule
    }


def test_the_documents_rules(node: Any) -> None:
    rules = [rule for _packets, rule in saved(node)]
    last = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"
    services = [
        rule for rule in rules if rule.startswith("-A KUBE-SERVICES") and "-d" not in rule.split("--comment")[0]
    ]
    assert (
        f'-A KUBE-SERVICES -m comment --comment "{last}" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS' in rules
    )  # F1
    assert '-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS' in rules  # F2
    assert '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES' in rules  # F3
    assert '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES' in rules
    assert len([rule for rule in services if rule.endswith("-j KUBE-NODEPORTS")]) == 1


def test_the_way_through_the_chains(node: Any) -> None:
    """F4 and F9: from the built-in chain down to the endpoint, each step the only one."""
    rules = [rule for _packets, rule in saved(node)]

    def jumps(chain: str, words: str = "") -> list[str]:
        return [r.partition(" -j ")[2].split()[0] for r in rules if r.startswith(f"-A {chain} ") and words in r]

    assert jumps("KUBE-NODEPORTS", "--dport 30999") == [EXT]
    assert jumps(EXT) == ["KUBE-MARK-MASQ", SVC]
    ends = jumps(SVC, "->")
    assert [rule.split(" --probability ")[1].split()[0] for rule in rules if rule.startswith(f"-A {SVC}") and "prob" in rule] == [
        "0.33333333349", "0.50000000000",
    ]  # fmt: skip
    assert len(ends) == 3 and all(jumps(end) == ["KUBE-MARK-MASQ", "DNAT"] for end in ends)
    assert {rule.rpartition(" ")[2] for rule in rules for end in ends if rule.startswith(f"-A {end} ") and "DNAT" in rule} == {
        f"{address}:8080" for address in ADDRESS.values()
    }  # fmt: skip
    assert jumps("KUBE-POSTROUTING") == ["RETURN", "MARK", "MASQUERADE"]


def test_the_routes_behind_the_translation(node: Any) -> None:
    for other in others(node):  # F5
        (route,) = node.ip(f"route get {ADDRESS[other]}")
        assert (route["gateway"], route["dev"]) == (UNDERLAY[other], "tunl0")
    assert routes(node)[ADDRESS[node.name]]["dev"] == host_end(POD[node.name])  # F7


def test_the_spread_by_the_hits_of_the_rules(node: Any) -> None:
    """The node asks its own node port: each answer is one hit of the rule of the endpoint that gave it."""
    before = hits(node, "default/web")
    (answers,) = ask(node, "", ("tcp", UNDERLAY[node.name], 30999, 90))
    after = hits(node, "default/web")
    given = Counter(answer["server"] for answer in answers)
    assert {address: after[address] - before[address] for address in after} == given
    # chi-square of 2 degrees of freedom: one run in three million is beyond 30
    assert set(given) == set(ADDRESS.values()) and sum((n - 30) ** 2 / 30 for n in given.values()) < 30, given


def test_every_address_and_both_protocols_from_a_node(node: Any) -> None:
    """F6, F8: at each node's port, whichever node the endpoint is on; at the cluster's address; at 127.0.0.1."""
    wanted = [(p, a, n, 30) for a in UNDERLAY.values() for p, n in (("tcp", 30999), ("udp", 30053))]
    wanted += [("tcp", "10.96.0.80", 80, 30), ("udp", "10.96.0.53", 53, 30), ("tcp", "127.0.0.1", 30999, 30)]
    # 30 requests miss one of three endpoints with a probability of 3 * (2/3)**30, 2e-5, so two of each are counted as one
    found = ask(node, "", *wanted)
    tcp, udp = found[0] + found[2] + found[4], found[1] + found[3] + found[5]
    assert who(tcp) == who(udp) == who(found[6] + found[8]) == ALL
    assert who(found[7]) <= ALL


def test_a_pod_asks(node: Any) -> None:
    """The cluster's address keeps the pod's address, unless it is answered by the pod itself (hairpin)."""
    cluster, udp, near, far = ask(
        node, POD[node.name],
        ("tcp", "10.96.0.80", 80, 60), ("udp", "10.96.0.53", 53, 30),
        ("tcp", UNDERLAY[node.name], 30999, 20), ("tcp", UNDERLAY[others(node)[0]], 30999, 20),
    )  # fmt: skip
    own = {UNDERLAY[node.name], TUNNEL[node.name]}  # what MASQUERADE takes
    assert who(cluster) == ALL and who(udp + near + far) == ALL
    assert seen([answer for answer in cluster + udp if not answer["name"].startswith(POD[node.name])]) == {
        ADDRESS[node.name]
    }
    hairpin = [answer for answer in cluster if answer["name"] == POD[node.name]]
    assert hairpin and seen(hairpin) <= own
    assert seen(near) <= own  # masqueraded by the entry node, which is its own
    assert not seen(far) & {ADDRESS[node.name]}


def test_a_pod_that_is_the_only_endpoint_of_the_service_it_asks(node: Any) -> None:
    wanted = [("tcp", "10.96.0.83", 80, 3), *(("tcp", address, 30996, 3) for address in UNDERLAY.values())]
    for answers in ask(node, POD[node.name], *wanted):
        assert who(answers) == {"default.web-1"}
        assert (ADDRESS["vms101"] in seen(answers)) is False or node.name != "vms101"  # hairpin


def test_affinity(node: Any) -> None:
    """Each client has an endpoint of its own choice, and stays with it."""
    from_node, from_pod = ("tcp", UNDERLAY[node.name], 30997, 15), ("tcp", "10.96.0.82", 80, 15)
    first, again = ask(node, "", from_node, from_node)
    assert len(who(first)) == 1 and who(first) == who(again) and who(first) <= ALL
    (answers,) = ask(node, POD[node.name], from_pod)
    assert len(who(answers)) == 1 and who(answers) <= ALL


def test_no_endpoints_refuse_at_once(node: Any) -> None:
    wanted = ("tcp", "10.96.0.84", 80, 1), ("tcp", UNDERLAY[others(node)[0]], 30995, 1)
    for netns in ("", POD[node.name]):
        assert [who(answers) for answers in ask(node, netns, *wanted)] == [{"ConnectionRefusedError"}] * 2


def test_from_inside_a_local_policy_has_all_endpoints(node: Any) -> None:
    both = {"velero.minio-b6d98746c-m7rzc", "default.moves"}
    for netns in ("", POD[node.name]):
        own, cluster = ask(
            node, netns, ("tcp", UNDERLAY[node.name], 30998, 25), ("tcp", "10.96.0.81", 80, 25)
        )  # 25 requests miss one of two endpoints with a probability of 2 * (1/2)**25, 6e-8
        assert who(own) == who(cluster) == both
