# SPDX-License-Identifier: Apache-2.0
"""The releases of Vivado the scripts are made for, and what differs between them."""

from dataclasses import dataclass

from qnn_hw.boards import Board


@dataclass(frozen=True, slots=True)
class Release:
    """A release of Vivado."""

    version: str
    """As `version -short` begins: "2024.1"."""
    zynq_ultra_ps_e: str
    """Version of the Zynq UltraScale+ processor in its catalogue; the scripts take whatever there is."""
    pynq: str
    """First two numbers of the PYNQ images whose own designs were made with it; "" for none."""


# docs/vivado.md names the sources. The scripts avoid what differs: they ask the catalogue for versions, look for the
# handoff file in both places, and take SmartConnect, since AXI Interconnect is deprecated. So the table serves to
# refuse a release that nothing is known of, and to warn of an image that is older.
RELEASES = (
    Release("2022.1", "3.4", "3.0"),
    Release("2022.2", "3.4", ""),
    Release("2023.1", "3.5", ""),
    Release("2023.2", "3.5", ""),
    Release("2024.1", "3.5", "3.1"),
    Release("2024.2", "3.5", ""),
    Release("2025.1", "3.5", ""),
    Release("2025.2", "3.5", "4.0"),
    Release("2026.1", "3.5", ""),
)


def newer_than_images(version: str, board: Board) -> str:
    """Return a sentence if Vivado `version` is newer than what every PYNQ image of the board was made with, else "".

    Overlays of a newer Vivado mostly work; where one did not, building it again with the image's release helped.
    """
    images = {release.pynq: release.version for release in RELEASES if release.pynq}
    made_with = [images[image] for known in board.pynq_versions if (image := ".".join(known.split(".")[:2])) in images]
    if not made_with or version[:6] <= max(made_with):
        return ""
    return (
        f"Vivado {version} is newer than {max(made_with)}, with which the newest PYNQ image of this board was made; "
        "if the DMA does not answer on the board, build with that release"
    )
