"""Cleaning, porosities and quality numbers that can be counted by hand; and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from streamlcn.errors import BadInput
from streamlcn.morphometry import MorphometryParameters, analyse, local_thickness, measure, write_lacunae_csv
from tests.morphometry import phantoms


def test_shade_off_is_bone_and_both_porosities_are_named():
    labels = np.ones((10, 10, 20), np.uint8)
    labels[..., 0] = 3
    labels[:, :2, 10:15] = 2
    lcn = measure(labels, 0.1).lcn
    assert lcn.porosity == pytest.approx(0.05, abs=1e-12)
    assert lcn.porosity_of_bone == pytest.approx(1 / 19, abs=1e-12)


def test_air_outside_stays_out_of_the_denominator():
    _, y, x = np.ogrid[:40, :81, :81]
    labels = np.repeat(((y - 40) ** 2 + (x - 40) ** 2 <= 36**2), 40, axis=0).astype(np.uint8)
    labels[10:30, 35:45, 35:45] = 2
    assert measure(labels, 0.1).lcn.porosity == pytest.approx(0.01233654083395016, abs=1e-9)


def test_surface_one_voxel_in_and_out():
    labels = np.ones((60, 60, 60), np.uint8)
    labels[10:30, 10:26, 10:22] = 2
    lcn = measure(labels, 0.1).lcn
    assert lcn.porosity_minus_1_voxel == pytest.approx(0.0116666667, abs=1e-9)
    assert lcn.porosity_plus_1_voxel == pytest.approx(0.0247407407, abs=1e-9)


def test_islands_below_100_voxels_are_removed_and_counted():
    labels = np.ones((20, 20, 60), np.uint8)
    for count, edge, x in ((99, 5, 5), (101, 5, 20), (500, 8, 35)):
        box = np.zeros(edge**3, np.uint8)
        box[:count] = 1
        labels[5 : 5 + edge, 5 : 5 + edge, x : x + edge] += box.reshape((edge,) * 3)
    values = measure(labels, 0.1)
    assert values.lcn.removed_island_fraction == pytest.approx(99 / 700)
    assert values.cleaning.islands_removed == 1


def test_orphans_and_the_floor():
    labels = np.ones((50, 50, 120), np.uint8)
    labels[5:25, 5:25, 5:25] = 2
    labels[40:44, 40:44, 70:100] = 2
    analysis = analyse(labels, 0.1)
    assert analysis.morphometry.lcn.orphan_fraction == pytest.approx(480 / 8480)
    assert np.count_nonzero(analysis.cells) == 8000
    labels = np.ones((60, 60, 60), np.uint8)
    labels[5, 5:45, 5:45] = 2
    labels[20:40, 20:40, 20:40] = 2
    assert measure(labels, 0.1).lcn.at_resolution_floor_fraction == pytest.approx(1 / 6)


def test_an_enclosed_hole_is_filled_and_told():
    lcn = phantoms.ball(40, 20, 15)
    lcn[18:22, 18:22, 18:22] = False
    values = measure(phantoms.in_bone(lcn), 0.1)
    assert values.cleaning.holes_filled_voxels == 64
    assert values.lacunae.rows[0]["fill_fraction"] > 0


def test_an_empty_network_is_flagged_not_guessed():
    values = measure(np.ones((12, 12, 12), np.uint8), 0.1)
    assert values.lcn.porosity == 0
    assert values.lcn.thickness_mean_um is None
    assert values.distance_to_pore.mean_um is None
    assert values.flags[0].startswith("no_lcn")
    json.dumps(values.model_dump(mode="json"), allow_nan=False)


def test_a_network_on_every_border_is_cut_not_lost():
    lcn = np.zeros((40, 40, 40), bool)
    lcn[15:25] = lcn[:, 15:25] = lcn[..., 15:25] = True
    values = measure(phantoms.in_bone(lcn), 0.1)
    assert values.lacunae.cut_count == values.lacunae.count >= 1
    assert any(flag.startswith("cut_by_border") for flag in values.flags)
    plain = analyse(phantoms.in_bone(lcn), 0.1, MorphometryParameters(closing="none")).morphometry
    assert plain.lcn.porosity == pytest.approx(lcn.mean())


@pytest.mark.parametrize("voxel", [(0.2, 0.1, 0.1), 0, -1, float("nan"), True, "0.1", (0.1, 0.1)])
def test_voxel_sizes_that_are_none(voxel):
    with pytest.raises(BadInput, match="voxel"):
        measure(np.ones((5, 5, 5), np.uint8), voxel)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.ones((5, 5, 5)), "float64"),
        (np.ones((5, 5, 5), bool), "bool"),
        (np.full((5, 5, 5), 7, np.uint8), "7"),
        (np.full((5, 5, 5), -1, np.int16), "-1"),
        (np.zeros((5, 5, 5), np.uint8), "bone"),
        (np.full((5, 5, 5), 2, np.uint8), "bone"),
        (np.ones((5, 5), np.uint8), "three axes"),
        (np.ones((0, 5, 5), np.uint8), "three axes"),
    ],
)
def test_labels_that_cannot_be_measured(labels, message):
    with pytest.raises(BadInput, match=message):
        measure(labels, 0.1)


def test_classes_translate_other_values():
    labels = np.ones((12, 12, 12), np.uint8)
    labels[3:9, 3:9, 3:9] = 2
    other = np.array([0, 128, 255], np.uint8)[labels]
    assert measure(other, 0.1, classes={"bone": 128, "lcn": 255}) == measure(labels, 0.1)
    with pytest.raises(BadInput, match="pores"):
        measure(other, 0.1, classes={"pores": 255})


def test_thickness_refuses_what_is_no_mask():
    assert not local_thickness(np.zeros((4, 4, 4), bool), 0.1).any()
    for wrong in (np.ones((4, 4, 4), bool), np.ones((4, 4, 4)), np.full((4, 4, 4), 2)):
        with pytest.raises(BadInput):
            local_thickness(wrong, 0.1)


def test_one_csv_line_a_lacuna(tmp_path):
    analysis = analyse(phantoms.in_bone(phantoms.ball(40, 20, 15)), 0.1)
    write_lacunae_csv(analysis, tmp_path / "lacunae.csv")
    head, row = (tmp_path / "lacunae.csv").read_text().splitlines()
    volume = float(row.split(",")[head.split(",").index("volume_um3")])
    assert volume == pytest.approx(analysis.morphometry.lcn.volume_um3)
    assert analysis.thickness_histogram["volume_um3"].sum() == pytest.approx(volume)
