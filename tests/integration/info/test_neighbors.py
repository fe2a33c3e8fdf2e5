# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""neighbor_info against `ip neigh`, field by field and word by word."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._info import neighbor
from hypothesis import given
from hypothesis import strategies as st

from ..engine.support import lab, own_network, sh
from ..engine.test_properties import profile
from ..modules.test_modules import module
from .looking import VETH, Record, at_rest, lines, look, make, texts, tool, typed

__all__ = ["lab"]

# ---- random entries, as a person types them -----------------------------------------------------------------------

STATES = ["permanent", "noarp", "stale", "reachable", "failed", "incomplete", "delay", "probe"]


@st.composite
def entries(draw: st.DrawFn) -> str:
    """A command that may well be refused."""
    dst = draw(st.sampled_from(["10.0.0.7", "10.0.0.8", "192.0.2.1", "2001:db8::7", "fe80::7"]))
    dev = draw(st.sampled_from(["v0", "p0"]))
    if draw(st.integers(0, 3)) == 0:
        return f"ip neigh add proxy {dst} dev {dev} {draw(st.sampled_from(['', 'router', 'protocol 80']))}"
    more = draw(
        st.lists(st.sampled_from(["router", "extern_learn", "protocol bird", "protocol 77"]), unique=True, max_size=2)
    )
    mac = draw(st.sampled_from(["lladdr 02:00:00:00:00:01", "lladdr 02:00:00:00:00:02", ""]))
    return f"ip neigh replace {dst} dev {dev} {mac} nud {draw(st.sampled_from(STATES))} {' '.join(more)}"


# ---- a record in the words of `ip -j neigh` -----------------------------------------------------------------------


def as_ip_says(record: Record) -> Record:
    """The record as iproute2 tells the same."""
    found: Record = {"dst": record["dst"], "dev": record["dev"], "state": [record["nud"].upper()]}
    if record["nud"] == "none":
        found["state"] = []
    if record["lladdr"]:
        found["lladdr"] = record["lladdr"]
    if record["proto"]:
        found["protocol"] = str(record["proto"])
    return {**found, **{word: None for word in ("router", "proxy", "extern_learn", "offload") if record[word]}}


def agree() -> list[Record]:
    """All entries, which are what `ip neigh` says."""
    every = list(neighbor.STATES.values())
    found, said, proxies, printed, printed_proxies = at_rest(
        lambda: look(neighbor, nud=[*every, "none"]),
        lambda: tool("ip", "-j", "neigh", "show", "nud", "all"),
        lambda: tool("ip", "-j", "neigh", "show", "proxy"),
        lambda: lines("ip", "neigh", "show", "nud", "all"),
        lambda: lines("ip", "neigh", "show", "proxy"),
    )
    ours = [as_ip_says(one) for one in found]
    assert [one for one in ours if "proxy" not in one] == [{"state": [], **one} for one in said]
    # of a proxy entry the kernel tells a state that means nothing
    assert [{**one, "state": []} for one in ours if "proxy" in one] == [{"state": [], **one} for one in proxies]
    assert [text for one, text in zip(found, texts(found)) if not one["proxy"]] == printed
    assert [text for one, text in zip(found, texts(found)) if one["proxy"]] == printed_proxies
    return found


@profile
@given(st.lists(entries(), min_size=1, max_size=10))
def test_random_entries_read_as_ip_neigh_prints_them(commands: list[str]) -> None:
    with own_network():
        make(*VETH)
        typed(commands)
        agree()
        plain, printed = at_rest(lambda: texts(look(neighbor, proxy=False)), lambda: lines("ip", "neigh"))
        assert plain == printed


@profile
@given(st.lists(entries(), min_size=3, max_size=10), st.data())
def test_each_filter_leaves_what_it_says(commands: list[str], data: st.DataObject) -> None:
    with own_network():
        make(*VETH, "ip neigh add 10.0.0.9 dev v0 lladdr 02:00:00:00:00:09")
        typed(one.replace("nud reachable", "nud stale").replace("nud delay", "nud stale").replace("nud probe", "nud stale")
              for one in commands)  # fmt: skip
        one = data.draw(st.sampled_from(agree()))
        states, names = [*neighbor.STATES.values(), "none"], ("dev", "dst", "family", "proxy")
        every, kept, of_state, shown = at_rest(
            lambda: look(neighbor, nud=states),
            lambda: {name: look(neighbor, **{name: one[name]}, nud=states) for name in names},
            lambda: look(neighbor, nud=[one["nud"]]),
            lambda: look(neighbor),
        )
        assert kept == {name: [other for other in every if other[name] == one[name]] for name in names}
        assert of_state == [other for other in every if other["nud"] == one["nud"]]
        assert shown == [o for o in every if o["proxy"] or o["extern_learn"] or o["nud"] not in ("noarp", "none")]


# ---- what the documents show --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("lab")
def test_the_neighbours_of_the_documents() -> None:  # E9, D12, G4
    make(*VETH, "ip neigh add 169.254.1.1 dev v0 lladdr ee:ee:ee:ee:ee:ee", "ip neigh add proxy 10.0.0.77 dev v0",
         "ip neigh add 192.168.26.106 dev v0 nud failed", "ip neigh add 10.0.0.8 dev v0 lladdr 02:00:00:00:00:08 nud noarp")  # fmt: skip
    assert texts(look(neighbor, dst="169.254.1.1")) == ["169.254.1.1 dev v0 lladdr ee:ee:ee:ee:ee:ee PERMANENT"]
    (proxy,) = look(neighbor, proxy=True)
    assert (proxy["dst"], proxy["lladdr"], proxy["text"]) == ("10.0.0.77", None, "10.0.0.77 dev v0 proxy")
    assert texts(look(neighbor, nud=["failed", "incomplete"])) == ["192.168.26.106 dev v0 FAILED"]
    assert [one["dst"] for one in look(neighbor, grep="ee:ee")] == ["169.254.1.1"]
    assert "10.0.0.8" in [one["dst"] for one in look(neighbor, nud=["noarp"])]
    assert "10.0.0.8" not in [one["dst"] for one in look(neighbor)] and not look(neighbor, dev="p0", dst="10.9.9.9")


@pytest.mark.usefixtures("lab")
def test_an_entry_that_is_learned() -> None:  # D12
    make("ip netns add red", "ip link add v0 type veth peer name p0 netns red", "ip link set v0 up", "ip addr add 10.0.0.1/24 dev v0",
         "ip -n red link set p0 up", "ip -n red addr add 10.0.0.2/24 dev p0")  # fmt: skip
    sh("ping", "-c1", "-W2", "10.0.0.2")
    (learned,) = look(neighbor, dst="10.0.0.2")
    assert learned["nud"] in ("reachable", "delay", "stale") and learned["lladdr"] in sh(
        "ip", "-n", "red", "link", "show", "p0"
    )
    assert {one["netns"] for one in look(neighbor, netns="all", dst="10.0.0.1")} == {"red"}


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"dst": "10.0.0.0/24"}, "option dst: '10.0.0.0/24' is not an IP address"),
        ({"nud": ["asleep"]}, "value of nud must be one or more of"),
        ({"family": "inet5"}, "value of family must be one of"),
        ({"netns": "nowhere"}, "there is no network namespace nowhere"),
    ],
)
def test_mistakes_are_told(wrong: dict[str, Any], word: str) -> None:
    answer = module("neighbor_info", **wrong)
    assert answer["failed"] and word in answer["msg"], answer


@pytest.mark.usefixtures("lab")
def test_through_the_modules_own_entry_point() -> None:
    make(*VETH, "ip neigh add 10.0.0.9 dev v0 lladdr 02:00:00:00:00:09")
    for check in (False, True):
        answer = module("neighbor_info", check=check, dst="10.0.0.9")
        assert answer["changed"] is False
        assert answer["neighbors"] == [
            {"netns": "", "dev": "v0", "dst": "10.0.0.9", "family": "inet", "lladdr": "02:00:00:00:00:09", "nud": "permanent",
             "proxy": False, "router": False, "extern_learn": False, "offload": False, "proto": None,
             "text": "10.0.0.9 dev v0 lladdr 02:00:00:00:00:09 PERMANENT"}
        ]  # fmt: skip
