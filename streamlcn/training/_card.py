"""The card of a bundle: what it was trained on, how well it does, what not to believe."""

from __future__ import annotations

import json

from streamlcn.segmentation._manifest import Manifest
from streamlcn.training._report import Evaluation, ScanEvaluation

__all__ = ["make_card"]


def make_card(manifest: Manifest, judged: Evaluation, notes: str = "") -> str:
    """Return Markdown with every figure from the manifest and the evaluation; ``notes`` come first."""
    provenance, network = manifest.provenance, manifest.network
    versions = ", ".join(f"{key} {value}" for key, value in provenance["versions"].items())
    voxel = manifest.voxel_size_um
    split = provenance["split"]
    lines = [
        f"# {manifest.name}",
        "",
        *([notes, ""] if notes else []),
        f"{network.kind}, {network.levels} levels of {', '.join(map(str, network.widths))} filters; "
        f"classes {', '.join(manifest.classes)}. Weights: SHA-256 `{manifest.weights_sha256}`.",
        "",
        f"Trained {provenance['date']} with seed {provenance['seed']} for {provenance['epochs']} epochs of "
        f"{provenance['steps_per_epoch']} steps ({provenance['ended_because']}); {versions}.",
        f"Parent weights: `{provenance['parent_sha256']}`." if provenance["parent_sha256"] else "",
        f"Voxel sizes trained on: {voxel[0]:g} to {voxel[1]:g} um." if voxel else "Voxel size: not recorded.",
        "",
        f"Split by {split['by']}. Trained on: {', '.join(split['training'])}.",
        "",
        "![loss and Dice over epochs](curves.png)",
        "",
        "## Held-out figures",
        "",
        "| scan | "
        + " | ".join(f"Dice {name}" for name in judged.dice)
        + " | clDice | surface Dice | porosity, % | interval | true, % | OOD score |",
        "|---|" + "--:|" * (len(judged.dice) + 6),
        *(_row(scan, judged) for scan in judged.scans),
        "| all voxels together | " + " | ".join(f"{value:.3f}" for value in judged.dice.values()) + " |" * 7,
        "",
        "Porosity is LCN over bone, shade-off and LCN. clDice, surface Dice (1 voxel): of the LCN. "
        "An OOD score of 1 is as far from the known bones as the farthest of them from all others.",
        "",
        *_calibrated(manifest),
        "## Settings",
        "",
        "```json",
        json.dumps(provenance["settings"], indent=1),
        "```",
        "",
    ]
    return "\n".join(lines)


def _calibrated(manifest: Manifest) -> list[str]:
    found = manifest.calibration
    if found is None:
        return []
    text = (
        f"Temperature {found.temperature:.3f}: expected calibration error {found.error:.4f} "
        f"({found.error_before:.4f} without)."
    )
    if found.porosity_spread is not None:
        text += (
            f" The porosity's interval is {found.porosity_spread:.2f} ambiguous shares wide on either side, "
            f"which covers the {found.volumes} volumes held out of training; it is no confidence level."
        )
    return [text, ""]


def _row(scan: ScanEvaluation, judged: Evaluation) -> str:
    cells = [f"{scan.dice[each]:.3f}" if each in scan.dice else "" for each in judged.dice]
    cells += [f"{scan.lcn.cl_dice:.3f}", f"{scan.lcn.surface_dice:.3f}"] if scan.lcn is not None else ["", ""]
    cells.append(_percent(scan.porosity))
    limits = (scan.porosity_low, scan.porosity_high)
    cells.append(" to ".join(map(_percent, limits)) if None not in limits else "")
    cells.append(_percent(scan.porosity_true))
    cells.append(f"{scan.ood_score:.2f}" if scan.ood_score is not None else "")
    return f"| {scan.name} | " + " | ".join(cells) + " |"


def _percent(value: float | None) -> str:
    return f"{100 * value:.2f}" if value is not None else ""
