"""The card of a bundle: what it was trained on, how well it does, what not to believe."""

from __future__ import annotations

import json

from streamlcn.segmentation._manifest import Manifest
from streamlcn.training._report import Evaluation

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
        f"{network.kind}, {network.base} filters at full resolution, {network.levels} levels; "
        f"classes {', '.join(manifest.classes)}. Weights: SHA-256 `{manifest.weights_sha256}`.",
        "",
        f"Trained {provenance['date']} with seed {provenance['seed']} for {provenance['epochs']} epochs of "
        f"{provenance['steps_per_epoch']} steps ({provenance['ended_because']}); {versions}.",
        f"Parent weights: `{provenance['parent_sha256']}`." if provenance["parent_sha256"] else "",
        f"Voxel sizes trained on: {voxel[0]:g} to {voxel[1]:g} um." if voxel else "Voxel size: not recorded.",
        "",
        f"Split by {split['by']}. Trained on: {', '.join(split['training'])}.",
        "",
        "## Held-out figures",
        "",
        "| scan | "
        + " | ".join(f"Dice {name}" for name in judged.dice)
        + " | porosity, % | true, % | OOD score |",
        "|---|" + "--:|" * (len(judged.dice) + 3),
        *(
            _row(scan.name, scan.dice, judged, scan.porosity, scan.porosity_true, scan.ood_score)
            for scan in judged.scans
        ),
        _row("all voxels together", judged.dice, judged, None, None, None),
        "",
        "Porosity is LCN over bone, shade-off and LCN. An OOD score of 1 is as far from the known bones as "
        "the farthest of them from all others.",
        "",
        "## Settings",
        "",
        "```json",
        json.dumps(provenance["settings"], indent=1),
        "```",
        "",
    ]
    return "\n".join(lines)


def _row(
    name: str,
    dice: dict[str, float],
    judged: Evaluation,
    porosity: float | None,
    porosity_true: float | None,
    ood: float | None,
) -> str:
    cells = [f"{dice[each]:.3f}" if each in dice else "" for each in judged.dice]
    cells += [f"{100 * value:.2f}" if value is not None else "" for value in (porosity, porosity_true)]
    cells.append(f"{ood:.2f}" if ood is not None else "")
    return f"| {name} | " + " | ".join(cells) + " |"
