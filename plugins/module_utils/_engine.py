# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One call of the engine: description in, result out. Knows nothing of Ansible's modules; they call it."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from . import _followers, _guard, _iptables
from . import _netlink as nl
from ._apply import ApplyError, Fault, Run, no_fault
from ._describe import Want, describe
from ._kinds import LINK_KINDS, ipip, link, netns, sysctl
from ._ledger import Busy, Ledger, before_of, locked
from ._loading import askable, probe, with_fallbacks
from ._model import MARK_GROUP, Key, Object, Problem
from ._netns import Namespaces
from ._planner.draft import Plan, Rules
from ._record import record, stated
from ._snapshot import DUMPED, Have, Scope


class Options(NamedTuple):
    """What the user allows."""

    name: str = ""  # the description's name in the ledger
    prune: bool = False  # what the description made earlier and does not state any more goes
    recreate: bool = False
    adopt: bool = False
    allow_disconnect: bool = False
    check: bool = False
    lock_timeout: float = 30.0


DEFAULTS = Options()


class Result(NamedTuple):
    """What was done, or would be done in check mode."""

    changed: bool
    commands: list[str]
    before: dict[str, Any]
    after: dict[str, Any]
    objects: list[dict[str, Any]]
    warnings: list[str]


class Refused(Exception):
    """The description cannot be carried out; nothing has been changed."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class Failed(Exception):
    """The kernel refused; what was done before has been undone, or `left` says what could not be."""

    def __init__(self, error: ApplyError, commands: list[str]) -> None:
        where = f"{error.op.action} {error.op.key}: " if error.op else ""
        super().__init__(f"{where}{error.why}")
        self.rolled_back = error.rolled_back
        self.left = error.left
        self.commands = commands


def run(description: Mapping[str, Any], options: Options = DEFAULTS, fault: Fault = no_fault) -> Result:
    """Bring the host to the description. Refused before anything is changed; Failed after it has been rolled back."""
    _require()
    _raise_descriptor_limit()
    try:
        with locked(options.lock_timeout):
            namespaces = Namespaces()
            collecting = gc.isenabled()
            gc.disable()  # a run makes many objects and no cycles: looking for some is a fifth of its time
            try:
                return _run(description, options, namespaces, fault)
            finally:
                namespaces.close()
                if collecting:
                    gc.enable()
    except Busy as busy:
        what = f"{busy} is still at work after {options.lock_timeout:g} seconds; wait for it, or raise lock_timeout"
        raise Refused([Problem("lock", what)]) from None


def _require() -> None:
    if os.geteuid():
        raise Refused([Problem("privileges", f"root is needed, this is user {os.geteuid()}; say become: true")])
    if nl.PYROUTE2_IMPORT_ERROR:
        raise Refused([Problem("pyroute2", f"version {nl.PYROUTE2_MINIMUM} or newer is needed on this host")])


def _raise_descriptor_limit() -> None:
    """Creating or removing many namespaces holds a descriptor of each until the end."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _run(description: Mapping[str, Any], options: Options, namespaces: Namespaces, fault: Fault) -> Result:
    want = describe(description, namespaces)
    ledger = Ledger()
    ledger.forget_others(namespaces.inode)
    held = [key for key in ledger.keys(options.name) if key not in want.objects]
    pruned = held if options.prune else [key for key in held if key in want.gone]
    scope = Scope([*want.objects, *want.gone, *pruned])
    scope.add(_sources(want))
    scope.add(key for key in ledger.all() if key.kind == "chain" and (key.netns, key.ident[0]) in scope.chains)
    scope.whole = _going_whole(ledger, options.name, pruned, want) & set(namespaces.known().values())
    if scope.whole:
        known = [key for key in ledger.all() if key.netns in scope.netns]  # goes along, maybe
        scope.kinds = _beside(ledger, options.name, pruned, want, scope.whole, known)
    elif any(key.kind in ("link", "netns", "address") for key in (*want.gone, *pruned)):
        scope.kinds |= DUMPED  # what goes with them has to be known as well: better now than in a second look
    transaction = Run(namespaces, scope, fault)
    try:
        have = transaction.look()
        ledger.forget_gone(have)
        transaction.look_beside(have, _followers.of_leaders(want, pruned, have))
        stated_gone = list(want.gone)
        released = _let_go(ledger, options.name, pruned, want, have)
        ledger.warnings += [said for key in stated_gone if (said := _staying(ledger, key, want))]
        problems = [*want.problems, *_missing_tools(want)]
        new_kinds = _new_kinds(want, have)
        if ipip.NAME in new_kinds:
            transaction.expected = (ipip.FALLBACK,)
            have = with_fallbacks(have, transaction.expected)
        ours = released | want.restored
        rules = Rules(options.recreate, options.adopt, lambda key: key in ours or ledger.owns(key))
        have, plan = transaction.prepare(want.objects, want.gone, rules, have)
        problems += plan.problems
        if not options.allow_disconnect:
            problems += _guard.objections(plan.ops, namespaces, have)
        if new_kinds and not problems:  # last of all: asking loads modules, which stay
            problems += probe(namespaces, askable(new_kinds) if options.check else new_kinds)
            if not options.check and transaction.expected:  # they are there now
                transaction.expected = ()
                have, plan = transaction.prepare(want.objects, want.gone, rules, transaction.look())
                problems += plan.problems
        if problems:
            raise Refused(_once(problems))
        if options.check:
            return _result(plan, have, have, want, _once([*ledger.warnings, *have.warnings]))
        _note(ledger, options, plan, have, want)
        return _change(transaction, plan, have, want, ledger)
    finally:
        transaction.close()


def _sources(want: Want) -> list[Key]:
    """The links that come from another namespace, where they still are."""
    movers = [(key, one.fields["move_from"]) for key, one in want.objects.items() if "move_from" in one.fields]
    return [link.key(source, str(key.ident[0])) for key, source in movers]


def _note(ledger: Ledger, options: Options, plan: Plan, have: Have, want: Want) -> None:
    """Into the ledger: what is made, what is changed with what it was before, what is shared, what is adopted."""
    touched = plan.touched()
    created = _created(plan)
    noted: dict[Key, Any] = {}
    for key, one in want.objects.items():
        if key in want.restored:
            continue
        if key in created:
            noted[key] = None
        elif key in touched or ledger.holds(key):
            noted[key] = before_of(one, have)
        elif key.kind == "netns" and options.adopt:
            noted[key] = {}
    ledger.note(options.name, noted, have)
    _followers.note(ledger, want, have)
    ledger.expect(one for key, one in want.objects.items() if key in touched)


def _change(transaction: Run, plan: Plan, have: Have, want: Want, ledger: Ledger) -> Result:
    after = have
    if plan.ops:
        ledger.begin()
        try:
            after = transaction.carry_out(plan, have)
        except ApplyError as error:
            if error.rolled_back:
                ledger.undo()
            raise Failed(error, plan.commands()) from error
        ledger.settle(after, plan.touched())
        ledger.forget_others(transaction.namespaces.inode)
    ledger.save()
    return _result(plan, have, after, want, _once([*ledger.warnings, *after.warnings]))


def _created(plan: Plan) -> set[Key]:
    found: set[Key] = set()
    for op in plan.ops:
        if op.action == "create" and op.key.kind != "sysctl" and not op.have:
            found.add(op.key)
            found.update(other.key for other in op.also)
    return found


def _let_go(ledger: Ledger, name: str, keys: Iterable[Key], want: Want, have: Have) -> set[Key]:
    """What a description held and does not want any more: made by it, it goes; changed by it, it becomes what it was.

    An object that another description holds as well stays as it is. Returns the keys of those that it made.
    """
    made = set()
    held = set(ledger.keys(name))  # what it held and is gone by now, or somebody else's, is not its to let go
    for key in sorted((key for key in keys if key in held), key=_order):
        last, before = ledger.last(name, key)
        entry = ledger.release(name, key)
        if not last or before == {}:
            want.gone.pop(key, None)
        elif before is None:
            if key in have.objects and _marked(have.objects[key]):
                want.gone[key] = None
                made.add(key)
        elif key in have.objects:
            want.gone.pop(key, None)
            want.objects[key] = Object(key, {option: value for option, value in before.items() if value is not None})
            want.restored.add(key)
            if key.kind == "sysctl":
                _followers.put_back(ledger, key, entry, want, have)
    _followers.keep(ledger, want, have)
    for key in [key for key in want.restored if _goes_along(key, want, have)]:
        want.restored.discard(key)
        del want.objects[key]
    return made


def _staying(ledger: Ledger, key: Key, want: Want) -> str:
    """What is to be told of an object that shall go, but stays as another description holds it."""
    others = ledger.holders(key)
    if not others or (key in want.gone and key.kind != "sysctl"):
        return ""
    names = ", ".join(f"the description {name!r}" if name else "what is stated without a name" for name in others)
    return f"{key} stays as it is: {names} holds it"


def _order(key: Key) -> tuple[int, int]:
    """What is in a namespace or on a link that goes, goes with it; a parameter that rewrites others comes before them."""
    return {"netns": 0, "link": 1}.get(key.kind, 2), sysctl.rank(key) if key.kind == "sysctl" else 0


_BESIDE = frozenset({"netns", "sysctl", "chain"})


def _going_whole(ledger: Ledger, name: str, pruned: list[Key], want: Want) -> set[str]:
    """Namespaces that go with all that is in them, so that nobody needs to know what that is: they come back whole.

    Only where nothing is put that could meet what goes along with them at the very end.
    """
    going = {str(key.ident[0]) for key in (*want.gone, *pruned) if key.kind == "netns"}
    going -= {key.ident[0] for key in pruned if key.kind == "netns" and ledger.last(name, key) != (True, None)}
    put = {key for key in pruned if key.netns not in going and ledger.last(name, key)[1]} | want.objects.keys()
    if any(key.kind not in _BESIDE for key in put):
        return set()
    return going - {key.netns for key in put}


def _beside(ledger: Ledger, name: str, pruned: list[Key], want: Want, whole: set[str], known: list[Key]) -> set[str]:
    """The kinds to look for where namespaces go whole: links, and what is neither in such a one nor on a link that goes."""
    going = {key for key in (*want.gone, *pruned) if key in want.gone or ledger.last(name, key) == (True, None)}
    on_links = ("address", "neighbor", "fdb")
    return {"link"} | {
        key.kind
        for key in {*want.objects, *want.gone, *pruned, *known}
        if key.netns not in whole and not (key.kind in on_links and link.key(key.netns, str(key.ident[0])) in going)
    }


def _goes_along(key: Key, want: Want, have: Have) -> bool:
    """Whether an object goes with its namespace or with its interface, and that maybe with its other end or its lower."""
    device = have.objects.get(link.key(key.netns, sysctl.device(key) if key.kind == "sysctl" else ""))
    along = {netns.key(key.netns)}
    if device:
        along |= {device.key, link.key(key.netns, str(device.fields.get("dev")))}
        along |= {link.key(*device.fields["peer"])} if device.fields.get("peer") else set()
    return not along.isdisjoint(want.gone)


def _marked(have: Object) -> bool:
    """A link without the mark came with its namespace, as lo does, or from somebody else."""
    return have.key.kind != "link" or have.fields.get("group") == MARK_GROUP


def _missing_tools(want: Want) -> list[Problem]:
    families = {key.ident[0] for key in want.objects if key.kind == "chain"}
    return [
        Problem("chains", f"{_iptables.TOOLS[family]} is not installed on this host (package iptables)")
        for family in sorted(families)
        if not _iptables.available(family)
    ]


def _new_kinds(want: Want, have: Have) -> set[str]:
    """Kinds that are asked for where the kernel does not show yet that it has them."""
    there = {found.fields["kind"] for found in have.objects.values() if found.key.kind == "link"}
    asked = {one.fields["kind"] for key, one in want.objects.items() if one.fields.get("kind") and key.kind == "link"}
    return {kind for kind in asked if kind in LINK_KINDS and kind not in there}


def _once(said: list[Any]) -> list[Any]:
    return list(dict.fromkeys(said))


# ---- what the user sees -------------------------------------------------------------------------------------------


def _result(plan: Plan, have: Have, after: Have, want: Want, warnings: list[str]) -> Result:
    before, later = _diff(plan, have)
    objects = [_shown(after, key, want) for key in want.objects if key not in want.restored]
    return Result(bool(plan.ops), plan.commands(), before, later, objects, warnings)


def _diff(plan: Plan, have: Have) -> tuple[dict[str, Any], dict[str, Any]]:
    """Before and after, of what changes only, with the options' names."""
    before: dict[str, Any] = {}
    later: dict[str, Any] = {}
    for op in plan.ops:
        for key, fields in ((op.key, op.fields), *((other.key, other.fields) for other in op.also)):
            name, was = str(key), have.objects.get(key)
            if op.action == "delete":
                before[name] = stated(was) if was else {}
                later.setdefault(name, None)
                continue
            words = stated(Object(key, fields))
            if was is None:
                before.setdefault(name, None)
            elif before.get(name) is None:
                before[name] = {}
            later[name] = {**(later.get(name) or {}), **words}
            if before[name] is not None and was is not None and was.fields:
                shown = stated(was)
                before[name].update({option: shown.get(option) for option in words})
    return before, later


def _shown(have: Have, key: Key, want: Want) -> dict[str, Any]:
    """A stated object as it is now, or as it would be."""
    found = record(have.objects.get(key, want.objects[key]))
    shown = {"kind_of_object": key.kind, "netns": key.netns, **found}
    if key.kind == "link":
        shown["ifindex"] = have.index.get(key.netns, {}).get(key.ident[0])
    return shown
