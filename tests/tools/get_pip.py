# SPDX-FileCopyrightText: linuxnet.lab contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for get-pip.py: the pip that Python brings along, then the versions that are asked for."""

import subprocess
import sys

# In processes of their own: ensurepip sets PIP_CONFIG_FILE=/dev/null in its environment.
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
ARGUMENTS = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "-q", "--upgrade", *ARGUMENTS]))
