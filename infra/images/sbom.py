"""Adds Debian's packages of an image to the CycloneDX document of its Python environment: `sbom.py PACKAGES < JSON > JSON`.

PACKAGES has one line a package, as `dpkg-query --show` prints it: name, version, architecture, with tabs between.
"""

import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main(packages: Path) -> None:
    """Read, add, check against the schema of CycloneDX 1.6, write."""
    bom = json.load(sys.stdin)
    for line in packages.read_text(encoding="utf-8").splitlines():
        name, version, architecture = line.split("\t")
        reference = f"pkg:deb/debian/{name}@{version}?arch={architecture}"
        bom["components"].append({"type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference})
    text = json.dumps(bom, indent=1)
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        sys.exit(f"{packages}: what comes out is no CycloneDX 1.6 ({fault})")
    print(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
