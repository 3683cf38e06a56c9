"""Colours of the figures: the same class, the same colour, everywhere.

Tol's muted scheme (Paul Tol, Colour Schemes, SRON/EPS/TN/09-002, 2021), told apart by colour-blind readers too. Malignant diagnoses
are warm, benign ones cool, so that a glance tells which kind of mistake a picture shows.
"""

from components.lesions import Diagnosis

DIAGNOSIS_COLOURS: dict[Diagnosis, str] = {
    Diagnosis.MEL: "#882255",
    Diagnosis.NV: "#332288",
    Diagnosis.BCC: "#CC6677",
    Diagnosis.AK: "#DDCC77",
    Diagnosis.BKL: "#44AA99",
    Diagnosis.DF: "#117733",
    Diagnosis.VASC: "#88CCEE",
    Diagnosis.SCC: "#AA4499",
}
TRUE_OUTLINE = "#F0E442"
PREDICTED_OUTLINE = "#0072B2"
