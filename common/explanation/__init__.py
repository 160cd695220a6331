"""A trained model and one file as a page that explains the core: shapes, weights, gates, gradients, CTC."""
