# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine on a real kernel: each test runs in a network and a mount namespace of its own.

The engine is in the test's own process; what it did is read back with iproute2, which knows nothing of the engine.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _call(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _back(descriptor: int, kind: int) -> None:
    """A mount namespace is entered by a process with one thread only; one that has been joined may not be gone yet."""
    for _attempt in range(100):
        if not _libc.setns(descriptor, kind):
            return
        time.sleep(0.02)
    _call(_libc.setns(descriptor, kind))


def sh(*command: str, check: bool = True) -> str:
    """The output of a command."""
    return subprocess.run(command, capture_output=True, text=True, check=check).stdout


@contextmanager
def own_network() -> Iterator[None]:
    """A network of its own, a /run of its own, a /sys that shows this network; all gone with the test."""
    before = [os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("net", "mnt")]
    folder = os.getcwd()
    _call(_libc.unshare(CLONE_NEWNET | CLONE_NEWNS))
    try:
        sh("mount", "--make-rprivate", "/")
        sh("mount", "-t", "tmpfs", "lab", "/run")
        os.mkdir("/run/netns")
        sh("mount", "-t", "sysfs", "lab", "/sys")
        sh("ip", "link", "set", "lo", "up")
        yield
    finally:
        for descriptor, kind in zip(before, (CLONE_NEWNET, CLONE_NEWNS)):
            _back(descriptor, kind)
            os.close(descriptor)
        os.chdir(folder)  # entering a mount namespace goes to its root


@pytest.fixture
def lab() -> Iterator[None]:
    """own_network() for the length of a test."""
    with own_network():
        yield


# Comes and goes by itself, or is a counter: no state that anybody configured.
_TRANSIENT = {
    "operstate", "qdisc", "tso_max_size", "tso_max_segs", "ifindex", "link_index", "link_netnsid", "link_netns",
    "linkmode", "stats64", "carrier_changes", "valid_life_time", "preferred_life_time", "tentative", "dynamic",
    "root_id", "bridge_id", "timer", "hello_timer", "tcn_timer", "topology_change_timer", "gc_timer", "used",
    "confirmed", "updated", "probes", "refcnt", "port_id", "port_no", "designated_port", "designated_bridge",
    "designated_root", "designated_cost", "hold_timer", "message_age_timer", "forward_delay_timer",
    "topology_change_ack", "config_pending", "state_change", "root_port", "root_path_cost", "topology_change",
    "topology_change_detected", "cacheinfo", "uid", "linkdown", "optimistic", "expires",
}  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        found = {key: _plain(inner) for key, inner in value.items() if key not in _TRANSIENT}
        for number in ("id", "no", "state"):  # of a bridge port: the order in which it came, and where STP is
            found.get("info_slave_data", {}).pop(number, None)
        if "flags" in found and isinstance(found["flags"], list):
            found["flags"] = sorted(set(found["flags"]) - {"LOWER_UP", "NO-CARRIER", "M-DOWN", "linkdown"})
        return found
    if isinstance(value, list):
        return sorted((_plain(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
    return value


# What iproute2 does not know: parameters, and the chains and rules of iptables (a table that is empty is as good as none).
_OTHER = """
cd /proc/sys/net && { grep -s . ipv4/ip_forward; grep -rs . ipv4/conf ipv4/neigh ipv6/conf ipv6/neigh; }
{ iptables-save; ip6tables-save; } | grep -e ^-A -e '^:[^ ]* -' || :
"""


def _json(*command: str) -> Any:
    return json.loads(sh(*command) or "[]")


QUICK = bool(os.environ.get("LAB_QUICK"))  # in a guest kernel a process is slow to start


def state(with_ifindex: bool = False) -> dict[str, Any]:
    """All that is configured, in all namespaces, by iproute2's account."""
    found: dict[str, Any] = {}
    names = [""] + sorted(entry["name"] for entry in _json("ip", "-j", "netns"))
    for name in names:
        where = ["-n", name] if name else []
        links = [link for link in _json("ip", "-j", "-d", *where, "addr") if link]
        for link in links:
            link["addr_info"] = [
                a for a in link["addr_info"] if not str(a.get("local", "")).startswith(("fe80:", "::1"))
            ]
        found[name] = {
            "links": _plain(links),
            "routes": _plain(
                [r for v in ("-4", "-6") for r in _json("ip", "-j", v, *where, "route", "show", "table", "all")
                 if r.get("table") != "local" and not str(r["dst"]).startswith(("fe80:", "ff00:")) and r["dst"] != "multicast"]
            ),
            "rules": _plain(_json("ip", "-j", *where, "rule")),
            "neighbors": _plain(
                [n for n in _json("ip", "-j", *where, "neigh", "show", "nud", "all") if "PERMANENT" in n.get("state", [])]
                + _json("ip", "-j", *where, "neigh", "show", "proxy")
            ),
            "fdb": _plain(
                [e for e in _json("bridge", "-j", *where, "fdb") if e.get("dst") or e.get("state") == "static"]
            ),
            **({} if QUICK else _more(name, where)),
            "vlans": _plain(_json("bridge", "-j", *where, "vlan")),
        }  # fmt: skip
        if with_ifindex:
            found[name]["ifindex"] = {link["ifname"]: link["ifindex"] for link in links}
    return found


def _more(name: str, where: list[str]) -> dict[str, Any]:
    """What hangs on links beside that, and all their parameters."""
    return {
        "qdiscs": _plain([q for q in _json("tc", "-j", *where, "qdisc") if q["handle"] != "0:"]),
        "groups": _plain(
            [e for one in _json("bridge", "-j", *where, "mdb") for e in one["mdb"] if e["state"] == "permanent"]
        ),
        "other": _plain(sh(*(["ip", "netns", "exec", name] if name else []), "sh", "-c", _OTHER).splitlines()),
    }


def unlike(before: Any, after: Any, path: str = "") -> list[str]:
    """Where two states differ, a line each."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            line
            for key in sorted(set(before) | set(after), key=str)
            for line in unlike(before.get(key), after.get(key), f"{path}/{key}")
        ]
    if isinstance(before, list) and isinstance(after, list):
        if all("ifname" in one for one in before + after if isinstance(one, dict)) and path.endswith("links"):
            return unlike({one["ifname"]: one for one in before}, {one["ifname"]: one for one in after}, path)
        gone = [one for one in before if one not in after]
        come = [one for one in after if one not in before]
        if len(gone) == len(come) == 1:
            return unlike(gone[0], come[0], f"{path}[]")
        return [f"{path}: - {one}" for one in gone] + [f"{path}: + {one}" for one in come]
    return [] if before == after else [f"{path}: {before!r} -> {after!r}"]


def kernel_has(kind: str) -> bool:
    """Whether a link of this kind can be made here; asked in a namespace that is gone afterwards."""
    # an ipip without a remote is taken for the fallback device, which is there already
    data = {"vxlan": ["id", "1", "dstport", "4789"], "ipip": ["remote", "192.0.2.1"]}.get(kind, [])
    command = ["unshare", "-n", "ip", "link", "add", "probe", "type", kind, *data]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def bridges_have_vlans() -> bool:
    """Whether this kernel has CONFIG_BRIDGE_VLAN_FILTERING."""
    command = "unshare -n ip link add probe type bridge vlan_filtering 1"
    return subprocess.run(command.split(), capture_output=True, check=False).returncode == 0
