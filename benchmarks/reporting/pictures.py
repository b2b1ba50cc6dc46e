"""Pictures of a record: samples, interpolations, densities on the plane, as one image each."""

import base64
import html
import io
import math
from typing import TYPE_CHECKING

from benchmarks.files.errors import InputError
from benchmarks.record.records import EntryRecord, Picture
from benchmarks.reporting.figures import Figure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_IMAGES = 100  # of a picture
MOST_LEVELS = 120_000  # of a picture, colours counted apart: what a page can carry of each
BETWEEN = 0.5  # grey level of the lines between images
SIDE, WIDE = 374, 538  # CSS pixels; wide where a sheet is more than half as wide again as high


def pictures(record: EntryRecord) -> list[Figure]:
    """A figure for each picture of the record; raises InputError when its bytes are damaged."""
    return [_figure(record, picture) for picture in record.pictures]


def _figure(record: EntryRecord, picture: Picture) -> Figure:
    try:
        array = picture.array()
    except InputError as error:
        raise InputError(f"entry {record.entry}: {error}") from None
    sheet = _sheet(array, picture)
    height, width = sheet.shape[:2]
    title = f"{record.entry}: {picture.name}"

    kind = "colour" if array.ndim == 4 else "grey"
    alt = f"{title}: {picture.title}; {kind} images of {array.shape[-2]} by {array.shape[-1]} pixels."
    source = f"data:image/png;base64,{base64.b64encode(_png(sheet)).decode()}"
    across = WIDE if width > 1.5 * height else SIDE
    markup = f'<img width="{across}" alt="{html.escape(alt)}" src="{source}">'  # the page enlarges it pixel by pixel
    return Figure(f"{picture.name}_{record.entry}", f"{title}, {picture.title}", alt, markup)


def _png(sheet: "NDArray[np.float64]") -> bytes:
    import numpy as np
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.rint(255 * sheet).astype(np.uint8)).save(file, "png", optimize=True)
    return file.getvalue()


def _sheet(array: "NDArray[np.uint8]", picture: Picture) -> "NDArray[np.float64]":
    """The first images side by side, (height, width) or (height, width, 3) on a scale from 0 to 1."""
    import numpy as np

    levels = np.clip(array / picture.top, 0, 1)
    images = levels.transpose(0, 2, 3, 1) if array.ndim == 4 else levels
    most = min(MOST_IMAGES, max(1, MOST_LEVELS // images[0].size))
    across = min(len(images), picture.columns or math.ceil(math.sqrt(min(len(images), most))))
    if len(images) > most:
        images = images[: max(1, most // across) * across]  # whole rows
    down = math.ceil(len(images) / across)
    height, width = images.shape[1:3]
    sheet = np.full((down * (height + 1) - 1, across * (width + 1) - 1, *images.shape[3:]), BETWEEN)
    for place, image in enumerate(images):
        top, left = place // across * (height + 1), place % across * (width + 1)
        sheet[top : top + height, left : left + width] = image
    return sheet
