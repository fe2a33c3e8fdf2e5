# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ops -> kernel; then look again; and back to where it was on any failure.

The kernel goes on with the later requests of a send after an earlier one failed. That is no harm: after a failure the
way back is planned from what the kernel then has, not from what was sent.
"""

from __future__ import annotations

import errno
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from . import _netlink as nl
from ._index import Index, channel_netns
from ._kinds import KINDS, LINK_KINDS, chain, link, netns
from ._loading import with_fallbacks
from ._model import Key, Object, Op
from ._netns import Namespaces
from ._plan import plan
from ._planner.back import restoration
from ._planner.draft import Plan, Rules
from ._snapshot import DUMPED, Earlier, Have, Scope, look_at_parameters, look_closer, snapshot

ROUNDS = 3
_NETLINK = frozenset({"link", "address", "route", "rule", "neighbor", "fdb"})
_WAIT = 5.0  # seconds for what the kernel finishes in the background
_GONE = {  # "it is gone already": no failure of a deletion (the next look tells)
    "link": {errno.ENODEV},
    "route": {errno.ESRCH},
    "rule": {errno.ENOENT},
    "address": {errno.EADDRNOTAVAIL, errno.ENODEV},
    "neighbor": {errno.ENOENT, errno.ENODEV},
    "fdb": {errno.ENOENT, errno.ENODEV},
}

Fault = Callable[[int, Op], None]


class ApplyError(Exception):
    """An op failed. `rolled_back` says whether all is as before; `left` names what is not."""

    def __init__(self, op: Op | None, why: str) -> None:
        super().__init__(why)
        self.op = op
        self.why = why
        self.rolled_back = False
        self.left: list[str] = []


class World:
    """What the ops of one run share."""

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces
        self.held: dict[str, int] = {}  # removed namespaces, alive until the run is over
        self.current: Op | None = None

    def close(self) -> None:
        """Let go of the removed namespaces: from here on there is no way back."""
        for descriptor in self.held.values():
            os.close(descriptor)
        self.held.clear()


def no_fault(_number: int, _op: Op) -> None:
    """Nothing goes wrong on purpose."""


class Run:
    """One transaction over a scope: look, plan, apply, look again, roll back."""

    def __init__(self, namespaces: Namespaces, scope: Scope, fault: Fault = no_fault) -> None:
        self.namespaces = namespaces
        self.scope = scope
        self.fault = fault
        self.world = World(namespaces)
        self.done = 0
        self.touched: set[Key] = set()
        self.expected: tuple[str, ...] = ()  # devices that come with a module which is not loaded yet

    def look(self) -> Have:
        """A fresh snapshot of the scope."""
        return with_fallbacks(snapshot(self.namespaces, self.scope), self.expected)

    def look_beside(self, have: Have, parameters: list[Key]) -> None:
        """Some more parameters, in this look and in each from here on."""
        self.scope.add(parameters)
        look_at_parameters(self.namespaces, parameters, have)

    def look_again(self, before: Have, at: Iterable[Key]) -> Have:
        """A snapshot after ops: of the kinds that some keys are of, in the namespaces that the ops can have changed."""
        scope = self.scope.narrowed({key.kind for key in at})
        return snapshot(self.namespaces, scope, Earlier(before, self._touched_netns(before)))

    def _touched_netns(self, before: Have) -> Iterator[str]:
        """Those that the ops so far were about, and those with the other ends of their links."""
        for key in self.touched:
            yield str(key.ident[0]) if key.kind == "netns" else key.netns
            one = before.objects.get(key)
            if one and one.fields.get("peer"):
                yield one.fields["peer"][0]

    def prepare(self, want: Mapping[Key, Object], gone: Iterable[Key], rules: Rules, have: Have) -> tuple[Have, Plan]:
        """Plan. Where something will be torn down, look again at all that may be torn down with it, and plan again."""
        found = plan(want, gone, have, rules)
        while unseen := self._unseen(found, have):
            have = self._look_closer(unseen, have)
            found = plan(want, gone, have, rules)
        return have, found

    def _unseen(self, found: Plan, have: Have) -> list[Key]:
        """What a way back needs to know, and was not looked at.

        On a link that is not there yet, nothing hangs; what goes whole or at the very end need not be put back.
        """
        ops, held = found.parts()
        changing = [
            op
            for op in ops
            if (op.key.kind == "link" and (op.action == "move" or op.key in have.objects))
            or (op.key.kind == "netns" and op.key in have.objects and op.key.ident[0] not in have.whole)
            or (op.key.kind == "address" and op.action == "delete")
        ]
        if have.whole and not changing:
            return []
        later = {op.key for op in held}
        torn = [*(key for op in changing if op.key.kind == "link" for key in _torn(op)), *found.dragged]
        links = [key for key in torn if key.kind == "link" and key in have.objects and key not in later]
        unseen = [key for key in links if key not in self.scope.torn]
        return unseen or ([] if self.scope.kinds >= DUMPED else [op.key for op in changing])

    def _look_closer(self, unseen: list[Key], have: Have) -> Have:
        """Look at these as well; all anew only where other kinds, or the other ends of veths, are not known."""
        links = [key for key in unseen if key.kind == "link" and key in have.objects]
        self.scope.torn.update(links)
        seen = [have.objects[key] for key in links if key not in have.beyond and key not in self.scope.links]
        alone = [one for one in seen if one.fields["kind"] == "veth" and not one.fields.get("peer")]
        if self.scope.kinds >= DUMPED and not alone:
            look_closer(self.namespaces, self.scope, have)
            return have
        self.scope.kinds |= DUMPED
        self.scope.add(unseen)
        return self.look()

    # ---- forward

    def carry_out(self, first: Plan, before: Have) -> Have:
        """Apply a plan and verify it; returns what the kernel then has. ApplyError after having rolled back."""
        try:
            have = self._converge(first, before)
            self._let_go(first, have)
            return have
        except ApplyError as error:
            self._roll_back(before, error)
            raise
        except Exception as error:
            wrapped = ApplyError(self.world.current, f"{type(error).__name__}: {error}")
            self._roll_back(before, wrapped)
            raise wrapped from error

    def _converge(self, first: Plan, before: Have) -> Have:
        """Apply, look and plan again, until nothing is left to do but what is held back."""
        ops, _held = first.parts()
        todo, have = first._replace(ops=ops, held=0), before
        gone = [op.key for op in ops if op.action == "delete" and op.key not in first.goal]
        for _round in range(ROUNDS + 1):
            self._apply(todo, have)
            have = self.look_again(before, at=(*first.goal, *gone, *first.dragged))
            todo = plan(first.goal, gone, have, Rules(checked=False))
            if todo.problems:
                raise ApplyError(None, "; ".join(map(str, todo.problems)))
            if not todo.ops:
                return have
        raise ApplyError(todo.ops[0], f"the kernel does not keep it: {'; '.join(todo.commands())}")

    def _let_go(self, first: Plan, have: Have) -> None:
        """The links that go where namespaces go whole: the last step, as from here on these cannot come back.

        A namespace's own end is there as well: the kernel would remove it some time after the last descriptor is
        closed, unless a process is in the namespace. All of them at once, as one wait for RCU is what that costs.
        """
        verified, held = first.parts()
        ends = [other for op in verified if op.key.kind == "netns" for other in op.also]
        ops = [*held, *(Op("delete", end.key, {}, end.fields) for end in ends)]
        self.touched |= first.touched()
        for op in ops:
            self.fault(self.done, op)
            self.done += 1
        for where, batch in groupby(sorted(ops, key=lambda op: op.key.netns), lambda op: op.key.netns):
            self._delete_links(where, list(batch))
        for op in ops:
            for key in (op.key, *([link.key(*op.have["peer"])] if op.have.get("peer") else [])):
                have.objects.pop(key, None)

    def _apply(self, todo: Plan, have: Have, before: Have | None = None, failures: list[str] | None = None) -> None:
        """Send the ops in order. With `failures`, errors are noted there and the rest goes on."""
        self.touched |= todo.touched()
        index = Index(self.namespaces, have, before)
        try:
            for batch in _batches(todo.ops):
                try:
                    self._batch(batch, index)
                except ApplyError as error:
                    if failures is None:
                        raise
                    failures.append(f"{error.op.key if error.op else ''}: {error.why}")
        finally:
            index.close()

    def _batch(self, batch: list[Op], index: Index) -> None:
        for position, op in enumerate(batch):
            try:
                self.fault(self.done, op)
            except Exception as error:
                self._send(batch[:position], index)
                raise ApplyError(op, str(error)) from error
            self.done += 1
        self._send(batch, index)

    def _send(self, batch: list[Op], index: Index) -> None:
        if not batch:
            return
        kind = KINDS[batch[0].key.kind]
        self.world.current = batch[0]
        if batch[0].key.kind in _NETLINK:
            self._send_netlink(batch, index)
            return
        try:
            kind.run(batch, self.world)
        except OSError as error:
            raise ApplyError(self.world.current, error.strerror or str(error)) from error
        if kind is netns:
            for op in batch:
                index.numbers.pop(op.key.ident[0], None)
            index.made |= {op.key.ident[0] for op in batch if op.action == "create"} - self.world.held.keys()

    def _send_netlink(self, batch: list[Op], index: Index) -> None:
        where = channel_netns(batch[0])
        if batch[0].key.kind == "link" and batch[0].action == "delete" and len(batch) > 1:
            for op in batch:
                index.forget(op)
            self._delete_links(where, batch)
            return
        requests: list[nl.Request] = []
        owners: list[Op] = []
        for op in batch:
            try:
                made = KINDS[op.key.kind].requests(op, index)
            except OSError as error:
                # what is before it in the batch is sent, so that ops happen in their order
                self._change(where, requests, owners)
                raise ApplyError(op, error.strerror or str(error)) from error
            requests += made
            owners += [op] * len(made)
            if op.key.kind == "link" and op.action in ("delete", "move"):
                index.forget(op)
        self._change(where, requests, owners)

    def _change(self, where: str, requests: list[nl.Request], owners: list[Op]) -> None:
        if not requests:
            return
        with self.namespaces.entered(where), nl.Channel() as channel:
            start = 0
            while start < len(requests):
                errors = channel.change(requests[start:])
                if not errors:
                    return
                first = start + min(errors)
                error = errors[min(errors)]
                op = owners[first]
                if op.action == "delete" and error.code in _GONE[op.key.kind]:
                    start = first + 1  # those behind it in its send were carried out: doing so again is harmless
                    continue
                if not self._again(channel, requests[first], op, error):
                    raise ApplyError(op, _said(op, error)) from error
                start = first + 1

    @staticmethod
    def _again(channel: nl.Channel, request: nl.Request, op: Op, error: nl.NetlinkError) -> bool:
        """Ask again for what the kernel is still busy with: a name whose former owner is being removed in the
        background, an IPv6 source address that is still tentative, EBUSY."""
        background = (
            error.code in (errno.EBUSY, errno.EAGAIN)
            or (error.code == errno.EEXIST and op.key.kind == "link" and op.action == "create")
            or (error.code == errno.EINVAL and op.key.kind == "route" and ":" in str(op.fields.get("src", "")))
        )
        until = time.monotonic() + _WAIT
        while background and time.monotonic() < until:
            time.sleep(0.02)
            if not channel.change([request]):
                return True
        return False

    def _delete_links(self, where: str, ops: list[Op]) -> None:
        """Many links of a namespace at once, as a group: the one they are in if nothing else is, else a new one."""
        going = {op.key.ident[0] for op in ops}
        with self.namespaces.entered(where), nl.Channel() as channel:
            found = channel.dump(link.DUMP, ("IFLA_IFNAME", "IFLA_GROUP"))
            members: dict[int, set[str]] = defaultdict(set)
            for message in found:
                members[message.get("IFLA_GROUP", 0)].add(message["IFLA_IFNAME"])
            numbers = [message["index"] for message in found if message["IFLA_IFNAME"] in going]
            if not numbers:
                return
            own = next((group for group, names in members.items() if group and names == going), None)
            group = own or next(number for number in range(0x4C4E4C00, 0x4C4E4CFF) if number not in members)
            for requests in ([] if own else link.gathering(numbers, group), [link.deletion(group)]):
                errors = [error for error in channel.change(requests).values() if error.code not in _GONE["link"]]
                if errors:
                    raise ApplyError(ops[0], str(errors[0]))

    # ---- back

    def _roll_back(self, before: Have, error: ApplyError) -> None:
        """The same planner, with the earlier have as want. Rounds, because the kernel has side effects."""
        failures: list[str] = []
        rules = Rules(recreate=True, checked=False)
        self.fault = no_fault
        self.scope.kinds |= DUMPED
        try:
            for _round in range(ROUNDS):
                have = self.look()
                want, gone = restoration(before, self.touched)
                back = plan(want, gone, have, rules)
                if not back.ops:
                    break
                failures = []
                self._apply(back, have, before, failures)
            have = self.look()
            want, gone = restoration(before, self.touched)
            back = plan(want, gone, have, rules)
            error.left = [f"{op.action} {op.key}" for op in back.ops] + [str(problem) for problem in back.problems]
            error.left += failures if error.left else []
            error.left += _not_put_back(before, have, self.touched)
        except Exception as another:  # the first failure is the one to tell; this one is named beside it
            error.left.append(f"rolling back stopped: {type(another).__name__}: {another}")
        error.rolled_back = not error.left

    def close(self) -> None:
        """The transaction is over."""
        self.world.close()


def _torn(op: Op) -> list[Key]:
    """The links from which an op takes more than it says: one that goes, leaves its namespace or its bridge, or comes
    to a value from which there is no way back in place."""
    if op.action == "move":
        return [link.key(op.fields["move_from"], op.key.ident[0])]
    leaves = "master" in op.fields and op.have.get("master")
    table = link.table(op.have.get("kind", ""))
    one_way = any(table[o].fixed(value, op.have.get(o, table[o].unset)) for o, value in op.fields.items() if o in table)
    return [op.key] if op.action == "delete" or leaves or one_way else []


def _said(op: Op, error: nl.NetlinkError) -> str:
    """The kernel's words, and what its kind of object can tell about them."""
    kind: Any = KINDS[op.key.kind]
    if op.key.kind == "link":
        kind = LINK_KINDS.get(op.fields.get("kind") or op.have.get("kind", ""))
    hint = kind.hint(error.code, op.fields) if hasattr(kind, "hint") else ""
    return f"{error}; {hint}" if hint else str(error)


def _not_put_back(before: Have, have: Have, touched: Iterable[Key]) -> list[str]:
    """What hung on links that went and came back, and that nobody here can make again."""
    found: dict[str, None] = {}
    for key in touched:
        then, now = before.objects.get(key), have.objects.get(key)
        if key.kind == "link" and then and now:
            gone = set(then.fields.get("conf.others", ())) - set(now.fields.get("conf.others", ()))
            found.update(dict.fromkeys(f"{text} cannot be put back" for text in sorted(gone)))
    return list(found)


def _batches(ops: list[Op]) -> Iterator[list[Op]]:
    """Neighbouring ops that go out together: one way to the kernel, one namespace; deletions of links by themselves."""

    def lane(op: Op) -> tuple[Any, ...]:
        kind = op.key.kind
        if kind in _NETLINK:
            deletion = kind == "link" and op.action == "delete"
            return ("netlink", channel_netns(op), deletion)
        return (kind, op.key.netns if kind != "netns" else "", op.key.kind == chain.NAME)

    for _lane, batch in groupby(ops, lane):
        yield list(batch)
