"""Write the reference of all commands: `python docs/commands.py > docs/commands.md`."""

from __future__ import annotations

import click

from streamlcn.cli._main import COMMANDS, cli

HEAD = """\
# Commands

`streamlcn COMMAND --help` says what is below. This page is made from it by
`python docs/commands.py > docs/commands.md`; a test fails when it is stale. `python -m streamlcn` is the same
as `streamlcn`.

* Results go to stdout: a table for people, or with `--json` one JSON object and nothing else. Progress,
  warnings and errors go to stderr.
* The exit status is 0 for success, 2 for bad input (a wrong option, file or profile), 1 for failure, 130 when
  interrupted. After anything but 0 no half-written volume or mask is left under its name.
* Volumes and masks are `file.h5:/path`, `folder.zarr` (`:/path`), `file.npy`, `stack.tif`, or `folder/` with
  one TIFF for each slice. HDF5 and zarr keep how they were made as JSON in the attribute `provenance`; all
  but `.npy` keep the voxel size.
* Nothing is replaced without `--force`, and a scan file is never written to.
* `PROFILE` is a name (`anatomix`, `p05`), a YAML file, or a folder with `profile.yaml`:
  see [profiles.md](profiles.md).

From a scan file to numbers, step by step, with what the daemon would do in one go:

```sh
streamlcn reconstruct scan.nxs --profile anatomix --out scan.h5:/reconstruction
streamlcn segment scan.h5:/reconstruction --model profiles/anatomix/model --out scan.h5:/labels
streamlcn measure scan.h5:/labels --csv lacunae.csv --figure scan.pdf --json > scan.json
```
"""
WIDTH = 100


def reference() -> str:
    """Return the page."""
    group = click.Context(cli, info_name="streamlcn")
    parts = [HEAD]
    for name, place in COMMANDS.items():
        command = cli.get_command(group, name)
        if command is None or place.is_hidden:
            continue
        context = click.Context(
            command, info_name=name, parent=group, terminal_width=WIDTH, max_content_width=WIDTH,
            help_option_names=["-h", "--help"],
        )  # fmt: skip
        text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        parts.append(f"## {name}\n\n{place.help}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(reference(), end="")
