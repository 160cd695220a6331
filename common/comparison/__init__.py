"""Two runs on the same samples: how far apart they are, how sure that is, and which samples changed."""
