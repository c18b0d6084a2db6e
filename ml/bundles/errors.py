"""What can be wrong with a bundle."""

from ml.errors import ModelError


class BundleMissing(ModelError):
    """There is no bundle at the place that a profile names."""

    code = "bundle_missing"
    hint = "Check the location in the profile: shipped:NAME, a folder, or a URL that this machine can read."


class BundlePickled(ModelError):
    """Beside the weights lies a file that can run code when it is read."""

    code = "bundle_pickled"
    hint = "A bundle is bundle.json and weights.safetensors; delete the file if you know where it comes from."


class BundleCorrupt(ModelError):
    """The files are not what their hash says, or not a bundle at all."""

    code = "bundle_corrupt"
    hint = "Fetch the bundle again (`git checkout` for shipped ones); weights are never loaded when their hash differs."
