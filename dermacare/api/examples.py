"""What OpenAPI shows as an answer; a test holds it to the schema."""

from typing import Any

_DIGEST = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
_PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
_CLASSIFIER: dict[str, Any] = {
    "name": "lesion-classifier",
    "version": 7,
    "digest": _DIGEST,
    "architecture": "resnet101",
    "data_version": _DIGEST,
    "phantom": False,
}
_SEGMENTER: dict[str, Any] = {**_CLASSIFIER, "name": "lesion-segmenter", "version": 3, "architecture": "unet"}
NOTICE = "Decision support, not a diagnosis."

PREDICTION: dict[str, Any] = {
    "id": "0f8fad5bd9cb469fa16570867728950e",
    "created": "2026-11-25T20:30:00Z",
    "image": {"width": 1024, "height": 768, "sha256": _DIGEST, "kept": False},
    "patient": {"age": 54, "sex": "female", "site": "posterior torso"},
    "refusal": None,
    "diagnoses": [
        {"code": "MEL", "name": "Melanoma", "malignant": True, "probability": 0.71, "in_set": True},
        {"code": "NV", "name": "Melanocytic nevus", "malignant": False, "probability": 0.22, "in_set": True},
        {"code": "BKL", "name": "Benign keratosis-like lesion", "malignant": False, "probability": 0.04, "in_set": False},
        {"code": "BCC", "name": "Basal cell carcinoma", "malignant": True, "probability": 0.01, "in_set": False},
        {"code": "AK", "name": "Actinic keratosis / Bowen's disease", "malignant": True, "probability": 0.01, "in_set": False},
        {"code": "SCC", "name": "Squamous cell carcinoma", "malignant": True, "probability": 0.01, "in_set": False},
        {"code": "DF", "name": "Dermatofibroma", "malignant": False, "probability": 0.0, "in_set": False},
        {"code": "VASC", "name": "Vascular lesion", "malignant": False, "probability": 0.0, "in_set": False},
    ],
    "prediction_set": {"level": 0.9, "codes": ["MEL", "NV"], "own": ["MEL", "NV", "BCC", "BKL"]},
    "malignancy": 0.74,
    "lesion": {
        "mask": _PIXEL,
        "contours": [[[301.0, 220.0], [702.0, 220.0], [702.0, 561.0], [301.0, 561.0]]],
        "measurements": {
            "area_pixels": 137_484,
            "area_share": 0.175,
            "longest_diameter_pixels": 526.5,
            "asymmetry": 0.12,
            "border_irregularity": 0.31,
            "colours": [{"name": "dark brown", "share": 0.62}, {"name": "black", "share": 0.21}],
        },
    },
    "heat_map": {"code": "MEL", "picture": _PIXEL, "on_lesion": 0.81},
    "warnings": [{"code": "blurred", "message": "The image is blurred; take it again with the lesion in focus."}],
    "models": {"entry": 12, "classifier": _CLASSIFIER, "segmenter": _SEGMENTER},
    "data_version": _DIGEST,
    "phantom": False,
    "notice": NOTICE,
    "milliseconds": {"decode": 9.0, "segment": 61.0, "classify": 102.0, "explain": 11.0, "total": 190.0},
}

BATCH: dict[str, Any] = {
    "items": [
        {"name": "lesion-1.jpg", "prediction": PREDICTION, "problem": None},
        {
            "name": "notes.txt",
            "prediction": None,
            "problem": {
                "type": "urn:dermacare:problem:wrong-type",
                "title": "The file is of a type that is not read",
                "status": 415,
                "detail": "notes.txt: is neither a JPEG nor a PNG; convert it or leave it out",
                "instance": "urn:uuid:5b0c2f6e-6c1d-4a58-9d0c-0e6f2f4b7a11",
                "errors": [{"field": "images", "message": "notes.txt: is neither a JPEG nor a PNG; convert it or leave it out"}],
            },
        },
    ]
}

SERVING: dict[str, Any] = {
    "entry": 12,
    "since": "2026-11-20T08:15:00Z",
    "classifier": {
        "reference": _CLASSIFIER,
        "run_id": "20261120-081500-1a2b",
        "parameters": 44_707_464,
        "input_height": 224,
        "input_width": 224,
        "calibrated": True,
        "refuses": True,
        "card": "# resnet101\n",
        "figures": [{"name": "balanced_accuracy", "value": 0.81, "low": 0.78, "high": 0.84, "images": 2533}],
        "diagnoses": [{"code": "MEL", "support": 452, "sensitivity": 0.79}],
        "confusion": {"codes": ["MEL", "NV"], "counts": [[357, 95], [41, 1240]]},
        "data": {"data_version": _DIGEST, "images": 25_331, "sources": ["isic:2019"], "licences": ["CC-BY-NC-4.0"]},
        "decision": {
            "outcome": "promote",
            "reason": "every gate holds",
            "policy": "clinical",
            "decided": "2026-11-20T08:15:00Z",
            "approved_by": ["eva@clinic"],
        },
        "limits": ["It knows the eight diagnoses of ISIC 2019 alone."],
        "missing": None,
    },
    "segmenter": None,
    "phantom": False,
    "notice": NOTICE,
    "stale": None,
}

LESION_TYPES: list[dict[str, Any]] = [
    {
        "code": "MEL",
        "name": "Melanoma",
        "malignant": True,
        "description": "Cancer of the pigment cells; the earlier it is cut out, the better the outlook.",
        "dermoscopy": "atypical pigment network, blue-white veil, irregular streaks and blotches, several colours, asymmetry",
        "colour": "#882255",
        "example": "/api/v1/classes/MEL/example",
        "confused_with": [{"code": "NV", "share": 0.21}],
    }
]
