"""The objective: each term is its formula, whatever padding, parts, processes and precision do to a batch."""

import copy
import itertools
import threading
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_training_parts import NUM_LABELS, make_batch, make_network

from common.network import Network
from common.training import precision, terms
from common.training.batches import Batch, Seconds, collate
from common.training.label_prior import KEPT, LEAST_LOG_PRIOR
from common.training.memory import MemoryPlan
from common.training.objective import Emitted, Objective
from common.training.processes import ALONE, Group
from common.training.settings import TrainingSettings
from common.training.step import Machine, make_optimizer, shares, step

SWITCHES = {
    "consistency": ({}, {"consistency": 0.2}),
    "intermediate": ({"intermediate_layers": (1,)}, {"intermediate_weight": 0.3}),
    "self-conditioned": ({"intermediate_layers": (1,), "self_conditioned": True}, {}),
    "short cut": ({}, {"short_cut": 0.1}),
    "smoothing": ({}, {"label_smoothing": 0.1}),
    "prior": ({}, {"label_prior": 0.3}),
}
EVERYTHING = (
    {"intermediate_layers": (1,), "self_conditioned": True},
    {"consistency": 0.2, "short_cut": 0.1, "label_smoothing": 0.1, "label_prior": 0.3},
)


def path_score(scores: torch.Tensor, target: tuple[int, ...]) -> torch.Tensor:
    """ln of the sum over all paths that spell the target, by trying every path: scores [T, V]."""
    paths = [
        list(path)
        for path in itertools.product(range(scores.shape[1]), repeat=len(scores))
        if tuple(label for label, _ in itertools.groupby(path) if label) == target
    ]
    return torch.logsumexp(scores[torch.arange(len(scores)), torch.tensor(paths)].sum(1), 0)


TARGETS = [(1,), (2, 1), (1, 1), (2,)]


def random_emissions(seed: int) -> torch.Tensor:
    logits = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.log_softmax(3 * logits, -1)


@given(
    seed=st.integers(0, 99),
    lengths=st.lists(st.integers(3, 5), min_size=2, max_size=2),
    consistency=st.sampled_from([0.0, 0.7]),
    smoothing=st.sampled_from([0.0, 0.2]),
    prior=st.sampled_from([0.0, 0.3]),
    intermediate=st.sampled_from([0.0, 0.4]),
    short_cut=st.sampled_from([0.0, 0.1]),
)
@settings(max_examples=12)
def test_the_loss_is_its_formula(seed, lengths, consistency, smoothing, prior, intermediate, short_cut):
    chosen = TrainingSettings(
        consistency=consistency,
        label_smoothing=smoothing,
        label_prior=prior,
        intermediate_weight=intermediate,
        short_cut=short_cut,
    )
    objective = Objective(chosen, make_network(intermediate_layers=(1, 2), num_layers=3))
    last, first, second, cut = (random_emissions(seed + place) for place in range(4))
    sizes = torch.tensor([lengths[0], lengths[0], lengths[1], lengths[1]])
    targets = [TARGETS[0], TARGETS[0], TARGETS[1], TARGETS[1]] if consistency else TARGETS
    shares = torch.zeros(3, dtype=torch.float64)
    if prior:
        assert objective.prior is not None
        objective.prior.mean = torch.tensor([0.9, 0.1 - 1e-9, 1e-9], dtype=torch.float64)
        objective.prior.seen = objective.prior.seen[:4]
        shares = 0.3 * torch.tensor([np.log(0.9), np.log(0.1 - 1e-9), LEAST_LOG_PRIOR])
    batch = collate([0, 1], [np.zeros((5, 1))] * 4, targets[:: 2 if consistency else 1], 1, 0, objective.num_views)
    emitted = Emitted(sizes, last, [first, second] if intermediate else [], cut if short_cut else None)
    found = objective.losses(batch, emitted, slice(0, 4))

    rows = []
    for row, (size, target) in enumerate(zip(sizes.tolist(), targets, strict=True)):
        p, q = (np.exp(last[place, :size].numpy()) for place in (row, row ^ 1))
        value = -path_score(last[row, :size] - shares, target)
        inner = [-path_score(each[row, :size], target) for each in (first, second)]
        value = (1 - intermediate) * value + intermediate * sum(inner) / 2
        value = (1 - smoothing) * value + smoothing * float((p * np.log(3 * p)).sum())
        value += short_cut * -path_score(cut[row, :size], target)
        rows.append(value + consistency * float((q * np.log(q / p)).sum()))
    expected = torch.stack(rows)
    torch.testing.assert_close(found, (expected[::2] + expected[1::2]) / 2 if consistency else expected)


def test_the_gradient_with_priors_is_that_of_all_paths():
    """Torch's own CTC would be wrong here: its gradient takes it that a slice's scores sum to 1."""
    shares = torch.tensor([-0.1, -2.0, -0.7], dtype=torch.float64)
    logits = torch.randn(1, 5, 3, dtype=torch.float64).requires_grad_()
    loss = terms.ctc_less_prior(
        torch.log_softmax(logits, -1), torch.tensor([4]), torch.tensor([2, 1]), torch.tensor([2]), shares
    )
    (ours,) = torch.autograd.grad(loss.sum(), logits)
    (expected,) = torch.autograd.grad(-path_score((torch.log_softmax(logits, -1) - shares)[0, :4], (2, 1)), logits)
    torch.testing.assert_close(ours, expected)


def test_two_equal_views_agree_and_the_other_view_gets_no_gradient():
    log_probs, lengths = random_emissions(3).requires_grad_(), torch.tensor([5, 5, 4, 4])
    same = log_probs[::2].repeat_interleave(2, 0)
    assert torch.equal(terms.divergence_of_views(same, lengths), torch.zeros(4, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(terms.divergence_of_views(log_probs, lengths)[0], log_probs)
    torch.testing.assert_close(gradient[0], -log_probs[1].detach().exp())
    assert not gradient[1:].any()


# Threads share torch's random numbers: who seeds them must draw before the other seeds.
DRAWING = threading.Lock()


def with_views(batch: Batch, num_views: int) -> Batch:
    """Other numbers in each view of a sample."""
    if num_views == 1:
        return batch
    num_rows, num_slices, num_features = batch.slices.shape
    noise = torch.randn(num_rows, 64, num_features, generator=torch.Generator().manual_seed(5))[:, :num_slices]
    noise = noise * (batch.slices != 0)
    return replace(
        batch,
        slices=torch.stack([batch.slices, batch.slices + noise], 1).flatten(0, 1),
        lengths=batch.lengths.repeat_interleave(2),
        targets=twice(batch.targets, batch.target_lengths),
        target_lengths=batch.target_lengths.repeat_interleave(2),
        num_views=2,
        seconds=batch.seconds
        and Seconds(
            twice(batch.seconds.targets, batch.seconds.target_lengths),
            batch.seconds.target_lengths.repeat_interleave(2),
            batch.seconds.weights.repeat_interleave(2),
        ),
    )


def twice(targets: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    return torch.cat([each for each in targets.split(lengths.tolist()) for _ in range(2)])


def outcome(
    network: Network, batch: Batch, more: dict, part_slices: int = 0, group: Group = ALONE, own: slice | None = None
) -> dict[str, torch.Tensor]:
    """Losses, gradients and state behind a second step that changes no weights."""
    network, chosen = copy.deepcopy(network).train(), TrainingSettings(clip_norm=1e9, **more)
    with DRAWING:
        torch.manual_seed(1)
        objective = Objective(chosen, network).to(next(network.parameters()).dtype)
    batch = with_views(batch, objective.num_views)
    whole = (len(batch.rows), int(batch.target_lengths.sum()) // objective.num_views)
    batch = replace(batch, slices=batch.slices.to(next(network.parameters()).dtype))
    if own is not None:
        rows = slice(own.start * objective.num_views, own.stop * objective.num_views)
        ends = [0, *batch.target_lengths.cumsum(0).tolist()]
        batch = replace(
            batch,
            rows=batch.rows[own],
            slices=batch.slices[rows],
            lengths=batch.lengths[rows],
            targets=batch.targets[ends[rows.start] : ends[rows.stop]],
            target_lengths=batch.target_lengths[rows],
            first=own.start,
        )
    optimizer = torch.optim.SGD([*network.parameters(), *objective.parameters()], lr=0.0)
    plan = MemoryPlan(part_slices // objective.num_views)
    machine = Machine(network, optimizer, chosen, torch.float32, group, plan, objective)
    for _ in range(2):
        losses = step(machine, batch, *whole, seed=11)
    result = {"losses": torch.from_numpy(losses)}
    result |= {str(place): parameter.grad for place, parameter in enumerate(machine.parameters)}
    return result | dict(network.named_buffers()) | dict(objective.named_buffers())


def check_alike(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-12, msg=lambda text, name=name: name + text)


CASES = pytest.mark.parametrize(("shape", "more"), [*SWITCHES.values(), EVERYTHING], ids=[*SWITCHES, "everything"])
LENGTHS = [23, 11, 17, 8, 20]


@CASES
def test_parts_and_padding_change_nothing(shape, more):
    network, batch = make_network(**shape), make_batch(LENGTHS)
    whole = outcome(network, batch, more)
    assert all(torch.isfinite(value).all() for value in whole.values())
    for part_slices in (100, 24):
        check_alike(outcome(network, batch, more, part_slices), whole)
    padded = replace(batch, slices=torch.nn.functional.pad(batch.slices, (0, 0, 0, 9)))
    check_alike(outcome(network, padded, more), whole)


def test_parts_change_nothing_without_convolutions():
    network, batch = make_network(convolutions=(), **EVERYTHING[0]), make_batch(LENGTHS)
    check_alike(outcome(network, batch, EVERYTHING[1], 50), outcome(network, batch, EVERYTHING[1]))


@dataclass(frozen=True)
class Threads(Group):
    """Two processes as threads of one."""

    told: dict[int, torch.Tensor] = field(default_factory=dict)
    barrier: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        self.told[self.rank] = tensor.clone()
        self.barrier.wait(60)
        total = self.told[0] + self.told[1]
        self.barrier.wait(60)
        return tensor.copy_(total)


@pytest.mark.parametrize("part_slices", [0, 50])
def test_processes_share_a_batch(part_slices):
    network, batch = make_network(dropout=0.0, **EVERYTHING[0]), make_batch(LENGTHS)
    whole = outcome(network, batch, EVERYTHING[1])
    first = Threads(0, 2)
    groups = [first, replace(first, rank=1)]
    found: list[dict[str, torch.Tensor]] = [{}, {}]

    def work(rank: int) -> None:
        own = shares(len(LENGTHS), 2)[rank]
        found[rank] = outcome(network, batch, EVERYTHING[1], part_slices, groups[rank], own)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for each in found:
        torch.testing.assert_close(each.pop("losses").double(), whole["losses"])  # told in float32
        check_alike(each, {name: value for name, value in whole.items() if name != "losses"})


def test_a_loss_that_is_no_number_leaves_the_prior_as_it_was():
    network, batch = make_network(), make_batch(LENGTHS)
    batch.slices[1, 3] = float("nan")
    for part_slices in (0, 24):
        mean = outcome(network, batch, {"label_prior": 0.3}, part_slices)["prior.mean"]
        assert torch.equal(mean, torch.full_like(mean, 1 / NUM_LABELS))


def test_the_prior_is_the_running_mean_of_posteriors():
    network, batch = make_network(dropout=0.0), make_batch(LENGTHS)
    with torch.no_grad():
        copied = copy.deepcopy(network).train()
        log_probs, lengths = copied(batch.slices.double(), batch.lengths)
    mean = torch.cat([row[:length].exp() for row, length in zip(log_probs, lengths, strict=True)]).mean(0)
    uniform = torch.full_like(mean, 1 / NUM_LABELS)
    expected = KEPT * (KEPT * uniform + (1 - KEPT) * mean) + (1 - KEPT) * mean
    torch.testing.assert_close(outcome(network, batch, {"label_prior": 0.3})["prior.mean"], expected)


def test_all_off_is_plain_ctc_to_the_last_bit():
    """Also with layers that the head could read behind, and weight 0."""
    off = {
        "consistency": 0.0,
        "intermediate_weight": 0.0,
        "short_cut": 0.0,
        "label_smoothing": 0.0,
        "label_prior": 0.0,
    }
    batch = make_batch(LENGTHS)
    network = make_network(intermediate_layers=(1,))
    found = outcome(network, batch, off)
    plain = copy.deepcopy(network).train()
    for _ in range(2):
        plain.zero_grad()
        torch.manual_seed(11)
        log_probs, lengths = plain(batch.slices.double(), batch.lengths)
        losses = torch.nn.functional.ctc_loss(
            log_probs.transpose(0, 1), batch.targets, lengths, batch.target_lengths, reduction="none"
        )
        (losses.sum() / len(batch.targets)).backward()
    torch.nn.utils.clip_grad_norm_(plain.parameters(), 1e9)
    assert torch.equal(found["losses"], losses.detach())
    for place, parameter in enumerate(plain.parameters()):
        assert torch.equal(found[str(place)], parameter.grad)
    assert len(found) == 1 + place + 1 + len(list(plain.buffers()))


def test_terms_in_bfloat16_are_near_those_in_float32():
    if not precision._runs_lstm():
        pytest.skip("this processor's recurrent kernels have no bfloat16")
    network, batch = make_network(convolutions=(), dropout=0.0, **EVERYTHING[0]).float(), make_batch([20, 16])
    objective = Objective(TrainingSettings(**EVERYTHING[1]), network)
    batch = with_views(batch, 2)
    found = []
    for low in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            emitted = objective.emit(network, *network.front_end(batch.slices, batch.lengths))
        losses = objective.losses(batch, emitted, slice(0, 4))
        losses.sum().backward()
        assert losses.dtype == torch.float32
        found.append(losses.detach())
    torch.testing.assert_close(found[1], found[0], rtol=0.02, atol=0.1)
    assert all(torch.isfinite(each.grad).all() for each in network.parameters())


def test_the_optimiser_has_the_weights_of_the_short_cut_and_the_bundle_has_not():
    network = make_network()
    before = {name for name, _ in network.named_parameters()}
    objective = Objective(TrainingSettings(short_cut=0.1), network)
    groups = make_optimizer(network, objective, TrainingSettings()).param_groups
    known = {id(parameter) for group in groups for parameter in group["params"]}
    assert {id(parameter) for parameter in objective.parameters()} < known
    assert {name for name, _ in network.named_parameters()} == before
    assert objective.short_cut is not None
    assert objective.short_cut.convolution.weight.shape == (NUM_LABELS, network.encoder_inputs, 3)
