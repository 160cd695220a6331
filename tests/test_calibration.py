"""Confidences that mean what they say: the fit, its order, its errors, and what is counted as right."""

import json
import unicodedata

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from common.bundle import BundleError, read_bundle, write_bundle
from common.calibration import (
    MIN_SLOPE,
    NUM_BINS,
    PRIOR,
    Calibration,
    Observations,
    Scale,
    bins,
    calibrated,
    cross_validated,
    describe,
    fit,
    measure,
    no_observations,
    observe,
    summary,
)
from common.decoding.hypothesis import Hypothesis, Symbol, geometric_mean, in_units, readable, words_of
from common.network import Network, NetworkSettings

some = settings(max_examples=60)
chances = st.floats(0, 1)
scales = st.builds(Scale, st.floats(MIN_SLOPE, 8), st.floats(-6, 6))
pairs = st.lists(st.tuples(chances, st.booleans()), max_size=40)


def drawn(num, slope=1.0, offset=0.0, seed=0, num_groups=10):
    """Observations that Scale(slope, offset) makes perfectly calibrated."""
    random = np.random.default_rng(seed)
    true = random.beta(4, 1, num)
    logits = (np.log(true / (1 - true)) - offset) / slope
    rights = random.random(num) < true
    return Observations(
        (1 / (1 + np.exp(-logits))).tolist(), rights.tolist(), [str(n % num_groups) for n in range(num)]
    )


def hypothesis_of(text, confidence=0.5):
    symbols = tuple(Symbol(character, at, at + 1, confidence) for at, character in enumerate(text))
    mean = geometric_mean([confidence] * len(text)) if text else confidence
    return readable(Hypothesis(text, -1.0, mean, symbols, words_of(symbols)))


def test_perfectly_calibrated_confidences_stay_as_they_are():
    scale = fit(drawn(60_000))
    confidences = np.linspace(0.01, 0.99, 99)
    assert np.abs(scale.of(confidences) - confidences).max() < 0.01
    assert np.array_equal(Scale().of(confidences), confidences)


@pytest.mark.parametrize(("slope", "offset"), [(0.5, 0.0), (2.0, -1.0), (0.8, 1.2)])
def test_a_distortion_is_found_and_undone(slope, offset):
    scale = fit(drawn(60_000, slope, offset))
    assert (scale.slope, scale.offset) == pytest.approx((slope, offset), abs=0.06)
    fresh = drawn(60_000, slope, offset, seed=1)
    before = summary(fresh.confidences, fresh.rights)
    after = summary(scale.of(np.array(fresh.confidences)), fresh.rights)
    assert after["expected_calibration_error"] < 0.01 < before["expected_calibration_error"]
    assert after["brier_score"] < before["brier_score"]


@some
@given(scales, st.lists(chances, min_size=2, max_size=20))
def test_the_order_of_confidences_stays(scale, confidences):
    ordered = np.sort(np.array(confidences))
    after = scale.of(ordered)
    assert ((after >= 0) & (after <= 1)).all() and (np.diff(after) >= 0).all()
    # Apart before, apart after, unless both are as good as certain.
    apart = (np.diff(ordered) > 1e-3) & (after[1:] > 1e-9) & (after[:-1] < 1 - 1e-9)
    assert (np.diff(after)[apart] > 0).all()
    assert scale(confidences[0]) == scale.of(np.array(confidences))[0]


@some
@given(pairs)
def test_any_fit_is_usable(observed):
    scale = fit(Observations([chance for chance, _ in observed], [right for _, right in observed]))
    assert scale.slope >= MIN_SLOPE and np.isfinite([scale.slope, scale.offset]).all()
    described = {"slope": scale.slope, "offset": scale.offset}
    assert Calibration.of_description({"characters": described, "words": described}).words == scale


def test_sure_and_always_wrong_is_a_fit_without_a_warning():
    scale = fit(Observations([1.0] * 1000, [False] * 1000))
    assert scale.slope == MIN_SLOPE and scale(1.0) < 0.01
    assert Scale(300.0, -2000.0).of(np.array([0.0, 1.0])) == pytest.approx([0, 1])


@some
@given(pairs)
def test_the_fit_is_the_maximum_of_the_posterior(observed):
    """Against a general minimiser that knows no derivative."""
    confidences, rights = np.array([each for each, _ in observed]), np.array([right for _, right in observed], float)

    def loss(at):
        # The formula, from Scale itself: the chance of what was seen, and the prior.
        likely = np.clip(Scale(max(at[0], MIN_SLOPE), at[1]).of(confidences), 1e-15, 1 - 1e-15)
        seen = np.log(likely) * rights + np.log1p(-likely) * (1 - rights)
        return -seen.sum() + PRIOR / 2 * ((at[0] - 1) ** 2 + at[1] ** 2)

    scale = fit(Observations(confidences.tolist(), rights.astype(bool).tolist()))
    found = loss(np.array([scale.slope, scale.offset]))
    best = minimize(loss, [1.01, 0.01], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9, "maxiter": 4000})
    assert found <= best.fun + 1e-4


def test_without_observations_nothing_changes_and_without_errors_not_much():
    assert fit(Observations()) == Scale()
    assert describe(no_observations())["words"]["after"]["expected_calibration_error"] is None
    sure = fit(Observations([0.9] * 50, [True] * 50))
    assert 0.9 < sure(0.9) < 1 and sure(0.2) < sure(0.9)
    upside_down = fit(Observations([0.1, 0.9] * 200, [True, False] * 200))
    assert upside_down.slope == MIN_SLOPE and upside_down(0.1) < upside_down(0.9)


def test_no_group_is_judged_by_a_scale_that_it_helped_to_fit():
    observations = drawn(600, 0.5, 0.5, num_groups=7)
    whole = cross_validated(observations)
    assert np.abs(whole - fit(observations).of(np.array(observations.confidences))).max() < 0.1
    for group in "036":
        inside = np.array([each == group for each in observations.groups])
        flipped = [right != its for right, its in zip(observations.rights, inside, strict=True)]
        changed = cross_validated(Observations(observations.confidences, flipped, observations.groups))
        assert np.array_equal(changed[inside], whole[inside])
        assert not np.array_equal(changed, whole)


@some
@given(pairs.filter(bool))
def test_the_calibration_error_is_that_of_its_definition(observed):
    confidences, rights = [each for each, _ in observed], [right for _, right in observed]
    error = 0.0
    for place in range(NUM_BINS):
        members = [
            (chance, right)
            for chance, right in observed
            if min(int(chance * NUM_BINS), NUM_BINS - 1) == place
        ]  # fmt: skip
        if members:
            gap = sum(chance for chance, _ in members) / len(members) - sum(right for _, right in members) / len(
                members
            )
            error += len(members) / len(observed) * abs(gap)
    assert summary(confidences, rights)["expected_calibration_error"] == pytest.approx(error, abs=2e-6)
    assert sum(each["count"] for each in bins(confidences, rights)) == len(observed)
    assert all(each["from"] - 1e-4 <= each["confidence"] <= each["to"] + 1e-4 for each in bins(confidences, rights))


@pytest.mark.parametrize(
    ("said", "reference", "characters", "words"),
    [
        ("abc", "abc", "111", "1"),
        ("abd", "abc", "110", "0"),
        ("ab", "abc", "11", "0"),
        ("one too", "one two", "1111101", "10"),
        ("", "abc", "", ""),
        ("abc", "", "000", "0"),
        # Blanks that the text as written does not have are not judged.
        ("  a  b ", "a b", "111", "11"),
        ("a\u00a0b", "a b", "111", "11"),
        ("x שלום", "שלום", "001111", "01"),
        # Marks that NFC puts into another order (shadda, fatha), and one that it makes a letter of.
        ("ر\u0651\u064e", "ر\u064e\u0651", "101", "1"),
        ("xe\u0301", "xé", "11", "1"),
    ],
)
def test_what_is_right(said, reference, characters, words):
    observed = no_observations()
    observe(hypothesis_of(said), reference, "g", observed)
    for kind, expected in (("characters", characters), ("words", words)):
        assert "".join("01"[right] for right in observed[kind].rights) == expected
        assert observed[kind].groups == ["g"] * len(expected)
        assert observed[kind].confidences == pytest.approx([0.5] * len(expected))


@some
@given(st.text("ae\u0301  ", max_size=12), st.text("ae\u0301é ", max_size=12))
def test_every_character_and_word_of_the_text_is_judged(said, reference):
    observed = no_observations()
    hypothesis = hypothesis_of(said)
    reference = unicodedata.normalize("NFC", " ".join(reference.split()))
    observe(hypothesis, reference, "g", observed)
    assert len(observed["characters"].rights) == len(hypothesis.text)
    assert len(observed["words"].rights) == len(hypothesis.text.split())
    if hypothesis.text == reference:
        assert all(observed["characters"].rights) and all(observed["words"].rights)


@some
@given(st.text("ab ", max_size=9), scales, scales, chances)
def test_calibrating_touches_confidences_alone(text, first, second, confidence):
    hypothesis = hypothesis_of(text, confidence)
    after = calibrated(hypothesis, Calibration(first, second))
    assert calibrated(hypothesis, Calibration()) == hypothesis
    assert (after.text, after.score) == (hypothesis.text, hypothesis.score)
    assert [(each.text, each.start, each.end) for each in after.symbols + after.words] == [
        (each.text, each.start, each.end) for each in hypothesis.symbols + hypothesis.words
    ]
    assert all(each.confidence == first(confidence) for each in after.symbols)
    assert all(each.confidence == pytest.approx(second(confidence)) for each in after.words)
    if text:
        assert after.confidence == pytest.approx(first(confidence))
    # Places may be put into seconds before or after.
    assert in_units(after, 0.04) == calibrated(in_units(hypothesis, 0.04), Calibration(first, second))


def test_what_is_measured_tells_before_and_after():
    before, after = no_observations(), no_observations()
    for confidence, observed in ((0.6, before), (0.95, after)):
        observe(hypothesis_of("a b", confidence), "a b", "g", observed)
    tree = measure(before, after)
    assert tree["characters"]["observations"] == tree["characters"]["right"] == 3
    errors = [tree["words"][key]["expected_calibration_error"] for key in ("before", "after")]
    assert errors == pytest.approx([0.4, 0.05])
    json.dumps(tree, allow_nan=False)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    settings = NetworkSettings.model_validate({"convolutions": [], "num_layers": 1, "num_hidden": 4})
    network = Network(settings, 3, 3)
    calibration = describe({kind: drawn(99) for kind in no_observations()})
    description = {
        "modality": "audio", "alphabet": ["a", "b"], "slice_settings": {}, "text_settings": {}, "num_features": 3,
        "step": 0.01, "unit": "s", "summary": {}, "calibration": calibration,
    }  # fmt: skip
    write_bundle(tmp_path, network.state_dict(), settings, description, "")
    return tmp_path


def test_a_bundle_carries_its_calibration(folder):
    expected = fit(drawn(99))
    bundle = read_bundle(folder)
    assert bundle.calibration == Calibration(expected, expected)
    assert bundle.calibration_errors["words"]["observations"] == 99


@pytest.mark.parametrize(
    ("calibration", "is_read"),
    [
        (None, True),
        ({"characters": {"slope": 2, "offset": 0}, "words": {"slope": 1, "offset": 0}}, True),
        ({"characters": {"slope": 2, "offset": 0}}, False),
        ({"characters": {"slope": -1, "offset": 0}, "words": {"slope": 1, "offset": 0}}, False),
        ({"characters": {"slope": "steep", "offset": 0}, "words": {"slope": 1, "offset": 0}}, False),
        ([], False),
        (3, False),
    ],
)
def test_bundles_without_and_with_a_wrong_one(folder, calibration, is_read):
    path = folder / "bundle.json"
    description = json.loads(path.read_text("utf-8"))
    del description["calibration"]
    path.write_text(json.dumps(description if calibration is None else {**description, "calibration": calibration}))
    if is_read:
        assert read_bundle(folder).calibration.words == Scale()
    else:
        with pytest.raises(BundleError, match="not a whole bundle"):
            read_bundle(folder)


@pytest.mark.parametrize(
    ("key", "value"), [("text_settings", []), ("slice_settings", []), ("step", "x"), ("summary", 3), ("modality", None)]
)
def test_a_description_of_a_wrong_kind_is_one_line(folder, key, value):
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {key: value}), "utf-8")
    with pytest.raises(BundleError, match=f"not a whole bundle: .*bundle.json: {key}: ") as caught:
        read_bundle(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alphabet": ["a", "a"]}, "{}: not a whole bundle: AlphabetError: alphabet: symbols stand twice: ['a']"),
        (
            {"alphabet": ["a"]},
            "{}: not a whole bundle: RuntimeError: head.weight has the shape [3, 8], the network needs [2, 8]",
        ),
        ({"network": {"cell": "lstm", "gates": 5}}, "{}/bundle.json: not of this version of Glyphone: network.gates;"),
    ],
)
def test_what_does_not_fit_is_named_with_its_folder(folder, change, message):
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(BundleError) as caught:
        read_bundle(folder)
    assert str(caught.value).startswith(message.format(folder)) and "\n" not in str(caught.value)
