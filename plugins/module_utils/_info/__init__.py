# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel holds, as records to read: one file for each kind of record. Nothing here changes anything.

A record's fields are named like the options of the module that makes such an object, where there is one; beside them
is what only the kernel says (states, counters, who made it), and `text`, the object in iproute2's own words.
"""
