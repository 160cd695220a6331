"""The report: what evaluate left behind, as one self-contained HTML page."""
