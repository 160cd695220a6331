"""What happens to letters between the sign and the file: warping, grounds, light and the camera."""

from dataclasses import dataclass

import cv2
import numpy as np

cv2.setNumThreads(0)

MOST_REMAPPED = 2**15 - 1  # columns from which on OpenCV maps no picture: a longer line is not bent
MOST_JPEG = 65_500  # columns that a JPEG holds: a longer line is not compressed


@dataclass(frozen=True)
class Strength:
    """How hard a style treats its pictures. Probabilities are per picture; ``px`` are of the rendered picture."""

    light_on_dark: float  # probability of light text on dark ground
    least_contrast: int  # grey levels between ink and ground, at least
    rotation_degrees: float
    slant: float  # greatest shear, as pixels along a pixel of height
    perspective: float  # greatest shift of a corner, as share of the height
    bend: float  # probability of a curved baseline
    margin: float  # greatest margin around the ink, as share of the height
    halo: float  # probability of an outline, a shadow or a glow
    texture: float  # probability of a textured ground
    clutter: float  # probability of foreign edges and of slivers of neighbouring text
    uneven_light: float  # probability of a gradient or a cast shadow
    blur_px: float
    motion: float  # probability of a motion blur
    noise: float  # greatest deviation in grey levels
    lowest_quality: int  # of JPEG, 1 … 100
    heights_px: tuple[int, int]  # of the final picture
    whole_line: float  # probability that the height of the line shows, and not just that of the ink


STRENGTHS = {
    "clean": Strength(
        light_on_dark=0.2, least_contrast=70, rotation_degrees=1.5, slant=0.06, perspective=0.05, bend=0.04,
        margin=0.3, halo=0.06, texture=0.2, clutter=0.03, uneven_light=0.25, blur_px=0.9, motion=0.05, noise=8.0,
        lowest_quality=50, heights_px=(26, 56), whole_line=1.0,
    ),
    "scene": Strength(
        light_on_dark=0.48, least_contrast=36, rotation_degrees=5.0, slant=0.22, perspective=0.16, bend=0.12,
        margin=0.22, halo=0.24, texture=0.4, clutter=0.2, uneven_light=0.35, blur_px=1.4, motion=0.1, noise=14.0,
        lowest_quality=25, heights_px=(15, 60), whole_line=0.2,
    ),
}  # fmt: skip


def smooth_noise(shape: tuple[int, int], grid: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Soft blotches: float32 [H, W] in about -1 … 1 with grid random nodes along H and W."""
    nodes = generator.uniform(-1, 1, grid).astype(np.float32)
    return cv2.resize(nodes, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def warp(layers: np.ndarray, strength: Strength, generator: np.random.Generator) -> np.ndarray:
    """Turn, slant, tilt and bend layers alike: uint8 [H, W, C] → uint8 [H', W', C], cut to the last layer."""
    height, width = layers.shape[:2]
    # A quarter of the width at most: where corners of a narrow letter pass each other, it is torn in two.
    tilt = min(strength.perspective * height, width / 4)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved: np.ndarray = corners + generator.uniform(-tilt, tilt, (4, 2)).astype(np.float32)
    moved[:, 0] += generator.normal(0, strength.slant / 2) * (height / 2 - corners[:, 1])
    # Long lines are turned less: photographers hold them level.
    angle = np.radians(generator.normal(0, strength.rotation_degrees / 2)) * min(1.0, 4 * height / width)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    moved = np.asarray(moved @ turn.T, np.float32)
    pad = 2 + 0.1 * height
    rise = float(generator.uniform(0.1, 0.5)) * height if generator.random() < strength.bend else 0.0
    top_pad = pad + (abs(rise) if rise else 0.0)
    moved += np.array([pad, top_pad], np.float32) - moved.min(axis=0)
    size = (int(moved[:, 0].max() + pad) + 1, int(moved[:, 1].max() + top_pad) + 1)
    # The map from target to source; the bend moves the target up or down before it is mapped.
    matrix = cv2.getPerspectiveTransform(moved, corners)
    if not rise or size[0] >= MOST_REMAPPED:
        result = cv2.warpPerspective(layers, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    else:
        x, y = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
        along = 2 * x / size[0] - 1
        sign = 1.0 if generator.random() < 0.6 else -1.0
        y -= np.float32(sign * rise) * (along**2 - np.float32(0.5))
        w = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
        source_x = ((matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]) / w).astype(np.float32)
        source_y = ((matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]) / w).astype(np.float32)
        result = cv2.remap(layers, source_x, source_y, cv2.INTER_LINEAR)
    shown = result[..., -1]
    rows, columns = np.flatnonzero(shown.max(axis=1) > 60), np.flatnonzero(shown.max(axis=0) > 60)
    if rows.size == 0:
        return result
    return result[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def ground(
    shape: tuple[int, int], level: float, contrast: float, strength: Strength, generator: np.random.Generator
) -> np.ndarray:
    """What the letters stand on: float32 [H, W] in grey levels around ``level``, rough by a share of the contrast."""
    height, width = shape
    result = np.full(shape, level, np.float32)
    if generator.random() < strength.texture:
        depth = float(generator.uniform(0.05, 0.4)) * min(contrast, 100.0)
        kind = int(generator.integers(4))
        if kind == 0:  # stone, plaster, sky
            for divisor in (1, 3):
                grid = (2 + divisor, 2 + divisor * max(1, width // height))
                result += depth / divisor * smooth_noise(shape, grid, generator)
        elif kind == 1:  # wood, brushed metal
            result += depth * smooth_noise(shape, (max(4, height // 3), 3), generator)
        elif kind == 2:  # grain
            result += depth / 2 * smooth_noise(shape, (max(4, height // 3), max(4, width // 3)), generator)
        else:  # slats, bricks, a screen's lines
            period = float(generator.uniform(4, max(4, height)))
            slope = float(generator.uniform(-0.5, 0.5)) if generator.random() < 0.5 else 20.0
            rows, columns = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
            phase = (rows + slope * columns) * np.float32(2 * np.pi / period / max(1.0, abs(slope)))
            result += depth / 2 * np.sign(np.sin(phase))
    if generator.random() < strength.clutter:
        for _ in range(int(generator.integers(1, 4))):  # edges of frames, of other letters, of things behind
            shade = float(np.clip(level + generator.normal(0, 0.6) * contrast, 0, 255))
            start = (int(generator.integers(-height, width + height)), int(generator.integers(-4, height + 4)))
            end = (start[0] + int(generator.normal(0, width / 2)), start[1] + int(generator.normal(0, height / 2)))
            if generator.random() < 0.5:
                cv2.line(result, start, end, shade, int(generator.integers(1, 4)))
            else:
                top = 0 if generator.random() < 0.5 else height - int(generator.integers(1, 1 + max(1, height // 6)))
                cv2.rectangle(result, (start[0], top), (end[0], top + height // 6), shade, -1)
    return result


def light(image: np.ndarray, strength: Strength, generator: np.random.Generator) -> np.ndarray:
    """Uneven light over float32 [H, W]: a gradient, or the edge of a cast shadow."""
    if generator.random() >= strength.uneven_light:
        return image
    height, width = image.shape
    if generator.random() < 0.6:
        nodes = generator.uniform(0.6, 1.25, (2, 2)).astype(np.float32)
        return image * cv2.resize(nodes, (width, height), interpolation=cv2.INTER_LINEAR)
    edge = float(generator.uniform(0.1, 0.9)) * width
    slope = float(generator.normal(0, 1))
    rows, columns = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    softness = float(generator.uniform(0.5, 8))
    side = np.clip((columns + slope * rows - edge) / softness, -1, 1)
    return image * (1 + float(generator.uniform(-0.35, 0.35)) * side.astype(np.float32) / 2)


def photograph(image: np.ndarray, strength: Strength, generator: np.random.Generator) -> np.ndarray:
    """Take a picture: lens, distance, sensor, compression. float32 [H, W] → uint8 [H', W']."""
    height, width = image.shape
    if generator.random() < strength.motion:
        length = int(generator.integers(2, 2 + max(2, height // 8)))
        image = cv2.blur(image, (length, 1) if generator.random() < 0.7 else (1, length))
    target = int(generator.integers(strength.heights_px[0], strength.heights_px[1] + 1))
    if target < height:
        size = (max(2, round(width * target / height)), target)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    # A blur is bad in proportion to the size of the letters, not to that of the pixels.
    sigma = float(generator.uniform(0, strength.blur_px)) * image.shape[0] / 40
    if sigma > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    deviation = float(generator.uniform(0, strength.noise)) * float(generator.random())
    if deviation > 0.5:
        image = image + deviation * generator.standard_normal(image.shape, dtype=np.float32)
    if generator.random() < 0.12:  # grown again, as screens and web pages do
        factor = float(generator.uniform(1.2, 2.2))
        size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    if generator.random() < 0.15:  # oversharp, as cheap cameras do
        image = image + float(generator.uniform(0.3, 1.2)) * (image - cv2.GaussianBlur(image, (0, 0), 1.2))
    grey = np.clip(image + 0.5, 0, 255).astype(np.uint8)
    quality = int(generator.integers(strength.lowest_quality, 100))
    if quality < 90 and grey.shape[1] <= MOST_JPEG:
        # JPEG of one build of the library equals that of another only to a grey level or so; the rest is exact.
        _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return grey
