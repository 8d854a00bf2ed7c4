"""The page can be drawn, also of a volume without a network."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from streamlcn.errors import BadInput
from streamlcn.morphometry import analyse, save_figure
from tests.morphometry import phantoms


@pytest.mark.parametrize("radius", [0, 12])
def test_a_page_shows_the_network(tmp_path, radius):
    labels = phantoms.in_bone(phantoms.ball(32, 16, radius))
    save_figure(labels, analyse(labels, 0.12), tmp_path / "page.png", title="ball")
    with Image.open(tmp_path / "page.png") as page:
        assert min(page.size) > 1000
        colours = np.asarray(page.convert("RGB"))[:600, :850].reshape(-1, 3).astype(int)
    coloured = np.count_nonzero(np.ptp(colours, axis=1) > 30)
    assert (coloured > 10000) == (radius > 0)


def test_a_page_needs_the_volume_of_its_analysis(tmp_path):
    labels = phantoms.in_bone(phantoms.ball(32, 16, 12))
    with pytest.raises(BadInput, match="belong"):
        save_figure(labels[1:], analyse(labels, 0.1), tmp_path / "page.png")


def test_settings_load_nothing_heavy():
    heavy = "{'numba', 'scipy', 'matplotlib'}"
    code = f"import sys, streamlcn.morphometry\nprint(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
