"""Notices in the shapes that mail programs and providers give them: our own words about made-up people."""

from tests.rules.bounces.dialects import DIALECTS
from tests.rules.bounces.reports import REPORTS
from tests.rules.bounces.wordings import WORDINGS

SAMPLES = [*REPORTS, *DIALECTS, *WORDINGS]
