# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks on the six nodes of the example inventory: built, built again, proven, broken and found out, taken down."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .test_testbed import Testbed

ROOT = Path(__file__).parents[2]
PODS = yaml.safe_load((ROOT / "playbooks/inventory/documents.yml").read_text())["all"]["children"]["pod_hosts"]
NODES = list(PODS["hosts"])
# What a host has: what must be again as it was.
SNAPSHOT = (
    "exec 2>/dev/null; ip -br addr; ip -4 route; ip netns; sysctl net.ipv4.ip_forward net.ipv4.conf.all.route_localnet; "
    "bridge fdb | grep -v permanent; iptables-save | grep -e '^-A' -e '^:[KL]'; ls -A /etc/netns; find /run/linuxnet.lab; exit 0"
)


class Lab(Testbed):
    """Native nodes; the kernel of the machine may have no ipip, so pods go through VXLAN."""

    def make(self) -> None:
        variables = {**PODS["vars"], "pod_network_encapsulation": "vxlan"}
        groups = {"bridge_hosts": "all", "vxlan_hosts": "all", "pod_hosts": "all", "internet": ["outside"]}
        self.run(
            "up", "--names", ",".join(NODES), "--form", "native", "--inventory", str(self.folder / "hosts"),
            "--groups", json.dumps(groups), "--host-vars", json.dumps(PODS["hosts"]),
            "--group-vars", json.dumps({"pod_hosts": variables}),
        )  # fmt: skip

    def play(self, name: str, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [Path(sys.prefix) / "bin/ansible-playbook", "-i", self.folder / "hosts", ROOT / name, *arguments],
            capture_output=True, text=True, check=False, cwd=ROOT, stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip
        print(done.stdout[-6000:], done.stderr[-3000:])
        return done.returncode, done.stdout

    def snapshot(self) -> list[str]:
        return [self.ssh(SNAPSHOT, host) for host in NODES]

    def verify(self) -> tuple[int, str]:
        return self.play("playbooks/verify.yml", "-e", "verify_outside=203.0.113.10", "-e", "verify_client=outside")


def changes(output: str) -> dict[str, int]:
    return {host: int(count) for host, count in re.findall(r"^(\w+) +: ok=\d+ +changed=(\d+)", output, re.M)}


@pytest.fixture
def bed() -> Iterator[Lab]:
    with Lab.somewhere() as bed:
        bed.make()
        yield bed


def test_the_lab_from_beginning_to_end(bed: Lab) -> None:
    before = bed.snapshot()

    code, out = bed.play("lab.yml")
    assert code == 0 and all(changes(out)[host] >= 5 for host in NODES)
    code, out = bed.play("lab.yml")
    assert code == 0 and set(changes(out).values()) == {0} and set(changes(out)) >= set(NODES)

    # one node by itself: the other one is looked at, so nothing is otherwise than with both
    code, out = bed.play("lab.yml", "--limit", "vms105")
    assert code == 0 and changes(out) == {"vms105": 0}

    code, out = bed.verify()
    assert code == 0 and set(changes(out).values()) == {0}
    assert "velero/minio  NODE:30900 and 10.96.0.90:9000 -> minio-b6d98746c-m7rzc" in out

    # what is broken is found out, by what differs and by what does not answer
    bed.ssh("kill $(ip netns pids default.web-vms105)", "vms105")
    bed.ssh("ip route del 10.244.239.132", "vms100")
    code, out = bed.verify()
    text = " ".join(out.split())
    assert code != 0
    assert "default/web" in text and "not answered (Connection refused)" in text
    assert "missing or different: ip route add 10.244.239.132" in text and "packets lost" in text

    code, out = bed.play("playbooks/teardown.yml")
    assert code == 0
    assert bed.snapshot() == before
