/* What a member's group takes to store: the state, a message, and the time of both. The group is
 * one in which all have committed. */
#include "bench/bench.h"
#include "bench/mls_bench_member.h"
#include "mls/member/group_save.h"

struct tally {
    size_t state, ratchets, rows;
};

static struct err add_state(void *self, struct bytes state)
{
    ((struct tally *)self)->state += state.len;
    return ERR_OK;
}

static struct err add_ratchet(void *self, uint64_t epoch, uint32_t place, struct bytes ratchet)
{
    struct tally *t = self;
    (void)epoch;
    (void)place;
    t->ratchets += ratchet.len;
    t->rows++;
    return ERR_OK;
}

static struct err drop(void *self, uint64_t from, uint64_t to)
{
    (void)self;
    (void)from;
    (void)to;
    return ERR_OK;
}

static struct tally save(struct mls_group *g, enum group_save_what what)
{
    struct tally t = {0};
    bench_must(group_save(g, what, &(struct group_sink){add_state, add_ratchet, drop, &t}), "save");
    group_saved(g);
    return t;
}

struct saving {
    struct mls_group *group;
    struct mls_client client;
};

static struct err save_all(void *self)
{
    (void)save(((struct saving *)self)->group, GROUP_SAVE_ALL);
    return ERR_OK;
}

static struct err send_and_save(void *self)
{
    struct saving *s = self;
    struct buf message = BUF_INIT;
    TRY(group_protect(s->group, &s->client, bytes_str("text"), bytes_of(NULL, 0), &message));
    buf_clear(&message);
    (void)save(s->group, GROUP_SAVE_CHANGED);
    return ERR_OK;
}

void bench_store(struct mls_group *g, const struct mls_client *client, uint32_t members)
{
    char name[64];
    struct saving s = {g, *client};
    struct tally all = save(g, GROUP_SAVE_ALL);
    bench_must(send_and_save(&s), "send");
    bench_must(send_and_save(&s), "send");
    struct buf message = BUF_INIT;
    bench_must(group_protect(g, client, bytes_str("text"), bytes_of(NULL, 0), &message), "protect");
    buf_clear(&message);
    struct tally one = save(g, GROUP_SAVE_CHANGED);
    printf("stored, N = %u: state %zu bytes, of each message %zu bytes in %zu row\n", members,
           all.state, one.ratchets + one.state, one.rows);
    (void)snprintf(name, sizeof name, "save the whole state, N = %u", members);
    (void)bench_run(name, save_all, &s);
    (void)snprintf(name, sizeof name, "protect and save, N = %u", members);
    (void)bench_run(name, send_and_save, &s);
}
