# SPDX-License-Identifier: Apache-2.0
"""Printers of a folded graph as hardware."""
