# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What comes and what changes."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from typing import Any

from .._kinds import LINK_KINDS, link, netns, route, sysctl, table_of
from .._model import IPV6_MTU, LIVE, MARK_GROUP, MARK_PROTO, Field, Key, Object, Op
from .draft import FALLBACKS, REMOVAL_ORDER, Draft, Phase, differences

_CONFIG_ORDER = {"sysctl": 2, "address": 4, "route": 5, "rule": 7, "neighbor": 8, "fdb": 9}
# What a new link is, mostly; where it is not, the next look tells.
_FRESH = {"arp": True, "multicast": True, "addrgenmode": "eui64", "up": False, "promisc": False, "allmulticast": False}


class Coming(Draft):
    """Creates and changes namespaces, links and configuration."""

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
                    self._add((Phase.NETNS, position), Op("create", key))
                elif self.rules.checked and not self.rules.adopt and not self.rules.owned(key):
                    self._problem(
                        key, "exists already and was not made by linuxnet.lab; say adopt: true to take it over"
                    )
            elif key.kind == "link" and key not in made and key not in self.refused:
                self._link(position, one, made, waiting)

    def _follow(self) -> None:
        """What some parameters make of others is known before: what is wanted of these is written behind them."""
        leaders = [key for key in self.want if key.kind == "sysctl" and sysctl.leads(key) and not self._missing(key)]
        for key in sorted(leaders, key=sysctl.rank):
            if not self._sysctl_differs(self.want[key]):
                continue
            links = self.have.index.get(key.netns, ())
            given = sysctl.value_of(self.want[key].fields)
            for other, value in sysctl.followers(key, given, links).items():
                if other in self.have.objects:
                    self.affected[other] = None
                    then = Object(other, {}) if value is None else sysctl.with_value(other, value)
                    if value is not None and self.want.get(other) is self.have.objects[other]:
                        self.want[other] = then  # nobody states it: it only comes back with its link
                    self.have.objects[other] = then

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
            self._add((Phase.LINKS_COME, 0, 0, position), Op("move", key, {"move_from": source}, have.fields))
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
        self._backup(position, key, fields, fields["kind"])
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
            self._backup(position, other.key, rest, "veth")
            at_once = {o: v for o, v in rest.items() if o in link.PEER_AT_CREATION}
            afterwards = {
                o: v
                for o, v in rest.items()
                if o not in link.PEER_AT_CREATION and v != _FRESH.get(o, link.table("veth")[o].unset)
            }
            if afterwards.pop("up", False):
                later.append((other.key, {"up": True}))
            also = (Object(other.key, at_once),)
            self._lower_bridge(other)
            if afterwards:
                self._stage(position, other.key, 1, Op("change", other.key, afterwards, {"kind": "veth"}))
        if (key.netns, key.ident[0]) in waiting and fields.pop("up", False):
            later.append((key, {"up": True}))
        made.add(key)
        self._lower_bridge(one)
        self._add((Phase.LINKS_COME, self._depth(one), position), Op("create", key, fields, {}, also))
        for late, up in later:
            self._stage(position, late, 3, Op("change", late, up, {"kind": fields["kind"]}))

    def _backup(self, position: int, key: Key, fields: dict[str, Any], kind: str) -> None:
        """A port's backup must be a port itself by then: it is set when all ports are."""
        if link.BACKUP in fields:
            backup = {link.BACKUP: fields.pop(link.BACKUP)}
            self._stage(position, key, 2, Op("change", key, backup, {"kind": kind}))

    def _bare(self, key: Key, fields: dict[str, Any], own: Mapping[str, Field]) -> dict[str, Any]:
        """Without what is only put back, of a bridge and of a port: that is for the next look, which tells what differs.

        A kernel that lacks a feature shows its option, but refuses even the value that it shows.
        """
        kept = self.kept.get(key, set()) if self.rules.checked else set(fields)
        if self.want[key].fields.get("conf.files", {}).get(sysctl.secret(key).ident[0]):
            own = {**own, "addrgenmode": link.ATTRIBUTES["addrgenmode"]}  # it takes stable_secret with one only
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
        if self._put_parameters_back(position, one, have) & {sysctl.secret(one.key)}:
            changed.pop("addrgenmode", None)  # the secret makes it stable_secret; the next look tells
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
        if "address" in changed:  # neigh_changeaddr takes permanent entries along
            hanging = self.have.hanging(one.key.netns, one.key.ident[0])
            self._flush([key for key in hanging if key.kind == "neighbor"], lasting=True)
        no_six = changed.get("mtu", IPV6_MTU) < IPV6_MTU <= have.fields.get("mtu", 0)  # IPv6 leaves such a link
        if changed.get("up") is False or no_six:
            self._flush(self._lost_with(one.key), lasting=False)
        if no_six:
            self.affected[one.key] = None
        if {"mtu", "master"} & set(changed):
            self._lower_bridge(Object(one.key, {**have.fields, **one.fields}))
        up = {"up": changed.pop("up")} if changed.get("up") else {}
        self._backup(position, one.key, changed, have.fields["kind"])
        master = {o: changed.pop(o) for o in list(changed) if o == "master" or o.startswith("port.")}
        for stage, fields in ((0, changed), (1, master), (3, up)):
            if fields:
                self._stage(position, one.key, stage, Op("change", one.key, fields, have.fields))

    def _lost_with(self, device: Key) -> list[Key]:
        """What may go from a link that goes down, or that an address family leaves."""
        hanging = self.have.hanging(device.netns, device.ident[0])
        return [key for key in hanging if key.kind in ("address", "route", "neighbor")]

    def _lower_bridge(self, port: Object) -> None:
        """A bridge has the smallest MTU of its ports: with one that is too small, IPv6 leaves the bridge as well."""
        bridge = link.key(port.key.netns, port.fields.get("master") or "")
        have = self.have.objects.get(bridge)
        unstated = 0 if port.fields.get("dev") else IPV6_MTU  # what the lower device leaves may be too little
        if have and port.fields.get("mtu", unstated) < IPV6_MTU <= have.fields["mtu"]:
            self._flush(self._lost_with(bridge), lasting=False)
            self.affected[bridge] = None

    def _put_parameters_back(self, position: int, one: Object, have: Object) -> set[Key]:
        """A link that is back has the parameters of a new one: those that it had before are written again."""
        found = [parameter for parameter in sysctl.of_link(one, have) if parameter.key not in self.want]
        if not self.rules.recreate:  # a verification: what is stated for all links holds for this one, too
            found = [parameter for parameter in found if not self.want.keys() & sysctl.wider(parameter.key)]
        for parameter in found:
            self._stage(position, one.key, 2, Op("change", parameter.key, parameter.fields))
        return {parameter.key for parameter in found}

    def _rest(self) -> None:
        for position, (key, one) in enumerate(self.want.items()):
            if key.kind in ("link", "netns") or key in self.refused:
                continue
            for op in self._config(one):
                if key.kind == "chain":
                    self._add((Phase.LATER, key.netns, 0, position), op)
                elif op.action == "delete" and key.kind == "rule":
                    self._add((Phase.LATER, key.netns, 2, 0), op)
                elif op.action == "delete":
                    self._add((Phase.CONFIG_GOES, key.netns, REMOVAL_ORDER[key.kind], key.ident), op)
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
        if key.kind == "sysctl":
            self._flush_six(one)
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
        kept = route.kept(one.fields, changed, have.fields) if key.kind == "route" else have.fields
        return [Op("change", key, changed, kept)]

    def _flush_six(self, one: Object) -> None:
        for name in sysctl.without_six(one, self.have.index.get(one.key.netns, ())):
            lost = self._lost_with(link.key(one.key.netns, name))
            self._flush(
                [key for key in lost if key.ident[0] == socket.AF_INET6 or ":" in str(key.ident[1])], lasting=False
            )

    def _put_behind(self, primary: Key) -> None:
        """On the way back, what was a secondary address of the subnet comes again, behind the primary one."""
        order = list(self.want)
        network = ipaddress.ip_interface(primary.ident[1]).network
        for key in self.have.hanging(primary.netns, primary.ident[0]):
            later = key in self.want and key not in self.moved and order.index(key) > order.index(primary)
            if later and key.kind == "address" and ipaddress.ip_interface(key.ident[1]).network == network:
                self.moved.add(key)
                self._add(
                    (Phase.CONFIG_GOES, key.netns, REMOVAL_ORDER["address"], key.ident),
                    Op("delete", key, {}, self.want[key].fields),
                )
                self._stage(order.index(key), key, _CONFIG_ORDER["address"], Op("create", key, self.want[key].fields))


def _same_proto(one: Object, have: Object) -> bool:
    """A route whose protocol the user states is the user's own."""
    return "proto" in one.fields and one.fields["proto"] == have.fields.get("proto")


def _stated_again(have: Object, table: Mapping[str, Field]) -> dict[str, Any]:
    return {option: value for option, value in have.fields.items() if option in table and value is not None}
