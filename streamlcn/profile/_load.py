"""From a name or a path to a checked profile, or to an error that names the key and the remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from streamlcn.errors import BadProfile
from streamlcn.profile._explain import did_you_mean, explain
from streamlcn.profile._merge import merged, with_absolute_paths
from streamlcn.profile._model import Profile
from streamlcn.profile._overrides import override_source
from streamlcn.profile._source import Source, read_source

__all__ = ["load_profile", "profile_names"]

_FILE = "profile.yaml"
_OWN = ("name", "description", "extends")


def load_profile(path_or_name: str | Path, overrides: Mapping[str, Any] | None = None) -> Profile:
    """Return the profile in a YAML file, in a folder that holds ``profile.yaml``, or known by name.

    Parameters
    ----------
    path_or_name
        A path, or one of `profile_names`.
    overrides
        Values by dotted key (``{"store.uri": "http://..."}``) that stand above the file; `parse_overrides`
        makes them from texts. Paths in them are relative to the working directory, those in a file to the
        file's folder.

    Raises
    ------
    BadProfile
        No such profile, not YAML, an unknown key or a wrong value. The message names file, line, key and
        remedy, one line for each mistake.
    """
    own, *parents = _with_ancestors(_find(path_or_name))
    sources = [override_source(overrides or {}), own, *map(_inherited, parents)]
    values: dict[str, Any] = {}
    for source in reversed(sources):
        values = merged(values, with_absolute_paths(source.values, source.folder))
    try:
        profile = Profile.model_validate(values)
    except ValidationError as error:
        raise BadProfile(explain(error, sources, own)) from error
    profile._folder = own.folder  # noqa: SLF001 - the loader is the one who knows
    return profile


def profile_names() -> tuple[str, ...]:
    """Return the names that `load_profile` knows."""
    return tuple(sorted({file.parent.name for root in _roots() for file in root.glob(f"*/{_FILE}")}))


def _roots() -> Iterator[Path]:
    """Profiles beside the working directory come first, then those that were installed with the package."""
    package = Path(__file__).resolve().parents[1]
    for root in (Path("profiles"), package / "_profiles", package.parent / "profiles"):
        if root.is_dir():
            yield root


def _find(path_or_name: str | Path) -> Path:
    path = Path(path_or_name).expanduser()
    for place in (path, path / _FILE, *(root / path / _FILE for root in _roots())):
        if place.is_file():
            return place
    raise BadProfile(
        f"no profile '{path_or_name}', neither a name nor a path to a YAML file or to a folder with {_FILE}: "
        f"{did_you_mean(str(path_or_name), profile_names())}"
    )


def _with_ancestors(path: Path) -> list[Source]:
    """Return a profile's file and those that it extends, the nearest first."""
    family, seen = [read_source(path)], [path.resolve()]
    while (parent := family[-1].values.get("extends")) is not None:
        place = family[-1].place(["extends"])
        path = _find_parent(parent, family[-1].folder, place)
        if path.resolve() in seen:
            circle = " > ".join(map(str, [*seen, path.resolve()]))
            raise BadProfile(f"{place}: extends: goes round in a circle ({circle}); remove one 'extends'")
        family.append(read_source(path))
        seen.append(path.resolve())
    return family


def _inherited(source: Source) -> Source:
    """Return what another profile may take over: all but the keys that say who this one is."""
    values = {key: value for key, value in source.values.items() if key not in _OWN}
    return replace(source, values=values)


def _find_parent(parent: Any, folder: Path, place: str) -> Path:
    if not isinstance(parent, str):
        raise BadProfile(f"{place}: extends: {parent!r} is neither a profile's name nor a path")
    beside = folder.parent / parent
    try:
        if "/" in parent:
            return _find(folder / parent)
        return _find(beside if (beside / _FILE).is_file() else parent)
    except BadProfile as error:
        raise BadProfile(f"{place}: extends: {error}") from error
