"""A digest of all that ingest would read, from which the key of its step is made."""

import hashlib
import json
from pathlib import Path

from components.ingest.digests import Digests
from components.ingest.registry import find_source
from components.params import IngestParams


def ingest_fingerprint(params: IngestParams, cache: Path | None = None) -> str:
    """Digest of the files of all sources at which ingest looks: 64 hexadecimal digits.

    It depends on what the files hold and on their paths below their source, not on where the source lies. Of local files that is
    their bytes; of objects in a store what the store says of them (ETag, size), and of a DVC folder the commit: no picture is
    fetched for it. Phantoms are drawn from parameters alone, so they add nothing but their name.

    Args:
        params: which sources.
        cache: a file that keeps digests by path, size and time of change, so that only changed files are read; None: all are.

    Raises:
        SourceError: a source does not exist, cannot be read, or cannot be listed.
    """
    digests = Digests(cache)
    listed = [find_source(source, params).fingerprint(digests) for source in dict.fromkeys(params.sources)]
    digests.save()
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()
