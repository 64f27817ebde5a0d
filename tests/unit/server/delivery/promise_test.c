/* G1 to G5 (docs/threat-model.md), and faults that others had: each with a run in which the defence
 * is off, where that can be, to show that it is the defence that holds. */
#include "support/delivery/delivery_world.h"
#include "support/vfs_fault.h"

static struct dworld w;
static struct vfs_fault *vfs;
static struct member *a, *b, *c;

static void expect(enum hearth_code code)
{
    if (code != HEARTH_OK)
        fail_msg("%s: %s", hearth_code_name(code), w.message);
}

static void three(void)
{
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    c = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, (struct member *[]){b, c}, 2);
}

static int begin(uint32_t control)
{
    memset(&w, 0, sizeof w);
    w.options.control = control;
    dw_start(&w);
    three();
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return begin(0);
}

static int setup_no_version(void **state)
{
    (void)state;
    return begin(DELIVERY_NO_VERSION);
}

static int setup_no_content(void **state)
{
    (void)state;
    return begin(DELIVERY_NO_CONTENT);
}

static int setup_no_joiners(void **state)
{
    (void)state;
    return begin(DELIVERY_NO_JOINERS);
}

static int setup_no_rotation(void **state)
{
    (void)state;
    return begin(DELIVERY_NO_ROTATION);
}

static int teardown(void **state)
{
    (void)state;
    dw_end(&w);
    if (vfs != NULL)
        vfs_fault_free(vfs);
    vfs = NULL;
    return 0;
}

/* Two commits of one epoch, under way at once. Returns how many were accepted. */
static int race(void)
{
    Hearth__V1__CommitRequest *of_a = dw_commit_request(a, &(struct dcommit){0});
    Hearth__V1__CommitRequest *of_b = dw_commit_request(b, &(struct dcommit){0});
    struct dsigner by_a = dw_signer(a);
    struct dsigner by_b = dw_signer(b);
    dw_begin(&w, "Commit", &by_a, &of_a->base);
    dw_begin(&w, "Commit", &by_b, &of_b->base);
    int accepted = dw_wait(&w) == HEARTH_OK;
    if (accepted == 1)
        assert_ok(group_merge_pending(a->group));
    if (dw_wait(&w) == HEARTH_OK) {
        accepted++;
    } else {
        assert_int_equal(w.code, HEARTH_FAILED_PRECONDITION);
        assert_int_equal(w.wrong_epoch, group_epoch(c->group) + 1);
    }
    return accepted;
}

/* G1. "Two commits in one epoch." */
static void g1_one_commit_per_epoch(void **state)
{
    (void)state;
    assert_int_equal(race(), 1);
    dw_receive_all(&w);
    dw_agree(&w);
    /* F17: the loser retries on the new epoch */
    expect(dw_commit(b, &(struct dcommit){0}));
    dw_receive_all(&w);
    dw_agree(&w);
}

static void g1_control(void **state)
{
    (void)state;
    assert_int_equal(race(), 2);
}

/* G2. "State stored but fan-out lost": every write of the commit's transaction fails once; either
 * all of it is there afterwards, or nothing. */
static void g2_state_rows_and_answer_are_one(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        memset(&w, 0, sizeof w);
        vfs = vfs_fault_new("g2");
        w.options.store.path = "delivery.db";
        w.options.store.files = "g2";
        dw_start(&w);
        three();
        Hearth__V1__CommitRequest *in = dw_commit_request(a, &(struct dcommit){0});
        struct dsigner signer = dw_signer(a);
        vfs_fail(vfs, VFS_WRITE, VFS_ERROR, n, 1);
        enum hearth_code code = dw_call(&w, "Commit", &signer, &in->base);
        long failed = vfs_failed(vfs);
        size_t before = b->item_count;
        dw_restart(&w); /* S1: a store that failed to write stops */
        dw_settle(&w);
        dw_pass_s(&w, 8);
        /* the same request again, as a client would: whatever was, it ends accepted, once */
        enum hearth_code again = dw_call(&w, "Commit", &signer, &in->base);
        if (again != HEARTH_OK)
            fail_msg("write %ld: %s: %s", n, hearth_code_name(again), w.message);
        if (code == HEARTH_OK && failed == 0)
            assert_int_equal(dw_stats(&w).groups, 1);
        assert_ok(group_merge_pending(a->group));
        dw_pass_s(&w, 8);
        dw_receive_all(&w);
        assert_true(b->item_count <= before + 1);
        assert_int_equal(b->seen[DELIVERY_COMMIT], 1);
        dw_agree(&w);
        dw_end(&w);
        vfs_fault_free(vfs);
        vfs = NULL;
        if (failed == 0) {
            assert_true(n > 3); /* there was something to fail */
            break;
        }
    }
    memset(&w, 0, sizeof w);
    dw_start(&w);
}

/* G3: what a queue gets is in the order of the group: here members open everything in order, and
 * any message before the commit of its epoch would not decrypt. */
static void g3_group_order_in_each_queue(void **state)
{
    (void)state;
    struct member *speakers[] = {a, b, c};
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            expect(dw_say(speakers[i], "x"));
        dw_limit(&w, "COMMITS_LEAF", 100);
        expect(dw_commit(speakers[round % 3], &(struct dcommit){0}));
        expect(dw_say(speakers[round % 3], "of the new epoch"));
        dw_receive_all(&w);
        dw_agree(&w);
    }
    for (int i = 0; i < 3; i++)
        for (size_t k = 1; k < speakers[i]->item_count; k++)
            assert_true(speakers[i]->items[k].sequence > speakers[i]->items[k - 1].sequence);
    assert_int_equal(a->seen[DELIVERY_MESSAGE] + b->seen[DELIVERY_MESSAGE] +
                         c->seen[DELIVERY_MESSAGE],
                     2 * (15 + 5));
}

/* G4: the same request gives the same answer and one effect; the same id with another body is
 * refused. */
static void g4_repeated_request(void **state)
{
    (void)state;
    Hearth__V1__SendMessageRequest *in = dw_say_request(a, "once");
    struct dsigner signer = dw_signer(a);
    expect(dw_call(&w, "SendMessage", &signer, &in->base));
    uint64_t at = ((const Hearth__V1__SendMessageResponse *)(const void *)w.out)->accepted_at;
    dw_pass_s(&w, 30);
    expect(dw_call(&w, "SendMessage", &signer, &in->base));
    assert_int_equal(((const Hearth__V1__SendMessageResponse *)(const void *)w.out)->accepted_at,
                     at);
    /* and twice at once */
    Hearth__V1__SendMessageRequest *two = dw_say_request(a, "twice at once");
    dw_begin(&w, "SendMessage", &signer, &two->base);
    dw_begin(&w, "SendMessage", &signer, &two->base);
    expect(dw_wait(&w));
    expect(dw_wait(&w));
    dw_receive_all(&w);
    assert_int_equal(b->seen[DELIVERY_MESSAGE], 2);
    /* a commit, across a rotation, whose state key is no key any more */
    uint32_t gone = dw_leaf(c);
    Hearth__V1__CommitRequest *commit =
        dw_commit_request(a, &(struct dcommit){.removes = &gone, .remove_count = 1});
    expect(dw_call(&w, "Commit", &signer, &commit->base));
    uint8_t key[STATE_KEY_BYTES];
    const Hearth__V1__CommitResponse *out = (void *)w.out;
    assert_int_equal(out->state_key.len, STATE_KEY_BYTES);
    memcpy(key, out->state_key.data, sizeof key);
    expect(dw_call(&w, "Commit", &signer, &commit->base));
    out = (void *)w.out;
    assert_memory_equal(key, out->state_key.data, sizeof key);
    dw_receive_all(&w);
    assert_int_equal(b->seen[DELIVERY_COMMIT], 1);
    /* another body under the id */
    in->notify = false;
    assert_int_equal(dw_call(&w, "SendMessage", &signer, &in->base), HEARTH_ALREADY_EXISTS);
}

static uint8_t key_of_c[STATE_KEY_BYTES];
static struct dsigner signer_of_c;

/* c is removed; what it knew is kept. */
static void remove_c(void)
{
    uint32_t gone = dw_leaf(c);
    memcpy(key_of_c, c->state_key, sizeof key_of_c);
    signer_of_c = dw_signer(c);
    expect(dw_commit(a, &(struct dcommit){.removes = &gone, .remove_count = 1}));
    dw_receive_all(&w);
}

/* G5: the removing commit and nothing later. */
static void g5_removed_member_gets_no_more(void **state)
{
    (void)state;
    remove_c();
    size_t had = c->item_count;
    assert_int_equal(c->seen[DELIVERY_COMMIT], 1);
    expect(dw_say(a, "c is gone"));
    expect(dw_commit(b, &(struct dcommit){0}));
    dw_receive_all(&w);
    assert_int_equal(c->item_count, had);
    /* nor could it read what the others got */
    assert_false(dw_opens(b, b->item_count - 1, key_of_c));
    assert_false(dw_opens(a, a->item_count - 1, key_of_c));
    assert_true(dw_opens(a, a->item_count - 1, a->state_key));
}

/* A message and the commit that removes somebody under way at once: the rows were made for the old
 * members, so the message must not go out with them. */
static void g5_message_that_races_a_removal(void **state)
{
    (void)state;
    uint32_t gone = dw_leaf(c);
    Hearth__V1__CommitRequest *commit =
        dw_commit_request(a, &(struct dcommit){.removes = &gone, .remove_count = 1});
    Hearth__V1__SendMessageRequest *say = dw_say_request(b, "late");
    struct dsigner by_a = dw_signer(a);
    struct dsigner by_b = dw_signer(b);
    size_t had = c->item_count;
    dw_begin(&w, "Commit", &by_a, &commit->base);
    dw_begin(&w, "SendMessage", &by_b, &say->base);
    expect(dw_wait(&w));
    enum hearth_code code = dw_wait(&w);
    dw_settle(&w);
    if (code == HEARTH_OK) {
        /* it was first: c gets it, then the commit */
        assert_int_equal(c->item_count, had + 2);
    } else {
        assert_int_equal(c->item_count, had + 1);
    }
}

static bool ex_member_reads(void)
{
    Hearth__V1__GetExternalCommitInfoRequest in;
    hearth__v1__get_external_commit_info_request__init(&in);
    in.group = dw_access(&w, key_of_c);
    enum hearth_code code = dw_call(&w, "GetExternalCommitInfo", NULL, &in.base);
    return code == HEARTH_OK;
}

/* "Ex-member reading state": the closest relative never rotates. */
static void ex_member_reading_state(void **state)
{
    (void)state;
    remove_c();
    assert_false(ex_member_reads());
    assert_int_equal(w.code, HEARTH_NOT_FOUND);
    /* nor does its signature help */
    Hearth__V1__SendMessageRequest in;
    hearth__v1__send_message_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, key_of_c);
    in.message = dw_bytes(&w, bytes_str("hello"));
    assert_int_equal(dw_call(&w, "SendMessage", &signer_of_c, &in.base), HEARTH_UNAUTHENTICATED);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, a->state_key); /* even had somebody told it the key */
    assert_int_equal(dw_call(&w, "SendMessage", &signer_of_c, &in.base), HEARTH_UNAUTHENTICATED);
}

static void ex_member_reading_state_control(void **state)
{
    (void)state;
    remove_c();
    assert_true(ex_member_reads());
}

/* "Welcome list shorter than the adds", and its kin. */
static Hearth__V1__CommitRequest *two_joiners(struct member **ret_d, struct member **ret_e)
{
    *ret_d = dw_member(&w, NULL);
    *ret_e = dw_member(&w, NULL);
    return dw_commit_request(
        a, &(struct dcommit){.adds = (struct member *[]){*ret_d, *ret_e}, .add_count = 2});
}

static void welcome_list_shorter_than_the_adds(void **state)
{
    (void)state;
    struct member *d, *e;
    dw_limit(&w, "COMMITS_LEAF", 100);
    Hearth__V1__CommitRequest *in = two_joiners(&d, &e);
    in->n_joiners = 1;
    assert_int_equal(dw_commit_send(a, in), HEARTH_INVALID_ARGUMENT);
    /* the same one twice; in the wrong order; one too many */
    in = two_joiners(&d, &e);
    in->joiners[1]->encrypted_group_secrets = in->joiners[0]->encrypted_group_secrets;
    assert_int_equal(dw_commit_send(a, in), HEARTH_INVALID_ARGUMENT);
    in = two_joiners(&d, &e);
    ProtobufCBinaryData first = in->joiners[0]->encrypted_group_secrets;
    in->joiners[0]->encrypted_group_secrets = in->joiners[1]->encrypted_group_secrets;
    in->joiners[1]->encrypted_group_secrets = first;
    assert_int_equal(dw_commit_send(a, in), HEARTH_INVALID_ARGUMENT);
    in = two_joiners(&d, &e);
    in->joiners = (Hearth__V1__JoinerPart *[]){in->joiners[0], in->joiners[1], in->joiners[1]};
    in->n_joiners = 3;
    assert_int_equal(dw_commit_send(a, in), HEARTH_INVALID_ARGUMENT);
    in = two_joiners(&d, &e);
    in->welcome_group_info.len = 0;
    assert_int_equal(dw_commit_send(a, in), HEARTH_INVALID_ARGUMENT);
    /* nothing of these happened */
    assert_int_equal(dw_stats(&w).past_trees, 1);
    expect(dw_commit_send(a, two_joiners(&d, &e)));
}

static void welcome_list_control(void **state)
{
    (void)state;
    struct member *d, *e;
    Hearth__V1__CommitRequest *in = two_joiners(&d, &e);
    in->joiners = (Hearth__V1__JoinerPart *[]){in->joiners[0], in->joiners[1], in->joiners[1]};
    in->n_joiners = 3;
    expect(dw_commit_send(a, in));
}

static enum hearth_code send_bytes(struct bytes message)
{
    Hearth__V1__SendMessageRequest in;
    struct dsigner signer = dw_signer(a);
    hearth__v1__send_message_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, a->state_key);
    in.message = dw_bytes(&w, message);
    return dw_call(&w, "SendMessage", &signer, &in.base);
}

/* A PrivateMessage with these fields, which nobody can decrypt. */
static struct bytes private_message(uint64_t epoch, enum content_type type, struct bytes group_id)
{
    struct buf encoded = BUF_INIT;
    struct mls_message m = {
        .wire_format = WIRE_FORMAT_PRIVATE_MESSAGE,
        .private_message = {.group_id = group_id,
                            .epoch = epoch,
                            .content_type = type,
                            .encrypted_sender_data = bytes_str("sender data"),
                            .ciphertext = bytes_str("ciphertext")},
    };
    mls_message_write(&encoded, &m);
    struct bytes copy = bytes_of(arena_copy(&w.arena, encoded.data, encoded.len), encoded.len);
    buf_clear(&encoded);
    return copy;
}

/* "Content type and epoch unchecked on send." */
static void content_type_and_epoch_on_send(void **state)
{
    (void)state;
    uint64_t epoch = group_epoch(a->group);
    struct bytes id = buf_view(&w.group_id);
    expect(send_bytes(private_message(epoch, CONTENT_APPLICATION, id)));
    assert_int_equal(send_bytes(private_message(epoch, CONTENT_COMMIT, id)),
                     HEARTH_INVALID_ARGUMENT);
    assert_int_equal(send_bytes(private_message(epoch, CONTENT_PROPOSAL, id)),
                     HEARTH_INVALID_ARGUMENT);
    assert_int_equal(send_bytes(private_message(epoch, CONTENT_APPLICATION, bytes_str("another"))),
                     HEARTH_INVALID_ARGUMENT);
    assert_int_equal(send_bytes(private_message(epoch - 1, CONTENT_APPLICATION, id)),
                     HEARTH_FAILED_PRECONDITION);
    assert_int_equal(w.wrong_epoch, epoch);
    assert_int_equal(send_bytes(private_message(epoch + 1, CONTENT_APPLICATION, id)),
                     HEARTH_FAILED_PRECONDITION);
    assert_int_equal(send_bytes(bytes_str("not MLS at all")), HEARTH_INVALID_ARGUMENT);
    Hearth__V1__CommitRequest *commit = dw_commit_request(a, &(struct dcommit){0});
    assert_int_equal(send_bytes(bytes_of(commit->commit.data, commit->commit.len)),
                     HEARTH_INVALID_ARGUMENT);
    dw_settle(&w);
    assert_int_equal(b->item_count - b->read, 1);
}

static void content_control(void **state)
{
    (void)state;
    expect(send_bytes(private_message(0, CONTENT_COMMIT, bytes_str("another"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(g1_one_commit_per_epoch, setup, teardown),
        cmocka_unit_test_setup_teardown(g1_control, setup_no_version, teardown),
        cmocka_unit_test_setup_teardown(g2_state_rows_and_answer_are_one, NULL, teardown),
        cmocka_unit_test_setup_teardown(g3_group_order_in_each_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(g4_repeated_request, setup, teardown),
        cmocka_unit_test_setup_teardown(g5_removed_member_gets_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(g5_message_that_races_a_removal, setup, teardown),
        cmocka_unit_test_setup_teardown(ex_member_reading_state, setup, teardown),
        cmocka_unit_test_setup_teardown(ex_member_reading_state_control, setup_no_rotation,
                                        teardown),
        cmocka_unit_test_setup_teardown(welcome_list_shorter_than_the_adds, setup, teardown),
        cmocka_unit_test_setup_teardown(welcome_list_control, setup_no_joiners, teardown),
        cmocka_unit_test_setup_teardown(content_type_and_epoch_on_send, setup, teardown),
        cmocka_unit_test_setup_teardown(content_control, setup_no_content, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
