/* What a message costs the server in operations on curves (tokens.md): the check of the request's
 * signature and nothing more, whether tokens are off or the sender has credits. Every function of
 * libsodium and OpenSSL that lib/crypto uses for such an operation is wrapped and counted; what the
 * sender does in this process is his signature of the request. */
#include <openssl/evp.h>
#include <sodium.h>

#include "server/delivery/delivery_inside.h"
#include "support/delivery/delivery_world.h"
#include "support/vfs_fault.h"

static bool counting;
static unsigned verifications, signatures, others;

static void count(unsigned *what)
{
    *what += counting ? 1 : 0;
}

/* name, which of the three, parameters, arguments */
#define COUNTED(name, what, parameters, arguments) \
    int __real_##name parameters;                  \
    int __wrap_##name parameters;                  \
    int __wrap_##name parameters                   \
    {                                              \
        count(&(what));                            \
        return __real_##name arguments;            \
    }

COUNTED(crypto_sign_ed25519_verify_detached, verifications,
        (const unsigned char *s, const unsigned char *m, unsigned long long len,
         const unsigned char *pk),
        (s, m, len, pk))
COUNTED(crypto_sign_ed25519_detached, signatures,
        (unsigned char *s, unsigned long long *s_len, const unsigned char *m,
         unsigned long long len, const unsigned char *sk),
        (s, s_len, m, len, sk))
COUNTED(crypto_scalarmult_ristretto255, others,
        (unsigned char *q, const unsigned char *n, const unsigned char *p), (q, n, p))
COUNTED(crypto_scalarmult_ristretto255_base, others, (unsigned char *q, const unsigned char *n),
        (q, n))
COUNTED(crypto_core_ristretto255_from_hash, others, (unsigned char *p, const unsigned char *r),
        (p, r))
COUNTED(crypto_core_ristretto255_add, others,
        (unsigned char *r, const unsigned char *p, const unsigned char *q), (r, p, q))
COUNTED(crypto_core_ristretto255_is_valid_point, others, (const unsigned char *p), (p))
COUNTED(crypto_scalarmult_curve25519, others,
        (unsigned char *q, const unsigned char *n, const unsigned char *p), (q, n, p))
COUNTED(crypto_scalarmult_curve25519_base, others, (unsigned char *q, const unsigned char *n),
        (q, n))
COUNTED(crypto_scalarmult_ed25519_noclamp, others,
        (unsigned char *q, const unsigned char *n, const unsigned char *p), (q, n, p))
COUNTED(crypto_scalarmult_ed25519_base_noclamp, others, (unsigned char *q, const unsigned char *n),
        (q, n))
COUNTED(crypto_sign_ed25519_seed_keypair, others,
        (unsigned char *pk, unsigned char *sk, const unsigned char *seed), (pk, sk, seed))
COUNTED(EVP_PKEY_derive, others, (EVP_PKEY_CTX * ctx, unsigned char *key, size_t *len),
        (ctx, key, len))
COUNTED(EVP_DigestVerify, others,
        (EVP_MD_CTX * ctx, const unsigned char *s, size_t s_len, const unsigned char *m,
         size_t len),
        (ctx, s, s_len, m, len))
COUNTED(EVP_DigestSign, others,
        (EVP_MD_CTX * ctx, unsigned char *s, size_t *s_len, const unsigned char *m, size_t len),
        (ctx, s, s_len, m, len))
COUNTED(EVP_PKEY_verify, others,
        (EVP_PKEY_CTX * ctx, const unsigned char *s, size_t s_len, const unsigned char *m,
         size_t len),
        (ctx, s, s_len, m, len))
COUNTED(EVP_PKEY_sign, others,
        (EVP_PKEY_CTX * ctx, unsigned char *s, size_t *s_len, const unsigned char *m, size_t len),
        (ctx, s, s_len, m, len))

static struct dworld w;
static struct member *a, *b;
static struct tokens purse;
static struct vfs_fault *vfs;

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    vfs = vfs_fault_new("curve");
    w.options.store = (struct store_options){.path = "delivery.db", .files = "curve"};
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, &b, 1);
    dw_pass_s(&w, 3600);
    tokens_draw(&purse, w.keeper, DW_DOMAIN, PASS_DELIVERY, clock_unix_ms(&w.clock) / 1000, 4,
                &w.rng);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dw_end(&w);
    vfs_fault_free(vfs);
    return 0;
}

/* One message, made before counting begins. */
static void say_counted(size_t token, bool with_token)
{
    Hearth__V1__SendMessageRequest *in = dw_say_request(a, "hello");
    struct dsigner signer = dw_signer(a);
    w.metadata = with_token ? purse.metadata + token : NULL;
    w.metadata_count = with_token ? 1 : 0;
    verifications = signatures = others = 0;
    counting = true;
    enum hearth_code code = dw_call(&w, "SendMessage", &signer, &in->base);
    counting = false;
    assert_int_equal(code, HEARTH_OK);
}

static void expect_signature_alone(void)
{
    assert_int_equal(verifications, 1);
    assert_int_equal(signatures, 1); /* the sender's own */
    assert_int_equal(others, 0);
}

static void tokens_off(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        say_counted(0, false);
        expect_signature_alone();
    }
}

/* The allowance, and then credits of a token that was brought before. Control: the call that brings
 * the token is dearer, and is seen to be. */
static void allowance_and_credits(void **state)
{
    (void)state;
    dw_limit(&w, "CREDITS_FREE", 1);
    dw_limit(&w, "CREDITS_PER_TOKEN", 60);
    front_set_tokens(w.front, true);
    say_counted(0, false);
    expect_signature_alone();
    say_counted(0, true);
    assert_int_equal(verifications, 1);
    assert_true(others >= 2); /* HashToGroup and a multiplication */
    for (int i = 0; i < 20; i++) {
        say_counted(0, false);
        expect_signature_alone();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tokens_off, setup, teardown),
        cmocka_unit_test_setup_teardown(allowance_and_credits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
