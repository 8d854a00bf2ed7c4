"""The command `python -m simulators scan`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulators.codecs import CODECS
from simulators.faults import Fault, SimulatedFault, fault_named
from simulators.interleave import interleaved
from simulators.options import check_subject, scan_parser
from simulators.plan_shapes import SHAPES, PlanShape, shape_named
from simulators.plans import AfterFrame, Plan, Tomography
from simulators.publisher import DocumentPublisher, NoProxy
from simulators.rig import Rig, make_rig
from simulators.run_log import Progress, RunLog, scan_record
from simulators.scene import Scene
from simulators.session import Session, Stopped, quiet_stdout
from simulators.simulated import REFERENCE_COUNT, simulated_scene
from simulators.stored import Overrides, file_scene


@dataclass
class _Job:
    """One invocation: what was asked for, and what there is to tell of it."""

    chosen: argparse.Namespace
    shape: PlanShape
    fault: Fault
    data_dir: Path
    told: dict[str, Any] = field(default_factory=dict)
    log: RunLog = field(default_factory=RunLog)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the scans; exit code 0 when all went as asked (faults too), 1 on failure, 2 for a wrong argument.

    A signal ends the scan with a stop document (abort) and the process with 128 + its number.
    """
    parser = scan_parser()
    chosen = parser.parse_args(argv)
    try:
        job = _checked(chosen)
    except ValueError as wrong:
        parser.error(str(wrong))
    stdout = sys.stdout
    with quiet_stdout():
        code = _run(job)
    if chosen.json and code != 2:
        print(json.dumps(job.told), file=stdout, flush=True)
    return code


def _checked(chosen: argparse.Namespace) -> _Job:
    shape = SHAPES[chosen.plan]
    chosen.mode = chosen.mode or shape.modes[0]
    chosen.assets = chosen.assets or shape.assets[0]
    shape = shape_named(chosen.plan, mode=chosen.mode, assets=chosen.assets)
    fault = fault_named(chosen.fault)
    chosen.scans = max(chosen.scans, fault.least_scans)
    for refusal in fault.refusals(
        plan=shape.name, mode=chosen.mode, assets=chosen.assets, scans=chosen.scans
    ):
        raise ValueError(f"--fault {chosen.fault} {refusal}")
    check_subject(chosen)
    data_dir = chosen.data_dir or Path(tempfile.mkdtemp(prefix="simulated-scan-"))
    data_dir.mkdir(parents=True, exist_ok=True)
    return _Job(chosen, shape, fault, data_dir.absolute())


def _run(job: _Job) -> int:
    with Session() as session, session.stopping_on_signals():
        try:
            publisher = DocumentPublisher(
                job.chosen.publish, encode=CODECS[job.chosen.codec], prefix=job.chosen.prefix.encode()
            )
            with publisher:
                _scan_all(job, session, publisher)
        except Stopped as stopped:
            print(f"scan: {stopped}", file=sys.stderr)
            return 128 + stopped.signum
        except SimulatedFault as fault:
            print(f"scan: {fault}, as asked for", file=sys.stderr)
            return 0
        except ValueError as wrong:
            print(f"scan: {wrong}", file=sys.stderr)
            return 2
        except NoProxy as nobody:
            print(f"scan: {nobody}", file=sys.stderr)
            return 1
    return 0


def _scan_all(job: _Job, session: Session, publisher: DocumentPublisher) -> None:
    session.subscribe(job.log)
    session.pause_s = job.fault.pause_s
    job.told.update(data_dir=str(job.data_dir), prepare_s=0.0, scans=[])
    for number in range(job.chosen.scans):
        begun = time.monotonic()
        scene = _prepared_scene(job, number)
        if number == 0:
            publisher.wait_until_heard(job.chosen.wait)
            session.subscribe(job.fault.wire(publisher, scene))
        job.told["prepare_s"] = round(job.told["prepare_s"] + time.monotonic() - begun, 3)
        _scan_once(job, session, publisher, scene, number)
    if job.chosen.truth_out and scene.write_truth:
        scene.write_truth(job.chosen.truth_out)
        job.told["truth"] = str(job.chosen.truth_out.absolute())


def _prepared_scene(job: _Job, number: int) -> Scene:
    scene = job.fault.scene(_scene(job.chosen, number))
    if number:
        scene = job.fault.later_scene(scene)
    if not scene.count("projection"):
        raise ValueError("there are no projections to take")
    print(f"scan: preparing {scene.count('projection')} projections", file=sys.stderr, flush=True)
    scene.exposer.prepare(scene.angles_rad)
    return scene


def _scene(chosen: argparse.Namespace, number: int) -> Scene:
    said = Overrides(
        pixel_size_um=chosen.pixel_size_um,
        energy_kev=chosen.energy_kev,
        is_line_integral=chosen.line_integrals,
        projection_count=chosen.projections,
    )
    if chosen.from_file:
        return file_scene(chosen.from_file, said)
    if chosen.from_tiled:
        from simulators.from_tiled import tiled_scene

        return tiled_scene(chosen.from_tiled, chosen.run, said, api_key=os.environ.get(chosen.tiled_key))
    return simulated_scene(
        chosen.instrument,
        chosen.size,
        chosen.seed + number,
        order=chosen.order or "linear",
        projection_count=chosen.projections,
        dark_count=chosen.darks or REFERENCE_COUNT,
        flat_count=chosen.flats or REFERENCE_COUNT,
        changes=chosen.set or (),
        device=chosen.device or "cpu",
    )


def _scan_once(job: _Job, session: Session, publisher: DocumentPublisher, scene: Scene, number: int) -> None:
    chosen, shape = job.chosen, job.shape
    rig = make_rig(
        scene, shape, assets=chosen.assets, directory=job.data_dir, loop=session.loop,
        period_s=scene.exposure_s if chosen.real_time else chosen.period, swmr=not chosen.no_swmr,
    )  # fmt: skip
    metadata = job.fault.start(scene)
    if chosen.tell_axis and scene.rotation_axis_px is not None:
        metadata["rotation_axis_px"] = scene.rotation_axis_px
    progress = Progress(f"scan {number + 1} of {chosen.scans}")
    steps = [progress.after_frame, job.fault.after_frame(publisher)]
    if job.fault.has_second_run:
        steps.append(_second_run(rig, scene, shape))
    plan = Tomography(
        rig=rig, scene=scene, shape=shape, mode=chosen.mode, metadata=metadata, after_frame=_in_turn(steps)
    )
    earlier = len(job.log.uids)
    try:
        session.run(plan())
    except Exception:
        if rig.hutch.failure is not None:
            raise rig.hutch.failure from None
        raise
    finally:
        job.told["scans"].append(scan_record(job.log, earlier, plan.watch))
        job.told["uids"] = job.log.uids


def _second_run(rig: Rig, scene: Scene, shape: PlanShape) -> AfterFrame:
    start = {"plan_name": shape.plan_name, **shape.start(scene, shape.camera)}
    return interleaved(rig, start, camera=shape.camera, dtype=scene.dtype, streams=dict(shape.streams))


def _in_turn(steps: Sequence[AfterFrame]) -> AfterFrame:
    def after(taken: int, total: int) -> Plan:
        for step in steps:
            yield from step(taken, total)

    return after
