"""Training: a loop one can read in one go, and what it is made of."""
