"""The daemon's two processes: ingest receives, keeps and shows; the worker makes results of the journal."""

from streamlcn.service._campaign import Campaign, Numbers, Outcome
from streamlcn.service._channel import EventReceiver, EventSender
from streamlcn.service._daemon import Daemon
from streamlcn.service._file_scan import FileScan, Said, open_file_scan
from streamlcn.service._leash import die_with_parent, only_worker
from streamlcn.service._replay import updates_of_file, updates_of_journal, updates_of_raw_run
from streamlcn.service._supervisor import Supervisor
from streamlcn.service._worker import Delivery, Worker

__all__ = [
    "Campaign",
    "Daemon",
    "Delivery",
    "EventReceiver",
    "EventSender",
    "FileScan",
    "Numbers",
    "Outcome",
    "Said",
    "Supervisor",
    "Worker",
    "die_with_parent",
    "only_worker",
    "open_file_scan",
    "updates_of_file",
    "updates_of_journal",
    "updates_of_raw_run",
]
