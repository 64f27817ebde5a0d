#include "server/keeper/keeper_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/confine/filter.h"
#include "server/confine/landlock.h"
#include "server/keeper/frame.h"
#include "server/keeper/key_file.h"

enum { QUIET_MS = 3000 };

/* 0, 1: /dev/null; 2: stderr as it is; 3: the socket; nothing else. */
static int only_socket(int socket)
{
    enum { SOCKET = 3 };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        return -1;
    if (socket != SOCKET && dup2(socket, SOCKET) < 0)
        return -1;
    return syscall(SYS_close_range, SOCKET + 1, ~0U, 0) == 0 ? SOCKET : -1;
}

int keeper_process_begin(int socket)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
    const struct rlimit none = {0, 0};
    sigset_t all;
    for (int signal_number = 1; signal_number < 32; signal_number++)
        (void)signal(signal_number, SIG_DFL); /* KILL and STOP say no */
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        (void)signal(ignored[i], SIG_IGN);
    sigemptyset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)prctl(PR_SET_NAME, "hearth-keeper", 0, 0, 0);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        return -1;
    return only_socket(socket);
}

#define CALL(name)         \
    {                      \
        .call = SYS_##name \
    }
/* (argument & mask) == value */
#define CHECK(argument, mask, value)                    \
    {                                                   \
        (argument), (uint32_t)(mask), (uint32_t)(value) \
    }

struct err keeper_confine(struct keeper *keeper)
{
    int folder = keeper_local_folder(keeper);
    const struct landlock_place place = {folder, LANDLOCK_CHANGE};
    bool applied; /* without it the filter's own checks remain */
    TRY(landlock_apply(&place, folder >= 0 ? 1 : 0, true, &applied));
    const struct filter_rule rules[] = {
        CALL(read),
        CALL(write),
        CALL(sendto),
        CALL(recvfrom),
#ifdef SYS_poll
        CALL(poll),
#else
        CALL(ppoll),
#endif
        CALL(close),
        CALL(fsync),
        CALL(munmap),
        CALL(mremap),
        CALL(brk),
        CALL(madvise),
        CALL(mlock),
        CALL(munlock),
        CALL(futex),
        CALL(getrandom),
        CALL(clock_gettime),
        CALL(gettimeofday),
        CALL(getpid),
        CALL(gettid),
        CALL(sched_yield),
        CALL(rt_sigreturn),
        CALL(rt_sigprocmask),
        CALL(restart_syscall),
        CALL(exit),
        CALL(exit_group),
#if defined(__SANITIZE_THREAD__) /* its thread in the background */
        CALL(nanosleep),
        CALL(rseq),
        CALL(set_robust_list),
        CALL(sigaltstack),
#endif
        /* memory, never of files, never to be executed */
        {SYS_mmap, 2, {CHECK(2, PROT_EXEC, 0), CHECK(3, MAP_ANONYMOUS, MAP_ANONYMOUS)}},
        {SYS_mprotect, 1, {CHECK(2, PROT_EXEC, 0)}},
        /* new files only, through the key file's folder */
        {SYS_openat, 2, {CHECK(0, ~0U, folder), CHECK(2, ~0U, KEY_FILE_CREATE)}},
        {SYS_unlinkat, 2, {CHECK(0, ~0U, folder), CHECK(2, ~0U, 0)}},
#ifdef SYS_renameat
        {SYS_renameat, 2, {CHECK(0, ~0U, folder), CHECK(2, ~0U, folder)}},
#endif
        {SYS_renameat2, 3, {CHECK(0, ~0U, folder), CHECK(2, ~0U, folder), CHECK(4, ~0U, 0)}},
    };
    return filter_install(rules, sizeof rules / sizeof *rules, FILTER_KILLS);
}

/* ME4: whose references were opened is forgotten when nobody has asked for a while. */
static void wait_for_request(int socket, struct keeper *keeper)
{
    struct pollfd fd = {.fd = socket, .events = POLLIN};
    if (poll(&fd, 1, QUIET_MS) == 0) {
        keeper_local_forget(keeper);
        (void)poll(&fd, 1, -1);
    }
}

struct err keeper_serve(int socket, struct keeper *keeper)
{
    struct buf request = {.limit = FRAME_MAX_BYTES};
    struct buf reply = {.limit = FRAME_MAX_BYTES};
    struct err err;
    do {
        wait_for_request(socket, keeper);
        err = frame_receive(socket, &request);
        if (err.code == ERR_KEEPER_GONE) {
            err = ERR_OK;
            break;
        }
        if (err_is_ok(err))
            err = frame_answer(keeper, buf_view(&request), &reply);
        if (err_is_ok(err))
            err = buf_check(&reply);
        if (err_is_ok(err))
            err = frame_send(socket, buf_view(&reply));
        frame_reset(&reply);
    } while (err_is_ok(err));
    buf_clear(&request);
    buf_clear(&reply);
    return err;
}
