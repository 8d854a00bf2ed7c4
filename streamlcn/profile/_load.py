"""From a name or a path to a checked profile, or to an error that names the key and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from streamlcn.errors import BadProfile
from streamlcn.profile._model import Profile

__all__ = ["load_profile", "profile_names"]

_FILE = "profile.yaml"
_MOST_ANCESTORS = 8


def load_profile(path_or_name: str | Path, overrides: Mapping[str, Any] | None = None) -> Profile:
    """Return the profile in a YAML file, in a folder that holds ``profile.yaml``, or known by name.

    Parameters
    ----------
    path_or_name
        A path, or one of `profile_names`.
    overrides
        Values by dotted key (``{"store.uri": "http://..."}``) that stand above the file.

    Raises
    ------
    BadProfile
        No such profile, not YAML, an unknown key or a wrong value; the message names the key.
    """
    path = _find(path_or_name)
    values = _read_with_ancestors(path, [])
    for dotted, value in (overrides or {}).items():
        _put(values, dotted, value)
    try:
        profile = Profile.model_validate(values)
    except ValidationError as error:
        raise BadProfile(_explain(path, error)) from error
    profile._folder = path.parent.resolve()  # noqa: SLF001 - the loader is the one who knows
    return profile


def profile_names() -> tuple[str, ...]:
    """Return the names that `load_profile` knows."""
    return tuple(sorted({file.parent.name for root in _roots() for file in root.glob(f"*/{_FILE}")}))


def _roots() -> Iterator[Path]:
    package = Path(__file__).resolve().parents[1]
    for root in (Path("profiles"), package / "_profiles", package.parent / "profiles"):
        if root.is_dir():
            yield root


def _find(path_or_name: str | Path) -> Path:
    path = Path(path_or_name).expanduser()
    if path.is_file():
        return path
    if (path / _FILE).is_file():
        return path / _FILE
    for root in _roots():
        if (root / path / _FILE).is_file():
            return root / path / _FILE
    known = profile_names()
    near = difflib.get_close_matches(str(path_or_name), known, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise BadProfile(
        f"no profile '{path_or_name}': {hint}known names are {', '.join(known) or 'none'}; "
        f"a path to a YAML file, or to a folder with {_FILE}, works too"
    )


def _read_with_ancestors(path: Path, seen: list[Path]) -> dict[str, Any]:
    if path in seen or len(seen) > _MOST_ANCESTORS:
        raise BadProfile(f"{path}: 'extends' goes round in a circle: {' > '.join(map(str, [*seen, path]))}")
    values = _read(path)
    parent = values.get("extends")
    if parent is None:
        return values
    base = _read_with_ancestors(_find(path.parent / parent if "/" in parent else parent), [*seen, path])
    return _merged(base, values)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadProfile(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(values, dict):
        raise BadProfile(f"{path}: a profile is a mapping of keys, this is a {type(values).__name__}")
    return values


def _merged(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in values.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _put(values: dict[str, Any], dotted: str, value: Any) -> None:
    *path, last = dotted.split(".")
    for key in path:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise BadProfile(f"cannot set {dotted}: '{key}' is a value, not a section")
    values[last] = value


def _explain(path: Path, error: ValidationError) -> str:
    lines = [f"{path}: {error.error_count()} thing(s) wrong"]
    for problem in error.errors():
        where = [str(part) for part in problem["loc"]]
        text = problem["msg"]
        if problem["type"] == "extra_forbidden":
            text = "unknown key" + _did_you_mean(where)
        elif problem["type"] == "missing":
            text = "this key is needed"
        lines.append(f"  {'.'.join(where)}: {text}")
    return "\n".join(lines)


def _did_you_mean(where: list[str]) -> str:
    model: Any = Profile
    for key in where[:-1]:
        field = getattr(model, "model_fields", {}).get(key)
        if field is None:
            break
        model = field.annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return "; remove it or see profiles/profile.schema.json"
    known = list(model.model_fields)
    near = difflib.get_close_matches(where[-1], known, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; known here: {', '.join(known)}"
