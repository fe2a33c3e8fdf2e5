# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast do pods and services come? And what does one more pod, service or host cost?

Three tables. The engine: nodes with pods (over VXLAN) and 20 services of 10 endpoints, built, run again without a change,
with one pod more, taken down. The group: the same node among more and more others. The playbook: lab.yml on one node of
six, by its tasks and seconds.

Each node is a process in a network, a mount and a /run of its own, which are thrown away; the machine's own network is
not touched. Needs root, iproute2, iptables and pyroute2.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import ROOT, own_network, table

PHASES = ("build", "no change", "one pod more", "no change again", "teardown")
SERVICES, ENDPOINTS = 20, 10
GROUPS = (1, 6, 20, 50)
Hostvars = dict[str, dict[str, Any]]
Sample = dict[str, dict[str, list[float]]]  # {phase: {quantity: [wall seconds, CPU seconds], or [number]}}


# ---- what is built -------------------------------------------------------------------------------------------------


def name_of(number: int) -> str:
    """A node's name."""
    return f"node{number:02}"


def underlay(number: int) -> str:
    """A node's own address."""
    return f"192.168.26.{number + 1}"


def pods(nodes: int, each: int, more_at: int = -1) -> list[dict[str, str]]:
    """The pods of all nodes; one of them may have one more."""
    return [
        {"name": f"pod-{number}-{pod}", "node": name_of(number)}
        for number in range(nodes)
        for pod in range(each + (number == more_at))
    ]


def services(nodes: int, each: int, count: int = SERVICES) -> list[dict[str, Any]]:
    """Services whose endpoints are spread over the nodes."""
    names = [f"pod-{one % nodes}-{one // nodes % each}" for one in range(min(ENDPOINTS, nodes * each))]
    return [
        {
            "name": f"service-{number}", "cluster_ip": f"10.96.1.{number + 1}", "port": 80, "target_port": 8080,
            "node_port": 31000 + number, "endpoints": names,
        }
        for number in range(count)
    ]  # fmt: skip


def inventory(nodes: int, each: int, more_at: int = -1) -> Hostvars:
    """The variables of all nodes, as the roles publish them."""
    stated = {"encapsulation": "vxlan", "block_size": 24, "pods": pods(nodes, each, more_at)}
    return {
        name_of(number): {
            "underlay_address": underlay(number),
            "underlay_device": "ens32",
            "underlay_mtu": 1500,
            "pod_network_stated": {**stated, "block": f"10.244.{number}.0/24"},
            "node_port_stated": {"services": services(nodes, each)},
        }
        for number in range(nodes)
    }


# ---- in a node's own network ---------------------------------------------------------------------------------------


def node(number: int = 0) -> None:
    """The node's interface, with nobody behind it."""
    own_network()
    for line in (
        "ip link set lo up",
        "ip link add ens32 type veth peer name far",
        f"ip addr add {underlay(number)}/24 dev ens32",
        "ip link set far up",
        "ip link set ens32 up",
        "ip route add default via 192.168.26.254",
    ):
        subprocess.run(line.split(), check=True)


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[list[float], Any]:
    """Wall seconds, CPU seconds of this process and its children, and the result."""
    cpu, started = sum(os.times()[:4]), time.perf_counter()
    result = function(*arguments)
    return [time.perf_counter() - started, sum(os.times()[:4]) - cpu], result


def total(*seconds: list[float]) -> list[float]:
    """Wall and CPU seconds together."""
    return [sum(column) for column in zip(*seconds)]


def measure(number: int, nodes: int, each: int) -> Sample:
    """{phase: {plan, pods, services: seconds; commands}} of one node. The engine is in this very process."""
    from ansible_collections.linuxnet.lab.plugins.module_utils import _engine
    from ansible_collections.linuxnet.lab.plugins.plugin_utils import node_port, pod_network

    node(number)
    host = name_of(number)
    found: Sample = {}
    for phase in PHASES[:-1]:
        hostvars = inventory(nodes, each, number if "one pod more" in phase or "again" in phase else -1)
        routes = subprocess.run(
            ["ip", "-json", "-4", "-details", "route", "show", "table", "main"], capture_output=True, text=True, check=True
        ).stdout  # fmt: skip
        own = hostvars[host]
        own["pod_network_stated"] = {
            **own["pod_network_stated"],
            "routes": json.loads(routes),
            "default_rp_filter": "0",
        }
        seconds, part = timed(pod_network.plan, own["pod_network_stated"], host, hostvars, list(hostvars))
        everyone = [
            {"namespace": "default", "name": pod["name"], "node": pod["node"], "address": address}
            for pod, address in addresses(hostvars)
        ]
        more, ports = timed(node_port.plan, own["node_port_stated"], host, hostvars, list(hostvars), everyone)
        for made in (part, ports):
            if made["problems"]:
                raise SystemExit("\n".join(made["problems"]))
        sample = found[phase] = {"plan": total(seconds, more)}
        sample.update(_apply(_engine, part["description"], ports["description"]))
        if bool(sample["commands"][0]) != (phase in ("build", "one pod more")):
            raise SystemExit(f"{phase} of {nodes} x {each}: {sample['commands'][0]} commands")
    found["teardown"] = {"plan": [0, 0], **_apply(_engine, {}, {})}
    return found


def _apply(engine: Any, network: Any, ports: Any) -> dict[str, list[float]]:
    """What the two roles do on a host."""
    ways = [(name, wanted) for name, wanted in (("pod_network", network), ("node_port", ports))]
    found: dict[str, list[float]] = {}
    commands = 0
    for name, wanted in ways if network else reversed(ways):
        options = engine.Options(name=name, prune=True, recreate=True)
        seconds, result = timed(engine.run, wanted, options)
        found["pods" if name == "pod_network" else "services"] = seconds
        commands += len(result.commands)
    return {**found, "commands": [commands]}


def addresses(hostvars: Hostvars) -> list[tuple[dict[str, str], str]]:
    """The pods of all nodes with the addresses that the role gives: the next one of the block, behind the tunnel's."""
    given: dict[str, int] = {}
    found = []
    for pod in next(iter(hostvars.values()))["pod_network_stated"]["pods"]:
        given[pod["node"]] = given.get(pod["node"], 0) + 1
        found.append((pod, f"10.244.{int(pod['node'][4:])}.{given[pod['node']]}"))
    return found


def playbook(folder: Path, each: int, count: int) -> Sample:
    """{phase: {tasks, seconds}} of lab.yml on the first of six nodes."""
    node()
    hosts = inventory(6, each)
    shared = {
        "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "pod_network_encapsulation": "vxlan",
        "pod_network_block_size": 24, "node_port_services": services(6, each, count), "pod_network_pods": pods(6, each),
    }  # fmt: skip
    for number, (name, values) in enumerate(hosts.items()):
        hosts[name] = {option: value for option, value in values.items() if option.startswith("underlay")}
        hosts[name]["pod_network_block"] = f"10.244.{number}.0/24"
        hosts[name][
            "pod_network_part"
        ] = {  # the others are not in the play: what they have published in an earlier one
            "pods": [
                {"namespace": "default", "name": pod["name"], "node": name, "address": address}
                for pod, address in addresses(inventory(6, each))
                if pod["node"] == name
            ]
        }
    found = {}
    for phase in PHASES[:3]:
        if phase == "one pod more":
            shared["pod_network_pods"] = pods(6, each, 0)
        described = {"all": {"children": {"pod_hosts": {"hosts": hosts, "vars": shared}}}}
        (folder / "hosts.json").write_text(json.dumps(described), encoding="utf-8")
        command = ["ansible-playbook", "lab.yml", "-i", str(folder / "hosts.json"), "--limit", name_of(0)]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(folder / "home")}
        seconds, done = timed(
            lambda command=command, environment=environment: subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
            )
        )
        changed = re.search(r"changed=(\d+)", done.stdout)
        if done.returncode or not changed or bool(int(changed[1])) != (phase != "no change"):
            raise SystemExit(f"{phase}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        found[phase] = {"tasks": [len(re.findall(r"^TASK \[", done.stdout, re.M))], "seconds": seconds}
    return found


# ---- outside -------------------------------------------------------------------------------------------------------


class Stage:
    """Runs functions of this file, each in a throw-away network, with this very checkout as the collection."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        collections = folder / "path" / "ansible_collections" / "linuxnet"
        collections.mkdir(parents=True)
        (collections / "lab").symlink_to(ROOT)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(folder / "path"),
            "ANSIBLE_COLLECTIONS_PATH": str(folder / "path"),
            "PYTHONPYCACHEPREFIX": str(folder / "cache"),  # nothing is written into the checkout
            "LC_ALL": "C.UTF-8",
        }

    def run(self, what: str, *numbers: int) -> Any:
        """The result of measure() or playbook()."""
        own = ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, __file__]
        command = [*own, "--inside", what, str(self.folder), *map(str, numbers)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr.strip() or f"{what} {numbers}: exit code {done.returncode}")
        return json.loads(done.stdout)


def medians(samples: list[Sample]) -> Sample:
    """Of each quantity, by phase."""
    return {
        phase: {
            what: [statistics.median(column) for column in zip(*(one[phase][what] for one in samples))]
            for what in first
        }
        for phase, first in samples[0].items()
    }


def whole(sample: dict[str, list[float]]) -> list[float]:
    """Seconds of a host: both calls of the engine."""
    return total(sample["pods"], sample["services"])


def milliseconds(seconds: list[float]) -> str:
    """wall / CPU"""
    return " / ".join(f"{1000 * value:.0f}" for value in seconds)


def times(mine: list[float], theirs: list[float]) -> str:
    """wall / CPU, as multiples"""
    return " / ".join(f"{one / max(other, 0.001):.2f}x" for one, other in zip(mine, theirs))


def table_of_engine(found: dict[str, Sample]) -> str:
    """A node, by phase."""
    rows = [["a node of", "phase", "plan", "pods", "services", "commands", "against no change"]]
    for what, phases in found.items():
        for phase, sample in phases.items():
            cells = [milliseconds(sample[name]) for name in ("plan", "pods", "services")]
            ratio = times(whole(sample), whole(phases["no change"]))
            rows.append([what, phase, *cells, f"{sample['commands'][0]:.0f}", ratio])
    return table(rows)


def table_of_groups(found: dict[int, Sample]) -> str:
    """The same node, by the size of its group."""
    rows = [["nodes", "commands", *PHASES[:3], "plan", "build against the first"]]
    first = whole(next(iter(found.values()))["build"])
    for size, phases in found.items():
        cells = [milliseconds(whole(phases[phase])) for phase in PHASES[:3]]
        build = phases["build"]
        ratio = times(whole(build), first)
        rows.append([str(size), f"{build['commands'][0]:.0f}", *cells, milliseconds(build["plan"]), ratio])
    return table(rows)


def table_of_playbook(found: dict[str, Sample]) -> str:
    """Tasks and seconds of lab.yml."""
    rows = [["pods and services", "tasks", *PHASES[:3], "one pod more : no change"]]
    for what, phases in found.items():
        tasks = sorted({int(sample["tasks"][0]) for sample in phases.values()})
        cells = [f"{phases[phase]['seconds'][0]:.1f} s" for phase in PHASES[:3]]
        ratio = times(phases["one pod more"]["seconds"], phases["no change"]["seconds"])
        rows.append([what, " or ".join(map(str, tasks)), *cells, ratio])
    return table(rows)


def main() -> None:
    """All measurements; prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="how often each is measured; the median counts (3)")
    parser.add_argument("--no-playbook", action="store_true", help="the engine only")
    given = parser.parse_args()
    if os.geteuid():
        raise SystemExit("root is needed: the benchmark makes network namespaces")
    with tempfile.TemporaryDirectory(prefix="linuxnet-bench-") as name:
        stage = Stage(Path(name))
        stage.run("measure", 0, 1, 1)  # compiles; loads the kernel's modules
        engine = {
            "6 x 30 pods": medians([stage.run("measure", number, 6, 30) for number in range(6)]),
            "1 x 200 pods": medians([stage.run("measure", 0, 1, 200) for _repetition in range(given.repeat)]),
        }
        groups = {
            size: medians([stage.run("measure", 0, size, 30) for _repetition in range(given.repeat)]) for size in GROUPS
        }
        plays = {}
        if not given.no_playbook:
            for each, count in ((1, 1), (30, SERVICES), (200, SERVICES)):
                plays[f"{each} pods on each node, {count} services"] = stage.run("playbook", each, count)
    print(
        f"Linux {platform.release()}, Python {platform.python_version()}, {os.cpu_count()} CPUs, {given.repeat} repetitions"
    )
    print(
        f"\nThe engine on a node, {SERVICES} services of {ENDPOINTS} endpoints (wall / CPU milliseconds):\n\n{table_of_engine(engine)}"
    )
    print(f"\nA node with 30 pods among others (wall / CPU milliseconds):\n\n{table_of_groups(groups)}")
    if plays:
        print(f"\nlab.yml on one of six nodes:\n\n{table_of_playbook(plays)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        numbers = [int(number) for number in sys.argv[4:]]
        print(json.dumps(measure(*numbers) if sys.argv[2] == "measure" else playbook(Path(sys.argv[3]), *numbers)))
    else:
        main()
