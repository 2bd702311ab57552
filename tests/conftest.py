"""Settings of every test run."""

import os

# One thread per worker, set before torch is imported: two workers of two threads each on two
# cores run several times slower than two of one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
