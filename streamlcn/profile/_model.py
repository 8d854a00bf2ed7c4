"""What a profile can say. Each room describes its own section; here they come together."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PrivateAttr

from streamlcn.distributed.settings import ComputeSettings, LocalSettings
from streamlcn.documents.settings import DocumentSettings, JournalSettings, ReceiveSettings
from streamlcn.frames.settings import FrameSettings
from streamlcn.morphometry.settings import MorphometryParameters
from streamlcn.reconstruction.settings import ReconstructionSettings
from streamlcn.segmentation.settings import SegmentationSettings
from streamlcn.settings import Settings
from streamlcn.store.settings import StoreSettings
from streamlcn.telemetry.settings import TelemetrySettings
from streamlcn.web.settings import WebSettings

__all__ = ["IngestSettings", "LiveSettings", "Profile"]


class IngestSettings(Settings):
    """Where documents come from and where they are kept."""

    address: str = Field(
        "tcp://localhost:5578", description="The 0MQ proxy's out side, where subscribers connect."
    )
    prefix: str = Field("", description="Only documents published under this prefix are received.")
    state_dir: Path | None = Field(
        None,
        description="Journal, checkpoint and spool; by default ~/.local/state/streamlcn/<profile>.",
    )
    receive: ReceiveSettings = Field(default_factory=ReceiveSettings)
    journal: JournalSettings = Field(default_factory=JournalSettings)


class LiveSettings(Settings):
    """What happens while and just after a scan runs."""

    preview_share: float = Field(0.1, gt=0, le=1, description="A new slice each so much of the plan.")
    provisional_share: float = Field(
        0.25, gt=0, le=1, description="Provisional labels and porosity each so much of the plan."
    )
    provisional_slices: int = Field(
        12, ge=2, description="Slices about the middle that provisional labels and porosity look at."
    )
    partial_from_fraction: float = Field(
        0.5, ge=0, le=1, description="A scan with fewer of its projections fails instead of being partial."
    )


class Profile(Settings):
    """A beamline: how its documents read, how its volumes are made, where results go."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Short name of the beamline, as results record it: letters, digits, dots, dashes.",
    )
    description: str = Field("", description="One line for people.")
    extends: str | None = Field(
        None,
        description="Profile whose keys hold unless given here: a name, or a path with a slash, relative to "
        "this file.",
    )
    ingest: IngestSettings = Field(default_factory=IngestSettings)
    documents: DocumentSettings = Field(default_factory=DocumentSettings)
    frames: FrameSettings = Field(default_factory=FrameSettings)
    reconstruction: ReconstructionSettings = Field(default_factory=ReconstructionSettings)
    segmentation: SegmentationSettings
    morphometry: MorphometryParameters = Field(default_factory=MorphometryParameters)
    compute: ComputeSettings = Field(
        default_factory=LocalSettings, description="Who reconstructs and labels; does not change a result."
    )
    live: LiveSettings = Field(default_factory=LiveSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)

    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def folder(self) -> Path:
        """The folder of the profile's file. Paths in the file were taken relative to it; so is the default of
        ``segmentation.bundle``, which no file states."""
        return self._folder

    @property
    def state_dir(self) -> Path:
        """Where journal, checkpoint and spool are."""
        return self.ingest.state_dir or Path.home() / ".local" / "state" / "streamlcn" / self.name

    @property
    def journal_dir(self) -> Path:
        """Where journal and checkpoint are."""
        return self.state_dir / "journal"

    @property
    def spool_dir(self) -> Path:
        """Where results wait while tiled is away."""
        return self.store.spool_dir or self.state_dir / "spool"
