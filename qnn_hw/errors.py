# SPDX-License-Identifier: Apache-2.0
"""The one exception family: every user error is a `QnnError` with one clear sentence."""


class QnnError(Exception):
    """A user error: where, what was found, what is allowed, what to do.

    The command line prints the message alone and exits with status 1; it is never a traceback.
    """


def nearest(name: str, candidates: "list[str] | tuple[str, ...]") -> str:
    """Return `candidates` closest to `name`, comma separated, for the tail of an error message."""
    import difflib

    close = difflib.get_close_matches(name, candidates, n=3, cutoff=0.4)
    return ", ".join(close or sorted(candidates))
