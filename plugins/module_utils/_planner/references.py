# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a description refers to: each namespace, interface, master and lower device must be there, and be able to."""

from __future__ import annotations

from typing import Any

from .._kinds import LINK_KINDS, link, netns, route, sysctl
from .._model import TUNNEL_HEADERS, Key, Object
from .._snapshot import devices_of
from .underlay import Underlay

_ETHERNET = ("bridge", "veth", "vxlan")


class References(Underlay):
    """Finds what cannot be."""

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
        if key.kind == "route":
            have = self.have.objects.get(key)
            for option, what in route.mistakes(one.fields, {**(have.fields if have else {}), **one.fields}):
                self._problem(key, f"option {option}: {what}" if option else what)
        if key.kind == "neighbor" and self._needs_lladdr(one):
            self._problem(key, "option lladdr: is required: the interface has link-layer addresses")
        if key.kind == "sysctl" and (wrong := sysctl.mistake(one, self.have.objects.get(key))):
            self._problem(key, f"option value: {wrong}")
        if key.kind == "sysctl" and key not in self.have.objects and self._should_show(key):
            self._problem(key, "this kernel has no such parameter")

    def _needs_lladdr(self, one: Object) -> bool:
        have = self.have.objects.get(one.key)
        there = one.fields.get("proxy") or one.fields.get("lladdr") or (have and have.fields.get("lladdr"))
        return not there and self._final(link.key(one.key.netns, one.key.ident[0]), "kind", "") in _ETHERNET

    def _should_show(self, key: Key) -> bool:
        """Whether a parameter would be there by now if it existed: its interface and its namespace are."""
        name = sysctl.device(key)
        return key.netns in self.have.inodes and (not name or name in self.have.index.get(key.netns, ()))

    def _check_link(self, one: Object) -> None:
        for option in ("master", "dev", link.BACKUP):
            name = one.fields.get(option)
            if not name:
                continue
            other = link.key(one.key.netns, name)
            if not self._there(other):
                where = f" in netns {one.key.netns}" if one.key.netns else ""
                self._problem(one.key, f"option {option}: there is no interface {name}{where}")
            elif option == "master" and self._final(other, "kind", "") in ("veth", "vxlan", "ipip"):
                self._problem(one.key, f"option master: {name} is a {self._final(other, 'kind', '')}, not a bridge")
            elif option == link.BACKUP and self._final(other, "master", "") != self._final(one.key, "master", ""):
                self._problem(one.key, f"option {option}: {name} is no port of the same bridge")
        self._check_options(one)
        self._check_mtu(one)

    def _check_options(self, one: Object) -> None:
        """What options need of each other: an option left out is as it is already."""
        have = self._present(one.key)
        kind = one.fields.get("kind") or (have.fields["kind"] if have else "")
        same = have is not None and have.fields["kind"] == kind
        whole = {**(have.fields if have and same else {}), **one.fields}
        if any(option.startswith("port.") for option in one.fields) and not whole.get("master"):
            self._problem(one.key, "option port: needs a master, the bridge that the link is a port of")
        module: Any = LINK_KINDS.get(kind)
        for option, what in module.mistakes(one.fields, whole) if hasattr(module, "mistakes") else ():
            self._problem(one.key, f"option {option}: {what}")

    def _present(self, key: Key) -> Object | None:
        """A link as it is now, here or where it comes from."""
        source = self.movers.get(key, key.netns)
        return self.have.objects.get(link.key(source, key.ident[0]))

    def _check_mtu(self, one: Object) -> None:
        """A tunnel's packets must fit into the link that they leave by."""
        kind = self._final(one.key, "kind", "")
        if kind not in TUNNEL_HEADERS or "mtu" not in one.fields:
            return
        lower = self._lower(one)
        largest = self._final(link.key(one.key.netns, lower), "mtu", 0) if lower else 0
        remote = str(self._final(one.key, "remote", "") or self._final(one.key, "local", ""))
        most = largest - TUNNEL_HEADERS[kind][6 if ":" in remote else 4]
        if largest and one.fields["mtu"] > most:
            self._problem(
                one.key,
                f"option mtu: {one.fields['mtu']} is too large for the underlay: {kind} over {lower} (mtu {largest}) "
                f"leaves {most}",
            )
