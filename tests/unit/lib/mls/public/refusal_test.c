/* What the other tests of the public ring leave out: each field of a successor, each kind of
 * proposal from outside, GroupInfos at their edges, and memory that runs out in the checks that are
 * not part of a message. */
#include "crypto/labelled.h"
#include "kit/mls_kit.h"
#include "support/failing.h"
#include "support/test.h"

static struct kit k;

static int setup(void **state)
{
    (void)state;
    kit_init(&k, suite_find(1), 71);
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

/* ---- successors (RFC 9420 11.2, 11.3) ---- */

enum { PRIVATE_TYPE = 0xf0f0 }; /* of credentials: RFC 9420 17.5 */

/* A group of members with the names of k's, in epoch 1. */
static void next_group(struct kit *next, uint16_t suite, uint16_t credential_type,
                       const struct extensions *extensions)
{
    kit_init(next, suite_find(suite), 72);
    next->credential_type = credential_type;
    next->capabilities_credentials = kit_list(next, 1, &credential_type);
    kit_group(next, 3, false, extensions);
    struct group_context gc = next->group.context;
    gc.group_id = bytes_str("next");
    gc.epoch = 1;
    struct buf b = BUF_INIT;
    group_context_write(&b, &gc);
    assert_ok(public_group_adopt_context(&next->group, kit_take(next, &b)));
}

/* As the merged commit of a ReInit leaves it. */
static void close_with(const struct reinit *reinit)
{
    buf_clear(&k.group.reinit);
    reinit_write(&k.group.reinit, reinit);
    assert_ok(buf_check(&k.group.reinit));
}

/* RFC 9420 12.4.3.1: each thing that the ReInit says, wrong alone. */
static void successors(void **state)
{
    (void)state;
    struct kit next;
    struct extensions none = {0};
    struct extensions one = kit_extension(&k, EXTENSION_EXTERNAL_SENDERS, bytes_of("", 1));
    struct reinit right = {bytes_str("next"), MLS_VERSION_MLS10, 1, none};
    kit_group(&k, 3, false, &none);
    next_group(&next, 1, CREDENTIAL_BASIC, &none);
    struct reinit said[] = {right, right, right, right};
    said[0].group_id = bytes_str("text");
    said[1].version = MLS_VERSION_MLS10 + 1;
    said[2].cipher_suite = 3;
    said[3].extensions = one;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        close_with(&said[i]);
        assert_err(public_group_check_reinit(&k.group, &next.group), MLS_REINIT_MISMATCH);
    }
    close_with(&right);
    assert_ok(public_group_check_reinit(&k.group, &next.group));
    kit_clear(&next);

    /* a reinitialised group may change its suite, a branch may not */
    next_group(&next, 3, CREDENTIAL_BASIC, &none);
    assert_err(public_group_check_reinit(&k.group, &next.group), MLS_REINIT_MISMATCH);
    close_with(&said[2]);
    assert_ok(public_group_check_reinit(&k.group, &next.group));
    assert_err(public_group_check_branch(&k.group, &next.group), MLS_BRANCH_MISMATCH);
    kit_clear(&next);

    /* the same names in credentials of another type are other members */
    next_group(&next, 1, PRIVATE_TYPE, &none);
    close_with(&right);
    assert_err(public_group_check_reinit(&k.group, &next.group), MLS_REINIT_MEMBERS);
    assert_err(public_group_check_branch(&k.group, &next.group), MLS_BRANCH_MEMBERS);
    kit_clear(&next);
}

/* ---- proposals from outside (RFC 9420 12.1.8) ---- */

static void external_proposals(void **state)
{
    (void)state;
    struct sig_key key;
    struct extensions none = {0};
    struct psk_id psk = {.type = PSK_EXTERNAL, .id = bytes_str("psk"), .nonce = kit_random(&k, 32)};
    assert_ok(sig_key_generate(k.suite->sig, &k.rng, &key));
    struct buf b = BUF_INIT;
    struct external_sender bot = {public_key_view(&key.public_key),
                                  {CREDENTIAL_BASIC, bytes_str("bot")}};
    size_t mark = wire_vector_begin(&b);
    external_sender_write(&b, &bot);
    wire_vector_end(&b, mark);
    struct extensions extensions = kit_extension(&k, EXTENSION_EXTERNAL_SENDERS, kit_take(&k, &b));
    kit_group(&k, 3, false, &extensions);
    struct proposal p[] = {
        {.type = PROPOSAL_PSK, .psk = psk},
        {.type = PROPOSAL_REINIT, .reinit = {bytes_str("next"), MLS_VERSION_MLS10, 1, none}},
        {.type = PROPOSAL_GROUP_CONTEXT_EXTENSIONS},
        {.type = 0xff01, .unknown = bytes_str("what")},
    };
    struct sender from = {SENDER_EXTERNAL, 0};
    for (uint32_t i = 0; i < 3; i++) {
        assert_ok(process(kit_proposal_message(&k, from, &key, kit_proposal(&k, &p[i]))));
        assert_int_equal(k.group.proposals.count, i + 1);
    }
    assert_err(process(kit_proposal_message(&k, from, &key, kit_proposal(&k, &p[3]))),
               MLS_EXTERNAL_PROPOSAL_TYPE);
    assert_int_equal(k.group.proposals.count, 3);
    sig_key_clear(&key);
}

/* Content of the other kind, and a group that is over: the steps by themselves say so too. */
static void wrong_step(void **state)
{
    (void)state;
    struct mls_message commit, proposal;
    struct staged_commit *s = NULL;
    kit_group(&k, 3, true, &(struct extensions){0});
    struct bytes message = kit_commit(&k, 0, NULL, 0, true);
    assert_ok(mls_message_parse(message, &k.arena, &commit));
    assert_ok(
        mls_message_parse(kit_member_proposal(&k, 1, kit_remove(&k, 2)), &k.arena, &proposal));
    assert_err(public_group_add_proposal(&k.group, &commit.public_message.content, &k.policy),
               ARGUMENT);
    assert_err(staged_commit_process(&k.group, &proposal.public_message.content, &k.policy, &s),
               ARGUMENT);
    assert_int_equal(k.group.proposals.count, 0);
    close_with(&(struct reinit){bytes_str("next"), MLS_VERSION_MLS10, 1, {{NULL, 0}}});
    assert_err(staged_commit_begin(&k.group, (struct sender){SENDER_MEMBER, 0}, NULL, 0, &k.policy,
                                   &(struct staged_options){0}, &s),
               MLS_GROUP_CLOSED);
    assert_err(process(message), MLS_GROUP_CLOSED);
    assert_null(s);
}

/* ---- GroupInfo ---- */

static void transcript_empty(struct kit *kit, struct group_info *info)
{
    (void)kit;
    info->group_context.confirmed_transcript_hash.len = 0;
}

static void external_pub_longer(struct kit *kit, struct group_info *info)
{
    struct buf b = BUF_INIT, data = BUF_INIT;
    wire_write_vector(&data, kit_kem_key(kit));
    wire_write_u8(&data, 0);
    buf_append_bytes(&b, info->extensions.raw);
    extension_write(&b, EXTENSION_EXTERNAL_PUB, buf_view(&data));
    buf_clear(&data);
    info->extensions.raw = kit_take(kit, &b);
}

static struct err judge(void (*hook)(struct kit *, struct group_info *))
{
    struct mls_message m;
    struct public_group g;
    k.hooks.group_info = hook;
    struct bytes message = kit_group_info(&k, 1, bytes_of(NULL, 0));
    k.hooks.group_info = NULL;
    assert_ok(mls_message_parse(message, &k.arena, &m));
    struct err err = public_group_from_group_info(&m.group_info, bytes_of(NULL, 0), &k.policy, &g);
    if (err_is_ok(err))
        public_group_clear(&g);
    return err;
}

static void group_infos(void **state)
{
    (void)state;
    struct mls_message m;
    kit_group(&k, 3, true, &(struct extensions){0});
    assert_ok(judge(NULL));
    /* RFC 9420 8.2: empty in epoch 0 alone */
    assert_err(judge(transcript_empty), MLS_TRANSCRIPT_HASH_LENGTH);
    /* RFC 9420 12.4.3.2: a key and nothing behind it, for a joiner and for who has the group */
    assert_err(judge(external_pub_longer), MLS_EXTERNAL_PUB);
    k.hooks.group_info = external_pub_longer;
    struct bytes message = kit_group_info(&k, 1, bytes_of(NULL, 0));
    k.hooks.group_info = NULL;
    assert_ok(mls_message_parse(message, &k.arena, &m));
    assert_err(public_group_check_info(&k.group, &m.group_info), MLS_EXTERNAL_PUB);
}

/* ---- memory ---- */

static struct kit other;
static struct staged_commit *staged;
static struct welcome welcome;

static struct err check_welcomes(void)
{
    return staged_commit_check_welcomes(staged, &welcome, 1);
}

static struct err check_reinit(void)
{
    return public_group_check_reinit(&k.group, &other.group);
}

static struct err check_branch(void)
{
    return public_group_check_branch(&k.group, &other.group);
}

/* Each allocation fails once; the check that could not be made is never taken for a passed one. */
static void fail_each(struct err (*check)(void), long at_least)
{
    for (long n = 0;; n++) {
        test_fail_own_allocation(n);
        struct err err = check();
        bool failed = test_allocation_failed();
        test_fail_allocation(-1);
        if (!failed) {
            assert_ok(err);
            assert_true(n >= at_least);
            return;
        }
        assert_err(err, NO_MEMORY);
    }
}

static void checks_without_memory(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct digest ref;
    struct extensions none = {0};
    if (!test_can_fail_allocations())
        skip();
    kit_group(&k, 3, true, &none);
    struct proposal_or_ref list[] = {kit_by_value(&k, kit_add(&k, kit_client_new(&k))),
                                     kit_by_value(&k, kit_remove(&k, 2))};
    assert_ok(labelled_ref_hash(k.suite->hash, bytes_str("MLS 1.0 KeyPackage Reference"),
                                list[0].proposal.add->raw, &ref));
    struct encrypted_group_secrets e = {.new_member = digest_view(&ref)};
    encrypted_group_secrets_write(&b, &e);
    welcome = (struct welcome){.cipher_suite = 1, .secrets = kit_take(&k, &b), .secret_count = 1};
    staged = kit_stage(&k, kit_commit(&k, 0, list, 2, true));
    fail_each(check_welcomes, 2);
    staged_commit_free(&staged);
    next_group(&other, 1, CREDENTIAL_BASIC, &none);
    close_with(&(struct reinit){bytes_str("next"), MLS_VERSION_MLS10, 1, none});
    fail_each(check_reinit, 1);
    fail_each(check_branch, 1);
    kit_clear(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(successors, setup, teardown),
        cmocka_unit_test_setup_teardown(external_proposals, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_step, setup, teardown),
        cmocka_unit_test_setup_teardown(group_infos, setup, teardown),
        cmocka_unit_test_setup_teardown(checks_without_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
