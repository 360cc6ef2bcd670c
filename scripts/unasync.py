"""
Write the sync side of the core, and of the transfer engine, from its async side.

Usage: python scripts/unasync.py [--check]

In each pair of modules a function or method of the sync one is made from that
of the async one with its name: `WORDS` are replaced, a call that is observed
is handed over unmade, and a function that returns an iterator becomes a
generator. Imports, constants and the docstrings of classes are written by
hand. So is what stands below a comment ``# By hand``, which says why; what
has no sync form stands below ``# Async only``.

The transfer engine is async alone: there a sync function has the signature and
the docstring of its async namesake, and runs that one on a loop of its own.
Below ``# Body by hand`` only these two are written.

With ``--check`` nothing is written, and a difference is an error.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
CORE: Final = ROOT / "remote_store_core/src/remote_store"
ENGINE: Final = ROOT / "remote_store_transfer/src/remote_store_transfer"
#: Modules of the engine, and those whose functions run theirs.
RUNNING: Final = {
    "_planning/plan.py": "_sync/plan.py",
    "_execute.py": "_sync/execute.py",
    "_files.py": "_sync/files.py",
    "_trees.py": "_sync/trees.py",
}
PAIRS: Final = {
    "_contract/async_backend.py": "_contract/backend.py",
    "_store/async_store.py": "_store/store.py",
    "_store/async_iterate.py": "_store/iterate.py",
    "_store/async_glob_files.py": "_store/glob_files.py",
    "_store/async_ranges.py": "_store/ranges.py",
}
#: Expressions, and what takes their place; in order.
WORDS: Final = {
    r"\basync (?=def|for|with)": "",
    r"\bawait ": "",
    r"\bAsyncGenerator\[([^\]]+), None\]": r"Generator[\1, None, None]",
    r"\bAwaitable\[(\w+)\]": r"\1",
    r"\bAsync(?=Iterator|Backend|Store|Observation|WritableContent)": "",
    r"\bContentSource\b": "SyncContentSource",
    r"\b(__)?a(close|enter__|exit__)": r"\1\2",
    r"\bClosing\(": "closing(",
    r"\bremote_store\.aio\.": "remote_store.",
    # Docstrings.
    r"Return an async iterator over": "Yield",
    r"an async generator": "a generator",
    r"[;,]?\s+\(?at\s+the\s+(?:call|first\s+pull)\)?": "",
    r'"async-': '"',
    r"On the first pull: (\w)": r"\1",
    r", async or not\. What blocks is read in a thread, a\s+file in steps of 1 MiB\.": ".",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Yield the functions and methods of a module under their sync names."""
    for node in tree.body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for function in inner:
            if isinstance(function, Function):
                name = prefix + function.name
                for expression, word in WORDS.items():
                    name = re.sub(expression, word, name)
                yield name, function


def span(function: Function) -> tuple[int, int]:
    """Return the first and the last line of a function, decorators included, from 0 on."""
    first = min([function.lineno, *(d.lineno for d in function.decorator_list)]) - 1
    assert function.end_lineno is not None
    return first, function.end_lineno


def marked(lines: list[str], function: Function, mark: str) -> bool:
    """Return True if the comment above a function begins with *mark*."""
    i = span(function)[0]
    while i and lines[i - 1].lstrip().startswith("#"):
        i -= 1
    return lines[i].lstrip().startswith(f"# {mark}")


def sync_form(source: bytes, function: Function) -> str:
    """Return a function of the async side in its sync form."""
    starts = [0, *(m.end() for m in re.finditer(rb"\n", source))]

    def place(node: ast.expr | ast.stmt, *, end: bool = False) -> int:
        if end:
            return starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        return starts[node.lineno - 1] + node.col_offset

    edits: list[tuple[int, int, bytes]] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_call":
            call = node.args[2]
            assert isinstance(call, ast.Call), ast.unparse(node)
            first, last = place(call.func, end=True), place(call, end=True)
            if arguments := [*call.args, *(keyword.value for keyword in call.keywords)]:
                edits += [(first, source.index(b"(", first) + 1, b", "), (last - 1, last, b"")]
                assert place(arguments[-1], end=True) < last
            else:
                edits.append((first, last, b""))
        if isinstance(node, ast.Return) and node.value and gives_iterator(function):
            edits.append((place(node), place(node.value), b"yield from "))
            if node is not function.body[-1]:
                indent = b" " * node.col_offset
                edits.append(
                    (place(node, end=True), place(node, end=True), b"\n" + indent + b"return")
                )
    first_line, last_line = span(function)
    begin, end = starts[first_line], starts[last_line]
    for start, stop, new in sorted(edits, reverse=True):
        source = source[:start] + new + source[stop:]
        end += len(new) - (stop - start)
    text = re.sub(r" *# Async only.*\n.*\n", "", source[begin:end].decode())
    for expression, word in WORDS.items():
        text = re.sub(expression, word, text)
    return text


def running_form(source: bytes, function: Function, module: str, body: str | None) -> str:
    """
    Return a function that runs one of the engine.

    Args:
        source: Text of the engine's module.
        function: The function in it.
        module: Its name.
        body: The body, where it is written by hand; None to write it.
    """
    docstring = function.body[0]
    assert ast.get_docstring(function), function.name
    first, _ = span(function)
    head = b"\n".join(source.splitlines()[first : docstring.end_lineno]).decode()
    for expression, word in WORDS.items():
        head = re.sub(expression, word, head)
    if body is None:
        body = _body(function, module)
    if "run(" in body:
        head = head.removesuffix('"""').rstrip()
        raised = "        RuntimeError: An event loop runs in this thread.\n"
        head += "\n" + raised + '    """'
    return f"{head}\n{body}"


def _body(function: Function, module: str) -> str:
    """Return the body of a function that runs its async namesake."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args]
    stores = [a.arg for a in named if a.annotation and ast.unparse(a.annotation) == "AsyncStore"]
    ours = ["ours", "theirs"][: len(stores)]
    made = "as_async_stores" if len(stores) == 2 else "as_async_store"
    given = [ours[stores.index(a.arg)] if a.arg in stores else a.arg for a in named]
    given += [f"{a.arg}={a.arg}" for a in arguments.kwonlyargs]
    given += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    return (
        f"    {', '.join(ours)} = {made}({', '.join(stores)})\n"
        f"    work = {module}.{function.name}({', '.join(given)})\n"
        f"    return run(work, {', '.join(ours)})"
    )


def gives_iterator(function: Function) -> bool:
    """Return True if a public function returns an async iterator that another one makes."""
    returns = ast.unparse(function.returns) if function.returns else ""
    public = not function.name.startswith("_")
    return public and isinstance(function, ast.FunctionDef) and returns.startswith("AsyncGen")


def generated(asynchronous: Path, sync: Path) -> str:
    """
    Return what the sync module of a pair should be.

    Raises:
        SystemExit: A function of one side has no twin, and no mark either.
    """
    source, text = asynchronous.read_bytes(), sync.read_text()
    lines = text.splitlines()
    theirs = dict(functions(ast.parse(source)))
    ours = dict(functions(ast.parse(text)))
    if runs := asynchronous.is_relative_to(ENGINE):
        # Only what is public is of two forms there.
        public = re.compile(r"[a-z]\w*")
        theirs, ours = (
            {name: f for name, f in side.items() if public.fullmatch(name)}
            for side in (theirs, ours)
        )
    source_lines = source.decode().splitlines()
    for name in theirs.keys() - ours.keys():
        if not marked(source_lines, theirs[name], "Async only"):
            sys.exit(f"{sync.name} lacks {name}: write a first line of it where it belongs")
    for name, function in reversed(ours.items()):
        if marked(lines, function, "By hand"):
            continue
        if name not in theirs:
            sys.exit(f"{asynchronous.name} lacks {name}: say above it '# By hand' and why")
        first, last = span(function)
        if runs:
            body = None
            if marked(lines, function, "Body by hand"):
                start = function.body[ast.get_docstring(function) is not None].lineno - 1
                while lines[start - 1].lstrip().startswith("#"):
                    start -= 1
                body = "\n".join(lines[start:last])
            form = running_form(source, theirs[name], asynchronous.stem, body)
        else:
            form = sync_form(source, theirs[name])
        lines[first:last] = form.splitlines()
    ruff = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(sync), "-"]
    made = "\n".join(lines) + "\n"
    return subprocess.run(ruff, input=made, capture_output=True, text=True, check=True).stdout


def pairs() -> Iterator[tuple[Path, Path]]:
    """Yield each async module with its sync one."""
    for folder, table in ((CORE, PAIRS), (ENGINE, RUNNING)):
        for asynchronous, sync in table.items():
            yield folder / asynchronous, folder / sync


def main() -> None:
    """Write the sync modules or, with ``--check``, compare them."""
    stale = []
    for asynchronous, sync in pairs():
        made = generated(asynchronous, sync)
        if made != sync.read_text():
            stale.append(sync.name)
            if "--check" not in sys.argv:
                sync.write_text(made)
    if stale and "--check" in sys.argv:
        sys.exit(f"not as the async side says: {', '.join(stale)}; run python scripts/unasync.py")


if __name__ == "__main__":
    main()
