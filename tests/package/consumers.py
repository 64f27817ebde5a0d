"""Small programs of other people: built by pkg-config and by CMake, in C and in C++, on both libraries, and run."""
import os
import shutil
import tempfile

from place import C, CXX, HERE, Failed, Prefix, run

SOURCE = os.path.join(HERE, "consumer.c")


def lives(prefix, program, shared, env):
    """Runs it, and looks which library it carries."""
    if prefix.uses_shared(program) != shared:
        raise Failed(f"{program}: linked with the {'static' if shared else 'shared'} library")
    with tempfile.TemporaryDirectory() as folder:
        said = run(program, os.path.join(folder, "account.db"), env=env).splitlines()
    name = said[0].split(":")[0]
    if len(said) != 2 or not name.isupper() or len(said[0]) < len(name) + 10 or said[1] != "NOT_FOUND hearth.v1.Info":
        raise Failed(f"{program} says {said}")


def without_shared(prefix, build, scratch):
    """As on a machine where only the archive is installed: there --static is what gives its needs."""
    copy = os.path.join(scratch, "static-only")
    shutil.copytree(prefix.folder, copy, symlinks=True)
    only = Prefix(build, copy)
    for name in os.listdir(only.libdir):
        if name.startswith("libhearth.so"):
            os.remove(os.path.join(only.libdir, name))
    return only


def by_pkg_config(prefix, build, scratch):
    only = without_shared(prefix, build, scratch)
    for language, compiler in (("c", [prefix.cc, *C]), ("c++", [prefix.cxx, *CXX])):
        for kind, where, options in (("shared", prefix, []), ("static", only, ["--static"])):
            program = os.path.join(scratch, f"pkg-config-{language}-{kind}")
            run(*compiler, "-x", language, SOURCE, "-x", "none", "-o", program,
                *where.pkg_config(*options, "--cflags", "--libs"))
            lives(where, program, kind == "shared", where.env)


def by_cmake(prefix, scratch):
    folder = os.path.join(scratch, "cmake")
    run("cmake", "-S", HERE, "-B", folder, f"-DCMAKE_PREFIX_PATH={prefix.folder}", f"-DCMAKE_C_COMPILER={prefix.cc}",
        f"-DCMAKE_CXX_COMPILER={prefix.cxx}", f"-DCMAKE_C_FLAGS={' '.join(C)}", f"-DCMAKE_CXX_FLAGS={' '.join(CXX)}")
    run("cmake", "--build", folder)
    for language in ("c", "cc"):
        lives(prefix, os.path.join(folder, f"{language}_hearth"), True, {})
        lives(prefix, os.path.join(folder, f"{language}_static"), False, {})


def check(prefix, build, scratch):
    by_pkg_config(prefix, build, scratch)
    by_cmake(prefix, scratch)
    return "pkg-config and CMake, C11 and C++17, shared and static: 8 programs built and run"
