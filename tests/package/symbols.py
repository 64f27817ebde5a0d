"""What the libraries export: the functions of client.h and rpc.h (symbols.txt, so that a change of the ABI shows in a
diff), and what the generators made of the .proto files; nothing else."""
import os
import re
import sys

from place import HERE, ROOT, Failed, run

sys.path.insert(0, os.path.join(ROOT, "tests/golden"))
import client_reference  # noqa: E402

LIST = os.path.join(HERE, "symbols.txt")
MESSAGES = re.compile(r"(hearth|google|grpc)__")  # protoc-c's


def stubs():
    """A rule for what protoc-gen-hearth makes: hearth_<service>_..., and the row and the door of the service."""
    names = set()
    for folder, _, files in os.walk(os.path.join(ROOT, "generated")):
        if "generated/tests" in folder:
            continue
        for name in files:
            if name.endswith("_rpc.h"):
                text = open(os.path.join(folder, name)).read()
                names.update(re.findall(r"^extern const struct hearth_service (\w+)_descriptor;", text, re.M))
    if not names:
        raise Failed("no services in generated/")
    some = "|".join(sorted(names))
    adders = "|".join(sorted({name.split("_", 1)[1] for name in names} | names))
    return re.compile(rf"({some})_\w+|hearth_server_add_({adders})")


def exported(library, *options):
    return {line.split()[-1].split("@")[0] for line in
            run("nm", "-g", "--defined-only", *options, library).splitlines() if len(line.split()) == 3}


def check(prefix, write):
    declared = {name for header in client_reference.HEADERS for name in client_reference.functions(header)}
    if write:
        with open(LIST, "w") as out:
            out.writelines(name + "\n" for name in sorted(declared))
    listed = set(open(LIST).read().split())
    if listed != declared:
        raise Failed("the headers declare other functions than tests/package/symbols.txt has (--write): "
                     f"{' '.join(sorted(listed ^ declared))}")
    rule = stubs()
    counts = []
    for library, options in (("libhearth.so", ["-D"]), ("libhearth.a", [])):
        names = exported(os.path.join(prefix.libdir, library), *options)
        if listed - names:
            raise Failed(f"{library} lacks {' '.join(sorted(listed - names))}")
        more = {n for n in names - listed if not MESSAGES.match(n) and not rule.fullmatch(n)}
        if more:
            raise Failed(f"{library} exports what no public header declares: {' '.join(sorted(more)[:20])}")
        counts.append(len(names))
    return f"{len(listed)} functions of the headers; {counts[0]} symbols exported, {counts[1]} global in the archive"
