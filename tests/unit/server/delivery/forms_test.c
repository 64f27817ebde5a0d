/* Messages of another form than the call takes: each is refused by name, and the group goes on as
 * before. And leaves whose key changes. */
#include "support/delivery/delivery_world.h"

static struct dworld w;
static struct member *a, *b, *c, *d;

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    c = dw_member(&w, NULL);
    d = dw_member(&w, NULL);
    dw_limit(&w, "COMMITS_LEAF", 500);
    dw_limit(&w, "INVALID_COMMITS", 500);
    dw_limit(&w, "LEAF_UPDATES", 500);
    dw_limit(&w, "GROUP_INFO", 500);
    dw_found(&w, a);
    dw_add(&w, a, (struct member *[]){b, c}, 2);
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

#define expect_refusal(expression, error)                     \
    do {                                                      \
        assert_int_not_equal((expression), HEARTH_OK);        \
        assert_string_equal(w.message, err_text(ERR(error))); \
    } while (0)

static enum hearth_code call(struct member *m, const char *name, const ProtobufCMessage *in)
{
    struct dsigner signer = dw_signer(m);
    return dw_call(&w, name, &signer, in);
}

static struct bytes proposal_message(struct member *m, const struct proposal *p)
{
    struct buf proposal = BUF_INIT, message = BUF_INIT;
    proposal_write(&proposal, p);
    assert_ok(group_propose(m->group, &m->client, buf_view(&proposal), bytes_of(NULL, 0), &message,
                            NULL));
    struct bytes copy = bytes_of(arena_copy(&w.arena, message.data, message.len), message.len);
    buf_clear(&proposal);
    buf_clear(&message);
    return copy;
}

static enum hearth_code leave_with(struct member *m, struct bytes message)
{
    Hearth__V1__ProposeSelfRemoveRequest in;
    hearth__v1__propose_self_remove_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, m->state_key);
    in.proposal = dw_bytes(&w, message);
    return call(m, "ProposeSelfRemove", &in.base);
}

static void leaving_is_a_remove_of_ones_own_leaf(void **state)
{
    (void)state;
    struct proposal of_b = {.type = PROPOSAL_REMOVE, .remove = dw_leaf(b)};
    struct proposal of_c = {.type = PROPOSAL_REMOVE, .remove = dw_leaf(c)};
    struct bytes good = proposal_message(b, &of_b);
    /* somebody else's leaf; somebody else's proposal */
    expect_refusal(leave_with(b, proposal_message(b, &of_c)), DELIVERY_CONTENT);
    expect_refusal(leave_with(a, good), DELIVERY_CONTENT);
    /* a commit, an application message, no message at all */
    Hearth__V1__CommitRequest *commit = dw_commit_request(b, &(struct dcommit){0});
    if (commit->commit.len <= 4096)
        expect_refusal(leave_with(b, bytes_of(commit->commit.data, commit->commit.len)),
                       DELIVERY_CONTENT);
    Hearth__V1__SendMessageRequest *say = dw_say_request(b, "hello");
    expect_refusal(leave_with(b, bytes_of(say->message.data, say->message.len)), DELIVERY_CONTENT);
    assert_int_equal(leave_with(b, bytes_str("nonsense")), HEARTH_INVALID_ARGUMENT);
    /* of an epoch that is over */
    expect(dw_commit(a, &(struct dcommit){0}));
    assert_int_equal(leave_with(b, good), HEARTH_FAILED_PRECONDITION);
    assert_int_equal(w.wrong_epoch, group_epoch(a->group));
    dw_receive(b);
    dw_receive(c);
    expect(dw_leave(b));
}

static void commits_come_by_their_own_call(void **state)
{
    (void)state;
    /* another's commit, though all that is signed holds */
    Hearth__V1__CommitRequest *by_a = dw_commit_request(a, &(struct dcommit){0});
    struct dsigner signer = dw_signer(b);
    expect_refusal(dw_call(&w, "Commit", &signer, &by_a->base), DELIVERY_CONTENT);
    /* a proposal, and an application message, in the place of a commit */
    by_a->idempotency = dw_once(&w);
    ProtobufCBinaryData commit = by_a->commit;
    struct proposal of_c = {.type = PROPOSAL_REMOVE, .remove = dw_leaf(c)};
    by_a->commit = dw_bytes(&w, proposal_message(b, &of_c));
    expect_refusal(call(a, "Commit", &by_a->base), DELIVERY_CONTENT);
    by_a->idempotency = dw_once(&w);
    Hearth__V1__SendMessageRequest *say = dw_say_request(b, "hello");
    by_a->commit = say->message;
    expect_refusal(call(a, "Commit", &by_a->base), DELIVERY_CONTENT);
    /* a member's commit by the calls for external ones, and the other way about */
    struct dsigner by_c = dw_signer(c);
    Hearth__V1__ResyncRequest *resync = dw_resync_request(c, b);
    by_a->idempotency = dw_once(&w);
    by_a->commit = resync->commit;
    expect_refusal(dw_call(&w, "Commit", &by_c, &by_a->base), DELIVERY_CONTENT);
    ProtobufCBinaryData external = resync->commit;
    resync->commit = commit;
    struct dsigner signer_a = dw_signer(a);
    expect_refusal(dw_call(&w, "Resync", &signer_a, &resync->base), DELIVERY_CONTENT);
    resync->commit = external;
    resync->idempotency = dw_once(&w);
    expect(dw_call(&w, "Resync", &by_c, &resync->base));
}

/* A connection is joined by a PSK, and only while it is one user's. */
static void only_connections_are_joined(void **state)
{
    (void)state;
    Hearth__V1__JoinConnectionRequest *in = dw_connect_request(d, a);
    expect_refusal(dw_call(&w, "JoinConnection", NULL, &in->base), DELIVERY_PROPOSALS);
}

/* What was said beside the commit about Welcome and GroupInfo. */
static void parts_must_be_whole(void **state)
{
    (void)state;
    Hearth__V1__CommitRequest *in = dw_commit_request(a, &(struct dcommit){0});
    in->welcome_group_info = dw_bytes(&w, bytes_str("a Welcome for nobody"));
    expect_refusal(dw_commit_send(a, in), DELIVERY_JOINERS);
    in = dw_commit_request(a, &(struct dcommit){.adds = &d, .add_count = 1});
    in->welcome_group_info = (ProtobufCBinaryData){0};
    expect_refusal(dw_commit_send(a, in), DELIVERY_JOINERS);
    in = dw_commit_request(a, &(struct dcommit){.adds = &d, .add_count = 1});
    in->joiners[0]->encrypted_group_secrets.data[3] ^= 1; /* for another KeyPackage */
    expect_refusal(dw_commit_send(a, in), DELIVERY_JOINERS);
    in = dw_commit_request(a, &(struct dcommit){.adds = &d, .add_count = 1});
    in->joiners[0]->encrypted_group_secrets.len--; /* cut */
    expect_refusal(dw_commit_send(a, in), DELIVERY_JOINERS);
    in = dw_commit_request(a, &(struct dcommit){0});
    in->group_info->extensions = dw_bytes(&w, bytes_str("\x05nonsense"));
    expect_refusal(dw_commit_send(a, in), DELIVERY_INFO);
    dw_limit(&w, "GROUP_INFO_BYTES", 4096);
    uint8_t large[4097] = {0};
    in = dw_commit_request(a, &(struct dcommit){0});
    in->group_info->extensions = dw_bytes(&w, bytes_of(large, sizeof large));
    expect_refusal(dw_commit_send(a, in), TOO_LARGE);
    expect(dw_commit(a, &(struct dcommit){.adds = &d, .add_count = 1}));
}

/* The record beside a leaf speaks of its pseudonym: another leaf needs another record. */
static void a_changed_leaf_needs_a_record(void **state)
{
    (void)state;
    dw_renew(b);
    Hearth__V1__CommitRequest *in = dw_commit_request(b, &(struct dcommit){.new_record = true});
    in->own_leaf = NULL;
    expect_refusal(dw_commit_send(b, in), DELIVERY_RECORD);
    expect(dw_commit(b, &(struct dcommit){.new_record = true}));
    dw_receive_all(&w);
    dw_agree(&w);
}

/* A leaf that comes back with another signature key is vouched for by the old one, or by another
 * leaf of its user; nobody else can take its user's name. */
static void a_new_key_is_vouched_for(void **state)
{
    (void)state;
    struct sig_key old = b->key;
    struct dsigner by_old = dw_signer(b);
    by_old.key = &old;
    assert_ok(sig_key_generate(w.suite->sig, &w.rng, &b->key));
    dw_renew(b); /* the sealed identity binds the key */
    Hearth__V1__ResyncRequest *in = dw_resync_request(b, a);
    expect_refusal(dw_call(&w, "Resync", &by_old, &in->base), DELIVERY_RECORD);
    in->idempotency = dw_once(&w);
    assert_ok(user_pseudonym_sign(&c->key, buf_view(&w.group_id), b->user_pseudonym,
                                  public_key_view(&b->key.public_key), &b->countersignature));
    in->leaf->pseudonym_signature = dw_bytes(&w, signature_view(&b->countersignature));
    expect_refusal(dw_call(&w, "Resync", &by_old, &in->base), DELIVERY_RECORD);
    assert_ok(user_pseudonym_sign(&old, buf_view(&w.group_id), b->user_pseudonym,
                                  public_key_view(&b->key.public_key), &b->countersignature));
    in->leaf->pseudonym_signature = dw_bytes(&w, signature_view(&b->countersignature));
    in->idempotency = dw_once(&w);
    expect(dw_call(&w, "Resync", &by_old, &in->base));
    assert_ok(group_merge_pending(b->group));
    dw_receive_all(&w);
    /* the new key speaks for the leaf from now on, the old one for nobody */
    expect(dw_say(b, "it is me"));
    Hearth__V1__SendMessageRequest *say = dw_say_request(b, "it was me");
    assert_int_equal(dw_call(&w, "SendMessage", &by_old, &say->base), HEARTH_UNAUTHENTICATED);
    sig_key_clear(&old);
}

/* A targeted message has the bound of all messages. */
static void messages_are_bounded(void **state)
{
    (void)state;
    static uint8_t large[2049];
    Hearth__V1__SendTargetedMessageRequest in;
    hearth__v1__send_targeted_message_request__init(&in);
    dw_limit(&w, "MESSAGE_BYTES", 2048);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, a->state_key);
    in.recipient_leaf = dw_leaf(c);
    in.message = dw_bytes(&w, bytes_of(large, sizeof large));
    in.epoch = group_epoch(a->group);
    expect_refusal(call(a, "SendTargetedMessage", &in.base), TOO_LARGE);
    in.message.len--;
    in.idempotency = dw_once(&w);
    expect(call(a, "SendTargetedMessage", &in.base));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(leaving_is_a_remove_of_ones_own_leaf, setup, teardown),
        cmocka_unit_test_setup_teardown(commits_come_by_their_own_call, setup, teardown),
        cmocka_unit_test_setup_teardown(only_connections_are_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_must_be_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_leaf_needs_a_record, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_key_is_vouched_for, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_are_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
