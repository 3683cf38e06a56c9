"""`--data phantom`: dermoscopy drawn from nothing, read as any other folder is."""

import shutil

from components.ingest.digests import Digests
from components.ingest.folder import folder_files
from components.ingest.layout import list_files
from components.ingest.phantom.drawing import draw_phantoms
from components.ingest.source import Listing, Origin, Workplace
from components.params import PHANTOM, PhantomParams

_DRAWING = ".drawing"
_DRAWN = "drawn"


class Phantoms:
    """Drawn images, masks and tables.

    Args:
        params: how many, how large, which seed.
    """

    def __init__(self, params: PhantomParams) -> None:
        self._params = params
        self.origin = Origin(PHANTOM, "CC0-1.0")

    def fingerprint(self, digests: Digests) -> object:
        """The name alone: the parameters, which decide all, stand in the step's key."""
        return PHANTOM

    def listing(self, digests: Digests, place: Workplace) -> Listing:
        """Draw them, where an earlier attempt has not, and list the drawings."""
        drawn = place.folder / _DRAWN
        if not drawn.exists():
            drawing = place.folder / _DRAWING
            draw_phantoms(drawing, self._params, lambda done, total: place.progress(done, total, "phantoms drawn"))
            shutil.rmtree(drawing / "hair", ignore_errors=True)  # not ISIC's: it is there for tests of hair removal
            drawing.rename(drawn)
        return list_files(folder_files(drawn.resolve(), self.origin, digests), self.origin)
