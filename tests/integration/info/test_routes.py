# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""route_info against `ip route`, field by field and word by word; and the entry that a packet meets, against the kernel."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, run
from ansible_collections.linuxnet.lab.plugins.module_utils._info import route
from ansible_collections.linuxnet.lab.plugins.module_utils._kinds.route import METRICS
from hypothesis import given
from hypothesis import strategies as st

from ..engine.networks import Description, descriptions
from ..engine.support import lab, own_network, sh
from ..engine.test_properties import profile
from ..modules.test_modules import module
from .look import anyhow, process_without_a_name
from .looking import VETH, Record, at_rest, lines, look, look_and_warn, make, texts, tool, typed

__all__ = ["lab"]

# ---- random routes, as a person types them ------------------------------------------------------------------------

IPV4 = st.sampled_from(["10.1.0.0/16", "10.1.2.0/24", "10.1.2.3", "10.1.2.128/25", "default", "192.0.2.0/24"])
IPV6 = st.sampled_from(["2001:db8:1::/48", "2001:db8:1:2::/64", "2001:db8:1:2::3", "default", "2001:db8:f::/48"])
WAY4 = st.sampled_from([
    "via 10.0.0.9", "via 10.0.0.8 dev v0", "dev v0", "dev p0", "via 198.51.100.1 dev v0 onlink", "via inet6 fe80::9 dev v0",
    "nexthop via 10.0.0.9 weight 3 nexthop via 10.0.0.8 dev v0 onlink", "nexthop dev v0 nexthop dev p0 weight 200",
    "nhid 1", "nhid 3", "encap ip id 5 dst 10.0.0.77 dev v0", "dev v0 src 10.0.0.1", "via 10.0.0.9 src 10.0.0.1",
])  # fmt: skip
WAY6 = st.sampled_from([
    "via 2001:db8::9", "dev v0", "via fe80::1 dev v0", "nexthop via 2001:db8::9 nexthop via 2001:db8::8 weight 4",
    "via 2001:db8::9 pref high", "via 2001:db8::9 expires 500", "nhid 5", "dev v0 src 2001:db8::1",
    "encap seg6 mode encap segs fc00::1 dev v0", "via 2001:db8::9 pref low",
])  # fmt: skip
NO_WAY = st.sampled_from(["blackhole", "unreachable", "prohibit", "throw"])
MORE = st.lists(
    st.sampled_from([
        "proto bird", "proto 80", "proto static", "proto kernel", "table 100", "table 1000", "table local", "metric 5", "metric 1002",
        "scope link", "scope 77", "tos 0x10", "mtu 1300", "mtu lock 1400", "window 5 rtt 300", "rttvar 10 quickack 1", "advmss 900",
        "hoplimit 7", "initcwnd 4 initrwnd 5", "congctl cubic", "features ecn", "realm 5", "realm 3/5", "rto_min 2s", "reordering 4",
    ]),
    max_size=3, unique=True,
)  # fmt: skip
NEXTHOPS = (
    "ip nexthop add id 1 via 10.0.0.9 dev v0", "ip nexthop add id 2 via 10.0.0.8 dev v0", "ip nexthop add id 3 group 1/2,5",
    "ip nexthop add id 5 via 2001:db8::9 dev v0",
)  # fmt: skip


@st.composite
def routes(draw: st.DrawFn) -> str:
    """A command that may well be refused."""
    more = " ".join(draw(MORE))
    if draw(st.booleans()):
        dst, way, tool_, source = draw(IPV4), draw(WAY4), "ip", ""
    else:
        source = draw(st.sampled_from(["", "", "", "from 2001:db8:5::/48"]))
        dst, way, tool_ = draw(IPV6), draw(WAY6), "ip -6"
    kind = draw(NO_WAY) if draw(st.booleans()) and draw(st.booleans()) else ""
    if "nexthop " in way and not kind:
        return f"{tool_} route add {dst} {source} {more} {way}"
    return f"{tool_} route add {kind} {dst} {source} {'' if kind else way} {more}"


RULES = st.lists(
    st.sampled_from([
        "ip rule add from 10.0.0.0/8 lookup 100", "ip rule add to 10.1.2.9/24 lookup 100", "ip rule add lookup 1000",
        "ip rule add fwmark 7 lookup 100", "ip rule add not fwmark 1/1 lookup 1000", "ip rule add iif lo lookup 1000",
        "ip rule add to 10.1.0.0/16 prohibit", "ip rule add iif v0 lookup 100", "ip rule add oif v0 lookup 100",
        "ip rule add lookup main suppress_prefixlength 16", "ip rule add uidrange 5-9 lookup 100", "ip rule add goto 32767 to 10.1.2.3",
        "ip rule add tos 0x10 lookup 100", "ip -6 rule add to 2001:db8:1::/48 lookup 100", "ip -6 rule add lookup 1000",
        "ip -6 rule add to 2001:db8:1:2::/64 unreachable", "ip rule add nop",
    ]),
    max_size=3, unique=True,
)  # fmt: skip
ADDRESSES = ("10.1.2.3", "10.1.2.200", "10.1.9.9", "192.0.2.1", "203.0.113.1", "10.0.0.1", "10.0.0.7", "127.0.0.1",
             "2001:db8:1:2::3", "2001:db8:1::9", "2001:db8::1", "2001:db8:77::1")  # fmt: skip


# ---- a record in the words of `ip -j route` -----------------------------------------------------------------------


def _host(network: str) -> str:
    return re.sub(r"(:.*)/128$|([^:])/32$", r"\1\2", network)


def _hop(hop: Record, family: str) -> Record:
    found: Record = {"dev": hop["dev"]} if hop["dev"] else {}
    if hop["via"] and ":" in hop["via"] and family == "inet":
        found["via"] = {"family": "inet6", "host": hop["via"]}
    elif hop["via"]:
        found["gateway"] = hop["via"]
    found["flags"] = sorted([*hop["flags"], *(["onlink"] if hop["onlink"] else [])])
    return found


def as_ip_says(record: Record) -> Record:
    """The record as iproute2 tells the same."""
    found: Record = {
        "type": record["type"], "dst": _host(record["dst"]), "table": str(record["table"]),
        "protocol": str(record["proto"]), "scope": str(record["scope"]), **_hop(record, record["family"]),
    }  # fmt: skip
    if record["metric"] or record["family"] == "inet6":
        found["metric"] = record["metric"]
    for ours, theirs in (("from", "from"), ("src", "prefsrc"), ("nhid", "nhid"), ("pref", "pref"), ("encap", "encap")):
        if record[ours]:
            found[theirs] = _host(str(record[ours])) if ours == "from" else record[ours]
    if record["tos"]:
        found["tos"] = f"{record['tos']:#x}"
    if record["realms"]:
        source, slash, to = record["realms"].partition("/")
        found["flow"] = {"from": source, "to": to} if slash else {"to": source}
    if record["nexthops"]:
        found["nexthops"] = [{**_hop(hop, record["family"]), "weight": hop["weight"]} for hop in record["nexthops"]]
    metrics = {name: record[name] for name in METRICS if record[name]}
    metrics.update({name: value for name, value in record["metrics"].items() if name != "lock"})
    if "features" in metrics:
        metrics[str(metrics.pop("features"))] = None
    if "congctl" in metrics:
        metrics["congestion"] = metrics.pop("congctl")
    if metrics:
        found["metrics"] = [metrics]
    return found


def _plain(said: Record) -> Record:
    """Without what no record holds: the nexthop object's own fields, the details of an encapsulation, the clock."""
    found = {name: value for name, value in said.items() if name not in ("nh_info", "expires", "mode", "segs")}
    if "encap" in said:
        found = {name: value for name, value in found.items() if name not in ("id", "src", "ttl", "dst")}
        if said["encap"] == "ip":
            found.pop("tos", None)
    found["flags"] = sorted(found["flags"])
    for hop in found.get("nexthops", ()):
        hop["flags"] = sorted(hop["flags"])
    return found


_DETAILS = re.compile(r" id \d+ src \S+ dst \S+ ttl \d+ tos \d+| mode encap segs \d+ \[ \S+ \]")
_CLOCK = re.compile(r"expires \d+sec")


def _words(text: str) -> str:
    return _CLOCK.sub("expires", _DETAILS.sub("", text))


def agree(**where: Any) -> list[Record]:
    """All routes of a namespace, which are what `ip route` says."""
    inside = ["-n", where["netns"]] if where.get("netns") else []
    found = []
    for family in ("-4", "-6"):
        command = (*inside, "route", "show", "table", "all")
        records, said, printed = at_rest(
            lambda: look(route, table="all", family={"-4": "inet", "-6": "inet6"}[family], **where),
            lambda: [_plain(one) for one in tool("ip", "-j", "-d", family, *command)],
            lambda: lines("ip", family, *command),
        )
        ours = [as_ip_says(one) for one in records]
        for one, other in zip(ours, said):
            if "encap" in other:
                other.update({name: one[name] for name in ("dst", "tos") if name in one})
            assert one == other
        assert len(ours) == len(said)
        assert [_words(text) for text in texts(records)] == [_words(line) for line in printed]
        found += records
    return found


# ---- the properties -----------------------------------------------------------------------------------------------


@profile
@given(st.lists(routes(), min_size=3, max_size=14))
def test_random_routes_read_as_ip_route_prints_them(commands: list[str]) -> None:
    with own_network():
        make(*VETH, *NEXTHOPS)
        typed(commands)
        records = agree()
        shown = [line.split() for line in sh("route", "-n").splitlines()[2:]]
        legacy = [one["legacy"].split() for one in records if one["legacy"]]
        assert sorted(legacy) == sorted(shown)
        assert texts(look(route)) == [one["text"] for one in records if one["table"] == "main"]


@profile
@given(descriptions())
def test_the_routes_of_any_network_read_as_ip_route_prints_them(description: Description) -> None:
    with own_network():
        run(description, Options(name="lab", prune=True))
        mine = ("", *description["namespaces"])  # the machine has others
        everywhere = [one for one in look(route, netns="all", table="all", family="inet") if one["netns"] in mine]
        separate = [one for name in mine for one in agree(netns=name or None) if one["family"] == "inet"]
        # linkdown comes a moment after the carrier has gone
        known = [
            sorted((one["netns"], one["text"].replace(" linkdown", "")) for one in found)
            for found in (everywhere, separate)
        ]
        assert known[0] == known[1]


@profile
@given(st.lists(routes(), min_size=3, max_size=14), RULES)
def test_lookup_finds_what_the_kernel_finds(commands: list[str], rules: list[str]) -> None:
    with own_network():
        make(*VETH, *NEXTHOPS)
        # a host passes over an IPv6 gateway that does not answer (RFC 4191), a router does not
        make("sysctl -qw net.ipv6.conf.all.forwarding=1")
        # and where a route for certain sources is, it forgets the one for all others
        typed([*(line for line in commands if " from " not in line), *rules])
        for mark in (None, "7"):
            for address in ADDRESSES:
                found = look(route, lookup=address, mark=mark)
                asked = ["ip", "route", "get", address, *(["mark", mark] if mark else [])]
                printed = lines(*asked, "fibmatch") if _answered(asked) else []
                assert len(found) <= 1
                if printed:
                    assert _entry(found[0]["text"]) == _entry(printed[0])
                    assert found[0]["answer"]["error"] is None
                elif found:
                    refusals = {"blackhole": "EINVAL", "unreachable": "EHOSTUNREACH", "prohibit": "EACCES"}
                    assert found[0]["answer"]["error"] == refusals[found[0]["type"]]


def _entry(text: str) -> list[str]:
    """Of several next hops the kernel names the one first that it would take; it does not tell local from main."""
    return sorted(_words(text).replace(" table local", "").split("\n"))


def _answered(asked: list[str]) -> bool:
    return bool(sh(*asked, "fibmatch", check=False))


@profile
@given(st.lists(routes(), min_size=5, max_size=14), st.data())
def test_each_filter_leaves_what_it_says(commands: list[str], data: st.DataObject) -> None:
    with own_network():
        make(*VETH, *NEXTHOPS)
        typed(commands)
        one = data.draw(st.sampled_from(look(route, table="all")))
        for name in ("family", "table", "dst", "type", "dev", "via", "proto", "scope"):
            if one[name] is None:
                continue
            every, kept = _all_and(**{name: str(one[name])})
            hops = (name,) if name in ("dev", "via") else ()
            same = [r for r in every if one[name] in (r[name], *(h[n] for h in r["nexthops"] for n in hops))]
            assert kept == same, name
        word = one["text"].split()[-1]
        every, kept = _all_and(grep=word)
        assert kept == [other for other in every if word in other["text"]]


def _all_and(**params: Any) -> list[list[Record]]:
    """All routes, and those that are asked for."""
    return at_rest(
        lambda: _clockless(look(route, table="all")), lambda: _clockless(look(route, **{"table": "all", **params}))
    )


def _clockless(found: list[Record]) -> list[Record]:
    return [{**one, "expires": None, "text": _words(one["text"])} for one in found]


# ---- what the documents show --------------------------------------------------------------------------------------

NODE = (
    "ip link add ens32 type veth peer name segment", "ip link add tunl0 type veth peer name overlay",
    "ip link add cali39888f400bd type veth peer name pod", "ip link add docker0 type bridge",
    *(f"ip link set {name} up" for name in ("ens32", "segment", "tunl0", "overlay", "cali39888f400bd", "pod", "docker0")),
    "ip addr add 192.168.26.105/24 dev ens32", "ip addr add 172.17.0.1/16 dev docker0",
    "ip route add default via 192.168.26.2 dev ens32 proto static metric 100",
    "ip route add 169.254.0.0/16 dev ens32 metric 1002",
    "ip route add 10.244.239.128/26 via 192.168.26.100 dev tunl0 proto bird onlink",
    "ip route add 10.244.31.64/26 via 192.168.26.106 dev tunl0 proto bird onlink",
    "ip route add blackhole 10.244.169.64/26 proto bird",
    "ip route add 10.244.169.66 dev cali39888f400bd scope link",
)  # fmt: skip


@pytest.mark.usefixtures("lab")
class TestDocuments:
    """The routes of a node, as the documents look at them."""

    @pytest.fixture(autouse=True)
    def node(self, lab: None) -> None:
        make(*NODE)

    def test_who_owns_a_block_and_who_routes_to_it(self) -> None:  # A4, E2, E3
        assert texts(look(route, grep="10.244.169.64")) == ["blackhole 10.244.169.64/26 proto bird"]
        (own,) = look(route, dst="10.244.169.64/26")
        assert (own["type"], own["proto"], own["dev"]) == ("blackhole", "bird", None)
        others = look(route, proto="bird", dev="tunl0")
        assert (
            texts(others)
            == sorted(
                f"{block}/26 via 192.168.26.{last} dev tunl0 proto bird onlink"
                for block, last in (("10.244.31.64", 106), ("10.244.239.128", 100))
            )[::-1]
            or len(others) == 2
        )
        assert all(one["onlink"] and one["proto"] == "bird" for one in others)

    def test_the_routes_of_the_pods(self) -> None:  # E4, F7
        (pod,) = look(route, within="10.244.169.64/26", scope="link")
        assert pod["text"] == "10.244.169.66 dev cali39888f400bd scope link"
        assert [one["text"] for one in look(route, lookup="10.244.169.66")] == [pod["text"]]

    def test_an_address_of_the_own_block_without_a_pod_is_in_the_black_hole(self) -> None:  # E3
        (entry,) = look(route, lookup="10.244.169.99")
        assert (entry["type"], entry["answer"]["error"]) == ("blackhole", "EINVAL")
        assert entry["answer"]["text"] == "RTNETLINK answers: Invalid argument"

    def test_the_way_to_a_pod_of_another_node(self) -> None:  # F5
        (entry,) = look(route, lookup="10.244.31.70")
        assert entry["text"] == "10.244.31.64/26 via 192.168.26.106 dev tunl0 proto bird onlink"
        said = lines("ip", "route", "get", "10.244.31.70")[0]
        assert entry["answer"]["text"] == said and entry["answer"]["via"] == "192.168.26.106"

    def test_the_other_routes(self) -> None:  # C14, D10, E6, G3
        for line in (
            "default via 192.168.26.2 dev ens32 proto static metric 100",
            "169.254.0.0/16 dev ens32 scope link metric 1002",
            "192.168.26.0/24 dev ens32 proto kernel scope link src 192.168.26.105",
        ):
            assert line in texts(look(route)), line
        (docker,) = look(route, dev="docker0", family="inet")
        assert (docker["dst"], docker["src"], docker["proto"]) == ("172.17.0.0/16", "172.17.0.1", "kernel")
        printed, ours = at_rest(lambda: lines("ip", "route"), lambda: texts(look(route, family="inet")))
        assert ours == printed

    def test_the_view_of_net_tools(self) -> None:  # E7
        legacy = [one["legacy"] for one in look(route, family="inet")]
        assert sorted(legacy) == sorted(line.rstrip() for line in sh("route", "-n").splitlines()[2:])
        assert "10.244.169.64   0.0.0.0         255.255.255.192 U     0      0        0 *" in legacy
        assert "10.244.31.64    192.168.26.106  255.255.255.192 UG    0      0        0 tunl0" in legacy


@pytest.mark.usefixtures("lab")
def test_a_peers_address_makes_a_route() -> None:  # C14
    make("ip link add tunl type veth peer name far", "ip link set tunl up", "ip link set far up",
         "ip addr add 10.10.100.10 peer 10.10.200.10 dev tunl")  # fmt: skip
    (one,) = look(route, dev="tunl", family="inet")
    assert one["text"] == "10.10.200.10 dev tunl proto kernel scope link src 10.10.100.10"


@pytest.mark.usefixtures("lab")
def test_a_packet_that_comes_in_is_judged_by_the_kernel() -> None:
    make(
        *VETH, "ip route add 10.1.0.0/16 via 10.0.0.9", "sysctl -qw net.ipv4.conf.v0.rp_filter=1 net.ipv4.ip_forward=1"
    )
    (good,) = look(route, lookup="10.1.2.3", iif="v0", **{"from": "10.0.0.9"})
    assert good["answer"]["dev"] == "v0" and good["dst"] == "10.1.0.0/16"
    (bad,) = look(route, lookup="10.1.2.3", iif="v0", **{"from": "10.77.0.9"})
    assert bad["answer"]["error"] in ("EXDEV", "ENETUNREACH", "EINVAL") and bad["dst"] == "10.1.0.0/16"


@pytest.mark.usefixtures("lab")
def test_the_kernels_objection_is_a_warning() -> None:
    """Rules by protocol do not apply to the packet that is looked up; the kernel takes it for one of UDP."""
    make(*VETH, "ip route add 10.1.0.0/16 via 10.0.0.9", "ip route add 10.1.0.0/16 via 10.0.0.8 table 100",
         "ip rule add ipproto udp lookup 100")  # fmt: skip
    found, warnings = look_and_warn(route, lookup="10.1.2.3")
    assert found[0]["table"] == "main"
    assert len(warnings) == 1 and "the kernel answers 10.1.0.0/16 via 10.0.0.8 dev v0 table 100" in warnings[0]


# ---- bad input ----------------------------------------------------------------------------------------------------

WRONG = [
    ({"dst": "10.0.0"}, "option dst: '10.0.0' is not a network"),
    ({"dst": "10.0.0.1/24"}, "has host bits set"),
    ({"within": "ten"}, "option within: 'ten' is not a network"),
    ({"via": "10.0.0.256"}, "option via: '10.0.0.256' is not an IP address"),
    ({"proto": "birds"}, "option proto: 'birds' is not"),
    ({"proto": "256"}, "option proto: 256 is out of range"),
    ({"scope": "wide"}, "option scope"),
    ({"table": "mine"}, "option table"),
    ({"table": "0"}, "option table: 0 is out of range"),
    ({"lookup": "10.0.0.0/8"}, "option lookup"),
    ({"lookup": "10.0.0.1", "from": "2001:db8::1"}, "option from: 2001:db8::1 is not of the family of 10.0.0.1"),
    ({"lookup": "10.0.0.1", "mark": "x"}, "option mark"),
    ({"lookup": "10.0.0.1", "table": "100"}, "mutually exclusive"),
    ({"mark": "1"}, "required by 'mark': lookup"),
    ({"netns": "nowhere"}, "there is no network namespace nowhere"),
    ({"netns": "/etc/passwd"}, "/etc/passwd is not a network namespace"),
    ({"type": "nat"}, "value of type must be one of"),
]


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(("wrong", "word"), WRONG, ids=[word for _wrong, word in WRONG])
def test_mistakes_are_told(wrong: dict[str, Any], word: str) -> None:
    answer = module("route_info", **wrong)
    assert answer["failed"] and word in answer["msg"], answer


@pytest.mark.usefixtures("lab")
def test_through_the_modules_own_entry_point() -> None:
    make(*VETH, "ip route add blackhole 10.3.0.0/16 proto bird")
    for check in (False, True):
        answer = module("route_info", check=check, lookup="10.3.0.1")
        assert answer["changed"] is False and answer["routes"][0]["text"] == "blackhole 10.3.0.0/16 proto bird"
    answer = module("route_info", lookup="10.3.0.1", **{"from": "10.0.0.1"}, iif="nothing0")
    assert answer["routes"] == [] and "there is no interface nothing0" in str(answer["warnings"])


@pytest.mark.usefixtures("lab")
def test_not_root_and_a_process_that_has_ended() -> None:
    sh("ip", "netns", "add", "red")
    refused = anyhow("route_info", user=65534, netns="red")
    assert refused["failed"] and "root is needed" in refused["msg"], refused
    assert not anyhow("route_info", user=65534).get("failed")  # one's own namespace anybody may read
    with process_without_a_name() as pid:
        assert look(route, netns=str(pid), table="all") == []
    ended = anyhow("route_info", netns=str(pid))
    assert ended["failed"] and f"there is no network namespace {pid}" in ended["msg"], ended
