"""Is what computes there, and does it compute right?"""

from __future__ import annotations

import os
import time

import numpy as np

from streamlcn.cli._finding import Finding, Subject, amber, green, red
from streamlcn.errors import BadInput, StreamLCNError
from streamlcn.segmentation import OtsuSettings

__all__ = ["check_device", "check_model", "check_model_fit", "check_reconstruction"]

_NEAR = 1.25
_VALUE = 0.02  # 1/pixel, of the cylinder that is reconstructed
_TOLERANCE = 0.05


def check_model(subject: Subject) -> Finding:
    """The bundle is whole, its weights are those that are asked for, its network is of the right kind."""
    settings = subject.profile.segmentation
    if isinstance(settings, OtsuSettings):
        return amber(
            "thresholds (otsu), no network",
            "a baseline that takes dark artefacts for pores: name a model in segmentation.bundle",
        )
    try:
        model = subject.model
    except BadInput as error:
        return red(str(error), "correct segmentation.bundle or segmentation.sha256 in the profile")
    assert model is not None
    manifest = model.manifest
    if manifest.network.kind != settings.backend:
        return red(
            f"{settings.bundle} holds a {manifest.network.kind}, the profile asks for {settings.backend}",
            "correct segmentation.backend or segmentation.bundle",
        )
    found = f"{manifest.name}, SHA-256 {manifest.weights_sha256[:12]}"
    if settings.sha256 is None:
        return amber(
            f"{found}, not pinned",
            f"so that nobody changes the weights unseen, set segmentation.sha256: {manifest.weights_sha256}",
        )
    return green(f"{found}, as the profile asks")


def check_model_fit(subject: Subject) -> Finding:
    """The model knows bone and LCN, and the voxel size that the profile states."""
    try:
        model = subject.model
    except BadInput:
        return red("no model to look at", "see model")
    if model is None:
        return green("thresholds fit any volume")
    manifest = model.manifest
    missing = [name for name in ("bone", "lcn") if name not in manifest.classes]
    if missing:
        return red(
            f"the model has no class {' and no '.join(missing)}, so that nothing can be measured",
            "train a model on labels with bone and lcn",
        )
    trained = manifest.voxel_size_um
    said = subject.profile.documents.values.pixel_size_um.fallback
    if trained and said and not trained[0] / _NEAR <= said <= trained[1] * _NEAR:
        return amber(
            f"trained on voxels of {trained[0]:g} to {trained[1]:g} um, the profile states {said:g} um",
            "fine-tune the model on scans with this voxel size",
        )
    if manifest.ood is None:
        return amber(
            f"classes {', '.join(manifest.classes)}; nobody will notice scans unlike its training data",
            "train on five scans or more, so that the bundle gets reference statistics",
        )
    sizes = f", voxels of {trained[0]:g} to {trained[1]:g} um" if trained else ""
    return green(f"classes {', '.join(manifest.classes)}{sizes}")


def check_device(subject: Subject) -> Finding:
    """The devices that the profile names are here."""
    import torch

    count = torch.cuda.device_count()
    segmentation = getattr(subject.profile.segmentation, "device", "cpu")
    for key, device in (
        ("segmentation.device", segmentation),
        ("reconstruction.method.device", subject.profile.reconstruction.method.device),
    ):
        kind, _, number = device.removeprefix("torch:").partition(":")
        if kind == "cuda" and int(number or 0) >= count:
            return red(
                f"{key} is {device}, and there are {count} GPUs here",
                "is the driver loaded (nvidia-smi), and is this torch built for CUDA? Else say auto or cpu",
            )
    if count:
        cards = [torch.cuda.get_device_properties(number) for number in range(count)]
        return green(", ".join(f"{card.name}, {card.total_memory / 2**30:.0f} GiB" for card in cards))
    is_half = getattr(subject.profile.segmentation, "precision", "float32") == "bfloat16"
    if is_half and (slower := _bfloat16_takes()) > 1:
        return amber(
            f"bfloat16 takes {slower:.1f} times as long as float32 on this processor, which only imitates it",
            "set segmentation.precision to float32",
        )
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return amber(
        f"no GPU, {threads} CPU threads",
        "nothing is wrong, but a GPU and a torch built for CUDA make scans of the usual size much faster",
    )


def _bfloat16_takes() -> float:
    """Return how long a convolution in bfloat16 takes on the CPU, in times of the same in float32."""
    import torch

    layer, image = torch.nn.Conv2d(8, 8, 3), torch.zeros(1, 8, 128, 128)

    def seconds() -> float:
        started = time.perf_counter()
        layer(image)
        return time.perf_counter() - started

    with torch.inference_mode():
        full = min(seconds() for _ in range(5))
        with torch.autocast("cpu", torch.bfloat16):
            return min(seconds() for _ in range(5)) / full


def check_reconstruction(subject: Subject) -> Finding:
    """The profile's backend compiles or imports, runs, and gives the value of a known cylinder."""
    from streamlcn.reconstruction import reconstruct

    settings = subject.profile.reconstruction
    columns, radius = 64, 20.0
    centre = (columns - 1) / 2
    angles = np.linspace(0, np.pi, 90, endpoint=False)
    chord = 2 * np.sqrt(np.maximum(radius**2 - (np.arange(columns) - centre) ** 2, 0))
    lines = np.broadcast_to(_VALUE * chord, (len(angles), 2, columns)).astype(np.float32)
    started = time.perf_counter()
    try:
        volume = reconstruct(
            lines, None, None, angles, centre=centre, settings=settings, is_line_integral=True
        )
    except (StreamLCNError, ImportError, OSError) as error:
        return red(
            f"{settings.method.backend} does not run: {error}",
            "install that backend as docs/profiles.md says, or set reconstruction.method.backend to fbp",
        )
    seconds = time.perf_counter() - started
    inside = np.hypot(*(np.indices((columns, columns)) - centre)) < radius / 2
    found = float(volume[:, inside].mean())
    if not abs(found / _VALUE - 1) < _TOLERANCE:
        return red(
            f"{settings.method.backend} gives {found:.5f} for a cylinder of {_VALUE} per pixel",
            "its numbers cannot be believed: run the tests (make test) with this installation",
        )
    return green(
        f"{settings.method.backend} gives a known cylinder to {found / _VALUE - 1:+.1%} in {seconds:.1f} s"
    )
