"""Numbers from geometry, definitions and other programs (BoneJ, scikit-image)."""

from __future__ import annotations

import numpy as np
import pytest

from streamlcn.morphometry import (
    components,
    euler,
    local_thickness,
    local_thickness_bonej,
    measure,
    order_parameter,
    shape,
    skeleton,
)
from tests.morphometry import phantoms


def test_plates_and_rods_read_twice_their_largest_distance():
    plate = np.pad(np.ones((3, 128, 128), bool), 1)
    assert local_thickness(plate, 1.0).max() == pytest.approx(4)
    plate = np.pad(np.ones((7, 128, 128), bool), 1)
    assert local_thickness(plate, 1.0).max() == pytest.approx(8)
    opened = np.zeros((40, 40, 5), bool)
    opened[..., 1:4] = True
    doubled = opened.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    assert local_thickness(doubled, 1.0).max() / 2 == pytest.approx(3)


@pytest.mark.parametrize(
    ("width", "expected"), [(2, 2), (3, 4), (6, 5.656854249), (10, 8.94427191), (24, 22.627417)]
)
def test_rods_are_exact(width, expected):
    rod = np.pad(phantoms.disc(3), ((1, 2), (1, 2))) if width == 3 else None
    mask = np.repeat(rod[None], 30, axis=0) if rod is not None else phantoms.rod(width, length=30)
    assert local_thickness(mask, 1.0)[mask].mean() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (np.pad(np.ones((1, 128, 128), bool), 1), 2.0),
        (np.pad(np.ones((4, 128, 128), bool), 1), 4.0),
        (phantoms.rod(4), 2.552284479),
        (phantoms.rod(6), 5.656853676),
        (phantoms.rod(16), 15.23154831),
        (phantoms.imagej_sphere(3), 4.480870247),
        (phantoms.imagej_sphere(5), 8.594993591),
        (phantoms.imagej_sphere(12), 22.05481339),
    ],
)
def test_bonej_mode_agrees_with_fiji(mask, expected):
    found = local_thickness_bonej(mask, masked=False)
    assert found[found > 0].mean() == pytest.approx(expected, abs=2e-5)


def test_ball_and_torus_thickness():
    ball = phantoms.ball(50, 25, 20)
    assert local_thickness(ball, 1.0)[ball].mean() == pytest.approx(40.04996879, abs=1e-5)
    torus = phantoms.torus()
    assert local_thickness(torus, 1.0)[torus].mean() == pytest.approx(12.10061422, abs=1e-5)


def test_euler_numbers():
    ball = phantoms.ball(30, 15, 10)
    assert euler(ball, 26) == 1
    assert euler(ball & ~phantoms.ball(30, 15, 6), 26) == 2
    assert euler(phantoms.torus(), 26) == euler(phantoms.torus(), 6) == 0
    pair = np.zeros((4, 4, 4), bool)
    pair[1, 1, 1] = pair[2, 2, 2] = True
    assert (euler(pair, 26), euler(pair, 6)) == (1, 2)
    box = np.zeros((80, 80, 80), bool)
    box[31:48, 32:48, 32:48] = True
    inner = [slice(32, 47), slice(33, 47), slice(33, 47)]
    for axis in range(3):
        through = list(inner)
        through[axis] = slice(None)
        box[tuple(through)] = False
    assert euler(box, 26) == -4


def test_components_of_corners():
    board = np.indices((10, 10, 10)).sum(0) % 2 == 0
    assert list(components(board, 26)) == [500]
    assert len(components(board, 6)) == 500


def test_ellipsoid():
    values = measure(phantoms.in_bone(phantoms.ellipsoid()), 0.094).model_dump()
    row = values["lacunae"]["rows"][0]
    assert values["lacunae"]["count"] == 1
    assert values["lcn"]["volume_um3"] == pytest.approx(46.53700504, rel=0.005)
    assert np.array(row["axes_um"]) / 2 / 0.094 == pytest.approx([38, 22, 16], rel=0.01)
    assert row["oblateness"] == pytest.approx(-0.4545454545, abs=0.02)
    assert abs(np.dot(row["axis"], phantoms.R[0])) == pytest.approx(1, abs=1e-4)


def test_sphere_surface_and_form():
    values = measure(phantoms.in_bone(phantoms.ball(50, 25, 20)), 0.1).model_dump()
    row = values["lacunae"]["rows"][0]
    assert values["lcn"]["surface_um2"] == pytest.approx(50.26548246, rel=0.01)
    assert row["sphericity"] == pytest.approx(1, abs=0.01)
    assert row["stretch"] == pytest.approx(0, abs=0.005)
    assert row["oblateness"] is None
    assert np.isnan(shape(phantoms.ball(50, 25, 20))["oblateness"])


def test_centre_lines():
    axis = np.array([1, 2, 3]) / np.sqrt(14) * 35
    line = skeleton(phantoms.capsule((110, 110, 110), 55 - axis, 55 + axis, 2))
    assert line["length"] == pytest.approx(70, rel=0.06)
    assert line["branches"] == 1
    star = np.zeros((90, 90, 90), bool)
    for direction in ([0, 0, 1], [0, 0.866, -0.5], [0, -0.866, -0.5]):
        star |= phantoms.capsule(star.shape, [45] * 3, 45 + 35 * np.array(direction), 2)
    found = skeleton(star)
    assert (found["end_points"], found["branches"], found["junctions"]) == (3, 3, 1)
    assert skeleton(phantoms.torus())["length"] == pytest.approx(40 * np.pi, rel=0.06)


def test_touching_balls_part_evenly():
    z, y, x = np.ogrid[:60, :60, :100]
    lcn = ((z - 30) ** 2 + (y - 30) ** 2 + (np.minimum(abs(x - 39), abs(x - 61))) ** 2) <= 225
    rows = measure(phantoms.in_bone(lcn), 0.1).lacunae.rows
    assert len(rows) == 2
    assert rows[0]["volume_um3"] == pytest.approx(rows[1]["volume_um3"], rel=0.08)


def test_distance_between_planes():
    lcn = np.zeros((28, 16, 16), bool)
    lcn[[0, 9, 18, 27]] = True
    found = measure(phantoms.in_bone(lcn), 0.1).distance_to_pore
    assert found.mean_um == pytest.approx(0.25)
    assert found.max_um == pytest.approx(0.4)


def test_order_parameter_of_axes():
    random = np.random.default_rng(0).normal(size=(20000, 3))
    assert order_parameter(random) == pytest.approx(0.006391450114, abs=1e-9)
    assert order_parameter([(0, 0, (-1) ** k) for k in range(10)]) == pytest.approx(1)
