#include "seal/sealed_ref.h"
#include "support/damage.h"
#include "support/failing.h"
#include "support/test.h"
#include "wire/writer.h"

static struct rng_seeded seeded;
static struct rng rng;
static struct secret service_private;
static struct public_key service_public;
static struct sig_key queue_client_key, leaf_key;
static struct queue_ref ref;
#define DOMAIN bytes_str("a.example")

static int set_up(void **state)
{
    (void)state;
    rng_seeded_init(&seeded, 1);
    rng = rng_of_seeded(&seeded);
    assert_ok(kem_generate(seal_hpke->kem, &rng, &service_private, &service_public));
    assert_ok(sig_key_generate(&sig_ed25519, &rng, &queue_client_key));
    assert_ok(sig_key_generate(&sig_ed25519, &rng, &leaf_key));
    assert_ok(rng_fill(&rng, ref.queue_client_id, QUEUE_ID_BYTES));
    assert_ok(rng_fill(&rng, ref.tag, QUEUE_TAG_BYTES));
    assert_ok(rng_fill(&rng, ref.push_token_key, PUSH_TOKEN_KEY_BYTES));
    ref.has_push_token_key = true;
    return 0;
}

static struct err seal(struct buf *b, const struct queue_ref *what)
{
    return sealed_ref_seal(b, &rng, public_key_view(&service_public), DOMAIN, what,
                           &queue_client_key);
}

static struct err open_for(struct bytes domain, struct bytes sealed, struct queue_ref *ret_ref)
{
    return sealed_ref_open(secret_view(&service_private), public_key_view(&service_public), domain,
                           sealed, ret_ref);
}

static struct bytes client_public(void)
{
    return public_key_view(&queue_client_key.public_key);
}

static void round_trip(void **state)
{
    (void)state;
    struct buf with = BUF_INIT, without = BUF_INIT;
    struct queue_ref got, bare = ref;
    bare.has_push_token_key = false;
    assert_ok(seal(&with, &ref));
    assert_ok(seal(&without, &bare)); /* what stands in push_token_key must not travel then */
    assert_int_equal(with.len, without.len);
    assert_true(with.len <= SEALED_REF_MAX_BYTES);
    assert_ok(open_for(DOMAIN, buf_view(&with), &got));
    assert_memory_equal(got.queue_client_id, ref.queue_client_id, QUEUE_ID_BYTES);
    assert_memory_equal(got.tag, ref.tag, QUEUE_TAG_BYTES);
    assert_true(got.has_push_token_key);
    assert_memory_equal(got.push_token_key, ref.push_token_key, PUSH_TOKEN_KEY_BYTES);
    assert_ok(queue_ref_verify(&got, client_public()));
    assert_ok(open_for(DOMAIN, buf_view(&without), &got));
    static const uint8_t none[PUSH_TOKEN_KEY_BYTES];
    assert_false(got.has_push_token_key);
    assert_memory_equal(got.push_token_key, none, sizeof none);
    assert_ok(queue_ref_verify(&got, client_public()));
    buf_clear(&with);
    buf_clear(&without);
}

static bool refused(void *self, struct bytes damaged)
{
    (void)self;
    struct queue_ref got, before;
    memset(&got, 7, sizeof got);
    before = got;
    return !err_is_ok(open_for(DOMAIN, damaged, &got)) && memcmp(&got, &before, sizeof got) == 0;
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct buf sealed = BUF_INIT;
    struct queue_ref got;
    struct secret other_private;
    struct public_key other_public;
    assert_ok(seal(&sealed, &ref));
    /* bit 7 of the X25519 key's last byte is ignored by RFC 7748, but not by HPKE, whose
     * kem_context holds the key as sent */
    test_each_damage(buf_view(&sealed), 100000, refused, NULL);
    assert_err(open_for(bytes_str("b.example"), buf_view(&sealed), &got), CRYPTO_TAG);
    assert_ok(kem_generate(seal_hpke->kem, &rng, &other_private, &other_public));
    assert_err(sealed_ref_open(secret_view(&other_private), public_key_view(&other_public), DOMAIN,
                               buf_view(&sealed), &got),
               CRYPTO_TAG);
    static const uint8_t large[SEALED_REF_MAX_BYTES + 1];
    assert_err(open_for(DOMAIN, bytes_of(large, sizeof large), &got), WIRE_LIMIT);
    buf_clear(&sealed);
}

/* Sealed as it should be, but not what a client of ours writes. */
static void well_sealed_nonsense(void **state)
{
    (void)state;
    enum { INSIDE = 1 + 16 + 16 + 1 + 32 + 2 + 64 };
    static const struct {
        size_t at;
        uint8_t value;
        size_t len;
        bool good;
    } cases[] = {
        {0, 1, INSIDE, true},      {0, 2, INSIDE, false},   {33, 1, INSIDE, true},
        {33, 2, INSIDE, false},    {34, 9, INSIDE, false},  {65, 9, INSIDE, false},
        {0, 1, INSIDE - 1, false}, {67, 63, INSIDE, false}, {67, 141, INSIDE + 77, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t inside[INSIDE + 100] = {1, [66] = 0x40, [67] = 64};
        uint8_t ciphertext[sizeof inside + AEAD_TAG_BYTES];
        struct public_key enc;
        struct buf b = BUF_INIT;
        inside[cases[i].at] = cases[i].value;
        assert_ok(hpke_seal(seal_hpke, &rng, public_key_view(&service_public),
                            BYTES_LIST(bytes_str("Hearth 1 QueueReference"), DOMAIN),
                            bytes_of(NULL, 0), bytes_of(inside, cases[i].len), &enc, ciphertext));
        wire_write_vector(&b, public_key_view(&enc));
        wire_write_vector(&b, bytes_of(ciphertext, cases[i].len + AEAD_TAG_BYTES));
        assert_int_equal(refused(NULL, buf_view(&b)), !cases[i].good);
        buf_clear(&b);
    }
    assert_true(refused(NULL, bytes_str("\1a\1b"))); /* shorter than a tag */
}

/* Each field inside is signed; so is the absence of the push token key. */
static void the_inner_signature_covers_all(void **state)
{
    (void)state;
    struct buf sealed = BUF_INIT;
    struct queue_ref good;
    assert_ok(seal(&sealed, &ref));
    assert_ok(open_for(DOMAIN, buf_view(&sealed), &good));
    struct queue_ref bad = good;
    bad.queue_client_id[3] ^= 1;
    assert_err(queue_ref_verify(&bad, client_public()), CRYPTO_SIGNATURE);
    bad = good;
    bad.tag[15] ^= 128;
    assert_err(queue_ref_verify(&bad, client_public()), CRYPTO_SIGNATURE);
    bad = good;
    bad.push_token_key[0] ^= 1;
    assert_err(queue_ref_verify(&bad, client_public()), CRYPTO_SIGNATURE);
    bad = good;
    bad.has_push_token_key = false;
    assert_err(queue_ref_verify(&bad, client_public()), CRYPTO_SIGNATURE);
    assert_err(queue_ref_verify(&good, public_key_view(&leaf_key.public_key)), CRYPTO_SIGNATURE);
    assert_ok(queue_ref_verify(&good, client_public()));
    buf_clear(&sealed);
}

static void the_outer_signature(void **state)
{
    (void)state;
    struct signature signature;
    struct bytes leaf = public_key_view(&leaf_key.public_key);
    assert_ok(sealed_ref_sign(&leaf_key, DOMAIN, bytes_str("sealed"), &signature));
    struct bytes made = signature_view(&signature);
    assert_ok(sealed_ref_verify(&sig_ed25519, leaf, DOMAIN, bytes_str("sealed"), made));
    assert_err(sealed_ref_verify(&sig_ed25519, leaf, DOMAIN, bytes_str("sealee"), made),
               CRYPTO_SIGNATURE);
    assert_err(
        sealed_ref_verify(&sig_ed25519, leaf, bytes_str("b.example"), bytes_str("sealed"), made),
        CRYPTO_SIGNATURE);
    /* the border between domain and reference is signed */
    assert_err(
        sealed_ref_verify(&sig_ed25519, leaf, bytes_str("a.examples"), bytes_str("ealed"), made),
        CRYPTO_SIGNATURE);
    assert_err(sealed_ref_verify(&sig_ed25519, client_public(), DOMAIN, bytes_str("sealed"), made),
               CRYPTO_SIGNATURE);
}

static void failures_change_nothing(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    buf_append(&b, "kept", 4);
    assert_err(sealed_ref_seal(&b, &rng, bytes_of("short", 5), DOMAIN, &ref, &queue_client_key),
               CRYPTO_KEY_LENGTH);
    assert_int_equal(b.len, 4);
    struct buf small = {.limit = 100};
    assert_false(err_is_ok(seal(&small, &ref)));
    assert_int_equal(small.len, 0);
    buf_clear(&small);
    buf_clear(&b);
    for (long n = 0; test_can_fail_allocations(); n++) {
        test_fail_allocation(n);
        struct err err = seal(&b, &ref);
        if (!test_allocation_failed()) {
            assert_ok(err);
            break;
        }
        assert_true(err_is_ok(err) || b.len == 0);
        buf_clear(&b);
    }
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),           cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(the_outer_signature),  cmocka_unit_test(the_inner_signature_covers_all),
        cmocka_unit_test(well_sealed_nonsense), cmocka_unit_test(failures_change_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
