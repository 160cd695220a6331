"""The stages and commands, one thin file each. What must be said before torch is loaded is said here."""

import os

# Threads that wait must sleep: spinning ones are many times slower wherever another program runs beside.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# oneDNN makes a kernel for every shape and keeps 1024 of them, which costs memory (1.59 GB after an epoch of the
# default text images, 1.38 with 128, 1.33 with 32) and wins time (27, 29 and 33 s).
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "512")
# Torch asks the system for huge pages of large tensors (2 MiB instead of 4 KiB at a time; where Linux offers them on
# request, "madvise", as most distributions do). New pages at every step were 16 % of the processor time of recipe an4,
# and are 9 % so: an epoch takes 50 s of it instead of 56, in as much memory.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
