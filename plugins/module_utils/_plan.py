# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""want, have -> ops. Pure: it asks the kernel nothing and changes nothing. The only place that knows order.

Only what the user stated is compared: an option that is left out means "leave it as it is".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ._model import Key, Object
from ._planner.coming import Coming
from ._planner.draft import CHECKED, Phase, Plan, Rules
from ._planner.going import Going
from ._planner.recreation import Recreation
from ._planner.references import References
from ._snapshot import Have


def plan(want: Mapping[Key, Object], gone: Iterable[Key], have: Have, rules: Rules = CHECKED) -> Plan:
    """The ops that lead from what the kernel has to what is wanted; an empty list where there is nothing to do."""
    copied = {key: Object(key, dict(one.fields)) for key, one in want.items()}
    return _Planner(copied, gone, have.copy(), rules).plan()


class _Planner(References, Recreation, Going, Coming):
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
        self._follow()
        self._links()
        self._rest()
        self.ops.sort(key=lambda pair: pair[0])
        dragged = {**self.dragged, **self.affected, **self._released()}
        held = sum(order[0] == Phase.LAST for order, _op in self.ops)
        return Plan([op for _order, op in self.ops], self.problems, dragged, self.want, held)
