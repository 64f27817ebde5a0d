/* Limits of a leaf hold whatever the leaf does: it may take another pseudonym with each commit, and
 * a member may bring clients of its own. And what is large costs more (DoS4, DoS8, DoS9). */
#include "crypto/hash.h"
#include "support/delivery/delivery_world.h"

static struct dworld w;
static struct member *a, *b, *c;

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    c = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, (struct member *[]){b, c}, 2);
    dw_pass_s(&w, 3600); /* all have all their credits */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dw_end(&w);
    return 0;
}

static void expect(enum hearth_code code)
{
    if (code != HEARTH_OK)
        fail_msg("%s: %s", hearth_code_name(code), w.message);
}

/* A commit under another pseudonym. */
static enum hearth_code renew(struct member *m)
{
    dw_renew(m);
    enum hearth_code code = dw_commit(m, &(struct dcommit){.new_record = true});
    dw_receive_all(&w);
    return code;
}

static void a_new_pseudonym_has_no_new_commits(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++)
        expect(renew(b));
    assert_int_equal(renew(b), HEARTH_RESOURCE_EXHAUSTED);
    assert_in_range(w.retry_s, 1, 10);
    dw_pass_s(&w, 11);
    expect(renew(b));
    expect(renew(a)); /* others have theirs */
}

static void a_new_pseudonym_has_no_new_messages(void **state)
{
    (void)state;
    dw_limit(&w, "SEND_LEAF", 3);
    for (int i = 0; i < 3; i++)
        expect(dw_say(b, "flood"));
    expect(renew(b));
    assert_int_equal(dw_say(b, "flood"), HEARTH_RESOURCE_EXHAUSTED);
    expect(dw_say(c, "no flood"));
}

/* Nor does coming in again from outside. */
static void a_resync_has_no_new_resyncs(void **state)
{
    (void)state;
    for (int i = 0; i <= 3; i++) {
        struct dsigner signer = dw_signer(b);
        dw_renew(b);
        Hearth__V1__ResyncRequest *in = dw_resync_request(b, a);
        enum hearth_code code = dw_call(&w, "Resync", &signer, &in->base);
        if (i == 3) {
            assert_int_equal(code, HEARTH_RESOURCE_EXHAUSTED);
            break;
        }
        expect(code);
        assert_ok(group_merge_pending(b->group));
        dw_receive_all(&w);
    }
}

static void ones_own_clients_have_no_new_commits(void **state)
{
    (void)state;
    struct member *more = dw_member(&w, b);
    for (int i = 0; i < 5; i++) {
        expect(dw_commit(b, &(struct dcommit){0}));
        dw_receive_all(&w);
    }
    assert_ok(user_pseudonym_sign(&b->key, buf_view(&w.group_id), more->user_pseudonym,
                                  public_key_view(&more->key.public_key), &more->countersignature));
    dw_add(&w, b, &more, 1);
    assert_int_equal(dw_commit(more, &(struct dcommit){0}), HEARTH_RESOURCE_EXHAUSTED);
    /* whom an admin adds, who is somebody else, begins anew */
    struct member *d = dw_member(&w, NULL);
    for (int i = 0; i < 5; i++) {
        expect(dw_commit(a, &(struct dcommit){0}));
        dw_receive_all(&w);
    }
    dw_add(&w, a, &d, 1);
    expect(dw_commit(d, &(struct dcommit){0}));
}

/* DoS9: who was reported stays slow. */
static void a_report_goes_with_the_pseudonym(void **state)
{
    (void)state;
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
    struct dsigner by_c = dw_signer(c);
    expect(dw_call(&w, "ReportFault", &by_c, &in.base));
    dw_receive_all(&w);
    expect(renew(b));
    assert_int_equal(renew(b), HEARTH_RESOURCE_EXHAUSTED);
    assert_true(w.retry_s > 60);
}

/* A commit is sent to everybody, byte for byte, and its GroupInfo to each joiner. */
static void commits_cost_their_bytes(void **state)
{
    (void)state;
    struct member *d = dw_member(&w, NULL);
    Hearth__V1__CommitRequest *in =
        dw_commit_request(a, &(struct dcommit){.adds = &d, .add_count = 1});
    size_t commit_kib = in->commit.len / 1024;
    size_t both_kib = (in->commit.len + in->welcome_group_info.len) / 1024;
    assert_true(commit_kib >= 1 && both_kib > commit_kib);
    dw_limit(&w, "SEND_LEAF_KIB", both_kib);
    assert_int_equal(dw_commit_send(a, in), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(w.retry_s, 0); /* waiting won't help */
    dw_limit(&w, "SEND_LEAF_KIB", both_kib + 1);
    in->idempotency = dw_once(&w);
    expect(dw_commit_send(a, in));
}

/* The forms of commits are the library's, so that a large one is made of its path's bytes: it is
 * refused before anybody looks at it. */
static void commits_cost_their_rows(void **state)
{
    (void)state;
    uint8_t *large = arena_alloc(&w.arena, 3 * FAN_OUT_BODY_MAX_BYTES);
    assert_non_null(large);
    Hearth__V1__CommitRequest *in = dw_commit_request(b, &(struct dcommit){0});
    dw_limit(&w, "FAN_OUT_GROUP", 8); /* three members, three parts and a bit */
    in->commit = (ProtobufCBinaryData){(size_t)2 * FAN_OUT_BODY_MAX_BYTES + 1, large};
    assert_int_equal(dw_commit_send(b, in), HEARTH_RESOURCE_EXHAUSTED);
    dw_limit(&w, "FAN_OUT_GROUP", 20);
    in->idempotency = dw_once(&w);
    assert_int_equal(dw_commit_send(b, in), HEARTH_INVALID_ARGUMENT);
}

/* A commit that removes has a row more for each leaf that stays: its new state key. */
static void removing_commits_cost_their_state_keys(void **state)
{
    (void)state;
    struct member *d = dw_member(&w, NULL);
    dw_add(&w, a, &d, 1);
    dw_pass_s(&w, 600);
    uint32_t leaf = dw_leaf(d);
    const struct dcommit removing = {.removes = &leaf, .remove_count = 1};
    dw_limit(&w, "FAN_OUT_GROUP", 6); /* four rows of the commit, three of state keys */
    Hearth__V1__CommitRequest *in = dw_commit_request(a, &removing);
    assert_int_equal(dw_commit_send(a, in), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(w.retry_s, 0); /* waiting won't help */
    assert_int_equal(dw_stats(&w).outbox_rows, 0);
    dw_receive_all(&w);
    assert_int_equal(d->seen[DELIVERY_COMMIT], 0);
    /* what it is not allowed does not count as invalid, and one that removes nobody is within it */
    dw_limit(&w, "FAN_OUT_GROUP", 4);
    dw_pass_s(&w, 3600);
    expect(renew(a));
    dw_receive_all(&w);
    dw_limit(&w, "FAN_OUT_GROUP", 7);
    dw_pass_s(&w, 3600);
    expect(dw_commit(a, &removing));
    dw_receive_all(&w);
    assert_memory_equal(a->state_key, b->state_key, STATE_KEY_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_pseudonym_has_no_new_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_pseudonym_has_no_new_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(a_resync_has_no_new_resyncs, setup, teardown),
        cmocka_unit_test_setup_teardown(ones_own_clients_have_no_new_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_report_goes_with_the_pseudonym, setup, teardown),
        cmocka_unit_test_setup_teardown(commits_cost_their_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(commits_cost_their_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(removing_commits_cost_their_state_keys, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
