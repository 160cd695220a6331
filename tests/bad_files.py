"""Files that users really have and that are not what they seem, by name: content, and the reason it is rejected for."""

import io
import struct
import zlib

import numpy as np
import soundfile
from PIL import Image, ImageDraw

RATE_HZ = 8000
Files = dict[str, tuple[bytes, str]]


def noise(number: int, seconds: float = 0.5) -> np.ndarray:
    """A sound of its own for each number, float64 [N]."""
    return 0.2 * np.random.default_rng(number).normal(size=round(seconds * RATE_HZ)).clip(-3, 3)


def sound(waveform: np.ndarray, subtype: str = "PCM_16", kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform, RATE_HZ, format=kind, subtype=subtype)
    return file.getvalue()


def drawn(number: int, mode: str = "L", size: tuple[int, int] = (120, 40)) -> Image.Image:
    """A picture of its own for each number, dark on light."""
    image = Image.new("L", size, 240)
    ImageDraw.Draw(image).text((8, 12), f"word {number}", fill=10)
    return image.convert(mode)


def picture(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces its size and holds next to nothing."""
    chunks = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1000)))
    parts = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def sounds() -> Files:
    """Each of length 0.5 s where it is one."""
    whole = sound(noise(100))
    return {
        "silent.wav": (sound(np.zeros(RATE_HZ // 2)), ""),
        "8-bit.wav": (sound(noise(101), "PCM_U8"), ""),
        "32-channels.wav": (sound(np.stack([noise(200 + channel) for channel in range(32)], axis=1)), ""),
        "really a flac.wav": (sound(noise(102), kind="FLAC"), ""),
        "empty.wav": (b"", "unreadable"),
        "truncated.wav": (whole[: len(whole) // 2], "unreadable"),
        "truncated.flac": (sound(noise(103), kind="FLAC")[:2000], "unreadable"),
        "zero-length.wav": (sound(np.zeros(0)), "empty_signal"),
        "text.wav": (b"this is no sound\n" * 40, "unreadable"),
        "picture.wav": (picture(drawn(100)), "unreadable"),
        "65-channels.wav": (sound(np.zeros((100, 65))), "over_limit"),
        "nan.wav": (sound(np.full(4000, np.nan), "FLOAT"), "unreadable"),
    }


def pictures() -> Files:
    whole = picture(drawn(100))
    deep = Image.fromarray(np.asarray(drawn(101), np.uint16) * 257)
    frames = [drawn(number) for number in (102, 103)]
    return {
        "1x1.png": (picture(Image.new("L", (1, 1), 7)), ""),
        "16-bit.png": (picture(deep), ""),
        "cmyk.jpg": (picture(drawn(104, "CMYK"), "JPEG"), ""),
        "animated.gif": (picture(frames[0], "GIF", save_all=True, append_images=frames[1:]), "several_pictures"),
        "pages.tif": (picture(frames[0], "TIFF", save_all=True, append_images=frames[1:]), "several_pictures"),
        "transparent.png": (picture(drawn(105, "LA")), ""),
        "really a jpeg.png": (picture(drawn(106), "JPEG"), ""),
        "empty.png": (b"", "unreadable"),
        "truncated.png": (whole[: len(whole) // 2], "unreadable"),
        "corrupt.png": (whole[:60] + bytes(len(whole) - 60), "unreadable"),
        "huge.png": (png_header(60_000, 60_000), "over_limit"),
        "text.png": (b"this is no picture\n" * 40, "unreadable"),
        "sound.png": (sound(noise(104)), "unreadable"),
        "drawing.png": (b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>', "unreadable"),
    }


# Modality → (the odd files, what makes a good one, its suffix).
ODD = {
    "audio": (sounds, lambda number: sound(noise(number)), ".wav"),
    "ocr": (pictures, lambda number: picture(drawn(number)), ".png"),
}
