# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rule_info against `ip rule`, field by field and word by word."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._info import rule
from hypothesis import given
from hypothesis import strategies as st

from ..engine.support import lab, own_network
from ..engine.test_properties import profile
from ..engine.test_rules import SHOWN
from ..modules.test_modules import module
from .looking import VETH, Record, lines, look, make, texts, tool, typed

__all__ = ["lab"]

# ---- random rules, as a person types them -------------------------------------------------------------------------

SELECTORS = st.lists(
    st.sampled_from([
        "from 10.0.0.0/8", "to 10.1.0.0/16", "to 192.0.2.1", "iif v0", "iif none0", "oif p0", "fwmark 7", "fwmark 0x4000/0x4000",
        "tos 0x10", "ipproto udp", "ipproto 99", "dport 80", "sport 1000-2000", "uidrange 0-99", "tun_id 7", "proto bird", "proto 80",
    ]),
    unique_by=lambda word: word.split()[0], max_size=4,
)  # fmt: skip
SELECTORS6 = st.lists(
    st.sampled_from(["from 2001:db8::/32", "to 2001:db8:1::1", "iif lo", "fwmark 7", "ipproto ipv6-icmp", "dport 80-90"]),
    unique_by=lambda word: word.split()[0], max_size=3,
)  # fmt: skip
OUTCOMES = st.sampled_from([
    "lookup 100", "lookup main", "lookup local", "lookup 100000", "lookup main suppress_prefixlength 0", "blackhole", "unreachable",
    "lookup default suppress_ifgroup 7", "prohibit", "goto 32766", "goto 40000", "nop", "lookup 100 realms 3/4", "lookup 100 realms 4",
])  # fmt: skip


@st.composite
def rules(draw: st.DrawFn) -> str:
    """A command that may well be refused."""
    ip, selectors = ("ip -6", SELECTORS6) if draw(st.booleans()) else ("ip", SELECTORS)
    priority = draw(st.sampled_from(["", "priority 5", "priority 100"]))
    return f"{ip} rule add {priority} {draw(st.sampled_from(['', 'not']))} {' '.join(draw(selectors))} {draw(OUTCOMES)}"


# ---- a record in the words of `ip -j rule` ------------------------------------------------------------------------


def _prefix(network: str | None, name: str, length: str) -> Record:
    if network is None:
        return {"src": "all"} if name == "src" else {}
    address, bits = network.split("/")
    return {name: address, **({} if bits == ("128" if ":" in address else "32") else {length: int(bits)})}


def _range(text: str | None, name: str) -> Record:
    """One number, or a first and a last."""
    if text is None:
        return {}
    first, dash, last = text.partition("-")
    return {f"{name}_start": int(first), f"{name}_end": int(last)} if dash else {name: int(first)}


def as_ip_says(record: Record) -> Record:
    """The record as iproute2 tells the same."""
    found: Record = {"priority": record["priority"], **({"not": None} if record["not"] else {})}
    found.update(_prefix(record["from"], "src", "srclen"), **_prefix(record["to"], "dst", "dstlen"))
    for ours, theirs in (("iif", "iif"), ("oif", "oif"), ("fwmark", "fwmark"), ("fwmask", "fwmask"), ("tos", "tos"),
                         ("ipproto", "ipproto"), ("suppress_prefixlength", "suppress_prefixlen"),
                         ("suppress_ifgroup", "suppress_ifgroup"), ("tun_id", "tun_id"), ("goto", "goto")):  # fmt: skip
        if record[ours] is not None:
            found[theirs] = record[ours]
    for name in ("ipproto", "suppress_ifgroup"):
        if name in found:
            found[name] = str(found[name])
    if found.get("ipproto", "").isdigit():  # iproute2's word for a protocol without a name
        found["ipproto"] = f"ipproto-{found['ipproto']}"
    if found.get("fwmask") == "0xffffffff":
        del found["fwmask"]
    for name, start in (("sport", "sport"), ("dport", "dport"), ("uidrange", "uid")):
        found.update(_range(record[name], start))
    found.update({f"{name}_detached": None for name in ("iif", "oif") if f"{name}_detached" in record["flags"]})
    if "unresolved" in record["flags"]:
        found["unresolved"] = None
    if record["action"] == "lookup":
        found["table"] = str(record["table"])
    elif record["action"] == "nop":
        found["nop"] = None
    elif record["action"] != "goto":
        found["action"] = record["action"]
    if record["proto"] not in (0, None, "kernel"):
        found["protocol"] = str(record["proto"])
    if record["realms"] is not None:
        source, slash, to = str(record["realms"]).partition("/")
        found.update({"flow_from": source, "flow_to": to} if slash else {"flow_to": source})
    return found


def agree() -> list[Record]:
    """All rules, which are what `ip rule` says."""
    found = look(rule)
    said = [one for family in ("-4", "-6") for one in tool("ip", "-j", family, "rule")]
    assert [as_ip_says(one) for one in found] == said
    assert texts(found) == [*lines("ip", "-4", "rule"), *lines("ip", "-6", "rule")]
    return found


@profile
@given(st.lists(rules(), min_size=2, max_size=12), st.data())
def test_random_rules_read_as_ip_rule_prints_them(commands: list[str], data: st.DataObject) -> None:
    with own_network():
        make(*VETH)
        typed(commands)
        every = agree()
        one = data.draw(st.sampled_from(every))
        for name in ("family", "priority", "action", "table", "iif", "proto"):
            if one[name] is not None:
                value = one[name] if name == "priority" else str(one[name])
                assert look(rule, **{name: value}) == [other for other in every if other[name] == one[name]], name


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(("options", "shown"), SHOWN, ids=[shown for _options, shown in SHOWN])
def test_a_record_can_be_given_back_to_the_module(options: dict[str, Any], shown: str) -> None:
    assert module("rule", priority=100, **options)["changed"]
    (record,) = look(rule, priority=100)
    assert record["text"] == f"100:\t{shown} proto 76"
    stated = {
        name: value
        for name, value in record.items()
        if value is not None and value is not False and name not in ("netns", "flags", "text")
    }
    again = module("rule", **stated)
    assert not again.get("failed") and not again["changed"], again


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"table": "mine"}, "option table: 'mine' is not"),
        ({"proto": "256"}, "option proto: 256 is out of range"),
        ({"priority": -1}, "option priority: -1 is out of range"),
        ({"action": "drop"}, "value of action must be one of"),
        ({"netns": "nowhere"}, "there is no network namespace nowhere"),
    ],
)
def test_mistakes_are_told(wrong: dict[str, Any], word: str) -> None:
    answer = module("rule_info", **wrong)
    assert answer["failed"] and word in answer["msg"], answer


@pytest.mark.usefixtures("lab")
def test_through_the_modules_own_entry_point() -> None:
    for check in (False, True):
        answer = module("rule_info", check=check, family="inet")
        assert answer["changed"] is False
        assert [one["text"] for one in answer["rules"]] == [
            "0:\tfrom all lookup local", "32766:\tfrom all lookup main", "32767:\tfrom all lookup default",
        ]  # fmt: skip
