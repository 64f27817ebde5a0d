/* A client's database, as far as its group goes: pieces by name, transactions that may fail. */
#include "mls/member/group_save.h"
#include "support/test.h"
#include "world/world.h"

void world_store_clear(struct world_store *store)
{
    buf_clear(&store->state);
    for (size_t i = 0; i < store->count; i++)
        buf_clear(&store->pieces[i].bytes);
    free(store->pieces);
    *store = (struct world_store){0};
}

static void store_copy(const struct world_store *from, struct world_store *to)
{
    *to = *from;
    to->state = BUF_INIT;
    buf_append_bytes(&to->state, buf_view(&from->state));
    to->pieces = calloc(from->count + 1, sizeof *to->pieces);
    assert_non_null(to->pieces);
    for (size_t i = 0; i < from->count; i++) {
        to->pieces[i] = from->pieces[i];
        to->pieces[i].bytes = BUF_INIT;
        buf_append_bytes(&to->pieces[i].bytes, buf_view(&from->pieces[i].bytes));
    }
}

/* A transaction on a copy. */
struct saving {
    struct world_store store;
    uint64_t fail_at; /* UINT64_MAX: never */
    unsigned drops;
};

static struct err step(struct saving *s, size_t bytes)
{
    s->store.written += bytes;
    return s->fail_at-- == 0 ? ERR(IO) : ERR_OK;
}

static struct err put_state(void *self, struct bytes state)
{
    struct saving *s = self;
    buf_clear(&s->store.state);
    buf_append_bytes(&s->store.state, state);
    s->store.states++;
    return step(s, state.len);
}

static struct err put_ratchet(void *self, uint64_t epoch, uint32_t place, struct bytes ratchet)
{
    struct saving *s = self;
    struct world_store *t = &s->store;
    size_t at = 0;
    while (at < t->count && (t->pieces[at].epoch < epoch ||
                             (t->pieces[at].epoch == epoch && t->pieces[at].place < place)))
        at++;
    if (at == t->count || t->pieces[at].epoch != epoch || t->pieces[at].place != place) {
        t->pieces = realloc(t->pieces, (t->count + 1) * sizeof *t->pieces);
        assert_non_null(t->pieces);
        memmove(t->pieces + at + 1, t->pieces + at, (t->count - at) * sizeof *t->pieces);
        t->pieces[at] = (struct world_piece){epoch, place, BUF_INIT};
        t->count++;
    }
    buf_clear(&t->pieces[at].bytes);
    buf_append_bytes(&t->pieces[at].bytes, ratchet);
    return step(s, ratchet.len);
}

static struct err drop(void *self, uint64_t from, uint64_t to)
{
    struct saving *s = self;
    struct world_store *t = &s->store;
    size_t kept = 0;
    s->drops++;
    for (size_t i = 0; i < t->count; i++) {
        if (t->pieces[i].epoch < from || t->pieces[i].epoch > to)
            buf_clear(&t->pieces[i].bytes);
        else
            t->pieces[kept++] = t->pieces[i];
    }
    t->count = kept;
    return ERR_OK;
}

bool world_save(struct world *w, struct world_client *c)
{
    struct saving s = {.fail_at = world_random(w, 4) == 0 ? world_random(w, 3) : UINT64_MAX};
    const struct group_sink sink = {put_state, put_ratchet, drop, &s};
    store_copy(&c->store, &s.store);
    struct err err = group_save(c->group, GROUP_SAVE_CHANGED, &sink);
    if (!err_is_ok(err)) {
        assert_err(err, IO);
        world_store_clear(&s.store);
        return false;
    }
    group_saved(c->group);
    world_store_clear(&c->store);
    c->store = s.store;
    return true;
}

static void load(const struct world_client *c, struct mls_group **ret_group)
{
    const struct world_store *t = &c->store;
    struct group_ratchet_piece *pieces = calloc(t->count + 1, sizeof *pieces);
    assert_non_null(pieces);
    for (size_t i = 0; i < t->count; i++)
        pieces[i] = (struct group_ratchet_piece){t->pieces[i].epoch, t->pieces[i].place,
                                                 buf_view(&t->pieces[i].bytes)};
    assert_ok(group_load(&c->client, buf_view(&t->state), pieces, t->count, ret_group));
    free(pieces);
}

void world_restore(struct world *w, struct world_client *c)
{
    struct buf first = BUF_INIT, second = BUF_INIT;
    struct mls_group *again;
    while (!world_save(w, c))
        ;
    load(c, &again);
    assert_ok(group_write(c->group, &first));
    assert_ok(group_write(again, &second));
    test_assert_bytes(buf_view(&second), buf_view(&first));
    buf_clear(&first);
    buf_clear(&second);
    group_free(c->group);
    c->group = again;
}
