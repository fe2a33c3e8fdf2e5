# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A description (what the user writes) -> wanted objects and objects that shall go. All mistakes are gathered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._kinds import SECTIONS, netns
from ._kinds.link import netns_or_path
from ._model import Item, Key, Object, Problem
from ._netns import Namespaces

_SINGULAR = {
    "namespaces": "namespace",
    "links": "link",
    "addresses": "address",
    "routes": "route",
    "rules": "rule",
    "neighbors": "neighbor",
    "fdb": "fdb entry",
    "sysctls": "sysctl",
    "chains": "chain",
}


class Want:
    """What is wanted: objects, the keys that shall go, and the mistakes in the description."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.gone: dict[Key, None] = {}
        self.restored: set[Key] = set()  # objects that nobody states: they become what they were
        self.problems: list[Problem] = []


def describe(description: Mapping[str, Any], namespaces: Namespaces) -> Want:
    """Read all sections. Names of namespaces become canonical: one namespace, one name."""
    want = Want()
    canonical = _Canonical(namespaces)
    for section, kind in SECTIONS.items():
        entries = description.get(section) or []
        if not isinstance(entries, list):
            want.problems.append(Problem(section, "is not a list"))
            continue
        for number, given in enumerate(entries, 1):
            entry = {"name": given} if isinstance(given, str) and kind is netns else given
            if not isinstance(entry, Mapping):
                want.problems.append(Problem(f"{section}[{number}]", f"{entry!r} is not a dictionary of options"))
                continue
            _read(want, kind, Item(_SINGULAR[section], entry, want.problems), canonical)
            if kind is netns:
                canonical.stated.add(str(entry.get("name")))
    for section in description:
        if section not in SECTIONS:
            want.problems.append(Problem(str(section), f"there is no such section; there are {', '.join(SECTIONS)}"))
    return want


class _Canonical:
    """Namespaces.canonical, asked once for each spelling: a description names the same few thousands of times."""

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces
        self.known: dict[Any, str] = {None: ""}
        self.stated: set[str] = set()  # names of namespaces that the description itself makes

    def __call__(self, given: Any) -> str:
        if given not in self.known:
            valid = given if isinstance(given, int) else netns_or_path(given)
            number = str(given) if str(given).isdigit() and str(given) in self.stated else ""  # a name, no PID
            self.known[given] = number or self.namespaces.canonical(valid)
        return self.known[given]


def _read(want: Want, kind: Any, item: Item, canonical: _Canonical) -> None:
    where = "" if kind is netns else item.take("netns", canonical, "")
    state = item.take("state", _state, "present")
    for one in kind.parse(item, where, canonical):
        if state == "absent":
            want.gone[one.key] = None
        elif not one.fields and kind.NAME == "sysctl":
            item.problem("is required", "value")
        elif one.key in want.objects and not _agree(want.objects[one.key], one):
            item.problem(f"{one.key} is stated twice")
        elif one.key in want.objects:
            want.objects[one.key].fields.update(one.fields)
        else:
            want.objects[one.key] = one
        if one.key in want.gone and one.key in want.objects:
            item.problem(f"{one.key} is stated as present and as absent")


def _agree(first: Object, second: Object) -> bool:
    """The two ends of a veth may be stated each for itself, and a parameter by each name, if they say the same."""
    return (first.fields.get("kind") == "veth" or first.key.kind == "sysctl") and all(
        first.fields.get(option, value) == value for option, value in second.fields.items()
    )


def _state(value: Any) -> str:
    if value not in ("present", "absent"):
        raise ValueError(f"{value!r} is neither present nor absent")
    return str(value)
