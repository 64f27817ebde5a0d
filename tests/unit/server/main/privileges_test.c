/* A server gives up its privileges and still does its work; what it gave up fails, and works in the
 * control, which gives up nothing. Each in a process of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/keeper/keeper.h"
#include "server/main/notifier.h"
#include "server/main/privileges.h"
#include "support/test.h"

static char folder[64];
#define DOMAIN bytes_str("a.example")

static const char *in_folder(const char *name)
{
    static _Thread_local char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/hearth-privileges-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(mkdir(in_folder("db"), 0700), 0);
    assert_ok(keeper_init(in_folder("keys"), DOMAIN, &clock_system, &rng_system));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"keys", "db/file", "db/other"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlink(in_folder(names[i]));
    (void)rmdir(in_folder("db"));
    return rmdir(folder);
}

static void log_line(void *self, const char *line)
{
    (void)line;
    ++*(int *)self;
}

static void must(bool condition, int code)
{
    if (!condition)
        _exit(code);
}

/* ---- what a server does all the time */

static void use_files(void)
{
    char text[4];
    int fd = open(in_folder("db/file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(fd >= 0 && pwrite(fd, "text", 4, 0) == 4 && fsync(fd) == 0, 20);
    must(pread(fd, text, 4, 0) == 4 && ftruncate(fd, 2) == 0 && close(fd) == 0, 21);
    char from[128];
    snprintf(from, sizeof from, "%s", in_folder("db/file"));
    must(rename(from, in_folder("db/other")) == 0 && unlink(in_folder("db/other")) == 0, 22);
}

static void *do_nothing(void *arg)
{
    return malloc(100000) != NULL ? arg : NULL;
}

static void use_threads(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        must(pthread_create(&threads[i], NULL, do_nothing, folder) == 0, 30);
    for (int i = 0; i < 4; i++) {
        void *result;
        must(pthread_join(threads[i], &result) == 0 && result == folder, 31);
    }
}

static void use_network(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    char byte = 'x';
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int caller = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 1) == 0, 40);
    must(getsockname(listener, (struct sockaddr *)&address, &len) == 0, 41);
    must(connect(caller, (struct sockaddr *)&address, len) == 0, 42);
    int callee = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    must(callee >= 0 && send(caller, &byte, 1, 0) == 1, 43);
    close(listener);
    close(caller);
    close(callee);
}

/* As the notifier's library does it. */
static void use_names(void)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    must(getaddrinfo("localhost", "443", &hints, &found) == 0 && found != NULL, 45);
    freeaddrinfo(found);
    FILE *authorities = fopen("/etc/ssl/certs/ca-certificates.crt", "re");
    must(authorities != NULL || errno == ENOENT, 46); /* not installed everywhere */
    if (authorities != NULL)
        fclose(authorities);
}

static void *answer_once(void *arg)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    char request[4096];
    int fd = accept(*(int *)arg, NULL, NULL);
    must(fd >= 0 && recv(fd, request, sizeof request, 0) > 0, 70);
    must(send(fd, ok, sizeof ok - 1, 0) == (ssize_t)sizeof ok - 1, 71);
    close(fd);
    return NULL;
}

/* The whole library, by name, as a webhook has it. */
static void use_notifier(struct notifier *notifier, int listener)
{
    static const uint8_t key[PUSH_TOKEN_KEY_BYTES] = {1};
    const struct timespec moment = {.tv_nsec = 10000000};
    struct buf sealed = BUF_INIT;
    pthread_t thread;
    must(pthread_create(&thread, NULL, answer_once, &listener) == 0, 72);
    must(err_is_ok(push_token_seal(&sealed, &rng_system, key, bytes_str("device"))), 73);
    notifier_notify(notifier, buf_view(&sealed), bytes_of(key, sizeof key));
    for (int i = 0; i < 500 && notifier_counts(notifier).pushed == 0; i++)
        nanosleep(&moment, NULL);
    must(notifier_counts(notifier).pushed == 1, 74);
    must(pthread_join(thread, NULL) == 0, 75);
    buf_clear(&sealed);
}

static int listen_anywhere(char url[64])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 1) == 0 &&
             getsockname(fd, (struct sockaddr *)&address, &len) == 0,
         76);
    snprintf(url, 64, "http://localhost:%u/push", (unsigned)ntohs(address.sin_port));
    return fd;
}

static void use_keeper(struct keeper *keeper)
{
    struct signature signature;
    must(err_is_ok(keeper_sign(keeper, KEEPER_FEDERATION, false, bytes_str("L"), bytes_str("c"),
                               &signature)),
         50);
    must(err_is_ok(keeper_rotate(keeper, KEEPER_FEDERATION)), 51);
}

static int confined_at(int step, struct keeper **ret_keeper)
{
    const struct privileges_place places[] = {
        {in_folder("db"), LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_CHANGE},
        {"/no/such/place", LANDLOCK_READ},
    };
    int lines = 0;
    must(err_is_ok(privileges_begin()), 10);
    must(err_is_ok(keeper_spawn(in_folder("keys"), DOMAIN, ret_keeper)), 11);
    struct privileges_place kept[2] = {places[0], places[1]};
    char db[128];
    snprintf(db, sizeof db, "%s", in_folder("db"));
    kept[0].path = db;
    if (step >= 1)
        must(err_is_ok(privileges_files(kept, 2, log_line, &lines)), 12);
    if (step >= 2)
        must(err_is_ok(privileges_calls(log_line, &lines)), 13);
    return lines;
}

static int run(void (*body)(int step), int step)
{
    pid_t pid = fork();
    if (pid == 0) {
        body(step);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void work(int step)
{
    struct keeper *keeper = NULL;
    struct notifier *notifier = NULL;
    char url[64];
    (void)confined_at(step, &keeper);
    int listener = listen_anywhere(url);
    const struct notifier_options options = {
        .mode = NOTIFIER_WEBHOOK, .webhook = url, .development = true};
    must(err_is_ok(notifier_new(&options, &clock_system, &notifier)), 77);
    use_notifier(notifier, listener);
    notifier_free(notifier);
    use_files();
    use_threads();
    use_network();
    use_names();
    use_keeper(keeper);
    keeper_close(keeper);
    must(waitpid(-1, NULL, 0) == -1, 60);
}

static void the_server_still_works(void **state)
{
    (void)state;
    for (int step = 0; step <= 2; step++)
        assert_int_equal(run(work, step), 0);
}

/* ---- what it gave up: 0, it works; 1: it fails */

enum { UNSUPPORTED = 99 };

#define ATTEMPT(name, expression)            \
    static void name(int step)               \
    {                                        \
        struct keeper *keeper = NULL;        \
        if (confined_at(step, &keeper) != 0) \
            _exit(UNSUPPORTED);              \
        _exit((expression) ? 0 : 1);         \
    }

static bool can_read(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC) >= 0;
}

static bool can_run(void)
{
    char *const arguments[] = {(char[]){"true"}, NULL};
    execv("/bin/true", arguments); /* exit code 0 */
    return false;
}

static bool can_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid > 0;
}

static bool can_trace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool can_map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) != MAP_FAILED;
}

static bool can_make_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool can_be_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static bool can_set_limits(void)
{
    struct rlimit none = {0, 0};
    return setrlimit(RLIMIT_CORE, &none) == 0;
}

static bool can_read_keepers_memory(void)
{
    char name[64];
    long pid = 0;
    /* the keeper is the only child */
    FILE *in = fopen("/proc/thread-self/children", "r");
    if (in == NULL || fscanf(in, "%ld", &pid) != 1)
        return false;
    fclose(in);
    snprintf(name, sizeof name, "/proc/%ld/mem", pid);
    return can_read(name);
}

ATTEMPT(read_keys, can_read(in_folder("keys")))
ATTEMPT(read_others, can_read("/etc/passwd"))
ATTEMPT(read_folder, can_read(folder))
ATTEMPT(write_outside,
        open(in_folder("stray"), O_WRONLY | O_CREAT, 0600) >= 0 && unlink(in_folder("stray")) == 0)
ATTEMPT(look_at_keeper, can_read_keepers_memory())
ATTEMPT(run_program, can_run())
ATTEMPT(make_process, can_fork())
ATTEMPT(trace, can_trace())
ATTEMPT(map_code, can_map_code())
ATTEMPT(make_executable, can_make_executable())
ATTEMPT(be_dumpable, can_be_dumpable())
ATTEMPT(set_limits, can_set_limits())

static void what_is_given_up(void **state)
{
    (void)state;
    static const struct {
        void (*attempt)(int step);
        int gone_at; /* the first step at which it fails: 1 files, 2 calls */
    } rows[] = {
        {read_keys, 1},   {read_others, 1},  {read_folder, 1},     {write_outside, 1},
        {run_program, 1}, {make_process, 2}, {trace, 2},           {map_code, 2},
        {be_dumpable, 2}, {set_limits, 2},   {make_executable, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int step = 0; step <= 2; step++) {
            int result = run(rows[i].attempt, step);
            if (result == UNSUPPORTED) {
                print_message("SKIP this kernel has no Landlock or no seccomp\n");
                skip();
            }
            if (result != (step >= rows[i].gone_at))
                fail_msg("attempt %zu at step %d: %d", i, step, result);
        }
    /* root may look at anybody's memory while it can open files; others never at the keeper's */
    assert_int_equal(run(look_at_keeper, 2), 1);
}

static void begin(int step)
{
    struct rlimit core = {1, 1}, files;
    (void)step;
    must(err_is_ok(privileges_begin()), 1);
    must(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0, 2);
    must(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0, 3);
    must(getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur == files.rlim_max, 4);
}

static void first_step(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1); /* control */
    assert_int_equal(run(begin, 0), 0);
}

static void tables(void **state)
{
    (void)state;
    static struct privileges_place many[64];
    int lines = 0;
    for (size_t i = 0; i < 64; i++)
        many[i] = (struct privileges_place){"/", LANDLOCK_READ};
    assert_err(privileges_files(many, 64, log_line, &lines), ARGUMENT);
    assert_int_equal(lines, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_step),
        cmocka_unit_test(tables),
        cmocka_unit_test(the_server_still_works),
        cmocka_unit_test(what_is_given_up),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
