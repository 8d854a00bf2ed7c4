"""Documents of a real RunEngine with the simulated beamline's devices, recorded in this process."""

from __future__ import annotations

import atexit
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeAlias

from simulators.faults import SimulatedFault, fault_named
from simulators.interleave import interleaved
from simulators.plan_shapes import SHAPES
from simulators.plans import Tomography, no_pause
from simulators.rig import make_rig
from simulators.scene import Scene
from simulators.session import Session

__all__ = ["Documents", "passing_folder", "record"]

Documents: TypeAlias = list[tuple[str, dict[str, Any]]]


def passing_folder(name: str) -> Path:
    """Return a new folder that goes when this process does; its name begins with ``name``."""
    made = Path(mkdtemp(prefix=f"{name}-")).resolve()
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def record(
    scene: Scene, directory: Path, plan: str = "anatomix", *, assets: str, mode: str, fault: str
) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Run ``plan`` on ``scene`` once and return what it published; files go to ``directory``."""
    documents: Documents = []
    one, shape = fault_named(fault or None), SHAPES[plan]
    subject = one.scene(scene)
    with Session() as session:
        session.subscribe(one.wire(_Recorder(documents), subject))
        rig = make_rig(subject, shape, assets=assets, directory=directory, loop=session.loop)
        after = one.after_frame(_Recorder(documents)) if fault else no_pause
        if one.has_second_run:
            start = {"plan_name": shape.plan_name, **shape.start(subject, shape.camera)}
            streams = dict(shape.streams)
            after = interleaved(rig, start, camera=shape.camera, dtype=subject.dtype, streams=streams)
        tomography = Tomography(
            rig=rig, scene=subject, shape=shape, mode=mode, metadata=one.start(subject), after_frame=after
        )
        with suppress(SimulatedFault):
            session.run(tomography())
    return tuple(documents)


class _Recorder:
    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def __call__(self, name: str, document: Any) -> None:
        self._documents.append((str(name), dict(document)))

    def send_raw(self, message: bytes) -> None:
        """Garbage is for the wire, not for documents."""

    def close(self) -> None:
        """Nothing to close."""
