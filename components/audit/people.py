"""People: fields of the files that name a person, a place or a device."""

from collections import Counter

from components.audit.data import AuditedData
from components.audit.findings import Checked, Family, Finding, Severity, Table
from components.audit.words import count, unique


def find_people(data: AuditedData) -> Checked:
    """Count what ingest dropped; the values themselves are kept nowhere."""
    if data.personal is None:
        return Checked(unchecked=["Whether files name people was not looked for: the data was ingested before this was done."])
    if not data.personal:
        return Checked(sound=["No file held a field that names a person, a place or a device."])
    ids = unique(entry.image for entry in data.personal)
    kinds = Counter(entry.field for entry in data.personal)
    rows = [(kind, f"{number:,}") for kind, number in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))]
    finding = Finding(
        "people",
        Family.PEOPLE,
        Severity.NOTE,
        f"{count(len(ids), 'file')} held fields that name a person, a place or a device; they were dropped at ingest",
        count(len(ids), "image"),
        "Nothing must be done here: this data no longer has them. The originals do; mend those before you pass them on.",
        "EXIF fields and comments are looked at by name; only which kinds were dropped is kept (personal.csv), never their values. "
        "Names burnt into the pixels are not found.",
        measures={"images": len(ids), "fields": len(data.personal)},
        images=ids,
        tables=[Table("Fields that were dropped", ("field", "files"), rows)],
    )
    return Checked([finding])
