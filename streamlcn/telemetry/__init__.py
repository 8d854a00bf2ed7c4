"""Numbers, health and logs of the service, for people who keep it running."""

from streamlcn.telemetry._catalogue import CATALOGUE, PREFIX, STAGES, Metric
from streamlcn.telemetry._devices import DeviceWatch
from streamlcn.telemetry._health import Health
from streamlcn.telemetry._logging import configure_logging
from streamlcn.telemetry._notify import SystemdNotifier
from streamlcn.telemetry._prometheus import PrometheusTelemetry
from streamlcn.telemetry._worker import EventTelemetry, NullTelemetry
from streamlcn.telemetry.events import BadEvent, parse_event
from streamlcn.telemetry.settings import TelemetrySettings

__all__ = [
    "CATALOGUE",
    "PREFIX",
    "STAGES",
    "BadEvent",
    "DeviceWatch",
    "EventTelemetry",
    "Health",
    "Metric",
    "NullTelemetry",
    "PrometheusTelemetry",
    "SystemdNotifier",
    "TelemetrySettings",
    "configure_logging",
    "parse_event",
]
