"""Calls made up from the description, valid and not: no fault of ours, nothing undescribed (schemathesis).

The web process is a real one, with a database and a broker of its own. `make fuzz` does it for long.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from ampout.supervisor.kept_environment import PROJECT
from campaigns.services.steps import StepValues
from dispatch.services.steps import add_step
from tests import factories
from tests.faults.conftest import StartLab
from tests.faults.lab import Lab

SHORT_SEED = 20_261_122
OF_EACH = 12
"""Objects of each kind: some calls delete them."""
MINUTES = float(os.environ.get("MINUTES") or "10")
STRICTER_THAN_A_SCHEMA = "positive_data_acceptance"
"""Control characters, templates, hosts and fields that need each other are refused; a JSON Schema cannot say so."""


def seeded(lab: Lab, path: Path) -> str:
    """Make an account with a few of everything; write the ids to `path`, and return the text of its key."""
    with lab.django():
        account = factories.make_account("Fuzz")
        issued = factories.make_key(account)
        type(issued.key).objects.of(account).filter(pk=issued.key.pk).update(is_rate_limited=False)
        ids: dict[str, list[str]] = {"key": [str(issued.key.pk)]}
        for _ in range(OF_EACH):
            campaign = factories.make_campaign(account)
            add_step(account, campaign.pk, StepValues(body_text="Again"))
            contact_import = factories.make_import(account, record_count=1)
            contact = factories.make_contact(account, contact_import=contact_import)
            enrollment = factories.enroll(campaign, contact)
            credential = campaign.credentials.get()
            made = {
                "campaign_id": campaign.pk,
                "contact_id": contact.pk,
                "contact_import_id": contact.contact_import_id,
                "enrollment_id": enrollment.pk,
                "message_id": factories.make_message(enrollment, credential=credential).pk,
                "outreach_id": factories.make_outreach(account).pk,
                "provider_hook_id": factories.make_hook(credential).pk,
                "sequence_step_id": campaign.steps.order_by("position")[1].pk,
                "smtp_credential_id": credential.pk,
                "webhook_id": factories.make_webhook(account).pk,
            }
            for name, made_id in made.items():
                ids.setdefault(name, []).append(str(made_id))
    path.write_text(json.dumps(ids))
    return issued.plaintext


def fuzz(start_lab: StartLab, folder: Path, *options: str) -> None:
    """Start a web process, and call it for as long as the options say."""
    lab = start_lab(workers=0, beats=0, settings={"ALLOW_SIGNUP": "1"})
    key = seeded(lab, folder / "ids.json")
    program = Path(sys.executable).with_name("schemathesis")
    config, address = Path(__file__).with_name("schemathesis.toml"), f"http://127.0.0.1:{lab.web_port}/openapi.json"
    command = [str(program), "--config-file", str(config), "run", address, "--checks", "all", *options]
    # Nothing is ready here, and /readyz says so by a 503.
    command += [
        "--exclude-path",
        "/readyz",
        "--exclude-checks",
        STRICTER_THAN_A_SCHEMA,
        "--header",
        f"Authorization: Bearer {key}",
    ]
    settings = {"FUZZ_IDS": str(folder / "ids.json"), "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "NO_COLOR": "1"}
    settings["PYTHONPATH"] = str(PROJECT)
    # It leaves a folder where it works.
    done = subprocess.run(command, cwd=folder, env=os.environ | settings, capture_output=True, text=True, check=False)
    print(done.stdout)
    faults = [line for line in lab.programs["web"].log_path.read_text().splitlines() if "Traceback" in line]
    assert (done.returncode, faults) == (0, []), done.stdout[-20_000:] + done.stderr[-2_000:]


def test_a_few_calls_of_each_kind_find_no_fault(start_lab: StartLab, tmp_path: Path) -> None:
    fuzz(start_lab, tmp_path, "--max-examples", "5", "--seed", str(SHORT_SEED), "--phases", "examples,fuzzing,stateful")


@pytest.mark.fuzz
def test_many_calls_find_no_fault(start_lab: StartLab, tmp_path: Path) -> None:
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(2**32))
    print(f"SEED={seed}")
    fuzz(start_lab, tmp_path, "--max-time", str(int(MINUTES * 60)), "--seed", seed, "--continue-on-failure")
