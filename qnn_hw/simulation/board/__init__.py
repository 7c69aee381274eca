# SPDX-License-Identifier: Apache-2.0
"""The simulated board: what a program under PYNQ finds instead of a board.

Runs inside the environment that has pynq, under Python 3.10 to 3.12, without the rest of the package. `site/` activates
it, `device.py` is pynq's device, `dma.py` the AXI DMA, `memory.py` the DDR, `clocks.py` the processor's registers,
`faults.py` what can be made to go wrong, `rtl.py` the accelerator itself. See docs/simulated_board.md.
"""
