/* A group of five that receives anything. The first byte chooses: a message as from the network; a
 * Commit as if its frame had been verified (so that the list and path rules are reached without
 * forging signatures), of member 0, member 3 or a joiner; a Proposal likewise; or a saved state.
 * Whatever comes: no crash, and the group stays as it was. */
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

static void verified(struct bytes in, enum content_type type, struct sender sender)
{
    struct public_group g = fresh();
    struct arena a;
    struct authenticated_content content = {.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE};
    arena_init(&a, 128 * in.len + 65536);
    struct wire_reader r = wire_reader_of(in);
    content.content = (struct framed_content){
        .group_id = g.context.group_id, .epoch = g.context.epoch, .sender = sender, .type = type};
    framed_body_read(&r, &a, &content.content);
    content.auth.signature = bytes_str("checked");
    content.auth.confirmation_tag = tree_root_hash(&g.tree);
    if (err_is_ok(wire_reader_end(&r))) {
        struct staged_commit *staged = NULL;
        if (type == CONTENT_PROPOSAL)
            (void)!err_is_ok(public_group_add_proposal(&g, &content, &k.policy));
        else if (err_is_ok(staged_commit_process(&g, &content, &k.policy, &staged)))
            public_group_merge(&g, &staged);
    }
    arena_clear(&a);
    public_group_clear(&g);
}

static void message(struct bytes in)
{
    struct staged_commit *staged = NULL;
    struct public_group g = fresh();
    if (err_is_ok(public_group_process(&g, in, &k.policy, &staged)) && staged != NULL)
        public_group_merge(&g, &staged);
    public_group_clear(&g);
}

static void saved(struct bytes in)
{
    struct public_group g;
    struct public_group again;
    if (!err_is_ok(public_group_load(in, &g)))
        return;
    struct buf b = BUF_INIT;
    public_group_save(&b, &g);
    if (!err_is_ok(public_group_load(buf_view(&b), &again)))
        abort();
    public_group_clear(&again);
    public_group_clear(&g);
    buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (k.suite == NULL)
        start();
    if (len == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, len - 1);
    switch (data[0] % 6) {
    case 0:
        message(in);
        break;
    case 1:
        verified(in, CONTENT_COMMIT, (struct sender){SENDER_MEMBER, 0});
        break;
    case 2:
        verified(in, CONTENT_COMMIT, (struct sender){SENDER_MEMBER, 3});
        break;
    case 3:
        verified(in, CONTENT_COMMIT, (struct sender){SENDER_NEW_MEMBER_COMMIT, 0});
        break;
    case 4:
        verified(in, CONTENT_PROPOSAL, (struct sender){SENDER_MEMBER, 2});
        break;
    default:
        saved(in);
    }
    return 0;
}
