"""File to volume, volume to labels."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamlcn.cli._output import (
    device_option,
    force_option,
    json_option,
    print_json,
    print_values,
    progress_bars,
    set_option,
    warn,
)
from streamlcn.errors import BadInput

if TYPE_CHECKING:
    from streamlcn.files import VolumeWriter
    from streamlcn.model import Mask
    from streamlcn.profile import Profile
    from streamlcn.reconstruction import ReconstructionSettings
    from streamlcn.segmentation import Model, Precision
    from streamlcn.service import FileScan

__all__ = ["CentreType", "positive", "reconstruct", "segment"]

_BACKENDS = ("fbp", "tomopy", "astra")
_SLAB = 32
_NEAR = 1.25  # a voxel size within this factor of those trained on is as good as they are


class CentreType(click.ParamType[Any]):
    """``auto`` or pixels."""

    name = "auto|PIXELS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return "auto" or a finite float."""
        if value == "auto":
            return value
        try:
            pixels = float(value)
        except ValueError:
            pixels = math.nan
        if not math.isfinite(pixels):
            self.fail(f"{value!r} is neither auto nor a number of pixels", param, ctx)
        return pixels


def positive(_ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """Refuse what is no length; a click callback."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise click.BadParameter(f"{value} is not a length above 0 in micrometres", param=param)
    return value


@click.command()
@click.argument("file")
@click.option(
    "--out", required=True, metavar="VOLUME", help="file.h5:/path, folder.zarr, file.npy, stack.tif."
)
@click.option(
    "--profile", "profile_name", metavar="PROFILE", help="Take a beamline's settings: the daemon's bits."
)
@set_option
@click.option("--backend", type=click.Choice(_BACKENDS), help="How; by default the profile's, or fbp.")
@click.option("--centre", type=CentreType(), help="Axis of rotation, 0.0 at the centre of column 0.  [auto]")
@click.option(
    "--median-radius", type=click.IntRange(0, 5), help="Median filter on the transmission; 0: off.  [2]"
)
@click.option("--rings", type=click.Choice(["none", "mean"]), help="Ring filter.  [none]")
@click.option("--device", help="auto, cpu, or a torch device such as cuda:1.  [auto]")
@click.option("--voxel-size-um", type=float, callback=positive, help="Of a file that does not say it.")
@click.option(
    "--phase-shift-rad", type=float, help="Shift of the Zernike plate, if the file does not say it."
)
@click.option(
    "--line-integrals", is_flag=True, help="The frames are -log(transmission), without flats and darks."
)
@force_option
@json_option
def reconstruct(file: str, out: str, force: bool, as_json: bool, **options: Any) -> None:
    """Reconstruct the scan in FILE (NXtomo or DXchange) into a volume of attenuation per pixel.

    With --profile the volume is bit for bit what the daemon makes of the same scan under that profile.
    Without it the settings are the defaults of a profile: a median filter of radius 2, no ring filter, the
    centre found from the scan; the contrast is absorption unless the file or --phase-shift-rad tells a phase
    plate. Options go before the profile. Voxel size, settings, centre and versions are kept as attributes in
    HDF5 and zarr. Under a profile that takes flats before the scan, flats after it are left out as live.

    \b
    Example:
      streamlcn reconstruct scan.nxs --profile anatomix --out scan.h5:/reconstruction
    """
    from streamlcn.files import create_volume
    from streamlcn.reconstruction import volume_shape
    from streamlcn.service import Said, open_file_scan

    started = time.perf_counter()
    _keep_apart(file, out)
    profile = _profile(options["profile_name"], options["overrides"])
    settings = _settings(profile, options)
    said = Said(
        voxel_size_um=options["voxel_size_um"],
        phase_shift_rad=options["phase_shift_rad"],
        is_line_integral=options["line_integrals"],
    )
    with open_file_scan(file, said, profile) as source:
        shape = volume_shape(settings, source.scan.detector_shape or (0, 0))
        edge_um = _edge_um(source, settings)
        with create_volume(out, shape, "float32", voxel_size_um=edge_um, overwrite=force) as volume:
            centre = _run(source, settings, volume)
            told = _told(file, source, settings, profile, centre)
            volume.note(told)
        for assumption in source.assumptions:
            warn(assumption)
        if source.voxel_size_um is None:
            warn(f"nobody says how large a voxel of {file} is: measuring will need --voxel-size-um")
    told |= {"out": out, "seconds": time.perf_counter() - started}
    if as_json:
        print_json(told)
        return
    shown = ("shape", "voxel_size_um", "phase_shift_rad", "backend", "profile", "seconds", "out")
    axis = ((f"centre {name}", value) for name, value in told["centre"].items())
    print_values("Reconstruction", [*axis, *((name, told[name]) for name in shown)])


def _edge_um(source: FileScan, settings: ReconstructionSettings) -> float | None:
    """Return the edge of a voxel: that of a detector pixel times the binning."""
    return None if source.voxel_size_um is None else source.voxel_size_um * settings.correction.binning


def _keep_apart(file: str, out: str) -> None:
    there = Path(out.partition(":")[0])
    if there.is_file() and Path(file).is_file() and there.samefile(file):
        raise BadInput(f"{out} is in the scan's own file: raw data stay as they are, name another file")


def _profile(name: str | None, overrides: tuple[str, ...]) -> Profile | None:
    if name is None:
        if overrides:
            raise BadInput("--set changes keys of a profile: say which with --profile")
        return None
    from streamlcn.profile import load_profile, parse_overrides

    return load_profile(name, parse_overrides(overrides))


def _settings(profile: Profile | None, options: dict[str, Any]) -> ReconstructionSettings:
    """Return the profile's settings, or the defaults, with what the options say above them."""
    from streamlcn.reconstruction import ReconstructionSettings

    values = (profile.reconstruction if profile else ReconstructionSettings()).model_dump()
    if options["backend"] not in (None, values["method"]["backend"]):
        values["method"] = {"backend": options["backend"], "device": values["method"]["device"]}
    places = {
        "device": ("method", "device"),
        "centre": ("centre", "value"),
        "median_radius": ("correction", "median_radius_px"),
        "rings": ("correction", "rings"),
    }
    for option, (section, key) in places.items():
        if options[option] is not None:
            values[section][key] = options[option]
    return ReconstructionSettings.model_validate(values)


def _run(
    source: FileScan, settings: ReconstructionSettings, volume: VolumeWriter
) -> tuple[float, float | None, str]:
    """Reconstruct into ``volume``; return the centre of rotation."""
    from streamlcn.reconstruction import open_whole_scan

    with progress_bars() as bars, open_whole_scan(settings, source.scan, source.reference()) as session:
        for frame in bars.track(
            source.projections(), source.scan.projection_count, description="reading projections"
        ):
            session.add(frame)
        task = bars.add_task("reconstructing", total=None)
        for slab in session.finish():
            volume.write(slab.z_start, slab.voxels)
            bars.update(task, total=volume.shape[0], completed=slab.z_start + len(slab.voxels))
        return session.centre


def _told(
    file: str,
    source: FileScan,
    settings: ReconstructionSettings,
    profile: Profile | None,
    centre: tuple[float, float | None, str],
) -> dict[str, Any]:
    from streamlcn.pipeline import versions
    from streamlcn.reconstruction import volume_shape

    return {
        "file": file,
        "format": source.format,
        "shape": list(volume_shape(settings, source.scan.detector_shape or (0, 0))),
        "unit": "1/pixel",
        "voxel_size_um": _edge_um(source, settings),
        "phase_shift_rad": source.scan.phase_shift_rad,
        "is_line_integral": source.scan.is_line_integral,
        "projections": source.scan.projection_count,
        "centre": {"pixels": centre[0], "stderr_pixels": centre[1], "state": centre[2]},
        "backend": settings.method.backend,
        "profile": profile.name if profile else None,
        "settings": settings.model_dump(mode="json"),
        "assumptions": source.assumptions,
        "versions": dict(versions()),
    }


@click.command()
@click.argument("volume")
@click.option(
    "--model", required=True, metavar="BUNDLE", help="Folder of a model, as `streamlcn train` makes it."
)
@click.option("--out", required=True, metavar="MASK", help="file.h5:/path, folder.zarr, file.npy, stack.tif.")
@click.option("--voxel-size-um", type=float, callback=positive, help="Of a volume that does not say it.")
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="bfloat16 is faster where the processor has it, and changes about one label in a thousand.",
)
@device_option
@force_option
@json_option
def segment(
    volume: str,
    model: str,
    out: str,
    voxel_size_um: float | None,
    precision: Precision,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Segment VOLUME with a model's network into labels: 0 background, 1 bone, 2 LCN, 3 shade-off.

    VOLUME is file.h5:/path, a zarr array, a .npy file or a TIFF stack. Its voxel size goes on to the mask.

    \b
    Example:
      streamlcn segment scan.h5:/reconstruction --model profiles/anatomix/model --out scan.h5:/labels
    """
    import numpy as np

    from streamlcn.files import create_volume, open_volume
    from streamlcn.pipeline import uncertainty_metadata, versions
    from streamlcn.segmentation import load_model

    started = time.perf_counter()
    with open_volume(volume) as source:
        edge = voxel_size_um if voxel_size_um is not None else source.voxel_size_um
        network = load_model(model, device=device, precision=precision)
        made_of = source.provenance
        voxels = source.read(0, source.shape[0]).astype(np.float32, copy=False)
    with create_volume(out, voxels.shape, "uint8", voxel_size_um=edge, overwrite=force) as mask:
        labels = network.segment_slabs(voxels, _SLAB)
        counts = _label(labels, mask)
        sure = uncertainty_metadata(labels.porosity)
        score, is_unlike = network.ood(voxels)
        told = {
            "file": volume,
            "shape": list(voxels.shape),
            "voxel_size_um": edge,
            "model": network.description,
            "ood": {"score": score, "flag": is_unlike},
            "uncertainty": sure,
            "versions": dict(versions()),
        }
        mask.note({**told, "volume": made_of})
    told |= {"voxels": counts, "out": out, "seconds": time.perf_counter() - started}
    for text in _doubts(network, edge, score, is_unlike):
        warn(text)
    if as_json:
        print_json(told)
        return
    rows = [(f"voxels of {name}", count) for name, count in counts.items()]
    named = [("model", network.description["name"]), ("unlikeness to training data", score)]
    named += [(key.replace("_", ", "), value) for key, value in sure.items()]
    print_values("Segmentation", [*named, *rows, ("seconds", told["seconds"]), ("out", out)])


def _label(slabs: Iterator[Mask], volume: VolumeWriter) -> dict[str, int]:
    """Write labels as they come; return how many voxels each class has."""
    import numpy as np

    from streamlcn.model import CLASS_NAMES

    counts = np.zeros(len(CLASS_NAMES), np.int64)
    with progress_bars() as bars:
        task = bars.add_task("segmenting", total=volume.shape[0])
        for slab in slabs:
            volume.write(slab.z_start, slab.classes)
            counts += np.bincount(slab.classes.ravel(), minlength=len(CLASS_NAMES))
            bars.update(task, completed=slab.z_start + len(slab.classes))
    return dict(zip(CLASS_NAMES, counts.tolist(), strict=True))


def _doubts(model: Model, edge: float | None, score: float | None, is_unlike: bool) -> Iterator[str]:
    """Yield why these labels may be wrong, and what to do."""
    if is_unlike:
        yield (
            f"this volume is unlike the model's training data (score {score:.2f}): "
            "fine-tune the model (streamlcn finetune) before believing its labels"
        )
    trained = model.manifest.voxel_size_um
    if edge is None:
        yield "nobody says how large a voxel is: give --voxel-size-um, or measuring will need it"
    elif trained and not trained[0] / _NEAR <= edge <= trained[1] * _NEAR:
        yield (
            f"a voxel is {edge:g} um, the model was trained on {trained[0]:g} to {trained[1]:g}: "
            "take a model for this voxel size, or resample the volume"
        )
