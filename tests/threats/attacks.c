/* What attackers do. Each act is one try of what the threat is about; gain() counts those that the
 * server did for them. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "threats/threats.h"

enum { SOCKETS = 200, HELD_US = 1000000, LARGE_CALLS = 30, LARGE_BYTES = 1 << 20 };

static void gain_most(struct attacker *a, unsigned at_once)
{
    if (at_once > atomic_load(&a->board->gains[a->number]))
        atomic_store(&a->board->gains[a->number], at_once);
}

static void *room(struct attacker *a, size_t bytes)
{
    a->self = calloc(1, bytes);
    assert_non_null(a->self);
    return a->self;
}

/* ---- DoS1: connections that are opened and never used */

struct sockets {
    int fd[SOCKETS];
    uint64_t since_us[SOCKETS];
    size_t count;
};

static void dos1_prepare(struct attacker *a)
{
    (void)room(a, sizeof(struct sockets));
}

static bool is_open(int fd)
{
    uint8_t byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 || (n < 0 && errno == EAGAIN);
}

/* Keeps so many open as it can; what is counted is the most that were open at once, and for a
 * second: younger ones may be waiting in the kernel for the server to turn them away. */
static void dos1_act(struct attacker *a)
{
    struct sockets *s = a->self;
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    uint64_t now_us = clock_monotonic_us(&clock_system);
    size_t kept = 0;
    unsigned held = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!is_open(s->fd[i])) {
            (void)close(s->fd[i]);
            continue;
        }
        held += now_us - s->since_us[i] >= HELD_US;
        s->since_us[kept] = s->since_us[i];
        s->fd[kept++] = s->fd[i];
    }
    s->count = kept;
    gain_most(a, held);
    (void)inet_pton(AF_INET, a->source, &from.sin_addr);
    (void)inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    to.sin_port = htons((uint16_t)strtoul(strchr(a->server->address, ':') + 1, NULL, 10));
    for (int i = 0; i < 8 && s->count < SOCKETS; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
            connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
            (void)close(fd);
            break;
        }
        s->since_us[s->count] = now_us;
        s->fd[s->count++] = fd;
    }
    const struct timespec pause = {0, 20 * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* ---- DoS2: accounts by the dozen, with the program that everybody has */

struct accounts {
    char folder[96];
    unsigned count;
};

static void dos2_prepare(struct attacker *a)
{
    struct accounts *s = room(a, sizeof *s);
    (void)snprintf(s->folder, sizeof s->folder, "%s/accounts", a->server->root);
    assert_int_equal(mkdir(s->folder, 0700), 0); /* goes with the server's */
}

static void dos2_act(struct attacker *a)
{
    struct accounts *s = a->self;
    char home[128], where[64];
    int status = 0;
    (void)snprintf(home, sizeof home, "%s/%u", s->folder, s->count++);
    (void)snprintf(where, sizeof where, "a.test=%s", a->address);
    pid_t pid = fork();
    if (pid == 0) {
        int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(out, 1);
        (void)dup2(out, 2);
        (void)execl(a->hearth, "hearth", "--home", home, "--no-input", "--homeserver", where,
                    "--ca", a->server->ca_file, "--timeout", "2", "account", "create", "--domain",
                    "a.test", (char *)NULL);
        _exit(127);
    }
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        gain(a);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        attacker_fail(a, "hearth", "can't be run");
}

/* ---- groups and people of the attacker's own */

struct own_group {
    struct resident people[4];
    struct membership *m, *of[4];
};

static void join_all(struct attacker *a, struct own_group *g, size_t count)
{
    struct resident *list[4];
    for (size_t i = 0; i < count; i++) {
        resident_init(&g->people[i], &a->house, 900 + a->number * 10 + (uint32_t)i);
        if (resident_publish(&g->people[i], 2) != HEARTH_OK)
            attacker_fail(a, "publish", g->people[i].last.message);
        list[i] = &g->people[i];
    }
    g->m = g->of[0] = resident_found(&g->people[0]);
    if (g->m == NULL) {
        attacker_fail(a, "found", g->people[0].last.message);
        return;
    }
    const struct commit_wish wish = {.add = list + 1, .add_count = count - 1};
    if (count > 1 && membership_commit(g->m, &wish) != HEARTH_OK)
        attacker_fail(a, "add", g->people[0].last.message);
    house_run_ms(&a->house, 100);
    for (size_t i = 1; i < count; i++) {
        resident_sync(&g->people[i], 0);
        g->of[i] = resident_in(&g->people[i], g->m);
        if (g->of[i] == NULL)
            attacker_fail(a, "join", "no Welcome came");
    }
}

static void two_prepare(struct attacker *a)
{
    join_all(a, room(a, sizeof(struct own_group)), 2);
}

static void three_prepare(struct attacker *a)
{
    join_all(a, room(a, sizeof(struct own_group)), 4);
}

static void one_prepare(struct attacker *a)
{
    struct own_group *g = room(a, sizeof *g);
    resident_init(&g->people[0], &a->house, 900 + a->number * 10);
    if (resident_publish(&g->people[0], RESIDENT_PACKAGES - 1) != HEARTH_OK)
        attacker_fail(a, "publish", g->people[0].last.message);
}

/* DoS3: groups, as many as go. */
static void dos3_act(struct attacker *a)
{
    struct own_group *g = a->self;
    struct membership *m = resident_found(&g->people[0]);
    if (m == NULL)
        return;
    membership_clear(m);
    gain(a);
}

/* DoS4: messages to one's own group, as fast as the answers come. */
static void dos4_act(struct attacker *a)
{
    struct own_group *g = a->self;
    if (membership_send(g->m, 1) == HEARTH_OK)
        gain(a);
}

/* DoS5: all KeyPackages anew. */
static void dos5_act(struct attacker *a)
{
    struct own_group *g = a->self;
    if (resident_publish(&g->people[0], 4) == HEARTH_OK)
        gain(a);
}

/* DoS6: calls of a mebibyte, all at once; what is counted is how many of one volley the server took
 * in. All of it is a commit that is none. */
struct volley {
    unsigned answered, taken;
};

static void on_large(const struct hearth_status *status, const Hearth__V1__CommitResponse *out,
                     void *arg)
{
    struct volley *v = arg;
    (void)out;
    v->answered++;
    v->taken += status->code == HEARTH_INVALID_ARGUMENT;
}

static void dos6_act(struct attacker *a)
{
    struct own_group *g = a->self;
    static uint8_t nonsense[LARGE_BYTES];
    struct volley v = {0};
    struct resident_id id;
    struct access access;
    Hearth__V1__CommitRequest in = HEARTH__V1__COMMIT_REQUEST__INIT;
    Hearth__V1__GroupInfoParts parts = HEARTH__V1__GROUP_INFO_PARTS__INIT;
    const struct hearth_call_options options = {
        .signer = caller_signer(&g->m->caller), .deadline_ms = 20000, .no_retry = true};
    access_of(g->m, &access);
    parts.extensions = resident_data(bytes_of(nonsense, 4));
    parts.confirmation_tag = parts.signature = resident_data(bytes_of(nonsense, 32));
    in.group = &access.message;
    in.commit = resident_data(bytes_of(nonsense, sizeof nonsense));
    in.group_info = &parts;
    for (int i = 0; i < LARGE_CALLS; i++) {
        resident_id(&g->people[0], &id);
        in.idempotency = &id.message;
        if (hearth_delivery_commit_start(g->people[0].channel, &options, &in, on_large, &v) == NULL)
            attacker_fail(a, "a large call", "can't begin");
    }
    while (v.answered < LARGE_CALLS)
        house_run_ms(&a->house, 1);
    gain_most(a, v.taken);
}

/* DoS7: a contact takes the owner's KeyPackages one after the other. */
static void dos7_act(struct attacker *a)
{
    struct own_group *g = a->self;
    struct resident *owner = &g->people[0];
    struct resident_id id;
    uint8_t token[48];
    Hearth__V1__GetKeyPackagesRequest in = HEARTH__V1__GET_KEY_PACKAGES_REQUEST__INIT;
    resident_id(owner, &id);
    resident_token(owner, 7, token);
    in.idempotency = &id.message;
    in.queue_user_id = resident_data(bytes_of(owner->user_id, 16));
    in.contact_token = resident_data(bytes_of(token, sizeof token));
    if (resident_call(owner, NULL, &hearth_queue_descriptor, "GetKeyPackages", &in.base, NULL) ==
        HEARTH_OK)
        gain(a);
}

/* DoS8: commits that are none. The server has opened the state and verified the caller before it
 * sees that: each that it looks at is work. */
static void dos8_act(struct attacker *a)
{
    struct own_group *g = a->self;
    static const uint8_t nonsense[400] = {0, 1, 0, 1};
    struct resident_id id;
    struct access access;
    Hearth__V1__CommitRequest in = HEARTH__V1__COMMIT_REQUEST__INIT;
    Hearth__V1__GroupInfoParts parts = HEARTH__V1__GROUP_INFO_PARTS__INIT;
    resident_id(&g->people[0], &id);
    access_of(g->m, &access);
    parts.extensions = resident_data(bytes_of(nonsense, 4));
    parts.confirmation_tag = parts.signature = resident_data(bytes_of(nonsense, 32));
    in.idempotency = &id.message;
    in.group = &access.message;
    in.commit = resident_data(bytes_of(nonsense, sizeof nonsense));
    in.group_info = &parts;
    enum hearth_code code = resident_call(&g->people[0], &g->m->caller, &hearth_delivery_descriptor,
                                          "Commit", &in.base, NULL);
    if (code == HEARTH_INVALID_ARGUMENT)
        gain(a);
    else if (code != HEARTH_RESOURCE_EXHAUSTED)
        attacker_fail(a, "an invalid commit", g->people[0].last.message);
}

/* DoS9: a commit that the server finds good and a member reports; then one commit after the other
 * by the one who was reported. */
static void dos9_prepare(struct attacker *a)
{
    struct own_group *g = room(a, sizeof *g);
    join_all(a, g, 2);
    struct membership *victim = g->of[1];
    struct resident_id id;
    struct access access;
    Hearth__V1__ReportFaultRequest in = HEARTH__V1__REPORT_FAULT_REQUEST__INIT;
    if (victim == NULL || membership_commit(g->m, &(struct commit_wish){0}) != HEARTH_OK) {
        attacker_fail(a, "commit", g->people[0].last.message);
        return;
    }
    house_run_ms(&a->house, 100);
    resident_sync(&g->people[1], 0);
    resident_id(&g->people[1], &id);
    access_of(victim, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.epoch = group_epoch(victim->group);
    in.commit_hash = resident_data(bytes_of(victim->commit_hash, sizeof victim->commit_hash));
    if (resident_call(&g->people[1], &victim->caller, &hearth_delivery_descriptor, "ReportFault",
                      &in.base, NULL) != HEARTH_OK)
        attacker_fail(a, "report", g->people[1].last.message);
}

static void dos9_act(struct attacker *a)
{
    struct own_group *g = a->self;
    if (membership_commit(g->m, &(struct commit_wish){0}) == HEARTH_OK)
        gain(a);
}

/* DoS10: one member joins again and again; the others, who lost step, want to once. */
static void dos10_act(struct attacker *a)
{
    struct own_group *g = a->self;
    if (g->of[1] != NULL && membership_resync(g->of[1]) == HEARTH_OK)
        gain(a);
    for (size_t i = 2; i < 4; i++) {
        struct membership *victim = g->of[i];
        if (victim == NULL || victim->deaf) /* has been in again */
            continue;
        enum hearth_code code = membership_resync(victim);
        victim->deaf = code == HEARTH_OK;
        if (code != HEARTH_OK && code != HEARTH_FAILED_PRECONDITION)
            attacker_fail(a, "a victim's resync", g->people[i].last.message);
    }
}

/* The puzzle has tests of its own (open_test.c); here it would be the attacker that waits. */
#define OPEN_MODE                                             \
    "[limits]\nPUZZLE_BITS_LEAST = 4\nPUZZLE_BITS_MOST = 8\n" \
    "[registration]\nmode = open\n"
#define MANY_LARGE "[limits]\nLARGE_CALLS_PREFIX = 4096\n"
const struct threat threats[] = {
    {"DoS1", "200 idle connections of one source", "connections", NULL, 1, 64, 0, 0, dos1_prepare,
     dos1_act, OTHER_NONE, 0},
    {"DoS2", "accounts one after the other from one source", "REGISTER_PREFIX", OPEN_MODE, 1, 6, 0,
     5, dos2_prepare, dos2_act, OTHER_NONE, 0},
    {"DoS3", "groups from one source", "RESERVE_PREFIX CREATE_GROUP_PREFIX", NULL, 1, 31, 0, 0,
     one_prepare, dos3_act, OTHER_NONE, 0},
    {"DoS4", "messages of four flooding members", "SEND_LEAF", NULL, 4, 4 * 63, 4, 0, two_prepare,
     dos4_act, OTHER_NONE, 0},
    {"DoS5", "uploads of KeyPackages", "KEY_PACKAGE_UPLOADS", NULL, 1, 6, 0, 0, one_prepare,
     dos5_act, OTHER_NONE, 0},
    {"DoS6", "large calls, 30 at once", "LARGE_CALLS_PREFIX", MANY_LARGE, 1, 16, 0, 0, two_prepare,
     dos6_act, OTHER_NONE, 0},
    {"DoS7", "a contact draining KeyPackages", "KEY_PACKAGES_CONTACT", NULL, 1, 11, 0, 0,
     one_prepare, dos7_act, OTHER_NONE, 0},
    {"DoS8", "commits that don't hold", "INVALID_COMMITS", NULL, 1, 21, 0, 0, two_prepare, dos8_act,
     OTHER_NONE, 0},
    {"DoS9", "commits of a member who was reported", "COMMITS_REPORTED", NULL, 1, 1, 0, 0,
     dos9_prepare, dos9_act, OTHER_NONE, 0},
    {"DoS10", "a member resyncing without end beside two who must", "RESYNC_LEAF", NULL, 1, 4, 0, 0,
     three_prepare, dos10_act, OTHER_NONE, 0},
    {"DoS16", "batches of another homeserver for one queue",
     "PEER_CALLS PEER_KIB PEER_ROWS PEER_QUEUE", NULL, 1, 1200 + 300, 10, 0, dos16_prepare,
     dos16_act, OTHER_THERE, 0},
    {"DoS17", "messages of four people of another homeserver", "SEND_ORIGIN", NULL,
     4, 100 + 50, 2, 0, dos17_prepare, dos17_act, OTHER_AWAY, 60},
};
const size_t threat_count = sizeof threats / sizeof threats[0];
