"""withdrawn.csv of the store on S3: never replaced by a list that refuses less, whoever puts it there.

$DERMACARE_HOME/shared/withdrawn.csv    as it was fetched or put last
"""

from components.errors import StoreError
from components.remote_store import WITHDRAWN, RemoteStore
from components.withdrawn import Withdrawn, read_withdrawn, withdrawn_file, withdrawn_for, write_withdrawn
from pipelines.home import Home


def share_withdrawn(home: Home, remote: RemoteStore | None) -> None:
    """Put the list that holds here where ingest finds it on a cluster; nothing where there is no store.

    Raises:
        StoreError: the store's list names withdrawals that this one lacks, or the store cannot be reached.
        DatasetError: one of the two lists cannot be read.
    """
    if remote is None:
        return
    file, own = home.shared / WITHDRAWN, withdrawn_for(home.root)

    def replace() -> None:
        lacking = own.lacks(read_withdrawn(file)) if file.exists() else ()
        if lacking:
            raise StoreError(
                f"{remote.place}/{WITHDRAWN}: names withdrawals that {withdrawn_file()} lacks "
                f"({', '.join(f'{row.kind} {row.id}' for row in lacking)}); `git pull`, or take that list: {file}"
            )
        write_withdrawn(file, own)

    remote.extend(WITHDRAWN, file, replace, first=file)


def add_withdrawn(home: Home, remote: RemoteStore, added: Withdrawn) -> None:
    """Put withdrawals into the store's list, beside what others put there.

    Raises:
        StoreError: the store cannot be reached.
        DatasetError: its list cannot be read.
    """
    file = home.shared / WITHDRAWN

    def add() -> None:
        write_withdrawn(file, read_withdrawn(file).joined(added) if file.exists() else added)

    remote.extend(WITHDRAWN, file, add, first=file)
