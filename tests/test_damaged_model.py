"""A model folder whose files were cut, overwritten or changed is refused in one line that names it, or it works."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import bundle
from common.bundle import read_bundle
from common.decoding import DecodingSettings
from common.errors import GlyphoneError
from common.files import write_json
from common.language.folder import learn
from common.language.settings import LanguageSettings
from pipelines.recogniser import Recogniser
from tests.bare_models import random_bundle, write_input
from tests.damage import JUNK, changed, places_of

DESCRIPTION, TUNED = "bundle.json", "language/decoding.json"
FILES = (DESCRIPTION, TUNED, "language/language.json", "language/model.arpa.gz", "language/words.txt")
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    model = random_bundle(folder / "model", "ocr")
    learn(model / "language", LanguageSettings(unit="char", order=2), ["abc", "bad cab"], [])
    chosen = DecodingSettings(engine="beam_lm", beam_width=4).model_dump(mode="json")
    scales = {kind: {"slope": 1.1, "offset": 0.1} for kind in ("characters", "words")}
    write_json(model / TUNED, {"settings": chosen, "calibration": scales})
    content = json.loads((model / DESCRIPTION).read_text(encoding="utf-8")) | {"calibration": scales}
    write_json(model / DESCRIPTION, content)
    return model


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_input(tmp_path_factory.mktemp("input"), "ocr")


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def said(model: Path, picture: Path) -> str:
    """What transcribing complains of; "" where it went well."""
    try:
        Recogniser.load(model, "cpu").transcribe(picture)
    except GlyphoneError as error:
        assert "\n" not in str(error) and len(str(error)) < 600
        return str(error)
    return ""


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xfd", b"\0" * 9, b"{}", b"[]", b"5", b"[" * 100_000])
def test_a_file_that_holds_something_else_is_named(model: Path, picture: Path, file: str, content: bytes) -> None:
    (model / file).write_bytes(content)
    message = said(model, picture)
    if not file.endswith("words.txt"):  # any text is a list of words
        assert str(model / file) in message


@QUICK
@given(file=st.sampled_from(FILES), data=st.data())
def test_a_file_that_was_cut_or_overwritten_is_no_traceback(
    whole: Path, model: Path, picture: Path, file: str, data: st.DataObject
) -> None:
    content = (whole / file).read_bytes()
    place = data.draw(st.integers(0, len(content)))
    rest = data.draw(st.sampled_from([b"", content[place + 1 :]]))
    (model / file).write_bytes(content[:place] + data.draw(st.binary(max_size=3)) + rest)
    said(model, picture)
    (model / file).write_bytes(content)


@QUICK
@given(file=st.sampled_from([DESCRIPTION, TUNED, "language/language.json"]), data=st.data())
def test_a_value_of_another_kind_is_no_traceback(
    whole: Path, model: Path, picture: Path, file: str, data: st.DataObject
) -> None:
    tree = json.loads((whole / file).read_text(encoding="utf-8"))
    place = data.draw(st.sampled_from([place for place in places_of(tree) if place]))
    (model / file).write_text(json.dumps(changed(tree, place, data.draw(st.sampled_from([*JUNK, ...])))), "utf-8")
    said(model, picture)
    shutil.copy(whole / file, model / file)


@pytest.mark.parametrize(
    "change",
    [
        {"network": {"num_hidden": 4096, "num_layers": 20}},
        {"network": {"num_layers": 20}},
        {"network": {"convolutions": [{"channels": 1024}, {"channels": 1024, "kernel": [11, 11]}]}},
        {"network": {"cell": "transformer", "num_hidden": 4096}},
        {"num_features": 100_000_000},
    ],
)
def test_a_description_that_promises_more_than_its_weights_costs_nothing(
    whole: Path, tmp_path: Path, change: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network of a billion weights is made to see that the file has other ones."""
    shutil.copytree(whole, tmp_path / "model")
    content = json.loads((whole / DESCRIPTION).read_text(encoding="utf-8"))
    content |= change | {"network": content["network"] | change.get("network", {})}
    write_json(tmp_path / "model" / DESCRIPTION, content)
    monkeypatch.setattr(bundle, "Network", lambda *_: pytest.fail("it was made"))
    with pytest.raises(GlyphoneError, match=r"has the shape .*, the network needs |weights of \d+ layers"):
        read_bundle(tmp_path / "model")
