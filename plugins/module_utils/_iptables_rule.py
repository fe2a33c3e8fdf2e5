# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of one rule of iptables <-> its parts: conditions, matches with their options, the target with its own.

read() and render() know the grammar of iptables (iptables/xshared.c: command_default, do_parse) and the quoting of
iptables-save (libxtables/xtables.c: xtables_save_string). What means the same is said by _iptables_same.py.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from ._iptables_options import MATCHES, PROTOCOL_MATCHES, QUOTED, STRINGS, TARGETS

# long names of what every rule can have: the short name that iptables-save prints
_LONG = {
    "--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d", "--protocol": "-p", "--proto": "-p",
    "--in-interface": "-i", "--out-interface": "-o", "--fragment": "-f", "--fragments": "-f", "--jump": "-j",
    "--goto": "-g", "--match": "-m",
}  # fmt: skip
_SHORT = {"-s": 1, "-d": 1, "-p": 1, "-i": 1, "-o": 1, "-f": 0, "-j": 1, "-g": 1, "-m": 1}
_ALIASES = {
    "source-port": "sport", "destination-port": "dport", "source-ports": "sports", "destination-ports": "dports",
}  # fmt: skip
_NEGATABLE = frozenset({"-s", "-d", "-p", "-i", "-o", "-f"})
_OPTION = re.compile(r"-{1,2}[a-zA-Z]")
_PLAIN = re.compile(r"[-_0-9a-zA-Z]+")  # xtables_save_string leaves these as they are
_BARE = re.compile(r"[^\s\"'\\]+")
# nearly all of what iptables-save prints: words without any quotes, and "..." that stands alone
_UNQUOTED = re.compile(r"[^\"']*(?:\s|\Z)")
_ALONE = re.compile(r'"([^"\\]*)"(?=\s|\Z)')


class Option(NamedTuple):
    """`! --ctstate NEW` is Option("ctstate", ("NEW",), True); a condition of the rule itself is called `-s`."""

    name: str
    values: tuple[str, ...] = ()
    negated: bool = False


class Extension(NamedTuple):
    """A match or a target, with its options as they were written."""

    name: str
    options: tuple[Option, ...] = ()


class Rule(NamedTuple):
    """One rule. Matches are in the order in which the kernel asks them."""

    conditions: tuple[Option, ...]
    matches: tuple[Extension, ...]
    target: Extension | None = None
    goto: bool = False


def words(text: str) -> list[str]:
    """A line's words. "..." holds blanks, and a backslash in it takes the next character as it is; '...' as in a shell.

    ValueError for a quotation that does not end.
    """
    if '"' not in text and "'" not in text:
        return text.split()
    found: list[str] = []
    at = 0
    while at < len(text):
        if run := _UNQUOTED.match(text, at):
            found += run[0].split()
            at = run.end()
        elif alone := _ALONE.match(text, at):
            found.append(alone[1])
            at = alone.end()
        else:
            word, at = _word(text, at)
            found.append(word)
    return found


def _word(text: str, at: int) -> tuple[str, int]:
    """One word of any kind, and where it ends."""
    found, fresh = [], True  # fresh: at the word's start, or right behind a quotation
    while at < len(text) and not text[at].isspace():
        if text[at] == '"':
            piece, at = _quoted(text, at + 1)
            fresh = True
        elif text[at] == "'" and fresh:  # elsewhere it is an apostrophe
            close = text.find("'", at + 1)
            if close < 0:
                raise ValueError("no closing quotation")
            piece, at = text[at + 1 : close], close + 1
        else:
            piece, at = text[at], at + 1
            fresh = False
        found.append(piece)
    return "".join(found), at


def _quoted(text: str, at: int) -> tuple[str, int]:
    found: list[str] = []
    while at < len(text):
        if text[at] == '"':
            return "".join(found), at + 1
        if text[at] == "\\":
            at += 1
        found.append(text[at : at + 1])
        at += 1
    raise ValueError("no closing quotation")


class _Reader:
    """Takes a rule's words one after the other."""

    def __init__(self, given: list[str]) -> None:
        self.words = given
        self.at = 0
        self.conditions: list[Option] = []
        self.matches: list[tuple[str, list[Option]]] = []
        self.target: tuple[str, list[Option]] | None = None
        self.goto = False

    def read(self) -> Rule:
        negated = False
        while self.at < len(self.words):
            word = self.words[self.at]
            self.at += 1
            if word == "!":
                if negated:
                    raise ValueError("! stands before another !")
                negated = True
                continue
            if not _OPTION.match(word):
                raise ValueError(f"{word!r} is not an option")
            self._option(word, negated)
            negated = False
        if negated:
            raise ValueError("! stands before nothing")
        target = Extension(self.target[0], tuple(self.target[1])) if self.target else None
        matches = tuple(Extension(name, tuple(options)) for name, options in self.matches)
        return Rule(tuple(self.conditions), matches, target, self.goto)

    def _option(self, word: str, negated: bool) -> None:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            if equals:  # getopt_long: --dport=80
                self.words.insert(self.at, value)
            short = _LONG.get(name)
            if short is None or self._is_of_extension(name[2:]):
                self._of_extension(name[2:], negated)
                return
        else:
            short = word[:2]
            if len(word) > 2:  # getopt: -ptcp
                self.words.insert(self.at, word[2:])
        if short not in _SHORT:
            raise ValueError(f"{word} has no place in a rule, which is stated without `-t TABLE` and `-A CHAIN`")
        values, negated = self._values(short, _SHORT[short], negated)
        if negated and short not in _NEGATABLE:
            raise ValueError(f"! stands before {word}")
        if short == "-m":
            self.matches.append((values[0], []))
        elif short in ("-j", "-g"):
            if self.target:
                raise ValueError("two targets")
            self.target = (values[0], [])
            self.goto = short == "-g"
        else:
            if any(known.name == short for known in self.conditions):
                raise ValueError(f"{short} is there twice")
            self.conditions.append(Option(short, values, negated))

    def _values(self, name: str, arity: int, negated: bool) -> tuple[tuple[str, ...], bool]:
        if arity and name not in STRINGS and self.words[self.at : self.at + 1] == ["!"]:
            self.at += 1  # the old place of a negation: `-o ! eth0`
            negated = not negated
        values = tuple(self.words[self.at : self.at + arity])
        if len(values) < arity:
            raise ValueError(f"{name if name[:1] == '-' else '--' + name} wants a value")
        self.at += arity
        return values, negated

    def _is_of_extension(self, name: str) -> bool:
        """Whether a match has the option by just this name: `-m policy --proto` is not `--protocol`."""
        return any(name in MATCHES.get(match, ()) for match, _options in self.matches)

    def _of_extension(self, name: str, negated: bool) -> None:
        """An option of a match or of the target: the one that was named last and has such an option."""
        options, full, arity = self._owner(name)
        if arity < 0:  # an extension that is not known here: its values are what is no option
            first = self.at
            while self.at < len(self.words) and not _OPTION.match(self.words[self.at]) and self.words[self.at] != "!":
                self.at += 1
            values = tuple(self.words[first : self.at])
        else:
            values, negated = self._values(full, arity, negated)
        options.append(Option(full, values, negated))

    def _named(self) -> Iterator[tuple[list[Option], Mapping[str, int] | None]]:
        """The target and the matches, the last one first: their options, and which they can have."""
        if self.target:
            yield self.target[1], TARGETS.get(self.target[0])
        for match, options in reversed(self.matches):
            yield options, MATCHES.get(match)

    def _owner(self, name: str) -> tuple[list[Option], str, int]:
        full = _ALIASES.get(name, name)
        for options, table in self._named():
            if table and full in table:
                return options, full, table[full]
        asked = list(self._named())
        implied = self._implied()
        if implied and (full in MATCHES[implied] or len(_abbreviated(name, MATCHES[implied])) == 1):
            self.matches.append((implied, []))
            asked.insert(0, (self.matches[-1][1], MATCHES[implied]))
        for options, table in asked:
            found = [full] if table and full in table else _abbreviated(name, table or ())
            if table and len(found) == 1:
                return options, found[0], table[found[0]]
        unknown = [options for options, table in asked if table is None]
        if not unknown:
            raise ValueError(f"--{name} belongs to no match or target of this rule")
        return unknown[0], name, -1

    def _implied(self) -> str:
        """The match that `-p tcp` brings along, if it is not there yet."""
        for option in self.conditions:
            if option.name == "-p" and not option.negated:
                match = PROTOCOL_MATCHES.get(option.values[0].lower(), "")
                return "" if any(name == match for name, _options in self.matches) else match
        return ""


def _abbreviated(name: str, table: Iterable[str]) -> list[str]:
    return [option for option in table if option.startswith(name)]


def read(text: str) -> Rule:
    """A rule's parts, from its text without `-A CHAIN`. ValueError says what is wrong with it."""
    return _Reader(words(text)).read()


def save_quoted(option: str, value: str) -> str:
    """A value as iptables-save quotes it."""
    if option not in QUOTED and (_PLAIN if option in STRINGS else _BARE).fullmatch(value):
        return value
    return '"' + re.sub(r"([\"'\\])", r"\\\1", value) + '"'


def shell_quoted(_option: str, value: str) -> str:
    """A value as a person types it in a shell."""
    quoted = shlex.quote(value)
    return quoted if quoted == value or re.search(r"[\"$`\\!]", value) else f'"{value}"'


def render(rule: Rule, quoted: Callable[[str, str], str] = save_quoted) -> str:
    """The text of a rule, as iptables-save writes it and iptables-restore reads it."""

    def of(options: Iterable[Option]) -> Iterator[str]:
        for name, values, negated in options:
            if negated:
                yield "!"
            yield name if name[0] == "-" else f"--{name}"
            for value in values:
                yield quoted(name, value)

    found = [*of(rule.conditions)]
    for match in rule.matches:
        found += ["-m", match.name, *of(match.options)]
    if rule.target:
        found += ["-g" if rule.goto else "-j", rule.target.name, *of(rule.target.options)]
    return " ".join(found)


def in_shell(text: str) -> str:
    """A rule's text as a person types it."""
    return render(read(text), shell_quoted) if '"' in text or "!" in text else text
