# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection made or changed on this host, by the description that asked for it.

Most objects carry a mark in the kernel. Some cannot (a namespace, a parameter), and nothing in the kernel knows what a
value was before, or which description an object belongs to. That is kept here, in /run: it ends, as the objects do,
with the next boot. The ledger is written before the first change (what comes, and what goes as well) and after the
last, so that a killed run can be cleaned up after.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TextIO

from ._model import MARKS, Key, Object
from ._snapshot import Have

FOLDER = "/run/linuxnet.lab"
_LOCK = f"{FOLDER}/lock"
_POLL = 0.05
_Entries = dict[str, dict[Key, dict[str, Any]]]


class Busy(Exception):
    """Another run holds the lock."""


@contextmanager
def locked(timeout: float) -> Iterator[None]:
    """One run at a time on a host; waits up to timeout seconds. Busy if it is still held then.

    The last one takes the file and the folder along, if nothing else is noted there.
    """
    until = time.monotonic() + timeout
    while (file := _held(until)) is None:
        time.sleep(_POLL)
    with file:
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            if os.listdir(FOLDER) == ["lock"]:
                os.unlink(_LOCK)
                with suppress(OSError):  # the next run is making its own
                    os.rmdir(FOLDER)


def _held(until: float) -> TextIO | None:
    """The lock's file, held; None as long as another run has it, or has taken it along meanwhile."""
    with suppress(FileExistsError):  # makedirs(exist_ok=True) fails where another run removes it meanwhile
        os.makedirs(FOLDER, mode=0o755)
    with ExitStack() as stack, suppress(FileNotFoundError):
        file = stack.enter_context(open(_LOCK, "a+", encoding="utf-8"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() < until:
                return None
            file.seek(0)
            raise Busy(f"another run of linuxnet.lab on this host (PID {file.read().strip() or 'unknown'})") from None
        if os.path.samestat(os.fstat(file.fileno()), os.stat(_LOCK)):
            stack.pop_all()
            return file
    return None


class Ledger:
    """{description: {key: what was before}}; before is None for what was made, else the fields that were changed.

    An entry also holds the inode of its namespace (and, for a namespace, its own), and the mark that the object
    shows: another one of the same name is somebody else's. None outlives its object.
    """

    def __init__(self) -> None:
        self.path = f"{FOLDER}/ledger.json"
        self.entries: _Entries = {}
        self.stored = "{}"
        self.warnings: list[str] = []
        with suppress(FileNotFoundError), open(self.path, encoding="utf-8", errors="replace") as file:
            self.stored = file.read()
        try:
            self.entries = _parse(self.stored)
        except (ValueError, TypeError, AttributeError, KeyError):
            self.warnings.append(
                f"{self.path} could not be read and is begun anew: what was made before stays until it is stated absent"
            )
        self.earlier = {name: dict(held) for name, held in self.entries.items()}

    def begin(self) -> None:
        """Before the first change: what is noted now and what was noted before, as either may be there meanwhile."""
        names = {**self.earlier, **self.entries}
        both = {name: {**self.earlier.get(name, {}), **self.entries.get(name, {})} for name in names}
        if both != self.earlier:
            self._write(both)

    def save(self) -> None:
        """After the last change."""
        self._write(self.entries)

    def undo(self) -> None:
        """All is as before."""
        self._write(self.earlier)

    def _write(self, entries: _Entries) -> None:
        """Write it as a whole, if it changed."""
        text = json.dumps(
            {name: [(*key, entry) for key, entry in held.items()] for name, held in entries.items() if held}
        )
        if text == self.stored:
            return
        if text == "{}":
            with suppress(FileNotFoundError):
                os.unlink(self.path)
        else:
            temporary = f"{self.path}.{os.getpid()}"
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, self.path)
        self.stored = text

    def forget_others(self, inode_of: Callable[[str], int | None]) -> None:
        """Drop entries about namespaces that are gone, or others of the same name by now."""
        inodes: dict[str, int | None] = {}
        for held in self.entries.values():
            for key in list(held):
                where = str(key.ident[0]) if key.kind == "netns" else key.netns
                if where not in inodes:
                    inodes[where] = inode_of(where)
                if inodes[where] is None or held[key].get("inode") not in (None, inodes[where]):
                    del held[key]

    def forget_gone(self, have: Have) -> None:
        """Drop entries about objects that a look does not find any more, or finds without the mark that they had."""
        for held in self.entries.values():
            for key in [
                key for key, entry in held.items() if have.gone(key) or _anothers(entry, have.objects.get(key))
            ]:
                del held[key]

    def owns(self, key: Key) -> bool:
        """Whether any description made this object, or adopted it (for what has no mark: a namespace, a chain)."""
        entries = [held[key] for held in self.entries.values() if key in held]
        return any(entry["before"] is None or key.kind in ("netns", "chain") for entry in entries)

    def holds(self, key: Key) -> bool:
        """Whether any description made or changed this object."""
        return any(key in held for held in self.entries.values())

    def holders(self, key: Key) -> list[str]:
        """The descriptions that made or changed this object."""
        return [name for name, held in self.entries.items() if key in held]

    def entry(self, key: Key) -> dict[str, Any]:
        """What is noted about an object; what it was before is the same for all that hold it."""
        return next((held[key] for held in self.entries.values() if key in held), {})

    def all(self) -> list[Key]:
        """What all descriptions hold."""
        return [key for held in self.entries.values() for key in held]

    def keys(self, name: str) -> list[Key]:
        """What a description holds."""
        return list(self.entries.get(name, ()))

    def note(self, name: str, made: Mapping[Key, dict[str, Any] | None], have: Have) -> None:
        """A description makes (None) or changes (the fields before) these objects; the first note counts."""
        held = self.entries.setdefault(name, {})
        for key, before in made.items():
            if key in held:
                continue
            others = [entries[key] for entries in self.entries.values() if key in entries]
            # another description was here first: what was before it is what was before
            entry: dict[str, Any] = dict(others[0]) if others else {"before": before}
            where = str(key.ident[0]) if key.kind == "netns" else key.netns
            entry["inode"] = have.inodes.get(where)
            held[key] = entry

    def expect(self, objects: Iterable[Object]) -> None:
        """These are about to be put: where a mark is stated, it is what they will show."""
        stated = [one for one in objects if one.key.kind in MARKS and MARKS[one.key.kind][0] in one.fields]
        self.update({one.key: _shown(one) for one in stated})

    def settle(self, have: Have, touched: Iterable[Key]) -> None:
        """After the ops: put in the inodes of namespaces that are new, and the marks that are shown; drop what is gone."""
        for held in self.entries.values():
            for key in list(held):
                where = str(key.ident[0]) if key.kind == "netns" else key.netns
                if where in have.inodes:
                    held[key] = {**held[key], "inode": have.inodes[where]}
        self.update({key: _shown(have.objects[key]) for key in touched if key.kind in MARKS and key in have.objects})
        self.forget_gone(have)

    def update(self, news: Mapping[Key, dict[str, Any]]) -> None:
        """Put news into all entries about these objects; what was read at the start stays as it was."""
        for held in self.entries.values():
            for key in news.keys() & held.keys():
                held[key] = {**held[key], **news[key]}

    def last(self, name: str, key: Key) -> tuple[bool, Any]:
        """Whether a description is the only one that holds an object, and what was before."""
        entry = self.entries.get(name, {}).get(key)
        others = [other for other, held in self.entries.items() if other != name and key in held]
        return (not others, entry["before"]) if entry else (False, None)

    def release(self, name: str, key: Key) -> dict[str, Any]:
        """A description lets go of an object: its entry."""
        return self.entries[name].pop(key)


def _parse(text: str) -> dict[str, dict[Key, dict[str, Any]]]:
    """The entries of a stored ledger. ValueError, TypeError, AttributeError or KeyError if it is none."""
    return {
        name: {
            Key(kind, where, tuple(ident)): {"inode": None, **entry, "before": entry["before"]}
            for kind, where, ident, entry in held
        }
        for name, held in json.loads(text).items()
    }


def _shown(one: Object) -> dict[str, Any]:
    """The mark of an object, for its entry. Kernels before 5.18 show none of an address."""
    return {"mark": one.fields.get(MARKS[one.key.kind][0])}


def _anothers(entry: dict[str, Any], have: Object | None) -> bool:
    """Whether what the kernel holds is not what was made, but something that somebody made in its place."""
    if entry["before"] is not None or have is None or have.key.kind not in MARKS:
        return False
    return bool({"mark": MARKS[have.key.kind][1], **entry}["mark"] != _shown(have)["mark"])


def before_of(one: Object, have: Have) -> dict[str, Any] | None:
    """What a stated object was before: None if it was not there, else its stated fields as they were."""
    found = have.objects.get(one.key)
    if found is None:
        return None
    return {option: found.fields.get(option) for option in one.fields if option in found.fields}
