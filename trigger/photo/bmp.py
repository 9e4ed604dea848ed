"""Decode run-length encoded bitmaps; Pillow fills their gaps byte by byte."""

from __future__ import annotations

from PIL import BmpImagePlugin, Image, ImageFile

_END_OF_LINE, _END_OF_BITMAP, _DELTA = 0, 1, 2
_RLE4_INDEX = 1  # of the decoder's arguments


class RunLengthDecoder(ImageFile.PyDecoder):
    """Decodes RLE4 and RLE8. Pixels that are skipped have the first color of the palette."""

    _pulls_fd = True

    def decode(self, buffer: Image.DecoderInput) -> tuple[int, int]:
        """Decode the whole picture.

        Raises:
            OSError: the data end before the picture does.
        """
        assert self.fd is not None
        width, height = self.state.xsize, self.state.ysize
        pixels = _decode(self.fd.read(), width, height, rle4=bool(self.args[_RLE4_INDEX]))
        rawmode = "L" if self.mode == "L" else "P"
        self.set_as_raw(bytes(pixels), rawmode, (0, self.args[-1]))
        return -1, 0


class Bmp(BmpImagePlugin.BmpImageFile):
    """A BMP whose runs are decoded here."""

    def load_prepare(self) -> None:
        """Put this module's decoder in the place of Pillow's."""
        self.tile = [
            tile._replace(codec_name=RLE_CODEC) if tile.codec_name == "bmp_rle" else tile
            for tile in self.tile
        ]
        super().load_prepare()


RLE_CODEC = "trigger_bmp_rle"
Image.register_decoder(RLE_CODEC, RunLengthDecoder)


def is_run_length(image: ImageFile.ImageFile) -> bool:
    """Whether a BMP that was opened is run-length encoded."""
    return any(tile.codec_name == "bmp_rle" for tile in image.tile)


def _decode(data: bytes, width: int, height: int, *, rle4: bool) -> bytearray:
    """Return the palette indices of all rows in the order of the file."""
    pixels = bytearray(width * height)
    x = y = position = 0
    while y < height:
        if position + 2 > len(data):
            raise OSError("image file is truncated: its runs end before the picture")
        count, value = data[position], data[position + 1]
        position += 2
        if count:
            values = (
                bytes([value >> 4, value & 15]) * ((count + 1) // 2) if rle4 else bytes([value])
            )
            run = values[:count] if rle4 else values * count
        elif value == _END_OF_LINE:
            x, y = 0, y + 1
            continue
        elif value == _END_OF_BITMAP:
            if y * width + x < width * height:
                raise OSError("image file is truncated: it ends before its last row")
            break
        elif value == _DELTA:
            if position + 2 > len(data):
                raise OSError("image file is truncated: its runs end before the picture")
            x, y = x + data[position], y + data[position + 1]
            position += 2
            continue
        else:
            size = (value + 1) // 2 if rle4 else value
            run = data[position : position + size]
            if len(run) < size:
                raise OSError("image file is truncated: its runs end before the picture")
            if rle4:
                run = bytes(half for byte in run for half in (byte >> 4, byte & 15))[:value]
            position += size + size % 2
        run = run[: max(0, width - x)]
        start = y * width + x
        pixels[start : start + len(run)] = run
        x += len(run)
    return pixels
