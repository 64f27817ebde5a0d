#!/usr/bin/env python3
"""docs/client-reference.md: every function and type of include/hearth/client.h and rpc.h with its comment, by group.

usage: client_reference.py [--write]     without it: fails where the page is not what the headers say

The headers are the manual; the page is the manual with links. A group begins at `/* ---- name`; a comment belongs to
what is declared right below it.
"""
import difflib
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs/client-reference.md")
HEADERS = ("client.h", "rpc.h")
FUNCTION = re.compile(r"\b(hearth_\w+)\s*\(")
HEADLINE = re.compile(r"/\* ---- |[^\n]*\n \* -{20,}")
NAMED = re.compile(r"^(struct|enum|union)\s+(\w+)")


class Wrong(Exception):
    pass


def unwrapped(comment):
    """A comment's words: stars off, lines joined; what is indented further stays as it is."""
    lines = comment.strip()[2:-2].split("\n")
    lines = [lines[0].strip()] + [re.sub(r"^ ?\*? ?", "", line.strip(" ") if line.strip() == "*" else line.lstrip())
                                  for line in lines[1:]]
    lines = [line[1:] if line.startswith("*") else line for line in lines]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()


def pieces(text):
    """(kind, text) one after the other: comments, directives, blank lines and declarations at the top level."""
    at = 0
    while at < len(text):
        if text.startswith("/*", at):
            end = text.index("*/", at) + 2
            yield "comment", text[at:end]
        elif text[at] == "#":
            end = text.index("\n", at)
            while text[end - 1] == "\\":
                end = text.index("\n", end + 1)
            yield "directive", text[at:end]
        elif text[at] in " \n":
            end = at + len(re.match(r"\s+", text[at:]).group())
            if text.count("\n", at, end) > 1:
                yield "blank", ""
        elif re.match(r'extern "C" \{|\}\n', text[at:]):
            end = text.index("\n", at)
        else:
            end, depth = at, 0
            while text[end] != ";" or depth:
                if text.startswith("/*", end):
                    end = text.index("*/", end) + 1
                depth += (text[end] == "{") - (text[end] == "}")
                end += 1
            end += 1
            tail = re.match(r" *(/\*.*?\*/)", text[end:])
            end += tail.end() if tail else 0
            yield "declaration", text[at:end]
        at = end


def name_of(declaration):
    """What a declaration declares; None for one that only says that a struct exists."""
    if declaration.startswith("typedef"):
        return re.search(r"\b(hearth_\w+_fn)\b|(\w+);", declaration).group().rstrip(";")
    head = NAMED.match(declaration)
    if head and declaration[head.end():].lstrip().startswith("{"):
        return head.group(2)
    if declaration.startswith("enum {"):
        return re.search(r"HEARTH_\w+", declaration).group()
    function = FUNCTION.search(declaration)
    if function:
        return function.group(1)
    if head and declaration[head.end():].strip().startswith(";"):
        return None
    raise Wrong(f"what is this?\n{declaration}")


class Entry:
    """One declaration, or functions that share a comment: those that follow without a comment or a blank line."""

    def __init__(self, name, comment, declaration):
        self.function = bool(FUNCTION.search(declaration)) and "{" not in declaration \
            and not declaration.startswith(("typedef", "#"))
        kind = "" if self.function else (re.match(r"(struct|enum|union|) ?\{?", declaration).group(1) + " ")
        self.names, self.comment, self.declarations = [kind.lstrip() + name], comment, [declaration]


def read(header):
    """(what the header is, [(group, [Entry])])"""
    text = open(os.path.join(ROOT, "include/hearth", header)).read()
    intro, groups, comment = None, [], None
    before = ""
    for kind, piece in pieces(text):
        if kind == "comment":
            group = HEADLINE.match(piece)
            if intro is None:
                intro = unwrapped(piece)
            elif group:
                groups.append((re.sub(r"^/\* (---- )?| \*/$|\.$", "", piece.split("\n")[0]), []))
            else:
                comment = f"{comment}\n\n{unwrapped(piece)}" if comment else unwrapped(piece)
        elif kind == "blank" and comment and groups and groups[-1][1]:
            raise Wrong(f"{header}: a comment that belongs to nothing: {comment}")
        elif kind == "directive" and comment and piece.startswith("#define"):
            groups[-1][1].append(Entry(re.match(r"#define (\w+)", piece).group(1), comment, piece))
            comment = None
        elif kind == "declaration":
            name = name_of(piece)
            if name is None:
                pass  # an opaque struct: the functions say what it is
            elif not groups:
                raise Wrong(f"{header}: {name} stands in no group")
            else:
                entry, entries = Entry(name, comment, piece), groups[-1][1]
                if before == "declaration" and comment is None and entry.function and entries and entries[-1].function:
                    entries[-1].names += entry.names
                    entries[-1].declarations.append(piece)
                else:
                    entries.append(entry)
            comment = None if name else comment
        before = kind
    return intro, groups


def functions(header):
    """The names of all functions that a header declares."""
    return [name for _, entries in read(header)[1] for entry in entries if entry.function for name in entry.names]


def markdown(text):
    """A comment as markdown: what stands indented is code; what markdown would take for its own is not."""
    out = []
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("   "):
            out.append("```c\n" + "\n".join(re.sub(r"^ {1,4}", "", line) for line in paragraph.split("\n")) + "\n```")
        else:
            words = " ".join(paragraph.split())
            words = re.sub(r"\b(hearth_\w+|HEARTH_\w+|ret_\w+)(\(\))?", r"`\1`", words.replace("*ret_", "ret_"))
            words = words.replace("``", "`").replace("<", "&lt;").replace("*", "\\*")
            out.append("\n".join(wrapped(words)))
    return "\n\n".join(out)


def wrapped(words, most=120):
    line = ""
    for word in words.split():
        if line and len(line) + 1 + len(word) > most:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
    yield line


def anchor(title):
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def page():
    out = ["# Reference of libhearth", "",
           "Written from `include/hearth/client.h` and `include/hearth/rpc.h` by `tests/golden/client_reference.py --write`;",
           "don't edit. [The examples](examples/c) show it in use.", ""]
    read_headers = [(header, *read(header)) for header in HEADERS]
    for header, _, groups in read_headers:
        out += [f"**{header}**", ""]
        for title, entries in groups:
            names = [f"[`{name}`](#{name})" for e in entries if e.function for name in e.names]
            if names:
                out += [f"- [{title}](#{anchor(title)}):", *("  " + line for line in wrapped(" ".join(names)))]
        out.append("")
    for header, intro, groups in read_headers:
        out += [f"# {header}", "", markdown(intro), ""]
        for title, entries in groups:
            out += [f"## {title}", ""]
            for entry in entries:
                out += ["### " + ", ".join(f'<a id="{name.replace(" ", "-")}"></a>`{name}`' for name in entry.names), ""]
                if entry.comment:
                    out += [markdown(entry.comment), ""]
                out += ["```c", *entry.declarations, "```", ""]
    return "\n".join(out).rstrip("\n") + "\n"


def main():
    want = page()
    if sys.argv[1:] == ["--write"]:
        with open(PAGE, "w") as out:
            out.write(want)
    got = open(PAGE).read() if os.path.exists(PAGE) else ""
    diff = list(difflib.unified_diff(got.splitlines(), want.splitlines(), "docs/client-reference.md", "the headers",
                                     lineterm="", n=1))
    for line in diff[:60]:
        print(line)
    if diff:
        print("FAILED docs/client-reference.md: tests/golden/client_reference.py --write makes it anew")
        return 1
    print(f"{sum(len(functions(h)) for h in HEADERS)} functions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
