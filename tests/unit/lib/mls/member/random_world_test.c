/* A random history of our own members: after every epoch all of them and the server that follows by
 * public data agree, groups are stored and read at random points, whole and in pieces, through
 * transactions that fail, and damaged commits are refused by members without a trace. Arguments:
 * seed, steps. */
#include <stdio.h>

#include "support/test.h"
#include "world/world.h"

static struct world w;
static uint64_t seed = 1;
static unsigned steps; /* 0: few, and fewer where keys are slow */

static struct world_client *any_member(void)
{
    struct world_client *members[WORLD_MEMBERS_MAX];
    uint32_t count = world_members(&w, members);
    return members[world_random(&w, count)];
}

static uint32_t member_count(void)
{
    struct world_client *members[WORLD_MEMBERS_MAX];
    return world_members(&w, members);
}

/* Clients come back after they left: the table has room for few. */
static struct world_client *outsider(void)
{
    for (uint32_t i = 0; i < w.count; i++) {
        if (w.clients[i].group == NULL)
            return &w.clients[i];
    }
    return w.count < WORLD_MEMBERS_MAX ? world_client_new(&w) : NULL;
}

struct joiners {
    struct world_client *clients[4];
    struct key_package_bundle bundles[4];
    uint32_t count;
};

static struct bytes add_someone(struct joiners *j)
{
    struct world_client *c = NULL;
    for (uint32_t i = 0; i < w.count && c == NULL; i++) {
        bool taken = w.clients[i].group != NULL;
        for (uint32_t k = 0; k < j->count; k++)
            taken = taken || j->clients[k] == &w.clients[i];
        if (!taken)
            c = &w.clients[i];
    }
    if (c == NULL && w.count < WORLD_MEMBERS_MAX)
        c = world_client_new(&w);
    if (c == NULL || j->count == 4)
        return bytes_of(NULL, 0);
    j->clients[j->count] = c;
    return world_add(&w, world_key_package(&w, c, &j->bundles[j->count++]));
}

static struct bytes some_extensions(void)
{
    struct buf b = BUF_INIT;
    struct buf required = BUF_INIT;
    static const uint8_t basic[] = {0, CREDENTIAL_BASIC};
    required_capabilities_write(
        &required,
        &(struct required_capabilities){.credential_types = {bytes_of(basic, sizeof basic)}});
    if (world_random(&w, 2) == 0)
        extension_write(&b, EXTENSION_REQUIRED_CAPABILITIES, buf_view(&required));
    buf_clear(&required);
    struct extensions list = {world_take(&w, &b)};
    return world_extensions(&w, &list);
}

/* An encoded proposal of some kind that `from` may make; empty when it can't. */
static struct bytes some_proposal(struct world_client *from, struct joiners *j)
{
    uint64_t epoch = group_epoch(from->group);
    struct world_client *victim = any_member();
    char name[] = "psk 0";
    switch (world_random(&w, 6)) {
    case 0:
    case 1:
        return member_count() < 20 ? add_someone(j) : bytes_of(NULL, 0);
    case 2:
        if (victim == from || member_count() <= 2)
            return bytes_of(NULL, 0);
        return world_remove(&w, group_own_leaf(victim->group));
    case 3:
        name[4] = (char)('0' + world_random(&w, 10));
        return world_psk(&w, bytes_str(name));
    case 4:
        /* of an epoch that a joiner could not know */
        return j->count > 0 ? bytes_of(NULL, 0) : world_resumption(&w, from->group, epoch);
    default:
        return some_extensions();
    }
}

static void update(struct world_client *from)
{
    struct buf message = BUF_INIT;
    bool new_key = from->next_key.alg == NULL && world_random(&w, 2) == 0;
    if (new_key)
        assert_ok(sig_key_generate(w.suite->sig, &w.rng, &from->next_key));
    struct err err =
        group_propose_update(from->group, &from->client, new_key ? &from->next_key : NULL, NULL,
                             bytes_of(NULL, 0), &message, NULL);
    assert_ok(err);
    world_deliver_proposal(&w, from, buf_view(&message));
    buf_clear(&message);
}

static bool stored_has(uint16_t type)
{
    const struct proposal_store *store = &group_public(any_member()->group)->proposals;
    for (uint32_t i = 0; i < store->count; i++) {
        if (store->entries[i]->proposal.type == type)
            return true;
    }
    return false;
}

/* A few proposals by reference, a few by value, one commit. */
static void commit(void)
{
    struct joiners j = {.count = 0};
    struct bytes values[4];
    size_t value_count = 0;
    for (uint64_t n = world_random(&w, 4); n > 0; n--) {
        struct world_client *from = any_member();
        if (world_random(&w, 3) == 0) {
            update(from);
            continue;
        }
        struct buf message = BUF_INIT;
        struct bytes p = some_proposal(from, &j);
        if (p.len == 0)
            continue;
        assert_ok(group_propose(from->group, &from->client, p, bytes_of(NULL, 0), &message, NULL));
        world_deliver_proposal(&w, from, buf_view(&message));
        buf_clear(&message);
    }
    if (world_random(&w, 4) == 0)
        world_restore(&w, any_member());
    struct world_client *from = any_member();
    for (uint64_t n = world_random(&w, 3); n > 0; n--) {
        struct bytes p = some_proposal(from, &j);
        struct wire_reader r = wire_reader_of(p);
        /* two of a kind would not stand in one list */
        if (p.len > 0 && wire_read_u16(&r) != PROPOSAL_GROUP_CONTEXT_EXTENSIONS && value_count == 0)
            values[value_count++] = p;
    }
    if (j.count > 0 && stored_has(PROPOSAL_PSK))
        value_count = 0;
    struct commit_options options = {.proposals = values,
                                     .proposal_count = value_count,
                                     .force_path = world_random(&w, 2) == 0,
                                     .tree_beside = world_random(&w, 2) == 0};
    struct commit_output out;
    struct err err = group_commit(from->group, &from->client, &options, &out);
    assert_ok(err);
    const struct staged_commit *s = group_pending(from->group);
    uint32_t added = s->added.count;
    bool resumption = false;
    for (size_t i = 0; i < s->list_count; i++)
        resumption = resumption || (s->list[i].proposal->type == PROPOSAL_PSK &&
                                    s->list[i].proposal->psk.type == PSK_RESUMPTION);
    if (added > 0 && resumption) {
        /* joiners would not know the key: such a commit is not sent */
        options = (struct commit_options){.some_references = true};
        commit_output_clear(&out);
        assert_ok(group_commit(from->group, &from->client, &options, &out));
        added = 0;
    }
    world_deliver_commit(&w, from, buf_view(&out.commit));
    struct buf tree = BUF_INIT;
    assert_ok(group_ratchet_tree(from->group, &tree));
    for (uint32_t i = 0; i < j.count; i++) {
        struct digest ref;
        assert_ok(key_package_ref(buf_view(&j.bundles[i].key_package), &ref));
        if (added > 0 && welcome_has(buf_view(&out.welcome), digest_view(&ref)))
            world_join(&w, j.clients[i], &j.bundles[i], buf_view(&out.welcome),
                       options.tree_beside ? buf_view(&tree) : bytes_of(NULL, 0));
        key_package_bundle_clear(&j.bundles[i]);
    }
    buf_clear(&tree);
    commit_output_clear(&out);
}

/* A stranger, or a member who starts afresh. */
static void join_from_outside(void)
{
    struct world_client *helper = any_member();
    struct world_client *c = world_random(&w, 2) == 0 ? any_member() : outsider();
    if (c == helper || c == NULL || (c->group == NULL && member_count() >= 20))
        return;
    struct buf info = BUF_INIT;
    struct buf message = BUF_INIT;
    assert_ok(group_make_info(helper->group, &helper->client,
                              (struct group_info_options){true, true}, &info));
    struct psk_id psk = {.type = PSK_EXTERNAL, .id = bytes_str("psk")};
    struct external_join join = {
        .group_info = buf_view(&info), .psks = &psk, .psk_count = (size_t)world_random(&w, 2)};
    if (c->group != NULL) {
        join.resync = true;
        join.former_leaf = group_own_leaf(c->group);
        group_free(c->group);
        c->group = NULL;
        sig_key_clear(&c->next_key);
    }
    assert_ok(group_join_external(&c->client, &w.config, &join, &c->profile, &message, &c->group));
    world_deliver_commit(&w, c, buf_view(&message));
    buf_clear(&info);
    buf_clear(&message);
}

/* All move to a new group, perhaps of another suite with another kind of key. */
static void reinit(void)
{
    struct world_client *members[WORLD_MEMBERS_MAX];
    uint32_t count = world_members(&w, members);
    struct world_client *from = any_member();
    struct bytes proposal = world_reinit(&w, w.suite);
    struct commit_options options = {
        .proposals = &proposal, .proposal_count = 1, .some_references = true};
    struct commit_output out;
    struct key_package_bundle bundles[WORLD_MEMBERS_MAX];
    struct bytes packages[WORLD_MEMBERS_MAX];
    size_t package_count = 0;
    world_commit(&w, from, &options, &out);
    commit_output_clear(&out);
    for (uint32_t i = 0; i < count; i++) {
        struct world_client *c = members[i];
        group_free(c->previous);
        c->previous = c->group;
        c->group = NULL;
        struct bytes kp = world_key_package(&w, c, &bundles[i]);
        if (c != from)
            packages[package_count++] = kp;
    }
    struct successor successor = {.key_packages = packages,
                                  .count = package_count,
                                  .profile = &from->profile,
                                  .config = &w.config};
    assert_ok(group_reinit(from->previous, &from->client, &successor, &out, &from->group));
    assert_ok(group_merge_pending(from->group));
    for (uint32_t i = 0; i < count; i++) {
        struct world_client *c = members[i];
        if (c != from)
            assert_ok(group_join(&c->client, &w.config, &bundles[i], buf_view(&out.welcome),
                                 bytes_of(NULL, 0), c->previous, &c->group));
        key_package_bundle_clear(&bundles[i]);
    }
    commit_output_clear(&out);
    if (w.has_server) {
        struct buf b = BUF_INIT;
        public_group_clear(&w.server);
        public_group_save(&b, group_public(from->group));
        assert_ok(public_group_load(buf_view(&b), &w.server));
        buf_clear(&b);
    }
}

/* A commit with one bit wrong: refused, and the group is as before. */
static void damage(void)
{
    struct world_client *from = any_member();
    struct world_client *to = any_member();
    struct commit_output out;
    struct buf before = BUF_INIT;
    struct buf after = BUF_INIT;
    if (from == to)
        return;
    assert_ok(group_commit(from->group, &from->client,
                           &(struct commit_options){.some_references = true}, &out));
    group_drop_pending(from->group);
    uint64_t bit = world_random(&w, 8 * out.commit.len);
    out.commit.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_ok(group_write(to->group, &before));
    struct mls_received received;
    assert_false(
        err_is_ok(group_process(to->group, &to->client, buf_view(&out.commit), &received)));
    assert_ok(group_write(to->group, &after));
    test_assert_bytes(buf_view(&after), buf_view(&before));
    buf_clear(&before);
    buf_clear(&after);
    commit_output_clear(&out);
}

/* Few speak, so that ratchets move on; somebody starts again in between. */
static void chat(void)
{
    struct world_client *talker = any_member();
    for (uint64_t n = 1 + world_random(&w, 4); n > 0; n--) {
        world_chat(&w, world_random(&w, 3) == 0 ? any_member() : talker);
        struct world_client *c = any_member();
        if (world_random(&w, 2) == 0)
            (void)world_save(&w, c);
        else
            world_restore(&w, c);
    }
}

static void history(void **state)
{
    const struct suite *suite = *state;
    bool public_handshake = suite->id % 2 == 1;
    world_init(&w, suite, seed * 100 + suite->id, public_handshake);
    world_grow(&w, 3);
    unsigned most = steps > 0 ? steps : suite->id <= 3 ? 100 : 25;
    for (unsigned i = 0; i < most; i++) {
        switch (world_random(&w, 16)) {
        case 0:
        case 1:
            join_from_outside();
            break;
        case 2:
            reinit();
            break;
        case 3:
        case 4:
            damage();
            break;
        case 5:
            world_reload(&w, any_member());
            break;
        case 6:
            world_restore(&w, any_member());
            break;
        case 7:
            chat();
            break;
        default:
            commit();
            break;
        }
        /* some save at every step, as clients do, others now and then; all live on from that */
        for (uint32_t k = 0; k < w.count; k++) {
            if (w.clients[k].group != NULL && (k % 3 == 0 || world_random(&w, 8) == 0))
                (void)world_save(&w, &w.clients[k]);
        }
        world_check(&w);
        world_forget(&w);
    }
    for (uint32_t k = 0; k < w.count; k++) {
        if (w.clients[k].group != NULL)
            world_restore(&w, &w.clients[k]);
    }
    world_check(&w);
    world_clear(&w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        steps = (unsigned)strtoul(argv[2], NULL, 10);
    struct CMUnitTest tests[SUITE_COUNT];
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        tests[i] = (struct CMUnitTest)cmocka_unit_test(history);
        union {
            const void *from;
            void *to;
        } suite = {.from = &suite_table[i]};
        tests[i].initial_state = suite.to;
        tests[i].name = suite_table[i].name;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
