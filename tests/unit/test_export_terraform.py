"""export terraform: what the files say, read by a parser of HCL and, where it is, by Terraform."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import hcl2
import pytest
from hcl2 import SerializationOptions

from streamdev.cli.exit_codes import ExitCode
from streamdev.export.hcl import Call, Expression, Joined, Noted, block, render
from tests.support.exporting import EVERYTHING, PIPELINE, export, project

ROOT = Path(__file__).resolve().parents[2]
FILES = {"main.tf", "variables.tf", "outputs.tf", "versions.tf"}


def everything(folder: Path) -> Path:
    text = EVERYTHING.replace("lambda_src/NAME", "code")
    text = text.replace("handler.lambda_handler", "handler.run")
    return project(folder, text.replace("NAME", "all"))


class Exported:
    """What the files of a folder say: ``${...}`` is an expression, as the parser has it."""

    def __init__(self, folder: Path) -> None:
        options = SerializationOptions(
            with_comments=False, explicit_blocks=False, strip_string_quotes=True
        )
        self._files = {
            path.name: hcl2.loads(path.read_text(encoding="utf-8"), serialization_options=options)
            for path in folder.glob("*.tf")
        }

    def of(self, kind: str, *labels: str, file: str = "main.tf") -> Any:
        """The body of one block."""
        (found,) = self.all(kind, *labels, file=file)
        return found

    def all(self, kind: str, *labels: str, file: str = "main.tf") -> list[Any]:
        found: list[Any] = self._files[file].get(kind, [])
        for label in labels:
            found = [one[label] for one in found if label in one]
        return found

    def resources(self, kind: str) -> dict[str, Any]:
        """The bodies of all resources of a type, by label."""
        return {label: body for one in self.all("resource", kind) for label, body in one.items()}

    def texts(self) -> str:
        return json.dumps(self._files)


def exported(cwd: Path) -> Exported:
    code, _, err = export(cwd, "terraform")
    assert code == ExitCode.OK, err
    assert {path.name for path in (cwd / "terraform").iterdir()} == FILES
    return Exported(cwd / "terraform")


def test_the_documented_files_are_what_export_writes() -> None:
    code, out, err = export(ROOT, "terraform", "--check", "-o", "docs/examples/terraform")
    assert code == ExitCode.OK, out + err


def test_everything_a_pipeline_can_have_is_in_the_files(tmp_path: Path) -> None:
    made = exported(everything(tmp_path))

    table = made.of("resource", "aws_dynamodb_table", "all")
    assert table["name"] == "all${var.name_suffix}"
    assert (table["hash_key"], table["range_key"]) == ("id", "at")
    assert (table["stream_enabled"], table["stream_view_type"]) == (True, "KEYS_ONLY")
    assert {one["name"]: one["type"] for one in table["attribute"]} == {
        "id": "S",
        "at": "N",
        "city": "S",
        "size": "B",
    }
    assert table["ttl"] == [{"attribute_name": "gone", "enabled": True}]
    assert table["global_secondary_index"] == [
        {
            "name": "by-city",
            "projection_type": "INCLUDE",
            "non_key_attributes": ["on", "street"],
            "key_schema": [
                {"attribute_name": "city", "key_type": "HASH"},
                {"attribute_name": "at", "key_type": "RANGE"},
            ],
        }
    ]
    assert table["local_secondary_index"] == [
        {"name": "by-size", "range_key": "size", "projection_type": "KEYS_ONLY"}
    ]
    assert table["deletion_protection_enabled"] == "${var.keep_data}"

    function = made.of("resource", "aws_lambda_function", "all")
    assert function["function_name"] == "all${var.name_suffix}"
    assert (function["memory_size"], function["timeout"]) == (192, 7)
    (environment,) = function["environment"]
    assert environment["variables"] == {
        "NO": "off",
        "WHO": 'it\'s "1_000"\n: # x $${USER}',
    }
    code = made.of("data", "archive_file", "all")
    assert code["source_dir"] == "${path.module}/../code"
    assert function["source_code_hash"] == "${data.archive_file.all.output_base64sha256}"
    assert function["logging_config"] == [
        {"log_format": "Text", "log_group": "${aws_cloudwatch_log_group.all.name}"}
    ]
    assert made.of("resource", "aws_cloudwatch_log_group", "all")["name"] == (
        "/aws/lambda/all${var.name_suffix}"
    )

    # Reserved and provisioned, with the alias that the mapping calls.
    assert function["reserved_concurrent_executions"] == "${var.all_reserved_concurrency}"
    reserved = made.of("variable", "all_reserved_concurrency", file="variables.tf")
    assert reserved["default"] == 4
    provisioned = made.of("resource", "aws_lambda_provisioned_concurrency_config", "all")
    assert provisioned["qualifier"] == "${aws_lambda_alias.all.name}"
    assert made.of("resource", "aws_lambda_alias", "all")["name"] == "live"

    mapping = made.of("resource", "aws_lambda_event_source_mapping", "all")
    (criteria,), (destination,) = mapping.pop("filter_criteria"), mapping.pop("destination_config")
    assert mapping == {
        "event_source_arn": "${aws_dynamodb_table.all.stream_arn}",
        "function_name": "${aws_lambda_alias.all.arn}",
        "starting_position": "LATEST",
        "batch_size": 50,
        "maximum_batching_window_in_seconds": 2,
        "parallelization_factor": 3,
        "tumbling_window_in_seconds": 0,
        "maximum_retry_attempts": 4,
        "maximum_record_age_in_seconds": 600,
        "bisect_batch_on_function_error": True,
        "enabled": True,
        "function_response_types": ["ReportBatchItemFailures"],
        "depends_on": ["${aws_iam_role_policy.all}"],
    }
    assert [one["pattern"] for one in criteria["filter"]] == [
        '${jsonencode({eventName = ["INSERT"]})}',
        '${jsonencode({dynamodb = {Keys = {id = {S = [{prefix = "a"}]}}}})}',
    ]
    assert destination["on_failure"] == [{"destination_arn": "${aws_s3_bucket.all_failed.arn}"}]

    second = made.of("resource", "aws_lambda_event_source_mapping", "all_2")
    assert (second["tumbling_window_in_seconds"], second["enabled"]) == (30, False)
    assert second["function_name"] == "${aws_lambda_function.all_2.arn}"
    assert second["destination_config"] == [
        {"on_failure": [{"destination_arn": "${aws_sns_topic.all_told.arn}"}]}
    ]
    subscription = made.of("resource", "aws_sns_topic_subscription", "all_told_to_all_seen")
    assert subscription["raw_message_delivery"] is True
    allowed = made.of("resource", "aws_sqs_queue_policy", "all_seen")["policy"]
    assert '"aws:SourceArn" = [aws_sns_topic.all_told.arn]' in allowed

    alarms = made.resources("aws_cloudwatch_metric_alarm")
    watched = {label: (one["dimensions"], one["threshold"]) for label, one in alarms.items()}
    assert watched == {
        f"{name}_iterator_age": (
            {"FunctionName": f"${{aws_lambda_function.{name}.function_name}}"},
            threshold,
        )
        for name, threshold in (("all", 300_000), ("all_2", 3_600_000))
    }
    assert alarms["all_iterator_age"]["alarm_actions"] == (
        '${var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]}'
    )

    policy = made.of("resource", "aws_iam_role_policy", "all")["policy"]
    for resource in (
        'Resource = "${aws_dynamodb_table.all.arn}/stream/*"',
        'Resource = "${aws_cloudwatch_log_group.all.arn}:*"',
        "Resource = aws_dynamodb_table.all.arn",
        'Resource = [aws_s3_bucket.all_failed.arn, "${aws_s3_bucket.all_failed.arn}/*"]',
    ):
        assert resource in policy
    assert "000000000000" not in made.texts()
    assert made.of("output", "all_failed_bucket_name", file="outputs.tf") == {
        "value": "${aws_s3_bucket.all_failed.bucket}"
    }


def test_every_reference_leads_to_a_block_and_every_variable_is_declared(tmp_path: Path) -> None:
    everything(tmp_path)
    for folder in (exported(tmp_path), Exported(ROOT / "docs" / "examples" / "terraform")):
        text = folder.texts()
        declared = {
            (kind, label)
            for section in ("resource", "data")
            for one in folder.all(section)
            for kind, labels in one.items()
            for label in labels
        }
        named = set(re.findall(r"\b((?:aws|archive)_\w+)\.(\w+)", text))
        assert named - declared == set()
        variables = {name for one in folder.all("variable", file="variables.tf") for name in one}
        assert set(re.findall(r"\bvar\.(\w+)", text)) == variables


def test_names_that_look_alike_keep_apart(tmp_path: Path) -> None:
    other = PIPELINE.replace("pipelines.one", "pipelines.O-ne").replace("Things", "thi.ngs")
    third = PIPELINE.replace("pipelines.one", "pipelines.o_ne").replace("Things", "thi_ngs")
    number = PIPELINE.replace("pipelines.one", "pipelines.1").replace("Things", "1st")
    made = exported(project(tmp_path, PIPELINE + other + third + number))
    tables = made.resources("aws_dynamodb_table")
    assert {label: one["name"] for label, one in tables.items()} == {
        "things": "Things${var.name_suffix}",
        "thi_ngs": "thi.ngs${var.name_suffix}",
        "thi_ngs_2": "thi_ngs${var.name_suffix}",
        "_1st": "1st${var.name_suffix}",
    }
    mappings = made.resources("aws_lambda_event_source_mapping")
    assert {label: one["event_source_arn"] for label, one in mappings.items()} == {
        "one": "${aws_dynamodb_table.things.stream_arn}",
        "o_ne": "${aws_dynamodb_table.thi_ngs.stream_arn}",
        "o_ne_2": "${aws_dynamodb_table.thi_ngs_2.stream_arn}",
        "_1": "${aws_dynamodb_table._1st.stream_arn}",
    }


def test_requirements_become_a_layer_and_the_command_is_told(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "code" / "requirements.txt").write_text("# none yet\n")
    assert exported(root).resources("aws_lambda_layer_version") == {}
    (root / "code" / "requirements.txt").write_text("attrs\n")
    assert export(root, "terraform", "--check")[0] == ExitCode.FAILED
    code, _, err = export(root, "terraform", "--force")
    assert (code, "one: its requirements go into a layer" in err) == (ExitCode.OK, True)
    made = Exported(root / "terraform")
    (label,) = made.resources("aws_lambda_layer_version")
    assert made.of("resource", "aws_lambda_function", "one")["layers"] == [
        f"${{aws_lambda_layer_version.{label}.arn}}"
    ]
    source = made.of("data", "archive_file", label)["source_dir"]
    assert source == "${path.module}/build/one/requirements"
    text = (root / "terraform" / "main.tf").read_text()
    assert "pip install --requirement ../code/requirements.txt" in text
    assert "--target build/one/requirements/python --python-version 3.13" in text


def test_files_with_something_else_in_them_are_kept(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "terraform").mkdir()
    mine = root / "terraform" / "outputs.tf"
    mine.write_text("# mine\n")
    code, _, err = export(root, "terraform")
    assert (code, "outputs.tf" in err, mine.read_text()) == (ExitCode.USAGE, True, "# mine\n")
    assert [path.name for path in (root / "terraform").iterdir()] == ["outputs.tf"]
    code, out, _ = export(root, "terraform", "--force", "--json")
    states = {Path(one["path"]).name: one["state"] for one in json.loads(out)["files"]}
    assert (code, states.pop("outputs.tf")) == (ExitCode.OK, "updated")
    assert states == dict.fromkeys(FILES - {"outputs.tf"}, "created")


def checked(cwd: Path, *args: str) -> tuple[int, set[str]]:
    """Run ``export --check``; its exit code and the files it looked at."""
    code, out, _ = export(cwd, *args, "--check", "--json")
    return code, {Path(one["path"]).relative_to(cwd).as_posix() for one in json.loads(out)["files"]}


def test_check_looks_at_what_was_exported(tmp_path: Path) -> None:
    root = project(tmp_path)
    template, files = {"template.yaml"}, {f"terraform/{name}" for name in FILES}
    assert checked(root) == (ExitCode.FAILED, template)
    export(root, "terraform")
    assert checked(root) == (ExitCode.OK, files)
    # A template of another's is no export.
    (root / "template.yaml").write_text("Resources: {}\n")
    assert checked(root) == (ExitCode.OK, files)
    assert checked(root, "sam") == (ExitCode.FAILED, template)
    export(root, "sam", "--force")
    assert checked(root) == (ExitCode.OK, template | files)
    # A file that is gone is missed.
    (root / "terraform" / "versions.tf").unlink()
    assert checked(root) == (ExitCode.FAILED, template | files)
    export(root, "terraform")
    (root / "pipelines.toml").write_text(PIPELINE + "batch-size = 7\n")
    code, out, err = export(root, "--check")
    assert code == ExitCode.FAILED
    assert "-            BatchSize: 100\n+            BatchSize: 7\n" in out
    assert re.search(r"^-  batch_size += 100\n\+  batch_size += 7$", out, re.MULTILINE)
    assert "export sam --force" in err
    assert "export terraform --force" in err


def terraform() -> str:
    """Terraform's own program (or OpenTofu's); the test is skipped where it isn't."""
    named = os.environ.get("STREAMDEV_TERRAFORM")
    found = named or shutil.which("terraform") or shutil.which("tofu")
    if found is None:
        pytest.skip(
            "NOT CHECKED BY TERRAFORM: neither terraform nor tofu is on PATH, and "
            "STREAMDEV_TERRAFORM names none"
        )
    return found


def call(folder: Path, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run Terraform in a folder, without settings of this machine's user and without network."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TF_", "AWS_")) or name == "TF_PLUGIN_CACHE_DIR"
    }
    environ |= {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    return subprocess.run(
        [terraform(), *args],
        cwd=folder,
        env=environ,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_files_are_formatted_as_terraform_does_it(tmp_path: Path) -> None:
    exported(everything(tmp_path))
    for folder in (tmp_path / "terraform", ROOT / "docs" / "examples" / "terraform"):
        done = call(folder, "fmt", "-check", "-diff")
        assert done.returncode == 0, done.stdout + done.stderr


TEXTS = [
    *("", "a", "it's", 'say "so"', "a\nb\tc\rd", "back\\slash", "\\n", "日本", "\u2028", "\x7f"),
    *("${x}", "$${x}", "$$${x}", "%{if}", "%%{if", "$%{a}", "%${a}", "$", "a$", "$$", "{$", "<&>"),
]


def test_terraform_reads_any_text_as_it_was(tmp_path: Path) -> None:
    joined = Joined(("a$", Expression("local.n"), "%", Expression("local.n"), "$${"))
    keys = dict.fromkeys(TEXTS[1:], 1)
    local = block("locals", n="N", texts=[*TEXTS, joined], keys=keys)
    text = render([local], "A comment\nof two lines")
    (tmp_path / "main.tf").write_text(text, encoding="utf-8")
    question = "base64encode(jsonencode([local.texts, keys(local.keys)]))\n"
    done = call(tmp_path, "console", stdin=question)
    assert done.returncode == 0, done.stderr
    texts, names = json.loads(base64.b64decode(done.stdout.strip().strip('"')))
    assert texts == [*TEXTS, "a$N%N$${"]
    assert sorted(names) == sorted(keys)


def test_variables_refuse_what_aws_would(tmp_path: Path) -> None:
    root = everything(tmp_path)
    exported(root)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(root / "terraform" / "variables.tf", alone)
    assert call(alone, "plan", "-var", "name_suffix=-staging").returncode == 0
    for refused in (
        "name_suffix=Staging",
        f"name_suffix=-{'x' * 16}",
        "log_retention_in_days=2",
        "alarm_topic_arn=arn:aws:sqs:us-east-1:123456789012:queue",
    ):
        done = call(alone, "plan", "-no-color", "-var", refused)
        assert (done.returncode, "Invalid value for variable" in done.stderr) == (1, True), done


def plugins() -> Path:
    """A folder with Terraform's providers; the test is skipped where they aren't."""
    named = os.environ.get("STREAMDEV_TERRAFORM_PLUGINS") or os.environ.get("TF_PLUGIN_CACHE_DIR")
    folder = Path(named) if named else Path.home() / ".terraform.d" / "plugins"
    missing = [name for name in ("aws", "archive") if not any(folder.glob(f"*/hashicorp/{name}"))]
    if missing:
        pytest.skip(
            f"NOT VALIDATED AND NOT PLANNED BY TERRAFORM: {folder} has no hashicorp/"
            f"{' and hashicorp/'.join(missing)}; STREAMDEV_TERRAFORM_PLUGINS names a folder made "
            "with: terraform providers mirror FOLDER (in docs/examples/terraform)"
        )
    return folder


@pytest.fixture(params=["this repository's", "everything"])
def initialized(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder of exported files with its providers, and with credentials nobody has."""
    terraform()
    mirror = plugins()
    root = ROOT if request.param == "this repository's" else everything(tmp_path)
    folder = tmp_path / "terraform"
    code, _, err = export(root, "terraform", "-o", str(folder))
    assert code == ExitCode.OK, err
    provider = block(
        "provider",
        "aws",
        region="eu-central-1",
        access_key="nobody",
        secret_key="nobody",
        skip_credentials_validation=True,
        skip_requesting_account_id=True,
        skip_metadata_api_check=True,
    )
    (folder / "provider.tf").write_text(render([provider], "For a plan without an account"))
    for name in re.findall(r"--target (\S+)", (folder / "main.tf").read_text()):
        (folder / name).mkdir(parents=True)
        (folder / name / "module.py").write_text("")
    done = call(folder, "init", "-backend=false", "-input=false", f"-plugin-dir={mirror.resolve()}")
    assert done.returncode == 0, done.stderr
    return folder


def test_terraform_validates_and_plans_the_files(initialized: Path) -> None:
    done = call(initialized, "validate", "-json")
    told = json.loads(done.stdout)
    assert (told["valid"], told["error_count"]) == (True, 0), told["diagnostics"]
    done = call(initialized, "plan", "-input=false", "-no-color", "-var", "name_suffix=-test")
    assert done.returncode == 0, done.stderr
    count = len(Exported(initialized).all("resource"))
    assert f"Plan: {count} to add, 0 to change, 0 to destroy." in done.stdout


def test_a_comment_is_written_where_it_is_first_said() -> None:
    noted = [block("a", str(n), x=Noted("why", Call("f", [n])), y=None, z=True) for n in (1, 2)]
    assert render(noted, "top") == (
        '# top\n\na "1" {\n  # why\n  x = f([1])\n\n  z = true\n}\n\n'
        'a "2" {\n  x = f([2])\n  z = true\n}\n'
    )
