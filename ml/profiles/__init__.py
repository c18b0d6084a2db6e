"""Profiles: which models are used and how."""

from ml.profiles.errors import NotTrained, ProfileInvalid
from ml.profiles.profile import Profile
from ml.profiles.reading import conditional_profiles, load_profile, shipped_profiles
from ml.profiles.sides import Licence

__all__ = [
    "Licence",
    "NotTrained",
    "Profile",
    "ProfileInvalid",
    "conditional_profiles",
    "load_profile",
    "shipped_profiles",
]
