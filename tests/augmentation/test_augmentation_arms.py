"""What the arms draw: pure in seed and position, in the proportions that they claim; classifiers that learn from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from gancli.augmentation.amounts import wanted
from gancli.augmentation.arms.smote import neighbors
from gancli.augmentation.changes import Changes
from gancli.augmentation.classifiers.estimator import Estimator
from gancli.augmentation.classifiers.net import Net
from gancli.augmentation.contracts import Arm, Classifier, Lesson, Material, Pool
from gancli.augmentation.options import Options
from gancli.augmentation.streams import stream
from gancli.core.errors import DataError, UsageError
from gancli.core.registry import build, parts
from gancli.core.window import Orders, Window

N, FEW = 30, 4


def pool(seed: int, sizes: tuple[int, ...] = (N, FEW), channels: int = 1) -> Pool:
    """Images whose first pixel is their number, random noise elsewhere."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (sum(sizes), channels, 9, 9), dtype=np.uint8)
    images[:, :, 0, 0] = np.arange(sum(sizes))[:, None]
    return Pool(images, np.repeat(np.arange(len(sizes)), sizes), len(sizes))


PLAIN = Changes(shift=0, turn=0, scale=0, mirror=False, color=0)
REAL = pool(0)
MATERIAL = Material(REAL, pool(1, (0, 12)), pool(2, (9, 9)), pool(3, (0, 5)), ratio=3.0, changes=PLAIN)
ARMS = list(parts("arm"))


def arm(name: str) -> Arm:
    found = build("arm", name)
    assert isinstance(found, Arm)
    return found


def rows(name: str, n: int = 4000, seed: int = 0, material: Material = MATERIAL) -> Any:
    return stream(arm(name), material, seed)(0, n)


def of_pool(images: torch.Tensor, of: Pool) -> np.ndarray:
    """Whether each image is one of a pool."""
    there = {image.tobytes() for image in of.images}
    pixels = torch.round((images + 1) * 127.5).to(torch.uint8).numpy()
    return np.array([image.tobytes() in there for image in pixels])


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_is_pure_and_its_rows_are_whole(name: str) -> None:
    drawn, again = rows(name, 64), rows(name, 64)
    assert torch.equal(drawn.images, again.images)
    assert torch.equal(drawn.targets, again.targets)
    assert not torch.equal(drawn.images, rows(name, 64, seed=1).images)
    later = stream(arm(name), MATERIAL, 0)
    assert torch.equal(later(64, 32).images, stream(arm(name), MATERIAL, 0)(64, 32).images)
    assert drawn.images.shape == (64, 1, 9, 9)
    assert drawn.images.abs().max() <= 1
    assert drawn.targets.sum(1).allclose(torch.ones(64))
    assert drawn.images.dtype == drawn.targets.dtype == torch.float32


def test_arms_that_need_images_say_so() -> None:
    bare = Material(REAL)
    assert {name for name in ARMS if arm(name).objection(bare)} == {"gan", "gan-alone", "more-real"}
    assert not any(arm(name).objection(MATERIAL) for name in ARMS)
    assert [a.name for a in Options().all_arms()] == [
        "real", "class-weights", "oversampling", "classical", "mixup", "smote", "gan", "gan-alone", "more-real",
    ]  # fmt: skip


def test_shares_of_the_rare_class() -> None:
    share = {name: float(rows(name).targets[:, 1].mean()) for name in ARMS}
    assert share["real"] == pytest.approx(FEW / (N + FEW), abs=0.002)
    for name in ("oversampling", "classical", "mixup", "smote", "gan", "gan-alone", "more-real"):
        assert share[name] == pytest.approx(0.5, abs=0.03 if name == "mixup" else 0.01), name
    weighted = rows("class-weights")
    of_rare = weighted.weights[weighted.targets[:, 1] == 1]
    assert float(of_rare.sum() / weighted.weights.sum()) == pytest.approx(0.5, abs=0.01)


def test_generated_images_stand_beside_real_ones_in_the_ratio_and_only_in_their_class() -> None:
    drawn = rows("gan")
    assert MATERIAL.generated is not None and MATERIAL.more is not None and MATERIAL.alone is not None  # noqa: PT018
    made, rare = of_pool(drawn.images, MATERIAL.generated), drawn.targets[:, 1].numpy() == 1
    assert not made[~rare].any()
    assert made[rare].mean() == pytest.approx(0.75, abs=0.03)
    assert of_pool(drawn.images, REAL)[~made].all()
    assert len({image.numpy().tobytes() for image in drawn.images[torch.from_numpy(made)]}) == 12
    assert of_pool(rows("gan-alone").images, MATERIAL.alone).all()
    drawn = rows("more-real")
    assert of_pool(drawn.images, MATERIAL.more)[drawn.targets[:, 1].numpy() == 1].mean() == pytest.approx(
        5 / 9, abs=0.03
    )


def test_smote_lies_between_neighbors_of_the_class() -> None:
    near = neighbors(REAL, 3).numpy()
    flat = REAL.images.reshape(len(REAL), -1).astype(float)
    for k, members in enumerate(m.numpy() for m in REAL.members):
        distances = cdist(flat[members], flat[members])
        np.fill_diagonal(distances, np.inf)
        order = members[distances.argsort(1)[:, :3]]
        assert np.array_equal(np.sort(near[members], 1), np.sort(order, 1)), k
    drawn = rows("smote", 600)
    rare = drawn.targets[:, 1].numpy() == 1
    assert of_pool(drawn.images[torch.from_numpy(~rare)], REAL).all()
    assert of_pool(drawn.images[torch.from_numpy(rare)], REAL).mean() == pytest.approx(FEW / N, abs=0.05)
    assert neighbors(pool(0, (3, 1)), 5)[3].tolist() == [3] * 5


def test_mixup_mixes_images_as_their_labels() -> None:
    material = Material(pool(0, (20, 20)), changes=PLAIN)
    material.real.images[:20], material.real.images[20:] = 0, 255
    drawn = rows("mixup", 300, material=material)
    assert torch.allclose((drawn.images[:, 0, 0, 0] + 1) / 2, drawn.targets[:, 1], atol=1e-5)
    mixed = (drawn.targets[:, 1] > 0.01) & (drawn.targets[:, 1] < 0.99)
    assert 0.1 < float(mixed.float().mean()) < 0.4


def test_classical_changes() -> None:
    window = Window(Orders(0), 0, 200, 0, 200)
    x = torch.full((200, 1, 28, 28), -1.0)
    x[:, :, 12:16, 12:16] = 1
    moved = Changes()(x, window)
    grid = torch.arange(28.0)
    mass = (moved + 1).sum((1, 2, 3))
    columns = ((moved + 1).sum((1, 2)) * grid).sum(1) / mass - 13.5
    assert 1.5 < float(columns.abs().max()) < 2.6
    assert float((mass / (x[0] + 1).sum()).max()) == pytest.approx(1.21, abs=0.06)
    assert torch.allclose(PLAIN(x, window), x)
    turned = Changes(shift=0, turn=90, scale=0, mirror=False, color=0)(x.roll(8, 3), window)
    assert torch.allclose(turned.sum((1, 2, 3)), x.sum((1, 2, 3)), atol=8)
    color = torch.rand(200, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mirrored = Changes(shift=0, color=0)(color, window)
    same = (mirrored - color).abs().amax((1, 2, 3)) < 1e-5
    flipped = (mirrored - color.flip(3)).abs().amax((1, 2, 3)) < 1e-5
    assert (same | flipped).all()
    assert 0.3 < float(flipped.float().mean()) < 0.7
    assert Changes(shift=0, mirror=False)(color, window).sub(color).abs().max() > 0.1


@pytest.mark.parametrize(
    ("text", "new"),
    [("balanced", [0, 30, 25]), ("40", [0, 30, 25]), ("60", [20, 50, 45]), ("x2", [40, 10, 15]), ("b=12", [0, 2, 0]), ("x1.5,", None),
     ("a=3", None), ("b = 12,c=20", [0, 2, 5]), ("1e3", None), ("b=2000000", None), ("-3", None)],
)  # fmt: skip
def test_amounts(text: str, new: list[int] | None) -> None:
    counts, names = np.array([40, 10, 15]), ("a", "b", "c")
    if new is None:
        with pytest.raises(UsageError):
            wanted(text, counts, names)
    else:
        assert wanted(text, counts, names).tolist() == new


def lesson(material: Material, seed: int = 3) -> Lesson:
    return Lesson(stream(arm("oversampling"), material, 0), (1, 8, 8), 2, seed)


def easy() -> Pool:
    """Two classes that differ in their mean."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], [40, 8])
    return Pool(
        (random.integers(0, 120, (48, 1, 8, 8)) + 100 * labels[:, None, None, None]).astype(np.uint8), labels, 2
    )


@pytest.mark.parametrize(
    "classifier",
    [Net(steps=25, batch=16, widths=(8,), pool_after=()), Estimator(target="GaussianNB", rows=60)],
    ids=["net", "estimator"],
)
def test_classifiers_learn_and_are_functions_of_the_seed(classifier: Classifier) -> None:
    data = easy()
    first, again = (classifier.fit(lesson(Material(data)))(data.images) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (48, 2)
    assert np.allclose(first.sum(1), 1, atol=1e-5)
    assert (first.argmax(1) == data.labels).mean() > 0.95
    if classifier.takes_mixed:
        assert not np.array_equal(first, classifier.fit(lesson(Material(data), 4))(data.images))
    state = np.random.get_state()[1][:3].tolist()  # type: ignore[index]
    classifier.fit(lesson(Material(data)))
    assert np.random.get_state()[1][:3].tolist() == state  # type: ignore[index]


def test_weights_count_in_the_loss_of_the_net() -> None:
    data = Pool(np.zeros((20, 1, 8, 8), np.uint8), np.repeat([0, 1], [16, 4]), 2)
    net = Net(steps=60, batch=20, widths=(4,), pool_after=(), smoothing=0.0)
    plain, weighted = (
        net.fit(Lesson(stream(arm(name), Material(data), 0), (1, 8, 8), 2, 0))(data.images[:1])[0, 1]
        for name in ("real", "class-weights")
    )
    assert plain < 0.35
    assert weighted == pytest.approx(0.5, abs=0.08)


def test_what_a_classifier_of_ones_own_returns_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "wrong_labels.py"
    file.write_text("class Wrong:\n    def fit(self, x, y): pass\n    def predict(self, x): return [7] * len(x)\n")
    wrong = Estimator(target=f"{file}:Wrong", rows=4)
    with pytest.raises(DataError, match=r"it must return labels 0 \.\. 1"):
        wrong.fit(lesson(Material(easy())))(easy().images)
    with pytest.raises(UsageError, match="did you mean"):
        Estimator(target="GausianNB").made(0)
    assert not Estimator(target="KNeighborsClassifier").takes_weights
    assert Estimator(target="GaussianNB").takes_weights
    assert Estimator(target="RandomForestClassifier").made(5).random_state == 5
