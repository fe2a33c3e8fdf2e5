# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel does beside what it is asked for: what others have stays, and a failure brings all of it back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, run
from ansible_collections.linuxnet.lab.plugins.module_utils._model import Op

from .support import sh, state, unlike

LAST = {"dst": "172.16.0.0/12", "type": "blackhole"}
FIRST_ADDRESS = {"dev": "v0", "address": "10.0.0.1/24"}
FOREIGN = (
    "ip addr add 10.0.0.2/24 dev v0",  # a secondary one
    "ip route add 10.9.0.0/16 via 10.0.0.9",
    "ip -6 route add 2001:db8:9::/48 via 2001:db8::9",
    "ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0",
    "ip neigh add 2001:db8::9 lladdr 02:00:00:00:00:09 dev v0",
    "ip neigh add proxy 10.0.0.78 dev v0",
)


@pytest.fixture(autouse=True)
def network(lab: None) -> None:
    """A pair with addresses, and what others have put on it."""
    run(
        {
            "links": [{"name": "v0", "kind": "veth", "up": True, "peer": {"name": "p0", "up": True}}],
            "addresses": [FIRST_ADDRESS, {"dev": "v0", "address": "2001:db8::1/64", "nodad": True}],
        }
    )
    for line in FOREIGN:
        sh(*line.split())


def the_last_op(_number: int, op: Op) -> None:
    """A fault when all else has been done."""
    if op.key.ident[2:3] == (LAST["dst"],):
        raise RuntimeError("on purpose")


def test_what_changes_on_a_link_that_is_up_takes_nothing_along() -> None:
    """A link is never set down to change it; a new MAC address flushes permanent neighbours, which come back."""
    before = state()
    change: dict[str, Any] = {"mtu": 1400, "address": "02:00:00:00:00:77", "txqueuelen": 500, "alias": "mine"}
    run({"links": [{"name": "v0", **change}]})
    rest = unlike(before, state())
    rest.remove("//other[]: 'ipv6/conf/v0/mtu:1500' -> 'ipv6/conf/v0/mtu:1400'")
    assert len(rest) == 4 and all(line.startswith("//links/v0/") for line in rest), rest


def test_a_removed_address_takes_no_other_along() -> None:
    """A primary address takes the secondary ones of its subnet along, and these routes and neighbours."""
    before = state()
    run({"addresses": [{**FIRST_ADDRESS, "state": "absent"}]})
    rest = [line for line in unlike(before, state()) if "10.0.0.1" not in line and "'10.0.0.2'" not in line]
    assert rest == []
    assert "10.0.0.2/24" in sh("ip", "addr", "show", "v0")


@pytest.mark.parametrize(
    "change",
    [
        {"links": [{"name": "v0", "up": False}]},
        {"links": [{"name": "v0", "address": "02:00:00:00:00:77"}]},
        {"links": [{"name": "v0", "mtu": 1000}]},
        {"links": [{"name": "v0", "state": "absent"}]},
        {"addresses": [{**FIRST_ADDRESS, "state": "absent"}]},
        {"addresses": [FIRST_ADDRESS, {"dev": "v0", "address": "10.0.0.2/24"}]},
    ],
    ids=["down", "mac", "mtu", "absent", "primary", "all"],
)
def test_a_failure_brings_back_what_went_along(change: dict[str, Any]) -> None:
    if len(change.get("addresses", [])) == 2:
        change = {"addresses": [{**one, "state": "absent"} for one in change["addresses"]]}
    before = state()
    with pytest.raises(Failed, match="on purpose") as failed:
        run({**change, "routes": [LAST]}, Options(adopt=True), the_last_op)
    assert failed.value.rolled_back, failed.value.left
    assert not unlike(before, state())


def test_a_port_that_is_too_small_for_ipv6_by_its_lower_device_alone() -> None:
    """A bridge has the smallest MTU of its ports, also where nobody states it: 1280 less the header of the tunnel."""
    run({"links": [{"name": "br0", "kind": "bridge"}, {"name": "v0", "mtu": 1280}]})
    sh("sh", "-ec", "echo 17 > /proc/sys/net/ipv6/conf/br0/regen_min_advance")
    before = state()
    port = {
        "name": "vx0",
        "kind": "vxlan",
        "id": 42,
        "dstport": 4789,
        "dev": "v0",
        "remote": "10.0.0.9",
        "master": "br0",
    }
    with pytest.raises(Failed, match="on purpose") as failed:
        run({"links": [port], "routes": [LAST]}, fault=the_last_op)
    assert failed.value.rolled_back, failed.value.left
    assert not unlike(before, state())


PASSING = {"dev": "v0", "address": "2001:db8:7::1/64", "nodad": True, "valid_lft": 3600, "preferred_lft": 1800}


def test_an_address_with_a_lifetime_takes_its_prefix_route_along() -> None:
    """The kernel leaves that route behind, unlike the one of a permanent address."""
    before = state()
    run({"addresses": [PASSING]})
    run({"addresses": [{**PASSING, "state": "absent"}]})
    assert not unlike(before, state())
    with pytest.raises(Failed, match="on purpose") as failed:
        run({"addresses": [PASSING], "routes": [LAST]}, fault=the_last_op)
    assert failed.value.rolled_back and not unlike(before, state())
    run({"addresses": [PASSING, {**PASSING, "address": "2001:db8:7::2/64"}]})
    run({"addresses": [{**PASSING, "state": "absent"}]})
    assert "2001:db8:7::/64" in sh("ip", "-6", "route")  # the other one's


def test_a_failure_takes_back_what_an_entry_did_not_have() -> None:
    """The kernel does not show the port and the VNI of an entry that are the device's own."""
    entry = {"dev": "vx0", "mac": "02:00:00:00:00:0a", "dst": "192.0.2.51"}
    run({"links": [{"name": "vx0", "kind": "vxlan", "id": 42, "dstport": 4789}], "fdb": [entry]})
    before = state()
    changed = {"fdb": [{**entry, "port": 8472, "vni": 99}], "sysctls": [{"name": "net.ipv4.ip_forward", "value": 1}]}
    with pytest.raises(Failed, match="on purpose") as failed:
        run({**changed, "chains": [{"name": "LINUXNET-A", "table": "nat", "rules": []}]}, fault=_chains_fail)
    assert failed.value.rolled_back, failed.value.left
    assert not unlike(before, state())


def _chains_fail(_number: int, op: Op) -> None:
    if op.key.kind == "chain":
        raise RuntimeError("on purpose")


def test_an_address_is_not_preferred_for_longer_than_it_is_valid() -> None:
    stated = {"dev": "v0", "address": "192.0.2.2/24"}
    run({"addresses": [stated]})
    shown = run({"addresses": [{**stated, "valid_lft": 60}]}).commands
    assert shown == ["ip addr replace 192.0.2.2/24 dev v0 valid_lft 60 preferred_lft 60"]
    sh(*shown[0].split())
    every = json.loads(sh("ip", "-j", "addr", "show", "dev", "v0"))[0]["addr_info"]
    (found,) = [one for one in every if one["local"] == "192.0.2.2"]
    assert found["preferred_life_time"] == found["valid_life_time"] <= 60
