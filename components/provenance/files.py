"""The digests of a bundle's files."""

import json
from pathlib import Path

from components.bundle import DESCRIPTION, bundle_digest, read_description


def file_digests(bundle: Path) -> dict[str, str]:
    """Name → SHA-256 of each file of a bundle: bundle.json's own, and those that it lists; no other file is read.

    Raises:
        BundleError: bundle.json is absent, changed or of another schema version.
    """
    read_description(bundle)  # refuses a bundle.json that was changed
    listed: dict[str, str] = json.loads((bundle / DESCRIPTION).read_bytes())["digests"]
    return {**listed, DESCRIPTION: bundle_digest(bundle)}
