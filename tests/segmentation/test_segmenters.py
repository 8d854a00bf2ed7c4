"""What the pipeline gets: one port, and thresholds that are what Otsu defined."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlcn.errors import BadInput, SegmentationFailed
from streamlcn.model import Label
from streamlcn.segmentation import OtsuSettings, Sensor3DSettings, UNetSettings, load_model, make_segmenter
from streamlcn.segmentation._otsu import otsu_edges


def test_importing_the_room_loads_no_torch() -> None:
    code = "import sys, streamlcn.segmentation, streamlcn.training; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_segmenter_gives_what_its_model_gives(bundle: Path, volume: npt.NDArray[np.float32]) -> None:
    model = load_model(bundle, device="cpu")
    kinds = {"sensor3d": Sensor3DSettings, "unet": UNetSettings}
    chosen = kinds[model.manifest.network.kind](bundle=Path("model"), device="cpu", slab_height=3)
    segmenter = make_segmenter(chosen, bundle.parent)
    together = np.concatenate([mask.classes for mask in segmenter.segment(volume)])
    np.testing.assert_array_equal(together, model.segment(volume))
    assert segmenter.description["sha256"] == model.manifest.weights_sha256
    assert segmenter.ood(volume) == (None, False), "a bundle without statistics cannot tell"


def test_a_bundle_of_the_other_kind_is_refused(bundle: Path) -> None:
    kind = load_model(bundle, device="cpu").manifest.network.kind
    other = UNetSettings() if kind == "sensor3d" else Sensor3DSettings()
    with pytest.raises(BadInput, match=f"holds a {kind}"):
        make_segmenter(other, bundle.parent)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_otsu_edges_leave_the_least_variance_within(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(300, 900, 3)
    centres = np.sort(rng.uniform(-5, 5, 3))
    sample = np.concatenate(
        [rng.normal(centre, 0.2, size) for centre, size in zip(centres, sizes, strict=True)]
    ).astype(np.float32)
    low, high = otsu_edges(sample)

    def within(one: float, other: float) -> float:
        groups = np.split(np.sort(sample), np.searchsorted(np.sort(sample), [one, other]))
        return float(sum(len(group) * group.var() for group in groups if len(group)))

    tried = [within(*sorted(rng.choice(sample, 2).tolist())) for _ in range(200)]
    assert within(low, high) <= 1.02 * min(tried)


def test_otsu_parts_three_greys_and_streams_as_the_whole() -> None:
    rng = np.random.default_rng(2)
    truth = rng.choice([Label.LCN, Label.BACKGROUND, Label.BONE], size=(9, 20, 20), p=[0.2, 0.4, 0.4])
    grey = np.select([truth == Label.LCN, truth == Label.BACKGROUND], [-4.0, 1.0], 3.0)
    volume = (grey + rng.normal(0, 0.1, truth.shape)).astype(np.float32)
    for height in (2, 9):
        masks = make_segmenter(OtsuSettings(slab_height=height), ".").segment(volume)
        np.testing.assert_array_equal(np.concatenate([mask.classes for mask in masks]), truth)


def test_published_ranges_fall_where_they_were_published() -> None:
    ramp = np.linspace(0, 1, 8 * 100, dtype=np.float32).reshape(8, 10, 10)
    masks = make_segmenter(OtsuSettings(ranges="paper"), ".").segment(ramp)
    labels = np.concatenate([mask.classes for mask in masks]).ravel()
    at = {share: labels[round(share * 799)] for share in (0.0, 0.1, 0.4, 0.48, 0.6, 0.95)}
    assert at == {0.0: 0, 0.1: 2, 0.4: 2, 0.48: 3, 0.6: 1, 0.95: 1}


def test_otsu_refuses_what_has_no_contrast() -> None:
    for ranges in ("three", "paper"):
        segmenter = make_segmenter(OtsuSettings(ranges=ranges), ".")  # type: ignore[arg-type]
        with pytest.raises(SegmentationFailed, match="no contrast"):
            list(segmenter.segment(np.ones((3, 8, 8), np.float32)))
        with pytest.raises(SegmentationFailed, match="not numbers"):
            list(segmenter.segment(np.full((3, 8, 8), np.nan, np.float32)))
