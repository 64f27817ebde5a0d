/* Children of the demo, and the files they leave. */
#include "client/cli/demo_run.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double demo_now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static pid_t spawn(const char *const *words, int output)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        _exit(127);
    execv(words[0], (char *const *)(uintptr_t)words);
    _exit(127);
}

/* Until it closes its output or the time is over. */
static void gather(int fd, double until, struct demo_output *out)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int left_ms = (int)((until - demo_now_s()) * 1000);
        char rest[4096];
        if (left_ms <= 0 || poll(&p, 1, left_ms) <= 0)
            return;
        bool room = out->len < DEMO_OUTPUT_MAX;
        ssize_t got = read(fd, room ? out->text + out->len : rest,
                           room ? DEMO_OUTPUT_MAX - out->len : sizeof rest);
        if (got <= 0)
            return;
        out->len += room ? (size_t)got : 0;
    }
}

bool demo_run(const char *const *words, unsigned seconds, struct demo_output *ret_output)
{
    int ends[2], status = 0;
    double until = demo_now_s() + seconds;
    ret_output->len = 0;
    ret_output->code = -1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid_t pid = spawn(words, ends[1]);
    (void)close(ends[1]);
    if (pid > 0) {
        gather(ends[0], until, ret_output);
        while (waitpid(pid, &status, WNOHANG) == 0) {
            if (demo_now_s() > until)
                (void)kill(pid, SIGKILL);
            (void)usleep(1000);
        }
        ret_output->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    (void)close(ends[0]);
    ret_output->text[ret_output->len] = '\0';
    return ret_output->code == 0;
}

pid_t demo_start(const char *const *words, const char *output_file)
{
    int fd = open(output_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    pid_t pid = spawn(words, fd);
    (void)close(fd);
    return pid;
}

void demo_end(pid_t *pid, int signal)
{
    if (*pid > 0) {
        (void)kill(*pid, signal);
        double until = demo_now_s() + 10;
        while (waitpid(*pid, NULL, WNOHANG) == 0) {
            if (demo_now_s() > until)
                (void)kill(*pid, SIGKILL);
            (void)usleep(2000);
        }
    }
    *pid = -1;
}

bool demo_alive(pid_t pid)
{
    return pid > 0 && waitpid(pid, NULL, WNOHANG) == 0;
}

bool demo_word_after(const char *text, const char *label, char *ret_word, size_t len)
{
    size_t label_len = strlen(label);
    for (const char *at = text; at != NULL;
         at = strchr(at, '\n'), at = at != NULL ? at + 1 : NULL) {
        if (strncmp(at, label, label_len) != 0 || (at[label_len] != ' ' && at[label_len] != '\0'))
            continue;
        at += label_len + strspn(at + label_len, " ");
        size_t word = strcspn(at, " \n");
        if (word == 0 || word >= len)
            return false;
        memcpy(ret_word, at, word);
        ret_word[word] = '\0';
        return true;
    }
    return false;
}

static bool file_holds(const char *path, const void *bytes, size_t len)
{
    bool found = false;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        char *all = malloc((size_t)st.st_size);
        ssize_t got = all != NULL ? read(fd, all, (size_t)st.st_size) : -1;
        found = got > 0 && memmem(all, (size_t)got, bytes, len) != NULL;
        free(all);
    }
    if (fd >= 0)
        (void)close(fd);
    return found;
}

bool demo_wait_for(const char *file, const char *text, unsigned seconds)
{
    double until = demo_now_s() + seconds;
    while (!file_holds(file, text, strlen(text))) {
        if (demo_now_s() > until)
            return false;
        (void)usleep(10000);
    }
    return true;
}

/* nftw has no argument for its callback. */
static struct {
    const void *bytes;
    size_t len;
    bool found;
} search;

static int look(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    if (type == FTW_F && file_holds(path, search.bytes, search.len))
        search.found = true;
    return 0;
}

bool demo_tree_holds(const char *path, const void *bytes, size_t len)
{
    search.bytes = bytes;
    search.len = len;
    search.found = false;
    (void)nftw(path, look, 16, FTW_PHYS);
    return search.found;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void demo_remove_tree(const char *path)
{
    (void)nftw(path, drop, 16, FTW_DEPTH | FTW_PHYS);
}
