# SPDX-License-Identifier: Apache-2.0
"""`qnn-hw train`: what it writes, that it goes on after an interruption, and every refusal as one sentence."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qnn_hw import train as command
from tests.cli.session import ROOT, Outcome, python, run

QUICK = ("--dataset", "digits", "--batch-size", "719")


def trained(*arguments: Any) -> Outcome:
    """Run a training that must end well; the lines that tell its progress are left out of stderr."""
    outcome = without_progress(run("train", *arguments))
    assert outcome.code == 0, outcome.err
    return outcome


def without_progress(outcome: Outcome) -> Outcome:
    told = ("qnn-hw: reading ", "qnn-hw: digits_mlp: epoch ", "qnn-hw: sfc: epoch ")
    lines = [line for line in outcome.err.splitlines(keepends=True) if not line.startswith(told)]
    return Outcome(outcome.code, outcome.out, "".join(lines))


def refused(*arguments: Any) -> str:
    """Run a training that must be refused with one sentence; return it without the program's name."""
    outcome = without_progress(run("train", *arguments))
    assert outcome.code == 1, f"exit status {outcome.code}\n{outcome.out}\n{outcome.err}"
    assert outcome.out == ""
    return outcome.message.removeprefix("qnn-hw: ")


def weights(file: Path) -> list[np.ndarray]:
    from qnn_hw.frontends.keras import load_model

    return load_model(file).get_weights()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def three_epochs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Model file of a short training, and the facts it told."""
    file = tmp_path_factory.mktemp("trained") / "deep" / "net.keras"
    outcome = trained(*QUICK, "--epochs", 3, "--seed", 4, "--out", file, "--json")
    assert outcome.err == ""
    return file, json.loads(outcome.out)


def test_facts_and_model(three_epochs: tuple[Path, Any]) -> None:
    from qnn_hw.datasets import load
    from qnn_hw.frontends.keras import load_model

    file, facts = three_epochs
    assert names(file.parent) == ["net.keras"], "the checkpoint or a half-written file was left"
    assert facts["written"] == str(file)
    expected = {"model": "digits_mlp", "dataset": "digits", "optimizer": "adam", "seed": 4, "test_images": 359}
    assert {key: facts[key] for key in expected} == expected
    assert (facts["epochs"], facts["batch_size"], facts["learning_rate"]) == (3, 719, 0.01)
    assert len(facts["loss"]) == len(facts["train_accuracy"]) == 3
    model, digits = load_model(file), load("digits")
    right = np.argmax(model.predict(digits.x_test, verbose=0), axis=1) == digits.y_test
    assert facts["test_accuracy"] == np.mean(right)
    assert getattr(model, "optimizer", None) is None, "the file also holds the optimizer's state"


def test_an_interrupted_training_goes_on_with_the_same_result(
    three_epochs: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qnn_hw.zoo import checkpoint

    save = checkpoint.save

    def save_and_interrupt(*arguments: Any) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    arguments = (*QUICK, "--epochs", 3, "--seed", 4, "--out", tmp_path / "net.keras")
    monkeypatch.setattr(checkpoint, "save", save_and_interrupt)
    outcome = without_progress(run("train", *arguments))
    kept = tmp_path / "net.checkpoint.npz"
    assert outcome.code == 130
    assert outcome.err.startswith(f"qnn-hw: {kept} holds the state; the same command with --resume goes on\n")
    assert names(tmp_path) == ["net.checkpoint.npz"]
    monkeypatch.undo()

    assert refused(*arguments) == (
        f"{kept}: an interrupted training is kept there; go on with --resume, or delete it to start afresh"
    )
    assert refused(*QUICK, "--epochs", 5, "--seed", 4, "--out", tmp_path / "net.keras", "--resume") == (
        f"{kept}: was made with epochs=3, now it is epochs=5; repeat the training as it was started, or delete the "
        "file to start afresh."
    )
    assert trained(*arguments, "--resume").out.splitlines()[1] == f"written: {tmp_path / 'net.keras'}"
    assert names(tmp_path) == ["net.keras"]
    file, _ = three_epochs
    for i, (straight, resumed) in enumerate(zip(weights(file), weights(tmp_path / "net.keras"), strict=True)):
        assert np.array_equal(straight, resumed), f"weight {i}: largest gap {np.abs(straight - resumed).max()}"


def test_bop_and_a_teacher(three_epochs: tuple[Path, Any], tmp_path: Path) -> None:
    file, _ = three_epochs
    out = tmp_path / "student.keras"
    outcome = trained(*QUICK, "--epochs", 2, "--optimizer", "bop", "--distill", file, "--out", out)
    assert outcome.out.startswith("digits_mlp on digits: ")
    assert outcome.out.splitlines()[0].split(" of ")[1].startswith("359 test images, 2 epochs, ")
    kernels = [value for value in weights(out) if value.ndim == 2]
    assert all(set(np.unique(kernel)) == {-1.0, 1.0} for kernel in kernels)


def test_from_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "m.npz", x_train=images, y_train=np.arange(30) % 10, x_test=images[:10], y_test=np.arange(10))
    arguments = ("--dataset", "fashion-mnist", "--data", tmp_path / "m.npz", "--epochs", 1)
    outcome = trained(*arguments, "--out", tmp_path / "net.keras")
    assert outcome.out.startswith("sfc on fashion-mnist: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--dataset", "minst"),
            'dataset "minst" is unknown; nearest: mnist, fashion-mnist; allowed are digits, mnist, '
            "fashion-mnist, cifar10.",
        ),
        (
            ("--dataset", "digits", "--model", "digit_mlp"),
            "--model digit_mlp: no such network; nearest: digits_mlp, digits_cnn; there are digits_mlp, digits_cnn, "
            "sfc, cnv",
        ),
        (
            ("--dataset", "digits", "--model", "cnv"),
            "--model cnv: takes the images of cifar10, not of digits; for these there are digits_mlp, digits_cnn",
        ),
        (
            ("--dataset", "mnist", "--data", "none.npz"),
            'dataset "mnist": no file or folder none.npz; give an .npz file with the arrays x_train, y_train, x_test, '
            "y_test, or the folder of the four -ubyte.gz files.",
        ),
        (
            ("--dataset", "digits", "--data", "x.npz"),
            'dataset "digits": path=x.npz given, but this set is embedded; leave it out.',
        ),
        (("--dataset", "digits", "--optimizer", "sgd"), "--optimizer sgd: choose one of adam, bop"),
        (("--dataset", "digits", "--learning-rate", "-1"), "--learning-rate -1: give a positive number"),
        (("--dataset", "digits", "--learning-rate", "nan"), "--learning-rate nan: give a positive number"),
        (("--dataset", "digits", "--out", "net.h5"), "--out net.h5: the name of a Keras model must end in .keras"),
        (("--dataset", "digits", "--out", "folder.keras"), "--out folder.keras: is a folder; give the name of a file"),
        (
            ("--dataset", "digits", "--distill", "none.keras"),
            "none.keras: no such file; give a model saved with model.save('name.keras')",
        ),
    ],
    ids=[
        *("dataset", "model", "other-images", "no-file", "embedded", "optimizer", "learning-rate", "nan"),
        *("suffix", "folder", "teacher"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.keras").mkdir()
    assert refused(*arguments) == sentence
    assert names(tmp_path) == ["folder.keras"]


def test_a_missing_cache_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert refused("--dataset", "mnist") == (
        f'dataset "mnist": not in Keras\'s cache, looked for {tmp_path / "datasets" / "mnist.npz"}; give its path (an '
        ".npz file with the arrays x_train, y_train, x_test, y_test, or the folder of the four -ubyte.gz files), or "
        "call keras.datasets.mnist.load_data() once where there is a network."
    )


def test_wrong_arrays_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", images=np.zeros(3), labels=np.zeros(3))
    assert refused("--dataset", "mnist", "--data", tmp_path / "m.npz", "--out", tmp_path / "n.keras") == (
        f'dataset "mnist": {tmp_path / "m.npz"} lacks x_train, y_train, x_test, y_test, it holds images, labels; the '
        "arrays must be x_train, y_train, x_test, y_test."
    )


def test_a_teacher_for_other_images(models: Path, tmp_path: Path) -> None:
    assert refused(*QUICK, "--distill", models / "good.keras", "--out", tmp_path / "n.keras") == (
        "teacher good: maps (12,) to (4,); for these images it must map (8, 8, 1), values 0 to 255, to (10,)."
    )
    assert names(tmp_path) == []


def test_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    assert refused(*QUICK, "--tensorboard", tmp_path / "log") == (
        "--tensorboard: TensorBoard is not installed; pip install tensorboard"
    )


def test_tensorboard_gets_a_log(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    trained(*QUICK, "--epochs", 1, "--tensorboard", tmp_path / "log", "--out", tmp_path / "net.keras")
    assert list((tmp_path / "log" / "train").glob("events.out.tfevents.*"))


@pytest.mark.parametrize("step", ["save", "replace_file"], ids=["checkpoint", "model"])
def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    from qnn_hw.zoo import checkpoint

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, step, full)
    out = tmp_path / "net.keras"
    out.write_bytes(b"an earlier model")
    assert refused(*QUICK, "--epochs", 1, "--out", out) == (
        f"{out}: the disk is full; an earlier model and checkpoint are as they were, free some space and repeat with "
        "--resume"
    )
    assert out.read_bytes() == b"an earlier model"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "net.keras"
    assert refused(*QUICK, "--out", out) == f"--out {out}: {tmp_path / 'file'} is no folder"


@pytest.mark.slow
@pytest.mark.parametrize("room_kib", [150, 300], ids=["checkpoint", "model"])
def test_a_disk_that_is_really_full(tmp_path: Path, room_kib: int) -> None:
    """On a small file system: the checkpoint of 211 KiB does not fit, or the model of 115 KiB not beside it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("needs a user namespace of its own (unshare -rm) to mount a small disk")
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.cli.test_train import QUICK, names, refused\n"
        "disk = Path(sys.argv[1])\n"
        "print(refused(*QUICK, '--epochs', 1, '--out', disk / 'net.keras'))\n"
        "print(*names(disk))\n"
    )
    shell = f'mount -t tmpfs -o size={room_kib}k disk "$0" && exec "$1" -c "$2" "$0"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", shell, str(disk), sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"{disk / 'net.keras'}: the disk is full; an earlier model and checkpoint are as they were, free some space "
        f"and repeat with --resume\n{'net.checkpoint.npz' if room_kib == 300 else ''}\n"
    )


def test_a_refusal_comes_before_tensorflow_is_loaded(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from tests.cli.test_train import refused\n"
        "for options in (['--dataset', 'x'], ['--dataset', 'digits', '--model', 'sfc'],\n"
        "                ['--dataset', 'digits', '--out', 'x.h5'], ['--dataset', 'mnist', '--data', 'x.npz']):\n"
        "    refused(*options)\n"
        "print('tensorflow' in sys.modules or 'keras' in sys.modules)\n"
    )
    assert python(script, cwd=tmp_path) == "False\n"
