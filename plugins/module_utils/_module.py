# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules share: the common options, the call of the engine, the shape of results and failures."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

from . import _netlink as nl
from ._engine import Failed, Options, Refused, Result, run

_INTERPRETERS = ["/usr/bin/python3", "/usr/libexec/platform-python"]

COMMON: dict[str, Any] = {
    "recreate": {"type": "bool", "default": False},
    "adopt": {"type": "bool", "default": False},
    "allow_disconnect": {"type": "bool", "default": False},
    "lock_timeout": {"type": "float", "default": 30},
}
STATE: dict[str, Any] = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}
NETNS: dict[str, Any] = {"netns": {"type": "str"}}

Describe = Callable[[dict[str, Any]], Mapping[str, Any]]


def main(
    spec: Mapping[str, Any],
    describe: Describe,
    options: Callable[[dict[str, Any]], Options] | None = None,
    **kwargs: Any,
) -> None:
    """Run a module: its parameters make a description, the engine does the rest."""
    module = AnsibleModule(argument_spec={**spec, **COMMON}, supports_check_mode=True, **kwargs)
    require_pyroute2(module)
    given = {name: value for name, value in module.params.items() if name not in COMMON}
    asked = options(module.params) if options else Options()
    asked = asked._replace(check=module.check_mode, **{name: module.params[name] for name in COMMON})
    try:
        result = run(describe(given), asked)
    except Refused as refused:
        module.fail_json(
            msg=_refusal(refused),
            problems=[dict(problem._asdict()) for problem in refused.problems],
            changed=False,
            commands=[],
        )
    except Failed as failed:
        module.fail_json(
            msg=_failure(failed), changed=not failed.rolled_back, rolled_back=failed.rolled_back, left=failed.left,
            commands=failed.commands,
        )  # fmt: skip
    except Exception as error:
        module.fail_json(msg=f"{type(error).__name__}: {error}", exception=traceback.format_exc(), commands=[])
    else:
        for warning in result.warnings:
            module.warn(warning)
        module.exit_json(**_success(result, module._diff))


def require_pyroute2(module: Any) -> None:
    """pyroute2 in this Python, or in another one of the host (the module starts again there), or a clear failure."""
    if not nl.PYROUTE2_IMPORT_ERROR:
        return
    if not has_respawned():
        interpreter = probe_interpreters_for_module(_INTERPRETERS, "pyroute2")
        if interpreter:
            respawn_module(interpreter)
    reason = nl.PYROUTE2_IMPORT_ERROR.strip().splitlines()[-1]
    module.fail_json(
        msg=missing_required_lib(
            f"pyroute2 >= {nl.PYROUTE2_MINIMUM}",
            reason=f"to talk to the kernel (here: {reason}); the role linuxnet.lab.prepare installs it",
        ),
        exception=nl.PYROUTE2_IMPORT_ERROR,
        changed=False,
        commands=[],
    )


def _refusal(refused: Refused) -> str:
    lines = [str(problem) for problem in refused.problems]
    if len(lines) == 1:
        return f"{lines[0]} (nothing has been changed)"
    return f"{len(lines)} mistakes, nothing has been changed:\n" + "\n".join(f"- {line}" for line in lines)


def _failure(failed: Failed) -> str:
    if failed.rolled_back:
        return f"{failed} (rolled back: all is as it was before)"
    return f"{failed} (NOT rolled back completely: {'; '.join(failed.left)})"


def _success(result: Result, with_diff: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"changed": result.changed, "commands": result.commands, "objects": result.objects}
    if with_diff:
        found["diff"] = {"before": result.before, "after": result.after}
    return found
