"""A sender chooses paths freely: only where they really lead decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamlcn.documents._places import Places, path_of_uri
from streamlcn.documents.settings import FileSettings
from streamlcn.errors import FailedScan


def places(*roots: Path, **root_map: str) -> Places:
    return Places(FileSettings(allowed_roots=roots, root_map=root_map))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A root with a scan in it, and a secret beside it."""
    (tmp_path / "data" / "run").mkdir(parents=True)
    (tmp_path / "data" / "run" / "scan.h5").write_text("scan")
    (tmp_path / "secret.h5").write_text("secret")
    return tmp_path / "data"


def escapes(data: Path) -> dict[str, Path]:
    (data / "link").symlink_to(data.parent)
    (data / "file").symlink_to(data.parent / "secret.h5")
    (data / "chain").symlink_to(data / "link")
    (data / "up").symlink_to("..")
    (data / "dangling").symlink_to(data.parent / "nowhere.h5")
    return {
        "a link to a folder": data / "link" / "secret.h5",
        "a link to a file": data / "file",
        "a link to a link": data / "chain" / "secret.h5",
        "a relative link": data / "up" / "secret.h5",
        "a link to what may be made later": data / "dangling",
        "dots": data / ".." / "secret.h5",
        "dots behind a folder that is not there": data / "nothing" / ".." / ".." / "secret.h5",
        "dots behind a link": data / "link" / "data" / ".." / "secret.h5",
        "a name that begins alike": Path(f"{data}2") / "scan.h5",
        "the root of all": Path("/"),
        "memory of a process": Path("/proc/self/environ"),
    }


def test_nothing_leads_out(data: Path) -> None:
    for what, path in escapes(data).items():
        with pytest.raises(FailedScan, match="not in an allowed folder"):
            pytest.fail(f"{what}: {places(data).local(str(path))}")


def test_links_that_stay_inside_and_roots_that_are_links_are_good(data: Path) -> None:
    (data / "today").symlink_to(data / "run")
    (data.parent / "beamline").symlink_to(data)
    real = data / "run" / "scan.h5"
    assert places(data).local(f"{data}/today/scan.h5") == real
    assert places(data.parent / "beamline").local(str(real)) == real
    assert places(data).local(f"{data.parent}/beamline/today/../run/scan.h5") == real
    assert places(data).local(f"{data}/not-written-yet.h5") == data / "not-written-yet.h5"


def test_folders_of_the_detector_are_mapped_before_they_are_judged(data: Path) -> None:
    mapped = places(data, **{"/detector": str(data), "/detector/raw": str(data / "run"), "/out": "/etc"})
    assert mapped.local("/detector/raw/scan.h5") == data / "run" / "scan.h5"
    assert mapped.local("/detector/run/scan.h5") == data / "run" / "scan.h5"
    for path in ("/out/passwd", "/detector2/scan.h5", "/detector/../secret.h5", "/detector/../../etc/passwd"):
        with pytest.raises(FailedScan, match="not in an allowed folder"):
            mapped.local(path)


@pytest.mark.parametrize("path", ["", "scan.h5", "./scan.h5", "~/scan.h5", "/data/a\x00b.h5"])
def test_what_is_no_absolute_path_is_refused(data: Path, path: str) -> None:
    with pytest.raises(FailedScan, match="no absolute path"):
        places(data).local(path)


def test_without_roots_nothing_may_be_read(data: Path) -> None:
    with pytest.raises(FailedScan, match=r"allowed folder \(none\)"):
        places().local(str(data / "run" / "scan.h5"))


@pytest.mark.parametrize(
    "uri",
    ["http://h/a.h5", "s3://b/a", "/plain/path.h5", "javascript:1", "file+x:///a", "//h/a", "file://[/a"],
)
def test_only_files_have_paths(uri: str) -> None:
    with pytest.raises(FailedScan, match=r"only files can be read|no URI"):
        path_of_uri(uri)
