"""Several models vote on what a sample says: on characters by their confidences, or by the mean of their emissions."""
