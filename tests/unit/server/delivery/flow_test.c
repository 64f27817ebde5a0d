/* The good path of every rpc, with members who are real clients. */
#include "support/delivery/delivery_world.h"

static struct dworld w;

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    dw_start(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dw_end(&w);
    return 0;
}

/* a, b, c in one group; a is the admin. */
static struct member *a, *b, *c;
static void three(void)
{
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    c = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, (struct member *[]){b, c}, 2);
}

static void expect(enum hearth_code code)
{
    if (code != HEARTH_OK)
        fail_msg("%s: %s", hearth_code_name(code), w.message);
}

static enum hearth_code call(struct member *m, const char *name, const ProtobufCMessage *in)
{
    struct dsigner signer = dw_signer(m);
    return dw_call(&w, name, &signer, in);
}

static void founds_adds_and_chats(void **state)
{
    (void)state;
    three();
    expect(dw_say(a, "hello"));
    dw_receive_all(&w);
    test_assert_bytes(buf_view(&b->text), bytes_str("hello"));
    test_assert_bytes(buf_view(&c->text), bytes_str("hello"));
    assert_int_equal(a->seen[DELIVERY_MESSAGE], 0);
    /* the answer says when, the rows say who may be woken */
    const Hearth__V1__SendMessageResponse *out = (void *)w.out;
    assert_true(out->accepted_at >= DW_NOW_S && out->accepted_at < DW_NOW_S + 60);
    assert_true(b->items[b->item_count - 1].notify);
    assert_false(b->items[b->item_count - 1].control);
    /* everything is on its way: nothing is left in the outbox */
    assert_int_equal(dw_stats(&w).outbox_rows, 0);
}

static void removes_and_rotates(void **state)
{
    (void)state;
    three();
    uint8_t old[STATE_KEY_BYTES];
    memcpy(old, a->state_key, sizeof old);
    uint32_t gone = dw_leaf(c);
    expect(dw_commit(a, &(struct dcommit){.removes = &gone, .remove_count = 1}));
    dw_receive_all(&w);
    assert_false(group_is_active(c->group));
    assert_int_equal(c->seen[DELIVERY_STATE_KEY], 0);
    assert_int_equal(b->seen[DELIVERY_STATE_KEY], 1);
    assert_memory_equal(a->state_key, b->state_key, STATE_KEY_BYTES);
    assert_memory_not_equal(a->state_key, old, STATE_KEY_BYTES);
    dw_agree(&w);
    expect(dw_say(b, "without c"));
    dw_receive_all(&w);
    test_assert_bytes(buf_view(&a->text), bytes_str("without c"));
}

static void adds_and_removes_in_one_commit(void **state)
{
    (void)state;
    three();
    struct member *d = dw_member(&w, NULL);
    uint32_t gone = dw_leaf(b);
    uint8_t key[STATE_KEY_BYTES];
    memcpy(key, a->state_key, sizeof key);
    expect(dw_commit(
        a, &(struct dcommit){.adds = &d, .add_count = 1, .removes = &gone, .remove_count = 1}));
    /* the Welcome was made before the server drew the new key: the joiner gets it like the others
     */
    dw_settle(&w);
    dw_join(d, key, group_epoch(a->group));
    dw_receive_all(&w);
    assert_memory_equal(a->state_key, d->state_key, STATE_KEY_BYTES);
    dw_agree(&w);
    expect(dw_say(d, "new"));
}

static void leaves(void **state)
{
    (void)state;
    three();
    expect(dw_leave(c));
    expect(dw_leave(c)); /* said twice */
    dw_receive_all(&w);
    assert_int_equal(a->seen[DELIVERY_PROPOSAL], 1);
    /* nobody's own Remove stands for it: one commit has room for one, which is that which waits */
    uint32_t leaf = dw_leaf(c);
    assert_int_equal(dw_commit(a, &(struct dcommit){.removes = &leaf, .remove_count = 1}),
                     HEARTH_FAILED_PRECONDITION);
    assert_string_equal(w.message, err_text(ERR(DELIVERY_PENDING)));
    /* anybody's commit covers it */
    expect(dw_commit(b, &(struct dcommit){0}));
    dw_receive_all(&w);
    assert_false(group_is_active(c->group));
    dw_agree(&w);
    assert_int_equal(public_group_member_count(group_public(a->group)), 2);
}

/* The hot path writes no state, but for the month in which a member was heard. */
static void sending_leaves_the_state_alone(void **state)
{
    (void)state;
    three();
    uint64_t version = dw_version(&w, a->state_key);
    for (int i = 0; i < 5; i++)
        expect(dw_say(a, "x"));
    assert_int_equal(dw_version(&w, a->state_key), version);
    w.fake.unix_base_ms += (uint64_t)61 * 86400 * 1000;
    for (int i = 0; i < 5; i++)
        expect(dw_say(a, "x"));
    assert_int_equal(dw_version(&w, a->state_key), version + 1);
    expect(dw_commit(a, &(struct dcommit){0}));
    assert_int_equal(dw_version(&w, a->state_key), version + 2);
}

static void nobody_leaves_alone(void **state)
{
    (void)state;
    a = dw_member(&w, NULL);
    dw_found(&w, a);
    assert_int_equal(dw_leave(a), HEARTH_INVALID_ARGUMENT);
    b = dw_member(&w, NULL);
    dw_add(&w, a, &b, 1);
}

/* A commit of more than a queue item holds goes in parts. */
static void sends_a_large_commit_in_parts(void **state)
{
    (void)state;
    uint8_t large[16000] = {1};
    struct buf list = BUF_INIT;
    struct member *many[10];
    three();
    dw_limit(&w, "KEY_PACKAGE_BYTES", 16384);
    dw_limit(&w, "EXTENSION_BYTES", 16384);
    extension_write(&list, 0xf2a0, bytes_of(large, 13000));
    for (int i = 0; i < 10; i++) {
        many[i] = dw_member(&w, NULL);
        many[i]->profile.extensions = (struct extensions){buf_view(&list)};
        many[i]->profile.capabilities.extensions = u16_list_of(
            &w.arena, (uint16_t[]){ROLES_EXTENSION_TYPE, GROUP_DATA_EXTENSION_TYPE, 0xf2a0}, 3);
    }
    size_t had = b->item_count;
    dw_add(&w, a, many, 10);
    assert_int_equal(b->item_count, had + 2);
    assert_int_equal(public_group_member_count(group_public(b->group)), 13);
    buf_clear(&list);
}

/* DoS3: what waits for joiners is bounded; who is too late resyncs with what the Welcome said. */
static void bounds_what_waits_for_joiners(void **state)
{
    (void)state;
    struct member *late[4];
    dw_limit(&w, "PAST_TREE_BYTES", 65536);
    three();
    uint8_t key[STATE_KEY_BYTES];
    memcpy(key, a->state_key, sizeof key);
    for (int i = 0; i < 4; i++) {
        late[i] = dw_member(&w, NULL);
        expect(dw_commit(a, &(struct dcommit){.adds = &late[i], .add_count = 1}));
    }
    assert_int_equal(dw_stats(&w).past_trees, 5);
    w.fake.unix_base_ms += (uint64_t)3 * 86400 * 1000;
    assert_false(delivery_expire(w.delivery)); /* b and c have fetched theirs */
    assert_int_equal(dw_stats(&w).past_trees, 4);
    int more = 0;
    for (; more < 12 && dw_stats(&w).past_trees >= 4 + (uint64_t)more; more++) {
        dw_pass_s(&w, 20);
        struct member *m = dw_member(&w, NULL);
        expect(dw_commit(a, &(struct dcommit){.adds = &m, .add_count = 1}));
    }
    assert_in_range(more, 1, 11);
}

static void resyncs(void **state)
{
    (void)state;
    three();
    /* b loses its state, keeps its leaf key; under the same pseudonym */
    struct dsigner old = dw_signer(b);
    Hearth__V1__ResyncRequest *in = dw_resync_request(b, a);
    expect(dw_call(&w, "Resync", &old, &in->base));
    assert_ok(group_merge_pending(b->group));
    dw_receive_all(&w);
    dw_agree(&w);
    expect(dw_say(b, "again"));
    dw_receive_all(&w);
    test_assert_bytes(buf_view(&c->text), bytes_str("again"));
    assert_int_equal(c->seen[DELIVERY_STATE_KEY], 0);
}

static void connects(void **state)
{
    (void)state;
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    dw_found(&w, a);
    Hearth__V1__JoinConnectionRequest *in = dw_connect_request(b, a);
    expect(dw_call(&w, "JoinConnection", NULL, &in->base));
    assert_ok(group_merge_pending(b->group));
    dw_receive_all(&w);
    dw_agree(&w);
    expect(dw_say(b, "accepted"));
    dw_receive_all(&w);
    test_assert_bytes(buf_view(&a->text), bytes_str("accepted"));
    /* a third can't come that way */
    struct member *third = dw_member(&w, NULL);
    in = dw_connect_request(third, a);
    assert_int_equal(dw_call(&w, "JoinConnection", NULL, &in->base), HEARTH_INVALID_ARGUMENT);
    group_free(third->group);
    third->group = NULL;
}

static void refuses_a_connection(void **state)
{
    (void)state;
    a = dw_member(&w, NULL);
    dw_found(&w, a);
    Hearth__V1__RefuseConnectionRequest in;
    hearth__v1__refuse_connection_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, a->state_key);
    in.sealed_answer = dw_bytes(&w, bytes_str("no"));
    expect(dw_call(&w, "RefuseConnection", NULL, &in.base));
    expect(dw_call(&w, "RefuseConnection", NULL, &in.base)); /* repeated */
    dw_receive_all(&w);
    assert_int_equal(a->seen[DELIVERY_REFUSED], 1);
    test_assert_bytes(buf_view(&a->last_body), bytes_str("no"));
}

static void sends_to_one(void **state)
{
    (void)state;
    three();
    Hearth__V1__SendTargetedMessageRequest in;
    hearth__v1__send_targeted_message_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, a->state_key);
    in.recipient_leaf = dw_leaf(c);
    in.message = dw_bytes(&w, bytes_str("for c"));
    in.epoch = group_epoch(a->group);
    expect(call(a, "SendTargetedMessage", &in.base));
    dw_receive_all(&w);
    assert_int_equal(b->seen[DELIVERY_TARGETED], 0);
    uint32_t sender;
    struct bytes message;
    assert_ok(delivery_targeted_parse(buf_view(&c->last_body), &sender, &message));
    assert_int_equal(sender, dw_leaf(a));
    test_assert_bytes(message, bytes_str("for c"));
    in.idempotency = dw_once(&w);
    in.recipient_leaf = 77;
    assert_int_equal(call(a, "SendTargetedMessage", &in.base), HEARTH_NOT_FOUND);
    /* sealed to a leaf of another epoch, whose key may be gone: refused, and says which one it is
     */
    in.recipient_leaf = dw_leaf(c);
    in.epoch--;
    in.idempotency = dw_once(&w);
    assert_int_equal(call(a, "SendTargetedMessage", &in.base), HEARTH_FAILED_PRECONDITION);
    assert_int_equal(w.wrong_epoch, group_epoch(a->group));
    dw_receive_all(&w);
    assert_int_equal(c->seen[DELIVERY_TARGETED], 1);
}

static void changes_reference_and_profile_key(void **state)
{
    (void)state;
    three();
    /* b's queue moves to another homeserver */
    memset(b->ref, 0x5a, sizeof b->ref);
    b->domain = DW_PEER;
    Hearth__V1__UpdateQueueReferenceRequest in;
    hearth__v1__update_queue_reference_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, b->state_key);
    in.queue_reference = dw_reference(b);
    expect(call(b, "UpdateQueueReference", &in.base));
    size_t before = b->item_count;
    expect(dw_say(a, "there?"));
    dw_receive_all(&w);
    assert_int_equal(b->item_count, before + 1);
    /* signed by the wrong leaf */
    in.idempotency = dw_once(&w);
    in.queue_reference = dw_reference(c);
    assert_int_equal(call(b, "UpdateQueueReference", &in.base), HEARTH_INVALID_ARGUMENT);

    Hearth__V1__UpdateProfileKeyRequest profile;
    hearth__v1__update_profile_key_request__init(&profile);
    profile.idempotency = dw_once(&w);
    profile.group = dw_access(&w, b->state_key);
    profile.wrapped_profile_key = dw_bytes(&w, bytes_str("wrapped"));
    expect(call(b, "UpdateProfileKey", &profile.base));
    dw_receive_all(&w);
    struct leaf_news news;
    struct wire_reader r = wire_reader_of(buf_view(&a->last_body));
    leaf_news_read(&r, &news);
    assert_ok(wire_reader_end(&r));
    assert_int_equal(news.leaf, dw_leaf(b));
    test_assert_bytes(news.wrapped_profile_key, bytes_str("wrapped"));
}

static void replaces_group_info(void **state)
{
    (void)state;
    three();
    struct buf info = BUF_INIT;
    assert_ok(group_make_info(b->group, &b->client,
                              (struct group_info_options){.external_pub = true}, &info));
    Hearth__V1__ReplaceGroupInfoRequest in;
    hearth__v1__replace_group_info_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, b->state_key);
    in.epoch = group_epoch(b->group);
    in.group_info = dw_parts(&w, buf_view(&info));
    expect(call(b, "ReplaceGroupInfo", &in.base));
    /* external joiners find b's now, and can use it */
    struct dsigner old = dw_signer(c);
    Hearth__V1__ResyncRequest *resync = dw_resync_request(c, a);
    expect(dw_call(&w, "Resync", &old, &resync->base));
    assert_ok(group_merge_pending(c->group));
    dw_receive_all(&w);
    dw_agree(&w);
    /* another's signature, another epoch */
    in.idempotency = dw_once(&w);
    assert_int_equal(call(b, "ReplaceGroupInfo", &in.base), HEARTH_FAILED_PRECONDITION);
    assert_int_equal(w.wrong_epoch, group_epoch(b->group));
    in.idempotency = dw_once(&w);
    in.epoch = group_epoch(b->group);
    assert_int_equal(call(b, "ReplaceGroupInfo", &in.base), HEARTH_INVALID_ARGUMENT);
    buf_clear(&info);
}

static void reports_a_fault(void **state)
{
    (void)state;
    three();
    Hearth__V1__CommitRequest *commit = dw_commit_request(b, &(struct dcommit){0});
    expect(dw_commit_send(b, commit));
    dw_receive_all(&w);
    struct digest hash;
    hash_once(&hash_sha256, bytes_of(commit->commit.data, commit->commit.len), &hash);
    Hearth__V1__ReportFaultRequest in;
    hearth__v1__report_fault_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, c->state_key);
    in.epoch = group_epoch(b->group);
    in.commit_hash = dw_bytes(&w, digest_view(&hash));
    expect(call(c, "ReportFault", &in.base));
    in.idempotency = dw_once(&w);
    expect(call(c, "ReportFault", &in.base)); /* once for a leaf */
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, a->state_key);
    expect(call(a, "ReportFault", &in.base)); /* another's counts */
    in.idempotency = dw_once(&w);
    expect(call(c, "ReportFault", &in.base)); /* and c's is still known */
    dw_receive_all(&w);
    assert_int_equal(b->seen[DELIVERY_FAULT], 2);
    assert_int_equal(a->seen[DELIVERY_FAULT], 1);
    /* the one reported is slowed; others are not */
    expect(dw_commit(b, &(struct dcommit){0}));
    dw_receive_all(&w);
    assert_int_equal(dw_commit(b, &(struct dcommit){0}), HEARTH_RESOURCE_EXHAUSTED);
    assert_true(w.retry_s > 60);
    expect(dw_commit(a, &(struct dcommit){0}));
    dw_receive_all(&w);
    in.idempotency = dw_once(&w);
    in.commit_hash.data[0] ^= 1;
    assert_int_equal(call(c, "ReportFault", &in.base), HEARTH_NOT_FOUND);
    in.commit_hash.data[0] ^= 1;
    w.fake.unix_base_ms += (uint64_t)25 * 3600 * 1000;
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, b->state_key);
    assert_int_equal(call(b, "ReportFault", &in.base), HEARTH_NOT_FOUND); /* too long ago */
}

static void deletes(void **state)
{
    (void)state;
    three();
    uint32_t others[] = {dw_leaf(b), dw_leaf(c)};
    Hearth__V1__CommitRequest *commit =
        dw_commit_request(a, &(struct dcommit){.removes = others, .remove_count = 2});
    Hearth__V1__DeleteGroupRequest in;
    hearth__v1__delete_group_request__init(&in);
    in.idempotency = commit->idempotency;
    in.group = commit->group;
    in.commit = commit->commit;
    expect(call(a, "DeleteGroup", &in.base));
    dw_receive_all(&w);
    assert_int_equal(b->seen[DELIVERY_DELETED], 1);
    assert_false(group_is_active(b->group));
    assert_int_equal(dw_stats(&w).groups, 0);
    expect(call(a, "DeleteGroup", &in.base)); /* repeated: the first answer */
    assert_int_equal(dw_say(a, "anybody?"), HEARTH_UNAUTHENTICATED);
}

static void only_admins_delete_and_all_must_go(void **state)
{
    (void)state;
    three();
    uint32_t others[] = {dw_leaf(a), dw_leaf(c)};
    Hearth__V1__DeleteGroupRequest in;
    hearth__v1__delete_group_request__init(&in);
    Hearth__V1__CommitRequest *commit =
        dw_commit_request(b, &(struct dcommit){.removes = others, .remove_count = 2});
    in.idempotency = commit->idempotency;
    in.group = commit->group;
    in.commit = commit->commit;
    assert_int_equal(call(b, "DeleteGroup", &in.base), HEARTH_PERMISSION_DENIED);
    commit = dw_commit_request(a, &(struct dcommit){.removes = &others[1], .remove_count = 1});
    in.idempotency = commit->idempotency;
    in.commit = commit->commit;
    assert_int_equal(call(a, "DeleteGroup", &in.base), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(dw_stats(&w).groups, 1);
}

static void makes_another_admin(void **state)
{
    (void)state;
    three();
    struct member *d = dw_member(&w, NULL);
    assert_int_equal(dw_commit(b, &(struct dcommit){.adds = &d, .add_count = 1}),
                     HEARTH_PERMISSION_DENIED);
    struct extensions both = dw_context(&w, (struct member *[]){a, b}, 2);
    expect(dw_commit(a, &(struct dcommit){.extensions = &both}));
    dw_receive_all(&w);
    dw_add(&w, b, &d, 1);
}

/* F7: a user's second client is brought in by the first, countersigned. */
static void adds_a_further_client(void **state)
{
    (void)state;
    three();
    struct member *b2 = dw_member(&w, b);
    assert_int_equal(dw_commit(b, &(struct dcommit){.adds = &b2, .add_count = 1}),
                     HEARTH_INVALID_ARGUMENT); /* not countersigned */
    assert_ok(user_pseudonym_sign(&b->key, buf_view(&w.group_id), b->user_pseudonym,
                                  public_key_view(&b2->key.public_key), &b2->countersignature));
    dw_add(&w, b, &b2, 1);
    /* and may remove it */
    uint32_t leaf = dw_leaf(b2);
    expect(dw_commit(b, &(struct dcommit){.removes = &leaf, .remove_count = 1}));
    dw_receive_all(&w);
    assert_false(group_is_active(b2->group));
    /* but nobody else's */
    leaf = dw_leaf(c);
    assert_int_equal(dw_commit(b, &(struct dcommit){.removes = &leaf, .remove_count = 1}),
                     HEARTH_PERMISSION_DENIED);
}

static void changes_its_record_with_a_commit(void **state)
{
    (void)state;
    three();
    memset(b->wrapped_key, 0x77, sizeof b->wrapped_key);
    expect(dw_commit(b, &(struct dcommit){.new_record = true}));
    dw_receive_all(&w);
    Hearth__V1__GetExternalCommitInfoRequest in;
    hearth__v1__get_external_commit_info_request__init(&in);
    in.group = dw_access(&w, a->state_key);
    expect(dw_call(&w, "GetExternalCommitInfo", NULL, &in.base));
    const Hearth__V1__GetExternalCommitInfoResponse *out = (void *)w.out;
    assert_int_equal(out->n_leaves, 3);
    assert_memory_equal(out->leaves[1]->wrapped_identity_key.data, b->wrapped_key,
                        sizeof b->wrapped_key);
    /* references and policies are between their owner and the server: nothing of them is there */
    assert_int_equal(out->leaves[1]->base.n_unknown_fields, 0);
}

/* The same in a suite of another curve: member keys are not Ed25519. */
static int setup_p256(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.suite = suite_find(2);
    dw_start(&w);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(founds_adds_and_chats, setup, teardown),
        cmocka_unit_test_setup_teardown(removes_and_rotates, setup, teardown),
        cmocka_unit_test_setup_teardown(adds_and_removes_in_one_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(resyncs, setup, teardown),
        cmocka_unit_test_setup_teardown(sending_leaves_the_state_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_leaves_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(sends_a_large_commit_in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_what_waits_for_joiners, setup, teardown),
        cmocka_unit_test_setup_teardown(connects, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(sends_to_one, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_reference_and_profile_key, setup, teardown),
        cmocka_unit_test_setup_teardown(replaces_group_info, setup, teardown),
        cmocka_unit_test_setup_teardown(reports_a_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(deletes, setup, teardown),
        cmocka_unit_test_setup_teardown(only_admins_delete_and_all_must_go, setup, teardown),
        cmocka_unit_test_setup_teardown(makes_another_admin, setup, teardown),
        cmocka_unit_test_setup_teardown(adds_a_further_client, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_its_record_with_a_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(removes_and_rotates, setup_p256, teardown),
        cmocka_unit_test_setup_teardown(resyncs, setup_p256, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
