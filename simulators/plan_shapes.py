"""How beamlines shape a tomography scan: runs, streams, names, metadata. After public plans of 2025-26."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from simulators.scene import Role, Scene

Mode: TypeAlias = Literal["step", "fly"]
Metadata: TypeAlias = dict[str, Any]

_FIRST: tuple[Role, ...] = ("dark", "flat", "projection")
_FLATS_LAST: tuple[Role, ...] = ("dark", "projection", "flat")


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanShape:
    """One way to scan.

    ``order`` None keeps the order of the scene's own segments. ``is_stacked``: one event holds all frames of
    a stream. ``has_own_reference_run``: darks and flats are a run, and the scan's start names it.
    ``has_monitor``: the angle is told by a monitor of the rotation stage, to be read at the frames' times.
    ``has_encoder``: in flight the angle is a data key ("Angle") of the projections' stream.
    """

    name: str
    plan_name: str
    streams: Mapping[Role, str]
    order: tuple[Role, ...] | None
    start: Callable[[Scene, str], Metadata]
    camera: str = "camera"
    rotation: str = "rotation"
    modes: tuple[Mode, ...] = ("step", "fly")
    assets: tuple[str, ...] = ("inline", "resource", "stream")
    is_stacked: bool = False
    has_monitor: bool = False
    has_own_reference_run: bool = False
    has_encoder: bool = False


def _anatomix(scene: Scene, camera: str) -> Metadata:
    degrees = np.rad2deg(scene.angles_rad)
    return {
        "scan_type": "tomography",
        "projection_count": scene.count("projection"),
        "flat_count": scene.count("flat"),
        "dark_count": scene.count("dark"),
        "angles_rad": list(scene.angles_rad),
        "angle_start_deg": float(degrees[0]),
        "angle_stop_deg": float(degrees[-1]),
        "detector": camera,
        "detector_shape": list(scene.exposer.shape),
        **scene.facts,
    }


def _fxi(scene: Scene, camera: str) -> Metadata:
    degrees = np.rad2deg(scene.angles_rad)
    return {
        "scan_type": "tomography",
        "detectors": [camera],
        "num_angles": scene.count("projection"),
        "num_dark_images": scene.count("dark"),
        "num_bkg_images": scene.count("flat"),
        "plan_args": {
            "exposure_time": scene.exposure_s,
            "start_angle": float(degrees[0]),
            "relative_rot_angle": float(degrees[-1] - degrees[0]),
        },
        "XEng": scene.facts.get("energy_kev"),
        "sample_name": scene.facts.get("sample_name", ""),
    }


def _hex(scene: Scene, camera: str) -> Metadata:
    return {
        "scan_type": "tomography",
        "mode": "tomo_flyscan",
        "num_points": scene.count("projection"),
        "detectors": [camera],
        "sample_name": scene.facts.get("sample_name", ""),
    }


def _htss(scene: Scene, camera: str) -> Metadata:
    degrees = np.rad2deg(scene.angles_rad)
    return {
        "scan_type": "tomography",
        "detectors": [camera],
        "num_projections": scene.count("projection"),
        "num_flats": scene.count("flat"),
        "num_darks": scene.count("dark"),
        "theta_min": float(degrees.min()),
        "theta_max": float(degrees.max()),
    }


SHAPES = {
    shape.name: shape
    for shape in (
        PlanShape(
            name="anatomix",
            plan_name="tomography",
            streams={"dark": "dark", "flat": "flat", "projection": "primary"},
            order=None,
            start=_anatomix,
        ),
        PlanShape(
            name="fxi",
            plan_name="fly_scan",
            streams={"dark": "dark", "flat": "flat", "projection": "primary"},
            order=_FLATS_LAST,
            start=_fxi,
            camera="Andor",
            rotation="zps_pi_r",
            modes=("fly",),
            is_stacked=True,
            has_monitor=True,
        ),
        PlanShape(
            name="hex",
            plan_name="tomo_flyscan",
            streams={"dark": "dark", "flat": "flat", "projection": "tomo"},
            order=_FIRST,
            start=_hex,
            camera="kinetix1",
            modes=("fly",),
            assets=("stream",),
            has_own_reference_run=True,
            has_encoder=True,
        ),
        PlanShape(
            name="htss",
            plan_name="tomography_scan",
            streams={"dark": "darks", "flat": "flats", "projection": "primary"},
            order=("flat", "dark", "projection"),
            start=_htss,
            camera="imaging_camera",
            rotation="theta",
            modes=("step",),
        ),
    )
}


def shape_named(name: str, *, mode: str, assets: str) -> PlanShape:
    """Find a shape and check that it can be had in this mode and with these assets.

    Raises
    ------
    ValueError
        It cannot; the message lists what can.
    """
    if name not in SHAPES:
        raise ValueError(f"no plan named {name!r}: choose one of {', '.join(SHAPES)}")
    shape = SHAPES[name]
    if mode not in shape.modes:
        raise ValueError(f"plan {name} has no {mode} mode: choose --mode {' or '.join(shape.modes)}")
    if assets not in shape.assets:
        raise ValueError(f"plan {name} has no {assets} assets: choose --assets {' or '.join(shape.assets)}")
    return shape
