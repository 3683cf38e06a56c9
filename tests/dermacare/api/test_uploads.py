"""What is read of a form, without a server around it."""

import asyncio
import io

from fastapi import UploadFile

from dermacare.api.uploads import read_files, read_image_file
from tests.components.predict.drawn import lesion, png

IMAGE = png(lesion())


def test_what_is_read_lies_in_memory_once() -> None:
    files = [UploadFile(io.BytesIO(IMAGE), filename=f"{number}.png") for number in range(3)]
    assert asyncio.run(read_image_file(files[0])) == IMAGE
    assert [data for _, data in asyncio.run(read_files(files[1:]))] == [IMAGE, IMAGE]
    assert all(file.file.closed for file in files)
