# SPDX-License-Identifier: Apache-2.0
"""The board somebody names: host, user, and what ssh is told about them."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from qnn_hw.errors import QnnError

# What may stand in a command line without meaning anything else: no dash in front, no space, no slash, no quote.
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,252}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to deploy to.

    Raises:
        QnnError: a field that ssh would take for something else than a name.
    """

    host: str
    """Name, address, or a `Host` of the ssh configuration."""
    user: str | None = None
    """Account on the board; None means that of the ssh configuration, else the images' own, `xilinx`."""
    config: Path | None = None
    """ssh configuration file read instead of ~/.ssh/config; None reads that."""
    connect_timeout_s: int = 10
    """Seconds until a host that does not answer, or says nothing, is given up."""

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise QnnError(f"host {self.host!r}: give a host name or an address alone; the account goes into --user")
        if ":" in self.host and not _is_address(self.host):
            raise QnnError(f"host {self.host!r}: give it without a port; a port is `Port` in the ssh configuration")
        if self.user is not None and not _USER.fullmatch(self.user):
            raise QnnError(f"user {self.user!r}: give the name of an account: letters, digits, '_', '.' and '-'")
        if self.config is not None and not self.config.is_file():
            raise QnnError(f"{self.config}: no such ssh configuration file")
        if self.connect_timeout_s < 1:
            raise QnnError(f"connect_timeout_s is {self.connect_timeout_s}, must be 1 or more")

    @property
    def title(self) -> str:
        """How messages call it: `user@host`, or the host alone."""
        return self.host if self.user is None else f"{self.user}@{self.host}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
