# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parameters that rewrite others when they are written, as net.ipv4.ip_forward does with `forwarding` of each link.

What these followers were is noted in the entry of the one that leads, and is put back with it. A follower that
a description holds stays as that has it; only what it goes back to is another value then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._describe import Want
from ._kinds import sysctl
from ._ledger import Ledger
from ._model import Key
from ._snapshot import Have


def of_leaders(want: Want, pruned: Iterable[Key], have: Have) -> list[Key]:
    """The followers of all leaders that are going to be written, or may be."""
    leaders = [key for key in pruned if key.kind == sysctl.NAME and key in have.objects and key not in want.objects]
    leaders += [key for key in want.objects if _differs(key, want, have)]
    return [follower for key in leaders for follower in _values(key, "", have)]


def note(ledger: Ledger, want: Want, have: Have) -> None:
    """Before leaders are written: what their followers were, as far as they would not be so again by themselves."""
    for key in [key for key in want.objects if key not in want.restored and _differs(key, want, have)]:
        base = {one: _base(ledger, one, have) for one in _values(key, "", have) if one in have.objects}
        back = _values(key, sysctl.value_of(have.objects[key].fields), have)
        others = {one.ident[0]: value for one, value in base.items() if value != back[one]}
        if base:
            ledger.update({key: {"beside": ledger.entry(key).get("beside", others)}})
            _underlie(ledger, {one: _values(key, sysctl.value_of(want.objects[key].fields), have)[one] for one in base})


def put_back(ledger: Ledger, key: Key, entry: dict[str, Any], want: Want, have: Have) -> None:
    """A leader becomes what it was: so do its followers, unless somebody states or holds them."""
    beside = entry.get("beside", {})
    back = {**_values(key, sysctl.value_of(entry["before"]), have)}
    back.update({one: beside[one.ident[0]] for one in back if one.ident[0] in beside})
    _underlie(ledger, back)
    for one, value in back.items():
        if one.ident[0] in beside and one in have.objects and one not in want.objects and not ledger.holds(one):
            _state(want, one, value)


def keep(ledger: Ledger, want: Want, have: Have) -> None:
    """What descriptions hold stays as it is, whatever is written to the leaders."""
    for key in [key for key in want.objects if _differs(key, want, have)]:
        for one in _values(key, "", have):
            if one in have.objects and one not in want.objects and ledger.holds(one):
                _state(want, one, sysctl.value_of(have.objects[one].fields))


def _differs(key: Key, want: Want, have: Have) -> bool:
    if key.kind != sysctl.NAME or not sysctl.leads(key) or key not in have.objects:
        return False
    return sysctl.value_of(want.objects[key].fields) != sysctl.value_of(have.objects[key].fields)


def _values(key: Key, value: str, have: Have) -> dict[Key, str | None]:
    return sysctl.followers(key, value, have.index.get(key.netns, ()))


def _state(want: Want, key: Key, value: str | None) -> None:
    want.objects[key] = sysctl.with_value(key, str(value))
    want.restored.add(key)


def _base(ledger: Ledger, key: Key, have: Have) -> str:
    """What a parameter is without those who hold it."""
    before = ledger.entry(key).get("before")
    return sysctl.value_of(before or have.objects[key].fields)


def _underlie(ledger: Ledger, values: dict[Key, str | None]) -> None:
    """Those that hold these parameters give them back as something else from now on."""
    ledger.update(
        {
            key: {"before": sysctl.with_value(key, value).fields}
            for key, value in values.items()
            if value is not None and ledger.entry(key).get("before")
        }
    )
