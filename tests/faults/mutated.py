"""The settings of a program that breaks a law: those of the product, and the mutation that MUTATION names."""

import os

from ampout.settings import *  # noqa: F403
from tests.faults.mutations import install

install(os.environ["MUTATION"])
