/* Every allocation of OpenSSL fails once in turn: each call then says so, writes none of its
 * outputs, leaks nothing (the sanitizer build) and works again afterwards. Also: set-up from many
 * threads at once. */
#include <pthread.h>

#include "crypto/blind_rsa.h"
#include "crypto/crypto.h"
#include "crypto/labelled.h"
#include "crypto/ossl.h"
#include "crypto/suite.h"
#include "support/test.h"

static long countdown = -1; /* allocations until the one that fails; below 0: none does */
static bool failed;

static bool fail_now(void)
{
    if (countdown < 0 || countdown-- > 0)
        return false;
    failed = true;
    return true;
}

static void *counting_malloc(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return fail_now() ? NULL : malloc(len);
}

static void *counting_realloc(void *old, size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return fail_now() ? NULL : realloc(old, len);
}

static void counting_free(void *data, const char *file, int line)
{
    (void)file;
    (void)line;
    free(data);
}

struct world {
    const struct suite *suite;
    struct secret kem_private;
    struct public_key kem_public, enc;
    struct sig_key key;
    struct signature signature;
    uint8_t sealed[20];
    struct blind_rsa_key rsa;
    uint8_t inverse[BLIND_RSA_BYTES], blinded[BLIND_RSA_BYTES], answer[BLIND_RSA_BYTES];
};

static struct err do_sign(struct world *w)
{
    struct signature out = {0};
    struct err err = sig_sign(&w->key, bytes_str("m"), &out);
    assert_true(err_is_ok(err) == (out.len > 0));
    return err;
}

static struct err do_verify(struct world *w)
{
    return sig_verify(w->suite->sig, public_key_view(&w->key.public_key), bytes_str("m"),
                      signature_view(&w->signature));
}

static struct err do_key(struct world *w)
{
    struct sig_key out = {0};
    struct err err = sig_key_init(w->suite->sig, secret_view(&w->key.private_key), &out);
    assert_true(err_is_ok(err) == (out.alg != NULL));
    sig_key_clear(&out);
    return err;
}

static struct err do_verifier(struct world *w)
{
    struct sig_verifier out = {0};
    struct err err = sig_verifier_init(w->suite->sig, public_key_view(&w->key.public_key), &out);
    assert_true(err_is_ok(err) == (out.alg != NULL));
    sig_verifier_clear(&out);
    return err;
}

static struct err do_seal(struct world *w)
{
    struct public_key enc = {0};
    uint8_t sealed[20];
    struct err err =
        labelled_encrypt(&w->suite->hpke, &rng_system, public_key_view(&w->kem_public), LABEL_MLS,
                         bytes_str("l"), bytes_str("c"), bytes_str("text"), &enc, sealed);
    assert_true(err_is_ok(err) == (enc.len > 0));
    return err;
}

static struct err do_open(struct world *w)
{
    uint8_t out[4] = {0};
    struct err err = labelled_decrypt(&w->suite->hpke, secret_view(&w->kem_private),
                                      bytes_of(NULL, 0), LABEL_MLS, bytes_str("l"), bytes_str("c"),
                                      public_key_view(&w->enc), bytes_of(w->sealed, 20), out);
    assert_true(err_is_ok(err) == (memcmp(out, "text", 4) == 0));
    return err;
}

static struct err do_check(struct world *w)
{
    TRY(sig_check_public(w->suite->sig, public_key_view(&w->key.public_key)));
    return kem_check_public(w->suite->hpke.kem, public_key_view(&w->kem_public));
}

static struct err do_blind(struct world *w)
{
    return blind_rsa_blind(&w->rsa.public, bytes_str("m"), &rng_system, w->inverse, w->blinded);
}

static struct err do_blind_sign(struct world *w)
{
    return blind_rsa_sign(&w->rsa, w->blinded, w->answer);
}

static struct err do_finalize(struct world *w)
{
    uint8_t out[BLIND_RSA_BYTES];
    return blind_rsa_finalize(&w->rsa.public, bytes_str("m"), w->answer, w->inverse, out);
}

static struct err do_blind_public(struct world *w)
{
    struct blind_rsa_public out = {.parsed = NULL};
    struct err err =
        blind_rsa_public_init(bytes_of(w->rsa.public.spki, BLIND_RSA_PUBLIC_BYTES), &out);
    assert_true(err_is_ok(err) == (out.parsed != NULL));
    blind_rsa_public_clear(&out);
    return err;
}

static struct err do_blind_key(struct world *w)
{
    struct buf der = BUF_INIT;
    struct blind_rsa_key out = {.parsed = NULL};
    struct err err = blind_rsa_key_write(&w->rsa, &der);
    if (err_is_ok(err)) {
        err = blind_rsa_key_init(buf_view(&der), &out);
        assert_true(err_is_ok(err) == (out.parsed != NULL));
    }
    blind_rsa_key_clear(&out);
    buf_clear(&der);
    return err;
}

static void each_allocation(struct world *w, struct err (*step)(struct world *w))
{
    for (long n = 0;; n++) {
        assert_true(n < 10000);
        countdown = n;
        failed = false;
        struct err err = step(w);
        countdown = -1;
        if (!failed) {
            assert_ok(err);
            return;
        }
        /* OpenSSL gets over some failures (caches), and does not queue the reason for each */
        bool vague = (step == do_verify && w->suite->sig == &sig_ed448) || /* see sig_verify */
                     step == do_finalize;
        bool no_key = step == do_blind_key; /* "not a key", where one could not be read */
        if (!err_is_ok(err) && err.code != ERR_NO_MEMORY && err.code != ERR_CRYPTO_BACKEND &&
            !(vague && err.code == ERR_CRYPTO_SIGNATURE) && !(no_key && err.code == ERR_CRYPTO_KEY))
            fail_msg("%s: allocation %ld failed and the answer was %s",
                     w->suite != NULL ? w->suite->name : "blind RSA", n, err_name(err));
    }
}

static void failed_allocations(void **state)
{
    (void)state;
    static struct err (*const steps[])(struct world *) = {do_sign, do_verify, do_key,  do_verifier,
                                                          do_seal, do_open,   do_check};
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        struct world w = {.suite = &suite_table[i]};
        assert_ok(sig_key_generate(w.suite->sig, &rng_system, &w.key));
        assert_ok(sig_sign(&w.key, bytes_str("m"), &w.signature));
        assert_ok(kem_generate(w.suite->hpke.kem, &rng_system, &w.kem_private, &w.kem_public));
        assert_ok(labelled_encrypt(&w.suite->hpke, &rng_system, public_key_view(&w.kem_public),
                                   LABEL_MLS, bytes_str("l"), bytes_str("c"), bytes_str("text"),
                                   &w.enc, w.sealed));
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
            each_allocation(&w, steps[s]);
        sig_key_clear(&w.key);
    }
}

static void failed_allocations_blind_rsa(void **state)
{
    (void)state;
    static struct err (*const steps[])(struct world *) = {do_blind, do_blind_sign, do_finalize,
                                                          do_blind_public, do_blind_key};
    struct world w = {.suite = NULL};
    assert_ok(blind_rsa_key_generate(&w.rsa));
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
        each_allocation(&w, steps[s]);
    blind_rsa_key_clear(&w.rsa);
}

/* Returns its argument when all is well. */
static void *start(void *arg)
{
    struct secret key;
    uint8_t nonce[AEAD_NONCE_BYTES] = {0}, out[20];
    secret_set_zero(16, &key);
    struct err err = crypto_init();
    if (err_is_ok(err))
        err = aead_seal(&aead_aes128_gcm, &key, nonce, bytes_of(NULL, 0), bytes_str("text"), out);
    return err_is_ok(err) ? arg : NULL;
}

static void many_threads(void **state)
{
    (void)state;
    pthread_t threads[8];
    int here[8];
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start, &here[i]), 0);
    for (size_t i = 0; i < 8; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &here[i]);
    }
}

int main(void)
{
    if (CRYPTO_set_mem_functions(counting_malloc, counting_realloc, counting_free) != 1)
        return 1; /* must come before OpenSSL's first allocation */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads),
        cmocka_unit_test(failed_allocations),
        cmocka_unit_test(failed_allocations_blind_rsa),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
