"""Where models run."""

from ml.errors import ModelError


class DeviceMissing(ModelError):
    """A GPU was asked for by name, and torch finds none."""

    code = "device_missing"
    hint = "Set TENOR_DEVICE to auto or cpu, or install the NVIDIA driver and a build of torch with CUDA."


def torch_device(wanted: str = "auto") -> str:
    """The torch device for "auto" (a CUDA device where there is one), "cpu" or "cuda"; raises `DeviceMissing`."""
    import torch

    if wanted == "cpu":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    if wanted != "auto":
        raise DeviceMissing(f"the device {wanted!r} was asked for, but torch finds no GPU")
    return "cpu"
