/* A group of five that receives anything, one thing after another. Each record is a byte that
 * chooses, two bytes of length (the last record's may reach beyond the end) and a body: a message
 * as from the network; a Commit as if its frame had been verified (so that the list and path rules
 * are reached without forging signatures), of member 0, member 3 or a joiner; a Proposal likewise;
 * or a saved state. Whatever comes: no crash; and after each the group must equal what its saved
 * form loads as, hashes worked out anew. */
#include <stdlib.h>

#include "kit/mls_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct kit k;
static struct bytes state;

static void start(void)
{
    kit_init(&k, suite_find(1), 99);
    kit_group(&k, 5, true, &(struct extensions){0});
    struct buf b = BUF_INIT;
    public_group_save(&b, &k.group);
    state = kit_take(&k, &b);
}

static struct public_group fresh(void)
{
    struct public_group g;
    KIT_MUST(public_group_load(state, &g));
    return g;
}

/* Loading compares the tree hash, worked out from scratch, with the context's. */
static void check(const struct public_group *g)
{
    struct buf b = BUF_INIT;
    struct buf again = BUF_INIT;
    struct public_group loaded;
    public_group_save(&b, g);
    KIT_MUST(public_group_load(buf_view(&b), &loaded));
    public_group_save(&again, &loaded);
    if (!bytes_equal(buf_view(&b), buf_view(&again)) || loaded.tree.width != g->tree.width ||
        loaded.tree.member_count != g->tree.member_count ||
        loaded.tree.encryption_keys.count != g->tree.encryption_keys.count ||
        loaded.tree.signature_keys.count != g->tree.signature_keys.count)
        abort();
    public_group_clear(&loaded);
    buf_clear(&b);
    buf_clear(&again);
}

static void verified(struct public_group *g, struct bytes in, enum content_type type,
                     struct sender sender)
{
    struct arena a;
    struct authenticated_content content = {.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE};
    arena_init(&a, 128 * in.len + 65536);
    struct wire_reader r = wire_reader_of(in);
    content.content = (struct framed_content){
        .group_id = g->context.group_id, .epoch = g->context.epoch, .sender = sender, .type = type};
    framed_body_read(&r, &a, &content.content);
    content.auth.signature = bytes_str("checked");
    content.auth.confirmation_tag = tree_root_hash(&g->tree);
    if (err_is_ok(wire_reader_end(&r))) {
        struct staged_commit *staged = NULL;
        if (type == CONTENT_PROPOSAL)
            (void)!err_is_ok(public_group_add_proposal(g, &content, &k.policy));
        else if (err_is_ok(staged_commit_process(g, &content, &k.policy, &staged)))
            public_group_merge(g, &staged);
    }
    arena_clear(&a);
}

static void message(struct public_group *g, struct bytes in)
{
    struct staged_commit *staged = NULL;
    if (err_is_ok(public_group_process(g, in, &k.policy, &staged)) && staged != NULL)
        public_group_merge(g, &staged);
}

static void saved(struct bytes in)
{
    struct public_group g;
    if (!err_is_ok(public_group_load(in, &g)))
        return;
    check(&g);
    public_group_clear(&g);
}

static void receive(struct public_group *g, uint8_t choice, struct bytes in)
{
    switch (choice % 6) {
    case 0:
        message(g, in);
        break;
    case 1:
        verified(g, in, CONTENT_COMMIT, (struct sender){SENDER_MEMBER, 0});
        break;
    case 2:
        verified(g, in, CONTENT_COMMIT, (struct sender){SENDER_MEMBER, 3});
        break;
    case 3:
        verified(g, in, CONTENT_COMMIT, (struct sender){SENDER_NEW_MEMBER_COMMIT, 0});
        break;
    case 4:
        verified(g, in, CONTENT_PROPOSAL, (struct sender){SENDER_MEMBER, 2});
        break;
    default:
        saved(in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (k.suite == NULL)
        start();
    struct public_group g = fresh();
    struct wire_reader r = wire_reader_of(bytes_of(data, len));
    while (wire_reader_more(&r)) {
        uint8_t choice = wire_read_u8(&r);
        size_t bytes = wire_read_u16(&r);
        if (bytes > wire_reader_left(&r))
            bytes = wire_reader_left(&r);
        struct bytes in = wire_read_fixed(&r, bytes);
        if (!err_is_ok(wire_reader_check(&r)))
            break;
        receive(&g, choice, in);
        check(&g);
    }
    public_group_clear(&g);
    return 0;
}
