"""Small programs of other people: built by pkg-config and by CMake, in C and in C++, on both libraries, and run."""
import os
import shutil
import tempfile

from place import C, CXX, HERE, ROOT, Failed, Prefix, run

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


def deep(prefix, scratch):
    """As Debian installs: libraries in lib/<machine>, where the way to the prefix is longer. Configured anew, not built."""
    machine = run(prefix.cc, "-print-multiarch").strip() or "machine"
    build, folder = os.path.join(scratch, "deep-build"), os.path.join(scratch, "deep")
    run("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
        f"-DCMAKE_INSTALL_LIBDIR=lib/{machine}", f"-DCMAKE_C_COMPILER={prefix.cc}", f"-DCMAKE_CXX_COMPILER={prefix.cxx}")
    there = Prefix(build, folder)
    shutil.copytree(os.path.join(prefix.folder, "include"), os.path.join(folder, "include"))
    shutil.copytree(prefix.libdir, there.libdir, symlinks=True)
    for name, to in (("hearth.pc", "pkgconfig"), ("HearthConfig.cmake", "cmake/Hearth")):
        shutil.copy(os.path.join(build, "package", name), os.path.join(there.libdir, to))
    return there


def by_pkg_config(prefix, build, scratch):
    only = without_shared(prefix, build, scratch)
    machine = deep(prefix, scratch)
    for language, compiler in (("c", [prefix.cc, *C]), ("c++", [prefix.cxx, *CXX])):
        for kind, where, options in (("shared", prefix, []), ("static", only, ["--static"]), ("shared", machine, [])):
            program = os.path.join(scratch, f"pkg-config-{language}-{kind}")
            run(*compiler, "-x", language, SOURCE, "-x", "none", "-o", program,
                *where.pkg_config(*options, "--cflags", "--libs"))
            lives(where, program, kind == "shared", where.env)


def by_cmake(prefix, folder):
    run("cmake", "-S", HERE, "-B", folder, f"-DCMAKE_PREFIX_PATH={prefix.folder}", f"-DCMAKE_C_COMPILER={prefix.cc}",
        f"-DCMAKE_CXX_COMPILER={prefix.cxx}", f"-DCMAKE_C_FLAGS={' '.join(C)}", f"-DCMAKE_CXX_FLAGS={' '.join(CXX)}")
    run("cmake", "--build", folder)
    for language in ("c", "cc"):
        lives(prefix, os.path.join(folder, f"{language}_hearth"), True, {})
        lives(prefix, os.path.join(folder, f"{language}_static"), False, {})


def check(prefix, build, scratch):
    by_pkg_config(prefix, build, scratch)
    by_cmake(prefix, os.path.join(scratch, "cmake"))
    by_cmake(Prefix(os.path.join(scratch, "deep-build"), os.path.join(scratch, "deep")), os.path.join(scratch, "cmake-deep"))
    return "pkg-config and CMake, C11 and C++17, shared and static, lib and lib/<machine>: 14 programs built and run"
