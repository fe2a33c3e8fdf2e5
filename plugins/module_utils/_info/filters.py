# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: what a user asks for, in the words that records use."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, Union

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def taken(params: Mapping[str, Any], option: str, parse: Callable[[Any], Any], default: Any = None) -> Any:
    """The value of an option, parsed; ValueError names the option."""
    if params[option] is None:
        return default
    try:
        return parse(params[option])
    except ValueError as error:
        raise ValueError(f"option {option}: {error}") from None


def network(value: Any) -> Network:
    """A network; an address alone is a network of one."""
    try:
        return ipaddress.ip_network(str(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is not a network ({error})") from None


def word_of(numbers: Mapping[str, int]) -> Callable[[int], str | int]:
    """From a number to its name; one without a name stands for itself."""
    names = {number: name for name, number in numbers.items()}
    return lambda number: names.get(number, number)
