"""The runtime that serves an agent: contract v1 (see README.md).

Importing the package imports nothing heavy: the signal handlers have to be there first.
"""

RUNTIME_VERSION = "1.0.0"
CONTRACT_VERSION = "v1"
