"""What the server takes, at most."""

MIB = 1 << 20

IMAGE_BYTES = 25 * MIB
"""One encoded image. A phone's photograph has 3 to 10 MiB, ISIC's largest 8."""

IMAGE_PIXELS = 50_000_000
"""One decoded image: 150 MiB of RGB, in a process of its own."""

BATCH_IMAGES = 64
BATCH_BYTES = 200 * MIB
"""All images of a batch, as they are sent, and again as they lie in the ZIP unpacked."""

FORM_BYTES = 64 * 1024
"""What a form has beside its files: boundaries, headers, fields."""

ARRIVAL_SECONDS = 60.0
"""Until the last byte of a request is there."""

DECODE_SECONDS = 10.0
"""Fifty megapixels take two on a slow machine."""

WAITING = 32
"""Requests for predictions in progress at once: uploading, waiting and answered, each with its image in memory."""

BYTES_IN_PROGRESS = 512 * MIB
"""Of all their bodies together, so that a few large batches do not fill the memory."""
