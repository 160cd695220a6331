"""How many rows of a batch are computed at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MemoryPlan:
    """Attributes: part_slices: padded slices computed at once at most; 0 is no bound."""

    part_slices: int = 0

    def rows_at_once(self, num_rows: int, num_slices: int) -> int:
        """The most rows computed at once of a batch of ``num_rows`` rows of ``num_slices`` slices; at least 1."""
        return max(1, self.part_slices // num_slices) if self.part_slices else max(1, num_rows)
