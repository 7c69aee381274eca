# SPDX-License-Identifier: Apache-2.0
"""What goes to the board beside the bitstream: block design, driver, its facts, notebook."""
