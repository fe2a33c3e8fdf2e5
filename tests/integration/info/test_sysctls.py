# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""sysctl_info against sysctl(8); and which of an interface's parameter and that of `all` counts, against the kernel itself."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._info import sysctl
from hypothesis import given
from hypothesis import strategies as st

from ..engine.support import lab, own_network, sh
from ..engine.test_properties import profile
from ..modules.test_modules import module
from .looking import VETH, look, look_and_warn, make, texts, typed

__all__ = ["lab"]

# `sysctl -a` leaves these out, because they have been replaced (procps, sysctl.c: DeprecatedList)
_LEFT_OUT = ("base_reachable_time = ", "retrans_time = ")


@pytest.mark.usefixtures("lab")
def test_all_of_it_is_what_sysctl_prints() -> None:
    make(*VETH)
    ours = sorted(line for one in look(sysctl, name=["net"]) for line in one["text"].split("\n"))
    printed = sorted(line for line in sh("sysctl", "-a", "--pattern", "^net[.]").split("\n") if line)
    assert [line for line in ours if not any(word in line for word in _LEFT_OUT)] == printed
    assert len(ours) > 500


@profile
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["all", "default", "v0", "p0"]),
            st.sampled_from(
                ["rp_filter", "proxy_arp", "arp_ignore", "forwarding", "accept_source_route", "send_redirects", "tag"]
            ),
            st.integers(0, 2),
        ),
        max_size=12,
    )
)
def test_random_values_read_as_sysctl_prints_them(values: list[tuple[str, str, int]]) -> None:
    with own_network():
        make(*VETH)
        typed(f"sysctl -w net.ipv4.conf.{dev}.{name}={value}" for dev, name, value in values)
        found = look(sysctl, name=["net.ipv4.conf"])
        assert sorted(texts(found)) == sorted(sh("sysctl", "-a", "--pattern", "^net.ipv4.conf").splitlines())
        for one in found:
            if one["dev"]:
                assert one["all"] == sh("sysctl", "-n", one["name"].replace(f".{one['dev']}.", ".all.")).strip()
                assert one["effective"] == _effective(
                    one["dev"], one["name"].split(".")[-1], int(one["all"]), int(one["value"])
                )
            else:
                assert one["effective"] is None and one["decided_by"] is None


MAXIMUM = ("rp_filter", "arp_ignore", "arp_announce", "arp_notify", "arp_accept")
OWN = ("forwarding", "tag", "medium_id", "proxy_arp_pvlan", "force_igmp_version", "disable_policy", "disable_xfrm",
       "igmpv2_unsolicited_report_interval", "igmpv3_unsolicited_report_interval")  # fmt: skip
BOTH = ("accept_source_route", "bootp_relay", "mc_forwarding", "bc_forwarding", "arp_evict_nocarrier")


def _effective(dev: str, name: str, general: int, own: int) -> str:
    """As Documentation/networking/ip-sysctl.rst has it."""
    if name in OWN:
        return str(own)
    if name in MAXIMUM:
        return str(max(general, own))
    if name == "accept_redirects":
        routes_on = sh("sysctl", "-n", f"net.ipv4.conf.{dev}.forwarding").strip() == "1"
        return str(int(bool(general and own) if routes_on else bool(general or own)))
    return str(int(bool(general and own)) if name in BOTH else int(bool(general) or bool(own)))


# ---- what counts, as the kernel behaves ---------------------------------------------------------------------------


def _ping(netns: str, *more: str) -> bool:
    return "bytes from" in sh("ip", "netns", "exec", netns, "ping", "-c1", "-W1", *more, check=False)


@pytest.fixture
def segment(lab: None) -> None:
    """red asks, this namespace answers on v0; it also has 10.9.0.1 on lo, and a way to 10.7.0.0/16 by w0."""
    make(
        "ip netns add red", "ip link add v0 address 02:00:00:00:00:0a type veth peer name p0 netns red", "ip link set v0 up", "ip addr add 10.0.0.1/24 dev v0",
        "ip -n red link set p0 up", "ip -n red addr add 10.0.0.2/24 dev p0", "ip addr add 10.9.0.1/32 dev lo",
        "ip -n red route add 10.9.0.1/32 dev p0", "ip -n red route add 10.7.0.0/16 dev p0", "ip link add w0 type veth peer name q0",
        "ip link set w0 up", "ip link set q0 up", "ip addr add 10.7.0.1/16 dev w0", "ip -n red addr add 10.66.0.1/32 dev p0",
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.neigh.v0.proxy_delay=0",
    )  # fmt: skip


def _asked_for(address: str) -> bool:
    """Whether red gets an answer of ARP for an address."""
    sh("ip", "-n", "red", "neigh", "flush", "dev", "p0")
    _ping("red", address)
    return "lladdr" in sh("ip", "-n", "red", "neigh", "show", address)


BEHAVIOUR = {
    "arp_ignore": lambda: not _asked_for("10.9.0.1"),
    "proxy_arp": lambda: _asked_for("10.7.0.99"),
}


@pytest.mark.parametrize(("general", "own"), [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("name", BEHAVIOUR)
def test_what_counts_is_what_the_kernel_does(segment: None, name: str, general: int, own: int) -> None:
    make(f"sysctl -qw net.ipv4.conf.all.{name}={general} net.ipv4.conf.v0.{name}={own}")
    (one,) = look(sysctl, name=[f"net.ipv4.conf.v0.{name}"])
    assert BEHAVIOUR[name]() == (one["effective"] != "0")
    assert one["decided_by"] == {(0, 0): "both", (1, 1): "both", (0, 1): "interface", (1, 0): "all"}[general, own]


@pytest.mark.parametrize(
    ("general", "own", "effective"), [(0, 0, "0"), (1, 0, "1"), (0, 1, "1"), (1, 2, "2"), (2, 1, "2")]
)
def test_the_reverse_path_is_checked_as_the_stricter_number_says(
    segment: None, general: int, own: int, effective: str
) -> None:
    make(f"sysctl -qw net.ipv4.conf.all.rp_filter={general} net.ipv4.conf.v0.rp_filter={own}",
         "ip route add default dev w0",
         "ip -n red neigh add 10.0.0.1 dev p0 lladdr 02:00:00:00:00:0a")  # fmt: skip
    (one,) = look(sysctl, name=["net.ipv4.conf.v0.rp_filter"])
    assert (one["value"], one["all"], one["effective"]) == (str(own), str(general), effective)
    before = _reverse_path_drops()
    _ping("red", "-c3", "-i0.3", "-I", "10.66.0.1", "10.0.0.1")  # the first may go before the link is ready
    assert (_reverse_path_drops() > before) == (
        effective == "1"
    )  # 2 is loose: there is a way back, by another interface


def _reverse_path_drops() -> int:
    words = [line.split() for line in sh("cat", "/proc/self/net/netstat").splitlines() if line.startswith("TcpExt")]
    return int(dict(zip(*words))["IPReversePathFilter"])


# ---- names and patterns -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("lab")
class TestNames:
    """What a user may write."""

    def test_the_parameters_of_the_documents(self) -> None:  # D4, C6, E10, G6
        make(*VETH, "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.v0.proxy_arp=1 net.ipv4.neigh.v0.proxy_delay=0")
        assert texts(look(sysctl, name=["net.ipv4.ip_forward"])) == ["net.ipv4.ip_forward = 1"]
        (proxy,) = look(sysctl, name=["net.ipv4.conf.*.proxy_arp"], dev="v0")
        assert (proxy["value"], proxy["effective"], proxy["decided_by"]) == ("1", "1", "interface")
        found = look(
            sysctl,
            name=["net.ipv4.conf.v0.forwarding", "net.ipv4.neigh.v0.proxy_delay", "net.ipv4.conf.v0.route_localnet"],
        )
        assert [one["value"] for one in found] == ["1", "0", "0"] and {one["dev"] for one in found} == {"v0"}

    def test_a_pattern(self) -> None:
        make(*VETH)
        names = [one["name"] for one in look(sysctl, name=["net.ipv4.conf.*.rp_filter"])]
        assert names == [f"net.ipv4.conf.{name}.rp_filter" for name in ("all", "default", "lo", "p0", "v0")]
        assert [one["dev"] for one in look(sysctl, name=["net.ipv4.conf.[vp]0.rp_filter"])] == ["p0", "v0"]

    def test_the_name_of_an_interface_with_a_point(self) -> None:
        make("ip link add eth0.100 type bridge", "sysctl -qw net.ipv4.conf.eth0/100.rp_filter=2")
        for given_name in ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"):
            (one,) = look(sysctl, name=[given_name])
            assert (one["dev"], one["value"]) == ("eth0.100", "2")
            assert one["text"] == "net.ipv4.conf.eth0/100.rp_filter = 2" == sh("sysctl", given_name).strip()
        assert [one["dev"] for one in look(sysctl, name=["net.ipv4.conf.eth0*.rp_filter"])] == ["eth0.100"]

    def test_a_folder_and_several_values(self) -> None:
        make(*VETH)
        assert {one["dev"] for one in look(sysctl, name=["net.ipv4.conf.v0"])} == {"v0"}
        (several,) = look(sysctl, name=["net.ipv4.tcp_rmem"])
        assert len(several["value"].split(" ")) == 3 and several["text"].count("\t") == 2
        twice = [one["name"] for one in look(sysctl, name=["net.ipv4.ip_forward", "net.ipv4.ip_forw*"])]
        assert twice[0] == "net.ipv4.ip_forward" and len(twice) == len(set(twice)) > 1

    def test_each_namespace_has_its_own(self) -> None:
        make(
            "ip netns add red", "ip netns exec red sysctl -qw net.ipv4.ip_forward=1", "sysctl -qw net.ipv4.ip_forward=0"
        )
        found = {one["netns"]: one["value"] for one in look(sysctl, netns="all", name=["net.ipv4.ip_forward"])}
        assert (found[""], found["red"]) == ("0", "1")

    def test_what_is_not_there_is_a_warning(self) -> None:
        found, warnings = look_and_warn(
            sysctl, name=["net.ipv4.ip_forward", "net.ipv4.conf.none0.rp_filter", "net.x.*"]
        )
        assert len(found) == 1
        assert warnings == [f"there is no parameter {name}" for name in ("net.ipv4.conf.none0.rp_filter", "net.x.*")]

    def test_what_can_only_be_written_is_left_out(self) -> None:
        assert "net.ipv4.route.flush" not in [one["name"] for one in look(sysctl, name=["net.ipv4.route"])]


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"name": "kernel.panic"}, "option name: 'kernel.panic' is not a parameter of the network"),
        ({"name": "net/../kernel/panic"}, "is not a parameter of the network"),
        ({"name": "ip_forward"}, "is not the name of a parameter"),
        ({}, "missing required arguments: name"),
        ({"name": "net.ipv4.ip_forward", "netns": "nowhere"}, "there is no network namespace nowhere"),
    ],
)
def test_mistakes_are_told(wrong: dict[str, Any], word: str) -> None:
    answer = module("sysctl_info", **wrong)
    assert answer["failed"] and word in answer["msg"], answer


@pytest.mark.usefixtures("lab")
def test_through_the_modules_own_entry_point() -> None:
    for check in (False, True):
        answer = module("sysctl_info", check=check, name="net.ipv4.conf.lo.rp_filter")
        assert answer["changed"] is False and answer["sysctls"][0]["text"] == "net.ipv4.conf.lo.rp_filter = 0"
