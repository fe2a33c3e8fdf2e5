# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""want, have -> ops. Pure: it asks the kernel nothing and changes nothing. The only place that knows order.

Only what the user stated is compared: an option that is left out means "leave it as it is".
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple

from ._kinds import KINDS, LINK_KINDS, address, chain, ipip, link, netns, rule, sysctl, table_of
from ._model import CREATE_ONLY, LIVE, MARK_GROUP, MARK_PROTO, Field, Key, Object, Op, Problem
from ._snapshot import Have, devices_of

FALLBACKS = (ipip.FALLBACK, "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0")
_CONFIG_ORDER = {"sysctl": 2, "address": 4, "route": 5, "rule": 7, "neighbor": 8, "fdb": 9}
_LAST = 7  # behind the namespaces: see _delete_doomed
_REMOVAL_ORDER = {"route": 0, "neighbor": 1, "fdb": 2, "address": 3}
# What a new link is, mostly; where it is not, the next look tells.
_FRESH = {"arp": True, "multicast": True, "addrgenmode": "eui64", "up": False, "promisc": False, "allmulticast": False}
_OVERHEAD = {"vxlan": (50, 70), "ipip": (20, 20)}  # over an IPv4 and over an IPv6 underlay


class Rules(NamedTuple):
    """What the user allows, and what is known to be the collection's own beside the kernel's marks."""

    recreate: bool = False
    adopt: bool = False
    owned: Callable[[Key], bool] = lambda key: False
    checked: bool = True  # False in rollback and verification: whose it is has been settled


CHECKED = Rules()


class Plan(NamedTuple):
    """Ops in order, reasons not to carry them out, and the keys that go along without an op of their own."""

    ops: list[Op]
    problems: list[Problem]
    dragged: dict[Key, None]
    goal: dict[Key, Object]  # what was wanted, and what is put back beside it
    held: int = 0  # how many of the ops, the last ones, wait until all the others are verified

    def parts(self) -> tuple[list[Op], list[Op]]:
        """The ops that are verified, and those that are held back until they are."""
        at = len(self.ops) - self.held
        return self.ops[:at], self.ops[at:]

    def commands(self) -> list[str]:
        """The ops as iproute2 command lines."""
        lines: list[str] = []
        for kind, ops in groupby(self.ops, lambda op: op.key.kind):
            if kind == chain.NAME:  # chains refer to each other: all are made before any is filled
                lines += chain.script(list(ops))
            else:
                lines += [line for op in ops for line in KINDS[kind].commands(op)]
        return lines

    def touched(self) -> set[Key]:
        """All keys that the plan changes."""
        found = set(self.dragged)
        for op in self.ops:
            found.add(op.key)
            found.update(other.key for other in op.also)
            if op.action == "move":
                found.add(link.key(op.fields["move_from"], op.key.ident[0]))
            # a bridge takes its MAC address and MTU from its ports
            masters = (op.fields.get("master"), op.have.get("master"))
            found.update(link.key(op.key.netns, name) for name in masters if name)
        return found


def plan(want: Mapping[Key, Object], gone: Iterable[Key], have: Have, rules: Rules = CHECKED) -> Plan:
    """The ops that lead from what the kernel has to what is wanted; an empty list where there is nothing to do."""
    copied = {key: Object(key, dict(one.fields)) for key, one in want.items()}
    return _Planner(copied, gone, have.copy(), rules).plan()


def differences(want: Mapping[str, Any], have: Mapping[str, Any], table: Mapping[str, Field]) -> dict[str, Any]:
    """The stated fields that the kernel holds otherwise."""
    found = {}
    for option, value in want.items():
        field = table.get(option)
        if field is not None and not field.same(value, have.get(option, field.unset)):
            found[option] = value
    return found


class _Planner:
    def __init__(self, want: dict[Key, Object], gone: Iterable[Key], have: Have, rules: Rules) -> None:
        self.want = want
        self.gone = {key: None for key in gone if key not in want}
        self.have = have
        self.rules = rules
        self.problems: list[Problem] = []
        self.doomed: dict[Key, None] = {}  # links and namespaces that are deleted
        self.dragged: dict[Key, None] = {}  # what the kernel removes along with them
        self.along: dict[Key, list[Object]] = defaultdict(list)  # links that go with a namespace, without an op
        self.refused: set[Key] = set()
        self.kept: dict[Key, set[str]] = {}  # options of a link that is made anew that nobody stated
        self.affected: dict[Key, None] = {}  # what the kernel may flush as a side effect
        self.moved: set[Key] = set()  # rules that come again behind others of their priority
        self.movers: dict[Key, str] = {}  # links that come from another namespace
        self.leaving: set[Key] = set()  # and what they are called there
        self.ops: list[tuple[tuple[Any, ...], Op]] = []
        self.place = {where: n for n, where in enumerate(dict.fromkeys(key.netns for key in want))}

    def plan(self) -> Plan:
        self._resolve_altnames()
        self._find_movers()
        if self.rules.checked:
            self._check_references()
        self._doom_gone()
        self._doom_recreated()
        self._settle_movers()
        self._drag()
        self._put_back()
        for key in self.gone:
            if key.kind not in ("link", "netns"):
                self._remove(key)
        self._delete_doomed()
        self._links()
        self._rest()
        self.ops.sort(key=lambda pair: pair[0])
        dragged = {**self.dragged, **self.affected, **self._released()}
        held = sum(order[0] == _LAST for order, _op in self.ops)
        return Plan([op for _order, op in self.ops], self.problems, dragged, self.want, held)

    def _released(self) -> dict[Key, None]:
        """Links that lose their master, because it goes or is created anew."""
        return {
            key: None
            for key, have in self.have.objects.items()
            if key.kind == "link"
            and have.fields["master"]
            and link.key(key.netns, have.fields["master"]) in self.doomed
        }

    # ---- what is refused

    def _problem(self, key: Key, what: str) -> None:
        self.refused.add(key)
        self.problems.append(Problem(str(key), what))

    def _resolve_altnames(self) -> None:
        """An interface may be called by one of its alternative names; keys have its name."""
        for where, names in self.have.altnames.items():
            for key in [key for key in self.want if key.netns == where and key.ident[0] in names]:
                if key.kind in ("address", "neighbor", "fdb", "link"):
                    one = self.want.pop(key)
                    plain = key._replace(ident=(names[key.ident[0]], *key.ident[1:]))
                    self.want[plain] = Object(plain, one.fields)
            for one in self.want.values():
                for option in ("dev", "master"):
                    if one.key.netns == where and one.fields.get(option) in names:
                        one.fields[option] = names[one.fields[option]]

    def _there(self, key: Key) -> bool:
        """Whether a link or namespace will be there when the plan is done."""
        if key in self.want:
            return True
        if key.kind == "link" and key.ident[0] == "lo":
            return True
        return key in self.have.objects and key not in self.gone and key not in self.leaving

    def _check_references(self) -> None:
        """Each namespace, interface, master and lower device that is named must exist or be stated."""
        missing = set()
        for key, one in self.want.items():
            if key.netns and key.netns not in self.have.inodes and not self._there(netns.key(key.netns)):
                if key.netns not in missing:
                    self._problem(key, f"there is no network namespace {key.netns}: state it, or create it first")
                missing.add(key.netns)
                continue
            if key.kind == "link":
                self._check_link(one)
            elif key.kind != "netns":
                self._check_configuration(one)

    def _check_configuration(self, one: Object) -> None:
        """What an object hangs on must be there, and must be able to have it."""
        key = one.key
        for name in devices_of(one):
            if not self._there(link.key(key.netns, name)):
                where = f" in netns {key.netns}" if key.netns else ""
                self._problem(key, f"there is no interface {name}{where}")
            elif key.kind == "fdb" and one.fields.get("dst"):
                kind = self._final(link.key(key.netns, name), "kind", "")
                if kind and kind != "vxlan":
                    self._problem(key, f"option dst: {name} is a {kind}; only entries of a vxlan have a destination")
            if key.kind == "fdb" and key.ident[5] and not self._final(link.key(key.netns, name), "external", False):
                self._problem(key, f"option src_vni: {name} is no external vxlan; only such a one has several VNIs")
        if key.kind == "sysctl" and key not in self.have.objects and self._should_show(key):
            self._problem(key, "this kernel has no such parameter")

    def _should_show(self, key: Key) -> bool:
        """Whether a parameter would be there by now if it existed: its interface and its namespace are."""
        name = sysctl.device(key)
        return key.netns in self.have.inodes and (not name or link.key(key.netns, name) in self.have.objects)

    def _check_link(self, one: Object) -> None:
        for option in ("master", "dev"):
            name = one.fields.get(option)
            if not name:
                continue
            other = link.key(one.key.netns, name)
            if not self._there(other):
                where = f" in netns {one.key.netns}" if one.key.netns else ""
                self._problem(one.key, f"option {option}: there is no interface {name}{where}")
            elif option == "master" and self._final(other, "kind", "") in ("veth", "vxlan", "ipip"):
                self._problem(one.key, f"option master: {name} is a {self._final(other, 'kind', '')}, not a bridge")
        overhead = _OVERHEAD.get(one.fields.get("kind", ""))
        lower = self._final(one.key, "dev", "")
        if overhead and lower and "mtu" in one.fields and self._there(link.key(one.key.netns, lower)):
            underlay = self._final(link.key(one.key.netns, lower), "mtu", 0)
            remote = str(self._final(one.key, "remote", "") or self._final(one.key, "local", ""))
            most = underlay - overhead[1 if ":" in remote else 0]
            if underlay and one.fields["mtu"] > most:
                kind = one.fields["kind"]
                self._problem(
                    one.key,
                    f"option mtu: {one.fields['mtu']} is too large for the underlay: {kind} over {lower} (mtu {underlay}) "
                    f"leaves {most}",
                )

    def _final(self, key: Key, option: str, otherwise: Any) -> Any:
        """The value that an option of a link will have."""
        for source in (self.want.get(key), self.have.objects.get(key)):
            if source is not None and option in source.fields:
                return source.fields[option]
        return otherwise

    def _owned(self, have: Object) -> bool:
        if not self.rules.checked or self.rules.adopt or self.rules.owned(have.key):
            return True
        if have.key.kind == "link":
            return bool(have.fields.get("group") == MARK_GROUP)
        kind = KINDS[have.key.kind]
        return bool(kind.owned(have)) if hasattr(kind, "owned") else have.key.kind != "netns"

    # ---- what goes

    def _find_movers(self) -> None:
        """Links that are not where they are wanted, but known elsewhere: they move instead of going and coming."""
        for key, one in self.want.items():
            if key.kind != "link" or key in self.have.objects:
                continue
            name = key.ident[0]
            source = one.fields.get("move_from")
            peer = one.fields.get("peer")
            if source is None and peer:
                other = self.have.objects.get(link.key(*peer))
                now = other.fields.get("peer") if other else None
                if now and now[1] == name and now[0] != key.netns:
                    source = now[0]
            old = link.key(source, name) if source is not None else key
            if old in self.have.objects and old not in self.want:
                self.movers[key] = str(source)
                self.leaving.add(old)
                self.gone.pop(old, None)

    def _doom_gone(self) -> None:
        for key in self.gone:
            if key not in self.have.objects or key.kind not in ("link", "netns"):
                continue
            have = self.have.objects[key]
            if key.kind == "link" and not self._deletable(have):
                continue
            if not self._owned(have):
                self._problem(
                    key, "was not made by linuxnet.lab, so it stays; say adopt: true to remove it all the same"
                )
                continue
            self.doomed[key] = None

    def _deletable(self, have: Object) -> bool:
        name = have.key.ident[0]
        if name in FALLBACKS:
            if self.rules.checked:
                self._problem(
                    have.key,
                    f"{name} is the fallback device that the kernel keeps in each namespace: it cannot be deleted",
                )
            return False
        if not have.fields["kind"]:
            if self.rules.checked:
                self._problem(have.key, f"{name} is a physical or built-in interface: it cannot be deleted")
            return False
        return True

    def _doom_recreated(self) -> None:
        """Links that exist, but differ in what cannot change in place."""
        for key, one in self.want.items():
            if key.kind != "link" or key in self.doomed:
                continue
            have = self.have.objects.get(key)
            if have is None:
                self._check_missing_veth(one)
                continue
            if key in self.refused:
                continue
            reasons = self._reasons(one, have)
            if not reasons:
                continue
            if not have.fields["kind"] or key.ident[0] in FALLBACKS:
                self._problem(key, f"{'; '.join(reasons)}; this interface cannot be created anew")
            elif not self.rules.recreate:
                self._problem(key, f"{'; '.join(reasons)}; {self._advice()}")
            elif not self._owned(have):
                self._problem(key, "was not made by linuxnet.lab; say adopt: true to take it over")
            else:
                one.fields.setdefault("kind", have.fields["kind"])
                self._keep(one, have)
                self.doomed[key] = None

    def _settle_movers(self) -> None:
        """What would have to be created anew anyway does not move, nor does a veth's end whose other end goes."""
        for key, source in list(self.movers.items()):
            one, have = self.want[key], self.have.objects[link.key(source, key.ident[0])]
            reasons = self._reasons(one, have)
            if reasons and not self.rules.recreate:
                self._problem(key, f"{'; '.join(reasons)}; {self._advice()}")
            elif reasons and not self._owned(have):
                self._problem(key, "was not made by linuxnet.lab; say adopt: true to take it over")
            elif reasons:
                one.fields.setdefault("kind", have.fields["kind"])
                self._keep(one, have)
                self.doomed[have.key] = None
            peer = have.fields.get("peer")
            if reasons or (peer and link.key(*peer) in self.doomed):
                del self.movers[key]

    def _check_missing_veth(self, one: Object) -> None:
        """One end is missing, the other end is there with another peer."""
        peer = one.fields.get("peer")
        other = self.have.objects.get(link.key(*peer)) if peer else None
        if peer is None or other is None or other.key in self.doomed or one.key in self.movers:
            return
        if other.key in self.want:
            return  # said for that end
        self._problem(one.key, f"its peer {peer[1]} exists already, with another peer")

    def _advice(self) -> str:
        """What to do about what cannot change in place; where it has just been made, the kernel thinks otherwise."""
        if self.rules.checked:
            return "say recreate: true to delete it and create it anew"
        return "the kernel does not keep what is stated"

    def _keep(self, one: Object, have: Object) -> None:
        """A link that is created anew keeps what it had and nobody stated."""
        table = link.table(one.fields["kind"])
        same_kind = one.fields["kind"] == have.fields["kind"]
        master = one.fields.get("master", have.fields.get("master"))
        master = master if master and self._there(link.key(one.key.netns, master)) else ""
        for option, value in have.fields.items():
            if option in table and option not in one.fields and (same_kind or option in link.GENERIC):
                if option == "mtu" and one.fields.get("dev", have.fields.get("dev")) != have.fields.get("dev"):
                    continue  # it follows from the lower device, which is another one
                if option == "peer" and value not in (None, one.fields.get("peer")):
                    continue
                if option in ("master", "dev") and value and not self._there(link.key(one.key.netns, value)):
                    continue
                if value not in (None, "") and (master or not option.startswith("port.")):
                    one.fields[option] = value
                    self.kept.setdefault(one.key, set()).add(option)
        one.fields["group"] = MARK_GROUP
        one.fields.update(_parameters(have))

    def _reasons(self, one: Object, have: Object) -> list[str]:
        kind = one.fields.get("kind")
        if kind and kind != have.fields["kind"]:
            return [f"it exists and is a {have.fields['kind'] or 'physical interface'}, not a {kind}"]
        found = []
        table = link.table(have.fields["kind"])
        for option, value in differences(one.fields, have.fields, table).items():
            if self._may_change(table[option], option, value, have):
                continue
            shown = table[option].type.word
            was = have.fields.get(option, table[option].unset)
            if option == "peer":
                found.append(f"its peer is {_peer_text(was)}, not {_peer_text(value)}")
            else:
                found.append(f"option {option} cannot change from {shown(was)} to {shown(value)} in place")
        return found

    def _may_change(self, field: Field, option: str, value: Any, have: Object) -> bool:
        if option == "peer":
            other = self.want.get(link.key(*value))
            return other is not None and other.key in self.movers
        if field.change == CREATE_ONLY:
            return False
        return field.change == LIVE and not field.fixed(have.fields.get(option, field.unset), value)

    def _drag(self) -> None:
        """Follow what the kernel removes along with doomed links and namespaces."""
        self.uppers: dict[str, list[Object]] = defaultdict(list)
        inside: dict[str, list[Object]] = defaultdict(list)
        for key, have in self.have.objects.items():
            inside[key.netns].append(have)
            if key.kind == "link" and have.fields["kind"] in ("vxlan", "vlan", "macvlan", "macvtap", "ipvlan"):
                self.uppers[key.netns].append(have)
        for key in [key for key in self.doomed if key.kind == "netns"]:
            self._drag_netns(str(key.ident[0]), inside[str(key.ident[0])])
        self._drag_beyond()
        self._drag_along([key for key in self.doomed if key.kind == "link" and key not in self.want])
        for_good = set(self.dragged)
        self._drag_along([key for key in self.doomed if key.kind == "link" and key in self.want])
        self.returning = [key for key in self.dragged if key not in for_good]

    def _drag_netns(self, name: str, inside: list[Object]) -> None:
        """All that is in a namespace goes with it, but for a link that moves out of it before."""
        leaving = {key.ident[0] for key, source in self.movers.items() if source == name}
        for found in inside:
            key = found.key
            if key.ident[0] in leaving:
                continue
            self.dragged[key] = None
            peer = found.fields.get("peer") if key.kind == "link" else None
            if not peer:
                continue
            other = link.key(*peer)
            if other in self.have.objects and netns.key(other.netns) not in self.doomed:
                # the host's end of a veth goes first: a namespace's own removal is asynchronous
                self.doomed.setdefault(other)

    def _drag_beyond(self) -> None:
        """Ends of veths whose other end is in a namespace that goes unseen: they go with it, at the very end."""
        for key, owner in self.have.beyond.items():
            if netns.key(owner) in self.doomed and netns.key(key.netns) not in self.doomed:
                self.doomed.setdefault(key)
                self.along[netns.key(owner)].append(self.have.objects[key])

    def _drag_along(self, pending: list[Key]) -> None:
        while pending:
            key = pending.pop()
            have = self.have.objects.get(key)
            if have is None:
                continue
            self.dragged.update(dict.fromkeys(self.have.hanging(key.netns, key.ident[0])))
            if have.fields["kind"] == "bridge":
                for port in self.have.links(key.netns):
                    if port.fields.get("master") == key.ident[0]:
                        self._drag_entries(port.key)
            along = [upper.key for upper in self.uppers[key.netns] if link.stands_on(upper, have)]
            if have.fields.get("peer"):
                along.append(link.key(*have.fields["peer"]))
            for other in along:
                if other in self.have.objects and other not in self.dragged and other not in self.doomed:
                    self.dragged[other] = None
                    pending.append(other)

    def _drag_entries(self, port: Key) -> None:
        """A bridge's entries for a port go when the port leaves it."""
        for key in self.have.hanging(port.netns, port.ident[0]):
            if key.kind == "fdb" and key.ident[3] == "master":
                self.dragged[key] = None

    def _put_back(self) -> None:
        """What hung on a link that is created anew, and nobody stated, is put back as it was."""
        recreated = {key for key in self.doomed if key.kind == "link" and key in self.want}
        if not recreated:
            return
        lost = {key for key in self.returning if self._replaced_peer(key)}
        returning = {
            key
            for key in self.returning
            if key not in lost
            and not any(link.key(key.netns, name) in lost for name in devices_of(self.have.objects[key]))
        }
        for key in [*self.returning, *self.have.objects]:
            have = self.have.objects[key]
            if key in self.gone or key in self.doomed:
                continue
            if key.kind == "link":
                if key in returning:
                    if key in self.want:
                        self._keep(self.want[key], have)
                    elif have.fields["kind"] in link.known_kinds():
                        self.want[key] = Object(key, _creatable(have))
                        self.kept[key] = set(self.want[key].fields)
                    else:
                        self._problem(
                            key, f"would go with what is created anew, and a {have.fields['kind']} cannot be put back"
                        )
                elif have.fields.get("master") and link.key(key.netns, have.fields["master"]) in recreated:
                    self._put_port_back(key, have)
            elif key in returning and key not in self.want and not _automatic(have) and not self._default_remote(have):
                self.want[key] = have

    def _put_port_back(self, key: Key, have: Object) -> None:
        """A port of a bridge that is created anew: stated options come at once, the others with the next look."""
        stated = self.want.setdefault(key, Object(key, {}))
        stated.fields.setdefault("master", have.fields["master"])
        said = {option for option in stated.fields if option.startswith("port.")}
        left = {option: value for option, value in have.fields.items() if option not in said}
        self.have.objects[key] = Object(key, {**left, "master": ""})
        for option, value in have.fields.items():
            if option.startswith("port."):
                stated.fields.setdefault(option, value)

    def _replaced_peer(self, key: Key) -> bool:
        """Whether a veth's end goes for good: the other end is made anew with another peer."""
        peer = self.have.objects[key].fields.get("peer") if key.kind == "link" else None
        other = self.want.get(link.key(*peer)) if peer else None
        if other is None or key in self.want:
            return False
        return bool(other.fields.get("kind") != "veth" or link.key(*other.fields.get("peer", (None, None))) != key)

    def _default_remote(self, have: Object) -> bool:
        """Whether an FDB entry is the one that a VXLAN makes of its own `remote`."""
        device = self.have.objects.get(link.key(have.key.netns, have.key.ident[0]))
        dst = have.fields.get("dst")
        return have.key.kind == "fdb" and device is not None and dst is not None and dst == device.fields.get("remote")

    def _delete_doomed(self) -> None:
        """Where namespaces go whole, links go last: until then, the names of the namespaces are all there is to undo."""
        handled = {end.key for ends in self.along.values() for end in ends}
        for key in self.doomed:
            if key in handled:
                continue
            have = self.have.objects[key]
            if key.kind == "netns":
                self._add((6, key.ident), Op("delete", key, also=tuple(self.along.get(key, ()))))
                continue
            peer = have.fields.get("peer")
            if peer:
                handled.add(link.key(*peer))
                self.dragged[link.key(*peer)] = None
            sooner = key in self.want or netns.key(key.netns) in self.doomed
            phase = _LAST if self.have.whole and not sooner else 1
            depth = 0 if have.fields.get("lower") or have.fields.get("dev") else 1
            self._add((phase, key.netns, depth, key.ident), Op("delete", key, {}, have.fields))

    def _remove(self, key: Key) -> None:
        have = self.have.objects.get(key)
        if have is None or key in self.dragged:
            return
        if _automatic(have):
            if self.rules.checked and not self.rules.owned(key):
                self._problem(key, "is the kernel's own; it goes with the address, link or packet that it comes from")
            return
        if not self._owned(have):
            self._problem(key, "was not made by linuxnet.lab, so it stays; say adopt: true to remove it all the same")
            return
        if key.kind == "sysctl":
            return  # a parameter cannot go; the ledger knows what it was before
        if key.kind == "rule":
            self._remove_rule(have)
            return
        if key.kind == "address":
            self._flush_with(have)
        phase = (5, key.netns, 1) if key.kind == "chain" else (2, key.netns, _REMOVAL_ORDER[key.kind])
        self._add((*phase, key.ident), Op("delete", key, {}, have.fields))

    def _flush_with(self, have: Object) -> None:
        """An IPv4 address takes the secondary ones of its subnet along, the last one routes and neighbours as well."""
        where, (device, local, _peer) = have.key.netns, have.key.ident
        hanging = self.have.hanging(where, device)
        six = ":" in local
        staying = [
            key
            for key in hanging
            if key.kind == "address" and (":" in key.ident[1]) == six and key not in self.gone and key != have.key
        ]
        network = ipaddress.ip_interface(local).network
        same = [key for key in staying if ipaddress.ip_interface(key.ident[1]).network == network]
        if six:
            if not same:
                self._remove_prefix_route(have, str(network), hanging)
            return
        self._flush(same, lasting=True)
        if same or not staying:
            source = local.split("/")[0]
            along = [key for key in hanging if key.kind in ("route", "neighbor")]
            self._flush(
                [key for key in along if self.have.objects[key].fields.get("src") != source], lasting=bool(same)
            )

    def _remove_prefix_route(self, have: Object, network: str, hanging: Iterable[Key]) -> None:
        """The kernel leaves that of an address with a lifetime behind (net/ipv6/addrconf.c, ipv6_del_addr)."""
        if have.fields["valid_lft"] == address.FOREVER:
            return
        for key in hanging:
            if key.kind == "route" and key.ident[2] == network and _automatic(self.have.objects[key]):
                self._add((2, key.netns, 4, key.ident), Op("delete", key, {}, self.have.objects[key].fields))

    def _flush(self, keys: Iterable[Key], lasting: bool) -> None:
        """Note what may be gone afterwards: for the way back, and where it shall last for the next look."""
        for key in keys:
            have = self.have.objects[key]
            if key in self.gone or _automatic(have):
                continue
            self.affected[key] = None
            if lasting:
                self.want.setdefault(key, have)

    def _remove_rule(self, have: Object) -> None:
        """The new ones are there before. One that says more, and that the request would meet first, comes again."""
        where = have.key.netns
        for other in rule.before(have, self._rules(where)):
            if other.key not in self.gone and other.key not in self.moved:
                self.moved.add(other.key)
                self.want.setdefault(other.key, other)
                self._add((5, where, 2, -rule.exactness(other)), Op("delete", other.key, {}, other.fields))
                self._add((5, where, 3, len(self.moved)), Op("create", other.key, other.fields))
        self._add((5, where, 2, -rule.exactness(have)), Op("delete", have.key, {}, have.fields))

    def _rules(self, where: str) -> list[Object]:
        """The rules of a namespace, in the order in which the kernel goes through them."""
        return [one for key, one in self.have.objects.items() if key.kind == "rule" and key.netns == where]

    # ---- what comes and what changes

    def _add(self, order: tuple[Any, ...], op: Op) -> None:
        self.ops.append((order, op))

    def _missing(self, key: Key) -> bool:
        """Whether an object is not there, or will be gone by the time that it is put."""
        return key not in self.have.objects or key in self.doomed or key in self.dragged

    def _links(self) -> None:
        waiting = {  # links whose parameters must be written before they go up
            (key.netns, name)
            for key, one in self.want.items()
            if key.kind == "sysctl" and (name := sysctl.device(key)) and self._sysctl_differs(one)
        }
        made: set[Key] = set()
        for position, (key, one) in enumerate(list(self.want.items())):
            if key.kind == "netns":
                if self._missing(key):
                    self._add((0, position), Op("create", key))
                elif self.rules.checked and not self.rules.adopt and not self.rules.owned(key):
                    self._problem(
                        key, "exists already and was not made by linuxnet.lab; say adopt: true to take it over"
                    )
            elif key.kind == "link" and key not in made and key not in self.refused:
                self._link(position, one, made, waiting)

    def _sysctl_differs(self, one: Object) -> bool:
        have = self.have.objects.get(one.key)
        return self._missing(one.key) or have is None or bool(differences(one.fields, have.fields, sysctl.FIELDS))

    def _link(self, position: int, one: Object, made: set[Key], waiting: set[tuple[str, str]]) -> None:
        key = one.key
        if not self._missing(key):
            self._change_link(position, one, self.have.objects[key])
            return
        source = self.movers.get(key)
        if source is not None:
            have = self.have.objects[link.key(source, key.ident[0])]
            if have.fields["kind"] in ("ipip", "") and key.ident[0] in (*FALLBACKS, "lo"):
                self._problem(key, "this interface cannot be moved to another namespace")
                return
            self._add((3, 0, 0, position), Op("move", key, {"move_from": source}, have.fields))
            self.dragged.update(dict.fromkeys(self.have.hanging(source, key.ident[0])))
            # moving sets a link down and takes it off its master
            moved = {**have.fields, "up": False, "master": ""}
            self._change_link(position, one, Object(key, moved))
            return
        if self._missing(netns.key(key.netns)) and key.ident[0] in ("lo", *FALLBACKS):
            # a new namespace comes with these
            builtin = {"kind": one.fields.get("kind", ""), "up": False, "group": 0}
            self._change_link(position, one, Object(key, builtin))
            return
        if not one.fields.get("kind"):
            self._problem(key, f"there is no such link; {self._where_it_is(key)}")
            return
        self._create_link(position, one, made, waiting)

    def _where_it_is(self, key: Key) -> str:
        name = key.ident[0]
        for other in self.have.index:
            if other != key.netns and link.key(other, name) in self.have.objects:
                place = f"netns {other}" if other else "the host's own namespace"
                return f'one is in {place}: say move_from: "{other}" to take it from there'
        return "state its kind to create it"

    def _create_link(self, position: int, one: Object, made: set[Key], waiting: set[tuple[str, str]]) -> None:
        key, fields = (
            one.key,
            {o: v for o, v in one.fields.items() if o != "move_from" and v != "" and not o.startswith("conf.")},
        )
        module = LINK_KINDS[fields["kind"]]
        fields = self._bare(key, fields, module.FIELDS if getattr(module, "BARE_PUT_BACK", False) else {})
        also: tuple[Object, ...] = ()
        later: list[tuple[Key, dict[str, Any]]] = []
        if fields["kind"] == "veth":
            if not fields.get("peer"):
                self._problem(key, "option peer: a veth comes as a pair; state the name of its other end")
                return
            other = self.want[link.key(*fields["peer"])]
            made.add(other.key)
            rest = {
                o: v
                for o, v in other.fields.items()
                if o not in ("kind", "peer", "move_from") and v != "" and "conf." not in o
            }
            rest = self._bare(other.key, rest, {})
            at_once = {o: v for o, v in rest.items() if o in link.PEER_AT_CREATION}
            afterwards = {
                o: v
                for o, v in rest.items()
                if o not in link.PEER_AT_CREATION and v != _FRESH.get(o, link.table("veth")[o].unset)
            }
            if afterwards.pop("up", False):
                later.append((other.key, {"up": True}))
            also = (Object(other.key, at_once),)
            if afterwards:
                self._stage(position, other.key, 1, Op("change", other.key, afterwards, {"kind": "veth"}))
        if (key.netns, key.ident[0]) in waiting and fields.pop("up", False):
            later.append((key, {"up": True}))
        made.add(key)
        self._add((3, self._depth(one), position), Op("create", key, fields, {}, also))
        for late, up in later:
            self._stage(position, late, 3, Op("change", late, up, {"kind": fields["kind"]}))

    def _bare(self, key: Key, fields: dict[str, Any], own: Mapping[str, Field]) -> dict[str, Any]:
        """Without what is only put back, of a bridge and of a port: that is for the next look, which tells what differs.

        A kernel that lacks a feature shows its option, but refuses even the value that it shows.
        """
        kept = self.kept.get(key, set()) if self.rules.checked else set(fields)
        return {
            option: value
            for option, value in fields.items()
            if option not in kept or not (option in own or option.startswith("port.") or _FRESH.get(option) == value)
        }

    def _depth(self, one: Object, seen: tuple[Key, ...] = ()) -> int:
        """How many wanted links must be there before: lower before upper, bridge before port."""
        below = [self.want[key] for key in link.needs(one) if key in self.want and key not in seen]
        peer = one.fields.get("peer")
        depth = 1 + max((self._depth(other, (*seen, one.key)) for other in below), default=0)
        if peer and not seen and link.key(*peer) in self.want:
            depth = max(depth, self._depth(self.want[link.key(*peer)], (one.key, link.key(*peer))))
        return depth

    def _change_link(self, position: int, one: Object, have: Object) -> None:
        table = link.table(have.fields["kind"])
        changed = differences(one.fields, have.fields, table)
        changed.pop("peer", None)
        self._put_parameters_back(position, one, have)
        owned = self._owned(have)
        adopted = (
            self.rules.checked
            and self.rules.adopt
            and one.fields.get("kind")
            and have.fields.get("group") != MARK_GROUP
        )
        if one.fields.get("kind") and not owned and one.key.ident[0] not in FALLBACKS:
            self._problem(one.key, "exists already and was not made by linuxnet.lab; say adopt: true to take it over")
            return
        if adopted and have.fields["kind"] and one.key.ident[0] not in FALLBACKS:
            changed["group"] = MARK_GROUP
        if "master" in changed and have.fields.get("master"):
            self._drag_entries(one.key)
        hanging = self.have.hanging(one.key.netns, one.key.ident[0]) if {"address", "up", "mtu"} & set(changed) else []
        if "address" in changed:  # neigh_changeaddr takes permanent entries along
            self._flush([key for key in hanging if key.kind == "neighbor"], lasting=True)
        no_six = changed.get("mtu", 1280) < 1280 <= have.fields.get("mtu", 0)  # IPv6 leaves such a link
        if changed.get("up") is False or no_six:
            self._flush([key for key in hanging if key.kind in ("address", "route", "neighbor")], lasting=False)
        up = {"up": changed.pop("up")} if changed.get("up") else {}
        master = {o: changed.pop(o) for o in list(changed) if o == "master" or o.startswith("port.")}
        for stage, fields in ((0, changed), (1, master), (3, up)):
            if fields:
                self._stage(position, one.key, stage, Op("change", one.key, fields, have.fields))

    def _put_parameters_back(self, position: int, one: Object, have: Object) -> None:
        """A link that is back has the parameters of a new one: those that it had before are written again."""
        name = one.key.ident[0]
        for family in ("ipv4", "ipv6"):
            before, now = one.fields.get(f"conf.{family}"), have.fields.get(f"conf.{family}")
            if before is None or now is None:
                continue
            for parameter in sysctl.of_link(one.key.netns, name, family, before, now):
                if parameter.key not in self.want:
                    self._stage(position, one.key, 2, Op("change", parameter.key, parameter.fields))

    def _stage(self, position: int, key: Key, stage: int, op: Op) -> None:
        self._add((4, self.place.get(key.netns, len(self.place)), stage, position), op)

    def _rest(self) -> None:
        for position, (key, one) in enumerate(self.want.items()):
            if key.kind in ("link", "netns") or key in self.refused:
                continue
            for op in self._config(one):
                if key.kind == "chain":
                    self._add((5, key.netns, 0, position), op)
                elif op.action == "delete" and key.kind == "rule":
                    self._add((5, key.netns, 2, 0), op)
                elif op.action == "delete":
                    self._add((2, key.netns, _REMOVAL_ORDER[key.kind], key.ident), op)
                else:
                    stage = _CONFIG_ORDER[key.kind]
                    if key.kind == "route" and (one.fields.get("via") or one.fields.get("nexthops")):
                        stage += 1  # a gateway is looked up in the routes that are there already
                    self._stage(position, key, stage, op)

    def _config(self, one: Object) -> list[Op]:
        """The ops for an object that is configuration: an address, a route, a parameter, ..."""
        key = one.key
        if self._missing(key):
            if key.kind == "address" and not self.rules.checked:
                self._put_behind(key)
            return [Op("create", key, one.fields)]
        have = self.have.objects[key]
        table = table_of(one)
        changed = differences(one.fields, have.fields, table)
        if not changed:
            return []
        if not self._owned(have) and not _same_proto(one, have):
            self._problem(
                key, "exists already, otherwise, and was not made by linuxnet.lab; say adopt: true to take it over"
            )
            return []
        if key.kind == "rule":  # its protocol: nothing of a rule can change, and both may be there for a moment
            return [Op("create", key, {**have.fields, **one.fields}), Op("delete", key, {}, have.fields)]
        fixed = [option for option in changed if table[option].change != LIVE]
        if fixed and not self.rules.recreate:
            shown = ", ".join(
                f"{o} from {table[o].type.word(have.fields.get(o, table[o].unset))} to {table[o].type.word(changed[o])}"
                for o in fixed
            )
            self._problem(key, f"cannot change {shown} in place; {self._advice()}")
            return []
        if fixed:
            return [Op("delete", key, {}, have.fields), Op("create", key, {**_stated_again(have, table), **one.fields})]
        if self.rules.checked and self.rules.adopt and key.kind in ("route", "address") and "proto" not in one.fields:
            changed["proto"] = MARK_PROTO
        return [Op("change", key, changed, have.fields)]

    def _put_behind(self, primary: Key) -> None:
        """On the way back, what was a secondary address of the subnet comes again, behind the primary one."""
        order = list(self.want)
        network = ipaddress.ip_interface(primary.ident[1]).network
        for key in self.have.hanging(primary.netns, primary.ident[0]):
            later = key in self.want and key not in self.moved and order.index(key) > order.index(primary)
            if later and key.kind == "address" and ipaddress.ip_interface(key.ident[1]).network == network:
                self.moved.add(key)
                self._add(
                    (2, key.netns, _REMOVAL_ORDER["address"], key.ident), Op("delete", key, {}, self.want[key].fields)
                )
                self._stage(order.index(key), key, _CONFIG_ORDER["address"], Op("create", key, self.want[key].fields))


def _same_proto(one: Object, have: Object) -> bool:
    """A route whose protocol the user states is the user's own."""
    return "proto" in one.fields and one.fields["proto"] == have.fields.get("proto")


def _stated_again(have: Object, table: Mapping[str, Field]) -> dict[str, Any]:
    return {option: value for option, value in have.fields.items() if option in table and value is not None}


def _creatable(have: Object) -> dict[str, Any]:
    """The fields of a link as the kernel shows it that it can be created with."""
    table = link.table(have.fields["kind"])
    found = {
        option: value
        for option, value in have.fields.items()
        if option in table and value is not None and not (option.startswith("port.") and not have.fields.get("master"))
    }
    return {"kind": have.fields["kind"], **found, **_parameters(have)}


def _parameters(have: Object) -> dict[str, Any]:
    return {option: value for option, value in have.fields.items() if option.startswith("conf.")}


def _automatic(have: Object) -> bool:
    kind = KINDS[have.key.kind]
    return bool(kind.automatic(have)) if hasattr(kind, "automatic") else False


def _peer_text(peer: Any) -> str:
    if not peer:
        return "in a namespace that is not known"
    return f"{peer[1]} in netns {peer[0]}" if peer[0] else f"{peer[1]} in the host's own namespace"


def restoration(before: Have, touched: Iterable[Key]) -> tuple[dict[Key, Object], dict[Key, None]]:
    """want and gone that lead back: the planner's own input, made of an earlier have."""
    want: dict[Key, Object] = {}
    gone: dict[Key, None] = {}
    position = {key: number for number, key in enumerate(before.objects)}  # a primary address before secondary ones
    for key in sorted(touched, key=lambda key: position.get(key, -1)):
        have = before.objects.get(key)
        if have is None:
            gone[key] = None
        elif key.kind == "link":
            want[key] = Object(key, _creatable(have) if have.fields["kind"] else _restorable(have))
        elif not _automatic(have):
            want[key] = Object(key, {**_unset(have), **have.fields})
    # a link before what hangs on it, a veth's two ends side by side
    order = {"netns": 0, "link": 1}
    return dict(sorted(want.items(), key=lambda pair: order.get(pair[0].kind, 2))), gone


def _unset(have: Object) -> dict[str, Any]:
    """What the kernel does not show of an object, it did not have: that is to be put back as well."""
    return {option: field.unset for option, field in table_of(have).items() if field.unset is not None}


def _restorable(have: Object) -> dict[str, Any]:
    found = {option: value for option, value in have.fields.items() if option in link.GENERIC and value is not None}
    return {**found, **_parameters(have)}
