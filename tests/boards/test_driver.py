# SPDX-License-Identifier: Apache-2.0
"""The driver: its functions against slow obvious ones, its files, its command line, all of it on the simulated board.

The driver under test is always the composed file, as it travels. What needs pynq runs in `driver_checks.py`, a program
in the environment with pynq; here each of its checks is a test.
"""

import ast
import hashlib
import importlib.util
import json
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qnn_hw.ir.packing
from qnn_hw.backends.board import driver_text
from qnn_hw.backends.board.design import block_design
from qnn_hw.backends.board.hwh import bit_header, hwh_text
from qnn_hw.backends.folder import read_manifest
from qnn_hw.boards import list_boards, load_board
from qnn_hw.ir import ConstRef, DataType, TensorType
from qnn_hw.ir.ops.classifier import Classifier
from qnn_hw.simulation.board_run import simulated_board, write_board_folder
from tests.boards.driver_nets import driver_net

CHECKS = Path(__file__).with_name("driver_checks.py")
CHECK_NAMES = [
    node.name.removeprefix("check_")
    for node in ast.parse(CHECKS.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
]
ON_BOARDS = [
    pytest.param(("pictures", "pynq-z2", "3.1.2"), id="pictures-z2-3.1.2"),
    pytest.param(("bits", "pynq-z2", "3.1.2"), id="bits-z2-3.1.2"),
    pytest.param(("bits", "pynq-z1", "3.0.1"), id="bits-z1-3.0.1", marks=pytest.mark.slow),
    pytest.param(("pictures", "kv260", "3.0.1"), id="pictures-kv260-3.0.1", marks=pytest.mark.slow),
    pytest.param(("bits", "zcu104", "3.1.2"), id="bits-zcu104-3.1.2", marks=pytest.mark.slow),
    pytest.param(("pictures", "zcu104", "4.0.0"), id="pictures-zcu104-4.0.0", marks=pytest.mark.slow),
    pytest.param(("bits", "zcu104", "4.0.0"), id="bits-zcu104-4.0.0", marks=pytest.mark.slow),
]


def load(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("qnn_driver_under_test", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    path = tmp_path_factory.mktemp("driver") / "qnn_driver.py"
    path.write_text(driver_text(), encoding="utf-8")
    return load(path)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return driver_net("pictures", "pynq-z2").write(tmp_path_factory.mktemp("build") / "pictures")


@pytest.fixture
def deployed(build: Path, tmp_path: Path) -> Path:
    """A board folder with the pair of the simulated board, to be damaged."""
    manifest, board = read_manifest(build), load_board(build / "board.toml")
    write_board_folder(build, tmp_path / "board", block_design(manifest, board), board)
    return tmp_path / "board"


def facts_of(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("random-????????.json")
    return json.loads(path.read_text(encoding="utf-8"))


# the file


def test_composed_file_is_python_3_10_and_imports_numpy_and_pynq_alone() -> None:
    tree = ast.parse(driver_text(), feature_version=(3, 10))
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add((node.module or "").split(".")[0])
    assert modules - sys.stdlib_module_names == {"numpy", "pynq", "PIL"}
    late = {"pynq", "PIL"}
    top = {a.name.split(".")[0] for node in tree.body if isinstance(node, ast.Import) for a in node.names}
    assert not top & late, "pynq and Pillow are imported where they are needed, not with the driver"


def test_composed_file_needs_no_types_with_parameters_of_numpy(tmp_path: Path) -> None:
    """NumPy 1.21, on the images of pynq 3, says of `np.integer[Any]`: 'type' object is not subscriptable."""
    (tmp_path / "qnn_driver.py").write_text(driver_text(), encoding="utf-8")
    script = """
import sys, types, numpy, numpy.typing
old = types.ModuleType("numpy")
old.__dict__.update(vars(numpy))
for name in ("ndarray", "dtype", "number", "integer", "signedinteger", "unsignedinteger", "floating"):
    setattr(old, name, type(name, (), {}))
sys.modules["numpy"] = old
import qnn_driver
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_composed_file_carries_the_sources_it_was_made_of() -> None:
    text = driver_text()
    packing = Path(qnn_hw.ir.packing.__file__).read_text(encoding="utf-8")
    for name in ("pack_frames", "unpack_words", "to_bits"):
        node = next(n for n in ast.parse(packing).body if isinstance(n, ast.FunctionDef) and n.name == name)
        assert ast.get_source_segment(packing, node) in text, f"{name} is not the one of ir/packing.py"
    assert "words_to_hex" not in text, "carries more of ir/packing.py than it uses"
    assert "from qnn_registers" not in text and "from qnn_hw" not in text
    assert driver_text() == text


def test_composed_file_is_the_same_for_every_build(build: Path) -> None:
    assert (build / "board" / "qnn_driver.py").read_text(encoding="utf-8") == driver_text()


def test_constants_are_those_of_the_register_map(driver: ModuleType) -> None:
    registers = load(Path(__file__).parents[2] / "boards" / "qnn_registers.py")
    for name in ("ID", "ID_VALUE", "GRAPH_HASH", "CONTROL", "FRAMES_OUT", "STATUS_OUTPUT_STALLED", "FIRST_LATENCY"):
        assert getattr(driver, name) == getattr(registers, name), name


# samples and results


@given(st.data(), st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from([64, 128]), st.integers(0, 3), st.integers(1, 70))
@settings(deadline=None, max_examples=60)
def test_packing_is_bit_by_bit(
    driver: ModuleType, data: st.DataObject, bits: int, beat_bits: int, frames: int, elements: int
) -> None:
    signed = data.draw(st.booleans())
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    kind = data.draw(st.sampled_from([np.int64, np.int32] + ([np.uint8] if not signed and bits <= 8 else [])))
    codes = np.array(
        data.draw(st.lists(st.integers(low, high), min_size=frames * elements, max_size=frames * elements)), kind
    ).reshape(frames, elements)
    expected = []
    for row in codes.tolist():
        number = sum((code % (1 << bits)) << (i * bits) for i, code in enumerate(row))
        beats = -(-elements * bits // beat_bits)
        expected.append(list(number.to_bytes(beats * beat_bits // 8, "little")))
    packed = driver.pack_frames(codes, bits, beat_bits)
    assert packed.tolist() == expected
    out = np.zeros((frames, driver.frame_bytes(elements, bits, beat_bits)), np.uint8)
    assert driver.pack_frames(codes, bits, beat_bits, out=out) is out
    assert out.tolist() == expected


@given(st.integers(0, 5000), st.integers(1, 700))
def test_a_batch_is_cut_into_whole_transfers(driver: ModuleType, count: int, at_most: int) -> None:
    chunks = driver.split(count, at_most)
    assert [frame for first, last in chunks for frame in range(first, last)] == list(range(count))
    assert all(0 < last - first <= at_most for first, last in chunks)


@given(st.integers(1, 1 << 27), st.integers(1, 1 << 20))
def test_a_transfer_fits_the_length_register_in_both_directions(
    driver: ModuleType, bytes_in: int, bytes_out: int
) -> None:
    limit = (1 << 26) - 1
    longest = max(bytes_in, bytes_out)
    if longest > limit:
        with pytest.raises(driver.InputError, match="is longer than a transfer of 67108863 bytes"):
            driver.frames_a_transfer(bytes_in, bytes_out, limit)
        return
    chosen = driver.frames_a_transfer(bytes_in, bytes_out, limit)
    assert chosen >= 1 and chosen * longest <= max(longest, driver.BULK_BYTES)
    most = limit // longest
    assert driver.frames_a_transfer(bytes_in, bytes_out, limit, most) == most
    for wrong in (0, -1, most + 1, most - 0.5, float("nan")):
        with pytest.raises(driver.InputError, match=f"frames_per_transfer={wrong}: choose 1..{most}"):
            driver.frames_a_transfer(bytes_in, bytes_out, limit, wrong)


@pytest.mark.parametrize(("elements", "frames"), [(1, 10082), (104, 10082), (784, 1337), (1 << 21, 1)])
def test_a_transfer_has_no_more_elements_than_bytes(driver: ModuleType, elements: int, frames: int) -> None:
    """1-bit elements: eight times the samples in a buffer, with arithmetic of ten bytes for each."""
    assert driver.frames_a_transfer(104, 8, (1 << 26) - 1, elements=elements) == frames
    assert driver.frames_a_transfer(104, 8, (1 << 26) - 1, 20000, elements) == 20000, "a wish is a wish"


@pytest.mark.parametrize(
    ("shape", "given_shape", "expected"),
    [
        ((8, 8, 1), (3, 8, 8, 1), (3, 8, 8, 1)),
        ((8, 8, 1), (8, 8, 1), (1, 8, 8, 1)),
        ((8, 8, 1), (8, 8), (1, 8, 8, 1)),
        ((8, 8, 1), (8, 8, 8), (8, 8, 8, 1)),
        ((8, 8, 1), (0, 8, 8, 1), (0, 8, 8, 1)),
        ((70,), (70,), (1, 70)),
        ((70,), (2, 70), (2, 70)),
        ((1,), (5,), (5, 1)),
    ],
    ids=str,
)
def test_shapes_of_samples(
    driver: ModuleType, shape: tuple[int, ...], given_shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert driver.check_samples(np.zeros(given_shape, np.uint8), shape, "u8").shape == expected


@pytest.mark.parametrize(
    ("x", "shape", "dtype", "message"),
    [
        (
            np.zeros((2, 7, 8)),
            (8, 8, 1),
            "u8",
            r"samples: their shape is \(2, 7, 8\); the network takes \(N, 8, 8, 1\)",
        ),
        (np.zeros((2, 64), np.uint8), (8, 8, 1), "u8", r"samples: their shape is \(2, 64\); the network takes"),
        ([[1, 2], [3]], (2,), "u8", "samples: (no array of one shape|their values are object)"),
        (np.array(["a"]), (1,), "u8", "samples: their values are <U1; give the raw u8 samples"),
        (np.array([[0.5, 1]]), (2,), "u8", "samples: not integers; give the raw u8 samples, before any scaling"),
        (np.array([[np.nan, 1]]), (2,), "u8", "samples: not integers"),
        (np.array([[2.0**32, 1]]), (2,), "u8", "samples: not integers"),
        (np.array([[256, 1]]), (2,), "u8", r"samples: values 1..256, the network takes u8 \(0..255\); give the raw"),
        (np.array([[-1, 1]], np.int8), (2,), "u8", r"samples: values -1..1, the network takes u8"),
        (np.array([[16, 0]], np.uint8), (2,), "u4", r"samples: values 0..16, the network takes u4 \(0..15\)"),
        (np.array([[-17, 0]]), (2,), "i5", r"samples: values -17..0, the network takes i5 \(-16..15\)"),
        (np.array([[-1, 0]]), (2,), "b1", r"samples: values -1..0, the network takes b1 \(-1 or \+1\)"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("samples") else "",
)
def test_samples_the_network_does_not_take(
    driver: ModuleType, x: Any, shape: tuple[int, ...], dtype: str, message: str
) -> None:
    with pytest.raises(driver.InputError, match=message) as caught:
        driver.check_samples(x, shape, dtype)
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, driver.DriverError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.int8, np.int64, np.uint64, np.float32])
def test_any_type_of_numbers_is_taken(driver: ModuleType, kind: Any) -> None:
    values = driver.check_samples(np.array([[0, 1, 1]], kind), (3,), "u8")
    assert values.tolist() == [[0, 1, 1]] and values.dtype.kind in "iu"


@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None)
def test_the_class_of_logits_is_the_classifiers(driver: ModuleType, classes: int, seed: int, ranks: bool) -> None:
    rng = np.random.default_rng(seed)
    words = rng.integers(-20, 21, (30, classes)).astype(np.int32)
    if ranks:
        table = rng.integers(0, 9, (classes, 41))  # many ties
        scores = {"slopes": [], "biases": [], "ranks": table.tolist(), "first": -20}
        op = classifier(classes, ranks=ConstRef("ranks"), first=-20)
        constants = {"ranks": table}
    else:
        slopes, biases = rng.integers(-3, 4, classes), rng.integers(-5, 6, classes) * 2**31
        scores = {"slopes": slopes.tolist(), "biases": biases.tolist(), "ranks": [], "first": 0}
        op = classifier(classes, slopes=ConstRef("slopes"), biases=ConstRef("biases"))
        constants = {"slopes": slopes, "biases": biases}
    kind = TensorType((classes,), DataType(8, signed=True))
    expected = op.execute((words.astype(np.int64),), (kind,), constants)[:, 0]
    found = driver.classes_of(words, classes, driver.scores_of({"output": "logits", "scores": scores}))
    assert found.dtype == np.int64 and found.tolist() == expected.tolist()


def classifier(classes: int, **constants: Any) -> Classifier:
    return Classifier(name="c", layer="c", inputs=("x",), outputs=("y",), **constants)


def test_words_that_are_no_result(driver: ModuleType) -> None:
    with pytest.raises(
        driver.ResultError, match=r"frame 1: the accelerator delivered 10, classes are 0..9; the caches"
    ):
        driver.classes_of(np.array([[9], [10]], np.int32), 10, None)
    scores = driver.scores_of(
        {"output": "logits", "scores": {"slopes": [], "biases": [], "ranks": [[0, 1], [1, 0]], "first": 4}}
    )
    with pytest.raises(
        driver.ResultError, match=r"frame 0: the accelerator delivered \[4, 6\], accumulators are 4..5;"
    ):
        driver.classes_of(np.array([[4, 6]], np.int32), 2, scores)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("first", "kind"), [(0, np.uint8), (0, np.uint64), (-8, np.int8), (-8, np.int64)])
def test_the_hosts_quantizer_is_a_look_up(driver: ModuleType, rows: int, first: int, kind: Any) -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(-1, 2, (rows, 16))
    samples = rng.integers(first, first + 16, (5, 4, 3)).astype(kind)
    found = driver.to_codes(samples, False, driver.host_table({"first": first, "codes": codes.tolist()}))
    expected = [[[codes[c % rows][v - first] for c, v in enumerate(p)] for p in row] for row in samples.tolist()]
    assert found.tolist() == expected


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int64, np.uint64])
@pytest.mark.parametrize(("first", "last"), [(0, 15), (0, 255), (-8, 7), (-1, 1)], ids=["u4", "u8", "i4", "b1"])
def test_a_quantizer_of_one_step_is_a_comparison(driver: ModuleType, first: int, last: int, kind: Any) -> None:
    """Each channel its own step or none, rising or falling; the same as the table says."""
    values = np.arange(max(first, np.iinfo(kind).min), min(last, np.iinfo(kind).max) + 1).astype(kind)
    every = np.arange(first, last + 1)
    rows = [(every >= step) ^ falling for step in (first, first + 1, 0, last, last + 1) for falling in (False, True)]
    for chosen in [[row] for row in rows] + [rows]:
        table = driver.host_table({"first": first, "codes": np.array(chosen, int).tolist()})
        assert table.steps.size == len(chosen), "looked up where a comparison does"
        samples = np.broadcast_to(values[:, None, None], (len(values), 3, len(chosen)))
        expected = [[[int(row[int(v) - first]) for row in chosen]] * 3 for v in values]
        found = driver.to_codes(samples, False, table)
        assert found.dtype == np.uint8 and found.tolist() == expected
    for row in ([0, 1, 0], [0, 2, 2], [-1, 0, 0]):
        assert not driver.host_table({"first": 0, "codes": [row]}).steps.size, row


def test_bipolar_samples_travel_as_bits(driver: ModuleType) -> None:
    assert driver.to_codes(np.array([[-1, 1]]), True, None).tolist() == [[0, 1]]
    assert driver.host_table(None) is None


# pictures


def obvious_sample(picture: np.ndarray, height: int, width: int, channels: int) -> list[list[list[int]]]:
    """The same by definition: exact fractions, pixel by pixel."""
    rows, columns = picture.shape[:2]
    kept_rows = max(1, min(rows, columns * height // width))
    kept_columns = max(1, min(columns, rows * width // height))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2

    def value(y: int, x: int, c: int) -> int:
        pixel = [int(v) for v in np.atleast_1d(picture[top + y, left + x])]
        if len(pixel) == 4:
            alpha = pixel[3]
            pixel = [half_up(Fraction(v * alpha + 255 * (255 - alpha), 255)) for v in pixel[:3]]
        if len(pixel) == 3 and channels == 1:
            return half_up(Fraction(299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2], 1000))
        return pixel[c] if len(pixel) == 3 else pixel[0]

    def share(i: int, pixel: int, size_in: int, size_out: int) -> Fraction:
        low, high = Fraction(i * size_in, size_out), Fraction((i + 1) * size_in, size_out)
        return max(Fraction(0), min(high, Fraction(pixel + 1)) - max(low, Fraction(pixel)))

    sample = []
    for i in range(height):
        line = []
        for j in range(width):
            total = [Fraction(0)] * channels
            for y in range(kept_rows):
                for x in range(kept_columns):
                    weight = share(i, y, kept_rows, height) * share(j, x, kept_columns, width)
                    if weight:
                        total = [t + weight * value(y, x, c) for c, t in enumerate(total)]
            area = Fraction(kept_rows, height) * Fraction(kept_columns, width)
            line.append([half_up(t / area) for t in total])
        sample.append(line)
    return sample


def half_up(value: Fraction) -> int:
    return int((value + Fraction(1, 2)).__floor__())


@given(
    *(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)),
    *(st.sampled_from([0, 1, 3, 4]), st.sampled_from([1, 3]), st.integers(0, 2**32 - 1)),
)
@settings(deadline=None, max_examples=60)
def test_a_picture_becomes_a_sample_as_defined(
    driver: ModuleType, rows: int, columns: int, height: int, width: int, depth: int, channels: int, seed: int
) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (rows, columns, depth) if depth else (rows, columns))
    picture = picture.astype(np.uint8)
    found = driver.picture_to_sample(picture, height, width, channels)
    assert found.dtype == np.uint8
    assert found.tolist() == obvious_sample(picture, height, width, channels)
    negative = driver.picture_to_sample(picture, height, width, channels, invert=True)
    assert np.array_equal(negative, 255 - found)


def test_a_picture_of_the_right_size_stays(driver: ModuleType) -> None:
    picture = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    assert np.array_equal(driver.picture_to_sample(picture, 8, 8, 3), picture)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((4, 4)), "picture: its values are float64; give 8-bit grey levels"),
        (np.zeros((4, 4, 2), np.uint8), r"picture: its shape is \(4, 4, 2\); give"),
        (np.zeros((0, 4), np.uint8), r"picture: its shape is \(0, 4, 1\); give"),
        (np.zeros(4, np.uint8), r"picture: its shape is \(4,\); give"),
    ],
    ids=["floats", "two-channels", "empty", "a-line"],
)
def test_what_is_no_picture(driver: ModuleType, picture: np.ndarray, message: str) -> None:
    with pytest.raises(driver.InputError, match=message):
        driver.picture_to_sample(picture, 4, 4, 1)


def test_a_photograph_takes_little_more_memory_than_itself(driver: ModuleType) -> None:
    """A board has 512 MiB, 12 million pixels of four colours in 32-bit numbers are 192 MB."""
    picture = np.random.default_rng(1).integers(0, 256, (900, 1200, 4)).astype(np.uint8)
    tracemalloc.start()
    try:
        found = driver.picture_to_sample(picture, 28, 28, 1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * picture.nbytes, f"{peak} bytes for a picture of {picture.nbytes}"
    alpha = picture[..., 3:].astype(np.int64)
    over = (picture[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    assert np.array_equal(found, driver.picture_to_sample(over.astype(np.uint8), 28, 28, 1))


def test_pictures_from_files(driver: ModuleType, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    grey = np.random.default_rng(1).integers(0, 256, (6, 9)).astype(np.uint8)
    image.fromarray(grey).save(tmp_path / "grey.png")
    pixels = driver._read_picture(tmp_path / "grey.png")
    assert np.array_equal(driver.picture_to_sample(pixels, 3, 3, 1), driver.picture_to_sample(grey, 3, 3, 1))
    assert np.array_equal(driver._read_picture(image.fromarray(grey)), grey)
    (tmp_path / "text.png").write_text("no picture")
    for name in ("text.png", "none.png"):
        with pytest.raises(driver.InputError, match=f"picture .*{name}: cannot be read"):
            driver._read_picture(tmp_path / name)


def test_without_pillow(driver: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(driver.InputError, match=r"reading it needs Pillow; give a NumPy array \(H, W, 3\)"):
        driver._read_picture(tmp_path / "seven.png")

    class Image:
        """What counts of a Pillow image."""

        mode = "P"

        def convert(self, mode: str) -> np.ndarray:
            assert mode == "RGBA"
            return np.full((2, 2, 4), 7, np.uint8)

    assert driver._read_picture(Image()).shape == (2, 2, 4), "an image that is there needs no import"
    Image.mode = "I;16"
    with pytest.raises(driver.InputError, match="picture: its values are of Pillow's mode I;16; give 8-bit grey"):
        driver._read_picture(Image())


# files, before pynq is needed


def test_the_pair_is_taken(driver: ModuleType, deployed: Path) -> None:
    facts = driver.read_facts(deployed)
    assert facts == facts_of(deployed)
    assert driver.read_implementation(deployed, facts)["tool"] == "simulated board"


def test_results_written_beside_the_files_are_no_build(driver: ModuleType, deployed: Path) -> None:
    (deployed / "a-b.json").write_text("{}")
    (deployed / "my-list.json").write_text("[]")
    (deployed / "cut-off.json").write_text("")
    (deployed / "a-0123abcd.json").write_text(json.dumps({"stem": "another", "graph_hash": "0"}))
    assert driver.read_facts(deployed) == facts_of(deployed)


def test_no_facts(driver: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(driver.FilesError, match=r"no facts of an accelerator \(<name>-<hash>.json\) here"):
        driver.read_facts(tmp_path)


def test_two_builds_in_one_folder(driver: ModuleType, deployed: Path) -> None:
    facts = {**facts_of(deployed), "stem": "other-00000000"}
    (deployed / "other-00000000.json").write_text(json.dumps(facts))
    with pytest.raises(driver.FilesError, match=r"more than one build here .*other-00000000"):
        driver.read_facts(deployed)


def test_facts_of_another_schema(driver: ModuleType, deployed: Path) -> None:
    facts = facts_of(deployed)
    (deployed / f"{facts['stem']}.json").write_text(json.dumps({**facts, "schema": 2}))
    with pytest.raises(driver.FilesError, match="facts of schema 2, this driver reads 1; build again"):
        driver.read_facts(deployed)


def test_damaged_facts(driver: ModuleType, deployed: Path) -> None:
    facts = facts_of(deployed)
    for text in ("{", "[]"):
        (deployed / f"{facts['stem']}.json").write_text(text)
        with pytest.raises(driver.FilesError, match=r"damaged \(.*\); copy the board folder again"):
            driver.read_facts(deployed)


def test_facts_that_lack_something(driver: ModuleType, deployed: Path) -> None:
    facts = facts_of(deployed)
    del facts["memory"], facts["scores"]
    (deployed / f"{facts['stem']}.json").write_text(json.dumps(facts))
    with pytest.raises(driver.FilesError, match=f"the facts of {facts['stem']} lack memory, scores; build again"):
        driver.read_facts(deployed)


@pytest.mark.parametrize("changes", [{"schema": 2}, {"clock_mhz": None}], ids=str)
def test_damaged_word_of_the_implementation(driver: ModuleType, deployed: Path, changes: dict[str, object]) -> None:
    change_implementation(deployed, **changes)
    with pytest.raises(driver.FilesError, match=r"implementation.json: damaged, or of another schema; run Vivado"):
        driver.read_implementation(deployed, facts_of(deployed))


@pytest.mark.parametrize(("ending", "what"), [("bit", "the bitstream"), ("hwh", "the hardware handoff file")])
def test_half_a_pair(driver: ModuleType, deployed: Path, ending: str, what: str) -> None:
    facts = facts_of(deployed)
    (deployed / f"{facts['stem']}.{ending}").unlink()
    with pytest.raises(driver.FilesError, match=f"{facts['stem']}.{ending}: {what} is missing in .*qnn-hw synth"):
        driver.read_implementation(deployed, facts)


@pytest.mark.parametrize("ending", ["bit", "hwh"])
def test_a_pair_of_two_builds(driver: ModuleType, deployed: Path, ending: str) -> None:
    facts = facts_of(deployed)
    path = deployed / f"{facts['stem']}.{ending}"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(driver.PairMismatch, match=rf"\.{ending}: its SHA-256 is [0-9a-f]{{16}}\.\.\., .* says"):
        driver.read_implementation(deployed, facts)


def change_implementation(folder: Path, **changes: object) -> None:
    (path,) = folder.glob("*.implementation.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_bitstream_of_another_graph(driver: ModuleType, deployed: Path) -> None:
    change_implementation(deployed, graph_hash="0" * 32)
    with pytest.raises(driver.PairMismatch, match=r"the bitstream was made for graph 0{32}, this is"):
        driver.read_implementation(deployed, facts_of(deployed))


def test_timing_not_met(driver: ModuleType, deployed: Path) -> None:
    change_implementation(deployed, wns_ns=-0.1)
    with pytest.raises(driver.FilesError, match=r"its timing was not met \(slack -0.1 ns\); build for a slower clock"):
        driver.read_implementation(deployed, facts_of(deployed))


def test_a_bitstream_for_another_part(driver: ModuleType, build: Path, deployed: Path) -> None:
    facts = facts_of(deployed)
    path = deployed / f"{facts['stem']}.bit"
    path.write_bytes(path.read_bytes().replace(b"7z020clg400", b"7z010clg400"))
    change_implementation(deployed, bit_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(driver.WrongPart, match=r"its header says 7z010clg400, .*the build is for xc7z020clg400-1"):
        driver.read_implementation(deployed, facts)


def test_a_file_that_is_no_bitstream(driver: ModuleType, deployed: Path) -> None:
    facts = facts_of(deployed)
    path = deployed / f"{facts['stem']}.bit"
    path.write_bytes(b"nothing of the kind")
    change_implementation(deployed, bit_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(driver.FilesError, match=r"no bitstream \(its header names no part\)"):
        driver.read_implementation(deployed, facts)


@pytest.mark.parametrize("board", list_boards(), ids=lambda board: board.name)
def test_every_board_has_its_part_in_its_bitstream(driver: ModuleType, build: Path, tmp_path: Path, board: Any) -> None:
    manifest = {**read_manifest(build), "dma_width_bits": board.dma_width_bits, "clock_mhz": board.clock_mhz}
    (tmp_path / "x.bit").write_bytes(bit_header(block_design(manifest, board)))
    assert driver._same_part(driver.bitstream_part(tmp_path / "x.bit"), board.part)
    for other in list_boards():
        if other.part != board.part:
            assert not driver._same_part(driver.bitstream_part(tmp_path / "x.bit"), other.part), other.name


@pytest.mark.parametrize(
    ("version", "family", "allowed", "message"),
    [
        ("3.0.1", "zynq-7000", ["3.0.1", "3.1.2"], ""),
        ("3.1.0", "zynq-7000", ["3.0.1", "3.1.2"], ""),
        ("4.0.0", "zynq-ultrascale+", ["4.0.0"], ""),
        (
            "4.0.0",
            "zynq-7000",
            ["3.1.2"],
            "pynq 4.0.0 does not drive the Zynq-7000 of the Board any more; use image 3.1.2",
        ),
        (
            "2.7.0",
            "zynq-7000",
            ["3.0.1", "3.1.2"],
            "pynq 2.7.0 is not known to drive the Board; use the image of 3.0.1 or",
        ),
        ("4.0.0", "zynq-ultrascale+", ["3.0.1"], "pynq 4.0.0 is not known to drive the Board; use the image of 3.0.1"),
    ],
)
def test_releases_of_pynq(driver: ModuleType, version: str, family: str, allowed: list[str], message: str) -> None:
    facts = {"pynq_versions": allowed, "family": family, "board_title": "Board"}
    if not message:
        driver.check_pynq(version, facts)
        return
    with pytest.raises(driver.PynqError) as caught:
        driver.check_pynq(version, facts)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("tool", "version", "warns"),
    [
        ("Vivado 2024.1", "3.1.2", False),
        ("Vivado v2024.2 (64-bit)", "3.1.2", True),
        ("Vivado 2022.1", "3.0.1", False),
        ("Vivado 2025.2", "4.0.0", False),
        ("Vivado 2026.1", "4.0.0", True),
        ("simulated board", "3.1.2", False),
        ("Vivado 2026.1", "5.0.0", False),
    ],
)
def test_a_newer_vivado_is_told(driver: ModuleType, tool: str, version: str, warns: bool) -> None:
    assert bool(driver.newer_vivado(tool, version)) is warns


class Device:
    """What counts of pynq's device."""

    def __init__(self, name: str = "", remote: bool = False) -> None:
        self.name, self.remote = name, remote

    def has_capability(self, name: str) -> bool:
        return self.remote and name == "REMOTE"


BOARD_FACTS = {"pynq_board": "Pynq-Z2", "part": "xc7z020clg400-1"}


@pytest.mark.parametrize("name", ["Pynq-Z2", "PYNQ-Z2\0", "Unknown", ""])
def test_the_right_board(driver: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    driver._check_board(Device(name, remote=True), BOARD_FACTS)
    driver._check_board(Device("whatever pynq calls a device on the board"), BOARD_FACTS)
    (tmp_path / "pynq_board").write_text(name)
    monkeypatch.setattr(driver, "_BOARD_FILE", tmp_path / "pynq_board")
    driver._check_board(Device(), BOARD_FACTS)


def test_another_board(driver: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    message = r"this board is a ZCU104, the bitstream is for a Pynq-Z2 \(xc7z020clg400-1\); deploy another"
    with pytest.raises(driver.WrongPart, match=message):
        driver._check_board(Device("ZCU104", remote=True), BOARD_FACTS)
    (tmp_path / "pynq_board").write_text("ZCU104\0")
    monkeypatch.setattr(driver, "_BOARD_FILE", tmp_path / "pynq_board")
    with pytest.raises(driver.WrongPart, match=message):
        driver._check_board(Device(), BOARD_FACTS)


DESIGN_FACTS = {
    "dma": "axi_dma_0",
    "accelerator": "qnn_0",
    "control": {"base": 0x4000_0000, "size": 0x4000_0000},
    "dma_length_bits": 26,
    "dma_width_bits": 64,
}


def ip_dict() -> dict[str, dict[str, Any]]:
    parameters = {"c_include_sg": "0", "c_sg_length_width": "26"}
    parameters |= {f"c_m_axi_{way}_data_width": "64" for way in ("mm2s", "s2mm")}
    return {
        "axi_dma_0": {"phys_addr": 0x4040_0000, "addr_range": 0x1_0000, "parameters": parameters},
        "qnn_0": {"phys_addr": 0x43C0_0000, "addr_range": 0x1000, "parameters": {}},
    }


def test_a_design_as_it_should_be(driver: ModuleType) -> None:
    driver.check_design(ip_dict(), DESIGN_FACTS)


@pytest.mark.parametrize(
    ("cell", "key", "value", "message"),
    [
        ("qnn_0", "phys_addr", 0x1000, r"qnn_0 is at 4096 \(4096 bytes\), outside 0x40000000..0x7fffffff"),
        ("qnn_0", "phys_addr", 0x7FFF_F800, "qnn_0 is at .*, outside"),
        ("qnn_0", "phys_addr", None, "qnn_0 is at None .*, outside"),
        ("qnn_0", "addr_range", 64, "qnn_0 is at .*, outside"),
        ("axi_dma_0", "phys_addr", 0x43C0_0000, "axi_dma_0 and qnn_0 share addresses at 0x43c00000"),
        ("axi_dma_0", "c_sg_length_width", "14", "axi_dma_0 has c_sg_length_width = 14, this driver needs 26"),
        ("axi_dma_0", "c_include_sg", "1", "axi_dma_0 has c_include_sg = 1, this driver needs 0"),
        (
            "axi_dma_0",
            "c_m_axi_s2mm_data_width",
            "32",
            "axi_dma_0 has c_m_axi_s2mm_data_width = 32, this driver needs 64",
        ),
    ],
)
def test_a_design_that_differs(driver: ModuleType, cell: str, key: str, value: object, message: str) -> None:
    found = ip_dict()
    (found[cell]["parameters"] if key.startswith("c_") else found[cell])[key] = value
    with pytest.raises(driver.DesignMismatch, match=message):
        driver.check_design(found, DESIGN_FACTS)


def test_a_design_without_the_accelerator(driver: ModuleType) -> None:
    found = ip_dict()
    del found["qnn_0"]
    with pytest.raises(driver.DesignMismatch, match=r"the design has no qnn_0, only axi_dma_0; is the .hwh old\?"):
        driver.check_design(found, DESIGN_FACTS)


def test_the_drivers_design_is_the_one_written(driver: ModuleType, build: Path) -> None:
    """The parameters it asks for stand in the handoff file, in pynq's spelling."""
    board = load_board(build / "board.toml")
    text = hwh_text(block_design(read_manifest(build), board), board).lower()
    for name in ("c_include_sg", "c_sg_length_width", "c_m_axi_mm2s_data_width", "c_m_axi_s2mm_data_width"):
        assert f'name="{name}"' in text, name


# command line, where no pynq is


@pytest.fixture
def without_pynq(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "pynq", None)
    yield


@pytest.mark.usefixtures("without_pynq")
def test_an_error_is_one_sentence_and_a_kind_in_the_json(
    driver: ModuleType, deployed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = tmp_path / "answer.json"
    assert driver.main(["validate", "--folder", str(deployed), "--json", str(answer)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: pynq cannot be imported (") and err.count("\n") == 1
    found = json.loads(answer.read_text())
    assert found == {"error": {"kind": "PynqError", "message": err.removeprefix("error: ").strip()}}


def test_a_defect_stands_in_the_json_too(driver: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path) -> None:
        raise KeyError("stem")

    monkeypatch.setattr(driver, "read_facts", broken)
    answer = tmp_path / "answer.json"
    with pytest.raises(KeyError):
        driver.main(["validate", "--json", str(answer)])
    assert json.loads(answer.read_text()) == {"error": {"kind": "KeyError", "message": "'stem'"}}


def test_nohup_is_respected(driver: ModuleType) -> None:
    kept = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with driver._stopped_in_order():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert callable(signal.getsignal(signal.SIGTERM))
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, kept)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dance"], "error: argument command: invalid choice: 'dance'"),
        (["validate", "--frames", "0"], "error: --frames 0: give at least 1"),
        (["validate", "--timeout", "0"], "error: timeout_s=0.0: give seconds above 0"),
        (["validate", "--folder", "/nowhere"], "error: /nowhere: no facts of an accelerator"),
    ],
    ids=["command", "frames", "timeout", "folder"],
)
def test_a_wrong_command_line(
    driver: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    answer = tmp_path / "answer.json"
    assert driver.main([*arguments, "--json", str(answer)]) == 1
    assert capsys.readouterr().err.startswith(message)
    assert json.loads(answer.read_text())["error"]["kind"] in ("InputError", "FilesError")


# on the simulated board


@pytest.fixture(scope="module", params=ON_BOARDS)
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What the program `driver_checks.py` found, a line a check; it runs once a network, board and release of pynq."""
    name, board, version = request.param
    path = tmp_path_factory.mktemp("on_board")
    made = driver_net(name, board).write(path / "build")
    with simulated_board(made, version=version) as simulated:
        done = simulated.run([str(CHECKS), str(simulated.folder), str(path / "answers.json")], timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((path / "answers.json").read_text())


@pytest.mark.parametrize("check", CHECK_NAMES)
def test_on_the_simulated_board(answers: dict[str, str | None], check: str) -> None:
    failure = answers[f"check_{check}"]
    assert failure is None, failure


def test_command_line_on_the_simulated_board(build: Path) -> None:
    with simulated_board(build, version="3.1.2") as board:
        arguments = ["qnn_driver.py", "validate", "--json", "answer.json", "--timeout", "20"]
        done = board.run(arguments, timeout_s=120)
        found = json.loads((board.folder / "answer.json").read_text())
        assert done.returncode == 0, done.stdout + done.stderr
        assert (found["frames"], found["equal"], found["bit_exact"], found["keras_equal"]) == (50, 50, True, None)
        assert (found["clock_mhz"], found["pynq"], found["part"]) == (100.0, "3.1.2", "xc7z020clg400-1")
        assert {"p50", "p99"} <= found["latency_ms"].keys() and found["tool"] == "simulated board"

        # One golden word changed: exit status 2, and where.
        golden = board.folder / f"{found['stem']}.golden.npz"
        with np.load(golden) as file:
            arrays = {key: file[key] for key in file.files}
        arrays["result"][7, 0] += 1
        np.savez(golden, **arrays)
        done = board.run(arguments, timeout_s=120)
        changed = json.loads((board.folder / "answer.json").read_text())
        assert done.returncode == 2, done.stdout + done.stderr
        assert (changed["equal"], changed["bit_exact"]) == (49, False)
        got = int(arrays["result"][7, 0])
        assert changed["first_difference"] == {"frame": 7, "word": 0, "expected": got, "got": got - 1}

        # The golden file gone.
        golden.unlink()
        done = board.run(arguments, timeout_s=120)
        assert done.returncode == 1 and done.stderr.strip().endswith("; copy the whole folder"), done.stderr
        assert board.run(["qnn_driver.py", "throughput", "--frames", "90"], timeout_s=120).returncode == 0
        assert board.run(["qnn_driver.py", "latency", "--frames", "2"], timeout_s=120).returncode == 0


@pytest.mark.slow
def test_zynq_7000_under_pynq_4_is_refused(build: Path) -> None:
    with simulated_board(build, version="4.0.0") as board:
        done = board.run(["qnn_driver.py", "validate"], timeout_s=120)
    assert done.returncode == 1
    message = "error: pynq 4.0.0 does not drive the Zynq-7000 of the TUL PYNQ-Z2 any more; use image 3.1.2"
    assert done.stderr.strip() == message
