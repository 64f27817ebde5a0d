/* Filters and Landlock, each attempt in a process of its own and once more without (control). */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/confine/filter.h"
#include "server/confine/landlock.h"
#include "support/test.h"

#define ALL(...)                               \
    (const struct filter_rule[]){__VA_ARGS__}, \
        sizeof((const struct filter_rule[]){__VA_ARGS__}) / sizeof(struct filter_rule)

/* Not _exit(), and not _Noreturn: sanitizers make calls of their own before either. */
static void quit(int code)
{
    for (;;)
        syscall(SYS_exit_group, code);
}

/* Exit code of a child, or minus its signal. */
static int run(void (*body)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        body();
        quit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- filters. lseek is harmless and not otherwise used here; whence is its third argument. */

static long try_lseek(unsigned offset, unsigned whence)
{
    errno = 0;
    return syscall(SYS_lseek, 1000, offset, whence) == -1 ? errno : 0;
}

static void killed(void)
{
    if (!err_is_ok(filter_install(ALL({.call = SYS_exit_group}), FILTER_KILLS)))
        quit(9);
    try_lseek(0, 0);
}

static void allowed(void)
{
    if (!err_is_ok(
            filter_install(ALL({.call = SYS_exit_group}, {.call = SYS_lseek}), FILTER_KILLS)))
        quit(9);
    if (try_lseek(0, 0) != EBADF)
        quit(1);
}

/* Of several checks all must hold; of several rules one. */
static void checked(void)
{
    static const struct filter_rule rules[] = {
        {.call = SYS_lseek, .checks = 2, .check = {{1, ~0u, 7}, {2, 1, 1}}},
        {.call = SYS_lseek, .checks = 1, .check = {{1, 0xff00, 0x4200}}},
        {.call = SYS_exit_group},
    };
    if (!err_is_ok(filter_install(rules, 3, FILTER_EPERM)))
        quit(9);
    if (try_lseek(7, 1) != EBADF || try_lseek(7, 3) != EBADF || try_lseek(0x42aa, 0) != EBADF)
        quit(1);
    if (try_lseek(7, 0) != EPERM || try_lseek(6, 1) != EPERM || try_lseek(0x43aa, 1) != EPERM)
        quit(2);
    if (syscall(SYS_getppid) != -1 || errno != EPERM)
        quit(3);
}

static void enosys(void)
{
    if (!err_is_ok(filter_install(ALL({.call = SYS_exit_group}), FILTER_ENOSYS)))
        quit(9);
    if (try_lseek(0, 0) != ENOSYS)
        quit(1);
}

#if !defined(__SANITIZE_THREAD__) && !defined(HEARTH_SANITIZED)
static int go[2];

static void *wait_and_seek(void *arg)
{
    char byte;
    while (read(go[0], &byte, 1) != 1)
        ;
    *(long *)arg = try_lseek(0, 0);
    return NULL;
}

/* Threads that ran before are bound too. */
static void all_threads(void)
{
    pthread_t thread;
    long got = -1;
    static const int calls[] = {SYS_exit_group,      SYS_exit,    SYS_read,           SYS_write,
                                SYS_futex,           SYS_madvise, SYS_rt_sigprocmask, SYS_munmap,
                                SYS_set_robust_list, SYS_rseq};
    struct filter_rule rules[sizeof calls / sizeof *calls] = {0};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        rules[i].call = calls[i];
    if (pipe(go) != 0 || pthread_create(&thread, NULL, wait_and_seek, &got) != 0 ||
        !err_is_ok(filter_install(rules, sizeof calls / sizeof *calls, FILTER_EPERM)) ||
        write(go[1], "g", 1) != 1 || pthread_join(thread, NULL) != 0)
        quit(9);
    if (got != EPERM)
        quit(1);
}

#endif

static void filters(void **state)
{
    (void)state;
    assert_int_equal(try_lseek(0, 0), EBADF); /* control */
    assert_int_equal(run(killed), -SIGSYS);
    assert_int_equal(run(allowed), 0);
    assert_int_equal(run(checked), 0);
    assert_int_equal(run(enosys), 0);
#if !defined(__SANITIZE_THREAD__) && !defined(HEARTH_SANITIZED)
    assert_int_equal(run(all_threads), 0); /* a sanitizer's threads make calls of their own */
#endif
}

static void tables_that_are_refused(void **state)
{
    (void)state;
    static struct filter_rule rules[FILTER_RULES_MAX + 1];
    assert_err(filter_install(rules, FILTER_RULES_MAX + 1, FILTER_KILLS), ARGUMENT);
    rules[3].checks = FILTER_CHECKS_MAX + 1;
    assert_err(filter_install(rules, 10, FILTER_KILLS), ARGUMENT);
    rules[3].checks = 1;
    rules[3].check[0].argument = 6;
    assert_err(filter_install(rules, 10, FILTER_KILLS), ARGUMENT);
    assert_int_equal(try_lseek(0, 0), EBADF); /* nothing was installed */
}

/* ---- Landlock */

static char folder[64];
static int root_fd, data_fd, look_fd, fresh_fd;

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put(const char *name)
{
    int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "text", 4), 4);
    close(fd);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/hearth-confine-XXXXXX");
    assert_non_null(mkdtemp(folder));
    static const char *const folders[] = {"data", "look", "fresh"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(mkdir(in_folder(folders[i]), 0700), 0);
    put("keys");
    put("data/a");
    put("look/a");
    put("fresh/a");
    root_fd = open(folder, O_PATH | O_DIRECTORY);
    data_fd = open(in_folder("data"), O_PATH | O_DIRECTORY);
    look_fd = open(in_folder("look"), O_PATH | O_DIRECTORY);
    fresh_fd = open(in_folder("fresh"), O_PATH | O_DIRECTORY);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"data/a",  "data/b", "look/a", "fresh/a",
                                        "fresh/b", "keys",   "sock"};
    static const char *const folders[] = {"data", "look", "fresh"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlink(in_folder(names[i]));
    for (size_t i = 0; i < 3; i++)
        (void)rmdir(in_folder(folders[i]));
    return rmdir(folder);
}

/* What can be done, as letters, so that one comparison shows all. */
static bool can(const char *name, int flags)
{
    int fd = open(in_folder(name), flags, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool can_make_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = in_folder("sock");
    if (strlen(path) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    bool made = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (made)
        (void)unlink(address.sun_path);
    close(fd);
    return made;
}

static unsigned abilities(void)
{
    char from[128];
    unsigned a = 0;
    a |= (unsigned)can("data/a", O_RDWR) << 0;
    a |= (unsigned)can("data/b", O_WRONLY | O_CREAT | O_EXCL) << 1;
    snprintf(from, sizeof from, "%s", in_folder("data/b"));
    a |= (unsigned)(rename(from, in_folder("data/a")) == 0) << 2;
    a |= (unsigned)can("look/a", O_RDONLY) << 3;
    a |= (unsigned)can("look/a", O_WRONLY) << 4;
    a |= (unsigned)can("fresh/b", O_WRONLY | O_CREAT | O_EXCL) << 5;
    a |= (unsigned)can("fresh/b", O_RDONLY) << 6;
    a |= (unsigned)(unlink(in_folder("fresh/b")) == 0) << 7;
    a |= (unsigned)can("keys", O_RDONLY) << 8;
    a |= (unsigned)can_make_socket() << 9;
    int fd = open("/etc/passwd", O_RDONLY);
    a |= (unsigned)(fd >= 0) << 10;
    return a;
}

enum { EVERYTHING = 0x7ff, CONFINED = 1 | 2 | 4 | 8 | 32 | 128 | 512, UNSUPPORTED = 99 };

static void confined(void)
{
    const struct landlock_place places[] = {
        {data_fd, LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_CHANGE},
        {look_fd, LANDLOCK_READ},
        {fresh_fd, LANDLOCK_CHANGE},
        {root_fd, LANDLOCK_SOCKETS},
    };
    bool applied = false;
    if (!err_is_ok(landlock_apply(places, 4, false, &applied)))
        quit(9);
    if (!applied)
        quit(UNSUPPORTED);
    unsigned got = abilities();
    if (got != CONFINED) {
        fprintf(stderr, "may: %x, expected %x\n", got, CONFINED);
        quit(1);
    }
}

static void unconfined(void)
{
    if (abilities() != EVERYTHING)
        quit(1);
}

static void places(void **state)
{
    (void)state;
    assert_int_equal(run(unconfined), 0); /* control */
    int result = run(confined);
    if (result == UNSUPPORTED) {
        print_message("SKIP this kernel has no Landlock\n");
        skip();
    }
    assert_int_equal(result, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters),
        cmocka_unit_test(tables_that_are_refused),
        cmocka_unit_test(places),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
