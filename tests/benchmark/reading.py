# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast is reading? The info modules beside iptables-save and `ip -j`, on a full Kubernetes node.

    reading.py [--rules 20000] [--routes 10000]

The rules are those of kube-proxy's services, the routes those of pods and blocks, in a network namespace that is
thrown away. Each contestant is a process of its own, from its start to its last byte of output. A module does more
than a tool: it starts Ansible's module code, makes fields of each rule, and writes JSON. Needs root.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import bench

PER_SERVICE = 8  # rules: one in KUBE-SERVICES, three in its own chain, two for each of two endpoints
PACKAGE = "ansible_collections.linuxnet.lab.plugins.modules"
LAST_POD = "10.244.39.15"  # the last of 10,000


class Contest(NamedTuple):
    """A tool, and what a module is asked instead."""

    tool: str
    module: str
    questions: dict[str, dict[str, Any]]  # title: parameters


CONTESTS = (
    Contest("ip -j route show table all", "route_info", {
        "all tables": {"table": "all"}, "dst": {"dst": LAST_POD}, "lookup": {"lookup": LAST_POD}, "proto kernel": {"proto": "kernel"},
    }),
    Contest("iptables-save -c", "iptables_info", {
        "all rules": {"family": "ipv4"}, "jump": {"family": "ipv4", "jump": "KUBE-SEP-0000007A"},
        "dport": {"family": "ipv4", "dport": 30007}, "comment": {"family": "ipv4", "comment": "lab/web-7:"},
        "walk": {"family": "ipv4", "walk": "KUBE-SVC-0000007", "table": "nat"},
    }),
)  # fmt: skip


def rules(number: int) -> Iterator[str]:
    """About so many rules for iptables-restore, as kube-proxy writes them."""
    services = number // PER_SERVICE
    yield "*nat"
    yield from (f":{name} - [0:0]" for name in ("KUBE-SERVICES", "KUBE-MARK-MASQ"))
    for n in range(services):
        yield from (f":{name} - [0:0]" for name in (f"KUBE-SVC-{n:07}", f"KUBE-SEP-{n:07}A", f"KUBE-SEP-{n:07}B"))
    yield '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
    yield "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000"
    for n in range(services):
        name, chain = f"lab/web-{n}:http", f"KUBE-SVC-{n:07}"
        comment, port = f'-m comment --comment "{name}"', 30000 + n
        yield f"-A KUBE-SERVICES -p tcp {comment} -m tcp --dport {port} -j {chain}"
        yield f"-A {chain} ! -s 10.244.0.0/16 -p tcp {comment} -m tcp --dport {port} -j KUBE-MARK-MASQ"
        yield f"-A {chain} {comment} -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-{n:07}A"
        yield f"-A {chain} {comment} -j KUBE-SEP-{n:07}B"
        for end, host in (("A", 1), ("B", 2)):
            address = f"10.{host}.{n >> 8}.{n & 255}"
            yield f"-A KUBE-SEP-{n:07}{end} -s {address}/32 {comment} -j KUBE-MARK-MASQ"
            yield f"-A KUBE-SEP-{n:07}{end} -p tcp {comment} -m tcp -j DNAT --to-destination {address}:9000"
    yield "COMMIT"


def routes(number: int) -> Iterator[str]:
    """So many routes for `ip -batch`: pods, each on a device of the node."""
    for n in range(number):
        yield f"route add 10.244.{n >> 8}.{n & 255} dev cali{n % 8} proto 80 scope link"


def build(given: argparse.Namespace) -> None:
    """The node's network."""
    links = [f"link add cali{n} type veth peer name pod{n}" for n in range(8)]
    links += [f"link set {name}{n} up" for n in range(8) for name in ("cali", "pod")]
    _feed(["ip", "-batch", "-"], [*links, *routes(given.routes)])
    _feed(["iptables-restore"], rules(given.rules))


def _feed(command: list[str], lines: Any) -> None:
    subprocess.run(command, input="\n".join(lines) + "\n", text=True, check=True)


def measure(command: str, times: int) -> bench.Sample:
    """The best of so many runs."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        samples = [bench.measured(["sh", "-c", f"exec {command}"], output) for _time in range(times)]
        for sample in samples:
            if sample["code"]:
                raise SystemExit(f"{command}: {output.read_text(errors='replace')[-2000:]}")
        return {**min(samples, key=lambda sample: float(sample["cpu"])), "mib": output.stat().st_size / 2**20}


def ask(module: str, parameters: dict[str, Any]) -> str:
    """A module as Ansible runs it: a fresh Python, its arguments on standard input."""
    arguments = Path(tempfile.gettempdir()) / f"reading-{os.getpid()}.json"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": parameters}), encoding="utf-8")
    return f"{shlex.quote(sys.executable)} -m {PACKAGE}.{module} < {arguments}"


def main() -> None:
    """Build, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=20000)
    parser.add_argument("--routes", type=int, default=10000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.inside:
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv, "--inside"])
    if [name for _index, name in socket.if_nameindex()] != ["lo"]:
        raise SystemExit("this is not an empty network: reading.py starts itself in one")
    os.chdir("/")
    build(given)
    print(f"{given.rules} rules, {given.routes} routes; best of {given.times}\n")
    print(f"| {'':34} | wall s | CPU s | peak MiB | output MiB | CPU, of the tool |\n|---|---|---|---|---|---|")
    start = measure(ask("rule_info", {}), given.times)
    _row("a module that reads next to nothing", start, None)
    for contest in CONTESTS:
        tool = measure(contest.tool, given.times)
        _row(contest.tool, tool, None)
        for title, parameters in contest.questions.items():
            _row(f"{contest.module}: {title}", measure(ask(contest.module, parameters), given.times), tool)
    (Path(tempfile.gettempdir()) / f"reading-{os.getpid()}.json").unlink()


def _row(title: str, sample: bench.Sample, tool: bench.Sample | None) -> None:
    ratio = f"{sample['cpu'] / max(tool['cpu'], 0.001):.1f}" if tool else ""
    print(f"| {title:34} | {sample['wall']:6.2f} | {sample['cpu']:5.2f} | {sample['peak_mib']:8.0f} | {sample['mib']:10.1f} | {ratio:>16} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
