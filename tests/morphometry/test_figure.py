"""The page can be drawn, also of a volume without a network."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from streamlcn.morphometry import analyse, analyse_streamed, save_figure
from tests.morphometry import phantoms
from tests.morphometry.network_phantom import network_phantom


@pytest.mark.parametrize("radius", [0, 12])
def test_a_page_shows_the_network(tmp_path, radius):
    labels = phantoms.in_bone(phantoms.ball(32, 16, radius))
    save_figure(analyse(labels, 0.12), tmp_path / "page.png", title="ball")
    with Image.open(tmp_path / "page.png") as page:
        assert min(page.size) > 1000
        colours = np.asarray(page.convert("RGB"))[:600, :850].reshape(-1, 3).astype(int)
    coloured = np.count_nonzero(np.ptp(colours, axis=1) > 30)
    assert (coloured > 10000) == (radius > 0)


def test_slabs_give_the_page_of_the_whole(tmp_path):
    labels = network_phantom((60, 110, 110), 0.25, 2, 12, seed=4).labels
    slabs = analyse_streamed(lambda a, b: labels[a:b], labels.shape, 0.25, slab_height=7)
    save_figure(slabs, tmp_path / "slabs.png")
    save_figure(analyse(labels, 0.25), tmp_path / "whole.png")
    with Image.open(tmp_path / "slabs.png") as found, Image.open(tmp_path / "whole.png") as expected:
        assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_settings_load_nothing_heavy():
    heavy = "{'numba', 'scipy', 'matplotlib'}"
    code = f"import sys, streamlcn.morphometry\nprint(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
