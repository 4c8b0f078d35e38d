"""Feature nets: pinned weights, refusals, determinism, the choice among them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gancli.core.data import Split
from gancli.core.errors import CheckpointError, DataError, DivergedError, GanError, UsageError
from gancli.core.images import ImageSamples, to_uint8
from gancli.core.registry import build, parts
from gancli.data.degraded import DegradedDataset
from gancli.data.images import ImageDataset
from gancli.degradations.chain import parse
from gancli.evaluation.contracts import BATCH, Extracted, Extractor, Features, classes_of
from gancli.evaluation.features import digits_v1
from gancli.evaluation.features.classifier import Classifier
from gancli.evaluation.features.inception import Inception, architecture
from gancli.evaluation.features.random_conv import RandomConv
from gancli.evaluation.selection import choose_features
from gancli.evaluation.weights import kept, sha256
from gancli.inference.spool import pieces

CPU = torch.device("cpu")


def ready(part: Features, train: ImageDataset, cache: Path) -> Extractor:
    return part.prepare(train, cache, CPU)


def seen(net: Extractor, images: np.ndarray) -> Extracted:
    return net(pieces(ImageSamples(images), BATCH), len(images))


def one_line(error: GanError, code: int) -> None:
    assert error.code == code
    assert "\n" not in str(error)
    assert error.remedy


def test_the_shipped_weights_are_the_pinned_ones_and_small() -> None:
    assert sha256(digits_v1.FILE.read_bytes()) == digits_v1.SHA256
    assert digits_v1.FILE.stat().st_size < 1 << 20


@pytest.mark.parametrize("flip", [9, 100, -1])
def test_changed_weights_are_refused_before_they_are_parsed(
    flip: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray(digits_v1.FILE.read_bytes())
    data[flip] ^= 1
    file = tmp_path / "w.safetensors"
    file.write_bytes(data)
    monkeypatch.setattr("gancli.evaluation.weights.load", lambda _: pytest.fail("parsed"))
    with pytest.raises(CheckpointError, match="SHA-256") as caught:
        digits_v1.weights(file)
    one_line(caught.value, 4)


def test_missing_weights_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read") as caught:
        digits_v1.weights(tmp_path / "none")
    one_line(caught.value, 4)


def test_digits_are_recognized(digits: Split, cache: Path) -> None:
    said = seen(ready(build("features", "digits-v1"), digits.train, cache), digits.test.images)
    assert said.features.shape == (len(digits.test.images), 128)
    assert said.probabilities is not None
    np.testing.assert_allclose(said.probabilities.sum(1), 1, rtol=1e-5)
    assert (said.probabilities.argmax(1) == digits.test.labels).mean() > 0.97


def test_features_do_not_depend_on_the_threads(digits: Split, cache: Path) -> None:
    net = ready(build("features", "digits-v1"), digits.train, cache)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(seen(net, digits.test.images[:130]).features)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6, atol=1e-6)


def test_stacked_digits_are_seen_channel_by_channel(digits: Split, cache: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(digits.test.images), (60, 3))
    assert digits.test.labels is not None
    labels = digits.test.labels[rows] @ np.array([100, 10, 1])
    stack = ImageDataset(digits.test.images[rows][:, :, 0], labels, classes=tuple(f"{i:03}" for i in range(1000)))
    net = ready(build("features", "digits-v1"), stack, cache)
    said = seen(net, stack.images)
    assert said.features.shape == (60, 384)
    assert said.probabilities is not None
    assert said.probabilities.shape == (60, 1000)
    assert (said.probabilities.argmax(1) == labels).mean() > 0.9
    assert net.columns == stack.classes


def test_a_classifier_learns_the_datas_labels_once(pictures: Split, tmp_path: Path) -> None:
    part = Classifier(images=2000)
    steps: list[int] = []
    net = part.prepare(pictures.train, tmp_path, CPU, lambda _what, done, _all: steps.append(done))
    said = seen(net, pictures.test.images)
    assert said.probabilities is not None
    assert (said.probabilities.argmax(1) == pictures.test.labels).mean() > 0.9
    assert len(steps) == 31
    again = part.prepare(pictures.train, tmp_path, CPU, lambda *_: pytest.fail("trained again"))
    assert (again.hash, again.label) == (net.hash, net.label)
    file = next((tmp_path / "classifier").iterdir())
    file.write_bytes(file.read_bytes()[:-1])
    assert kept(file) is None
    assert ready(part, pictures.train, tmp_path).hash == net.hash  # computed again, bitwise identical


def test_a_classifier_learns_the_labels_of_degraded_images(pictures: Split, tmp_path: Path) -> None:
    degraded = DegradedDataset(pictures.train, parse("gauss:25"))
    assert classes_of(degraded) == classes_of(pictures.train)
    probabilities = seen(Classifier(images=100).prepare(degraded, tmp_path, CPU), pictures.test.images).probabilities
    assert probabilities is not None
    assert probabilities.shape == (len(pictures.test), len(classes_of(pictures.train)))


def test_a_classifier_of_nothing_is_refused(pictures: Split, tmp_path: Path) -> None:
    for data in (
        ImageDataset(pictures.train.images),
        ImageDataset(pictures.train.images, np.zeros(600, np.int64), classes=("a", "b")),
    ):
        with pytest.raises(UsageError, match="two classes") as caught:
            ready(Classifier(), data, tmp_path)
        one_line(caught.value, 2)


def test_random_features_are_a_function_of_their_seed(pictures: Split, tmp_path: Path) -> None:
    a, b, c = (ready(RandomConv(seed=s), pictures.train, tmp_path) for s in (0, 0, 1))
    assert a.hash == b.hash != c.hash
    assert (seen(a, pictures.test.images).features == seen(b, pictures.test.images).features).all()
    assert seen(a, pictures.test.images).features.shape == (200, 256)
    assert a.label == "random-conv"


def test_imagenet_features_do_not_depend_on_the_data(pictures: Split, tmp_path: Path) -> None:
    part = build("features", "efficientnet-lite0")
    assert isinstance(part, Features)
    net, other = (ready(part, data, tmp_path) for data in (pictures.train, pictures.test))
    assert net.hash == other.hash
    assert net.label == "efficientnet-lite0"
    assert "96x96" in net.rule
    said = seen(net, pictures.test.images[:8])
    assert said.features.shape == (8, 1280)
    assert said.probabilities is not None
    np.testing.assert_allclose(said.probabilities.sum(1), 1, rtol=1e-5)
    grey = pictures.test.images[:8, :1]
    np.testing.assert_array_equal(seen(net, grey).features, seen(net, grey.repeat(3, 1)).features)
    large = ImageDataset(np.zeros((2, 3, 200, 160), np.uint8))
    assert "128x128" in ready(part, large, tmp_path).rule


def test_the_choice_follows_source_labels_and_size(pictures: Split) -> None:
    unlabelled = ImageDataset(pictures.train.images)
    grey = ImageDataset(pictures.train.images[:, :1], pictures.train.labels, classes=pictures.train.classes)

    def name(named: str | None, of_source: str, train: ImageDataset) -> str:
        part = choose_features(named, of_source, train)
        assert part is not None
        return part.name

    assert name(None, "digits-v1", pictures.train) == "digits-v1"
    assert name("random-conv", "digits-v1", pictures.train) == "random-conv"
    assert name(None, "auto", pictures.train) == name(None, "auto", unlabelled) == "efficientnet-lite0"
    assert name(None, "auto", grey) == "classifier"
    assert name(None, "auto", ImageDataset(grey.images)) == "random-conv"
    assert name(None, "auto", grey.take(slice(0, 100))) == "random-conv"
    with pytest.raises(UsageError, match="did you mean digits-v1"):
        choose_features(None, "digit-v1", unlabelled)


@pytest.mark.parametrize("name", ["digits-v1", "classifier", "random-conv", "efficientnet-lite0"])
@pytest.mark.parametrize(
    ("images", "what"),
    [
        (np.full((3, 3, 12, 12), np.nan, np.float32), "NaN"),
        (np.zeros((3, 3, 12, 12), np.float32), "uint8"),
        (np.zeros((3, 12, 12), np.uint8), "uint8"),
        (np.zeros((0, 3, 12, 12), np.uint8), "no samples"),
    ],
)
def test_broken_images_are_one_line(name: str, images: np.ndarray, what: str, pictures: Split, cache: Path) -> None:
    part = Classifier(images=100) if name == "classifier" else build("features", name)
    assert isinstance(part, Features)
    with pytest.raises(DataError, match=what) as caught:
        seen(ready(part, pictures.train, cache), images)
    assert caught.value.code == 3
    assert "\n" not in str(caught.value)


def test_samples_are_quantized_as_they_are_saved() -> None:
    x = torch.tensor([-2.0, -1, -0.004, 0, 1, 1.5]).view(1, 1, 1, 6)
    assert to_uint8(x).ravel().tolist() == [0, 0, 127, 128, 255, 255]
    with pytest.raises(DivergedError, match="NaN"):
        to_uint8(x * torch.nan)


class TestInception:
    def test_it_is_torch_fidelitys_network(self) -> None:
        ours = {k: v.shape for k, v in architecture().state_dict().items()}
        assert sum(s.numel() for k, s in ours.items() if "running" not in k and "num" not in k) > 23_000_000
        assert FeatureExtractorInceptionV3.get_provided_features_list()
        assert ours["fc.weight"] == (1008, 2048)

    def test_no_weights_a_pickle_no_hash_and_a_wrong_hash_are_refused(self, tmp_path: Path, pictures: Split) -> None:
        file = tmp_path / "w.safetensors"
        file.write_bytes(save({"a": torch.zeros(1)}))
        pickle = tmp_path / "w.pth"
        pickle.write_bytes(b"\x80\x04K\x01.")
        cases: list[tuple[Inception, type[GanError], str]] = [
            (Inception(), UsageError, "--feature-weights"),
            (Inception(weights=str(pickle)), CheckpointError, "pickles are not read"),
            (Inception(weights=str(tmp_path / "no.safetensors")), CheckpointError, "cannot read"),
            (Inception(weights=str(file)), UsageError, sha256(file.read_bytes())),
            (Inception(weights=str(file), sha256="0" * 64), CheckpointError, "SHA-256"),
            (Inception(weights=str(file), sha256=sha256(file.read_bytes())), CheckpointError, "missing|unknown"),
        ]
        for part, kind, what in cases:
            with pytest.raises(kind, match=what) as caught:
                ready(part, pictures.train, tmp_path)
            assert "\n" not in str(caught.value)

    def test_without_torch_fidelity_it_names_the_extra(self, monkeypatch: pytest.MonkeyPatch, pictures: Split) -> None:
        monkeypatch.setitem(sys.modules, "torch_fidelity", None)
        with pytest.raises(UsageError, match=r"pip install 'gancli\[eval\]'") as caught:
            ready(Inception(), pictures.train, Path("/nowhere"))
        one_line(caught.value, 2)


def test_every_features_part_has_a_name_and_frozen_options() -> None:
    assert {"digits-v1", "inception", "classifier", "random-conv", "efficientnet-lite0"} <= set(parts("features"))
