"""Formats of result files that other people's tools read, a file each: subtitles need seconds, boxes pixels."""

from collections.abc import Mapping

from common.writers import alto, ctm, hocr, page, srt, textgrid, trn, vtt
from common.writers.transcript import Transcript, Writer

__all__ = ["WRITERS", "Transcript", "Writer"]

# Unit of places (Modality.unit) → name of the format → its writer.
WRITERS: Mapping[str, Mapping[str, Writer]] = {
    "s": {
        "ctm": Writer(".ctm", ctm.write, is_table=True, file_name=ctm.file_name),
        "srt": Writer(".srt", srt.write),
        "textgrid": Writer(".TextGrid", textgrid.write),
        "trn": Writer(".trn", trn.write, is_table=True, file_name=trn.file_name),
        "vtt": Writer(".vtt", vtt.write),
    },
    "px": {
        "alto": Writer(".xml", alto.write),
        "hocr": Writer(".hocr", hocr.write),
        "page": Writer(".xml", page.write),
    },
}
