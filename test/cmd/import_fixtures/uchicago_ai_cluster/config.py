# The same as a program; Globus Compute prefers it, and gc does not read it.
config = None
