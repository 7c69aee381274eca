# SPDX-License-Identifier: Apache-2.0
"""hls4ml's own tests, from its source distribution, with and without our bridge: the same tests pass and fail.

The wheel has no tests; pip fetches the source distribution of the installed version. Two of the four files cannot run
beside Keras 3 (`test_binary_cnn.py` imports QKeras, `test_batchnorm_pytorch.py` torch): their errors while they are
collected are results like any other. Of the rest, those of the backend Vitis run, but for one that compiles for a
quarter of their time: 40 of 188, some minutes for each of the two runs on two idle cores.
"""

import importlib.metadata
import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

FILES = ("test_binary_cnn.py", "test_batchnorm.py", "test_batchnorm_pytorch.py", "test_keras_v3_api.py")
SELECTION = "Vitis and not (depthwise2d and io_parallel)"

_WITHOUT_BRIDGE = '''
"""A pytest plugin: hide the entry point of the bridge from hls4ml."""
import importlib.metadata

_entry_points = importlib.metadata.entry_points


class _Others:
    def select(self, **conditions):
        return [e for e in _entry_points(**conditions) if not e.value.startswith("qnn_hw.")]


importlib.metadata.entry_points = lambda **conditions: _entry_points(**conditions) if conditions else _Others()
'''

_REPORT_BRIDGE = '''
"""A pytest plugin: write down whether the bridge is registered."""
import os
from pathlib import Path


def pytest_sessionfinish(session):
    from hls4ml.model.layers import layer_map

    Path(os.environ["BRIDGE_REPORT"]).write_text(str("QnnMatvec" in layer_map))
'''


@pytest.fixture(scope="module")
def own_tests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder test/pytest of the source distribution of the installed version."""
    folder = tmp_path_factory.mktemp("hls4ml")
    version = importlib.metadata.version("hls4ml")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "hls4ml"]
    fetched = subprocess.run(
        [*command, "--dest", str(folder), f"hls4ml=={version}"], capture_output=True, text=True, timeout=600
    )
    if fetched.returncode:
        pytest.skip(f"pip has no source distribution of hls4ml {version}: {fetched.stderr.strip().splitlines()[-1]}")
    with tarfile.open(folder / f"hls4ml-{version}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / f"hls4ml-{version}" / "test" / "pytest"


def _outcomes(folder: Path, work: Path, with_bridge: bool) -> dict[str, str]:
    """Run the tests; test -> passed, failed, error or skipped."""
    work.mkdir()
    (work / "without_bridge.py").write_text(_WITHOUT_BRIDGE)
    (work / "report_bridge.py").write_text(_REPORT_BRIDGE)
    environment = {**os.environ, "BRIDGE_REPORT": str(work / "registered"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONPATH"] = os.pathsep.join((str(work), os.getcwd()))
    for name in ("HLS4ML_BACKEND_PLUGINS", "TF_USE_LEGACY_KERAS"):
        environment.pop(name, None)
    if with_bridge:
        environment["HLS4ML_BACKEND_PLUGINS"] = "qnn_hw.hls4ml_bridge"
    plugins = ["-p", "report_bridge", *([] if with_bridge else ["-p", "without_bridge"])]
    options = ["-q", "--continue-on-collection-errors", "-k", SELECTION, f"--junit-xml={work / 'results.xml'}"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugins, *options, *FILES]
    log = (work / "log").open("w")
    subprocess.run(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, timeout=3600)
    assert (work / "registered").read_text() == str(with_bridge), f"see {log.name}"
    outcomes = {}
    for case in ElementTree.parse(work / "results.xml").iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        outcomes[f"{case.get('classname')}::{case.get('name')}"] = kinds[0] if kinds else "passed"
    return outcomes


def test_own_tests_of_hls4ml_end_the_same_with_and_without_the_bridge(own_tests: Path, tmp_path: Path) -> None:
    without = _outcomes(own_tests, tmp_path / "without", with_bridge=False)
    with_bridge = _outcomes(own_tests, tmp_path / "with", with_bridge=True)
    assert sum(outcome == "passed" for outcome in without.values()) >= 30, without
    names = sorted({*without, *with_bridge})
    different = [(n, without.get(n), with_bridge.get(n)) for n in names if without.get(n) != with_bridge.get(n)]
    assert not different, f"(test, without, with): {different}"
