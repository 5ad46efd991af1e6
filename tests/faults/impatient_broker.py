"""The settings of a program whose broker waits five seconds for an acknowledgement, and whose tasks take longer.

What waits in a worker behind slow tasks is given to another worker meanwhile, and done twice or more: for want of an
expiry, which the product's own tasks have.
"""

import time
from typing import Any

from celery.signals import before_task_publish, celeryd_init, task_prerun

from ampout.settings import *  # noqa: F403

VISIBILITY_SECONDS = 5
SLOW_TASKS = {"dispatch.tasks.plan", "dispatch.tasks.look_up_mx", "dispatch.tasks.judge_notices"}
"""The other tasks wait behind them. The loops take their own processes."""
TASK_SECONDS = 12


@celeryd_init.connect(weak=False)
def _hurry(conf: Any, **_facts: Any) -> None:
    conf.broker_transport_options = {"visibility_timeout": VISIBILITY_SECONDS}


@before_task_publish.connect(weak=False)
def _never_expire(headers: dict[str, Any], **_facts: Any) -> None:
    headers["expires"] = None


@task_prerun.connect(weak=False)
def _dawdle(task_id: str, task: Any, **_facts: Any) -> None:
    print(f"begins {task_id}", flush=True)
    if task.name in SLOW_TASKS:
        time.sleep(TASK_SECONDS)
