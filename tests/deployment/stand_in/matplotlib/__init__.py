# SPDX-License-Identifier: Apache-2.0
"""Stands in for matplotlib, which the PYNQ images have and the environments of the tests have not."""
