# SPDX-License-Identifier: Apache-2.0
"""RTL printers, one a file, named as the operators."""
