"""The typefaces that text images are rendered in: pip packages ``fontpkg-<family>``, each with its .ttf files.

All are under the SIL Open Font Licence 1.1 or Apache-2.0. ``requirements/fonts.in`` pins the same families.
"""

import importlib.util
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from common.errors import GlyphoneError
from ocr.own_fonts import own_families

# By style, so that the families held out (every eighth) come from all styles.
FAMILIES: dict[str, str] = {
    "condensed": """archivo-narrow barlow-condensed bebas-neue dosis fjalla-one oswald pt-sans-narrow rajdhani
        roboto-condensed saira-condensed teko yanone-kaffeesatz""",
    "display": """abril-fatface alfa-slab-one anton archivo-black black-ops-one bungee changa-one gravitas-one
        lilita-one lobster lobster-two luckiest-guy oleo-script orbitron press-start-2p ramabhadra righteous rowdies
        russo-one titan-one unbounded""",
    "hand": """caveat dancing-script delius great-vibes indie-flower kalam pacifico permanent-marker satisfy
        shadows-into-light yellowtail zeyada""",
    "mono": "dm-mono ibm-plex-mono inconsolata share-tech source-code-pro space-mono",
    "sans": """abel acme archivo arimo asap cabin chakra-petch comfortaa exo-2 fredoka hammersmith-one josefin-sans
        jost lexend libre-franklin maven-pro montserrat mulish news-cycle nunito open-sans play pt-sans quicksand
        raleway roboto rubik source-sans-3 syne titillium-web varela-round viga work-sans""",
    "serif": """andada-pro bodoni-moda cardo cinzel cormorant-garamond crimson-text dm-serif-display domine
        eb-garamond ibm-plex-serif libre-baskerville lora marcellus playfair-display pt-serif vollkorn""",
    "slab": "antic-slab arvo bitter roboto-slab sanchez slabo-27px",
}
# Of one script, chosen by name alone. They come behind all others, whose places, and so their splits, stay as they are.
SCRIPT_FAMILIES: dict[str, str] = {
    "arabic": "almarai amiri cairo ibm-plex-sans-arabic noto-sans-arabic tajawal",
}
# Their small letters look like capitals: a text in them is a text in capitals.
CAPITALS_ONLY = frozenset({"bebas-neue", "bungee", "cinzel", "luckiest-guy", "permanent-marker"})
HOLD_OUT_EVERY = 8
TEST_PLACE, VALIDATION_PLACE = 3, 7
# Thinner strokes than this weight vanish at 32 pixels.
LIGHTEST_WEIGHT = 250
# Name of the optical size among the axes of a variable font; others but Weight and Width stay at their default.
WEIGHT_AXIS, WIDTH_AXIS = b"Weight", b"Width"


def families(styles: tuple[str, ...] = ()) -> list[str]:
    """Names of the families of some styles, sorted by style; none: of all but those of one script.

    Raises:
        GlyphoneError: unknown style.
    """
    known = FAMILIES | SCRIPT_FAMILIES
    for style in styles:
        if style not in known:
            raise GlyphoneError(f"font style {style!r}; allowed are {', '.join(known)}")
    return [family for style in known if style in (styles or FAMILIES) for family in known[style].split()]


def all_families() -> list[str]:
    """Those of every style."""
    return families((*FAMILIES, *SCRIPT_FAMILIES))


def faces_of_split(
    split: str, held_out: frozenset[str], styles: tuple[str, ...] = (), folder: str = ""
) -> dict[str, list[str]]:
    """Family → keys of its faces, for one split; the splits share no family.

    Every eighth family in the order of ``all_families`` is kept for test, and every eighth for validation, if these
    splits are in ``held_out`` (have samples); all others are for train.

    Args:
        styles: those to choose from; none: all but those of one script.
        folder: of own fonts that take the place of the packages; see ``own_families``.

    Raises:
        GlyphoneError: no family is left for the split, or as of the functions that find them.
    """
    own = own_families(folder) if folder else {}
    of_split: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for place, family in enumerate(own or all_families()):
        keeper = {TEST_PLACE: "test", VALIDATION_PLACE: "validation"}.get(place % HOLD_OUT_EVERY, "train")
        of_split[keeper if keeper in held_out else "train"].append(family)
    chosen = set(own or families(styles))
    result = {family: own.get(family) or keys(family) for family in of_split[split] if family in chosen}
    if not result:
        where = folder or f"the styles {', '.join(styles)}"
        raise GlyphoneError(f"no font family of {where} is left for {split}; {split} without samples needs none")
    return result


@lru_cache(maxsize=256)
def files(family: str) -> tuple[str, ...]:
    """Stems of the font files of a family, sorted. Raises GlyphoneError when its package is not installed."""
    return tuple(sorted(file.stem for file in _folder(family).glob("*.ttf")))


def keys(family: str) -> list[str]:
    """``family/file`` of each face of a family."""
    return [f"{family}/{file}" for file in files(family)]


def file(key: str) -> Path:
    """The file of a face. Raises GlyphoneError where the package or the file is missing."""
    if Path(key).is_absolute():  # of own_families
        if not Path(key).is_file():
            raise GlyphoneError(f"font {key}: no such file")
        return Path(key)
    family, _, stem = key.partition("/")
    path = _folder(family) / f"{stem}.ttf"
    if not path.is_file():
        raise GlyphoneError(f"font {key!r}: fontpkg-{family} has no such file")
    return path


@lru_cache(maxsize=64)
def load(
    key: str,
    size_px: int,
    weight_step: int,
    width_step: int,
    layout: ImageFont.Layout = ImageFont.Layout.BASIC,
) -> ImageFont.FreeTypeFont:
    """A face ready for drawing.

    Args:
        key: ``family/file``, or the absolute path of a file.
        size_px: pixels of the em square.
        weight_step, width_step: 0 … 8, from the lightest to the heaviest and from the narrowest to the widest that a
            variable font offers; a font without that axis has one weight and one width.
        layout: BASIC, letter by letter, or RAQM (``ocr.shaping``).

    Raises:
        GlyphoneError: the package or the file is missing.
    """
    font = ImageFont.truetype(str(file(key)), size_px, layout_engine=layout)
    if "[" in Path(key).name:  # by convention variable fonts name their axes: Oswald[wght].ttf
        try:
            axes = font.get_variation_axes()
        except OSError:  # a file of one's own that is called so: Old Print [draft].ttf
            return font
        values: list[float] = []
        for axis in axes:
            low, high, value = (float(axis[key] or 0) for key in ("minimum", "maximum", "default"))
            if axis["name"] == WEIGHT_AXIS:
                low = max(low, LIGHTEST_WEIGHT)
                value = low + round((high - low) * weight_step / 8)
            elif axis["name"] == WIDTH_AXIS:
                value = low + round((high - low) * width_step / 8)
            values.append(value)
        font.set_variation_by_axes(values)
    return font


@lru_cache(maxsize=256)
def _folder(family: str) -> Path:
    found = importlib.util.find_spec("fontpkg_" + family.replace("-", "_"))
    if found is None or not found.submodule_search_locations:
        raise GlyphoneError(
            f"the font package fontpkg-{family} is not installed; install requirements/fonts.in, as make setup does"
        )
    return Path(found.submodule_search_locations[0]) / "files"
