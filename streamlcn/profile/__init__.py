"""A beamline's description: one YAML file, checked whole before anything starts."""

from streamlcn.profile._load import load_profile, profile_names
from streamlcn.profile._model import IngestSettings, LiveSettings, Profile
from streamlcn.profile._overrides import parse_overrides
from streamlcn.profile._recipe import NOT_IN_RECIPE, Recipe, make_recipe
from streamlcn.profile._schema import profile_schema

__all__ = [
    "NOT_IN_RECIPE",
    "IngestSettings",
    "LiveSettings",
    "Profile",
    "Recipe",
    "load_profile",
    "make_recipe",
    "parse_overrides",
    "profile_names",
    "profile_schema",
]
