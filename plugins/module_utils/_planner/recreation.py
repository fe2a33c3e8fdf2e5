# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links that are there, but not as they are wanted: they move, or they are created anew with what hung on them."""

from __future__ import annotations

from typing import Any

from .._kinds import link
from .._model import CREATE_ONLY, LIVE, MARK_GROUP, Field, Key, Object
from .._snapshot import devices_of
from .draft import FALLBACKS, Draft, automatic, differences


class Recreation(Draft):
    """Decides which links move and which are created anew, and what comes back with these."""

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

    def _keep(self, one: Object, have: Object) -> None:
        """A link that is created anew keeps what it had and nobody stated."""
        table = link.table(one.fields["kind"])
        same_kind = one.fields["kind"] == have.fields["kind"]
        master = one.fields.get("master", have.fields.get("master"))
        master = master if master and self._there(link.key(one.key.netns, master)) else ""
        for option, value in have.fields.items():
            if option in table and option not in one.fields and (same_kind or option in link.GENERIC):
                if option == "mtu" and self._another_underlay(one, have):
                    continue  # it follows from the lower device
                if option == "peer" and value not in (None, one.fields.get("peer")):
                    continue
                if (
                    option in ("master", "dev", link.BACKUP)
                    and value
                    and not self._there(link.key(one.key.netns, value))
                ):
                    continue
                if value not in (None, "") and (master or not option.startswith("port.")):
                    one.fields[option] = value
                    self.kept.setdefault(one.key, set()).add(option)
        one.fields["group"] = MARK_GROUP
        one.fields.update(parameters(have))

    def _another_underlay(self, one: Object, have: Object) -> bool:
        """Whether the lower device of a link is another one, or gets another MTU."""
        before, dev = have.fields.get("dev"), one.fields.get("dev", have.fields.get("dev"))
        lower = self.have.objects.get(link.key(one.key.netns, str(dev)))
        return dev != before or bool(lower and self._final(lower.key, "mtu", 0) != lower.fields["mtu"])

    def _put_back(self) -> None:
        """What hung on a link that is created anew, and nobody stated, is put back as it was."""
        recreated = {key for key in self.doomed if key.kind == "link" and key in self.want}
        if not recreated:
            return
        if self.rules.checked:
            for key in (*recreated, *self.returning):
                for text in self.have.objects[key].fields.get("conf.others", ()):
                    self._problem(key, f"{text} would go with what is created anew, and cannot be put back; delete it")
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
                        self.want[key] = Object(key, creatable(have))
                        self.kept[key] = set(self.want[key].fields)
                    else:
                        self._problem(
                            key, f"would go with what is created anew, and a {have.fields['kind']} cannot be put back"
                        )
                elif have.fields.get("master") and link.key(key.netns, have.fields["master"]) in recreated:
                    self._put_port_back(key, have)
            elif key in returning and key not in self.want and not automatic(have) and not self._default_remote(have):
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


def creatable(have: Object) -> dict[str, Any]:
    """The fields of a link as the kernel shows it that it can be created with."""
    table = link.table(have.fields["kind"])
    found = {
        option: value
        for option, value in have.fields.items()
        if option in table and value is not None and not (option.startswith("port.") and not have.fields.get("master"))
    }
    return {"kind": have.fields["kind"], **found, **parameters(have)}


def parameters(have: Object) -> dict[str, Any]:
    return {option: value for option, value in have.fields.items() if option.startswith("conf.")}


def _peer_text(peer: Any) -> str:
    if not peer:
        return "in a namespace that is not known"
    return f"{peer[1]} in netns {peer[0]}" if peer[0] else f"{peer[1]} in the host's own namespace"
