/* What a server sees: from a GroupInfo through every proposal and commit, agreeing on each value
 * that is public. The form is our own (see the note beside the files): groups made by running other
 * implementations. */
#include "mls/public/public_group.h"
#include "mls/public/staged_commit.h"
#include "vectors/vector_case.h"

static void check_values(struct vector_case *c, const struct public_group *g, const json_t *want)
{
    CHECK(public_group_epoch(g) == vector_uint(c, want, "epoch"));
    CHECK(public_group_member_count(g) == vector_uint(c, want, "n_members"));
    CHECK_BYTES(public_group_context(g), vector_hex(c, want, "group_context"));
    CHECK_BYTES(tree_root_hash(&g->tree), vector_hex(c, want, "tree_hash"));
    CHECK_BYTES(g->context.confirmed_transcript_hash,
                vector_hex(c, want, "confirmed_transcript_hash"));
    if (!json_is_string(json_object_get(want, "ratchet_tree")))
        return;
    struct buf b = BUF_INIT;
    tree_write(&b, &g->tree);
    CHECK_BYTES(vector_take(c, &b), vector_hex(c, want, "ratchet_tree"));
}

/* Saved and loaded again, to show that nothing is lost on the way. */
static void reload(struct vector_case *c, struct public_group *g)
{
    struct buf first = BUF_INIT;
    struct buf second = BUF_INIT;
    struct public_group loaded;
    public_group_save(&first, g);
    CHECK_OK(public_group_load(buf_view(&first), &loaded));
    public_group_save(&second, &loaded);
    bool same = bytes_equal(buf_view(&first), buf_view(&second));
    buf_clear(&first);
    buf_clear(&second);
    public_group_clear(g);
    *g = loaded;
    CHECK(same);
}

static void follow_epoch(struct vector_case *c, struct public_group *g, const json_t *epoch,
                         const struct mls_policy *policy)
{
    const json_t *proposals = vector_field(c, epoch, "proposals");
    struct staged_commit *staged = NULL;
    for (size_t i = 0; i < json_array_size(proposals) && !c->failed; i++) {
        struct bytes message = vector_hex_of(c, json_array_get(proposals, i));
        CHECK_OK(public_group_process(g, message, policy, &staged));
        CHECK(staged == NULL);
    }
    reload(c, g);
    struct bytes commit = vector_hex(c, epoch, "commit");
    /* dropped once: the group must be as before, so that the second time gives the same */
    CHECK_OK(public_group_process(g, commit, policy, &staged));
    CHECK(staged != NULL);
    staged_commit_free(&staged);
    CHECK_OK(public_group_process(g, commit, policy, &staged));
    public_group_merge(g, &staged);
    check_values(c, g, epoch);
    reload(c, g);
}

void vector_public_follower(struct vector_case *c)
{
    struct mls_message m;
    CHECK_OK(mls_message_parse(vector_hex(c, c->json, "group_info"), &c->arena, &m));
    CHECK(m.wire_format == WIRE_FORMAT_GROUP_INFO);
    struct mls_policy policy = mls_policy_at(c->now);
    policy.max_lifetime_seconds =
        0; /* one of the implementations behind these files makes leaves that last for ever */
    struct public_group g;
    const json_t *initial = vector_field(c, c->json, "initial");
    const json_t *tree =
        json_object_get(initial, "ratchet_tree"); /* where the GroupInfo has none */
    struct bytes ratchet_tree = json_is_string(tree) ? vector_hex_of(c, tree) : bytes_of(NULL, 0);
    CHECK_OK(public_group_from_group_info(&m.group_info, ratchet_tree, &policy, &g));
    const json_t *epochs = vector_field(c, c->json, "epochs");
    check_values(c, &g, initial);
    for (size_t i = 0; i < json_array_size(epochs) && !c->failed; i++)
        follow_epoch(c, &g, json_array_get(epochs, i), &policy);
    public_group_clear(&g);
}
