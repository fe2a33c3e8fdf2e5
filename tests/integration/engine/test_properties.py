# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's promises, on random networks: it converges, a second run is empty, check mode tells the truth,
a failure anywhere leaves nothing behind, and what others made stays as it is.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from typing import Any

from ansible_collections.linuxnet.lab.plugins.module_utils._apply import Fault
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, run
from ansible_collections.linuxnet.lab.plugins.module_utils._model import Op
from hypothesis import HealthCheck, Phase, given, settings

from .networks import CROSSING, Description, changed_routes, descriptions
from .support import own_network, sh, state, unlike

EXAMPLES = int(os.environ.get("LAB_EXAMPLES", "15"))
profile = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, *([Phase.shrink] if os.environ.get("LAB_SHRINK") else [])),
    database=None,
)
LAB = Options(name="lab", prune=True, recreate=True)


def build(description: Description, **options: Any) -> Any:
    """One run of the engine; a description that the kernel cannot have at all is no example."""
    return run(description, LAB._replace(**options))


def clear() -> None:
    """Take all of it down."""
    build({})


@profile
@given(descriptions(), descriptions())
def test_any_network_becomes_any_other_and_then_nothing_is_left_to_do(first: Description, second: Description) -> None:
    with own_network():
        start = state()
        build(first)
        built = build(second)
        again = build(second)
        assert not again.changed and again.commands == []
        # the verification reads only where ops were; a fresh look sees the same
        assert _without_time(enumerate(built.objects)) == _without_time(enumerate(again.objects))
        clear()
        assert not unlike(start, state())


@profile
@given(descriptions(), descriptions())
def test_check_mode_names_the_very_ops_and_changes_nothing(first: Description, second: Description) -> None:
    with own_network():
        build(first)
        before = state(with_ifindex=True)
        planned = build(second, check=True)
        assert not unlike(before, state(with_ifindex=True))
        applied = build(second)
        assert planned.commands == applied.commands
        assert planned.changed == applied.changed and planned.after == applied.after
        assert _without_time(planned.before.items()) == _without_time(applied.before.items())


# an example of this one is a run for each of its ops: a guest's slow kernel gets fewer
@settings(profile, max_examples=int(os.environ.get("LAB_FAULT_EXAMPLES", EXAMPLES)))
@given(descriptions(), descriptions())
def test_a_failure_at_any_op_leaves_all_as_it_was(first: Description, second: Description) -> None:
    with own_network():
        build(first)
        set_parameters()
        before = state()
        for position in itertools.count():
            try:
                run(second, LAB, failing_at(position))
            except Failed as failure:
                assert failure.rolled_back, (position, str(failure), failure.left)
                left = unlike(before, state())
                assert not left, (f"after a failure at op {position}: {failure}", left)
            else:
                break  # there is no such op: it was the last one before
        assert not build(second).changed


# What nobody describes: a parameter of each sort, of every link that there is.
SET = """
for file in /proc/sys/net/ipv[46]/neigh/*/gc_stale_time /proc/sys/net/ipv[46]/conf/*/drop_unicast_in_l2_multicast \
    /proc/sys/net/ipv6/conf/*/regen_min_advance; do
    case $file in */all/*|*/default/*) ;; *) [ ! -e $file ] || echo 17 > $file;; esac
done
"""


def set_parameters() -> None:
    """By hand, in all namespaces."""
    sh("sh", "-ec", SET)
    for line in sh("ip", "netns").splitlines():
        sh("ip", "netns", "exec", line.split()[0], "sh", "-ec", SET)


def failing_at(position: int) -> Fault:
    """A fault at one op of a run."""

    def fault(number: int, op: Op) -> None:
        if number == position:
            raise RuntimeError(f"op {position} ({op.action} {op.key}) fails on purpose")

    return fault


FOREIGN = (
    "ip netns add other",
    "ip link add foreign0 type bridge",
    "ip link set foreign0 up",
    "ip addr add 172.31.0.1/24 dev foreign0",
    "ip route add 172.30.0.0/16 via 172.31.0.9",
    "ip link add fa type veth peer name fb netns other",
    "ip link set fa master foreign0",
    "ip -n other link set fb up",
    "ip -n other addr add 172.31.0.2/24 dev fb",
    "ip neigh add 172.31.0.5 lladdr 02:00:00:00:00:55 dev foreign0",
)


@profile
@given(descriptions(), descriptions())
def test_what_others_made_stays_as_it_is(first: Description, second: Description) -> None:
    with own_network():
        for line in FOREIGN:
            sh(*line.split())
        before = state(with_ifindex=True)
        build(first)
        build(second)
        clear()
        assert not unlike(before, state(with_ifindex=True))


@profile
@given(descriptions())
def test_the_commands_shown_build_the_same_network(description: Description) -> None:
    """People learn from the lines: typed into a shell, they lead to where the engine would have gone."""
    with own_network():
        for line in build(description, check=True).commands:
            sh("sh", "-ec", line)
        rest = run(description, Options(adopt=True, check=True))
        assert _without_marks(rest.after) == {}


@profile
@given(descriptions(), descriptions())
def test_the_commands_shown_lead_from_one_network_to_another(first: Description, second: Description) -> None:
    """Typed one by one, they leave nothing to do, and all that hangs on links is what the engine makes of it."""
    typed_is_as_built(first, second)


@profile
@given(changed_routes())
def test_the_commands_shown_change_routes_as_the_engine_does(routes: tuple[list[Any], list[Any]]) -> None:
    first, second = ({**CROSSING, "routes": some} for some in routes)
    typed_is_as_built(first, second)


def test_what_stands_on_links_goes_before_them_in_whatever_namespace() -> None:
    """Typed, a line for what has gone along already is an error."""
    vxlans = [
        {
            "name": name,
            "kind": "vxlan",
            "netns": "green",
            "id": number,
            "dev": dev,
            "dstport": 4789,
            "remote": "192.0.2.8",
        }
        for name, number, dev in (("b-lower", 1, "p1"), ("a-upper", 2, "b-lower"))
    ]
    veth = {"name": "v1", "kind": "veth", "netns": "", "peer": {"name": "p1", "netns": "green"}}
    typed_is_as_built({"namespaces": ["green"], "links": [veth, *vxlans]}, {"namespaces": ["green"]})


def typed_is_as_built(first: Description, second: Description) -> None:
    """Go from one network to another twice: by the lines, and by the engine."""
    with own_network():
        build(first)
        for line in build(second, check=True).commands:
            sh("sh", "-ec", line)
        rest = build(second, adopt=True, check=True)
        assert _without_marks(rest.after) == {}
        typed = _configured(state())
    with own_network():
        build(first)
        build(second)
        assert not unlike(_configured(state()), typed)


def _configured(found: dict[str, Any]) -> dict[str, Any]:
    """Addresses, routes, rules, neighbours and FDB entries, without the collection's marks."""
    return {
        where: {
            "addresses": {link["ifname"]: _unmarked(link["addr_info"]) for link in one["links"]},
            **{sort: _unmarked(one[sort]) for sort in ("routes", "rules", "neighbors", "fdb")},
        }
        for where, one in found.items()
    }


def _unmarked(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    marks = ("protocol", "proto")
    return [{word: value for word, value in one.items() if word not in marks} for one in found]


def _without_time(found: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """What there is, but for how long it would stay."""
    passing = ("valid_lft", "preferred_lft")
    return {key: {o: v for o, v in (fields or {}).items() if o not in passing} for key, fields in found}


def _without_marks(after: dict[str, Any]) -> dict[str, Any]:
    """What adopting would change beside the collection's marks."""
    left = {}
    for key, fields in after.items():
        rest = {option: value for option, value in (fields or {}).items() if option != "proto"}
        if rest:
            left[key] = rest
    return left
