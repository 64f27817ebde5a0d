#include "server/confine/filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#endif

#if defined(FILTER_ARCH)

enum { PROGRAM_MAX = 8 + FILTER_RULES_MAX * (3 + 3 * FILTER_CHECKS_MAX) };

struct program {
    struct sock_filter at[PROGRAM_MAX];
    unsigned short len;
    uint32_t otherwise; /* SECCOMP_RET_... */
};

static void add(struct program *p, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
    p->at[p->len++] = (struct sock_filter){code, if_true, if_false, k};
}

static void add_load(struct program *p, uint32_t offset)
{
    add(p, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void add_return(struct program *p, uint32_t what)
{
    add(p, BPF_RET | BPF_K, what, 0, 0);
}

/* The low half of an argument; both architectures are little-endian. */
static uint32_t argument_offset(unsigned argument)
{
    return (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (size_t)argument);
}

static void add_load_call(struct program *p)
{
    add_load(p, offsetof(struct seccomp_data, nr));
}

/* The accumulator holds the call's number before and after; a rule that fits ends the program. */
static void add_rule(struct program *p, const struct filter_rule *rule)
{
    unsigned length = 3 * rule->checks + 2;
    add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->call, 0,
        (uint8_t)(rule->checks == 0 ? 1 : length));
    for (unsigned i = 0; i < rule->checks; i++) {
        const struct filter_check *c = &rule->check[i];
        unsigned to_end = 3 * (rule->checks - i - 1) + 1;
        add_load(p, argument_offset(c->argument));
        add(p, BPF_ALU | BPF_AND | BPF_K, c->mask, 0, 0);
        add(p, BPF_JMP | BPF_JEQ | BPF_K, c->value, 0, (uint8_t)to_end);
    }
    add_return(p, SECCOMP_RET_ALLOW);
    if (rule->checks > 0)
        add_load_call(p);
}

static void add_rules(struct program *p, const struct filter_rule *rules, size_t count)
{
    add_load(p, offsetof(struct seccomp_data, arch));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0);
    add_return(p, SECCOMP_RET_KILL_PROCESS);
    add_load_call(p);
#if defined(__x86_64__)
    /* x32 calls say they are x86-64 and set bit 30 */
    add(p, BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1);
    add_return(p, SECCOMP_RET_KILL_PROCESS);
#endif
    for (size_t i = 0; i < count; i++)
        add_rule(p, &rules[i]);
    add_return(p, p->otherwise);
}

static uint32_t action_of(enum filter_otherwise otherwise)
{
    switch (otherwise) {
    case FILTER_EPERM:
        return SECCOMP_RET_ERRNO | 1;
    case FILTER_ENOSYS:
        return SECCOMP_RET_ERRNO | 38;
    default:
        return SECCOMP_RET_KILL_PROCESS;
    }
}

static bool table_fits(const struct filter_rule *rules, size_t count)
{
    if (count > FILTER_RULES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (rules[i].checks > FILTER_CHECKS_MAX)
            return false;
        for (unsigned k = 0; k < rules[i].checks; k++)
            if (rules[i].check[k].argument > 5)
                return false;
    }
    return true;
}

struct err filter_install(const struct filter_rule *rules, size_t count,
                          enum filter_otherwise otherwise)
{
    static _Thread_local struct program program; /* 25 KiB */
    if (!table_fits(rules, count))
        return ERR(ARGUMENT);
    program.len = 0;
    program.otherwise = action_of(otherwise);
    add_rules(&program, rules, count);
    const struct sock_fprog filter = {program.len, program.at};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return ERR(IO);
    /* above 0: a thread that could not be brought along */
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0
               ? ERR_OK
               : ERR(IO);
}

#else

struct err filter_install(const struct filter_rule *rules, size_t count,
                          enum filter_otherwise otherwise)
{
    (void)rules;
    (void)count;
    (void)otherwise;
    return ERR(IO);
}

#endif
