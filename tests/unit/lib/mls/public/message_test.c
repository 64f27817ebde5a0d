/* RFC 9420 6, 6.1, 6.2, 12.1.8: who may send what, and what a signature covers. */
#include "kit/mls_kit.h"
#include "support/test.h"

static struct kit k;

static int setup(void **state)
{
    (void)state;
    kit_init(&k, suite_find(1), 46);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_clear(&k);
    return 0;
}

static struct err process(struct bytes message)
{
    struct staged_commit *staged = NULL;
    struct err err = public_group_process(&k.group, message, &k.policy, &staged);
    staged_commit_free(&staged);
    return err;
}

static struct err judge(void (*hook)(struct kit *, struct framed_content *))
{
    k.hooks.content = hook;
    struct bytes message = kit_commit(&k, 0, NULL, 0, true);
    k.hooks.content = NULL;
    return process(message);
}

static void application(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->type = CONTENT_APPLICATION;
    c->application_data = bytes_str("hello");
}
static void group_other(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->group_id = bytes_str("another group");
}
static void epoch_before(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->epoch--;
}
static void epoch_after(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->epoch++;
}
static void sender_outside(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->sender.index = 1000;
}
static void sender_far(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->sender.index = 0x80000000; /* times two is 0 */
}
static void sender_blank(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->sender.index = 3;
}
static void sender_another(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->sender.index = 1;
}
static void commit_by_external(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->sender = (struct sender){SENDER_EXTERNAL, 0};
}
static void commit_by_new_member_proposal(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->sender = (struct sender){SENDER_NEW_MEMBER_PROPOSAL, 0};
}
static void unauthenticated_data(struct kit *kit, struct framed_content *c)
{
    (void)kit;
    c->authenticated_data = bytes_str("covered by the signature");
}

static void frames(void **state)
{
    (void)state;
    kit_group(&k, 3, true, &(struct extensions){0});
    assert_ok(judge(NULL));
    assert_ok(judge(unauthenticated_data));
    assert_err(judge(application), MLS_APPLICATION_PUBLIC);
    assert_err(judge(group_other), MLS_GROUP_ID);
    assert_err(judge(epoch_before), MLS_EPOCH);
    assert_err(judge(epoch_after), MLS_EPOCH);
    assert_err(judge(sender_outside), MLS_SENDER_LEAF);
    assert_err(judge(sender_far), MLS_SENDER_LEAF);
    assert_err(judge(sender_blank), MLS_SENDER_LEAF);
    assert_err(judge(sender_another), MLS_MESSAGE_SIGNATURE);
    assert_err(judge(commit_by_external), MLS_CONTENT_SENDER);
    assert_err(judge(commit_by_new_member_proposal), MLS_CONTENT_SENDER);
}

static void membership_tag_short(struct kit *kit, struct public_message *m)
{
    (void)kit;
    m->membership_tag.len--;
}
static void membership_tag_none(struct kit *kit, struct public_message *m)
{
    (void)kit;
    m->membership_tag.len = 0;
}
static void confirmation_tag_long(struct kit *kit, struct public_message *m)
{
    m->content.auth.confirmation_tag = kit_random(kit, 33);
}
static void confirmation_tag_none(struct kit *kit, struct public_message *m)
{
    (void)kit;
    m->content.auth.confirmation_tag.len = 0;
}
static void signature_other(struct kit *kit, struct public_message *m)
{
    m->content.auth.signature = kit_random(kit, 64);
}

static struct err judge_message(void (*hook)(struct kit *, struct public_message *))
{
    k.hooks.message = hook;
    struct bytes message = kit_commit(&k, 0, NULL, 0, true);
    k.hooks.message = NULL;
    return process(message);
}

static void tags(void **state)
{
    (void)state;
    kit_group(&k, 3, true, &(struct extensions){0});
    assert_err(judge_message(membership_tag_short), MLS_MEMBERSHIP_TAG_LENGTH);
    assert_err(judge_message(membership_tag_none), MLS_MEMBERSHIP_TAG_LENGTH);
    assert_err(judge_message(confirmation_tag_long), MLS_CONFIRMATION_TAG_LENGTH);
    assert_err(judge_message(confirmation_tag_none), MLS_CONFIRMATION_TAG_LENGTH);
    assert_err(judge_message(signature_other), MLS_MESSAGE_SIGNATURE);
}

/* Every byte before the tags is covered; a changed one is refused and leaves the group as it was.
 */
static void no_byte_can_change(void **state)
{
    (void)state;
    kit_group(&k, 3, true, &(struct extensions){0});
    struct proposal_or_ref add = kit_by_value(&k, kit_add(&k, kit_client_new(&k)));
    struct bytes message = kit_commit(&k, 0, &add, 1, true);
    struct buf before = BUF_INIT;
    public_group_save(&before, &k.group);
    uint8_t *copy = arena_copy(&k.arena, message.data, message.len);
    for (size_t i = 0; i + 2 * 33 < message.len; i++) {
        copy[i] ^= 0x10;
        assert_false(err_is_ok(process(bytes_of(copy, message.len))));
        copy[i] ^= 0x10;
    }
    struct buf after = BUF_INIT;
    public_group_save(&after, &k.group);
    assert_true(bytes_equal(buf_view(&before), buf_view(&after)));
    assert_ok(process(bytes_of(copy, message.len)));
    for (size_t len = 0; len < message.len; len++)
        assert_false(err_is_ok(process(bytes_of(copy, len))));
    buf_clear(&before);
    buf_clear(&after);
}

/* RFC 9420 6.1: a member's signature binds the GroupContext: the same content in a group of other
 * history fails. */
static void signatures_bind_the_context(void **state)
{
    (void)state;
    kit_group(&k, 2, true, &(struct extensions){0});
    struct buf saved = BUF_INIT;
    struct public_group other;
    public_group_save(&saved, &k.group);
    assert_ok(public_group_load(buf_view(&saved), &other));
    struct bytes first = kit_commit(&k, 0, NULL, 0, true);
    struct bytes second = kit_commit(&k, 0, NULL, 0, true); /* a fork: same epoch, other content */
    kit_apply(&k, first, NULL, 0);
    struct staged_commit *staged = NULL;
    assert_ok(public_group_process(&other, second, &k.policy, &staged));
    public_group_merge(&other, &staged);
    assert_int_equal(public_group_epoch(&other), public_group_epoch(&k.group));
    struct bytes proposal = kit_member_proposal(&k, 1, kit_remove(&k, 0));
    assert_ok(public_group_process(&k.group, proposal, &k.policy, &staged));
    assert_err(public_group_process(&other, proposal, &k.policy, &staged), MLS_MESSAGE_SIGNATURE);
    public_group_clear(&other);
    buf_clear(&saved);
}

static struct bytes from_external(uint32_t index, const struct sig_key *key, struct bytes proposal)
{
    return kit_proposal_message(&k, (struct sender){SENDER_EXTERNAL, index}, key, proposal);
}

static void external_senders(void **state)
{
    (void)state;
    struct sig_key sender_key;
    assert_ok(sig_key_generate(k.suite->sig, &k.rng, &sender_key));
    struct buf b = BUF_INIT;
    struct external_sender sender = {public_key_view(&sender_key.public_key),
                                     {CREDENTIAL_BASIC, bytes_str("bot")}};
    size_t mark = wire_vector_begin(&b);
    external_sender_write(&b, &sender);
    wire_vector_end(&b, mark);
    struct extensions extensions = kit_extension(&k, EXTENSION_EXTERNAL_SENDERS, kit_take(&k, &b));
    kit_group(&k, 4, false, &extensions);
    const struct sig_key *key = &kit_at(&k, 1)->key;
    struct bytes message = from_external(0, &sender_key, kit_remove(&k, 2));
    assert_ok(process(message));
    assert_int_equal(k.group.proposals.count, 1);
    assert_ok(process(message)); /* again: kept once */
    assert_int_equal(k.group.proposals.count, 1);
    assert_ok(process(from_external(0, &sender_key, kit_add(&k, kit_client_new(&k)))));
    assert_err(process(from_external(1, &sender_key, kit_remove(&k, 2))), MLS_EXTERNAL_SENDER);
    assert_err(process(from_external(0, key, kit_remove(&k, 2))), MLS_MESSAGE_SIGNATURE);
    assert_err(process(from_external(0, &sender_key, kit_update(&k, 2))),
               MLS_EXTERNAL_PROPOSAL_TYPE);
    struct proposal init = {.type = PROPOSAL_EXTERNAL_INIT, .external_init = kit_kem_key(&k)};
    assert_err(process(from_external(0, &sender_key, kit_proposal(&k, &init))), MLS_EXTERNAL_INIT);
    struct proposal_or_ref by_ref = kit_by_ref(&k, message);
    kit_apply(&k, kit_commit(&k, 0, &by_ref, 1, true), NULL, 0);
    assert_int_equal(public_group_member_count(&k.group), 3);
    sig_key_clear(&sender_key);
}

static void groups_without_external_senders(void **state)
{
    (void)state;
    kit_group(&k, 2, false, &(struct extensions){0});
    assert_err(process(from_external(0, &kit_at(&k, 1)->key, kit_remove(&k, 0))),
               MLS_EXTERNAL_SENDER);
}

static void new_members_propose_themselves(void **state)
{
    (void)state;
    kit_group(&k, 2, false, &(struct extensions){0});
    uint32_t client = kit_client_new(&k);
    struct sender sender = {SENDER_NEW_MEMBER_PROPOSAL, 0};
    struct bytes add = kit_add(&k, client);
    assert_err(process(kit_proposal_message(&k, sender, &kit_at(&k, 0)->key, add)),
               MLS_MESSAGE_SIGNATURE);
    assert_err(process(kit_proposal_message(&k, sender, &k.clients[client].key, kit_remove(&k, 1))),
               MLS_NEW_MEMBER_PROPOSAL_TYPE);
    struct bytes message = kit_proposal_message(&k, sender, &k.clients[client].key, add);
    assert_ok(process(message));
    struct proposal_or_ref by_ref = kit_by_ref(&k, message);
    kit_apply(&k, kit_commit(&k, 1, &by_ref, 1, true), &client, 1);
    assert_int_equal(public_group_member_count(&k.group), 3);
}

static void other_messages(void **state)
{
    (void)state;
    kit_group(&k, 2, false, &(struct extensions){0});
    assert_err(process(kit_group_info(&k, 0, bytes_of(NULL, 0))), MLS_WIRE_FORMAT);
    assert_err(process(bytes_of("\0\2\0\1", 4)), MLS_VERSION);
    assert_err(process(bytes_of("\0\1\0\6", 4)), MLS_WIRE_FORMAT);
    assert_err(process(bytes_of(NULL, 0)), WIRE_SHORT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames, setup, teardown),
        cmocka_unit_test_setup_teardown(tags, setup, teardown),
        cmocka_unit_test_setup_teardown(no_byte_can_change, setup, teardown),
        cmocka_unit_test_setup_teardown(signatures_bind_the_context, setup, teardown),
        cmocka_unit_test_setup_teardown(external_senders, setup, teardown),
        cmocka_unit_test_setup_teardown(groups_without_external_senders, setup, teardown),
        cmocka_unit_test_setup_teardown(new_members_propose_themselves, setup, teardown),
        cmocka_unit_test_setup_teardown(other_messages, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
