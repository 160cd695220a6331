"""Where a bundle carries its decoder's settings and language model."""

# A folder below the bundle's, and the settings in it.
LANGUAGE_FOLDER = "language"
CHOSEN = "decoding.json"
