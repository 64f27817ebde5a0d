"""What the checks of the package share: running a command that has to succeed, and the installed prefix."""
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# The headers are held to more than their users are likely to ask for.
C = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
CXX = ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]


class Failed(AssertionError):
    pass


def run(*command, env=None, seconds=120, cwd=None):
    """What it printed; Failed with all of it unless it exits with 0."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, cwd=cwd,
                          env=None if env is None else {**os.environ, **env})
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Prefix:
    """Where `cmake --install` has put everything. libdir is lib or lib/<machine>, as the build was configured."""

    def __init__(self, build, folder):
        self.folder = folder
        cache = open(os.path.join(build, "CMakeCache.txt")).read()

        def cached(name):
            return re.search(rf"^{name}:\w+=(.*)$", cache, re.M).group(1)

        self.libdir = os.path.join(folder, cached("CMAKE_INSTALL_LIBDIR"))
        self.cc, self.cxx = cached("CMAKE_C_COMPILER"), cached("CMAKE_CXX_COMPILER")
        self.env = {"LD_LIBRARY_PATH": self.libdir}

    def pkg_config(self, *words):
        return run("pkg-config", *words, "hearth",
                   env={"PKG_CONFIG_PATH": os.path.join(self.libdir, "pkgconfig")}).split()

    def uses_shared(self, program):
        return "libhearth.so" in run("ldd", program, env=self.env)
