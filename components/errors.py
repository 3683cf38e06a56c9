"""Every exception of ours, one tree.

DermaCareError                 anything that we raise on purpose; its text is one sentence for the user
├── ParamsError                a parameter is unknown, of the wrong type or out of range         (exit code 2)
├── SourceError                a data source cannot be read: absent, empty, unreadable, changed while it was read
│   ├── TableError             a table of a source breaks its format: column, code, encoding
│   └── PictureError           one picture of a source cannot be read; it is set aside and the rest goes on
├── DecoderBusy                an image was not decoded, since no worker came to it
├── ImageFormatError           a file or array is not an image or mask that we can use
├── DatasetError               a dataset folder breaks its contract
├── DataRefused                too much of the data is bad, or a class or a split would be empty
├── BundleError                a model bundle breaks its contract, or its bytes changed
├── WeightsError               pretrained weights cannot be had or do not fit
├── TrainingDiverged           a loss or a weight is no number any more
├── CheckpointError            what a training left to go on from was damaged
├── StoreError                 a step's store cannot be used: disk full, no permission, held by another run
├── TrackingError              the tracking server or its data cannot be used
│   └── TrackingDenied         the server does not know the user, or does not let him
├── LedgerError                the ledger of what serves cannot be used, or does not allow what was asked
├── VersionError               a version of the data cannot be read, sent, fetched or withdrawn
├── StepFailed                 a step of a run ended with an error
├── RunError                   a run cannot start, be found or be stopped
└── MachineError               this machine lacks what the command needs
"""


class DermaCareError(Exception):
    """Base of all our errors; `exit_code` is what the command line ends with."""

    exit_code = 1


class ParamsError(DermaCareError):
    """A parameter is unknown, of the wrong type or out of range."""

    exit_code = 2


class SourceError(DermaCareError):
    """A data source cannot be read: absent, empty, unreadable, changed while it was read."""


class TableError(SourceError):
    """A table of a source breaks its format; the text names the file and the column."""


class PictureError(SourceError):
    """One picture of a source cannot be read; it is set aside and the rest goes on."""


class DecoderBusy(DermaCareError):
    """An image was not decoded, since no worker came to it; nothing is wrong with the image."""


class ImageFormatError(DermaCareError):
    """A file or array is not an image or mask that we can use; the text says why."""


class DatasetError(DermaCareError):
    """A dataset folder breaks its contract."""


class DataRefused(DermaCareError):
    """Too much of the data is bad, or a class or a split would be empty."""


class BundleError(DermaCareError):
    """A model bundle breaks its contract, or its bytes changed."""


class WeightsError(DermaCareError):
    """Pretrained weights cannot be had or do not fit the architecture."""


class TrainingDiverged(DermaCareError):
    """A loss or a weight is no number any more; the text names the epoch and the learning rate."""


class CheckpointError(DermaCareError):
    """What a training left to go on from was damaged; the text names the file."""


class StoreError(DermaCareError):
    """A step's store cannot be used: disk full, no permission, held by another run."""


class TrackingError(DermaCareError):
    """The tracking server or its data cannot be used."""


class TrackingDenied(TrackingError):
    """The tracking server does not know the user, or does not let him; trying again does not help."""


class LedgerError(DermaCareError):
    """The ledger of what serves cannot be used, or does not allow what was asked."""


class VersionError(DermaCareError):
    """A version of the data cannot be read, sent, fetched or withdrawn."""


class StepFailed(DermaCareError):
    """A step of a run ended with an error."""


class RunError(DermaCareError):
    """A run cannot start, be found or be stopped."""


class MachineError(DermaCareError):
    """This machine lacks what the command needs."""
