"""Where models run."""

from ml.errors import ModelError


class DeviceMissing(ModelError):
    """A GPU was asked for by name, and torch finds none."""

    code = "device_missing"
    hint = "Say auto or cpu (TENOR_DEVICE or --device), or install the NVIDIA driver and a build of torch with CUDA."


def torch_device(wanted: str = "auto") -> str:
    """The torch device for "auto" (a GPU where there is one), "cpu", "cuda" or "cuda:1"; raises `DeviceMissing`."""
    import torch

    if wanted == "cpu":
        return wanted
    if torch.cuda.is_available():
        return "cuda" if wanted == "auto" else wanted
    if wanted != "auto":
        raise DeviceMissing(f"the device {wanted!r} was asked for, but torch finds no GPU")
    return "cpu"
