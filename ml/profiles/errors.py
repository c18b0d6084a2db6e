"""What can be wrong with a profile."""

from ml.errors import ModelError


class ProfileInvalid(ModelError):
    """There is no such profile, or its file holds something unusable."""

    code = "profile_invalid"
    hint = "Name a bundled profile or a path to a TOML file like those in ml/profiles."


class NotTrained(ModelError):
    """A profile names a model that Tenor cannot ship: it has to be trained first, on data that the user has."""

    code = "model_not_trained"
