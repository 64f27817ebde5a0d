/* Every allocation of a small scenario failed once: the call says NO_MEMORY, the group is as it was
 * (judged by its stored form, one's own ratchet aside), and the same call then succeeds. */
#include "mls/member/group_save.h"
#include "support/failing.h"
#include "support/test.h"
#include "world/world.h"

static struct world w;
static struct key_package_bundle bundle;
static struct bytes kp;
static struct bytes add;
static struct commit_output out;
static struct buf message;
static struct buf info;
static struct mls_received received;
static struct mls_group *group;

/* The steps of the scenario, in order; each may be called again after it failed. */
static struct err make_package(void)
{
    struct world_client *c = &w.clients[2];
    return key_package_make(&c->client, w.suite, &c->profile, 1000, NULL, &bundle);
}

static struct err propose(void)
{
    struct world_client *c = &w.clients[1];
    return group_propose(c->group, &c->client, add, bytes_of(NULL, 0), &message, NULL);
}

static struct err take_proposal(void)
{
    struct world_client *c = &w.clients[0];
    return group_process(c->group, &c->client, buf_view(&message), &received);
}

static struct err propose_update(void)
{
    struct world_client *c = &w.clients[1];
    return group_propose_update(c->group, &c->client, NULL, NULL, bytes_of(NULL, 0), &message,
                                NULL);
}

static struct err commit(void)
{
    struct world_client *c = &w.clients[0];
    return group_commit(c->group, &c->client, &(struct commit_options){.external_pub = true}, &out);
}

static struct err take_commit(void)
{
    struct world_client *c = &w.clients[1];
    return group_process(c->group, &c->client, buf_view(&out.commit), &received);
}

static struct err join(void)
{
    struct world_client *c = &w.clients[2];
    return group_join(&c->client, &w.config, &bundle, buf_view(&out.welcome), bytes_of(NULL, 0),
                      NULL, &group);
}

static struct err protect(void)
{
    struct world_client *c = &w.clients[0];
    return group_protect(c->group, &c->client, bytes_str("x"), bytes_of(NULL, 0), &message);
}

static struct err unprotect(void)
{
    struct world_client *c = &w.clients[1];
    return group_process(c->group, &c->client, buf_view(&message), &received);
}

static struct err make_info(void)
{
    struct world_client *c = &w.clients[0];
    return group_make_info(c->group, &c->client, (struct group_info_options){true, true}, &info);
}

static struct err join_external(void)
{
    struct world_client *c = &w.clients[3];
    struct external_join options = {.group_info = buf_view(&info)};
    return group_join_external(&c->client, &w.config, &options, &c->profile, &message, &group);
}

static struct err found(void)
{
    struct world_client *c = &w.clients[3];
    return group_create(&c->client, w.suite, &w.config, bytes_str("id"), NULL, &c->profile, &group);
}

static struct buf stored;

static struct err store(void)
{
    struct err err = group_write(w.clients[0].group, &stored);
    if (!err_is_ok(err))
        buf_clear(&stored);
    return err;
}

static struct err restore(void)
{
    return group_read(&w.clients[0].client, buf_view(&stored), &group);
}

/* Pieces that go nowhere: what is handed out is looked at elsewhere. */
static struct err take_state(void *self, struct bytes state)
{
    (void)self;
    (void)state;
    return ERR_OK;
}

static struct err take_ratchet(void *self, uint64_t epoch, uint32_t place, struct bytes ratchet)
{
    (void)self;
    (void)epoch;
    (void)place;
    (void)ratchet;
    return ERR_OK;
}

static struct err take_drop(void *self, uint64_t from, uint64_t to)
{
    (void)self;
    (void)from;
    (void)to;
    return ERR_OK;
}

static struct err save(void)
{
    const struct group_sink sink = {take_state, take_ratchet, take_drop, NULL};
    return group_save(w.clients[0].group, GROUP_SAVE_ALL, &sink);
}

static struct err load(void)
{
    const struct world_store *t = &w.clients[0].store;
    struct group_ratchet_piece pieces[16];
    for (size_t i = 0; i < t->count; i++)
        pieces[i] = (struct group_ratchet_piece){t->pieces[i].epoch, t->pieces[i].place,
                                                 buf_view(&t->pieces[i].bytes)};
    return group_load(&w.clients[0].client, buf_view(&t->state), pieces, t->count, &group);
}

static struct err make_pending_info(void)
{
    struct world_client *c = &w.clients[0];
    return group_make_pending_info(c->group, &c->client, (struct group_info_options){true, true},
                                   &info);
}

static struct key_package_bundle copy;

static struct err store_package(void)
{
    struct err err = key_package_bundle_write(&stored, &bundle);
    if (!err_is_ok(err))
        buf_clear(&stored);
    return err;
}

static struct err restore_package(void)
{
    return key_package_bundle_read(buf_view(&stored), &copy);
}

/* frozen: whose stored form must not change by a failure; NULL when the step is allowed to (it
 * sends, or has nobody). */
static void fail_each(struct err (*step)(void), const struct world_client *frozen)
{
    for (long n = 0;; n++) {
        struct buf before = BUF_INIT;
        struct buf after = BUF_INIT;
        if (frozen != NULL)
            assert_ok(group_write(frozen->group, &before));
        test_fail_allocation(n);
        struct err err = step();
        bool failed = test_allocation_failed();
        test_fail_allocation(-1);
        if (!failed) {
            assert_ok(err);
            buf_clear(&before);
            return;
        }
        assert_err(err, NO_MEMORY);
        if (frozen != NULL)
            assert_ok(group_write(frozen->group, &after));
        test_assert_bytes(buf_view(&after), buf_view(&before));
        buf_clear(&before);
        buf_clear(&after);
    }
}

static void scenario(bool public_handshake)
{
    /* Ed25519: libsodium allocates nothing, so that every failure is ours */
    world_init(&w, &suite_table[2], 3, public_handshake);
    world_grow(&w, 2);
    struct world_client *c = w.clients;
    (void)world_client_new(&w);
    (void)world_client_new(&w);
    fail_each(make_package, NULL);
    kp = buf_view(&bundle.key_package);
    add = world_add(&w, kp);
    /* with public framing one's own ratchet is not touched either */
    fail_each(propose, public_handshake ? &c[1] : NULL);
    fail_each(take_proposal, &c[0]);
    mls_received_clear(&received);
    buf_clear(&message);
    fail_each(propose_update, public_handshake ? &c[1] : NULL);
    fail_each(take_proposal, &c[0]);
    mls_received_clear(&received);
    buf_clear(&message);
    fail_each(commit, public_handshake ? &c[0] : NULL);
    fail_each(store, &c[0]);
    fail_each(restore, &c[0]);
    group_free(group);
    buf_clear(&stored);
    fail_each(save, &c[0]);
    while (!world_save(&w, &c[0]))
        ;
    assert_in_range(c[0].store.count, 1, 16);
    fail_each(load, &c[0]);
    group_free(group);
    fail_each(make_pending_info, &c[0]);
    buf_clear(&info);
    fail_each(store_package, NULL);
    fail_each(restore_package, NULL);
    key_package_bundle_clear(&copy);
    buf_clear(&stored);
    fail_each(take_commit, &c[1]);
    assert_ok(group_merge(c[1].group, &received.staged));
    mls_received_clear(&received);
    assert_ok(group_merge_pending(c[0].group));
    fail_each(join, NULL);
    c[2].group = group;
    w.has_server = false; /* it saw nothing of this */
    world_check(&w);
    fail_each(protect, NULL);
    fail_each(unprotect, &c[1]);
    mls_received_clear(&received);
    buf_clear(&message);
    fail_each(make_info, &c[0]);
    fail_each(join_external, NULL);
    buf_clear(&message);
    buf_clear(&info);
    group_free(group);
    fail_each(found, NULL);
    group_free(group);
    commit_output_clear(&out);
    key_package_bundle_clear(&bundle);
    world_clear(&w);
}

static void failed_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    scenario(true);
    scenario(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(failed_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
