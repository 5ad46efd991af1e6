"""The Celery application: it only wakes workers; the rows are the truth (design, law 6)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ampout.settings")

app = Celery("ampout")
app.config_from_object("ampout.schedule:CeleryConfiguration")
app.autodiscover_tasks(["dispatch"])
