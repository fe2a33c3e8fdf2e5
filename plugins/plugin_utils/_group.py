# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of an overlay, as one of them sees them: each one's variables and underlay.

A host that takes part in the play has published its variables as the fact ROLE_stated, so that they are what they are
there. For one that does not (--limit, serial) what the inventory says about it is taken: with what all hosts share as it
is on this host, the role's defaults, and what this play has looked at on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.linuxnet.lab.plugins.module_utils._model import TUNNEL_HEADERS

from ._check import Check, empty
from ._underlay import Underlay, underlay_of


class Member(NamedTuple):
    """One host of the group."""

    host: str
    check: Check  # its variables, and the mistakes that are its own
    underlay: Underlay
    reports: bool  # it takes part in the play, so it tells its mistakes itself
    seen: bool  # somebody has looked at what stands there: it itself, or others for it

    @property
    def present(self) -> bool:
        """Whether the role's work shall be on this host."""
        return bool(self.check.values.get("state", "present") == "present")


def variables_of(hostvars: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A host's variables; none for a host that the inventory does not have."""
    found: Mapping[str, Any] = hostvars[name] if name in hostvars else {}  # noqa: SIM401 - get() answers with a marker
    return found


def members(
    role: str,
    defaults: Mapping[str, Any],
    host: str,
    values: Mapping[str, Any],
    group: Iterable[str],
    hostvars: Mapping[str, Any],
    shared: Iterable[str] = (),
    elsewhere: Mapping[str, Any] | None = None,
) -> dict[str, Member]:
    """The group in the inventory's order. This host is in it even if the group does not have it.

    `shared` are options that all hosts have alike. `elsewhere` is what has been looked at on hosts outside of the play.
    """
    found = {}
    common = {option: values[option] for option in shared if option in values}
    for name in dict.fromkeys([*group, host]):
        variables = variables_of(hostvars, name)
        published = values if name == host else variables.get(f"{role}_stated")
        reports = isinstance(published, Mapping)
        looked = (elsewhere or {}).get(name)
        own = {
            **defaults,
            **(published if isinstance(published, Mapping) else {**common, **_inventory(role, defaults, variables)}),
            **(looked if isinstance(looked, Mapping) else {}),
        }
        found[name] = Member(name, Check(role, name, own), underlay_of(variables), reports, reports or bool(looked))
    return found


def _inventory(role: str, defaults: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    return {option: variables[f"{role}_{option}"] for option in defaults if f"{role}_{option}" in variables}


def own_problems(host: str, group: Mapping[str, Member]) -> list[str]:
    """The mistakes that this host has to tell: its own, and those of hosts that cannot tell theirs."""
    first = group[host].check.problems
    others = [line for name, one in group.items() if name != host and not one.reports for line in one.check.problems]
    return [*first, *others]


def largest_mtu(group: Mapping[str, Member], encapsulation: str) -> int | None:
    """The largest MTU that fits all underlays that are known: all hosts of a segment must have the same one."""
    fits = [
        one.underlay.mtu - (TUNNEL_HEADERS[encapsulation][one.underlay.version] if encapsulation else 0)
        for one in group.values()
        if one.underlay.mtu and one.underlay.version
    ]
    return min(fits, default=None)


def check_unseen_mtus(member: Member, group: Mapping[str, Member]) -> None:
    """Without a host's MTU the smallest one is not known, and a host that guesses it differs from the others."""
    if not empty(member.check.values.get("mtu")) or not any(one.underlay.mtu for one in group.values()):
        return
    for one in group.values():
        if not one.reports and one.underlay.address and not one.underlay.mtu and not one.underlay.problem:
            _underlay_problem(
                one,
                f"underlay_mtu: is not stated, and the host is not in this play and has not answered: the smallest MTU of "
                f"the group is not known; run without --limit, or state it, or {one.check.role}_mtu",
            )


def check_mtu(member: Member, most: int | None) -> None:
    """A stated MTU must fit the smallest underlay of the group."""
    mtu = member.check.values.get("mtu")
    if str(mtu).isdigit() and most is not None and int(str(mtu)) > most:
        member.check.problem("mtu", f"{mtu} is too large: the smallest underlay of the group leaves {most}")


def check_underlays(group: Mapping[str, Member], linked: Iterable[str], versions: tuple[int, ...]) -> None:
    """Each of the linked hosts needs an underlay address of a usable family, and one that no other has."""
    owners: dict[str, str] = {}
    for name in linked:
        member = group[name]
        if member.underlay.problem:
            _underlay_problem(member, member.underlay.problem)
        elif member.underlay.address is None:
            _underlay_problem(
                member,
                "underlay_address: is not stated and cannot be found out (no default route, ansible_host is no address "
                "of the host, or its facts are not gathered); state it in the host's variables",
            )
        elif member.underlay.version not in versions:
            _underlay_problem(
                member,
                f"underlay_address: {member.underlay.address} is not an IPv4 address, and {member.check.role} needs one",
            )
        elif member.underlay.address in owners:
            other = owners[member.underlay.address]
            _underlay_problem(member, f"underlay_address: {member.underlay.address} is {other}'s as well")
        else:
            owners[member.underlay.address] = name


def _underlay_problem(member: Member, what: str) -> None:
    line = f"{member.host}: {what}"
    if line not in member.check.problems:
        member.check.problems.append(line)


def check_same(group: Mapping[str, Member], options: Iterable[str]) -> None:
    """Options that all hosts of an overlay must agree on; the one that differs from the group's first one tells it."""
    first = next(iter(group.values()))
    for member in group.values():
        for option in options:
            mine, theirs = member.check.values.get(option), first.check.values.get(option)
            if str(mine) != str(theirs) and not (empty(mine) and empty(theirs)):
                member.check.problem(
                    option, f"{mine!r} differs from {theirs!r} on {first.host}; all hosts of one overlay share it"
                )


def check_unique(group: Mapping[str, Member], option: str, taken: Mapping[str, Any]) -> None:
    """Derived or stated addresses of the hosts: the later host with the same one tells it."""
    owners: dict[Any, str] = {}
    for name, address in taken.items():
        if address in owners:
            stated_ = not empty(group[name].check.values.get(option))
            how = "is" if stated_ else "as derived from the underlay address is"
            group[name].check.problem(
                option, f"{address} {how} {owners[address]}'s as well; state another one for one of them"
            )
        else:
            owners[address] = name
