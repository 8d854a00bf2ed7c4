"""What operators see while a scan grows: three planes, labels to lay over them, numbers with bounds."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from streamlcn.compose import make_parts
from streamlcn.model import Mask, Scan
from streamlcn.pipeline import Parts
from streamlcn.pipeline._preview import LABEL_COLOURS, encode_labels, encode_png
from streamlcn.pipeline._watch import Watch
from streamlcn.telemetry import EventTelemetry, parse_event
from tests.service.rod import profile

DEPTH, SIDE, PLANNED = 20, 16, 40


class OneSlice:
    """A reconstruction that can show one slice at a time, as a whole-volume backend does."""

    centre = (7.5, None, "provisional")

    def preview(self, z: int) -> npt.NDArray[np.float32]:
        picture = np.zeros((SIDE, SIDE), np.float32)
        picture[4:12, 4:12] = 1.0
        picture[6:8, 7 : 9 + z % 2] = 2.0  # odd slices hold more LCN
        return picture


class ThreePlanes(OneSlice):
    def preview_slices(self) -> tuple[npt.NDArray[np.float32], ...]:
        return (
            self.preview(DEPTH // 2),
            np.ones((DEPTH, SIDE), np.float32),
            np.ones((DEPTH, SIDE), np.float32),
        )


class Thresholds:
    """A segmenter whose labels anybody can check."""

    description: Mapping[str, Any] = {"name": "thresholds"}

    def segment(self, volume: npt.NDArray[np.float32]) -> Iterator[Mask]:
        yield Mask(z_start=0, classes=np.digitize(volume, (0.5, 1.5)).astype(np.uint8))


class Sure(Iterator[Mask]):
    class porosity:  # noqa: N801 - stands for the property
        expected, low, high = 0.05, 0.04, 0.07

    def __init__(self, masks: Iterator[Mask]) -> None:
        self._masks = masks

    def __next__(self) -> Mask:
        return next(self._masks)


class SureThresholds(Thresholds):
    def segment(self, volume: npt.NDArray[np.float32]) -> Iterator[Mask]:
        return Sure(super().segment(volume))


@contextmanager
def watching(tmp_path, segmenter: object) -> Iterator[tuple[Watch, list[Mapping[str, Any]]]]:
    told: list[Mapping[str, Any]] = []
    made = make_parts(profile(tmp_path), telemetry=EventTelemetry(told.append), emit=told.append)
    parts = Parts(**{name: getattr(made, name) for name in Parts.__slots__} | {"segmenter": segmenter})
    scan = Scan(
        uid="a", projection_count=PLANNED, detector_shape=(DEPTH, SIDE), voxel_size_um=0.1, angles_rad=None
    )
    yield Watch(scan, parts), told
    for event in told:
        parse_event(event)


def pictures(told: list[Mapping[str, Any]]) -> dict[tuple[str, str], npt.NDArray[np.uint8]]:
    return {
        (event["plane"], event["kind"]): np.asarray(Image.open(io.BytesIO(event["png"])).convert("RGBA"))
        for event in told
        if event["event"] == "preview"
    }


def test_three_planes_grow_where_the_backend_can_cut_them(tmp_path):
    with watching(tmp_path, Thresholds()) as (watch, told):
        watch.maybe_preview(ThreePlanes(), 4)
    assert {plane for plane, _ in pictures(told)} == {"xy", "xz", "yz"}
    assert pictures(told)["xz", "reconstruction"].shape == (DEPTH, SIDE, 4)


def test_one_plane_is_shown_where_it_cannot(tmp_path):
    with watching(tmp_path, Thresholds()) as (watch, told):
        watch.maybe_preview(OneSlice(), 4)
    assert list(pictures(told)) == [("xy", "reconstruction")]


def test_labels_are_laid_over_where_they_are_known(tmp_path):
    with watching(tmp_path, Thresholds()) as (watch, told):
        watch.maybe_preview(ThreePlanes(), 10)
    shown = pictures(told)
    assert len(shown) == 6
    xy, xz = shown["xy", "labels"], shown["xz", "labels"]
    assert tuple(xy[6, 7]) == (*LABEL_COLOURS[2], 255)
    assert xy[5, 5, 3] == xy[0, 0, 3] == 0, "bone and background hide nothing"
    known = np.flatnonzero(shown["yz", "labels"][:, 6, 3])
    assert (known.min(), known.max()) == (4, 15), "12 slices about the middle"
    assert not xz[:, :, 3].any(), "no LCN lies in the middle row"


class Blank(OneSlice):
    def preview(self, z: int) -> npt.NDArray[np.float32]:
        return np.zeros((SIDE, SIDE), np.float32)


def test_a_volume_without_contrast_yet_gets_no_labels_and_fails_nothing(tmp_path):
    made = make_parts(
        profile(tmp_path), telemetry=EventTelemetry(lambda _event: None), emit=lambda _event: None
    )
    with watching(tmp_path, made.segmenter) as (watch, told):
        watch.maybe_preview(Blank(), 10)
    assert list(pictures(told)) == [("xy", "reconstruction")]


def test_provisional_porosity_says_how_far_slices_agree(tmp_path):
    with watching(tmp_path, Thresholds()) as (watch, told):
        watch.maybe_preview(OneSlice(), 10)
    (number,) = [event for event in told if event["event"] == "morphometry"]
    assert number["provisional"]
    assert number["values"] == {"lcn": {"porosity": pytest.approx(5 / 64)}, "projections": 10}
    assert (number["porosity_low"], number["porosity_high"]) == (4 / 64, 6 / 64)


def test_a_network_that_knows_how_sure_it_is_says_so(tmp_path):
    with watching(tmp_path, SureThresholds()) as (watch, told):
        watch.maybe_preview(OneSlice(), 10)
    (number,) = [event for event in told if event["event"] == "morphometry"]
    assert (number["porosity_low"], number["porosity_high"]) == (0.04, 0.07)


def test_previews_open_a_stage_so_that_they_are_not_taken_for_silence(tmp_path):
    with watching(tmp_path, Thresholds()) as (watch, told):
        watch.maybe_preview(OneSlice(), 10)
    stages = [event["stage"] for event in told if event["event"] in ("beat", "timed")]
    assert stages == ["reconstruct", "reconstruct", "segment", "segment"]


def test_pictures_are_thinned_alike():
    labels = np.zeros((700, 1100), np.uint8)
    labels[300:, 500:] = 3
    below = Image.open(io.BytesIO(encode_png(labels.astype(np.float32))))
    above = Image.open(io.BytesIO(encode_labels(labels)))
    assert below.size == above.size == (367, 234)
    seen = np.asarray(above.convert("RGBA"))
    assert tuple(seen[-1, -1]) == (*LABEL_COLOURS[3], 255)
    assert np.array_equal(seen[..., 3] > 0, np.asarray(below) > 0)
