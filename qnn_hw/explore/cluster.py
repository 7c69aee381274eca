# SPDX-License-Identifier: Apache-2.0
"""The Dask cluster a sweep runs on: processes of its own, closed again, or the workers of a scheduler."""

import asyncio
import importlib
import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qnn_hw.errors import QnnError

SCHEDULER_TIMEOUT_S = 10.0
"""How long a scheduler may take to answer, and to have a first worker."""

CLOSING_TIMEOUT_S = 5.0

_ADDRESS = re.compile(r"(tcp|tls|ws|wss)://(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):(\d{1,5})/?")


def check_address(address: str) -> None:
    """Raise QnnError unless `address` looks like a scheduler's."""
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[3]) < 65536:
        raise QnnError(
            f"--scheduler {address}: no address of a scheduler; give one such as tcp://host:8786, as "
            "`dask scheduler` prints it"
        )


@contextmanager
def connected(scheduler: str | None, workers: int, timeout_s: float = SCHEDULER_TIMEOUT_S) -> Iterator[Any]:
    """Yield a `distributed.Client` of the scheduler at an address, or of `workers` processes that end with it.

    Raises:
        QnnError: for an address that is none, or a scheduler that does not answer or has no workers.
    """
    with _quiet():
        if scheduler is None:
            yield from _local(workers)
        else:
            yield from _remote(scheduler, timeout_s)


def _local(workers: int) -> Iterator[Any]:
    distributed = _distributed()
    with tempfile.TemporaryDirectory(prefix="qnn-hw-", ignore_cleanup_errors=True) as scratch:
        cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=None,  # a share of the machine each would pause workers that do no harm
            silence_logs=logging.CRITICAL,
            local_directory=scratch,
            preload="qnn_hw.explore.quiet_worker",
        )
        try:
            with distributed.Client(cluster, set_as_default=False) as client:
                yield client
        finally:
            cluster.close(timeout=CLOSING_TIMEOUT_S)


def _remote(address: str, timeout_s: float) -> Iterator[Any]:
    distributed = _distributed()
    check_address(address)
    try:
        # A client waits for ever for a server that takes the connection and says nothing.
        asyncio.run(asyncio.wait_for(_asked_who_it_is(address), timeout_s))
        client = distributed.Client(address, timeout=timeout_s, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise QnnError(
            f"--scheduler {address}: does not answer within {timeout_s:g} s ({reason}); start it with `dask scheduler` "
            "or leave --scheduler out; what is finished stays finished"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=timeout_s)
        except TimeoutError:
            raise QnnError(
                f"--scheduler {address}: answers, but has no workers after {timeout_s:g} s; start some with "
                f"`dask worker {address}`"
            ) from None
        yield client


async def _asked_who_it_is(address: str) -> None:
    distributed = _distributed()
    arguments = distributed.Security().get_connection_args("client")
    async with distributed.rpc(address, connection_args=arguments) as server:
        await server.identity()


def _distributed() -> Any:
    """Import Dask, late and without its types: it declares none for what is called here."""
    return importlib.import_module("distributed")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own remarks on lost workers and closed connections from standing between ours."""
    _distributed()  # when it is imported it gives each of these a level of its own
    names = ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio")
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
