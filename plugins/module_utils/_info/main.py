# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that only look share: their common options, and the shape of results and failures."""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._module import NETNS, require_pyroute2
from .view import Record, View, collect

COMMON: dict[str, Any] = {**NETNS, "grep": {"type": "str"}}


def main(
    section: str, spec: Mapping[str, Any], read: Callable[[View, dict[str, Any]], Iterable[Record]], **kwargs: Any
) -> None:
    """Run a module that looks into namespaces one by one: the records of `read` are returned as `section`.

    `read` takes a view and the module's parameters, and may raise ValueError for a parameter that cannot be.
    """
    run(section, {**COMMON, **spec}, lambda params: collect(read, params), **kwargs)


def run(
    section: str, spec: Mapping[str, Any], look: Callable[[dict[str, Any]], tuple[Any, list[str]]], **kwargs: Any
) -> None:
    """Run a module that looks: what `look` finds is returned as `section` (as several, if that is empty); beside it
    come warnings."""
    gc.disable()  # a fifth of the time where there are many records, for nothing: a module ends when it has answered
    module = AnsibleModule(argument_spec=dict(spec), supports_check_mode=True, **kwargs)
    require_pyroute2(module)
    try:
        found, warnings = look(module.params)
    except ValueError as error:
        module.fail_json(msg=str(error))
    except PermissionError:
        where = "to look into another network namespace"
        module.fail_json(msg=f"root is needed {where}, this is user {os.geteuid()}; say become: true")
    except OSError as error:
        where = f"network namespace {module.params['netns']}: " if module.params["netns"] else ""
        module.fail_json(msg=f"{where}{error.strerror or error}")
    except Exception as error:
        module.fail_json(msg=f"{type(error).__name__}: {error}", exception=traceback.format_exc())
    else:
        for warning in warnings:
            module.warn(warning)
        module.exit_json(changed=False, **({section: found} if section else found))
