"""Settings that weights which are taken over have learnt with, and those that they are to go on with."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from common.network_settings import NetworkSettings

# How much of a sample is refused, not how it is read.
LIMITS = "max_"


def other_settings(description: Mapping[str, Any], network: NetworkSettings, slices: BaseModel) -> list[str]:
    """A line a setting of the front end or the network that changes what the same weights compute.

    Those of training alone (dropout, …) are left out, and those that shapes or cells tell: ``warm_start`` checks them.

    Args:
        description: ``bundle.json`` of the model.
        network, slices: of the training.
    """
    defaults = type(slices)().model_dump(mode="json")  # of settings that came after the model
    there, here = {**defaults, **description["slice_settings"]}, slices.model_dump(mode="json")
    pairs = {f"slices.{key}": (there[key], here.get(key)) for key in there if not key.startswith(LIMITS)}
    old, new = (dict(_of_network(each)) for each in (NetworkSettings(**description["network"]), network))
    pairs |= {f"network.{key}": (value, new.get(key)) for key, value in old.items()}
    return [f"{key}: learnt with {was}, goes on with {now}" for key, (was, now) in pairs.items() if was != now]


def misfits(description: Mapping[str, Any], network: NetworkSettings, num_features: int) -> list[str]:
    """A sentence a setting by which the model's weights are others than the training's, in shape or in meaning.

    Args:
        description: ``bundle.json`` of the model.
        network, num_features: of the training.
    """
    there, here = NetworkSettings(**description["network"]), network
    old, new = dict(_of_weights(there)), dict(_of_weights(here))
    if _width(there, num_features) != _width(here, num_features):
        old |= dict(_of_steps(there))
        new |= dict(_of_steps(here))
    pairs = {f"network.{key}": (old.get(key), new.get(key)) for key in {**old, **new}}
    pairs["features a slice"] = (description["num_features"], num_features)
    return [f"{key}: {_shown(was)} there, {_shown(now)} here" for key, (was, now) in pairs.items() if was != now]


def _of_weights(settings: NetworkSettings) -> Iterator[tuple[str, Any]]:
    for number, block in enumerate(settings.convolutions):
        yield f"convolutions.{number}.channels", block.channels
        yield f"convolutions.{number}.kernel", list(block.kernel)
    for key in ("cell", "num_layers", "num_hidden", "bidirectional", "self_conditioned"):
        yield key, getattr(settings, key)
    if settings.cell == "transformer":
        yield "num_heads", settings.num_heads


def _width(settings: NetworkSettings, num_features: int) -> int:
    """Features a channel that the recurrent layers see."""
    for block in settings.convolutions:
        for factor in (block.stride[1], block.pool[1]):
            num_features = -(-num_features // factor)
    return num_features


def _shown(value: Any) -> Any:
    return "none" if value is None else value


def _of_steps(settings: NetworkSettings) -> Iterator[tuple[str, Any]]:
    for number, block in enumerate(settings.convolutions):
        yield f"convolutions.{number}.stride", list(block.stride)
        yield f"convolutions.{number}.pool", list(block.pool)


def _of_network(settings: NetworkSettings) -> Iterator[tuple[str, Any]]:
    yield from _of_steps(settings)
    yield "residual", settings.residual
    if settings.self_conditioned:
        yield "intermediate_layers", list(settings.intermediate_layers)
