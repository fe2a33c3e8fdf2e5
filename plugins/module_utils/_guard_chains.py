# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the controller's packets would be stopped in chains of iptables.

The packets are sent through the chains of ours, as they are and as they will be. A rule's conditions hold, or do not, or
nobody knows (a limit, a set): what may stop a packet is taken to stop it, what may accept it is not taken to accept it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Optional

from . import _iptables
from ._guard_way import Way
from ._iptables_same import atoms
from ._kinds import chain
from ._model import Key, Object, Op

# What ends the way of a packet: in nat, it is sent to somewhere else.
_STOPPING = frozenset({"DROP", "REJECT", "QUEUE", "NFQUEUE", "TPROXY"})
_LEADING_AWAY = frozenset({"DNAT", "REDIRECT", "NETMAP"})
_TCP = 6
_ON_THE_WAY = {True: ("PREROUTING", "INPUT"), False: ("OUTPUT", "POSTROUTING")}

Holds = Optional[bool]  # None: nobody knows
Chains = Mapping[str, Mapping[str, Any]]  # name: fields, of one table
Path = tuple[str, ...]  # the chains on the way to where a packet is stopped


class Packet(NamedTuple):
    """A packet of the session; it has no mark, as far as anybody knows."""

    incoming: bool
    state: str
    flags: frozenset[str]
    src: str
    dst: str
    sport: int
    dport: int
    device: str


def packets(way: Way) -> list[Packet]:
    """The controller's next connection; this one, in and out."""
    client, client_port, server, server_port, _zone = way.session
    there = (client, server, client_port, server_port, way.device)
    back = (server, client, server_port, client_port, way.device)
    return [
        Packet(True, "NEW", frozenset({"SYN"}), *there),
        Packet(True, "ESTABLISHED", frozenset({"ACK"}), *there),
        Packet(False, "ESTABLISHED", frozenset({"ACK"}), *back),
    ]


def cutting(ops: Iterable[Op], way: Way, objects: Mapping[Key, Object]) -> list[Op]:
    """The ops that lead the controller's packets to where they are stopped, though they were not stopped before."""
    family = "ipv6" if way.session.six else "ipv4"
    ops = [op for op in ops if op.key.kind == chain.NAME and op.key.netns == way.netns and op.key.ident[0] == family]
    found: dict[Key, Op] = {}
    for table in dict.fromkeys(op.key.ident[1] for op in ops):
        changed = [op for op in ops if op.key.ident[1] == table]
        before = {
            key.ident[2]: one.fields
            for key, one in objects.items()
            if key.kind == chain.NAME and key.netns == way.netns and key.ident[:2] == (family, table)
        }
        after = _after(before, changed)
        for packet in packets(way):
            path = _stopped(after, table, packet)
            if path and not _stopped(before, table, packet):
                found.update({op.key: op for op in changed if op.key.ident[2] in path})
    return list(found.values())


def _after(before: Chains, ops: Iterable[Op]) -> Chains:
    after = dict(before)
    for op in ops:
        name = op.key.ident[2]
        if op.action == "delete":
            after.pop(name, None)
        else:
            after[name] = {**op.have, **op.fields}
    return after


# ---- the way through the chains -----------------------------------------------------------------------------------


def _stopped(chains: Chains, table: str, packet: Packet) -> Path:
    """The chains that a packet goes through to where it is stopped; empty if it is not."""
    if table == "nat" and packet.state != "NEW":  # only the first packet of a connection is looked up there
        return ()
    fatal = _LEADING_AWAY if table == "nat" else _STOPPING
    for name, fields in chains.items():
        for source, conditions, *_place in fields.get("jumps", ()):
            if source in _ON_THE_WAY[packet.incoming] and _holds(conditions, packet) is not False:
                path, _accepted = _through(chains, (name,), packet, fatal)
                if path:
                    return path
    return ()


def _through(chains: Chains, path: Path, packet: Packet, fatal: frozenset[str]) -> tuple[Path, bool]:
    """(path to where the packet is stopped, whether it is accepted for certain); neither: it comes back."""
    for rule in chains[path[-1]].get("rules", ()):
        holds = _holds(rule, packet)
        target = _iptables.target(rule)
        if holds is False or not target:
            continue
        if target in fatal:
            return path, False
        accepted = target == "ACCEPT"
        if target in chains and target not in path:
            stopped, accepted = _through(chains, (*path, target), packet, fatal)
            if stopped:
                return stopped, False
        if holds and (accepted or target == "RETURN" or _goes(rule)):
            return (), accepted
    return (), False


def _goes(rule: str) -> bool:
    return bool(_meaning(rule) and _meaning(rule)[4])


# ---- the conditions of a rule -------------------------------------------------------------------------------------


def _meaning(rule: str) -> tuple[Any, ...]:
    try:
        return atoms(rule)
    except ValueError:  # a rule in a kernel may be one that this code cannot read
        return ()


def _holds(rule: str, packet: Packet) -> Holds:
    """Whether all conditions of a rule are true of a packet."""
    meaning = _meaning(rule)
    if not meaning:
        return None
    answers = {_true_of(packet, *condition) for condition in _conditions(meaning)}
    return False if False in answers else None if None in answers else True


def _conditions(meaning: tuple[Any, ...]) -> Iterator[tuple[str, str, Any, bool]]:
    """(match, option, value, negated) of each; a condition of the rule itself is of the match ''."""
    conditions, _comments, blocks, _target, _goto = meaning
    yield from (("", *condition) for condition in conditions)
    for block in blocks:
        for one in [block] if block and isinstance(block[0], str) else block:
            yield from ((one[0], *option) for option in one[1:] or (("", None, False),))


def _true_of(packet: Packet, match: str, option: str, value: Any, negated: bool) -> Holds:
    question = _QUESTIONS.get((match, option))
    answer = question(packet, value) if question else None
    return answer if answer is None else answer != negated


def _within(address: str, network: Any) -> Holds:
    try:
        return network is None or ipaddress.ip_address(address) in ipaddress.ip_network(network)
    except ValueError:  # a mask with holes
        return None


def _device(name: str, pattern: str | None) -> bool:
    return pattern is None or (name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern)


def _port(port: int, value: Any) -> bool:
    low, high = value if isinstance(value, tuple) else (value, value)
    return value is None or bool(low <= port <= high)


def _one_port(ports: Iterable[int], ranges: Iterable[tuple[int, ...]]) -> bool:
    return any(low[0] <= port <= low[-1] for low in ranges for port in ports)


def _state(packet: Packet, words: Iterable[str]) -> bool:
    return packet.state in words


def _unmarked(_packet: Packet, mark: tuple[int, int]) -> bool:
    return not mark[0]


_QUESTIONS: dict[tuple[str, str], Callable[[Packet, Any], Holds]] = {
    ("", "-s"): lambda packet, network: _within(packet.src, network),
    ("", "-d"): lambda packet, network: _within(packet.dst, network),
    ("", "-i"): lambda packet, name: packet.incoming and _device(packet.device, name),
    ("", "-o"): lambda packet, name: not packet.incoming and _device(packet.device, name),
    ("", "-p"): lambda packet, number: number in (None, _TCP),
    ("", "-f"): lambda packet, value: False,
    ("tcp", "sport"): lambda packet, ports: _port(packet.sport, ports),
    ("tcp", "dport"): lambda packet, ports: _port(packet.dport, ports),
    ("tcp", "tcp-flags"): lambda packet, flags: packet.flags & set(flags[0]) == set(flags[1]),
    ("multiport", "sports"): lambda packet, ranges: _one_port([packet.sport], ranges),
    ("multiport", "dports"): lambda packet, ranges: _one_port([packet.dport], ranges),
    ("multiport", "ports"): lambda packet, ranges: _one_port([packet.sport, packet.dport], ranges),
    ("conntrack", "ctstate"): _state,
    ("state", "state"): _state,
    ("mark", "mark"): _unmarked,
    ("connmark", "mark"): _unmarked,
    ("addrtype", "src-type"): lambda packet, types: ("UNICAST" if packet.incoming else "LOCAL") in types,
    ("addrtype", "dst-type"): lambda packet, types: ("LOCAL" if packet.incoming else "UNICAST") in types,
    ("pkttype", "pkt-type"): lambda packet, kind: kind == "unicast",
    # the way back to the controller is the way that its packets come in on
    ("rpfilter", ""): lambda packet, value: True,
    ("rpfilter", "invert"): lambda packet, value: False,
}
