"""Pages, catalogue, options, labels and README say the same as the code."""

from __future__ import annotations

import ast
import re
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.write_options import checks, with_options

from tablefull import __version__
from tablefull.command import PAGES
from tablefull.findings.catalogue import CATALOGUE
from tablefull.frame.options import parse
from tablefull.frame.plugin import Check

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / 'plugins'
DOCS = ROOT / 'docs'
CHECKS = checks()
MODULES = sorted(PLUGINS.rglob('*.py'))
DOCUMENTS = sorted([*ROOT.glob('*.md'), *DOCS.rglob('*.md')])

OF_A_FINDING = [
    'What it means',
    'How to confirm by hand',
    'What to do now',
    'How to prevent it',
    'Which outage taught it',
]
OF_A_CHECK = [
    'What it reads',
    'What it never does',
    'Options',
    'States',
    'Performance data',
    'Privileges',
    'Findings',
    'Examples',
]


def page_of(check: Check) -> str:
    return (DOCS / 'checks' / f'{check.program}.md').read_text()


def without_code(page: str) -> str:
    """A page without its fenced blocks, in which a line may begin with '# ' and be no heading."""
    return re.sub(r'^( *)```.*?^\1```$', '', page, flags=re.MULTILINE | re.DOTALL)


def headings(page: str, level: int) -> list[str]:
    return re.findall(rf'^#{{{level}}} (.+)$', without_code(page), re.MULTILINE)


def section(page: str, heading: str) -> str:
    return page.partition(f'\n## {heading}\n')[2].partition('\n## ')[0]


def calls(path: Path) -> Iterator[ast.Call]:
    """Every call that makes a Finding, or the Rule one is made of."""
    makers = ('Finding', 'Rule') if path.parent.name == 'findings' else ('Finding',)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers:
            yield node


def codes(path: Path) -> set[str]:
    """The codes a module can yield."""
    return {
        node.args[0].value
        for node in calls(path)
        if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    }


def imported(path: Path) -> Iterator[Path]:
    """Modules of this project that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f'{node.module}.{alias.name}' for alias in node.names)]
        for name in names:
            file = PLUGINS / (name.replace('.', '/') + '.py')
            if file.exists():
                yield file


def reachable(check: Check) -> set[Path]:
    """The modules a check consists of."""
    seen: set[Path] = set()
    waiting = [PLUGINS / f'{check.program}.py']
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += imported(path)
    return seen


def labels(page: str) -> list[str]:
    """Of the table in the section on performance data; without a table, the words in code style, in order."""
    text = section(page, 'Performance data')
    table = re.findall(r'^\| `([a-z0-9_]+)`', text, re.MULTILINE)
    return table or list(dict.fromkeys(re.findall(r'`([a-z][a-z0-9_]*)`', text)))


def named(check: Check) -> str:
    return check.program


# Findings.


@pytest.mark.parametrize('code', CATALOGUE)
def test_every_finding_has_its_page(code: str) -> None:
    path = DOCS / 'findings' / f'{code}.md'
    assert path.exists(), f'docs/findings/{code}.md is missing'
    page = path.read_text()
    assert headings(page, 1) == [f'{code}: {CATALOGUE[code]}']
    assert page.startswith('# ')
    assert headings(page, 2) == OF_A_FINDING
    for heading in OF_A_FINDING:
        assert len(section(page, heading).strip()) > 10, f'"{heading}" says nothing'


def test_every_page_belongs_to_a_finding() -> None:
    assert {path.stem for path in (DOCS / 'findings').iterdir()} <= set(CATALOGUE)


def test_the_command_finds_the_same_pages() -> None:
    assert {path.name: path.read_text() for path in Path(PAGES).glob('*.md')} == {
        path.name: path.read_text() for path in (DOCS / 'findings').glob('*.md')
    }


def test_every_code_is_in_the_catalogue_and_yielded_somewhere() -> None:
    yielded = {code for path in MODULES for code in codes(path)}
    assert sorted(yielded - set(CATALOGUE)) == [], 'not in the catalogue'
    assert sorted(set(CATALOGUE) - yielded) == [], 'in the catalogue, and never yielded'


@pytest.mark.parametrize('path', MODULES, ids=lambda path: path.stem)
def test_every_code_is_written_out(path: Path) -> None:
    for node in calls(path):
        first = node.args[0]
        # rule.code: of a Rule in the same file, whose own code is written out.
        of_a_rule = isinstance(first, ast.Attribute) and first.attr == 'code'
        literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
        assert literal or of_a_rule, f'{path.name}:{node.lineno}: a code that cannot be searched for'


def test_every_code_is_a_slug_and_every_title_a_sentence_without_full_stop() -> None:
    for code, title in CATALOGUE.items():
        assert re.fullmatch(r'[a-z]+(-[a-z]+)+', code)
        assert not title.endswith('.')
        assert len(title) <= 100


# Checks.


@pytest.mark.parametrize('check', CHECKS, ids=named)
def test_every_check_has_its_page(check: Check) -> None:
    page = page_of(check)
    assert headings(page, 1) == [check.program]
    assert headings(page, 2) == OF_A_CHECK
    for word in ('Icinga', 'NRPE', 'Zabbix', 'tablefull.check['):
        assert word in section(page, 'Examples')


def test_every_page_belongs_to_a_check() -> None:
    assert {path.stem for path in (DOCS / 'checks').iterdir()} == {check.program for check in CHECKS}


@pytest.mark.parametrize('check', CHECKS, ids=named)
def test_the_options_in_the_page_are_those_of_the_check(check: Check) -> None:
    page = page_of(check)
    assert page == with_options(page, check), 'run `make options`'


@pytest.mark.parametrize('check', CHECKS, ids=named)
def test_options_in_a_page_exist(check: Check) -> None:
    known = {option.name for option in check.all_options}
    # Options of other checks and of programs stand in fenced blocks, or beside their name.
    for words in re.findall(r'`(--[^`\n]+)`', page_of(check)):
        assert words[2:].split()[0].split('=')[0] in known, f'{check.program} has no {words}'


@pytest.mark.parametrize('check', CHECKS, ids=named)
def test_the_page_lists_the_findings_of_the_check(check: Check) -> None:
    listed = re.findall(r'\(\.\./findings/([a-z-]+)\.md\)', section(page_of(check), 'Findings'))
    assert len(listed) == len(set(listed))
    possible = {code for path in reachable(check) for code in codes(path)}
    assert sorted(set(listed) - possible) == [], 'listed, but the check cannot yield it'
    assert sorted(possible - set(listed)) == [], 'the check can yield it, but its page does not list it'


def test_every_finding_is_linked_from_a_check() -> None:
    linked = set(re.findall(r'\(\.\./findings/([a-z-]+)\.md\)', ''.join(page_of(check) for check in CHECKS)))
    assert sorted(set(CATALOGUE) - linked) == []


@pytest.mark.parametrize('check', CHECKS, ids=named)
def test_the_labels_in_the_page_are_those_of_the_check(check: Check) -> None:
    acquired = check.acquire(parse(check.program, check.description, check.all_options, []))
    assert labels(page_of(check)) == [measure.name for measure in acquired.measures]


# Everything.


def anchors(page: str) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    found = re.findall(r'^#+ (.+)$', without_code(page), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in found}


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r'\]\(([^)\s]+)\)', without_code(path.read_text())):
        if re.match(r'[a-z]+:', target):
            continue
        file, _, anchor = target.partition('#')
        there = path.parent / file if file else path
        assert there.exists(), f'{path.name}: {target} leads nowhere'
        assert not anchor or anchor in anchors(there.read_text()), f'{path.name}: {target} has no such heading'


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_fenced_blocks_are_closed(path: Path) -> None:
    assert len(re.findall(r'^ *```', path.read_text(), re.MULTILINE)) % 2 == 0


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shell_in_a_document_can_be_parsed(path: Path) -> None:
    for _, block in re.findall(r'^( *)```sh\n(.*?)^\1```$', path.read_text(), re.MULTILINE | re.DOTALL):
        done = subprocess.run(['bash', '-n'], input=textwrap.dedent(block), capture_output=True, text=True)
        assert done.returncode == 0, f'{path.name}: {done.stderr}{block}'


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_findings_and_checks_named_in_a_document_exist(path: Path) -> None:
    text = path.read_text()
    for code in re.findall(r'tablefull explain ([a-z][a-z-]+)', text):
        assert code in CATALOGUE, f'{path.name} names {code}'
    known = {check.program for check in CHECKS} | {'check_by_sudo'}
    # Icinga, NRPE and Zabbix have programs of their own; the lists of other people's plugins name theirs.
    others = {'check_command', 'check_interval', 'check_nrpe', 'check_load', 'check_uptime'}
    for name in set(re.findall(r'\bcheck_[a-z_]+\b', text)) - others:
        assert name in known, f'{path.name} names {name}'


def test_the_readme_mentions_every_check() -> None:
    readme = (ROOT / 'README.md').read_text()
    for check in CHECKS:
        assert check.program in readme


def test_states_in_sample_outputs_of_the_readme_are_those_of_real_checks() -> None:
    readme = (ROOT / 'README.md').read_text()
    titles = (
        {check.name.upper().replace('_', ' ') for check in CHECKS} | {check.program for check in CHECKS} | {'TRIAGE'}
    )
    for name in re.findall(r'^ *(\S[\w ]*?) +(?:OK|WARNING|CRITICAL|UNKNOWN) ', readme, re.MULTILINE):
        assert name in titles, f'README.md shows the output of {name}'


def test_the_changelog_begins_with_this_version() -> None:
    assert __version__ in headings((ROOT / 'CHANGELOG.md').read_text(), 2)[0]


def strings(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def documented(node: ast.AST) -> bool:
    return isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None


@pytest.mark.parametrize('path', MODULES, ids=lambda path: path.stem)
def test_nothing_a_finding_says_has_a_pipe_in_it(path: Path) -> None:
    # The pipe separates the perfdata: text cannot pass a monitoring daemon with it, and a command would lose its sense.
    tree = ast.parse(path.read_text())
    if not list(calls(path)):
        return
    docstrings = {id(node.body[0].value) for node in ast.walk(tree) if documented(node)}  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            # Only with blanks around it is it a shell's; others stand in patterns.
            assert ' | ' not in node.value, f'{path.name}:{node.lineno}: {node.value}'
    for call in calls(path):
        assert not any('|' in text for text in strings(call)), f'{path.name}:{call.lineno}'
