"""The README and the pages in `docs/` say what the code does."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import pytest

from mgpt_tui.cli import COMMANDS, cli
from mgpt_tui.ui.keymap import DIALOGS
from mgpt_tui.ui.keys import KEYS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = {page.relative_to(ROOT).as_posix(): page for page in (README, *DOCS)}
SOURCES = ("*.py", "*.toml", "*.c", "*.h", "Makefile")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
TABLE = re.compile(r"<!-- table: \w+ -->\n.*?<!-- end -->", re.DOTALL)
CODE = re.compile(r"`([^`]+)`")
FOREIGN = {"--max-restarts", "--node-rank", "--snapshot-update"}
"""Options of torchrun and pytest, which our parsers do not know."""


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", text_of(page))


def snippets(page: Path) -> list[str]:
    """What stands between backticks outside the generated tables, line ends taken as blanks."""
    return [" ".join(code.split()) for code in CODE.findall(TABLE.sub("", prose(page)))]


def shell_lines(page: Path) -> list[str]:
    """The lines of its shell blocks, comments left out and continued lines joined."""
    blocks = [block for _, language, block in FENCE.findall(text_of(page)) if language == "sh"]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [" ".join(shlex.split(line, comments=True)) and line.strip() for line in lines]


def command_lines() -> list[tuple[str, str]]:
    """Every page with every command line on it, in blocks and between backticks."""
    found = [(name, line) for name, page in PAGES.items() for line in shell_lines(page) if line]
    for name, page in PAGES.items():
        found += [
            (name, code)
            for code in snippets(page)
            if re.match(r"(mgpt-tui|python|make|pytest)( |$)", code) and "COMMAND" not in code
        ]
    return list(dict.fromkeys(found))


def anchors(page: Path) -> set[str]:
    """The names of its headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        numbered = (f"{name}-{number}" for number in range(1, 100))
        found.add(name if name not in found else next(n for n in numbered if n not in found))
    return found


def links() -> list[tuple[str, str]]:
    """Every page with every target of a link or picture on it that is no address."""
    return [
        (name, target)
        for name, page in PAGES.items()
        for target in re.findall(r"\]\(((?!https?:)[^)\s]+)\)", prose(page))
    ]


@cache
def options_of(script: str) -> frozenset[str]:
    """The options that a script, or a module beside it, declares."""
    folder = (ROOT / script).parent
    modules = (text_of(path) for path in (ROOT / script, *folder.glob("*.py")))
    return frozenset(re.findall(r'"(--[\w-]+)"', "\n".join(modules)))


@cache
def options_of_commands() -> frozenset[str]:
    """Every option of every command, those of their own commands included."""
    found: set[str] = set()
    waiting: list[tuple[click.Command, click.Context]] = [(cli, click.Context(cli))]
    while waiting:
        command, context = waiting.pop()
        for parameter in command.get_params(context):
            found |= {*parameter.opts, *parameter.secondary_opts}
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                waiting.append((below, click.Context(below, parent=context)))
    return frozenset(found)


def parse(arguments: list[str]) -> None:
    """Let the program's own parser read the arguments of `mgpt-tui`, and run nothing.

    Raises:
        click.ClickException, mgpt_tui.errors.UserError: where it would refuse them.
    """
    command, context = cli, click.Context(cli)
    name = arguments[0] if arguments and not arguments[0].startswith("-") else "tui"
    rest = arguments[1:] if arguments[:1] == [name] else arguments
    while True:
        below = command.get_command(context, name) if isinstance(command, click.Group) else None
        assert below is not None, f"there is no command {name}"
        try:
            context, command = below.make_context(name, list(rest), parent=context), below
        except click.exceptions.Exit as end:  # --help and --version
            assert end.exit_code == 0
            return
        if not isinstance(command, click.Group):
            return
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        name, rest = rest[0], rest[1:]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_begins_with_its_name_and_what_it_is(page):
    first, blank, line, *_ = text_of(PAGES[page]).splitlines()
    assert first.startswith("# ")
    assert not blank
    assert re.match(r"[A-Z`]", line), "a sentence stands under the heading"


def test_the_readme_is_short():
    assert README.stat().st_size <= 10_000


def test_the_readme_leads_to_every_page():
    assert {f"docs/{page.name}" for page in DOCS} <= set(
        re.findall(r"\]\(([^)#]+)", text_of(README))
    )


def test_tables_are_up_to_date():
    command = [sys.executable, ROOT / "tools" / "doc_tables.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_declared_table_stands_on_one_page():
    declared = re.findall(r'^    "(\w+)": \w+,$', text_of(ROOT / "tools/doc_tables.py"), re.M)
    placed = [
        table
        for page in PAGES.values()
        for table in re.findall(r"<!-- table: (\w+) -->", text_of(page))
        if page.name != "architecture.md" or table != "NAME"
    ]
    assert declared
    assert sorted(placed) == sorted(declared)


@pytest.mark.parametrize(("page", "target"), links())
def test_links_lead_somewhere(page, target):
    path, _, anchor = target.partition("#")
    file = (PAGES[page].parent / path).resolve() if path else PAGES[page]
    assert file.exists()
    assert file.is_relative_to(ROOT)
    if anchor:
        assert anchor in anchors(file)


def test_every_picture_is_shown():
    shown = {Path(target).name for _, target in links() if target.endswith(".svg")}
    assert shown == {picture.name for picture in (ROOT / "pictures").iterdir()}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "tui"])
def test_every_command_has_an_example(name):
    assert any(f"mgpt-tui {name}" in line for _, line in command_lines())


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_every_command_line_is_valid_usage(page, line):
    words = shlex.split(line, comments=True)
    while "|" in words:  # what is piped into it, or what it is piped into
        words = words[words.index("|") + 1 :] if words[0] == "echo" else words[: words.index("|")]
    program, arguments = words[0].rpartition("/")[2], words[1:]
    if program == "torchrun":
        program, arguments = "mgpt-tui", words[words.index("mgpt_tui") + 1 :]
    if program == "mgpt-tui":
        parse(arguments)
    elif program == "python" and arguments[0].endswith(".py"):
        options = {word for word in arguments if word.startswith("--")}
        assert options <= options_of(arguments[0])
    elif program == "make":
        targets = re.findall(r"^(\w+):", text_of(ROOT / "Makefile"), re.MULTILINE)
        assert {word for word in arguments if "=" not in word} <= set(targets)
    else:
        assert program in {"python3", "pip", "pytest", "source"}, f"who knows {program}?"


@pytest.mark.parametrize("page", PAGES)
def test_options_that_a_page_names_exist(page):
    named = {
        word
        for code in snippets(PAGES[page])
        if code.startswith("--")
        for word in re.findall(r"(?<!\S)--[a-z][\w-]*", code)
    }
    scripts = [
        path
        for folder in ("benchmarks", "tools")
        for path in (ROOT / folder).glob("*.py")
        if path.name in text_of(PAGES[page])
    ]
    known = options_of_commands().union(FOREIGN, *(options_of(f"{path}") for path in scripts))
    assert named <= known


@pytest.mark.parametrize("page", PAGES)
def test_keys_and_typed_commands_that_a_page_names_exist(page):
    keys = {press.strip() for key in KEYS for press in key.shown.split(" or ")}
    typed = {word for key in KEYS for word in (key.slash, *key.aliases) if word}
    for code in snippets(PAGES[page]):
        if re.fullmatch(r"f\d+|(ctrl|alt|shift)\+\w+", code):
            assert code in keys | DIALOGS
        if re.fullmatch(r"/[a-z]+( [^/]*)?", code):
            assert code.split()[0] in typed


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page):
    for code in snippets(PAGES[page]):
        if re.fullmatch(r"[\w.]+(/[\w.-]+)+\.(py|c|h|toml|yaml|md)|\w+/(\w+/)*", code):
            places = (ROOT, ROOT / "mgpt_tui")
            assert any((place / code).exists() for place in places), f"there is no {code}"


def test_pages_that_the_code_names_exist():
    for pattern in SOURCES:
        for source in ROOT.rglob(pattern):
            if not {".venv", "build", "dist"} & set(source.relative_to(ROOT).parts):
                for page in re.findall(r"\b(?:docs|training)/\w+\.md\b", text_of(source)):
                    assert (ROOT / page).exists(), f"{source} names {page}"


def test_the_layout_is_drawn_as_it_is():
    """Every folder of code stands in the drawing, and nothing that is not there."""
    page = text_of(ROOT / "docs" / "architecture.md")
    drawing = page.split("## What lies where")[1].split("```")[1]
    drawn, above = set(), [ROOT]
    for indent, name in re.findall(r"^((?:  ){0,4})([\w.]+/?)  ", drawing, re.MULTILINE):
        depth = len(indent) // 2
        above[depth + 1 :] = [above[depth] / name]
        drawn.add(above[-1])
    assert {path for path in drawn if not path.exists()} == set()
    packages = (ROOT / name for name in ("mgpt_tui", "training"))
    assert {init.parent for package in packages for init in package.rglob("__init__.py")} <= drawn
