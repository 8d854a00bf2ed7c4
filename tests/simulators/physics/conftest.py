import numpy as np
import pytest
import torch
from seeing import FIELD

from simulators.imager import Imager
from simulators.instruments import load_instrument


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory):
    """Keep computed images of one test run together, and away from the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("simulators-cache")
        patch.setenv("SIMULATORS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small arrays gain nothing from threads, and lose much where processors are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=["anatomix", "p05"])
def name(request):
    return request.param


@pytest.fixture(scope="session")
def tiny():
    return Imager(load_instrument("anatomix"), "tiny", 1)


@pytest.fixture(scope="session")
def fields():
    """One bone of each beamline over the whole field of view, its nominal projections prepared."""
    imagers = {name: Imager(load_instrument(name), FIELD, 1) for name in ("anatomix", "p05")}
    for imager in imagers.values():
        imager.prepare(imager.nominal_angles_rad)
    return imagers


@pytest.fixture
def rng():
    return np.random.default_rng(0)
