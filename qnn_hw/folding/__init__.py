# SPDX-License-Identifier: Apache-2.0
"""How much of each layer works in parallel: legal foldings, the rule that picks one, the file, the folded graph."""

from qnn_hw.folding.apply import fold
from qnn_hw.folding.file import print_folding, read_folding
from qnn_hw.folding.model import Folding, LayerFolding
from qnn_hw.folding.rule import choose_folding

__all__ = ["Folding", "LayerFolding", "choose_folding", "fold", "print_folding", "read_folding"]
