# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the parts of the planner share: what is wanted, what is there, and what has been decided so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from itertools import groupby
from typing import Any, NamedTuple

from .._kinds import KINDS, chain, ipip, link, sysctl
from .._model import MARK_GROUP, Field, Key, Object, Op, Problem
from .._snapshot import Have

FALLBACKS = (ipip.FALLBACK, "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0")
REMOVAL_ORDER = {"route": 0, "neighbor": 1, "fdb": 2, "address": 3}


class Phase(IntEnum):
    """The order of the ops: what comes first in the tuple that an op is sorted by."""

    NETNS = 0
    LINKS_GO = 1
    CONFIG_GOES = 2
    LINKS_COME = 3
    CONFIG = 4  # a namespace at a time, in stages
    LATER = 5  # chains, and rules that go: what replaces them is there by now
    NETNS_GO = 6
    LAST = 7  # behind the namespaces: see Going._delete_doomed


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


def differences(want: Mapping[str, Any], have: Mapping[str, Any], table: Mapping[str, Field]) -> dict[str, Any]:
    """The stated fields that the kernel holds otherwise."""
    found = {}
    for option, value in want.items():
        field = table.get(option)
        if field is not None and not field.same(value, have.get(option, field.unset)):
            found[option] = value
    return found


class Draft:
    """A plan in the making."""

    def __init__(self, want: dict[Key, Object], gone: Iterable[Key], have: Have, rules: Rules) -> None:
        self.want = want
        self.gone = {key: None for key in gone if key not in want}
        self.have = have
        self.rules = rules
        self.problems: list[Problem] = []
        self.doomed: dict[Key, None] = {}  # links and namespaces that are deleted
        self.dragged: dict[Key, None] = {}  # what the kernel removes along with them
        self.returning: list[Key] = []  # what of it comes back, as it hung on a link that is made anew
        self.uppers: dict[str, list[Object]] = defaultdict(list)  # namespace: links that stand on others
        self.along: dict[Key, list[Object]] = defaultdict(list)  # links that go with a namespace, without an op
        self.refused: set[Key] = set()
        self.kept: dict[Key, set[str]] = {}  # options of a link that is made anew that nobody stated
        self.affected: dict[Key, None] = {}  # what the kernel may flush as a side effect
        self.moved: set[Key] = set()  # rules that come again behind others of their priority
        self.movers: dict[Key, str] = {}  # links that come from another namespace
        self.leaving: set[Key] = set()  # and what they are called there
        self.ops: list[tuple[tuple[Any, ...], Op]] = []
        self.place = {where: n for n, where in enumerate(dict.fromkeys(key.netns for key in want))}

    def _problem(self, key: Key, what: str) -> None:
        self.refused.add(key)
        self.problems.append(Problem(str(key), what))

    def _advice(self) -> str:
        """What to do about what cannot change in place; where it has just been made, the kernel thinks otherwise."""
        if self.rules.checked:
            return "say recreate: true to delete it and create it anew"
        return "the kernel does not keep what is stated"

    def _there(self, key: Key) -> bool:
        """Whether a link or namespace will be there when the plan is done."""
        if key in self.want:
            return True
        if key.kind == "link" and key.ident[0] == "lo":
            return True
        return key in self.have.objects and key not in self.gone and key not in self.leaving

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

    def _missing(self, key: Key) -> bool:
        """Whether an object is not there, or will be gone by the time that it is put."""
        return key not in self.have.objects or key in self.doomed or key in self.dragged

    def _add(self, order: tuple[Any, ...], op: Op) -> None:
        self.ops.append((order, op))

    def _stage(self, position: int, key: Key, stage: int, op: Op) -> None:
        order = sysctl.rank(op.key) if op.key.kind == "sysctl" else 0
        self._add((Phase.CONFIG, self.place.get(key.netns, len(self.place)), stage, order, position), op)

    def _flush(self, keys: Iterable[Key], lasting: bool) -> None:
        """Note what may be gone afterwards: for the way back, and where it shall last for the next look."""
        for key in keys:
            have = self.have.objects[key]
            if key in self.gone or automatic(have):
                continue
            self.affected[key] = None
            if lasting:
                self.want.setdefault(key, have)

    def _drag_entries(self, port: Key) -> None:
        """A bridge's entries for a port go when the port leaves it."""
        for key in self.have.hanging(port.netns, port.ident[0]):
            if key.kind == "fdb" and key.ident[3] == "master":
                self.dragged[key] = None


def automatic(have: Object) -> bool:
    kind = KINDS[have.key.kind]
    return bool(kind.automatic(have)) if hasattr(kind, "automatic") else False
