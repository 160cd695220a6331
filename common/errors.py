"""Errors that a user can mend, and how a command shows them: one line, exit code 2."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

# With another Python than that of .venv nearly every command would end in a traceback.
MISSING_PACKAGE = (
    "call the command as .venv/bin/python (`make setup` makes it); requirements/transcribe.txt is enough to "
    "transcribe, requirements/base.txt is needed for all else"
)


class GlyphoneError(Exception):
    """Base of everything that a user can mend. Its text is one line: what, the value, what is allowed, where."""


class SettingsError(GlyphoneError):
    """One or more settings are wrong; the text holds one line a mistake."""


class SampleError(GlyphoneError):
    """One sample cannot be used.

    Attributes:
        code: short reason code, e.g. ``unreadable``, ``empty_text``, ``too_few_slices`` (a key of
            ``common.samples.REASONS``).
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code

    def __reduce__(self) -> tuple[type["SampleError"], tuple[str, str]]:
        # Exceptions cross process borders: both arguments must survive pickling.
        return type(self), (self.code, str(self))


def fail(error: BaseException) -> NoReturn:
    """Print a user's error on standard error, in one line (settings: a line a mistake), and leave with exit code 2."""
    sentence = str(error)
    if isinstance(error, OSError) and error.strerror:
        # "File exists" is of a file that stands in the way of a folder; all else that we write is replaced.
        needed = {
            FileExistsError: "a file; a folder is needed there",
            IsADirectoryError: "a folder; a file is needed there",
        }
        reason = needed.get(type(error), error.strerror)
        sentence = ": ".join(map(str, filter(None, (error.filename, reason))))
    if not isinstance(error, SettingsError):  # a file's name may hold a line break
        sentence = " ".join(sentence.splitlines())
    print(f"error: {sentence}", file=sys.stderr)
    raise SystemExit(2)


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run a command: user errors become one line and exit 2, Ctrl-C becomes exit 130, bugs keep their traceback.

    A reader of standard output that has enough, as `head` has, is no error: exit 141, as of a shell's own commands.
    A package that is not installed is an error that a user can mend, too.
    """
    _replace_closed_streams()
    try:
        code = main()
    except GlyphoneError as error:
        fail(error)
    except BrokenPipeError:
        # Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        fail(error)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if not package or Path(__file__).resolve().parent.parent.joinpath(package).exists():
            raise  # a module of our own: a bug
        fail(GlyphoneError(f"{sys.executable} has no package {package}: {MISSING_PACKAGE}"))
    except KeyboardInterrupt:
        print("interrupted: start the same command again", file=sys.stderr)
        raise SystemExit(130) from None
    raise SystemExit(code or 0)


def _replace_closed_streams() -> None:
    """Standard input that the caller closed holds nothing, to closed standard error nothing is said.

    Python has None for them, and `print` writes to standard output what is meant for None.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  (open to the end)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
