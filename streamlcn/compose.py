"""The only room that knows every concrete part. Backends are imported when they are chosen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from streamlcn.distributed import DaskSettings
from streamlcn.documents import Assembler, Backfill, make_backfill, make_value_reader
from streamlcn.errors import BadInput
from streamlcn.frames import make_frame_reader
from streamlcn.model import Scan
from streamlcn.pipeline import Emit, Parts
from streamlcn.ports import Clock, Segmenter, Telemetry
from streamlcn.profile import Profile, Recipe, make_recipe
from streamlcn.reconstruction import make_reconstructor
from streamlcn.segmentation import ModelSegmenter, OtsuSettings, make_segmenter
from streamlcn.service import Worker
from streamlcn.store import SpoolStore, make_store

if TYPE_CHECKING:
    from streamlcn.reconstruction import OpenVolumes

__all__ = ["make_assembler", "make_parts", "make_raw_reader", "make_worker"]


def make_parts(
    profile: Profile,
    *,
    telemetry: Telemetry,
    emit: Emit,
    environ: Mapping[str, str] = os.environ,
    wall: Clock = time.time,
) -> Parts:
    """Return the parts that ``profile`` names, ready to work: the network is loaded, kernels are compiled.

    Raises `BadInput` for weights that do not fit, a backend that is not installed, a missing API key.
    """
    segmenter = make_segmenter(profile.segmentation, profile.folder)
    recipe = make_recipe(profile, segmenter.description.get("sha256"))
    open_volumes: OpenVolumes | None = None
    if isinstance(profile.compute, DaskSettings):
        open_volumes, segmenter = _shared(profile, profile.compute, recipe, segmenter, telemetry)
    reconstructor = make_reconstructor(profile.reconstruction, open_volumes=open_volumes)
    store = make_store(
        profile.store,
        environ=environ,
        spool_dir=profile.spool_dir,
        on_request=lambda outcome, seconds: emit(
            {"event": "request", "outcome": outcome, "seconds": seconds}
        ),
    )
    return Parts(
        profile=profile,
        recipe=recipe,
        frames=make_frame_reader(profile.frames),
        reconstructor=reconstructor,
        segmenter=segmenter,
        store=store,
        telemetry=telemetry,
        emit=emit,
        clock=wall,
    )


def _shared(
    profile: Profile, compute: DaskSettings, recipe: Recipe, segmenter: Segmenter, telemetry: Telemetry
) -> tuple[OpenVolumes, Segmenter]:
    """Return what has volumes grow on the workers of a scheduler, and a segmenter that labels them there."""
    from streamlcn.distributed import Cluster, Handover, SharedScan, SharedSegmenter

    if find_spec("distributed") is None:
        raise BadInput(
            "compute.backend is dask, which is not installed: pip install 'streamlcn[distributed]'"
        )
    cluster, handover = Cluster(compute, telemetry), Handover()

    def open_volumes(scan: Scan) -> SharedScan:
        return SharedScan(cluster, handover, scan, recipe.hash)

    network = profile.segmentation
    if isinstance(segmenter, ModelSegmenter) and not isinstance(network, OtsuSettings):
        bundle = profile.folder / network.bundle
        segmenter = SharedSegmenter(segmenter, network, bundle, cluster, handover)
    return open_volumes, segmenter


def make_assembler(profile: Profile) -> Callable[[Iterable[str]], Assembler]:
    """Return a maker of assemblers; it is given the uids of runs that are done."""
    read_values = make_value_reader(timeout_s=profile.frames.timeout_s, poll_s=profile.frames.poll_s)
    return lambda done: Assembler(profile.documents, read_values=read_values, done=tuple(done))


def make_raw_reader(profile: Profile, environ: Mapping[str, str] = os.environ) -> tuple[Assembler, Backfill]:
    """Return what replays raw runs: from `documents.backfill.uri`, else from the server of the results."""
    documents = profile.documents
    if documents.backfill.uri is None:
        store = profile.store
        where = {"uri": store.uri, "api_key_env": store.api_key_env, "api_key_file": store.api_key_file}
        backfill = documents.backfill.model_copy(update=where)
        documents = documents.model_copy(update={"backfill": backfill})
    assembler = make_assembler(profile)(())
    return assembler, make_backfill(assembler, documents, environ=environ)


def make_worker(profile: Profile, parts: Parts, environ: Mapping[str, str] = os.environ) -> Worker:
    """Return the worker of the profile's journal."""
    store = parts.store
    return Worker(
        profile.journal_dir,
        parts,
        make_assembler(profile),
        make_backfill=lambda assembler: make_backfill(assembler, profile.documents, environ=environ),
        delivery=store if isinstance(store, SpoolStore) else None,
    )
