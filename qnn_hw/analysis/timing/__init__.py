# SPDX-License-Identifier: Apache-2.0
"""How every operator behaves in time, one a file, named as the operators; see `qnn_hw.analysis.behaviour`."""
