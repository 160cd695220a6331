"""The stages and commands, one thin file each. What must be said before torch is loaded is said here."""

import os

# Threads that wait must sleep: spinning ones are many times slower wherever another program runs beside.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Nearly every batch has a shape of its own; by default oneDNN keeps the kernels of 1024 of them (measured: 1.9 GB
# against 1.3 GB after 60 steps of the AN4 network).
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
