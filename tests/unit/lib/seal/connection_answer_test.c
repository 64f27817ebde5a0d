/* Answers to connection offers: one length, bound to the offer. */
#include "seal/connection_answer.h"

#include "seal/pad.h"
#include "support/failing.h"
#include "support/test.h"
#include "wire/writer.h"

static struct rng_seeded seeded;
static struct rng rng;
static struct secret private_key;
static struct public_key public_key;
static const uint8_t offer[32] = {1}, other[32] = {2};

static int set_up(void **state)
{
    (void)state;
    rng_seeded_init(&seeded, 5);
    rng = rng_of_seeded(&seeded);
    assert_ok(kem_generate(&kem_x25519, &rng, &private_key, &public_key));
    return 0;
}

static struct err seal(struct buf *b, const struct connection_answer *answer)
{
    return connection_answer_seal(b, &rng, public_key_view(&public_key), offer, answer);
}

static struct err open_for(const uint8_t hash[32], struct bytes sealed, struct buf *scratch,
                           struct connection_answer *answer)
{
    return connection_answer_open(secret_view(&private_key), public_key_view(&public_key), hash,
                                  sealed, scratch, answer);
}

static void there_and_back(void **state)
{
    (void)state;
    static uint8_t text[CONNECTION_ANSWER_TEXT_MAX_BYTES + 1];
    struct connection_answer got;
    memset(text, 'n', sizeof text);
    const size_t lengths[] = {0, 1, 63, 64, CONNECTION_ANSWER_TEXT_MAX_BYTES};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct buf b = BUF_INIT, scratch = BUF_INIT;
        struct connection_answer answer = {i % 2 == 0 ? CONNECTION_REFUSED : CONNECTION_ACCEPTED,
                                           (enum connection_reason)(i * 50),
                                           bytes_of(text, lengths[i])};
        assert_ok(seal(&b, &answer));
        assert_int_equal(b.len, CONNECTION_ANSWER_BYTES);
        assert_ok(open_for(offer, buf_view(&b), &scratch, &got));
        assert_int_equal(got.kind, answer.kind);
        assert_int_equal(got.reason, answer.reason);
        test_assert_bytes(got.text, answer.text);
        buf_clear(&scratch);
        assert_err(open_for(other, buf_view(&b), &scratch, &got), CRYPTO_TAG);
        for (size_t at = 0; at < b.len; at += 7) {
            b.data[at] ^= 4;
            assert_false(err_is_ok(open_for(offer, buf_view(&b), &scratch, &got)));
            assert_int_equal(scratch.len, 0);
            b.data[at] ^= 4;
        }
        assert_err(open_for(offer, bytes_of(b.data, b.len - 1), &scratch, &got), WIRE_SHORT);
        buf_clear(&scratch);
        buf_clear(&b);
    }
}

static void refused(void **state)
{
    (void)state;
    static uint8_t text[CONNECTION_ANSWER_TEXT_MAX_BYTES + 1];
    struct buf b = BUF_INIT;
    memset(text, 'n', sizeof text);
    struct connection_answer answer = {CONNECTION_REFUSED, CONNECTION_REASON_BUSY,
                                       bytes_of(text, sizeof text)};
    assert_err(seal(&b, &answer), TOO_LARGE);
    answer.text = bytes_str("\x9b");
    assert_err(seal(&b, &answer), ARGUMENT);
    answer.text = bytes_of(NULL, 0);
    answer.reason = 256;
    assert_err(seal(&b, &answer), ARGUMENT);
    answer.reason = 255;
    answer.kind = 3;
    assert_err(seal(&b, &answer), ARGUMENT);
    answer.kind = 0;
    assert_err(seal(&b, &answer), ARGUMENT);
    assert_int_equal(b.len, 0);
}

/* Sealed rightly, but no answer. */
static void wrong_inside(void **state)
{
    (void)state;
    static const uint8_t inside[][8] = {
        {2, 1, 0, 0},      /* version */ {1, 0, 0, 0},  /* kind */
        {1, 3, 0, 0},      {1, 1, 0, 1, 0x1b},          /* text */
        {1, 1, 0, 2, 'a'}, /* short */ {1, 1, 0, 0, 0}, /* trailing */
    };
    const size_t lens[] = {4, 4, 4, 5, 5, 5};
    enum { PADDED = CONNECTION_ANSWER_BYTES - 35 - AEAD_TAG_BYTES };
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct buf padded = BUF_INIT, sealed = BUF_INIT, scratch = BUF_INIT;
        uint8_t ciphertext[PADDED + AEAD_TAG_BYTES];
        struct public_key enc;
        struct connection_answer got;
        pad_write(&padded, bytes_of(inside[i], lens[i]), PADDED);
        assert_ok(hpke_seal(
            seal_hpke, &rng, public_key_view(&public_key),
            BYTES_LIST(bytes_str("Hearth 1 ConnectionAnswer"), bytes_of(offer, sizeof offer)),
            bytes_of(NULL, 0), buf_view(&padded), &enc, ciphertext));
        wire_write_vector(&sealed, public_key_view(&enc));
        wire_write_vector(&sealed, bytes_of(ciphertext, sizeof ciphertext));
        assert_int_equal(sealed.len, CONNECTION_ANSWER_BYTES);
        assert_false(err_is_ok(open_for(offer, buf_view(&sealed), &scratch, &got)));
        assert_int_equal(scratch.len, 0);
        buf_clear(&padded);
        buf_clear(&sealed);
        buf_clear(&scratch);
    }
}

static void failed_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct buf b = BUF_INIT, scratch = BUF_INIT;
    struct connection_answer answer = {CONNECTION_REFUSED, CONNECTION_REASON_BUSY, bytes_str("x")};
    for (int step = 0; step < 2; step++) {
        for (long n = 0;; n++) {
            test_fail_own_allocation(n);
            struct err err =
                step == 0 ? seal(&b, &answer) : open_for(offer, buf_view(&b), &scratch, &answer);
            if (!test_allocation_failed()) {
                assert_ok(err);
                break;
            }
            assert_false(err_is_ok(err));
            buf_clear(step == 0 ? &b : &scratch);
        }
    }
    buf_clear(&b);
    buf_clear(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(refused),
        cmocka_unit_test(wrong_inside),
        cmocka_unit_test(failed_allocations),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
