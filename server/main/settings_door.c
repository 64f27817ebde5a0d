#include "server/main/settings_door.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/confine/filter.h"
#include "server/keeper/keeper_process.h"

enum { ANSWER_SECONDS = 10, READ_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
    char data[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

/* ---- the process */

static bool confine(void)
{
    static const struct filter_rule rules[] = {
        {.call = SYS_recvfrom},
        {.call = SYS_sendmsg},
        {.call = SYS_close},
        {.call = SYS_exit_group},
        {.call = SYS_rt_sigreturn},
        {.call = SYS_restart_syscall},
        {SYS_openat, 1, {{2, ~0U, READ_FLAGS}}},
    };
    return filter_install(rules, sizeof rules / sizeof rules[0], FILTER_KILLS).code == ERR_NONE;
}

static bool answer(int socket, int fd, int why)
{
    union control control;
    struct iovec body = {&why, sizeof why};
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};
    memset(&control, 0, sizeof control);
    if (fd >= 0) {
        message.msg_control = control.data;
        message.msg_controllen = sizeof control.data;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)sizeof why;
}

static _Noreturn void child_main(int socket, const char *path)
{
    char byte;
    bool good = (socket = keeper_process_begin(socket)) >= 0 &&
                prctl(PR_SET_NAME, "hearth-settings", 0, 0, 0) == 0 && confine() &&
                answer(socket, -1, 0);
    while (good && recv(socket, &byte, 1, 0) == 1) {
        int fd = openat(AT_FDCWD, path, READ_FLAGS);
        good = answer(socket, fd, fd < 0 ? errno : 0);
        if (fd >= 0)
            (void)close(fd);
    }
    _exit(good ? 0 : 1);
}

/* ---- the server's end */

static struct err receive(struct settings_door *door, int *ret_file)
{
    union control control;
    int why = EPIPE;
    struct iovec body = {&why, sizeof why};
    struct msghdr message = {.msg_iov = &body,
                             .msg_iovlen = 1,
                             .msg_control = control.data,
                             .msg_controllen = sizeof control.data};
    *ret_file = -1;
    ssize_t got = recvmsg(door->socket, &message, MSG_CMSG_CLOEXEC);
    if (got != (ssize_t)sizeof why) {
        int cause = got < 0 ? errno : EPIPE;
        (void)shutdown(door->socket, SHUT_RDWR); /* a late answer must not be the next one's */
        errno = cause;
        return ERR(IO);
    }
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
        head->cmsg_len == CMSG_LEN(sizeof *ret_file))
        memcpy(ret_file, CMSG_DATA(head), sizeof *ret_file);
    errno = why;
    return why == 0 ? ERR_OK : ERR(IO);
}

struct err settings_door_open(const char *path, struct settings_door *ret_door)
{
    struct settings_door door = SETTINGS_DOOR_NONE;
    const struct timeval most = {.tv_sec = ANSWER_SECONDS};
    int ends[2], none;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return ERR(IO);
    (void)setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    door.socket = ends[0];
    door.child = fork();
    if (door.child == 0)
        child_main(ends[1], path);
    (void)close(ends[1]);
    struct err err = door.child < 0 ? ERR(IO) : receive(&door, &none);
    if (err.code != ERR_NONE) {
        settings_door_close(&door);
        return err;
    }
    *ret_door = door;
    return ERR_OK;
}

struct err settings_door_file(struct settings_door *door, int *ret_file)
{
    char byte = 'r';
    if (send(door->socket, &byte, 1, MSG_NOSIGNAL) != 1)
        return ERR(IO);
    TRY(receive(door, ret_file));
    return *ret_file >= 0 ? ERR_OK : ERR(IO);
}

void settings_door_close(struct settings_door *door)
{
    if (door->socket >= 0)
        (void)close(door->socket);
    while (door->child > 0 && waitpid(door->child, NULL, 0) < 0 && errno == EINTR)
        ;
    *door = SETTINGS_DOOR_NONE;
}
