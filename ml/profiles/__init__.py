"""Profiles: which models are used and how."""

from ml.profiles.profile import Licence, Profile, ProfileInvalid, load_profile, shipped_profiles

__all__ = ["Licence", "Profile", "ProfileInvalid", "load_profile", "shipped_profiles"]
