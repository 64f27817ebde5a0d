#include "server/main/privileges.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/confine/filter.h"

struct err privileges_begin(void)
{
    const struct rlimit none = {0, 0};
    struct rlimit files;
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return ERR(IO);
    /* a connection is a descriptor; the soft limit of 1,024 is for programs that use select() */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    return ERR_OK;
}

/* ---- files */

enum { PLACES_MAX = 32 };

/* What libraries read after start-up, all of it public on any machine. */
static const struct privileges_place common[] = {
    {"/etc/resolv.conf", LANDLOCK_READ},
    {"/etc/hosts", LANDLOCK_READ},
    {"/etc/host.conf", LANDLOCK_READ},
    {"/etc/nsswitch.conf", LANDLOCK_READ},
    {"/etc/localtime", LANDLOCK_READ},
    {"/etc/ssl/certs", LANDLOCK_READ},
    {"/etc/ssl/openssl.cnf", LANDLOCK_READ},
    {"/run/systemd/resolve", LANDLOCK_READ}, /* where resolv.conf often points */
    {"/usr/share/ca-certificates", LANDLOCK_READ},
    {"/usr/share/zoneinfo", LANDLOCK_READ},
    {"/sys/devices/system/cpu", LANDLOCK_READ},        /* how many there are */
    {"/proc/self", LANDLOCK_READ},                     /* our own size, for the metrics page */
    {"/proc/sys/vm/overcommit_memory", LANDLOCK_READ}, /* glibc, when it gives memory back */
    {"/dev/null", LANDLOCK_READ | LANDLOCK_WRITE},
    {"/dev/urandom", LANDLOCK_READ},
};

struct places {
    struct landlock_place at[PLACES_MAX];
    size_t count;
};

static struct err add_places(struct places *p, const struct privileges_place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (p->count == PLACES_MAX)
            return ERR(ARGUMENT);
        int fd = open(places[i].path, O_PATH | O_CLOEXEC);
        if (fd >= 0)
            p->at[p->count++] = (struct landlock_place){fd, places[i].rights};
    }
    return ERR_OK;
}

struct err privileges_files(const struct privileges_place *places, size_t count,
                            void (*log)(void *self, const char *line), void *log_self)
{
    struct places p = {.count = 0};
    bool applied = false;
    struct err err = add_places(&p, common, sizeof common / sizeof *common);
    if (err_is_ok(err))
        err = add_places(&p, places, count);
    if (err_is_ok(err))
        err = landlock_apply(p.at, p.count, false, &applied);
    for (size_t i = 0; i < p.count; i++)
        close(p.at[i].fd);
    if (err_is_ok(err) && !applied)
        log(log_self, "level=warn event=landlock_missing text=\"this kernel can not restrict which "
                      "files the server reaches\"");
    return err;
}

/* ---- system calls */

#if defined(__x86_64__)
#define CALL_OLD(name) CALL(name)
#else
#define CALL_OLD(name)
#endif
static const struct filter_rule calls[] = {
#define CALL(name) {.call = SYS_##name},
#define CALL_IF(name, argument, mask, value) \
    {SYS_##name, 1, {{(argument), (mask), (uint32_t)(value)}}},
#include "server/main/calls.def"
#undef CALL
#undef CALL_IF
};
_Static_assert(sizeof calls / sizeof *calls <= FILTER_RULES_MAX, "filter.h");

struct err privileges_calls(void (*log)(void *self, const char *line), void *log_self)
{
    struct err err = filter_install(calls, sizeof calls / sizeof *calls, FILTER_ENOSYS);
    if (err.code != ERR_IO)
        return err;
    log(log_self, "level=warn event=seccomp_missing text=\"this kernel can not restrict which "
                  "system calls the server makes\"");
    return ERR_OK;
}
