/* Which system calls a process may still make: seccomp's filters (seccomp(2)) from a table of
 * rules. Written by hand because the tables are short; libseccomp would be one more dependency.
 */
#ifndef SERVER_FILTER_H
#define SERVER_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* (argument & mask) == value, in the low 32 bits: descriptors, flags and protections are ints to
 * the kernel. Pointers can't be looked behind. */
struct filter_check {
    unsigned argument; /* 0 to 5 */
    uint32_t mask, value;
};

enum { FILTER_CHECKS_MAX = 3, FILTER_RULES_MAX = 256 };

/* A call that may be made, if all its checks hold. A call may have several rules: one of them is
 * enough. */
struct filter_rule {
    int call; /* SYS_... */
    unsigned checks;
    struct filter_check check[FILTER_CHECKS_MAX];
};

enum filter_otherwise {
    FILTER_KILLS = 1,  /* SIGSYS ends the process, without a core */
    FILTER_EPERM = 2,  /* the call fails */
    FILTER_ENOSYS = 3, /* the call fails as if the kernel did not have it; glibc then falls back */
};

/* For all threads of the process and all its children to come, for ever; no_new_privs is set.
 * Calls of other architectures (x86: 32 bit, x32) always kill. ERR_IO when the kernel refuses,
 * ERR_ARGUMENT for a table that is too long. x86-64 and arm64; elsewhere ERR_IO. */
CHECKED struct err filter_install(const struct filter_rule *rules, size_t count,
                                  enum filter_otherwise otherwise);

#endif
