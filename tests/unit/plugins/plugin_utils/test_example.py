# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example inventory gives the nodes of the documents, and what proves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.linuxnet.lab.plugins.plugin_utils import (
    lab_report,
    node_port,
    pod_network,
    service_verification,
    verification,
)

INVENTORY = Path(__file__).parents[4] / "playbooks/inventory/documents.yml"
# What the documents show: `ip route` on 192.168.26.105 and `route` on 192.168.26.100.
BLOCKS = {
    "vms100": "10.244.239.128/26", "vms101": "10.244.198.0/26", "vms102": "10.244.63.64/26",
    "vms103": "10.244.38.128/26", "vms105": "10.244.169.64/26", "vms106": "10.244.31.64/26",
}  # fmt: skip
PODS = {
    "vms100": {"10.244.239.129": "calic2f7856928d", "10.244.239.132": "cali349ff1af8c4"},
    "vms105": {
        "10.244.169.65": "calid5e76ad523e", "10.244.169.66": "cali39888f400bd", "10.244.169.70": "cali0fdeca04347",
        "10.244.169.73": "cali7cf9eedbe64", "10.244.169.89": "calia011d753862", "10.244.169.78": "caliaa36e67b275",
        "10.244.169.90": "califc24aa4e3bd", "10.244.169.119": "calibdca950861e", "10.244.169.120": "cali40813694dd6",
        "10.244.169.121": "calie1fd05af50d",
    },
}  # fmt: skip


def inventory(names: list[str]) -> dict[str, dict[str, Any]]:
    """The variables of these hosts, templated as Ansible does it."""
    group = yaml.safe_load(INVENTORY.read_text())["all"]["children"]["pod_hosts"]
    web = json.dumps([f"web-{name}" for name in names])
    found = {}
    for name in names:
        own = {**group["vars"], **group["hosts"][name], "underlay_device": "ens32", "underlay_mtu": 1500}
        text = json.dumps(own).replace("{{ inventory_hostname }}", name)
        text = text.replace("\"{{ groups['pod_hosts'] | map('regex_replace', '^', 'web-') | list }}\"", web)
        assert "{{" not in text
        found[name] = {**json.loads(text), "underlay_address": own["ansible_host"]}
    return found


def values(role: str, variables: dict[str, Any]) -> dict[str, Any]:
    return {key[len(role) + 1 :]: value for key, value in variables.items() if key.startswith(f"{role}_")}


class Lab:
    """The parts of all nodes, as the roles work them out."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.hosts = inventory(names)
        self.pods = {
            name: pod_network.plan(values("pod_network", own), name, self.hosts, names)
            for name, own in self.hosts.items()
        }
        for name, part in self.pods.items():
            self.hosts[name]["pod_network_part"] = part
        self.services = {
            name: node_port.plan(values("node_port", own), name, self.hosts, names) for name, own in self.hosts.items()
        }

    def everyone(self) -> list[dict[str, Any]]:
        return [pod for part in self.pods.values() for pod in part["pods"]]

    def group(self) -> list[dict[str, Any]]:
        return [
            {"host": name, "part": self.pods[name], "servers": self.hosts[name]["echo_server_servers"]}
            for name in self.names
        ]

    def probes(self, name: str) -> list[dict[str, Any]]:
        parts = {"pod_network": self.pods[name]}
        return verification.probes(parts, self.hosts[name]["ansible_host"], "203.0.113.10", self.everyone())

    def requests(self, name: str) -> list[dict[str, Any]]:
        stated = self.hosts[self.names[0]]["node_port_services"]
        part = self.services.get(name) or self.services[self.names[0]]
        return service_verification.requests(part, name, self.group(), stated)


@pytest.fixture(scope="module")
def six() -> Lab:
    return Lab(list(BLOCKS))


def test_the_inventory_has_no_mistake_for_any_nodes_that_the_lab_makes() -> None:
    order = ["vms105", "vms100", "vms103", "vms101", "vms102", "vms106"]
    for count in range(1, 7):
        lab = Lab(sorted(order[:count]))
        assert [part["problems"] for part in (*lab.pods.values(), *lab.services.values())] == [[]] * 2 * count


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_and_routes_are_those_of_the_documents(six: Lab, name: str) -> None:
    routes = [route for route in six.pods[name]["description"]["routes"] if not route.get("netns")]
    assert [route["dst"] for route in routes if route.get("type") == "blackhole"] == [BLOCKS[name]]
    ways = {
        route["dst"]: (route["via"], route["dev"], route["proto"], route["onlink"])
        for route in routes
        if "via" in route
    }
    assert ways == {
        block: (f"192.168.26.{other[3:]}", "tunl0", "bird", True) for other, block in BLOCKS.items() if other != name
    }
    ends = {
        route["dst"][:-3]: route["dev"]
        for route in routes
        if route["dev" if "dev" in route else "dst"].startswith("cali")
    }
    assert ends == PODS.get(name, ends) and len(ends) == len(six.pods[name]["pods"]) > 0


def test_pings_grow_with_pods_and_nodes_and_each_pod_is_proven(six: Lab) -> None:
    for name, part in six.pods.items():
        probes = six.probes(name)
        for pod in part["pods"]:
            assert [p for p in probes if p["netns"] == pod["netns"] and p["ttl"] == 62]  # across
            assert [p for p in probes if p["dst"] == pod["address"] and p["ttl"] == 64]  # from its node
        assert len(probes) < 3 * len(part["pods"]) + 5 * len(BLOCKS)
        assert {p["size"] for p in probes if p.get("df")} == {1452, 1453}
    from_pods = {(p["netns"], p["dst"]) for p in six.probes("vms105") if p["ttl"] == 63 and p["netns"]}
    assert {dst for _netns, dst in from_pods} >= set(PODS["vms105"])  # each by another one on its node


def test_the_web_is_asked_at_every_node_from_node_and_pod_and_at_its_cluster_address(six: Lab) -> None:
    asked = [r for r in six.requests("vms101") if r["service"] == "default/web"]
    nodes = {f"192.168.26.{name[3:]}" for name in BLOCKS}
    for netns in ("", "default.web-vms101"):
        assert {r["address"] for r in asked if r["netns"] == netns} == {*nodes, "10.96.0.80"}
    assert sum(r["count"] for r in asked) >= service_verification.needed(6)
    assert all(r["client"] == "" for r in asked)


def test_a_pod_that_is_no_endpoint_is_seen_with_its_own_address(six: Lab) -> None:
    (one,) = [r for r in six.requests("vms101") if r["address"] == "10.96.0.90" and r["netns"]]
    assert one["client"] == six.pods["vms101"]["pods"][0]["address"]


def test_from_outside_only_node_ports_are_asked(six: Lab) -> None:
    assert {(r["netns"], r["port"]) for r in six.requests("outside")} == {("", 30080), ("", 30900)}


def test_services_without_known_servers_are_not_asked_and_those_without_endpoints_must_refuse(six: Lab) -> None:
    part = {"services": [
        {"service": "default/db", "protocol": "tcp", "cluster_ip": "10.96.0.5", "port": 5, "node_port": 0, "only_local": False,
         "endpoints": ["10.244.38.140:5"]},
        {"service": "default/no", "protocol": "tcp", "cluster_ip": "10.96.0.6", "port": 6, "node_port": 0, "only_local": False, "endpoints": []},
    ]}  # fmt: skip
    asked = service_verification.requests(part, "vms100", six.group())
    assert {r["service"] for r in asked} == {"default/no"} and {r["count"] for r in asked} == {1}


def test_local_services_are_asked_where_they_answer_and_see_the_client(six: Lab) -> None:
    (minio,) = [s for s in six.services["vms100"]["services"] if s["service"] == "velero/minio"]
    asked = service_verification.requests({"services": [{**minio, "only_local": True}]}, "vms100", six.group())
    entries = {r["address"]: r["client"] for r in asked if r["port"] == 30900 and not r["netns"]}
    assert entries == {"192.168.26.100": "", "192.168.26.105": "192.168.26.100"}


@pytest.mark.parametrize("endpoints", [2, 3, 6, 50])
def test_so_many_requests_that_no_endpoint_is_missed_by_chance(endpoints: int) -> None:
    missed = endpoints * (1 - 1 / endpoints) ** service_verification.needed(endpoints)
    assert 1e-10 < missed < 1e-9


REQUEST = {"name": "x", "service": "s", "endpoints": ["10.0.0.1:80"], "client": "", "spread": True}
RESULT = {"sent": 2, "answered": 2, "servers": {"10.0.0.1:80": 2}, "clients": {"10.0.0.9": 2}, "names": {"a": 2}, "errors": []}  # fmt: skip


@pytest.mark.parametrize(
    "result, request_, words",
    [
        ({}, {}, ""),
        ({"answered": 1, "errors": ["timed out"]}, {}, "1 of 2 requests not answered (timed out)"),
        ({"servers": {"10.0.0.1:80": 1, "10.0.0.2:80": 1}}, {}, "answered by 10.0.0.2:80, which is no endpoint"),
        ({}, {"client": "10.0.0.8"}, "the pods saw 10.0.0.9, not 10.0.0.8"),
        ({}, {"client": "10.0.0.9"}, ""),
        ({}, {"endpoints": ["10.0.0.1:80", "10.0.0.2:80"]}, "s: no request reached 10.0.0.2:80"),
        ({}, {"endpoints": ["10.0.0.1:80", "10.0.0.2:80"], "spread": False}, ""),
        ({}, {"endpoints": []}, "must refuse"),
        ({"answered": 0, "servers": {}, "errors": ["timed out"]}, {"endpoints": []}, "must refuse"),
        ({"answered": 0, "servers": {}, "errors": ["Connection refused"]}, {"endpoints": [], "spread": False}, ""),
    ],
)
def test_answers_are_judged(result: dict[str, Any], request_: dict[str, Any], words: str) -> None:
    verdict = service_verification.answers([{**RESULT, **result}], [{**REQUEST, **request_}])
    assert bool(verdict["failures"]) == bool(words) and words in str(verdict["failures"])
    assert len(verdict["table"]) == 1


def test_the_report_names_networks_hosts_pods_and_services(six: Lab) -> None:
    hosts = {
        name: {"parts": {"pod_network": six.pods[name], "node_port": six.services[name]}, "pings": 10, "requests": 20}
        for name in BLOCKS
    }
    text = "\n".join(lab_report.report(hosts))
    assert "60 pings and 120 requests" in text and " ".join(BLOCKS) in text
    assert "vms103          10.244.38.128/26  web-vms103" in text and "and 8 more" in text
    assert "default/web  NODE:30080 and 10.96.0.80:80 -> 6 pods" in text
    assert "velero/minio  NODE:30900 and 10.96.0.90:9000 -> minio-b6d98746c-m7rzc" in text
