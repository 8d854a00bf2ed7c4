"""The score is 1 for the farthest held-out volume and grows with distance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from streamlcn.segmentation import Model
from streamlcn.segmentation._build import Network
from streamlcn.segmentation._manifest import Manifest
from streamlcn.segmentation._normalise import GREY_LEVELS, Normalisation
from streamlcn.segmentation._ood import Looks, by_voxel_size, fit_reference, look_at, score

CPU = torch.device("cpu")


def bone(seed: int, power: float = 1.0) -> npt.NDArray[np.float32]:
    """A textured volume; ``power`` bends its grey values."""
    rng = np.random.default_rng(seed)
    field = np.abs(
        np.fft.ifftn(np.fft.fftn(rng.standard_normal((6, 32, 32))) / (1 + np.hypot(*np.ogrid[:32, :32])))
    )
    return (field**power).astype(np.float32)


def looks(network: Network, volume: npt.NDArray[np.float32]) -> Looks:
    normalisation = Normalisation()
    return look_at(network, volume, normalisation.scale(volume), normalisation.view_radius, CPU)


def test_known_bones_score_at_most_one_and_strange_ones_more(network: Network, manifest: Manifest) -> None:
    known = [[looks(network, bone(seed))] for seed in range(9)]
    reference = fit_reference(known)
    assert max(score(volumes[0], [reference]) for volumes in known) <= 1
    model = Model(network, manifest.model_copy(update={"ood": (reference,)}), CPU)
    own, own_flag = model.ood(bone(20))
    strange, strange_flag = model.ood(bone(20, power=4.0))
    assert own is not None
    assert strange is not None
    assert strange > 1.5 > own
    assert (own_flag, strange_flag) == (False, True)


def test_each_slice_that_is_looked_at_is_told_of(network: Network, manifest: Manifest) -> None:
    reference = fit_reference([[looks(network, bone(seed))] for seed in range(3)])
    told: list[float] = []
    model = Model(network, manifest.model_copy(update={"ood": (reference,)}), CPU)
    model.ood(np.concatenate([bone(seed) for seed in range(5)]), told.append)
    assert told == pytest.approx(np.arange(1, 13) / 12)


def test_either_distance_alone_raises_the_score() -> None:
    rng = np.random.default_rng(0)
    grey = np.linspace(0, 1, len(GREY_LEVELS))
    known = [[Looks(grey + shift, rng.standard_normal((40, 3)))] for shift in (-0.01, 0, 0, 0.01)]
    reference = fit_reference(known)
    assert reference.grey_unit == pytest.approx(0.01 * 4 / 3, rel=1e-3), "from the mean of the other three"
    middle = known[1][0].texture
    assert score(Looks(grey + 0.05, middle), [reference]) == pytest.approx(0.05 / 0.04 * 3, rel=1e-3)
    assert score(Looks(grey, middle + 30), [reference]) > 5


def test_the_nearest_statistics_count() -> None:
    rng = np.random.default_rng(0)
    grey = np.linspace(0, 1, len(GREY_LEVELS))
    bones = [
        [Looks(grey + shift + at, rng.standard_normal((40, 3)))] for at in (0, 5) for shift in (-0.1, 0, 0.1)
    ]
    small, large = (
        fit_reference(part) for part in by_voxel_size(bones, [0.094, 0.09, 0.1, 0.19, 0.188, 0.2])
    )
    between = Looks(grey + 2.5, bones[0][0].texture)
    assert score(between, [fit_reference(bones)]) < 1 < 10 < score(between, [small, large])
    for volumes in bones:
        assert score(volumes[0], [small, large]) == score(volumes[0], [large, small]) <= 1


def test_bones_stay_together_where_sizes_are_unknown_or_bones_few() -> None:
    bones = [[Looks(np.zeros(3), np.zeros((2, 3)))] for _ in range(5)]
    assert by_voxel_size(bones, [0.1, 0.1, 0.1, 0.2, 0.2]) == [bones]
    assert by_voxel_size(bones, [0.1, None, 0.1, 0.1, 0.1]) == [bones]
    assert by_voxel_size(bones, [0.1, 0.13, 0.16, 0.2, 0.25]) == [bones], "no step is large"
