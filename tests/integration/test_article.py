"""The article's own steps with awslocal, and LocalStack's own command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.support.project import Project

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "scripts" / "article.sh"


def walk(project: Project, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT)],
        cwd=project.root,
        env=project.environ | {"PYTHON": sys.executable} | environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_article_runs_as_it_is_written(own_project: Project) -> None:
    own_project.run("up")  # its one pipeline has nothing to do with the article's names

    done = walk(own_project)

    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout[done.stdout.index("6. What the handler printed") :]
    received = re.search(r"^Received event: (.*)$", printed, re.MULTILINE)
    assert received
    (record,) = json.loads(received[1])["Records"]
    arn = "arn:aws:dynamodb:us-east-1:000000000000:table/UserProfileTable/stream/"
    assert re.fullmatch(r"[0-9a-f]{32}", record["eventID"])
    assert record["eventName"] == "INSERT"
    assert record["eventVersion"] == "1.1"
    assert record["eventSource"] == "aws:dynamodb"
    assert record["awsRegion"] == "us-east-1"
    assert record["eventSourceARN"].startswith(arn)
    change = record["dynamodb"]
    assert change["Keys"] == {"id": {"S": "123"}}
    assert change["NewImage"] == {"id": {"S": "123"}, "name": {"S": "John Doe"}}
    assert "OldImage" not in change
    assert change["SequenceNumber"].isdigit()
    assert change["SizeBytes"] == 22  # names and values, of the key and of the new image
    assert change["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert change["ApproximateCreationDateTime"] > 0
    assert f"Event ID: {record['eventID']}\nEvent Name: INSERT\nDynamoDB Record: " in printed
    shown = re.search(r"^DynamoDB Record: (.*)$", printed, re.MULTILINE)
    assert shown
    assert json.loads(shown[1]) == change


def test_a_table_that_is_already_there_is_told_and_not_touched(project: Project) -> None:
    before = project.gateway.tables.find("UserProfileTable")

    done = walk(project)

    assert done.returncode == 1
    assert "Table UserProfileTable exists already" in done.stderr
    assert project.gateway.tables.find("UserProfileTable") == before


def test_localstacks_own_command_line_works_against_the_engine(project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.tool", "localstack", "status", "services"],
        cwd=project.root,
        env=project.environ | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"dynamodb\s.*running", done.stdout)
    assert re.search(r"lambda\s.*running", done.stdout)
