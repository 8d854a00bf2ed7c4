"""How the plans of several beamlines read: what their profiles would say about documents."""

from __future__ import annotations

from typing import Any

from streamlcn.documents.settings import DocumentSettings

SIMULATED: dict[str, Any] = {}
"""The defaults suit a plan that says everything in its start document."""

FXI: dict[str, Any] = {
    "angles": [
        {"kind": "monitor", "stream": "zps_pi_r_monitor", "key": "zps_pi_r", "times_key": "Andor_timestamps"}
    ],
    "values": {
        "pixel_size_um": {"paths": ["baseline.microscope-pixel_size"]},
        "energy_kev": {"paths": ["start.XEng", "baseline.microscope-energy"]},
        "projection_count": {"paths": ["start.num_angles"]},
        "flat_count": {"paths": ["start.num_bkg_images"]},
        "dark_count": {"paths": ["start.num_dark_images"]},
        "phase_shift_rad": {"fallback": -1.5707963267948966},
    },
    "references": {"flats": "after"},
}

HEX: dict[str, Any] = {
    "runs": {"scan": {"mode": "tomo_flyscan"}, "references": {"mode": "tomo_dark_flat"}},
    "streams": {"projection": ["tomo"]},
    "angles": [{"kind": "stream", "key": "Angle"}],
    "values": {
        "pixel_size_um": {"fallback": 0.65},
        "projection_count": {"paths": ["start.num_points"]},
    },
    "references": {"sources": ["linked"], "uid_path": "start.current_dark_flat_scan_uid"},
}

HTSS: dict[str, Any] = {
    "runs": {"scan": {"plan_name": "tomography*", "scan_type": "tomography"}},
    "streams": {"projection": "primary", "flat": "flats", "dark": "darks"},
    "angles": [{"kind": "event", "key": "theta"}],
    "values": {
        "pixel_size_um": {"fallback": 0.325},
        "projection_count": {"paths": ["start.num_projections"]},
        "flat_count": {"paths": ["start.num_flats"]},
        "dark_count": {"paths": ["start.num_darks"]},
    },
}

PROFILES = {"anatomix": SIMULATED, "fxi": FXI, "hex": HEX, "htss": HTSS}


def settings_for(plan: str, root: str = "/", **more: Any) -> DocumentSettings:
    """Return the settings for one of the simulated plans, with files allowed below ``root``."""
    return DocumentSettings.model_validate({**PROFILES[plan], "files": {"allowed_roots": [root]}, **more})
