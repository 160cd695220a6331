"""Voices of other programs, where these are installed: other people than the voice that is a package, some abroad.

A voice of another language reads English in that language's spelling, and speaks it as its people do.
"""

import re
import shutil
import subprocess
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from common.errors import GlyphoneError, SampleError

PATIENCE_S = 60
# Of its heap: it takes half a second to lay out the ten million that it takes by itself.
FESTIVAL_CELLS = "1000000"


@dataclass(frozen=True)
class Voice:
    """One speaker of one program.

    Attributes:
        engine: a key of ENGINES.
        name: as the engine calls it.
        package: of Debian and Ubuntu.
        licence: of the voice.
        language: ISO 639-1, a key of ``audio.respelling.SPELLINGS``; en reads English.
        pitch_hz: mean, where the engine has to be told.
        encoding: of the texts that it reads.
    """

    engine: str
    name: str
    package: str
    licence: str
    language: str = "en"
    pitch_hz: float = 0.0
    encoding: str = "utf-8"


def _flite(name: str, pitch_hz: float) -> Voice:
    return Voice("flite", name, "flite", "BSD-like (Carnegie Mellon University)", pitch_hz=pitch_hz)


def _festival(name: str, package: str, licence: str, language: str = "en", encoding: str = "iso-8859-1") -> Voice:
    return Voice("festival", name, f"festvox-{package}", licence, language, encoding=encoding)


def _espeak(name: str, language: str = "en") -> Voice:
    return Voice("espeak-ng", name, "espeak-ng", "GPL-3.0-or-later", language)


# Name in samples' paths and groups → voice.
VOICES: Mapping[str, Voice] = {
    "flite-awb": _flite("awb", 105),
    "flite-kal": _flite("kal16", 105),
    "flite-rms": _flite("rms", 105),
    "flite-slt": _flite("slt", 170),
    "festival-ked": _festival("ked_diphone", "kdlpc16k", "MIT-like (University of Edinburgh)"),
    "festival-lp": _festival("lp_diphone", "italp16k", "GPL-2.0-or-later", "it"),
    "festival-pc": _festival("pc_diphone", "itapc16k", "GPL-2.0-or-later", "it"),
    "festival-dita": _festival("czech_dita", "czech-dita", "GPL-3.0-or-later", "cs", "iso-8859-2"),
    "festival-krb": _festival("czech_krb", "czech-krb", "GPL-3.0-or-later", "cs", "iso-8859-2"),
    "festival-machac": _festival("czech_machac", "czech-machac", "GPL-3.0-or-later", "cs", "iso-8859-2"),
    "festival-ph": _festival("czech_ph", "czech-ph", "GPL-2.0-or-later", "cs", "iso-8859-2"),
    "festival-lj": _festival("suo_fi_lj_diphone", "suopuhe-lj", "LGPL-2.0-or-later", "fi"),
    "festival-mv": _festival("hy_fi_mv_diphone", "suopuhe-mv", "LGPL-2.0-or-later", "fi"),
    "espeak-us": _espeak("en-us"),
    "espeak-gb": _espeak("en-gb"),
    "espeak-scotland": _espeak("en-gb-scotland"),
    "espeak-caribbean": _espeak("en-029"),
    **{f"espeak-{each}": _espeak(each, each) for each in ("cs", "de", "es", "fi", "fr", "it")},
}
# How letters are called, for voices that would read A as the article.
LETTERS = {
    "a": "ay", "b": "bee", "c": "see", "d": "dee", "e": "ee", "f": "eff", "g": "jee", "h": "aitch", "i": "eye",
    "j": "jay", "k": "kay", "l": "ell", "m": "em", "n": "en", "o": "oh", "p": "pee", "q": "cue", "r": "ar",
    "s": "ess", "t": "tee", "u": "you", "v": "vee", "w": "double-you", "x": "ex", "y": "why", "z": "zee",
}  # fmt: skip
# Other vocal tracts of eSpeak NG, a man or woman each; the first is its own.
TRACTS = ("", "+m1", "+m2", "+m3", "+m4", "+m5", "+m7", "+f1", "+f2", "+f3", "+f4", "+f5")


def names(engines: Iterable[str]) -> list[str]:
    """Names of all voices of some engines, after making sure that they are installed.

    Raises:
        GlyphoneError: some are not; it names their packages.
    """
    wanted = {name: voice for name, voice in VOICES.items() if voice.engine in set(engines)}
    there = {engine: ENGINES[engine].installed() for engine in set(engines)}
    missing = {
        package
        for voice in wanted.values()
        if voice.name not in there[voice.engine]
        for package in (voice.engine, voice.package)
    }
    if missing:
        raise GlyphoneError(
            f"voices: not all of {', '.join(sorted(set(engines)))} are installed here; Debian and Ubuntu have them as "
            f"packages: apt install {' '.join(sorted(missing))}"
        )
    return sorted(wanted)


def speak(
    voice: Voice, text: str, tempo: float, pitch: float, generator: np.random.Generator
) -> tuple[np.ndarray, int]:
    """A text that is spelled for the voice, as it speaks it.

    Args:
        tempo, pitch: × the voice's own. Festival keeps its pitch.
        generator: draws a vocal tract, where the engine has several.

    Returns:
        Sound float32 [N] with the silence around it, and its rate in Hz.

    Raises:
        SampleError: the program is missing or failed, or there is nothing to hear.
    """
    import soundfile

    with tempfile.TemporaryDirectory(prefix="glyphone-voice-") as folder:
        sound = Path(folder) / "voice.wav"
        command = ENGINES[voice.engine].command(voice, text, tempo, pitch, generator, sound)
        try:
            subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE_S)
            waveform, rate_hz = soundfile.read(sound, dtype="float32")
        except (OSError, subprocess.SubprocessError, soundfile.SoundFileError) as error:
            told = f"{type(error).__name__}: {error}".splitlines()[0]
            raise SampleError("unreadable", f"voice {voice.engine} {voice.name} cannot say {text!r}: {told}") from None
    if waveform.ndim > 1:
        waveform = waveform[:, 0]
    return waveform, rate_hz


def readable(text: str) -> str:
    """English for a voice that reads it: letters without accents, digits, apostrophes; a letter alone by its name."""
    letters = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return " ".join(LETTERS.get(word, word) for word in re.findall(r"[a-z0-9']+", letters.lower()))


@dataclass(frozen=True)
class Engine:
    """A program that speaks.

    Attributes:
        command: (voice, text, tempo, pitch, generator, file to write) → how it is called.
        installed: → names of its voices here; none where the program is missing.
    """

    command: Callable[[Voice, str, float, float, np.random.Generator, Path], Sequence[str]]
    installed: Callable[[], frozenset[str]]


def _flite_command(
    voice: Voice, text: str, tempo: float, pitch: float, generator: np.random.Generator, sound: Path
) -> list[str]:
    prosody = [f"duration_stretch={1 / tempo:.4f}", f"int_f0_target_mean={voice.pitch_hz * pitch:.1f}"]
    options = [part for each in prosody for part in ("--setf", each)]
    return ["flite", "-voice", voice.name, *options, "-t", text, "-o", str(sound)]


def _festival_command(
    voice: Voice, text: str, tempo: float, pitch: float, generator: np.random.Generator, sound: Path
) -> list[str]:
    script = sound.with_suffix(".scm")
    said = re.sub(r'["\\]', "", text)
    script.write_text(
        f"(voice_{voice.name})\n"
        f"(Parameter.set 'Duration_Stretch {1 / tempo:.4f})\n"
        f'(utt.save.wave (utt.synth (Utterance Text "{said}")) "{sound}" \'riff)\n',
        encoding=voice.encoding,
        errors="replace",
    )
    return ["festival", "--heap", FESTIVAL_CELLS, "-b", str(script)]


def _espeak_command(
    voice: Voice, text: str, tempo: float, pitch: float, generator: np.random.Generator, sound: Path
) -> list[str]:
    tract = TRACTS[int(generator.integers(len(TRACTS)))]
    # Words a minute, and its scale of pitch from 0 to 99, whose middle is the voice's own.
    prosody = ["-s", f"{140 * tempo:.0f}", "-p", f"{np.clip(50 + 100 * np.log2(pitch), 0, 99):.0f}"]
    return ["espeak-ng", "-v", voice.name + tract, *prosody, "-w", str(sound), text]


@lru_cache(maxsize=1)
def _flite_voices() -> frozenset[str]:
    return frozenset(_told("flite", "-lv").partition(":")[2].split())


@lru_cache(maxsize=1)
def _festival_voices() -> frozenset[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".scm") as script:
        script.write("(print (voice.list))\n")
        script.flush()
        return frozenset(re.findall(r"\w+", _told("festival", "-b", script.name)))


@lru_cache(maxsize=1)
def _espeak_voices() -> frozenset[str]:
    # Its list has other names than those that it is called by.
    return frozenset(each.name for each in VOICES.values()) if shutil.which("espeak-ng") else frozenset()


def _told(*command: str) -> str:
    """What a program prints; nothing where it is missing."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S, check=False)
    return done.stdout


ENGINES: Mapping[str, Engine] = {
    "espeak-ng": Engine(_espeak_command, _espeak_voices),
    "festival": Engine(_festival_command, _festival_voices),
    "flite": Engine(_flite_command, _flite_voices),
}
