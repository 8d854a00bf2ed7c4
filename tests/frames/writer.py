"""A detector's file writer, in a process of its own; one command per line on stdin, one answer per line."""

from __future__ import annotations

import sys

import h5py


def main(path: str, mode: str, chunk: int) -> None:
    """Write frame n, all pixels n + 1, for each line of stdin."""
    version = "latest" if mode in ("swmr", "reopen latest") else None
    file = h5py.File(path, "w", libver=version)
    data = file.create_dataset("d", (0, 8, 9), "u2", maxshape=(None, 8, 9), chunks=(chunk, 8, 9))
    if mode == "swmr":
        file.swmr_mode = True
    if mode.startswith("reopen"):
        file.close()
    print("ready", flush=True)
    for number, _ in enumerate(sys.stdin):
        if mode.startswith("reopen"):
            file = h5py.File(path, "a", libver=version)
            data = file["d"]
        data.resize(number + 1, 0)
        data[number] = number + 1
        data.flush() if mode == "swmr" else file.flush()
        if mode.startswith("reopen"):
            file.close()
        print(number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
