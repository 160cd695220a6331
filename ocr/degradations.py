"""What age, print and cameras do to text: strokes, fading, blots, the other side, neighbouring lines, light, JPEG.

Each function takes slices float32 [T, F] (columns of a text image from left to right, rows from top to bottom), the
value of the ground, a strength and a generator; it returns new slices of the same shape whose values lie between the
least and the greatest of the old ones. Which of the two is ink is read off: the one further from the ground. A blank
picture comes back as it was. Lengths in the picture are shares of its height.
"""

import cv2
import numpy as np

cv2.setNumThreads(0)

# Spacing of the nodes of smooth fields: patches of weak ink are about as large as a letter, light changes slower.
PATCH, LIGHT = 0.6, 2.5
# Share of the ink that must be left of thinner strokes; bolder ones have at most the inverse.
INK_KEPT = 0.4
# Radii of blots.
BLOT_RADII = (0.03, 0.16)
MAX_BLOTS = 30
# How far the ink of the other side spreads on its way through the paper, as deviation of a Gaussian.
BLEED_BLUR = 0.06
# Lowest quality of JPEG, at strength 1.
LOWEST_QUALITY = 5


def strokes(slices: np.ndarray, ground: float, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Bolder or thinner strokes: a dilation or an erosion in full, by a rectangle or an ellipse.

    ``strength`` is the greatest side of the kernel in pixels beyond 1. Where thin strokes would go, or narrow gaps
    between them, the picture stays as it is.
    """
    along, across = (int(side) for side in generator.integers(1, int(strength) + 2, 2))
    along += along == across == 1
    shape = cv2.MORPH_RECT if generator.random() < 0.5 else cv2.MORPH_ELLIPSE
    # OpenCV's x runs along the last axis: here the rows of the text image.
    kernel = cv2.getStructuringElement(shape, (across, along))
    change = cv2.dilate if generator.random() < 0.5 else cv2.erode
    changed = change(slices, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=ground)
    before, after = (float(np.abs(each - np.float32(ground)).sum()) for each in (slices, changed))
    return changed if INK_KEPT * before <= after <= before / INK_KEPT else slices


def fading(slices: np.ndarray, ground: float, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Ink that is weak in patches, by up to this share."""
    share = float(generator.uniform(0, strength)) * _patches(slices.shape, PATCH, generator)
    return slices + share * (np.float32(ground) - slices)


def blots(slices: np.ndarray, ground: float, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Spots of ink, and holes in it: up to ``strength`` on a stretch as long as the line is high."""
    num_slices, height = slices.shape
    ink = _ink(slices, ground)
    most = max(1, min(MAX_BLOTS, round(strength * num_slices / height)))
    changed = slices.copy()
    for _ in range(int(generator.integers(1, most + 1))):
        radii = [max(1, round(height * float(generator.uniform(*BLOT_RADII)))) for _ in range(2)]
        centre = int(generator.integers(height)), int(generator.integers(num_slices))
        value = ink if generator.random() < 0.6 else ground
        # Not always at full strength: value and what was there, by a share.
        weight = float(generator.uniform(0.4, 1))
        left, top = (max(0, middle - radius) for middle, radius in zip(centre, radii, strict=True))
        part = changed[top : centre[1] + radii[1] + 1, left : centre[0] + radii[0] + 1]
        mask = np.zeros(part.shape, np.float32)
        cv2.ellipse(mask, (centre[0] - left, centre[1] - top), radii, 0.0, 0.0, 360.0, weight, -1)
        part += mask * (np.float32(value) - part)
    return changed


def bleed_through(slices: np.ndarray, ground: float, strength: float, generator: np.random.Generator) -> np.ndarray:
    """The other side of the leaf, faint and mirrored. Its text is this line's own, moved along and up or down."""
    height = slices.shape[1]
    other = np.roll(slices[::-1], int(generator.integers(len(slices))), axis=0)
    other = _moved(other, int(generator.integers(-height // 2, height // 2 + 1)), ground)
    other = cv2.GaussianBlur(np.ascontiguousarray(other), (0, 0), max(0.3, BLEED_BLUR * height))
    share = np.float32(generator.uniform(0, strength))
    return _darker(slices, ground + share * (other - np.float32(ground)), ground)


def neighbours(slices: np.ndarray, ground: float, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Slivers of the lines above and below, up to this share of the height. Their text is this line's own."""
    height = slices.shape[1]
    distance = np.abs(slices - np.float32(ground)).max(axis=0)
    inked = np.flatnonzero(distance > 0.5 * distance.max())
    if not len(inked):
        return slices
    changed = slices
    # The first row of ink below comes up to the lower edge, the last one above down to the upper edge.
    for edge, towards, row in ((height, -1, inked[0]), (-1, 1, inked[-1])):
        depth = round(height * float(generator.uniform(0, strength)))
        if depth:
            other = np.roll(slices, int(generator.integers(len(slices))), axis=0)
            changed = _darker(changed, _moved(other, edge + towards * depth - int(row), ground), ground)
    return changed


def uneven_ground(slices: np.ndarray, ground: float, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Stains and shadows: the ground comes nearer to the ink, by up to this share and smoothly; ink stays."""
    ink = np.float32(_ink(slices, ground))
    share = float(generator.uniform(0, strength)) * _patches(slices.shape, LIGHT, generator)
    return slices + share * (ink - slices)


def jpeg(slices: np.ndarray, ground: float, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Through JPEG and back, at a quality from 100 down to ``LOWEST_QUALITY`` at strength 1."""
    low, high = float(slices.min()), float(slices.max())
    quality = round(100 - (100 - LOWEST_QUALITY) * float(generator.uniform(0, strength)))
    if high <= low:
        return slices
    grey = ((slices - low) * (255 / (high - low)) + 0.5).astype(np.uint8)
    _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    back = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.float32)
    return back * np.float32((high - low) / 255) + np.float32(low)


# In the order of their happening: on the paper, on the page, in the camera. The names are those of the settings.
DEGRADATIONS = {
    "stroke_px": strokes,
    "fading": fading,
    "bleed_through": bleed_through,
    "neighbours": neighbours,
    "blots": blots,
    "uneven_ground": uneven_ground,
    "jpeg": jpeg,
}


def degrade(
    slices: np.ndarray,
    strengths: dict[str, float],
    probability: float,
    ground: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Each degradation with a strength above 0, with this probability: float32 [T, F] of float32 [T, F].

    Whether one is chosen and what it draws hangs on no other: each has a generator of its own, by its place in the
    table.
    """
    low, high = float(slices.min()), float(slices.max())
    if high <= low:
        return slices
    chosen = generator.random(len(DEGRADATIONS)) < probability
    seeds = generator.integers(2**63, size=len(DEGRADATIONS)).tolist()
    for number, (name, change) in enumerate(DEGRADATIONS.items()):
        if chosen[number] and strengths[name]:
            slices = change(slices, ground, strengths[name], np.random.default_rng(seeds[number]))
    return np.clip(slices, low, high, dtype=np.float32)


def _ink(slices: np.ndarray, ground: float) -> float:
    """The value furthest from the ground."""
    low, high = float(slices.min()), float(slices.max())
    return high if high - ground >= ground - low else low


def _patches(shape: tuple[int, ...], spacing: float, generator: np.random.Generator) -> np.ndarray:
    """A smooth field float32 [T, F] from 0 to 1 with a node every ``spacing`` heights."""
    num_slices, height = shape
    pixels = spacing * height
    nodes = generator.random((2 + int(num_slices / pixels), 2 + int(height / pixels)), dtype=np.float32)
    return cv2.resize(nodes, (height, num_slices), interpolation=cv2.INTER_LINEAR)


def _moved(slices: np.ndarray, rows: int, ground: float) -> np.ndarray:
    """Moved down by so many rows (up where negative), ground behind it."""
    moved = np.full_like(slices, ground)
    height = slices.shape[1]
    if rows >= 0:
        moved[:, rows:] = slices[:, : max(0, height - rows)]
    else:
        moved[:, :rows] = slices[:, -rows:]
    return moved


def _darker(first: np.ndarray, second: np.ndarray, ground: float) -> np.ndarray:
    """Of two inks on one ground what is seen: the one further from the ground."""
    inks_are_high = _ink(first, ground) >= ground
    return np.maximum(first, second) if inks_are_high else np.minimum(first, second)
