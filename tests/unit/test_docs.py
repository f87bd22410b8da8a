"""Documentation that can't drift: every command, option, variable and example is checked."""

from __future__ import annotations

import re
import shlex
import tomllib
from itertools import takewhile
from pathlib import Path

import click
import pytest

from scripts import cli_reference
from streamdev.cli.context import Context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.main import cli
from streamdev.config.load import load_project

ROOT = Path(__file__).resolve().parents[2]
CLI_MD = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = cli_reference.commands()

SHELL_WORDS = {"|", ">", ">>", "<", "&&", "||", ";", "&"}

# What the engines hand to the plugins; nobody sets these by hand.
INTERNAL = re.compile(r"STREAMDEV_[A-Z_]+")
INTERNAL_VARIABLES = {
    name
    for module in ("plugins/settings.py", "engine/variables.py")
    for name in INTERNAL.findall((ROOT / "streamdev" / module).read_text(encoding="utf-8"))
}

command_names = pytest.mark.parametrize("name", COMMANDS)


def test_the_reference_is_up_to_date() -> None:
    assert CLI_MD.endswith(cli_reference.reference()), "run: python -m scripts.cli_reference"


@command_names
def test_a_command_says_in_one_line_what_it_does(name: str) -> None:
    paragraphs, _ = cli_reference.help_parts(COMMANDS[name])
    assert paragraphs
    assert len(paragraphs[0]) <= 100
    assert paragraphs[0].endswith(".")


@command_names
def test_a_command_has_examples_of_itself(name: str) -> None:
    _, examples = cli_reference.help_parts(COMMANDS[name])
    assert any(f"./dev.py {name}" in example for example in examples)


@command_names
def test_every_option_is_explained(name: str) -> None:
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.opts}"


@command_names
def test_every_command_takes_the_common_options(name: str) -> None:
    taken = {option.name for option in COMMANDS[name].params}
    assert {option.name for option in cli_reference.common_options()} <= taken


def test_common_options_have_a_variable_each() -> None:
    assert all(option.envvar for option in cli_reference.common_options())


def test_the_readme_lists_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## Commands")[2].partition("\n\nEach has")[0]
    cells = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    listed = {word.split()[0] for cell in cells for word in re.findall(r"`([^`]+)`", cell)}
    assert {name.split()[0] for name in COMMANDS} - listed == set()


def test_the_readmes_pipeline_is_one(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    path = tmp_path / "pipelines.toml"
    path.write_text(block, encoding="utf-8")
    assert load_project(path).pipeline("orders").mapping.batch_size == 10


def test_every_exit_code_is_documented() -> None:
    assert set(cli_reference.EXIT_CODES) == set(ExitCode)


def commands_in(document: Path) -> list[str]:
    """The lines of a document's code blocks that call ./dev.py, without pipes and redirections."""
    text = document.read_text(encoding="utf-8")
    # README's tour shows prompts; the reference's usage lines are no commands.
    blocks = re.findall(
        r"^```(?:sh|console|shell|bash)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE
    )
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    usages = ("[OPTIONS]", "COMMAND")
    found = [line.strip().removeprefix("$ ") for line in lines]
    return [
        line
        for line in found
        if line.startswith(("./dev.py ", "python3 dev.py ")) and not any(u in line for u in usages)
    ]


def examples() -> list[str]:
    """Every example in help texts and documents."""
    of_help = [line for c in COMMANDS.values() for line in cli_reference.help_parts(c)[1]]
    of_documents = [line for document in DOCUMENTS for line in commands_in(document)]
    return sorted({line for line in of_help + of_documents if "dev.py" in line})


@pytest.mark.parametrize("example", examples())
def test_an_example_is_a_command_that_exists(example: str) -> None:
    words = shlex.split(example, comments=True)
    for start in (index for index, word in enumerate(words) if word == "./dev.py"):
        arguments = list(takewhile(lambda word: word not in SHELL_WORDS, words[start + 1 :]))
        if arguments[0] in ("--help", "--version"):
            continue
        # Parsing stops before anything is done; a wrong option or value raises.
        root = click.Context(cli, info_name="dev.py", obj=Context())
        name, command, rest = cli.resolve_command(root, arguments)
        while isinstance(command, click.Group):
            name, command, rest = command.resolve_command(click.Context(command), rest)
        assert command is not None
        command.make_context(name, list(rest), parent=root)


def used_variables() -> set[str]:
    folders = ("cli", "config", "aws", "engine", "deploy", "observe")
    files = [path for folder in folders for path in (ROOT / "streamdev" / folder).glob("*.py")]
    files += [ROOT / "streamdev" / "paths.py", ROOT / "Makefile", ROOT / "docker-compose.yml"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return set(re.findall(r"STREAMDEV_[A-Z]+(?:_[A-Z]+)*\b(?!_)", text))


def test_every_variable_is_documented() -> None:
    documented = set(re.findall(r"STREAMDEV_[A-Z_]+", CLI_MD))
    assert used_variables() - INTERNAL_VARIABLES - documented == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (document.parent / target).exists(), target


def test_every_dependency_has_its_reason() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = "".join(re.findall(r"^\|(.*?)\|.*\w.*\|$", contributing, re.MULTILINE))
    explained = set(re.findall(r"`([\w-]+)`", rows))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = [project["project"]["dependencies"], *project["dependency-groups"].values()]
    locks = (ROOT / "streamdev" / "engine" / "locks").glob("*.in")
    lists += [path.read_text(encoding="utf-8").splitlines() for path in locks]
    lines = [line for lines in lists for line in lines if not line.startswith("#")]
    names = {re.split(r"[^\w.-]", line)[0] for line in lines}
    assert len(names) > 20
    assert sorted(names - explained) == []
