"""Why a model could not be adapted."""

from ml.errors import ModelError


class AdaptationError(ModelError):
    """An adaptation cannot be done as it was asked for."""

    code = "adaptation_error"


class PlanInvalid(AdaptationError):
    """A plan names a method, a setting or a class that does not exist, or methods that exclude each other."""

    code = "plan_invalid"
    hint = "`tenor retrain --methods` lists the methods, their settings and what they need."


class DataLacking(AdaptationError):
    """There is not the data that a method needs."""

    code = "data_lacking"
    hint = "Import more labels or name unlabelled recordings; `tenor retrain --methods` says what each method needs."


class SupportTooSmall(AdaptationError):
    """Weighting would rest on a few utterances: the corpora hardly overlap."""

    code = "support_too_small"
    hint = "Label some target utterances and fine-tune, or align features (coral, mmd) instead of weighting."


class ModelUnsupported(AdaptationError):
    """A model of this kind cannot be adapted here."""

    code = "model_unsupported"
    hint = "Profiles with a bundled or trained speech model can be retrained; published classifiers cannot yet."


class Stopped(AdaptationError):
    """It was told to stop; its checkpoint is written."""

    code = "stopped"
    hint = "The same call with the same folder goes on where this one ended."
