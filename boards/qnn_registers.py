# SPDX-License-Identifier: Apache-2.0
"""Register offsets (bytes) and bit masks of an accelerator. Generated from boards/registers.toml."""

WINDOW_BYTES = 4096
ID_VALUE = 0x514E4E31
SHELL_VERSION = 1

ID = 0x000  # constant
VERSION = 0x004  # constant
GRAPH_HASH = 0x010  # bits
CONTROL = 0x020  # bits
CONTROL_SOFT_RESET = 1 << 0
STATUS = 0x024  # bits
STATUS_BUSY = 1 << 0
STATUS_IN_RESET = 1 << 1
STATUS_INPUT_STALLED = 1 << 2
STATUS_OUTPUT_STALLED = 1 << 3
ERRORS = 0x028  # bits
ERRORS_TLAST_MID_FRAME = 1 << 0
ERRORS_TKEEP_PARTIAL = 1 << 1
FRAMES_IN = 0x030  # frames
FRAMES_OUT = 0x034  # frames
CYCLES_LOW = 0x040  # clock cycles
CYCLES_HIGH = 0x044  # clock cycles
FRAME_INTERVAL = 0x048  # clock cycles
FIRST_LATENCY = 0x04C  # clock cycles
FIFO_MARKS = 0x100  # high-water mark of FIFO i at FIFO_MARKS + 4 * i
