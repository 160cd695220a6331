"""Write the page around the plots of ``dvc plots show``, with the drawing library inside: DVC's own page fetches it.

``make setup`` calls this and tells DVC (``plots.html_template``). The library is Vega-Embed with all that it needs, as
vl-convert brings it, in the last release that reads the specifications of Vega-Lite 5, which DVC writes.
"""

import argparse

from common.errors import run

VEGA_LITE = "5.21"
# The words in braces are filled in by DVC.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{refresh_tag}
<title>Glyphone: plots</title>
<style>body { font-family: sans-serif; margin: 2rem; } body > div { margin-bottom: 2rem; }</style>
<script>{library}</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.plots_page", description=__doc__)
    parser.add_argument("path", help="of the page to write")
    path = parser.parse_args().path

    from vl_convert import javascript_bundle

    from common.files import write_text

    # DVC's plots call vegaEmbed as a global name.
    library = javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    # No text of the library may end the script element, nor be taken for one of DVC's places.
    library = library.replace("</script", "<\\/script")
    write_text(path, PAGE.replace("{library}", library))


if __name__ == "__main__":
    run(main)
