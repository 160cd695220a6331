"""The facts in the head of the report: what the model was made from, in full."""

from dataclasses import replace
from typing import Any

import pytest

from common.errors import GlyphoneError
from common.report.facts import facts
from common.report.shapes import Description, Training
from common.report.sources import Sources, read_sources
from common.shapes import checked
from tests.report_world import build, metrics_of, rows_of

DECODING = {"engine": "greedy"}
MADE = {"stream": {"samples": 15000, "licence": "rendered; fonts under OFL-1.1"}}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    root = tmp_path_factory.mktemp("world")
    build(root, "audio", rows_of(12))
    return read_sources("audio", root)


def with_summary(sources: Sources, **changes: Any) -> Sources:
    return replace(sources, bundle=sources.bundle | {"summary": sources.bundle["summary"] | changes})


def test_data_and_time_before_the_training_are_told(sources: Sources) -> None:
    told = dict(facts(sources, DECODING))
    assert "Started from" not in told and "Pre-training time" not in told
    warm = with_summary(sources, warm_start={"corpora": MADE})
    warm = replace(warm, training=sources.training | {"pretraining_seconds": 1098.2})
    told = dict(facts(warm, DECODING))
    assert told["Started from"] == "a model of stream (rendered; fonts under OFL-1.1)"
    assert told["Licence of the data"] == "Apache-2.0; not stated; rendered; fonts under OFL-1.1"
    assert told["Pre-training time"] == "18\u00a0min\u00a018\u00a0s"
    many = {name: {"samples": 1, "licence": ""} for name in "abcd"}
    told = dict(facts(with_summary(sources, warm_start={"corpora": many}), DECODING))
    assert told["Started from"] == "a model of 4 corpora (not stated)"


def test_earlier_data_has_the_shape_that_the_page_reads(sources: Sources) -> None:
    for shape, content, place in (
        (Description, with_summary(sources, warm_start={"corpora": {"a": {}}}).bundle, "warm_start.corpora.a.licence"),
        (Training, sources.training | {"pretraining_seconds": "long"}, "pretraining_seconds"),
    ):
        with pytest.raises(GlyphoneError, match=place):
            checked(shape, content, "file")


def test_one_sample_is_no_samples(sources: Sources) -> None:
    rows = list(sources.hypotheses[:1])
    one = replace(with_summary(sources, training_samples=1), hypotheses=rows, metrics=metrics_of(rows))
    told = dict(facts(one, DECODING))
    assert told["Training"].startswith("1 sample, ") and told["Test"].startswith("1 sample, ")
