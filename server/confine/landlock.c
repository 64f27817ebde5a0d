#include "server/confine/landlock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the kernel's interface, because Debian 12's header ends with version 2. */
enum {
    CREATE_RULESET_VERSION = 1,
    RULE_PATH_BENEATH = 1,
    ABI_REFER = 2,
    ABI_TRUNCATE = 3,
    ABI_NETWORK = 4,
    ABI_IOCTL = 5,
};
#define FS_EXECUTE     ((uint64_t)1 << 0)
#define FS_WRITE_FILE  ((uint64_t)1 << 1)
#define FS_READ_FILE   ((uint64_t)1 << 2)
#define FS_READ_DIR    ((uint64_t)1 << 3)
#define FS_REMOVE_DIR  ((uint64_t)1 << 4)
#define FS_REMOVE_FILE ((uint64_t)1 << 5)
#define FS_MAKE_DIR    ((uint64_t)1 << 7)
#define FS_MAKE_REG    ((uint64_t)1 << 8)
#define FS_MAKE_SOCK   ((uint64_t)1 << 9)
#define FS_VERSION_1   (((uint64_t)1 << 13) - 1) /* the first thirteen */
#define FS_REFER       ((uint64_t)1 << 13)
#define FS_TRUNCATE    ((uint64_t)1 << 14)
#define FS_IOCTL_DEV   ((uint64_t)1 << 15)
#define FS_OF_FILES    (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define NET_BIND_TCP   ((uint64_t)1 << 0)
#define NET_CONNECT    ((uint64_t)1 << 1)

struct ruleset {
    uint64_t files, network; /* handled accesses */
};
struct path_beneath {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

static long kernel_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
}

static uint64_t handled_files(long version)
{
    uint64_t handled = FS_VERSION_1;
    if (version >= ABI_REFER)
        handled |= FS_REFER;
    if (version >= ABI_TRUNCATE)
        handled |= FS_TRUNCATE;
    if (version >= ABI_IOCTL)
        handled |= FS_IOCTL_DEV;
    return handled;
}

static uint64_t allowed_files(unsigned rights)
{
    uint64_t allowed = 0;
    if (rights & LANDLOCK_READ)
        allowed |= FS_READ_FILE | FS_READ_DIR;
    if (rights & LANDLOCK_WRITE)
        allowed |= FS_WRITE_FILE | FS_TRUNCATE;
    if (rights & LANDLOCK_CHANGE)
        allowed |=
            FS_MAKE_REG | FS_MAKE_DIR | FS_REMOVE_FILE | FS_REMOVE_DIR | FS_WRITE_FILE | FS_REFER;
    if (rights & LANDLOCK_SOCKETS)
        allowed |= FS_MAKE_SOCK | FS_REMOVE_FILE;
    return allowed;
}

static struct err add_place(int ruleset, const struct landlock_place *place, uint64_t handled)
{
    struct stat st;
    struct path_beneath rule = {allowed_files(place->rights) & handled, place->fd};
    if (fstat(place->fd, &st) != 0)
        return ERR(IO);
    if (!S_ISDIR(st.st_mode))
        rule.allowed &= FS_OF_FILES; /* the kernel refuses the others for a file */
    if (rule.allowed == 0)
        return ERR_OK;
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0 ? ERR_OK
                                                                                     : ERR(IO);
}

struct err landlock_apply(const struct landlock_place *places, size_t count, bool no_network,
                          bool *ret_applied)
{
    long version = kernel_version();
    if (version < 1) {
        *ret_applied = false;
        return errno == ENOSYS || errno == EOPNOTSUPP ? ERR_OK : ERR(IO);
    }
    struct ruleset attributes = {handled_files(version), 0};
    if (no_network && version >= ABI_NETWORK)
        attributes.network = NET_BIND_TCP | NET_CONNECT;
    /* older kernels take the shorter struct, or the longer one if the rest is zero */
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (ruleset < 0)
        return ERR(IO);
    struct err err = ERR_OK;
    for (size_t i = 0; i < count && err_is_ok(err); i++)
        err = add_place(ruleset, &places[i], attributes.files);
    if (err_is_ok(err) && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                           syscall(SYS_landlock_restrict_self, ruleset, 0) != 0))
        err = ERR(IO);
    close(ruleset);
    if (err_is_ok(err))
        *ret_applied = true;
    return err;
}
