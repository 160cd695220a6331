"""Recurrent layers that see only a sample's own slices, whatever padding stands behind them."""
