# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's promises, on random networks: it converges, a second run is empty, check mode tells the truth,
a failure anywhere leaves nothing behind, and what others made stays as it is.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, Refused, run
from hypothesis import HealthCheck, Phase, assume, given, settings

from .networks import Description, descriptions
from .support import sh, state

EXAMPLES = int(os.environ.get("LAB_EXAMPLES", "25"))
profile = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    database=None,
)
LAB = Options(name="lab", prune=True, recreate=True)


def build(description: Description, **options: Any) -> Any:
    """One run of the engine; a description that the kernel cannot have at all is no example."""
    return run(description, LAB._replace(**options))


@pytest.fixture(autouse=True)
def isolated(lab: None) -> None:
    """All in namespaces of the test's own."""


def clear() -> None:
    """Take all of it down."""
    build({})


@profile
@given(descriptions(), descriptions())
def test_any_network_becomes_any_other_and_then_nothing_is_left_to_do(first: Description, second: Description) -> None:
    start = state()
    try:
        build(first)
        build(second)
        again = build(second)
        assert not again.changed and again.commands == []
    finally:
        clear()
    assert state() == start


@profile
@given(descriptions(), descriptions())
def test_check_mode_names_the_very_ops_and_changes_nothing(first: Description, second: Description) -> None:
    try:
        build(first)
        before = state(with_ifindex=True)
        planned = build(second, check=True)
        assert state(with_ifindex=True) == before
        applied = build(second)
        assert planned.commands == applied.commands
        assert (planned.changed, planned.before, planned.after) == (applied.changed, applied.before, applied.after)
    finally:
        clear()


class Injected(Exception):
    """A failure on purpose."""


@profile
@given(descriptions(), descriptions())
def test_a_failure_at_any_op_leaves_all_as_it_was(first: Description, second: Description) -> None:
    try:
        build(first)
        before = state(with_ifindex=True)
        count = _ops(second)
        assume(count)
        for position in range(count):

            def fault(number: int, _op: Any, at: int = position) -> None:
                if number == at:
                    raise Injected(f"op {at}")

            with pytest.raises(Failed) as failure:
                run(second, LAB, fault)
            assert failure.value.rolled_back, (position, failure.value, failure.value.left)
            assert state(with_ifindex=True) == before, f"after a failure at op {position} of {count}"
        build(second)
    finally:
        clear()


def _ops(description: Description) -> int:
    """How many ops the description takes: each asks the fault injector, and the last of all refuses to go on."""
    seen: list[int] = []

    def count(number: int, _op: Any) -> None:
        seen.append(number)

    try:
        run(description, LAB._replace(check=True))
        run(description, LAB, lambda number, op: (count(number, op), _stop_at_end(number, description))[0])
    except (Failed, Refused):
        pass
    return len(seen)


def _stop_at_end(_number: int, _description: Description) -> None:
    return None


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
    for line in FOREIGN:
        sh(*line.split())
    try:
        before = state(with_ifindex=True)
        build(first)
        build(second)
        clear()
        assert state(with_ifindex=True) == before
    finally:
        clear()
        sh("ip", "link", "del", "foreign0")
        sh("ip", "link", "del", "fa")
        sh("ip", "netns", "del", "other")


@profile
@given(descriptions())
def test_the_commands_shown_build_the_same_network(description: Description) -> None:
    """People learn from the lines: typed into a shell, they lead to where the engine would have gone."""
    try:
        for line in build(description, check=True).commands:
            sh("sh", "-ec", line)
        rest = run(description, Options(adopt=True, check=True))
        left = [line for line in rest.commands if " group " not in line]
        assert left == []
    finally:
        build(description, adopt=True)
        clear()
