/* Structure-aware mutations of commits: fields, proposals, paths and ciphertexts changed, signed
 * and tagged anew where the fault is to be found behind signature and tag. Whatever comes of it,
 * server and member judge alike, and neither changes by a message that it refuses. Arguments:
 * mutations in all (a number), seed. */
#include <stdio.h>

#include "crypto/labelled.h"
#include "mls/member/group_state.h"
#include "mls/member/message_protection.h"
#include "support/test.h"
#include "world/world.h"

static struct world w;
static unsigned long most;
static uint64_t seed = 1;

/* A commit taken apart; everything is in the world's arena. */
struct made {
    struct world_client *from;
    struct public_message message;
    struct proposal_or_ref *list;
    size_t count;
    struct update_path path;
    struct update_path_node *nodes;
    uint32_t leaf;             /* of the committer */
    bool sign_leaf, sign, tag; /* anew */
};

static uint64_t below(uint64_t n)
{
    return world_random(&w, n);
}

static struct bytes flipped(struct bytes b)
{
    uint8_t *copy = arena_copy(&w.arena, b.data, b.len);
    assert_non_null(copy);
    if (b.len > 0)
        copy[below(b.len)] ^= (uint8_t)(1 << below(8));
    return bytes_of(copy, b.len);
}

/* Shorter, longer, empty, one bit off, or random of the same length. */
static struct bytes other(struct bytes b)
{
    switch (below(5)) {
    case 0:
        return bytes_of(b.data, b.len - (b.len > 0));
    case 1: {
        uint8_t *copy = arena_alloc(&w.arena, b.len + 1);
        if (b.len > 0)
            memcpy(copy, b.data, b.len);
        return bytes_of(copy, b.len + 1);
    }
    case 2:
        return bytes_of(NULL, 0);
    case 3: {
        uint8_t *copy = arena_alloc(&w.arena, b.len + 1);
        assert_ok(rng_fill(&w.rng, copy, b.len));
        return bytes_of(copy, b.len);
    }
    default:
        return flipped(b);
    }
}

/* A key of the right form that nobody has, or one that somebody has. */
static struct bytes some_key(void)
{
    struct world_client *members[WORLD_MEMBERS_MAX];
    uint32_t count = world_members(&w, members);
    struct leaf_node leaf;
    if (below(3) == 0) {
        const struct mls_group *g = members[below(count)]->group;
        assert_true(public_group_leaf(group_public(g), group_own_leaf(g), &leaf));
        const void *copy = arena_copy(&w.arena, leaf.encryption_key.data, leaf.encryption_key.len);
        return bytes_of(copy, leaf.encryption_key.len);
    }
    struct secret private_key;
    struct public_key key;
    assert_ok(kem_generate(w.suite->hpke.kem, &w.rng, &private_key, &key));
    secret_clear(&private_key);
    return bytes_of(arena_copy(&w.arena, key.data, key.len), key.len);
}

static struct bytes some_nonce(void)
{
    size_t len = suite_hash_bytes(w.suite);
    uint8_t *nonce = arena_alloc(&w.arena, len);
    assert_non_null(nonce);
    assert_ok(rng_fill(&w.rng, nonce, len));
    return bytes_of(nonce, len);
}

static struct proposal_or_ref some_proposal(const struct made *m)
{
    static const uint8_t extension[] = {0xff, 0x01, 1, 7};
    struct proposal_or_ref p = {.type = PROPOSAL_BY_VALUE};
    struct proposal *v = &p.proposal;
    v->type = (uint16_t)(1 + below(9));
    switch (v->type) {
    case PROPOSAL_REMOVE:
        v->remove = (uint32_t)below(12);
        break;
    case PROPOSAL_PSK:
        v->psk = (struct psk_id){.type = PSK_EXTERNAL,
                                 .id = bytes_str(below(2) == 0 ? "psk" : "?"),
                                 .nonce = below(8) == 0 ? some_key() : some_nonce()};
        if (below(3) == 0)
            v->psk = (struct psk_id){.type = PSK_RESUMPTION,
                                     .usage = (enum psk_usage)(1 + below(3)),
                                     .group_id = m->message.content.content.group_id,
                                     .epoch = m->message.content.content.epoch - below(3),
                                     .nonce = some_nonce()};
        break;
    case PROPOSAL_REINIT:
        v->reinit = (struct reinit){.group_id = bytes_str("next"),
                                    .version = (uint16_t)below(3),
                                    .cipher_suite = w.suite->id};
        break;
    case PROPOSAL_EXTERNAL_INIT:
        v->external_init = some_key();
        break;
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        if (below(2) == 0)
            v->group_context_extensions.raw = bytes_of(extension, sizeof extension);
        break;
    case PROPOSAL_ADD: {
        struct key_package_bundle bundle;
        struct key_package *kp = arena_alloc(&w.arena, sizeof *kp);
        struct world_client *c = &w.clients[below(w.count)];
        struct bytes raw = world_key_package(&w, c, &bundle);
        assert_ok(
            key_package_parse(bytes_of(arena_copy(&w.arena, raw.data, raw.len), raw.len), kp));
        key_package_bundle_clear(&bundle);
        if (below(3) == 0)
            kp->init_key = other(kp->init_key);
        if (below(3) == 0)
            kp->leaf_node.not_after = below(2 * (uint64_t)WORLD_NOW);
        v->add = kp;
        break;
    }
    case PROPOSAL_UPDATE: {
        struct leaf_node *leaf = arena_alloc(&w.arena, sizeof *leaf);
        *leaf = m->path.leaf_node;
        leaf->source = LEAF_SOURCE_UPDATE;
        v->update = leaf;
        break;
    }
    default:
        v->unknown = bytes_str("unknown");
    }
    return p;
}

static void change_list(struct made *m)
{
    size_t at = m->count > 0 ? below(m->count) : 0;
    switch (below(5)) {
    case 0: /* one more, anywhere */
        memmove(m->list + at + 1, m->list + at, (m->count - at) * sizeof *m->list);
        m->list[at] = some_proposal(m);
        m->count++;
        break;
    case 1: /* one fewer */
        if (m->count > 0)
            memmove(m->list + at, m->list + at + 1, (--m->count - at) * sizeof *m->list);
        break;
    case 2: /* twice */
        if (m->count > 0) {
            m->list[m->count] = m->list[at];
            m->count++;
        }
        break;
    case 3: /* another order */
        if (m->count > 1) {
            struct proposal_or_ref p = m->list[at];
            m->list[at] = m->list[0];
            m->list[0] = p;
        }
        break;
    default: /* another reference */
        if (m->count > 0 && m->list[at].type == PROPOSAL_BY_REFERENCE)
            m->list[at].reference = other(m->list[at].reference);
        else if (m->count > 0)
            m->list[at] = some_proposal(m);
    }
}

static void change_leaf(struct made *m)
{
    struct leaf_node *leaf = &m->path.leaf_node;
    m->sign_leaf = below(4) != 0;
    switch (below(9)) {
    case 0:
        leaf->encryption_key = below(2) == 0 ? some_key() : other(leaf->encryption_key);
        break;
    case 1:
        leaf->signature_key = other(leaf->signature_key);
        break;
    case 2:
        leaf->credential.type = (uint16_t)below(4);
        break;
    case 3:
        leaf->capabilities.credentials.raw = bytes_of(NULL, 0);
        break;
    case 4:
        leaf->capabilities.versions.raw = bytes_of(NULL, 0);
        break;
    case 5:
        leaf->source = (enum leaf_source)(1 + below(3));
        leaf->not_before = WORLD_NOW - 1;
        leaf->not_after = WORLD_NOW + 1;
        break;
    case 6:
        leaf->parent_hash = other(leaf->parent_hash);
        break;
    case 7:
        leaf->signature = other(leaf->signature);
        m->sign_leaf = false;
        break;
    default: {
        static const uint8_t unlisted[] = {0xff, 0x02, 0};
        leaf->extensions.raw = bytes_of(unlisted, sizeof unlisted);
    }
    }
}

static void change_ciphertexts(struct update_path_node *node)
{
    struct wire_reader it = wire_reader_of(node->ciphertexts);
    struct buf b = BUF_INIT;
    uint64_t victim = below(node->ciphertext_count + (uint64_t)1);
    uint64_t how = below(4);
    for (uint64_t i = 0; wire_reader_more(&it); i++) {
        struct hpke_ciphertext c;
        hpke_ciphertext_read(&it, &c);
        if (i == victim && how == 0)
            continue;
        if (i == victim && how == 1)
            c.kem_output = other(c.kem_output);
        if (i == victim && how == 2)
            c.ciphertext = other(c.ciphertext);
        hpke_ciphertext_write(&b, &c);
        if (i == victim && how == 3)
            hpke_ciphertext_write(&b, &c);
    }
    node->ciphertexts = world_take(&w, &b);
}

static void change_path(struct made *m)
{
    size_t count = m->path.node_count;
    size_t at = count > 0 ? below(count) : 0;
    switch (below(6)) {
    case 0: /* none */
        m->message.content.content.commit.path = NULL;
        break;
    case 1: /* a node fewer */
        if (count > 0)
            memmove(m->nodes + at, m->nodes + at + 1,
                    (--m->path.node_count - at) * sizeof *m->nodes);
        break;
    case 2: /* a node twice */
        if (count > 0)
            m->nodes[m->path.node_count++] = m->nodes[at];
        break;
    case 3:
        if (count > 0)
            m->nodes[at].encryption_key =
                below(2) == 0 ? some_key() : other(m->nodes[at].encryption_key);
        break;
    case 4:
        if (count > 0)
            change_ciphertexts(&m->nodes[at]);
        break;
    default: /* as if another had the keys */
        if (count > 1)
            m->nodes[at].encryption_key = m->nodes[0].encryption_key;
    }
}

static void change_frame(struct made *m)
{
    struct framed_content *c = &m->message.content.content;
    switch (below(7)) {
    case 0:
        c->group_id = other(c->group_id);
        break;
    case 1:
        c->epoch += below(2) == 0 ? 1 : UINT64_MAX;
        break;
    case 2:
        c->sender.index = (uint32_t)below(12);
        break;
    case 3:
        c->sender.type = (enum sender_type)(1 + below(4));
        break;
    case 4:
        c->authenticated_data = bytes_str("other data");
        break;
    case 5:
        m->message.content.auth.confirmation_tag = other(m->message.content.auth.confirmation_tag);
        break;
    default:
        m->tag = false;
        m->message.membership_tag = other(m->message.membership_tag);
    }
}

static void take_apart(struct world_client *from, struct bytes commit, struct made *m)
{
    enum { ROOM = 16 };
    struct mls_message whole;
    *m = (struct made){.from = from, .sign = true};
    assert_ok(mls_message_parse(commit, &w.arena, &whole));
    m->message = whole.public_message;
    m->tag = m->message.content.content.sender.type == SENDER_MEMBER;
    m->leaf = from->group->pending->own_leaf;
    const struct commit *c = &whole.public_message.content.content.commit;
    m->list = arena_alloc(&w.arena, (c->proposal_count + ROOM) * sizeof *m->list);
    m->count = c->proposal_count;
    if (m->count > 0)
        memcpy(m->list, c->proposals, m->count * sizeof *m->list);
    if (c->path == NULL)
        return;
    m->path = *c->path;
    m->nodes = arena_alloc(&w.arena, (c->path->node_count + ROOM) * sizeof *m->nodes);
    if (c->path->node_count > 0)
        memcpy(m->nodes, c->path->nodes, c->path->node_count * sizeof *m->nodes);
    m->path.nodes = m->nodes;
    m->message.content.content.commit.path = &m->path;
}

static struct bytes sign(const struct sig_key *key, const char *label, struct buf *tbs)
{
    struct signature s;
    struct buf b = BUF_INIT;
    assert_ok(buf_check(tbs));
    assert_ok(labelled_sign(key, LABEL_MLS, bytes_str(label), buf_view(tbs), &s));
    buf_clear(tbs);
    buf_append_bytes(&b, signature_view(&s));
    return world_take(&w, &b);
}

static struct bytes put_together(struct made *m)
{
    const struct mls_group *g = m->from->group;
    struct authenticated_content *a = &m->message.content;
    struct bytes context = public_group_context(group_public(g));
    struct buf b = BUF_INIT;
    struct digest tag;
    if (m->sign_leaf) {
        m->path.leaf_node.raw_tbs = bytes_of(NULL, 0);
        leaf_node_write_tbs(&b, &m->path.leaf_node, group_public(g)->context.group_id, m->leaf);
        m->path.leaf_node.signature = sign(&m->from->key, "LeafNodeTBS", &b);
    }
    a->content.commit.proposals = m->list;
    a->content.commit.proposal_count = m->count;
    a->content.raw = bytes_of(NULL, 0);
    a->raw_content_auth = bytes_of(NULL, 0);
    if (m->sign) {
        framed_content_write_tbs(&b, a->wire_format, &a->content, context);
        a->auth.signature = sign(&m->from->key, "FramedContentTBS", &b);
    }
    if (m->tag) {
        assert_ok(message_membership_tag(w.suite, &g->secrets.membership, a, context, &tag));
        buf_append_bytes(&b, digest_view(&tag));
        m->message.membership_tag = world_take(&w, &b);
    }
    struct mls_message whole = {.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE,
                                .public_message = m->message};
    mls_message_write(&b, &whole);
    return world_take(&w, &b);
}

static struct bytes mutated(struct world_client *from, struct bytes commit)
{
    struct made m;
    if (below(10) == 0)
        return flipped(commit);
    take_apart(from, commit, &m);
    for (uint64_t n = 1 + below(10) / 8; n > 0; n--) {
        uint64_t what = below(8);
        if (what < 3)
            change_list(&m);
        else if (what < 5 && m.nodes != NULL)
            change_path(&m);
        else if (what < 7 && m.nodes != NULL)
            change_leaf(&m);
        else
            change_frame(&m);
    }
    m.sign = below(20) != 0;
    return put_together(&m);
}

/* What only members can see, or see before the server's own question. */
static bool is_members_own(struct err err)
{
    switch (err.code) {
    case ERR_MLS_MEMBERSHIP_TAG:
    case ERR_MLS_CONFIRMATION_TAG:
    case ERR_MLS_PATH_SECRET:
    case ERR_MLS_PSK_UNKNOWN:
    case ERR_MLS_KEM_OUTPUT:
    case ERR_MLS_CREDENTIAL_REFUSED:
    case ERR_MLS_OWN_MESSAGE:
        return true;
    default:
        return false;
    }
}

struct counts {
    unsigned long in_all, both_refused, only_member, accepted;
};

static void judge(struct world_client *to, struct bytes message, struct counts *counts)
{
    struct buf saved[2] = {BUF_INIT, BUF_INIT}, stored[2] = {BUF_INIT, BUF_INIT};
    struct staged_commit *staged = NULL;
    struct mls_received received = {0};
    struct mls_policy policy = mls_policy_at(WORLD_NOW);
    public_group_save(&saved[0], &w.server);
    assert_ok(group_write(to->group, &stored[0]));
    struct err server = public_group_process(&w.server, message, &policy, &staged);
    struct err member = group_process(to->group, &to->client, message, &received);
    /* a commit that was not merged changes nothing, accepted or not */
    public_group_save(&saved[1], &w.server);
    assert_ok(group_write(to->group, &stored[1]));
    test_assert_bytes(buf_view(&saved[1]), buf_view(&saved[0]));
    test_assert_bytes(buf_view(&stored[1]), buf_view(&stored[0]));
    counts->in_all++;
    if (err_is_ok(server) && err_is_ok(member))
        counts->accepted++;
    else if (!err_is_ok(server))
        counts->both_refused++;
    else
        counts->only_member++;
    if (err_is_ok(member))
        assert_ok(server);
    else if (!is_members_own(member) && server.code != ERR_MLS_MEMBERSHIP_TAG_LENGTH)
        assert_string_equal(err_name(member), err_name(server));
    staged_commit_free(&staged);
    mls_received_clear(&received);
    for (int i = 0; i < 2; i++) {
        buf_clear(&saved[i]);
        buf_clear(&stored[i]);
    }
}

static void propose(struct world_client *from, struct bytes proposal)
{
    struct buf message = BUF_INIT;
    if (proposal.len == 0)
        assert_ok(group_propose_update(from->group, &from->client, NULL, NULL, bytes_of(NULL, 0),
                                       &message, NULL));
    else
        assert_ok(
            group_propose(from->group, &from->client, proposal, bytes_of(NULL, 0), &message, NULL));
    world_deliver_proposal(&w, from, buf_view(&message));
    buf_clear(&message);
}

enum { MEMBERS = 7, EACH = 50 };

static void mutate(struct world_client *from, struct bytes commit, struct counts *counts)
{
    for (int i = 0; i < EACH; i++) {
        struct world_client *to = &w.clients[below(MEMBERS)];
        struct bytes message = mutated(from, commit);
        if (to != from && !bytes_equal(message, commit))
            judge(to, message, counts);
    }
}

/* An external commit, of a stranger who then thinks better of it. */
static void mutate_external(struct counts *counts)
{
    struct world_client *helper = &w.clients[below(MEMBERS)];
    struct world_client *from = &w.clients[MEMBERS];
    struct psk_id psk = {.type = PSK_EXTERNAL, .id = bytes_str("psk")};
    struct buf info = BUF_INIT;
    struct buf commit = BUF_INIT;
    assert_ok(group_make_info(helper->group, &helper->client,
                              (struct group_info_options){true, true}, &info));
    struct external_join join = {
        .group_info = buf_view(&info), .psks = &psk, .psk_count = below(2)};
    assert_ok(group_join_external(&from->client, &w.config, &join, &from->profile, &commit,
                                  &from->group));
    mutate(from, buf_view(&commit), counts);
    group_free(from->group);
    from->group = NULL;
    buf_clear(&info);
    buf_clear(&commit);
}

static void mutations(void **state)
{
    const struct suite *suite = *state;
    struct counts counts = {0};
    world_init(&w, suite, seed, true);
    world_grow(&w, MEMBERS);
    (void)world_client_new(&w); /* somebody outside, for Adds */
    while (counts.in_all < most) {
        struct world_client *from = &w.clients[below(MEMBERS)];
        struct commit_output out;
        for (uint32_t i = 0; i < MEMBERS; i++) {
            if (&w.clients[i] != from && below(3) == 0)
                propose(&w.clients[i],
                        below(3) == 0 ? world_psk(&w, bytes_str("psk")) : bytes_of(NULL, 0));
        }
        struct bytes psk = world_psk(&w, bytes_str("by value"));
        struct commit_options options = {
            .proposals = &psk, .proposal_count = below(2), .force_path = below(8) != 0};
        assert_ok(group_commit(from->group, &from->client, &options, &out));
        mutate(from, buf_view(&out.commit), &counts);
        world_deliver_commit(&w, from, buf_view(&out.commit));
        commit_output_clear(&out);
        world_check(&w);
        if (below(3) == 0)
            mutate_external(&counts);
        world_forget(&w);
    }
    print_message("%lu mutations: %lu refused by both, %lu by members alone, %lu accepted\n",
                  counts.in_all, counts.both_refused, counts.only_member, counts.accepted);
    world_clear(&w);
}

/* RFC 9420 7.6, 12.4.2: path secrets that do not open; only members can tell. */
static void path_secrets(void **state)
{
    struct commit_output out;
    struct made m;
    struct mls_received received;
    struct counts counts = {0};
    world_init(&w, *state, 5, true);
    world_grow(&w, 4);
    struct world_client *c = w.clients;
    assert_ok(group_commit(c[0].group, &c[0].client, &(struct commit_options){0}, &out));
    take_apart(&c[0], buf_view(&out.commit), &m);
    assert_true(m.path.node_count > 0);
    for (size_t i = 0; i < m.path.node_count; i++) {
        struct wire_reader it = wire_reader_of(m.nodes[i].ciphertexts);
        struct buf b = BUF_INIT;
        while (wire_reader_more(&it)) {
            struct hpke_ciphertext ciphertext;
            hpke_ciphertext_read(&it, &ciphertext);
            ciphertext.ciphertext = flipped(ciphertext.ciphertext);
            hpke_ciphertext_write(&b, &ciphertext);
        }
        m.nodes[i].ciphertexts = world_take(&w, &b);
    }
    struct bytes message = put_together(&m);
    for (int i = 1; i < 4; i++) {
        assert_err(group_process(c[i].group, &c[i].client, message, &received), MLS_PATH_SECRET);
        judge(&c[i], message, &counts);
    }
    assert_int_equal(counts.only_member, 3);
    commit_output_clear(&out);
    world_clear(&w);
}

int main(int argc, char **argv)
{
    most = 2500; /* for each of two suites */
    if (argc > 1)
        most = strtoul(argv[1], NULL, 10) / 2;
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 10);
    struct suite first = suite_table[0], second = suite_table[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(mutations, &first),
        cmocka_unit_test_prestate(mutations, &second),
        cmocka_unit_test_prestate(path_secrets, &first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
