"""Draw the picture of one sheet: A and B side by side, whole and at full resolution."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from annotation.manifest import Pair, Side, read_picture
from annotation.order import Showing
from annotation.pictures import most_changed
from trigger.photo import read_photo
from trigger.photo.encode import jpeg_bytes

# A sheet of about a megapixel: raters that are models see larger ones reduced, and then the
# window no longer at 100 %.
COLUMN = 480
MAX_PHOTO_HEIGHT = 400
GAP = 12
HEADER = 40
CAPTION = 26
_JPEG_QUALITY = 95


def draw_sheet(name: str, folder: Path, showing: Showing) -> bytes:
    """Return the sheet of a showing as JPEG.

    Args:
        name: printed on top.
        folder: PAIRS.
        showing: which pair, and on which side the enhanced photo is.

    Raises:
        DataError: a picture is gone or has been changed.
    """
    pair = showing.pair
    left, right = (
        (pair.after, pair.before) if showing.after == "left" else (pair.before, pair.after)
    )
    rows = [("whole photo", [_whole(folder, side) for side in (left, right)])]
    if rows[0][1][0].size == (pair.width, pair.height):
        rows = [("whole photo, 100 %", rows[0][1])]
    else:
        windows = _windows(folder, pair)
        rows.append(
            ("where they differ most, 100 %", windows if left is pair.before else windows[::-1])
        )
    return _encode(_compose(name, rows))


def _whole(folder: Path, side: Side) -> Image.Image:
    photo = _read(folder, side, "display")
    photo.thumbnail((COLUMN, MAX_PHOTO_HEIGHT), Image.Resampling.LANCZOS)
    return photo


def _windows(folder: Path, pair: Pair) -> list[Image.Image]:
    """Return the most changed part of the crops, before and after, at full resolution."""
    before, after = (_read(folder, side, "crop") for side in (pair.before, pair.after))
    box = most_changed(before, after, COLUMN)
    return [before.crop(box), after.crop(box)]


def _read(folder: Path, side: Side, which: str) -> Image.Image:
    picture = getattr(side, which)
    return read_photo(read_picture(folder, picture), name=picture.file).image.copy()


def _compose(name: str, rows: list[tuple[str, list[Image.Image]]]) -> Image.Image:
    width = 2 * COLUMN + 3 * GAP
    heights = [max(picture.height for picture in pictures) for _, pictures in rows]
    sheet = Image.new("RGB", (width, HEADER + sum(heights) + len(rows) * CAPTION + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    columns = [GAP + COLUMN // 2, 2 * GAP + COLUMN + COLUMN // 2]
    large, small = ImageFont.load_default(26), ImageFont.load_default(15)
    draw.text((width // 2, HEADER // 2), name, "black", large, anchor="mm")
    for letter, center in zip("AB", columns, strict=True):
        draw.text((center, HEADER // 2), letter, "black", large, anchor="mm")
    top = HEADER
    for (caption, pictures), height in zip(rows, heights, strict=True):
        draw.text((width // 2, top + CAPTION // 2), caption, "black", small, anchor="mm")
        top += CAPTION
        for picture, center in zip(pictures, columns, strict=True):
            sheet.paste(picture, (center - picture.width // 2, top))
        top += height
    return sheet


def _encode(sheet: Image.Image) -> bytes:
    return jpeg_bytes(sheet, quality=_JPEG_QUALITY)
