/* A group saved in pieces: what is handed out when, and what is refused when it comes back. */
#include "mls/member/group_save.h"
#include "support/test.h"
#include "world/world.h"

static struct world w;
static struct mls_received received;

static void save(struct world_client *c)
{
    while (!world_save(&w, c))
        ;
}

/* Saves and says how many bytes that took. */
static size_t cost(struct world_client *c)
{
    size_t before = c->store.written;
    save(c);
    return c->store.written - before;
}

static struct buf send_text(struct world_client *c)
{
    struct buf message = BUF_INIT;
    assert_ok(group_protect(c->group, &c->client, bytes_str("text"), bytes_of(NULL, 0), &message));
    return message;
}

static void read_text(struct world_client *c, const struct buf *message)
{
    assert_ok(group_process(c->group, &c->client, buf_view(message), &received));
    test_assert_bytes(received.application_data, bytes_str("text"));
    mls_received_clear(&received);
}

static void next_epoch(struct world_client *from)
{
    struct commit_output out;
    world_commit(&w, from, &(struct commit_options){0}, &out);
    commit_output_clear(&out);
}

/* One ratchet, and the nodes once a sender and epoch; nothing when nothing happened. */
static void messages_cost_little(void **state)
{
    (void)state;
    enum { RATCHETS = 75, NODES_MOST = 1 + 2 + 4 + 2 + 36 * 5 };
    world_init(&w, suite_find(1), 1, true);
    world_grow(&w, 20);
    struct world_client *a = &w.clients[3], *b = &w.clients[9];
    save(a);
    save(b);
    size_t states = b->store.states;
    assert_int_equal(cost(b), 0);
    for (int n = 0; n < 10; n++) {
        struct buf m = send_text(a);
        size_t most = RATCHETS + (n == 0 ? NODES_MOST : 0);
        assert_in_range(cost(a), 1, most);
        read_text(b, &m);
        assert_in_range(cost(b), 1, most);
        world_restore(&w, b); /* as it was loaded, it goes on */
        assert_int_equal(cost(b), 0);
        buf_clear(&m);
    }
    assert_int_equal(b->store.states, states);
    uint64_t changes = group_changes(b->group);
    next_epoch(a);
    assert_int_not_equal(group_changes(b->group), changes);
    assert_true(cost(b) > 1000);
    assert_int_equal(b->store.states, states + 1);
    world_clear(&w);
}

/* Keys of messages that came late and of epochs gone by live in their pieces. */
static void late_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        struct buf m[4];
        world_init(&w, &suite_table[i], i, true);
        world_grow(&w, 3);
        struct world_client *a = &w.clients[0], *b = &w.clients[1];
        save(b);
        for (int k = 0; k < 4; k++)
            m[k] = send_text(a);
        read_text(b, &m[2]);
        world_restore(&w, b);
        read_text(b, &m[0]);
        world_restore(&w, b);
        assert_err(group_process(b->group, &b->client, buf_view(&m[0]), &received),
                   MLS_GENERATION_USED);
        next_epoch(&w.clients[2]);
        world_restore(&w, b);
        read_text(b, &m[3]);
        world_restore(&w, b);
        assert_err(group_process(b->group, &b->client, buf_view(&m[3]), &received),
                   MLS_GENERATION_USED);
        next_epoch(&w.clients[2]);
        world_restore(&w, b);
        read_text(b, &m[1]);
        world_restore(&w, b);
        next_epoch(&w.clients[2]); /* two past epochs are kept */
        world_restore(&w, b);
        for (int k = 0; k < 4; k++)
            buf_clear(&m[k]);
        world_check(&w);
        world_clear(&w);
    }
}

/* Epochs that are forgotten leave the store, that of a removal included. */
static void old_epochs_go(void **state)
{
    (void)state;
    world_init(&w, suite_find(1), 2, true);
    world_grow(&w, 3);
    struct world_client *a = &w.clients[0], *b = &w.clients[1];
    for (int n = 0; n < 8; n++) {
        struct buf m = send_text(a);
        read_text(b, &m);
        save(b);
        next_epoch(n % 2 == 0 ? b : a);
        save(b);
        buf_clear(&m);
        uint64_t epoch = group_epoch(b->group);
        assert_true(b->store.count > 0);
        for (size_t i = 0; i < b->store.count; i++)
            assert_in_range(b->store.pieces[i].epoch, epoch - w.config.past_epochs, epoch);
    }
    struct buf message = BUF_INIT;
    struct bytes removal = world_remove(&w, group_own_leaf(b->group));
    struct commit_output out;
    assert_ok(group_commit(a->group, &a->client,
                           &(struct commit_options){.proposals = &removal, .proposal_count = 1},
                           &out));
    assert_ok(group_process(b->group, &b->client, buf_view(&out.commit), &received));
    assert_ok(group_merge(b->group, &received.staged));
    mls_received_clear(&received);
    uint64_t ended = group_epoch(b->group) - 1;
    world_restore(&w, b);
    assert_false(group_is_active(b->group));
    for (size_t i = 0; i < b->store.count; i++)
        assert_true(b->store.pieces[i].epoch < ended);
    commit_output_clear(&out);
    buf_clear(&message);
    world_clear(&w);
}

static void restored_each_time(struct world_client *c)
{
    size_t states = c->store.states;
    world_restore(&w, c);
    assert_int_equal(c->store.states, states + 1);
}

/* Each step that changes the state, one at a time: proposals, Updates, commits made and dropped. */
static void handshake_steps(void **state)
{
    (void)state;
    for (int framing = 0; framing < 2; framing++) {
        struct buf m = BUF_INIT;
        struct commit_output out;
        world_init(&w, suite_find(3), 5, framing);
        world_grow(&w, 4);
        struct world_client *a = &w.clients[0], *b = &w.clients[1];
        save(a);
        save(b);
        assert_ok(group_propose(a->group, &a->client, world_psk(&w, bytes_str("psk")),
                                bytes_of(NULL, 0), &m, NULL));
        world_deliver_proposal(&w, a, buf_view(&m));
        restored_each_time(a);
        restored_each_time(b);
        buf_clear(&m);
        assert_ok(
            group_propose_update(b->group, &b->client, NULL, NULL, bytes_of(NULL, 0), &m, NULL));
        world_deliver_proposal(&w, b, buf_view(&m));
        restored_each_time(a);
        restored_each_time(b);
        buf_clear(&m);
        assert_ok(group_commit(a->group, &a->client, &(struct commit_options){0}, &out));
        restored_each_time(a);
        assert_true(group_has_pending(a->group));
        group_drop_pending(a->group);
        restored_each_time(a);
        assert_false(group_has_pending(a->group));
        commit_output_clear(&out);
        assert_ok(group_commit(a->group, &a->client, &(struct commit_options){0}, &out));
        restored_each_time(a);
        world_deliver_commit(&w, a, buf_view(&out.commit));
        restored_each_time(a);
        restored_each_time(b);
        commit_output_clear(&out);
        world_check(&w);
        world_chat(&w, b);
        world_clear(&w);
    }
}

/* ---- what comes back */

static struct group_ratchet_piece pieces[64];
static size_t count;

static void take_pieces(const struct world_store *t)
{
    assert_in_range(t->count, 3, sizeof pieces / sizeof *pieces - 2);
    count = t->count;
    for (size_t i = 0; i < count; i++)
        pieces[i] = (struct group_ratchet_piece){t->pieces[i].epoch, t->pieces[i].place,
                                                 buf_view(&t->pieces[i].bytes)};
}

static struct err load(const struct world_client *c)
{
    struct mls_group *g = NULL;
    struct err err = group_load(&c->client, buf_view(&c->store.state), pieces, count, &g);
    group_free(g);
    return err;
}

static void insert(size_t at, struct group_ratchet_piece piece)
{
    memmove(pieces + at + 1, pieces + at, (count - at) * sizeof *pieces);
    pieces[at] = piece;
    count++;
}

static void wrong_pieces(void **state)
{
    (void)state;
    world_init(&w, suite_find(1), 6, true);
    world_grow(&w, 4);
    world_chat(&w, &w.clients[1]);
    next_epoch(&w.clients[0]);
    world_chat(&w, &w.clients[1]);
    world_chat(&w, &w.clients[2]);
    struct world_client *c = &w.clients[0];
    const struct world_store *t = &c->store;
    save(c);
    take_pieces(t);
    assert_ok(load(c));
    for (size_t i = 0; i < t->count; i++) {
        take_pieces(t); /* one is missing */
        memmove(pieces + i, pieces + i + 1, (--count - i) * sizeof *pieces);
        assert_err(load(c), MLS_GROUP_STATE);
        take_pieces(t); /* one is there twice */
        insert(i, pieces[i]);
        assert_err(load(c), MLS_GROUP_STATE);
        take_pieces(t); /* of another epoch */
        pieces[i].epoch += 100;
        assert_err(load(c), MLS_GROUP_STATE);
        take_pieces(t); /* of another leaf */
        pieces[i].place ^= 8;
        assert_err(load(c), MLS_GROUP_STATE);
        take_pieces(t); /* cut */
        pieces[i].bytes.len--;
        assert_err(load(c), MLS_GROUP_STATE);
        if (i > 0) {
            take_pieces(t); /* out of order */
            struct group_ratchet_piece first = pieces[i - 1];
            pieces[i - 1] = pieces[i];
            pieces[i] = first;
            assert_err(load(c), MLS_GROUP_STATE);
        }
    }
    take_pieces(t);
    insert(count, (struct group_ratchet_piece){group_epoch(c->group) + 1, GROUP_PLACE_TREE,
                                               pieces[count - 1].bytes});
    assert_err(load(c), MLS_GROUP_STATE);
    count = 0;
    assert_err(load(c), MLS_GROUP_STATE);
    world_clear(&w);
}

/* Bytes changed: an error or a group, never a crash. And one form is not taken for the other. */
static void damaged_pieces(void **state)
{
    (void)state;
    struct mls_group *g;
    struct buf whole = BUF_INIT;
    world_init(&w, suite_find(1), 7, true);
    world_grow(&w, 3);
    world_chat(&w, &w.clients[1]);
    next_epoch(&w.clients[1]);
    world_chat(&w, &w.clients[2]);
    struct world_client *c = &w.clients[0];
    save(c);
    take_pieces(&c->store);
    for (size_t i = 0; i < count; i++) {
        struct buf *b = &c->store.pieces[i].bytes;
        for (size_t at = 0; at < b->len; at++) {
            b->data[at] ^= (uint8_t)(1 << at % 8);
            (void)load(c).code;
            b->data[at] ^= (uint8_t)(1 << at % 8);
        }
    }
    struct buf *b = &c->store.state;
    for (size_t at = 0; at < b->len; at++) {
        b->data[at] ^= (uint8_t)(1 << at % 8);
        (void)load(c).code;
        b->data[at] ^= (uint8_t)(1 << at % 8);
    }
    assert_ok(load(c));
    assert_err(group_read(&c->client, buf_view(b), &g), MLS_GROUP_STATE);
    assert_ok(group_write(c->group, &whole));
    assert_err(group_load(&c->client, buf_view(&whole), pieces, count, &g), MLS_GROUP_STATE);
    buf_clear(&whole);
    world_clear(&w);
}

/* ---- KeyPackages */

static void bundles(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        struct key_package_bundle bundle, again;
        struct buf b = BUF_INIT;
        world_init(&w, &suite_table[i], 8, true);
        (void)world_key_package(&w, world_client_new(&w), &bundle);
        assert_ok(key_package_bundle_write(&b, &bundle));
        assert_ok(key_package_bundle_read(buf_view(&b), &again));
        test_assert_bytes(buf_view(&again.key_package), buf_view(&bundle.key_package));
        assert_true(secret_equal(&again.init_key, &bundle.init_key));
        assert_true(secret_equal(&again.leaf_key, &bundle.leaf_key));
        key_package_bundle_clear(&again);
        for (size_t len = 0; len < b.len; len++)
            assert_err(key_package_bundle_read(bytes_of(b.data, len), &again), MLS_GROUP_STATE);
        buf_append_byte(&b, 0);
        assert_err(key_package_bundle_read(buf_view(&b), &again), MLS_GROUP_STATE);
        b.len--;
        b.data[1] ^= 1;
        assert_err(key_package_bundle_read(buf_view(&b), &again), MLS_GROUP_STATE);
        key_package_bundle_clear(&bundle);
        buf_clear(&b);
        world_clear(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_cost_little),
        cmocka_unit_test(late_messages),
        cmocka_unit_test(old_epochs_go),
        cmocka_unit_test(handshake_steps),
        cmocka_unit_test(wrong_pieces),
        cmocka_unit_test(damaged_pieces),
        cmocka_unit_test(bundles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
