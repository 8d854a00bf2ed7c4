"""A beamline's description: one YAML file, checked whole before anything starts."""

from streamlcn.profile._load import load_profile, profile_names
from streamlcn.profile._model import IngestSettings, LiveSettings, Profile, profile_schema
from streamlcn.profile._recipe import Recipe, make_recipe

__all__ = [
    "IngestSettings",
    "LiveSettings",
    "Profile",
    "Recipe",
    "load_profile",
    "make_recipe",
    "profile_names",
    "profile_schema",
]
