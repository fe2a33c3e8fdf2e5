# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kernel -> have: one pass over each namespace that is involved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from copy import copy

from . import _iptables, _others
from . import _netlink as nl
from ._kinds import address, chain, fdb, link, neighbor, netns, route, rule, sysctl
from ._model import Key, Object
from ._netns import Namespaces
from ._peers import Peers

DUMPED = frozenset({"link", "address", "route", "neighbor", "fdb"})
WHOLLY = DUMPED | {"rule"}  # kinds of which a look finds all; of the others it finds those that it asks for


SAME = -1  # instead of the nsid of a namespace that is the veth's own
End = tuple[Key, int, int, int]  # one end of a veth: its key, its number, its peer's, the nsid of the peer's namespace


class Have:
    """What the kernel holds: objects by key, interface numbers by namespace and name."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.index: dict[str, dict[str, int]] = {}  # namespace: {link: ifindex}
        self.names: dict[str, dict[int, str]] = {}  # namespace: {ifindex: link}
        self.altnames: dict[str, dict[str, str]] = {}  # namespace: {altname: link}
        self.inodes: dict[str, int] = {}  # namespace: inode
        self.whole: set[str] = set()  # namespaces that go with all that is in them
        self.beyond: dict[Key, str] = {}  # veth whose other end was not looked at: the namespace that holds it
        self.ends: dict[str, list[End]] = defaultdict(list)  # namespace: its ends of veths
        self.ids: dict[tuple[str, int], str] = {}  # (namespace, nsid in it): the namespace that is meant
        self.warnings: list[str] = []
        self.looked: dict[str, set[str]] = defaultdict(set)  # namespace: kinds of which all objects are here
        self.absent: set[Key] = set()  # chains that were looked for and are not there
        self._on: dict[tuple[str, str], list[Key]] | None = None

    def copy(self) -> Have:
        """One whose objects can be exchanged without changing this one."""
        other = Have()
        other.__dict__.update(self.__dict__)
        other.objects = dict(self.objects)
        return other

    def add(self, found: Object | None) -> None:
        """Keep the first object of a key."""
        if found is not None:
            self.objects.setdefault(found.key, found)

    def links(self, where: str) -> list[Object]:
        """The links of a namespace."""
        return [self.objects[link.key(where, name)] for name in self.index.get(where, ())]

    def gone(self, key: Key) -> bool:
        """Whether this look tells that there is no such object: it was looked for, or its link is not there."""
        found = self.objects.get(key)
        looked = self.looked.get(key.netns, ())
        if found is None and (key.kind in looked or key in self.absent):
            return True
        on = devices_of(found or Object(key, {})) if "link" in looked else ()
        return bool(on) and not any(link.key(key.netns, name) in self.objects for name in on)

    def hanging(self, where: str, device: str) -> list[Key]:
        """What is configured on a link: addresses, routes, neighbours, FDB entries, parameters."""
        if self._on is None:
            self._on = defaultdict(list)
            for key, found in self.objects.items():
                for name in devices_of(found):
                    self._on[key.netns, name].append(key)
        return self._on.get((where, device), [])


def devices_of(found: Object) -> Iterable[str]:
    """The links that an object hangs on."""
    kind = found.key.kind
    if kind == "route":
        return route.devices(found)
    if kind in ("address", "neighbor", "fdb"):
        return (str(found.key.ident[0]),)
    if kind == "sysctl":
        name = sysctl.device(found.key)
        return (name,) if name else ()
    return ()


class Scope:
    """What to look at: namespaces, kinds, and the single parameters and chains that somebody asks about."""

    def __init__(self, keys: Iterable[Key], kinds: Iterable[str] = ("link", "address", "route")) -> None:
        self.kinds = set(kinds)
        self.netns: dict[str, None] = {"": None}
        self.sysctls: dict[str, set[str]] = defaultdict(set)
        self.chains: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
        self.links: set[Key] = set()  # links whose peer must be known, wherever it is
        self.torn: set[Key] = set()  # links that will be torn: all that hangs on them must be known
        self.whole: set[str] = set()  # namespaces that go with all that is in them: nobody looks into them
        self.add(keys)

    def narrowed(self, kinds: set[str]) -> Scope:
        """The same with these kinds only, and the links that they are on."""
        other = copy(self)
        other.kinds = self.kinds & (kinds | {"link"} if kinds & DUMPED else kinds)
        return other

    def add(self, keys: Iterable[Key]) -> None:
        """Widen the scope by these objects."""
        for key in keys:
            if key.kind == "netns":
                self.netns[str(key.ident[0])] = None
                continue
            self.netns[key.netns] = None
            if key.kind == "sysctl":
                self.sysctls[key.netns].add(str(key.ident[0]))
            elif key.kind == "chain":
                self.chains[key.netns, key.ident[0]].add(key.ident[1:])
            elif key.kind == "link":
                self.links.add(key)
            elif key.kind in DUMPED or key.kind == "rule":
                self.kinds.add(key.kind)


def snapshot(namespaces: Namespaces, scope: Scope, earlier: Earlier | None = None) -> Have:
    """Read the scope. A namespace that does not exist (yet, or any more) is not in the result."""
    have = Have()
    have.whole = scope.whole
    namespaces.forget()
    for name in namespaces.known().values():
        have.add(Object(netns.key(name), {}))
    veths = _Veths(namespaces, have)
    pending = list(scope.netns)
    while pending:
        for where in pending:
            inode = namespaces.inode(where)
            if inode is None:
                continue
            have.inodes[where] = inode
            if where in scope.whole:
                continue
            if earlier and earlier.holds(where, inode):
                earlier.hand_on(where, have, veths)
            else:
                _read_netns(namespaces, where, scope, have, veths)
        pending = veths.resolve(scope)
        scope.netns.update(dict.fromkeys(pending))
    return have


class Earlier:
    """What an earlier look found in the namespaces where nothing was done since: nobody needs to read them again."""

    def __init__(self, found: Have, touched: Iterable[str]) -> None:
        self.found = found
        self.touched = set(touched)
        self.objects: dict[str, list[Object]] = defaultdict(list)
        self.ids: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for key, one in found.objects.items():
            if key.kind != "netns":
                self.objects[key.netns].append(one)
        for (asked, nsid), owner in found.ids.items():
            if not asked or asked not in self.touched:  # one that was made anew gives other ids
                self.ids[owner].append((asked, nsid))

    def holds(self, where: str, inode: int) -> bool:
        """Whether a namespace is as it was found."""
        return where not in self.touched and self.found.inodes.get(where) == inode

    def hand_on(self, where: str, have: Have, veths: _Veths) -> None:
        """The namespace's objects and names, into another result."""
        for one in self.objects[where]:
            have.add(Object(one.key, dict(one.fields)) if one.fields.get("peer") else one)
        if where in self.found.index:
            have.index[where] = self.found.index[where]
            have.names[where] = self.found.names[where]
        have.looked[where] = self.found.looked[where]
        if where in self.found.altnames:
            have.altnames[where] = self.found.altnames[where]
        for end in self.found.ends[where]:
            veths.note(end)
        have.ids.update(dict.fromkeys(self.ids[where], where))


def _read_netns(namespaces: Namespaces, where: str, scope: Scope, have: Have, veths: _Veths) -> None:
    try:
        with namespaces.entered(where):
            with nl.Channel() as channel:
                if "link" in scope.kinds:
                    _read_links(channel, where, have, veths)
                _read_tables(channel, where, have.names.get(where, {}), scope, have)
                _look_closer(channel, where, scope, have)
            have.looked[where] = scope.kinds & WHOLLY
            _read_parameters(where, scope.sysctls.get(where, ()), have)
            _read_chains(where, scope, have)
    except FileNotFoundError:  # the namespace went away meanwhile
        return


def look_closer(namespaces: Namespaces, scope: Scope, have: Have) -> None:
    """Add to an earlier look what hangs on the links that will be torn."""
    for where in sorted({key.netns for key in scope.torn}):
        with namespaces.entered(where), nl.Channel() as channel:
            _look_closer(channel, where, scope, have)


def _look_closer(channel: nl.Channel, where: str, scope: Scope, have: Have) -> None:
    torn = [have.objects[key] for key in scope.torn if key.netns == where and key in have.objects]
    if torn:
        _others.read(channel, torn, have.links(where), have.names[where], have.altnames.get(where, {}))


def _read_links(channel: nl.Channel, where: str, have: Have, veths: _Veths) -> None:
    messages = channel.dump(link.DUMP, link.WANTED)
    names = have.names[where] = {message["index"]: message["IFLA_IFNAME"] for message in messages}
    have.index[where] = {name: number for number, name in names.items()}
    for message in messages:
        found = link.read(message, where, names)
        have.add(found)
        if found.fields["kind"] == "veth" and "IFLA_LINK" in message:
            veths.note((found.key, message["index"], message["IFLA_LINK"], message.get("IFLA_LINK_NETNSID", SAME)))
        for other in message.get("IFLA_PROP_LIST", {}).get("IFLA_ALT_IFNAME", ()):
            have.altnames.setdefault(where, {})[other] = message["IFLA_IFNAME"]


def _read_tables(channel: nl.Channel, where: str, names: dict[int, str], scope: Scope, have: Have) -> None:
    if "address" in scope.kinds:
        for message in channel.dump(address.DUMP, address.WANTED):
            have.add(address.read(message, where, names))
    if "route" in scope.kinds:
        for request in route.DUMPS.values():
            for message in channel.dump(request, route.WANTED, route.skip_local):
                have.add(route.read(message, where, names))
    if "rule" in scope.kinds:
        for request in rule.DUMPS:
            for message in channel.dump(request, rule.WANTED):
                have.add(rule.read(message, where))
    if "neighbor" in scope.kinds:
        for request in neighbor.DUMPS:
            for message in channel.dump(request, neighbor.WANTED, neighbor.configured):
                have.add(neighbor.read(message, where, names))
    if "fdb" in scope.kinds:
        for message in channel.dump(fdb.DUMP, fdb.WANTED):
            have.add(fdb.read(message, where, names))


def _read_parameters(where: str, names: Iterable[str], have: Have) -> None:
    for parameter in sysctl.read(where, sorted(names)):
        have.add(parameter)


def look_at_parameters(namespaces: Namespaces, keys: Iterable[Key], have: Have) -> None:
    """Read some more parameters into a look, of namespaces that are there."""
    asked: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        asked[key.netns].append(key.ident[0])
    for where, names in asked.items():
        with namespaces.entered(where):
            _read_parameters(where, names, have)


def _read_chains(where: str, scope: Scope, have: Have) -> None:
    for (netns_, family), wanted in scope.chains.items():
        if netns_ != where:
            continue
        try:
            saved = _iptables.save(family)
            have.warnings += saved.warnings
            for found in chain.read(where, family, saved.tables, wanted):
                have.add(found)
            asked = {chain.key(where, family, table, name) for table, name in wanted}
            have.absent |= asked - have.objects.keys()
        except _iptables.IptablesError as error:
            have.warnings.append(str(error))


class _Veths:
    """Fills in the other ends of veths, once the namespaces that hold them have been read."""

    def __init__(self, namespaces: Namespaces, have: Have) -> None:
        self.namespaces = namespaces
        self.have = have
        self.peers = Peers(namespaces, have.ids)
        self.open: dict[tuple[str, int], list[End]] = defaultdict(list)
        self.nsids: dict[tuple[str, int, int], int] = {}  # namespace, own and peer's number: the peer's nsid

    def note(self, end: End) -> None:
        """Remember an end for resolve()."""
        key, number, peer, nsid = end
        where = key.netns
        self.have.ends[where].append(end)
        self.peers.note(where, number, peer)
        if nsid == SAME:
            self.peers.ids[where, SAME] = where
        self.nsids[where, number, peer] = nsid
        self.open[where, nsid].append(end)

    def resolve(self, scope: Scope) -> list[str]:
        """Fill in the peers; returns namespaces that must be read for a wanted link's peer to be known."""
        self._identify(scope)
        more: dict[str, None] = {}
        for (where, nsid), ends in list(self.open.items()):
            owner = self.peers.ids.get((where, nsid))
            if owner is None:
                continue
            if owner in scope.whole:
                self.have.beyond.update({key: owner for key, *_numbers in ends})
                continue
            if owner not in self.have.index:
                if any(key in scope.links for key, *_numbers in ends):
                    more[owner] = None
                continue
            names = self.have.names[owner]
            for key, _number, peer, _nsid in ends:
                if peer in names:
                    self.have.objects[key].fields["peer"] = (owner, names[peer])
            del self.open[where, nsid]
        return list(more)

    def _identify(self, scope: Scope) -> None:
        """Find out which namespaces the ids mean: where there are many first, as one end's answer is the other's too."""
        asking: dict[str, dict[int, list[End]]] = defaultdict(dict)
        for (where, nsid), ends in self.open.items():
            asking[where][nsid] = ends
        for where, by_nsid in sorted(asking.items(), key=lambda pair: -len(pair[1])):
            left = self._unknown(where, by_nsid)
            pairs = [(number, peer) for nsid in left for _key, number, peer, _nsid in by_nsid[nsid]]
            self.peers.ask(where, [*self.peers.candidates(where, pairs), *scope.whole], left)
            left = [nsid for nsid in self._unknown(where, by_nsid) if _any_wanted(by_nsid[nsid], scope.links)]
            if left:
                self.peers.ask(where, ["", *self.namespaces.known().values()], left)
            self._learn_from(where, by_nsid)

    def _unknown(self, where: str, nsids: Iterable[int]) -> list[int]:
        return [nsid for nsid in nsids if (where, nsid) not in self.peers.ids]

    def _learn_from(self, where: str, by_nsid: dict[int, list[End]]) -> None:
        for nsid, ends in by_nsid.items():
            owner = self.peers.ids.get((where, nsid))
            if owner is None:
                continue
            for _key, number, peer, _nsid in ends:
                if (owner, peer, number) in self.nsids:
                    self.peers.ids.setdefault((owner, self.nsids[owner, peer, number]), where)


def _any_wanted(ends: list[End], wanted: set[Key]) -> bool:
    return any(key in wanted or netns.key(key.netns) in wanted for key, *_numbers in ends)
