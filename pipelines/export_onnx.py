"""Write a model's network as an ONNX file, which other programs run without Glyphone and without torch.

Inputs are slices float32 [B, T, F] and lengths int64 [B], outputs log-probabilities [B, T', V] and their lengths; the
file's metadata say how slices are made and what the labels mean: docs/handing_out.md. The file is run once and compared
with the network before it is written. Needs requirements/export.txt.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from common.errors import GlyphoneError, run


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.export_onnx",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="model folder or its archive, e.g. models/audio")
    parser.add_argument("file", metavar="FILE.onnx", type=Path, help="what is written")
    options = parser.parse_args(arguments)
    if options.file.suffix.lower() != ".onnx":
        raise GlyphoneError(f"{options.file}: the second argument is the file to write; its name must end in .onnx")
    num_bytes, difference = export(options.model, options.file)
    print(f"{options.file}: {num_bytes} bytes; log-probabilities differ from the network's by {difference:.1e} at most")
    return 0


def export(model: Path, file: Path) -> tuple[int, float]:
    """Write the ONNX file of a model folder; return its bytes and its largest difference of a log-probability.

    Raises:
        GlyphoneError: not a model folder, packages are missing, or ONNX lacks a part of the network.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        reason = f"package {error.name} is missing" if error.name else f"package onnx or onnxruntime: {error}"
        raise GlyphoneError(f"{reason}: pip install -r requirements/export.txt") from None
    from common.archive import unpacked
    from common.bundle import read_bundle, read_description
    from common.export.onnx_model import metadata_of, onnx_model
    from common.export.parity import differences
    from common.files import write_bytes
    from common.network_settings import NetworkSettings

    with unpacked(model) as folder:
        bundle = read_bundle(folder)
        settings = NetworkSettings(**read_description(folder)["network"])
    data = onnx_model(bundle.network, settings, metadata_of(bundle)).SerializeToString(deterministic=True)
    found = differences(bundle.network, data)
    if not found.exported <= found.allowed:
        raise GlyphoneError(
            f"{model}: exported log-probabilities differ from the network's by {found.exported:.1e}, allowed is "
            f"{found.allowed:.0e}: the network has a part that the export does not know"
        )
    write_bytes(file, data)
    return len(data), found.exported


if __name__ == "__main__":
    run(main)
