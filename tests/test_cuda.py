"""What runs on a GPU gives what the CPU gives: emissions, gradients, parts of a batch, whole trainings.

Several processes over nccl need a GPU each and are not looked at. Skipped where torch sees no GPU.
``GLYPHONE_TEST_DEVICE=cpu`` holds the tests themselves against the CPU; ``far_device.py`` has a device in name alone.
"""

import copy
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from bare_models import random_bundle, write_input
from test_adaptation import WordDecoder, errors, stranger
from test_padding_invariance import CELLS, network
from test_training import CHECKPOINT_EACH_STEP, FAST, SMALL, noisy, run
from test_training_parts import make_batch, make_network

from common.adaptation.self_training import self_train
from common.adaptation.settings import AdaptationSettings
from common.alphabet import Alphabet
from common.device import choose_device
from common.emissions import emissions
from common.network import Network
from common.recurrent.lengths import mask_of
from common.training import loop
from common.training.memory import MemoryPlan
from common.training.objective import Objective
from common.training.processes import ALONE
from common.training.settings import TrainingSettings
from common.training.step import Machine, step
from pipelines.recogniser import Recogniser

DEVICE = os.environ.get("GLYPHONE_TEST_DEVICE", "cuda")
pytestmark = pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="torch sees no GPU")
LENGTHS = [37, 1, 12, 40, 5, 40]


@pytest.fixture(autouse=True, scope="module")
def _chosen():
    """As every command takes its device: float32 without TF32."""
    choose_device(DEVICE, "GLYPHONE_TEST_DEVICE")


def example(dtype):
    """Slices whose padding is no silence, and their lengths."""
    x = torch.randn(len(LENGTHS), max(LENGTHS) + 3, 9, dtype=dtype, generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor(LENGTHS)
    x[~mask_of(lengths, x.shape[1])] = 7.0
    return x, lengths


@pytest.mark.skipif(DEVICE == "cpu", reason="one device alone")
def test_tensors_of_two_devices_do_not_meet():
    """What the other tests would find out by."""
    here = torch.ones(2)
    for other in (here.to(DEVICE), torch.tensor([1.0, 1.0], device=DEVICE), torch.nn.Parameter(here).to(DEVICE)):
        assert (other + other).device.type == DEVICE and (other + other).cpu().tolist() == [2, 2]
        with pytest.raises(RuntimeError):
            here + other


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_emissions_are_those_of_the_cpu(cell, bidirectional):
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
        made = network(cell, dtype, bidirectional)
        x, lengths = example(dtype)
        with torch.inference_mode():
            expected, sizes = made(x, lengths)
            found, found_sizes = made.to(DEVICE)(x.to(DEVICE), lengths.to(DEVICE))
        assert found_sizes.tolist() == sizes.tolist()
        for row, size in enumerate(sizes.tolist()):
            torch.testing.assert_close(found[row, :size].cpu(), expected[row, :size], rtol=0, atol=tolerance)


@pytest.mark.parametrize("cell", CELLS)
def test_a_sample_alone_is_the_sample_in_any_batch(cell):
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        made = network(cell, dtype).to(DEVICE)
        x, lengths = (each.to(DEVICE) for each in example(dtype))
        with torch.inference_mode():
            together, sizes = made(x, lengths)
            for row, size in enumerate(sizes.tolist()):
                alone, _ = made(x[row : row + 1, : LENGTHS[row]], lengths[row : row + 1])
                torch.testing.assert_close(together[row, :size], alone[0, :size], rtol=0, atol=tolerance)


@pytest.mark.parametrize("cell", CELLS)
def test_streams_give_what_the_whole_gives(cell):
    if cell == "transformer":
        pytest.skip("a transformer is not streamed")
    made = network(cell, torch.float64, bidirectional=False).to(DEVICE).encoder
    x = torch.randn(3, 20, made.norms[0].normalized_shape[0], dtype=torch.float64, device=DEVICE)
    lengths = torch.full((3,), 20, device=DEVICE)
    with torch.inference_mode():
        whole = made(x, lengths)
        first, state = made.stream(x[:, :8], lengths.clamp(max=8))
        second, _ = made.stream(x[:, 8:], lengths - 8, state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-12)


def outcome(made, batch, device, part_slices=0, precision=torch.float32, **more):
    """Losses, gradients and statistics of one step; the learning rate is 0, so that weights stay."""
    made = copy.deepcopy(made).to(device).train()
    chosen = TrainingSettings(clip_norm=1e9, **more)
    objective = Objective(chosen, made).to(device).to(next(made.parameters()).dtype)
    optimizer = torch.optim.SGD([*made.parameters(), *objective.parameters()], lr=0.0)
    machine = Machine(made, optimizer, chosen, precision, ALONE, MemoryPlan(part_slices), objective)
    losses = step(machine, batch, len(batch.rows), int(batch.target_lengths.sum()), seed=11)
    found = {"losses": torch.from_numpy(losses)}
    gradients = {name: parameter.grad for name, parameter in made.named_parameters()}
    found |= {name: gradient.cpu() for name, gradient in gradients.items() if gradient is not None}
    return found | {name: buffer.cpu() for name, buffer in made.named_buffers()}


def check_alike(found, expected, rtol, atol):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=rtol, atol=atol, msg=lambda text, name=name: name + text)


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_has_the_gradients_of_the_cpu(cell):
    made = make_network(cell=cell, dropout=0.0)
    batch = make_batch([24, 8, 17, 24])
    batch = replace(batch, slices=batch.slices.double())
    expected = outcome(made, batch, "cpu")
    check_alike(outcome(made, batch, DEVICE), expected, 1e-8, 1e-11)
    check_alike(outcome(made, batch, DEVICE, part_slices=30), expected, 1e-8, 1e-11)


@pytest.mark.skipif(DEVICE == "far", reason="autocast knows no operations of it")
@pytest.mark.parametrize("cell", CELLS)
def test_a_step_in_bfloat16_is_that_of_float32_roughly(cell):
    made = make_network(cell=cell, dropout=0.0).float()
    batch = make_batch([24, 8, 17, 24])
    exact, rough = outcome(made, batch, DEVICE), outcome(made, batch, DEVICE, precision=torch.bfloat16)
    torch.testing.assert_close(rough["losses"], exact["losses"], rtol=0.02, atol=0)
    exact, rough = (torch.cat([each.flatten().float() for each in found.values()]) for found in (exact, rough))
    difference = torch.linalg.vector_norm(rough - exact) / torch.linalg.vector_norm(exact)
    # Where a layer normalises 8 states that are all near zero, rounding is much of what it passes on.
    assert 0 < difference < (0.5 if cell == "layer_norm_lstm" else 0.05), difference


@pytest.mark.parametrize(
    "more",
    [{"consistency": 0.2}, {"label_smoothing": 0.1, "short_cut": 0.1}, {"label_prior": 0.3}],
    ids=str,
)
def test_every_term_of_the_objective_is_that_of_the_cpu(more):
    made = make_network(dropout=0.0)
    batch = make_batch([24, 24, 17, 17])
    batch = replace(batch, slices=batch.slices.double())
    if "consistency" in more:
        targets = batch.targets[: int(batch.target_lengths[0])], batch.targets[-int(batch.target_lengths[3]) :]
        lengths = batch.target_lengths[[0, 0, 3, 3]]
        targets = torch.cat([targets[0], targets[0], targets[1], targets[1]])
        batch = replace(batch, rows=batch.rows[:2], num_views=2, targets=targets, target_lengths=lengths)
    torch.manual_seed(5)
    expected = outcome(made, batch, "cpu", **more)
    torch.manual_seed(5)
    check_alike(outcome(made, batch, DEVICE, **more), expected, 1e-6, 1e-8)


@pytest.mark.parametrize("more", [{"cell": "gru", "zoneout": 0.2, "recurrent_dropout": 0.2}, {"cell": "lstm"}], ids=str)
def test_parts_drop_what_the_whole_batch_drops(more):
    made, batch = make_network(**more), make_batch([24, 8, 17, 24])
    batch = replace(batch, slices=batch.slices.double())
    check_alike(outcome(made, batch, DEVICE, part_slices=30), outcome(made, batch, DEVICE), 1e-8, 1e-11)


def test_a_loss_that_is_no_number_takes_no_step():
    made, batch = make_network().float(), make_batch([20, 20, 20])
    batch.slices[1, 3] = float("nan")
    found = outcome(made, batch, DEVICE)
    assert not torch.isfinite(found["losses"]).all()
    for name, buffer in made.named_buffers():
        assert torch.equal(found[name], buffer), name


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_a_training_learns_as_on_the_cpu(tmp_path, precision):
    chosen = FAST.model_copy(update={"epochs": 12, "precision": precision, "device": DEVICE})
    trained = run(tmp_path, chosen)
    assert trained.device == DEVICE and trained.progress.best_error < 0.05
    assert all(weight.device.type == "cpu" for weight in trained.weights.values())


def test_a_training_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    """Alike, not to the last bit: kernels of a GPU add in whatever order their blocks come."""
    chosen = CHECKPOINT_EACH_STEP.model_copy(update={"device": DEVICE, "learning_rate": 1e-3})
    whole = run(tmp_path / "whole", chosen)
    real, steps = loop.step, []

    def stops(*arguments):
        steps.append(1)
        if len(steps) == 7:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(loop, "step", stops)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", chosen)
    resumed = run(tmp_path / "cut", chosen)
    assert len(resumed.progress.history) == len(whole.progress.history) and resumed.progress.step == whole.progress.step
    for name, weight in whole.weights.items():
        torch.testing.assert_close(resumed.weights[name], weight, rtol=1e-2, atol=1e-3)


def test_emissions_of_many_are_those_of_the_cpu():
    made = network("lstm", torch.float32)
    random = np.random.default_rng(0)
    matrices = [random.normal(size=(length, 9)).astype(np.float32) for length in LENGTHS] + [np.zeros((0, 9))]
    expected = list(emissions(made, matrices))
    for ours, theirs in zip(emissions(made.to(DEVICE), matrices), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


def test_the_memory_plan_is_made_and_kept(tmp_path, capsys):
    trained = run(tmp_path, FAST.model_copy(update={"epochs": 1, "device": DEVICE}))
    assert trained.memory.largest[2] > 0 and trained.peak_bytes > 0
    # The largest batch of a training this small takes less than what the process had before.
    assert trained.memory.num_parted == 0
    assert "memory: the largest batch" in capsys.readouterr().err


@pytest.mark.parametrize("modality", ["audio", "ocr"])
def test_a_model_transcribes_as_on_the_cpu(tmp_path, modality):
    folder, path = random_bundle(tmp_path / "model", modality), write_input(tmp_path, modality)
    expected = Recogniser.load(folder, "cpu").transcribe(path)
    found = Recogniser.load(folder, DEVICE).transcribe(path)
    assert len(found.text) > 5 and found.text == expected.text
    assert found.confidence == pytest.approx(expected.confidence, abs=1e-3)


def test_a_model_adapts(tmp_path):
    made = Network(SMALL, 6, 4)
    made.load_state_dict(run(tmp_path, FAST.model_copy(update={"epochs": 12})).weights)
    ids, texts, matrices = stranger(80)
    decoder, alphabet = WordDecoder(), Alphabet("abc")
    chosen = AdaptationSettings(rounds=5, learning_rate=3e-3)
    adapted = self_train(made.to(DEVICE).eval(), alphabet, decoder, ids, matrices, noisy, chosen, 1)
    assert errors(made, decoder, texts, matrices) >= 10 > 5 >= errors(adapted.network, decoder, texts, matrices)
