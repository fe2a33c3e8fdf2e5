# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever type a variable has, a plan does not raise: it reports, each line with host and variable."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.plugin_utils import node_port, pod_network
from hypothesis import given, settings
from hypothesis import strategies as st

# what YAML can make of a value, and what is nearly right
NEARLY = st.sampled_from(
    ["", " ", "-1", "0", "1e3", "0x", "/", "10.244.0.0/99", "10.244.0.0/16/2", "::1", "::/0", "10.244.0.64/26", "true"]
)
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.just(datetime.date(2026, 1, 1))
    | NEARLY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=4,
)
POD = {"name": "web", "namespace": "shop", "node": "h2", "address": "10.244.0.9", "interface": "cali1"}
SERVICE = {
    "name": "web", "cluster_ip": "10.96.0.7", "port": 80, "target_port": 9000, "node_port": 30999,
    **node_port.SERVICE, "endpoints": ["10.244.0.9"],
}  # fmt: skip
UNDERLAY = ("underlay_address", "underlay_device", "underlay_mtu", "underlay_subnet", "ansible_host")


def entries(option: str, entry: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The list of an option, with one entry that has one wrong value."""
    wrong = st.tuples(st.sampled_from(sorted(entry)), ANY).map(lambda one: {option: [{**entry, one[0]: one[1]}]})
    return wrong | ANY.map(lambda one: {option: [entry, one]})


def values(defaults: dict[str, Any], listed: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """The role's variables, a few of them wrong."""
    options = sorted(set(defaults) - {"group"})
    wrong = st.dictionaries(st.sampled_from(options), ANY, max_size=2)
    return st.tuples(listed | st.just({}), wrong).map(lambda both: {**both[0], **both[1]})


LOOKED = st.fixed_dictionaries(
    {}, optional={"routes": ANY, "neighbors": ANY, "default_rp_filter": ANY, "default_accept_ra": ANY}
)
ROLES = {
    "pod_network": (pod_network, values(pod_network.DEFAULTS, entries("pods", POD))),
    "node_port": (node_port, values(node_port.DEFAULTS, entries("services", SERVICE))),
}


@pytest.mark.parametrize("role", list(ROLES))
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_type_of_a_variable_makes_a_plan_raise(role: str, data: st.DataObject) -> None:
    """Wrong on this host, on one in the play, on one out of it; and wrong about the underlay."""
    module, some = ROLES[role]
    own, theirs, others = (data.draw(some, label=name) for name in ("this host", "in the play", "out of it"))
    underlay = data.draw(st.dictionaries(st.sampled_from(UNDERLAY), ANY, max_size=1), label="underlay")
    hostvars: dict[str, Any] = {
        "h1": {"underlay_address": "192.0.2.1", "underlay_mtu": 1500, **underlay, f"{role}_stated": own},
        "h2": {"underlay_address": "192.0.2.2", f"{role}_stated": theirs},
        "h3": {"underlay_address": "192.0.2.3", **{f"{role}_{option}": value for option, value in others.items()}},
    }
    more = (
        (data.draw(st.none() | LOOKED.map(lambda one: {"h3": one}), label="looked at"),)
        if role == "pod_network"
        else ()
    )
    for host in ("h1", "h2"):
        part = module.plan(hostvars[host][f"{role}_stated"], host, hostvars, list(hostvars), *more)
        assert all(line.startswith(("h1: ", "h2: ", "h3: ")) for line in part["problems"]), part["problems"]
        assert all(f" {role}_" in line or " underlay_" in line for line in part["problems"]), part["problems"]


@pytest.mark.parametrize("role", list(ROLES))
def test_what_cannot_be_empty(role: str) -> None:
    """none and '' are told like other wrong values, where the role has no meaning for them."""
    module, _some = ROLES[role]
    may_be = {"state", "group", "recreate", "adopt", "pods", "services", "addresses"}
    options = [option for option, default in module.DEFAULTS.items() if default != "" and option not in may_be]
    for value in (None, ""):
        for option in options:
            part = module.plan({option: value}, "h1", {"h1": {"underlay_address": "192.0.2.1"}}, ["h1"])
            assert any(line.startswith(f"h1: {role}_{option}: {value!r}") for line in part["problems"]), (option, part)
