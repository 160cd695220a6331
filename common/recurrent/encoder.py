"""The encoder that the settings name."""

from common.network_settings import NetworkSettings
from common.recurrent.layers import LayerOptions
from common.recurrent.stack import RecurrentStack
from common.recurrent.transformer import TransformerEncoder


def encoder(settings: NetworkSettings, num_inputs: int) -> RecurrentStack | TransformerEncoder:
    """[B, T, F], lengths [B] → [B, T, num_outputs], where that is num_hidden for each direction."""
    if settings.cell == "transformer":
        return TransformerEncoder(
            num_inputs,
            settings.num_hidden * (2 if settings.bidirectional else 1),
            settings.num_layers,
            settings.num_heads,
            settings.dropout,
            bidirectional=settings.bidirectional,
        )
    return RecurrentStack(
        settings.cell,
        num_inputs,
        settings.num_hidden,
        settings.num_layers,
        settings.dropout,
        bidirectional=settings.bidirectional,
        residual=settings.residual,
        options=LayerOptions(settings.zoneout, settings.recurrent_dropout, settings.forget_bias),
    )
