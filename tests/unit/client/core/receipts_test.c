/* DoS11, DoS13, DoS14: what a homeserver refuses it signs (one place for all calls,
 * front/receipt_answer.c), for whoever asks; the client keeps that, and finds out who signs
 * something else. What the operator changed is in the two __wrap_ functions. */
#include "groups.h"

#include "client/core/receipt.h"
#include "seal/receipt.h"
#include "server/delivery/check.h"

enum lie { HONEST, OTHER_CODE, OTHER_REQUEST, OTHER_HOUR, NO_RECEIPT };
static enum lie lie;
static unsigned made;

struct err __real_receipt_make(struct buf *b, const struct receipt *fields, struct bytes signing,
                               const struct credential_signer *sign);
struct err __wrap_receipt_make(struct buf *b, const struct receipt *fields, struct bytes signing,
                               const struct credential_signer *sign);
struct err __wrap_receipt_make(struct buf *b, const struct receipt *fields, struct bytes signing,
                               const struct credential_signer *sign)
{
    static const uint8_t other[RECEIPT_HASH_BYTES];
    struct receipt said = *fields;
    made++;
    if (lie == OTHER_CODE)
        said.status = HEARTH_ALREADY_EXISTS;
    if (lie == OTHER_REQUEST)
        said.request_hash = other;
    if (lie == OTHER_HOUR)
        said.hour -= 24;
    return lie == NO_RECEIPT ? ERR(NO_MEMORY) : __real_receipt_make(b, &said, signing, sign);
}

static bool refuses;

struct err __real_send_check(const struct request *r, const struct send_in *in,
                             struct send_ok *ret_ok);
struct err __wrap_send_check(const struct request *r, const struct send_in *in,
                             struct send_ok *ret_ok);
struct err __wrap_send_check(const struct request *r, const struct send_in *in,
                             struct send_ok *ret_ok)
{
    return refuses ? ERR(NOT_FOUND) : __real_send_check(r, in, ret_ok);
}

static struct hearth_id id[3];

static int begin(void **state)
{
    (void)state;
    lie = HONEST;
    made = 0;
    world_open(2, 3);
    befriend_all();
    id[0] = found_group(ALICE, "three");
    struct hearth_id friends[2] = {friend_id(ALICE, BOB), friend_id(ALICE, CAROL)};
    wish_done(ALICE, id[0], &(struct commit_wish){.add = friends, .add_count = 2});
    world_run(1000);
    assert_true(same_group(ALICE, id[0], BOB, &id[1]));
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_close();
    return 0;
}

static struct err count_kept(struct core *c, struct db_txn *t, void *arg)
{
    return receipt_count(c, t, arg);
}

static uint64_t kept(struct person *p)
{
    uint64_t count;
    assert_ok(core_step(p->core, count_kept, &count));
    return count;
}

struct kinds {
    unsigned refused, accepted, commits;
};

static struct err sort_one(void *arg, const struct receipt_kept *r)
{
    struct kinds *kinds = arg;
    *(r->status == HEARTH_OK ? &kinds->accepted : &kinds->refused) += 1;
    kinds->commits += bytes_equal(r->method, bytes_str("/hearth.v1.Delivery/Commit"));
    assert_non_null(r->request_hash);
    return ERR_OK;
}

static struct err sort_all(struct core *c, struct db_txn *t, void *arg)
{
    return receipt_each(c, t, sort_one, arg);
}

static struct kinds kinds_of(struct person *p)
{
    struct kinds kinds = {0};
    assert_ok(core_step(p->core, sort_all, &kinds));
    return kinds;
}

static void commit_of_alice(void)
{
    wish_done(ALICE, id[0], &(struct commit_wish){.update = true});
    world_run(1000);
}

static void refuse_bob(void)
{
    uint64_t task;
    refuses = true;
    assert_ok(say(BOB, id[1], "is refused", &task));
    world_run(3000);
    refuses = false;
}

static void DoS14_refusals_are_signed_and_kept(void **state)
{
    (void)state;
    unsigned before = made;
    say_done(BOB, id[1], "is accepted");
    assert_int_equal(made, before); /* nobody signs what nobody wants */
    refuse_bob();
    assert_true(made > 0);
    assert_true(kept(BOB) > 0);
    assert_int_equal(kept(ALICE), 0);
    assert_int_equal(seen(BOB, HEARTH_EVENT_WITHHELD), 0);
}

static void lies(enum lie which)
{
    lie = which;
    w.dishonest = true;
    refuse_bob();
    assert_int_equal(kept(BOB), 0);
    assert_true(seen(BOB, HEARTH_EVENT_WITHHELD) > 0);
}

static void DoS14_another_code(void **state)
{
    (void)state;
    lies(OTHER_CODE);
}

static void DoS14_another_request(void **state)
{
    (void)state;
    lies(OTHER_REQUEST);
}

static void DoS14_another_time(void **state)
{
    (void)state;
    lies(OTHER_HOUR);
}

/* DoS11: what was accepted can't be denied later. */
static void DoS11_changes_are_signed_and_kept(void **state)
{
    (void)state;
    struct kinds before = kinds_of(ALICE);
    assert_true(before.accepted > 0); /* her account, her group */
    commit_of_alice();
    struct kinds after = kinds_of(ALICE);
    assert_int_equal(after.accepted, before.accepted + 1);
    assert_int_equal(after.commits, before.commits + 1);
    assert_int_equal(after.refused, before.refused);
    assert_int_equal(seen(ALICE, HEARTH_EVENT_WITHHELD), 0);
}

static void lies_about_a_change(enum lie which)
{
    struct kinds before = kinds_of(ALICE);
    lie = which;
    w.dishonest = true;
    commit_of_alice();
    assert_int_equal(kinds_of(ALICE).accepted, before.accepted);
    assert_true(seen(ALICE, HEARTH_EVENT_WITHHELD) > 0);
}

static void DoS11_accepted_and_signed_otherwise(void **state)
{
    (void)state;
    lies_about_a_change(OTHER_CODE);
}

static void DoS11_another_change_is_signed(void **state)
{
    (void)state;
    lies_about_a_change(OTHER_REQUEST);
}

static void DoS11_control_nothing_is_signed(void **state)
{
    (void)state;
    struct kinds before = kinds_of(ALICE);
    lie = NO_RECEIPT;
    commit_of_alice();
    assert_int_equal(kinds_of(ALICE).accepted, before.accepted);
    assert_int_equal(seen(ALICE, HEARTH_EVENT_WITHHELD), 0);
}

/* The control: a homeserver that signs nothing leaves no evidence. */
static void DoS14_control_nothing_is_signed(void **state)
{
    (void)state;
    lie = NO_RECEIPT;
    refuse_bob();
    assert_true(made > 0);
    assert_int_equal(kept(BOB), 0);
    assert_int_equal(seen(BOB, HEARTH_EVENT_WITHHELD), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(DoS14_refusals_are_signed_and_kept),
        TEST(DoS14_another_code),
        TEST(DoS14_another_request),
        TEST(DoS14_another_time),
        TEST(DoS14_control_nothing_is_signed),
        TEST(DoS11_changes_are_signed_and_kept),
        TEST(DoS11_accepted_and_signed_otherwise),
        TEST(DoS11_another_change_is_signed),
        TEST(DoS11_control_nothing_is_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
