"""Which sources of images a cluster can read, and how it is told of them."""

import re
from urllib.parse import urlsplit

from components.errors import ParamsError
from components.params import DVC_SOURCE, PHANTOM, IngestParams, source_name

# What git understands besides a path: https://…, ssh://…, git@host:path.
_REMOTE = re.compile(r"\w+://|[^/]+@[^/]+:")


def portable(params: IngestParams) -> IngestParams:
    """The sources as they may stand in a file that leaves this machine: what lies on it by its name alone.

    Raises:
        ParamsError: an address holds a password.
    """
    _refuse_passwords(params)
    return params.model_copy(update={"sources": [source_name(one) if _is_local(one) else one for one in params.sources]})


def check_sources(params: IngestParams) -> None:
    """See that a cluster can read all sources.

    Raises:
        ParamsError: one lies on this machine, or its address holds a password.
    """
    _refuse_passwords(params)
    for source in params.sources:
        if _is_local(source):
            raise ParamsError(
                f"ingest.sources: {source} lies on this machine, out of a cluster's reach; put it on S3 and give s3://BUCKET/PREFIX"
            )


def _is_local(source: str) -> bool:
    if source == PHANTOM or source.startswith(("isic:", "s3://")):
        return False
    found = DVC_SOURCE.fullmatch(source)
    return found is None or not _REMOTE.match(found["repository"]) or found["repository"].startswith("file:")


def _refuse_passwords(params: IngestParams) -> None:
    """What a pipeline is told stands in Kubeflow's database, for all to read who may see its runs."""
    named = {"ingest.isic_endpoint": params.isic_endpoint, "ingest.s3_endpoint": params.s3_endpoint or ""}
    found = [DVC_SOURCE.fullmatch(source) for source in params.sources]
    addresses = [*named.items(), *(("ingest.sources", one["repository"]) for one in found if one)]
    for field, address in addresses:
        if "://" in address and urlsplit(address).password is not None:
            raise ParamsError(f"{field}: holds a password, which Kubeflow would show; leave it out, and give it as a Secret")
