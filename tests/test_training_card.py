"""The model card that a training writes: which network, which characters, and corpora as they are called."""

import pytest
from markdown_it import MarkdownIt

from common.network_settings import NetworkSettings
from pipelines.card_wording import network_of
from pipelines.training_summary import card
from tests.bare_models import SUMMARY
from tests.report_world import HOSTILE

DESCRIPTION = {"modality": "audio", "alphabet": list(" ab`"), "unit": "s", "summary": SUMMARY | {"num_parameters": 1}}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "2 convolutions and a bidirectional recurrent network of 3 layers (`lstm`) of 256 units a direction"),
        (
            {"convolutions": [{}], "num_layers": 1, "bidirectional": False, "cell": "gru"},
            "1 convolution and a one-directional recurrent network of 1 layer (`gru`) of 256 units",
        ),
        ({"convolutions": [], "num_layers": 2, "cell": "transformer"}, "A transformer of 2 layers of 512 units"),
        (
            {"cell": "transformer", "bidirectional": False},
            "2 convolutions and a transformer of 3 layers of 256 units, which sees the past alone",
        ),
    ],
)
def test_the_network_is_the_one_of_the_settings(settings: dict, said: str) -> None:
    network = NetworkSettings.model_validate(settings)
    assert network_of(network.model_dump()) == said
    assert f"\n{said}, with CTC, " in card(DESCRIPTION, network)


def test_all_characters_stand_in_the_card() -> None:
    assert "<code>␣ab`</code>" in MarkdownIt().render(card(DESCRIPTION, NetworkSettings()))


def test_corpora_and_licences_are_no_markup() -> None:
    corpora = {f"a|b {HOSTILE}": {"samples": 1, "licence": f"*free* | {HOSTILE}"}}
    summary = SUMMARY | {"num_parameters": 1, "corpora": corpora, "warm_start": {"corpora": corpora}}
    text = card(DESCRIPTION | {"summary": summary}, NetworkSettings())
    page = MarkdownIt("commonmark").enable("table").render(text)
    assert "<script" not in page and "<img" not in page and "<em" not in page
    assert page.count("<td>") == 3
    assert page.count("*free* | &lt;script&gt;") == 2 and page.count("a|b &lt;script&gt;") == 2
    assert "trained on a|b" in page and "(1 sample)." in page


def test_errors_on_other_data_are_no_certainty() -> None:
    assert "may well be higher" in card(DESCRIPTION, NetworkSettings())
