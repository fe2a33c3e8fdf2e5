# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of services, against those that kube-proxy v1.30 writes for the same ones; and every mistake."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.plugin_utils import _kube
from ansible_collections.linuxnet.lab.plugins.plugin_utils.node_port import plan

PODS = [
    {"namespace": "default", "name": "web-1", "address": "10.244.1.1", "node": "h1"},
    {"namespace": "default", "name": "web-2", "address": "10.244.1.2", "node": "h2"},
    {"namespace": "shop", "name": "web-3", "address": "10.244.1.3", "node": "h2"},
]
SVC, EXT, SVL = (
    "KUBE-SVC-LOLE4ISW44XBNF3G",
    "KUBE-EXT-LOLE4ISW44XBNF3G",
    "KUBE-SVL-LOLE4ISW44XBNF3G",
)  # default/web, tcp
SEP = {1: "KUBE-SEP-EE2BA6FTWY2G4HVT", 2: "KUBE-SEP-EEDKICTWS2XF6JRA", 3: "KUBE-SEP-MVPEVELNNAHSJTXP"}
LAST = (
    '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"'
    " -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"
)
MATCH = '-m comment --comment "default/web cluster IP" -m tcp -p tcp -d 10.96.0.7 --dport 80'


def service(**options: Any) -> dict[str, Any]:
    given = {
        "name": "web", "cluster_ip": "10.96.0.7", "port": 80, "target_port": 9000, "node_port": 30999,
        "endpoints": ["web-1", "web-2", "shop/web-3"], **options,
    }  # fmt: skip
    return {option: value for option, value in given.items() if value is not None}


def part(*services: Any, host: str = "h1", **values: Any) -> dict[str, Any]:
    found: dict[str, Any] = plan({"services": list(services), **values}, host, {"h1": {}, "h2": {}}, [host], PODS)
    return found


def rules(*services: Any, **values: Any) -> dict[str, list[str]]:
    """{"table chain": rules}"""
    found = part(*services, **values)
    assert found["problems"] == []
    return {f"{chain['table']} {chain['name']}": chain["rules"] for chain in found["description"]["chains"]}


# ---- names


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        # every cluster has these
        (("default", "kubernetes", "https", "tcp"), "SVC", "KUBE-SVC-NPX46M4PTMTKRN6Y"),
        (("kube-system", "kube-dns", "dns", "udp"), "SVC", "KUBE-SVC-TCOU7JCQXEZGVUNU"),
        (("kube-system", "kube-dns", "dns-tcp", "tcp"), "SVC", "KUBE-SVC-ERIFXISQEP7F7OF4"),
        (("kube-system", "kube-dns", "metrics", "tcp"), "SVC", "KUBE-SVC-JD5MR3NA4I4DYORP"),
        # kube-proxy's own tests have these
        (("ns1", "svc1", "p80", "tcp"), "SVC", "KUBE-SVC-XPGD46QRK7WJZT7O"),
        (("ns1", "svc1", "p80", "tcp"), "EXT", "KUBE-EXT-XPGD46QRK7WJZT7O"),
        (("ns1", "svc1", "p80", "tcp"), "SVL", "KUBE-SVL-XPGD46QRK7WJZT7O"),
    ],
)
def test_names_of_service_chains(name: tuple[str, str, str, str], kind: str, expected: str) -> None:
    assert _kube.chain_name(kind, _kube.Service(*name, "10.96.0.1", 443, 0, ())) == expected


def test_names_of_endpoint_chains() -> None:
    one = _kube.Service("ns1", "svc1", "p80", "tcp", "10.96.0.1", 80, 0, ())
    assert _kube.endpoint_chain_name(one, _kube.Endpoint("10.180.0.1", 80)) == "KUBE-SEP-SXIVWICOYRO3J4NJ"


# ---- rules


def test_without_services() -> None:
    """What kube-proxy writes in an empty cluster."""
    assert rules() == {
        "filter KUBE-EXTERNAL-SERVICES": [],
        "filter KUBE-NODEPORTS": [],
        "filter KUBE-SERVICES": [],
        "filter KUBE-FORWARD": [
            "-m conntrack --ctstate INVALID -j DROP",
            '-m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT',
            '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
        ],
        "filter KUBE-PROXY-FIREWALL": [],
        "filter KUBE-FIREWALL": [
            '-m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8'
            " -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
        ],
        "filter KUBE-PROXY-CANARY": [],
        "mangle KUBE-PROXY-CANARY": [],
        "nat KUBE-PROXY-CANARY": [],
        "nat KUBE-SERVICES": [LAST],
        "nat KUBE-NODEPORTS": [],
        "nat KUBE-MARK-MASQ": ["-j MARK --or-mark 0x4000"],
        "nat KUBE-POSTROUTING": [
            "-m mark ! --mark 0x4000/0x4000 -j RETURN",
            "-j MARK --xor-mark 0x4000",
            '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
        ],
    }
    assert part()["description"]["sysctls"] == [{"name": "net.ipv4.conf.all.route_localnet", "value": 1}]


def test_jumps() -> None:
    """Each is put first, in this order; the last one for a built-in chain is on top."""
    new = "-m conntrack --ctstate NEW "
    external = new + '-m comment --comment "kubernetes externally-visible service portals"'
    portals, balancer = '-m comment --comment "kubernetes service portals"', new + (
        '-m comment --comment "kubernetes load balancer firewall"'
    )  # fmt: skip
    chains = part(service())["description"]["chains"]
    jumps = [(chain["table"], jump["from"], jump["rule"], chain["name"]) for chain in chains for jump in chain["jumps"]]
    assert {jump["at"] for chain in chains for jump in chain["jumps"]} == {"first"}

    def into(table: str, source: str) -> list[tuple[str, str]]:
        return [(rule, name) for of, where, rule, name in jumps if (of, where) == (table, source)]

    assert into("filter", "INPUT") == [
        (external, "KUBE-EXTERNAL-SERVICES"),
        ('-m comment --comment "kubernetes health check service ports"', "KUBE-NODEPORTS"),
        (balancer, "KUBE-PROXY-FIREWALL"),
        ("", "KUBE-FIREWALL"),
    ]
    assert into("filter", "FORWARD") == [
        (external, "KUBE-EXTERNAL-SERVICES"),
        (new + portals, "KUBE-SERVICES"),
        ('-m comment --comment "kubernetes forwarding rules"', "KUBE-FORWARD"),
        (balancer, "KUBE-PROXY-FIREWALL"),
    ]
    assert into("filter", "OUTPUT") == [
        (new + portals, "KUBE-SERVICES"),
        (balancer, "KUBE-PROXY-FIREWALL"),
        ("", "KUBE-FIREWALL"),
    ]
    assert into("nat", "OUTPUT") == into("nat", "PREROUTING") == [(portals, "KUBE-SERVICES")]
    assert into("nat", "POSTROUTING") == [('-m comment --comment "kubernetes postrouting rules"', "KUBE-POSTROUTING")]
    assert len(jumps) == 14


def endpoint(number: int, port: int = 9000, **words: str) -> dict[str, list[str]]:
    """The chain of an endpoint of default/web."""
    comment, address = "-m comment --comment default/web", f"10.244.1.{number}"
    return {
        f"nat {SEP[number]}": [
            f"{comment} -s {address} -j KUBE-MARK-MASQ",
            f"{comment} {words.get('remember', '')}-m tcp -p tcp -j DNAT --to-destination {address}:{port}",
        ]
    }


def own(*services: Any, **values: Any) -> dict[str, list[str]]:
    """The chains of rules() that have rules, but for what is there without services."""
    empty = rules(**values)
    return {name: found for name, found in rules(*services, **values).items() if found != empty.get(name)}


def test_one_endpoint() -> None:
    assert own(service(endpoints=["web-1"])) == {
        "nat KUBE-SERVICES": [f"{MATCH} -j {SVC}", LAST],
        "nat KUBE-NODEPORTS": [f"-m comment --comment default/web -m tcp -p tcp --dport 30999 -j {EXT}"],
        f"nat {SVC}": [
            f"{MATCH} ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ",
            f'-m comment --comment "default/web -> 10.244.1.1:9000" -j {SEP[1]}',
        ],
        f"nat {EXT}": [
            '-m comment --comment "masquerade traffic for default/web external destinations" -j KUBE-MARK-MASQ',
            f"-j {SVC}",
        ],
        **endpoint(1),
    }


def test_two_endpoints() -> None:
    found = own(service(endpoints=["web-2", "web-1"]))
    assert found[f"nat {SVC}"][1:] == [
        '-m comment --comment "default/web -> 10.244.1.1:9000"'
        f" -m statistic --mode random --probability 0.5000000000 -j {SEP[1]}",
        f'-m comment --comment "default/web -> 10.244.1.2:9000" -j {SEP[2]}',
    ]
    assert {**endpoint(1), **endpoint(2)}.items() <= found.items()


def test_three_endpoints() -> None:
    found = own(service())
    assert found[f"nat {SVC}"][1:] == [
        '-m comment --comment "default/web -> 10.244.1.1:9000"'
        f" -m statistic --mode random --probability 0.3333333333 -j {SEP[1]}",
        '-m comment --comment "default/web -> 10.244.1.2:9000"'
        f" -m statistic --mode random --probability 0.5000000000 -j {SEP[2]}",
        f'-m comment --comment "default/web -> 10.244.1.3:9000" -j {SEP[3]}',
    ]
    assert {**endpoint(1), **endpoint(2), **endpoint(3)}.items() <= found.items()
    assert len(found) == 7


def test_endpoints_are_in_the_order_of_their_text() -> None:
    found = part(service(endpoints=["10.244.1.9", "10.244.1.10", "10.244.1.9:81"]))
    assert found["services"][0]["endpoints"] == ["10.244.1.10:9000", "10.244.1.9:81", "10.244.1.9:9000"]


def test_shares_add_up() -> None:
    """Each of ten endpoints gets a tenth of what comes."""
    found = own(service(endpoints=[f"10.244.1.{n}" for n in range(10, 20)]))[f"nat {SVC}"][1:]
    left, shares = 1.0, []
    for rule in found:
        chance = float(rule.split("--probability ")[1].split()[0]) if "--probability" in rule else 1.0
        shares.append(left * chance)
        left -= shares[-1]
    assert len(shares) == 10 and all(abs(share - 0.1) < 1e-8 for share in shares)


def test_no_endpoints() -> None:
    """Refused in the table filter, and nothing in nat."""
    said = '-m comment --comment "default/web has no endpoints"'
    assert own(service(endpoints=[])) == {
        "filter KUBE-SERVICES": [f"{said} -m tcp -p tcp -d 10.96.0.7 --dport 80 -j REJECT"],
        "filter KUBE-EXTERNAL-SERVICES": [f"{said} -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 30999 -j REJECT"],
    }
    assert list(own(service(endpoints=[], node_port=None))) == ["filter KUBE-SERVICES"]


def test_without_a_node_port() -> None:
    assert set(own(service(endpoints=["web-1"], node_port=None))) == {
        "nat KUBE-SERVICES", f"nat {SVC}", f"nat {SEP[1]}",
    }  # fmt: skip


def test_affinity() -> None:
    """The endpoint that a client had comes first; for three hours, or as long as it is stated."""
    found = own(service(endpoints=["web-1", "web-2"], session_affinity="client_ip"))
    assert found[f"nat {SVC}"] == [
        f"{MATCH} ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ",
        '-m comment --comment "default/web -> 10.244.1.1:9000"'
        f" -m recent --name {SEP[1]} --rcheck --seconds 10800 --reap -j {SEP[1]}",
        '-m comment --comment "default/web -> 10.244.1.2:9000"'
        f" -m recent --name {SEP[2]} --rcheck --seconds 10800 --reap -j {SEP[2]}",
        '-m comment --comment "default/web -> 10.244.1.1:9000"'
        f" -m statistic --mode random --probability 0.5000000000 -j {SEP[1]}",
        f'-m comment --comment "default/web -> 10.244.1.2:9000" -j {SEP[2]}',
    ]
    assert endpoint(1, remember=f"-m recent --name {SEP[1]} --set ").items() <= found.items()
    short = own(service(session_affinity="client_ip", affinity_timeout=60))
    assert len([rule for rule in short[f"nat {SVC}"] if "--seconds 60 --reap" in rule]) == 3


def test_local_policy_with_an_endpoint_here() -> None:
    found = own(service(endpoints=["web-1", "web-2"], external_traffic_policy="local"))
    where = "default/web external destinations"
    assert found[f"nat {EXT}"] == [
        f'-m comment --comment "pod traffic for {where}" -s 10.244.0.0/16 -j {SVC}',
        f'-m comment --comment "masquerade LOCAL traffic for {where}" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ',
        f'-m comment --comment "route LOCAL traffic for {where}" -m addrtype --src-type LOCAL -j {SVC}',
        f"-j {SVL}",
    ]
    assert found[f"nat {SVL}"] == [f'-m comment --comment "default/web -> 10.244.1.1:9000" -j {SEP[1]}']
    assert len(found[f"nat {SVC}"]) == 3 and "filter KUBE-EXTERNAL-SERVICES" not in found


def test_local_policy_without_an_endpoint_here() -> None:
    """Pods and the host itself still reach the others; what comes from outside is dropped."""
    found = own(service(endpoints=["web-2"], external_traffic_policy="local"))
    assert found["filter KUBE-EXTERNAL-SERVICES"] == [
        '-m comment --comment "default/web has no local endpoints"'
        " -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 30999 -j DROP"
    ]
    assert len(found[f"nat {EXT}"]) == 3 and found[f"nat {EXT}"][-1].endswith(f"-j {SVC}")
    assert f"nat {SVL}" not in found and found["nat KUBE-NODEPORTS"] and "filter KUBE-SERVICES" not in found


def test_an_address_of_a_pod_is_where_the_pod_is() -> None:
    assert part(service(endpoints=["10.244.1.1", "10.244.1.2"]))["services"][0]["local_endpoints"] == [
        "10.244.1.1:9000"
    ]


def test_udp_and_a_named_port() -> None:
    found = own(
        service(
            namespace="kube-system", name="kube-dns", port_name="dns", protocol="udp", cluster_ip="10.96.0.10", port=53,
            target_port=53, node_port=30053, endpoints=["10.244.0.2"],
        )
    )  # fmt: skip
    name = "TCOU7JCQXEZGVUNU"
    match = '-m comment --comment "kube-system/kube-dns:dns cluster IP" -m udp -p udp -d 10.96.0.10 --dport 53'
    assert found["nat KUBE-SERVICES"] == [f"{match} -j KUBE-SVC-{name}", LAST]
    assert found["nat KUBE-NODEPORTS"] == [
        f"-m comment --comment kube-system/kube-dns:dns -m udp -p udp --dport 30053 -j KUBE-EXT-{name}"
    ]
    (sep,) = (rules for chain, rules in found.items() if "KUBE-SEP-" in chain)
    assert (
        sep[1] == "-m comment --comment kube-system/kube-dns:dns -m udp -p udp -j DNAT --to-destination 10.244.0.2:53"
    )
    refused = own(service(protocol="udp", endpoints=[]))["filter KUBE-SERVICES"]
    assert refused[0].endswith("-m udp -p udp -d 10.96.0.7 --dport 80 -j REJECT")


def test_the_node_ports_come_last() -> None:
    many = [service(name=f"web-{n}", cluster_ip=f"10.96.0.{n}", node_port=30000 + n) for n in range(1, 6)]
    found = rules(*many)["nat KUBE-SERVICES"]
    assert len(found) == 6 and found[-1] == LAST and LAST not in found[:-1]


def test_node_ports_at_some_addresses_only() -> None:
    found = part(service(), addresses=["192.0.2.1", "192.0.2.9"])
    chains = {(chain["table"], chain["name"]): chain["rules"] for chain in found["description"]["chains"]}
    comment = LAST.partition(" -m addrtype")[0]
    assert chains["nat", "KUBE-SERVICES"][1:] == [
        f"{comment} -d 192.0.2.1 -j KUBE-NODEPORTS",
        f"{comment} -d 192.0.2.9 -j KUBE-NODEPORTS",
    ]
    # there is no loopback among them, so none of what it takes
    assert found["description"]["sysctls"] == [] and chains["filter", "KUBE-FIREWALL"] == []
    assert part(service(), addresses=["127.0.0.1"])["description"]["sysctls"]


def test_switches() -> None:
    found = rules(localhost=False, random_fully=False, masquerade_mark=0x8000)
    assert found["nat KUBE-SERVICES"][0].endswith("--dst-type LOCAL ! -d 127.0.0.0/8 -j KUBE-NODEPORTS")
    assert found["filter KUBE-FIREWALL"] == []
    assert found["nat KUBE-POSTROUTING"][2].endswith("-j MASQUERADE")
    assert found["nat KUBE-POSTROUTING"][:2] == [
        "-m mark ! --mark 0x8000/0x8000 -j RETURN",
        "-j MARK --xor-mark 0x8000",
    ]
    assert part(localhost=False)["description"]["sysctls"] == []


def test_a_large_cluster_has_no_comments_at_endpoints() -> None:
    def services(last: int) -> list[dict[str, Any]]:
        return [service(endpoints=[f"10.244.{n // 250}.{n % 250 + 1}" for n in range(last)])]

    assert "comment" in rules(*services(1000))[f"nat {SVC}"][1]
    many = rules(*services(1001))
    assert many[f"nat {SVC}"][1].startswith("-m statistic") and "comment" in many[f"nat {SVC}"][0]
    assert not any("comment" in rule for name, found in many.items() if "KUBE-SEP-" in name for rule in found)


# ---- pods and hosts


def test_pods_come_from_what_the_hosts_publish() -> None:
    hostvars = {
        host: {"pod_network_part": {"pods": [pod for pod in PODS if pod["node"] == host]}} for host in ("h1", "h2")
    }
    found = plan({"services": [service()]}, "h2", hostvars, ["h1", "h2"])
    assert found["problems"] == []
    assert found["services"][0]["endpoints"] == ["10.244.1.1:9000", "10.244.1.2:9000", "10.244.1.3:9000"]
    assert found["services"][0]["local_endpoints"] == ["10.244.1.2:9000", "10.244.1.3:9000"]
    del hostvars["h2"]["pod_network_part"]
    assert plan({"services": [service()]}, "h1", hostvars, ["h1", "h2"])["problems"] == [
        "h1: node_port_services[1].endpoints[2]: 'web-2' is neither a pod of the group nor an address;"
        " the pods of h2 are not known (no pod_network there, or no answer)",
        "h1: node_port_services[1].endpoints[3]: 'shop/web-3' is neither a pod of the group nor an address;"
        " the pods of h2 are not known (no pod_network there, or no answer)",
    ]


def test_hosts_share_their_services() -> None:
    one = {"services": [service(), service(name="b", cluster_ip="10.96.0.8", node_port=None)], "range": "30000-31000"}
    two = {"services": [service(port=81), service(name="c", cluster_ip="10.96.0.9", node_port=None)]}
    hostvars = {"h1": {"node_port_stated": one}, "h2": {"node_port_stated": two}}
    assert plan(one, "h1", hostvars, ["h1", "h2"], PODS)["problems"] == []  # h2 tells it
    share = "on h1; all hosts of a group share their services"
    assert plan(two, "h2", hostvars, ["h1", "h2"], PODS)["problems"] == [
        "h2: node_port_range: '30000-32767' differs from '30000-31000' on h1; all hosts of a group share it",
        f"h2: node_port_services: 'default/web' differs from that {share}",
        f"h2: node_port_services: 'default/b' is not there, but {share}",
        f"h2: node_port_services: 'default/c' is not {share}",
    ]
    # written otherwise, and the same
    same = {"services": [service(namespace="default", protocol="tcp"), one["services"][1]], "range": "30000-31000"}
    hostvars["h2"] = {"node_port_stated": same}
    assert plan(same, "h2", hostvars, ["h1", "h2"], PODS)["problems"] == []
    # a host that is not in the play cannot tell it itself; of one whose inventory says nothing, nothing is known
    hostvars["h2"] = {"node_port_services": [service()], "node_port_range": "30000-31000"}
    assert plan(one, "h1", hostvars, ["h1", "h2"], PODS)["problems"] == [
        f"h2: node_port_services: 'default/b' is not there, but {share}"
    ]
    hostvars["h2"] = {}
    assert plan(one, "h1", hostvars, ["h1", "h2"], PODS)["problems"] == []
    hostvars["h2"] = {"node_port_stated": {"state": "absent"}}
    assert plan(one, "h1", hostvars, ["h1", "h2"], PODS)["problems"] == []


def test_absent_needs_nothing() -> None:
    found = plan({"state": "absent", "services": "nonsense"}, "h1", {}, [])
    assert found["problems"] == [] and not any(found["description"].values())


# ---- mistakes


@pytest.mark.parametrize(
    ("services", "text"),
    [
        ([service(name=None)], "[1].name: is missing"),
        ([service(target_port=None)], "[1].target_port: is missing"),
        ([service(cluster_ip=None)], "[1].cluster_ip: is missing"),
        (["web"], "[1]: 'web' is not a dictionary of namespace, name"),
        ([service(nodeport=1)], "[1].nodeport: there is no such option"),
        ([service(name="Web")], "[1].name: 'Web' is not a name of lower case letters"),
        ([service(name='w"b')], "is not a name of lower case letters"),
        ([service(port=0)], "[1].port: 0 is out of range, 1 to 65535"),
        ([service(port="http")], "[1].port: 'http' is not a whole number"),
        ([service(target_port=65536)], "[1].target_port: 65536 is out of range"),
        ([service(protocol="sctp")], "[1].protocol: 'sctp' is not tcp or udp"),
        ([service(session_affinity="cookie")], "[1].session_affinity: 'cookie' is not none or client_ip"),
        ([service(affinity_timeout=86401)], "[1].affinity_timeout: 86401 is out of range"),
        ([service(internal_traffic_policy="local")], "[1].internal_traffic_policy: 'local' is not cluster"),
        ([service(external_traffic_policy="near")], "[1].external_traffic_policy: 'near' is not cluster or local"),
        (
            [service(external_traffic_policy="local", node_port=None)],
            "[1].external_traffic_policy: 'local' is for services with a node_port",
        ),
        ([service(cluster_ip="192.0.2.7")], "[1].cluster_ip: '192.0.2.7' is not in 10.96.0.0/12"),
        ([service(cluster_ip="10.96.0.0")], "[1].cluster_ip: '10.96.0.0' is the network's own"),
        ([service(node_port=29999)], "[1].node_port: 29999 is not in node_port_range, 30000-32767"),
        (
            [service(), service(name="b", cluster_ip="10.96.0.8")],
            "[2].node_port: 30999 (tcp) is default/web's already",
        ),
        ([service(), service(name="b", node_port=None)], "[2].cluster_ip: '10.96.0.7' is default/web's already"),
        ([service(), service()], "[2].port_name: '': default/web has a port without a name already"),
        (
            [service(port_name="http"), service(port_name="http", port=81, node_port=None)],
            "[2].port_name: 'http': default/web has port 'http' already",
        ),
        (
            [service(port_name="http"), service(port=81, node_port=None)],
            "[2].port_name: '': default/web has several ports; name each of them",
        ),
        (
            [service(port_name="a"), service(port_name="b", node_port=None)],
            "[2].port: 80 of 10.96.0.7 is there for tcp already",
        ),
        (
            [service(port_name="a"), service(port_name="b", cluster_ip="10.96.0.8", node_port=None)],
            "[2].cluster_ip: '10.96.0.8': default/web has 10.96.0.7 at its other ports",
        ),
        ([service(endpoints=["nobody"])], "[1].endpoints[1]: 'nobody' is neither a pod of the group nor an address"),
        ([service(endpoints=["web-3"])], "[1].endpoints[1]: 'web-3' is neither a pod"),  # of another namespace
        (
            [service(endpoints=["192.0.2.9"])],
            "[1].endpoints[1]: '192.0.2.9': 192.0.2.9 is not in node_port_cluster_cidr",
        ),
        ([service(endpoints=["10.244.1"])], "[1].endpoints[1]: '10.244.1' is not an IPv4 address"),
        ([service(endpoints=["10.244.1.9:0"])], "[1].endpoints[1]: 0 is out of range"),
        ([service(endpoints=["10.244.1.9:"])], "[1].endpoints[1]: "),
        (
            [service(endpoints=["web-1", "10.244.1.1:9000"])],
            "[1].endpoints[2]: '10.244.1.1:9000': 10.244.1.1:9000 is an",
        ),
        ([service(endpoints={"a": 1})], "[1].endpoints: {'a': 1} is not a list"),
    ],
)
def test_mistakes_in_services(services: list[Any], text: str) -> None:
    problems = part(*services)["problems"]
    assert any(line.startswith("h1: node_port_services[") and text in line for line in problems), problems


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"range": "32767-30000"}, "node_port_range: '32767-30000' is not a range of ports"),
        ({"range": "30000"}, "node_port_range: '30000' is not a range of ports"),
        ({"cluster_cidr": "10.244.0.0/33"}, "node_port_cluster_cidr: '10.244.0.0/33' is not an IPv4 network"),
        ({"service_cidr": "10.244.0.0/20"}, "node_port_service_cidr: '10.244.0.0/20' overlaps node_port_cluster_cidr"),
        ({"masquerade_mark": "0x6000"}, "node_port_masquerade_mark: '0x6000' is not a mark of one bit"),
        ({"masquerade_mark": "mark"}, "node_port_masquerade_mark: 'mark' is not a mark of one bit"),
        ({"addresses": ["here"]}, "node_port_addresses[1]: 'here' is not an IPv4 address"),
        ({"addresses": ["192.0.2.1", "192.0.2.1"]}, "node_port_addresses[2]: '192.0.2.1' is there already"),
        (
            {"addresses": ["127.0.0.1"], "localhost": False},
            "node_port_addresses[1]: '127.0.0.1' has no node ports while node_port_localhost is false",
        ),
        ({"localhost": "perhaps"}, "node_port_localhost: 'perhaps' is neither true nor false"),
        ({"cluster_cidr": None}, "node_port_cluster_cidr: None is not an IPv4 network"),
        ({"cluster_cidr": ""}, "node_port_cluster_cidr: '' is not an IPv4 network"),
        ({"service_cidr": ""}, "node_port_service_cidr: '' is not an IPv4 network"),
        ({"services": {"web": {}}}, "node_port_services: {'web': {}} is not a list"),
    ],
)
def test_mistakes_in_variables(values: dict[str, Any], text: str) -> None:
    problems = plan(values, "h1", {}, ["h1"], PODS)["problems"]
    assert f"h1: {text}" in " ".join(problems), problems


@pytest.mark.parametrize(
    ("endpoints", "text"),
    [(5, "[1]: '5' is not an IPv4 address"), (True, "[1]: True is neither a pod"), (1.5, ": 1.5 is not a list")],
)
def test_endpoints_of_a_wrong_type_hide_no_other_mistake(endpoints: Any, text: str) -> None:
    """On several hosts, which compare their services."""
    one = {"services": [service(endpoints=endpoints), service(port=0)], "range": "x"}
    hostvars = {host: {"node_port_stated": one} for host in ("h1", "h2")}
    for host in hostvars:
        problems = plan(one, host, hostvars, list(hostvars), PODS)["problems"]
        for what in ("range: 'x'", f"services[1].endpoints{text}", "services[2].port: 0"):
            assert any(line.startswith(f"{host}: node_port_{what}") for line in problems), (what, problems)


def test_all_mistakes_at_once() -> None:
    found = part(service(port=0, node_port=80, endpoints=["nobody"]), service(protocol="x"), range="x")
    assert len(found["problems"]) == 5 and not any(found["description"].values()), found["problems"]


def test_the_same_node_port_for_tcp_and_udp() -> None:
    both = [service(port_name="a"), service(port_name="b", protocol="udp")]
    assert part(*both)["problems"] == []
