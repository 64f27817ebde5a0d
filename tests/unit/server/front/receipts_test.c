/* Who gets a receipt, and how many (DoS11). What signs is wrapped: only asking is looked at here;
 * what it says is in tests/unit/client/core/receipts_test.c. */
#include "bed.h"

#include "seal/receipt.h"
#include "server/keeper/keeper.h"

static unsigned made;

struct err __wrap_keeper_credential(struct keeper *keeper, enum keeper_signer key, struct buf *b);
struct err __wrap_keeper_credential(struct keeper *keeper, enum keeper_signer key, struct buf *b)
{
    (void)keeper;
    (void)key;
    (void)b;
    return ERR_OK;
}

struct err __wrap_receipt_make(struct buf *b, const struct receipt *fields, struct bytes signing,
                               const struct credential_signer *sign);
struct err __wrap_receipt_make(struct buf *b, const struct receipt *fields, struct bytes signing,
                               const struct credential_signer *sign)
{
    (void)b;
    (void)fields;
    (void)signing;
    (void)sign;
    made++;
    return ERR_OK;
}

static bool refuses;

static enum hearth_code handler(struct world *w, struct hearth_call *call,
                                const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    enum hearth_code code = bed_handler(w, call, in, out);
    return refuses ? HEARTH_NOT_FOUND : code;
}

/* So many receipts for so many calls. when: what they ask for, NULL: nothing. */
static unsigned receipts(const char *when, unsigned calls)
{
    const struct hearth_metadata ask = {
        .name = RECEIPT_ASK_METADATA, .value = when, .len = when != NULL ? strlen(when) : 0};
    const struct hearth_call_options options = {.metadata = &ask,
                                                .metadata_count = when != NULL ? 1 : 0};
    made = 0;
    for (unsigned i = 0; i < calls; i++)
        assert_int_equal(bed_call(&bed.callers[0], &options).code,
                         refuses ? HEARTH_NOT_FOUND : HEARTH_OK);
    return made;
}

static int begin(void **state)
{
    refuses = false;
    (void)bed_setup(state);
    bed.w.handler = handler;
    bed_from("192.0.2.1");
    return 0;
}

static void only_who_asks(void **state)
{
    (void)state;
    assert_int_equal(receipts(NULL, 3), 0);
    assert_int_equal(receipts("refusal", 3), 0);
    assert_int_equal(receipts("sometimes", 3), 0);
    assert_int_equal(receipts("always", 3), 3);
    refuses = true;
    assert_int_equal(receipts(NULL, 3), 0);
    assert_int_equal(receipts("refusal", 3), 3);
    assert_int_equal(receipts("always", 3), 3);
}

static void DoS11_accepted_take_nothing_from_refusals(void **state)
{
    (void)state;
    assert_int_equal(receipts("always", 40), 30);
    refuses = true;
    assert_int_equal(receipts("refusal", 40), 30);
    bed_from("192.0.2.2"); /* nor one source from another */
    assert_int_equal(receipts("refusal", 5), 5);
    refuses = false;
    assert_int_equal(receipts("always", 5), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_who_asks, begin, bed_teardown),
        cmocka_unit_test_setup_teardown(DoS11_accepted_take_nothing_from_refusals, begin,
                                        bed_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
