"""The hooks of the documentation's site: pages made of code, and links that leave docs/.

The pages link to the repository's other files, as they must where the repository itself is read.
In the site the README is the first page, and every other file that is linked stands below
`project/`, where the repository has it: Markdown as a page, all else as it is.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs import code_pages

ROOT = Path(__file__).parents[1]
_DOCS, _PROJECT = "docs/", "project/"
_README, _HOME = "README.md", "index.md"
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)[^)#\s]+")
_INLINE = re.compile(r"<code>[^<]*</code>")
_CODE = re.compile(r"^( *)```.*?^\1```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages made of code, and what the pages link to outside docs/."""
    for uri, text in code_pages.made().items():
        files.append(File.generated(config, uri, content=text))
    known = {*map(_path_of, files.src_uris)}
    for path in sorted({*_linked([_README, *known])} - known):
        if (ROOT / path).is_file():
            files.append(File.generated(config, _uri_of(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead each link to where the site has what it is about."""
    return led(page.file.src_uri, markdown)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Show a stroke in a table's code as one: for the table it stands behind a backslash."""
    return _INLINE.sub(lambda code: code[0].replace(r"\|", "|"), html)


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Give the theme's search the name that a screen reader says."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')


def led(uri: str, markdown: str) -> str:
    """Lead the links of a page from where the repository has files to where the site has them.

    Args:
        uri: the page's place in the site, such as ``project/ARCHITECTURE.md``.
        markdown: its text, with links as in the repository.
    """
    here, folder = _path_of(uri), posixpath.dirname(uri) or "."

    def lead(link: re.Match[str]) -> str:
        return posixpath.relpath(_uri_of(_target(here, link[0])), folder)

    parts, end = [], 0
    for code in _CODE.finditer(markdown):
        parts += [_LINK.sub(lead, markdown[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, _LINK.sub(lead, markdown[end:])])


def _uri_of(path: str) -> str:
    """Where the site has a file of the repository."""
    if path == _README:
        return _HOME
    return path.removeprefix(_DOCS) if path.startswith(_DOCS) else _PROJECT + path


def _path_of(uri: str) -> str:
    """Where the repository has a file of the site."""
    if uri == _HOME:
        return _README
    return uri.removeprefix(_PROJECT) if uri.startswith(_PROJECT) else _DOCS + uri


def _target(path: str, link: str) -> str:
    """The file of the repository that a link of a page is about."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), link))


def _linked(paths: list[str]) -> Iterator[str]:
    """These files of the repository, and all that their pages lead to."""
    known = set(paths)
    while paths:
        path = paths.pop()
        yield path
        page = ROOT / path
        if page.suffix == ".md" and page.is_file():
            text = _CODE.sub("", page.read_text())
            found = {_target(path, link) for link in _LINK.findall(text)} - known
            paths += sorted(found)
            known |= found
