/* Keys of vouchers: wrapped by the keeper, signed with by the keeper, read by nobody else. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pass/voucher.h"
#include "server/keeper/keeper.h"
#include "support/failing.h"
#include "support/test.h"

#define DOMAIN bytes_str("a.test")
enum { WEEK = 2800, PRIME_BYTES = 128 };

static char path[128];

static int set_up(void **state)
{
    (void)state;
    char folder[] = "/tmp/hearth-voucher-XXXXXX";
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/keys", folder);
    assert_ok(keeper_init(path, DOMAIN, &clock_system, &rng_system));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(unlink(path), 0);
    *strrchr(path, '/') = 0;
    assert_int_equal(rmdir(path), 0);
    return 0;
}

static struct keeper *open_here(void)
{
    struct keeper *k = NULL;
    assert_ok(keeper_open(path, DOMAIN, &clock_system, &rng_system, &k));
    return k;
}

static struct keeper *spawned(void)
{
    struct keeper *k = NULL;
    assert_ok(keeper_spawn(path, DOMAIN, &k));
    return k;
}

/* As the auth service makes one. */
static void make(struct keeper *k, uint8_t class, struct buf *wrapped,
                 uint8_t ret_public[BLIND_RSA_PUBLIC_BYTES])
{
    struct blind_rsa_key key;
    struct buf pkcs8 = BUF_INIT;
    assert_ok(blind_rsa_key_generate(&key));
    assert_ok(blind_rsa_key_write(&key, &pkcs8));
    memcpy(ret_public, key.public.spki, BLIND_RSA_PUBLIC_BYTES);
    blind_rsa_key_clear(&key);
    assert_ok(keeper_voucher_wrap(k, class, WEEK, buf_view(&pkcs8), wrapped));
    assert_true(wrapped->len <= KEEPER_VOUCHER_MAX_BYTES);
    buf_clear(&pkcs8);
}

/* A whole voucher under that key. */
static struct err issue(struct keeper *k, uint8_t class, uint32_t week, struct bytes wrapped,
                        const uint8_t spki[BLIND_RSA_PUBLIC_BYTES])
{
    struct blind_rsa_public public;
    struct pass_voucher_order order;
    struct buf request = BUF_INIT;
    const uint8_t *blinded;
    uint8_t digest[PASS_DIGEST_BYTES], answer[BLIND_RSA_BYTES], voucher[PASS_VOUCHER_BYTES];
    assert_ok(blind_rsa_public_init(bytes_of(spki, BLIND_RSA_PUBLIC_BYTES), &public));
    assert_ok(pass_voucher_digest(DOMAIN, bytes_str("b.test"), class, week, digest));
    assert_ok(pass_voucher_order_init(&public, digest, &rng_system, &order));
    pass_voucher_order_write(&order, &request);
    assert_ok(pass_voucher_request_parse(buf_view(&request), spki, &blinded));
    struct err err = keeper_voucher_sign(k, class, week, wrapped, blinded, answer);
    if (err_is_ok(err))
        err = pass_voucher_order_finish(&order, &public, bytes_of(answer, sizeof answer), voucher);
    buf_clear(&request);
    blind_rsa_public_clear(&public);
    return err;
}

/* Both forms of keeper, over a restart; another week, class or byte is refused. */
static void wrapped_and_signed(void **state)
{
    (void)state;
    struct buf wrapped = BUF_INIT;
    uint8_t spki[BLIND_RSA_PUBLIC_BYTES];
    struct keeper *k = spawned();
    make(k, PASS_QUEUE, &wrapped, spki);
    assert_ok(issue(k, PASS_QUEUE, WEEK, buf_view(&wrapped), spki));
    keeper_close(k);
    k = open_here();
    assert_ok(issue(k, PASS_QUEUE, WEEK, buf_view(&wrapped), spki));
    assert_err(issue(k, PASS_QUEUE, WEEK + 1, buf_view(&wrapped), spki), CRYPTO_TAG);
    assert_err(issue(k, PASS_AUTH, WEEK, buf_view(&wrapped), spki), CRYPTO_TAG);
    for (size_t i = 0; i < wrapped.len; i += 97) {
        wrapped.data[i] ^= 1;
        assert_err(issue(k, PASS_QUEUE, WEEK, buf_view(&wrapped), spki), CRYPTO_TAG);
        wrapped.data[i] ^= 1;
    }
    assert_err(issue(k, PASS_QUEUE, WEEK, bytes_of(NULL, 0), spki), CRYPTO_TAG);
    keeper_close(k);
    /* another homeserver's keeper */
    k = NULL;
    assert_ok(keeper_open(NULL, DOMAIN, &clock_system, &rng_system, &k));
    assert_err(issue(k, PASS_QUEUE, WEEK, buf_view(&wrapped), spki), CRYPTO_TAG);
    keeper_close(k);
    buf_clear(&wrapped);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const uint8_t zeros[4096];
    uint8_t blinded[BLIND_RSA_BYTES], signature[BLIND_RSA_BYTES], spki[BLIND_RSA_PUBLIC_BYTES];
    struct buf wrapped = BUF_INIT, none = BUF_INIT;
    struct keeper *k = spawned();
    make(k, PASS_AUTH, &wrapped, spki);
    assert_err(keeper_voucher_wrap(k, PASS_AUTH, WEEK, bytes_str("no key"), &none), CRYPTO_KEY);
    assert_err(keeper_voucher_wrap(k, PASS_AUTH, WEEK, bytes_of(zeros, sizeof zeros), &none),
               ARGUMENT);
    assert_err(keeper_voucher_wrap(k, 0, WEEK, bytes_of(zeros, 1), &none), ARGUMENT);
    assert_err(keeper_voucher_wrap(k, PASS_CLASS_END, WEEK, bytes_of(zeros, 1), &none), ARGUMENT);
    assert_int_equal(none.len, 0);
    memset(blinded, 0xff, sizeof blinded); /* not below the modulus */
    assert_err(keeper_voucher_sign(k, PASS_AUTH, WEEK, buf_view(&wrapped), blinded, signature),
               ARGUMENT);
    assert_err(keeper_voucher_sign(k, PASS_AUTH, WEEK, bytes_of(zeros, 2049), blinded, signature),
               ARGUMENT);
    assert_err(keeper_voucher_sign(k, 0, WEEK, buf_view(&wrapped), blinded, signature), ARGUMENT);
    keeper_close(k);
    assert_err(buf_check(&none), NONE);
    buf_clear(&wrapped);
}

/* ---- memory */

/* A prime of the key, as PKCS#8 has it. */
static void prime_of(struct bytes pkcs8, uint8_t ret_prime[PRIME_BYTES])
{
    static const uint8_t head[] = {0x02, 0x81, 0x81, 0x00}; /* INTEGER of 129 bytes: 0 and 128 */
    for (size_t i = 0; i + sizeof head + PRIME_BYTES <= pkcs8.len; i++)
        if (memcmp(pkcs8.data + i, head, sizeof head) == 0) {
            memcpy(ret_prime, pkcs8.data + i + sizeof head, PRIME_BYTES);
            return;
        }
    fail();
}

/* How often the first half of a prime lies in the process, in either order of bytes: OpenSSL has
 * its numbers little-endian. The needles are kept inverted, so that they don't count. */
static size_t in_memory(const uint8_t inverted[PRIME_BYTES])
{
    enum { HALF = PRIME_BYTES / 2 };
    static uint8_t chunk[1 << 20];
    char line[512];
    size_t found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    int mem = open("/proc/self/mem", O_RDONLY);
    assert_true(maps != NULL && mem >= 0);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;
        char rights[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[1] != 'w')
            continue;
        for (unsigned long at = from; at < to; at += sizeof chunk - PRIME_BYTES) {
            if (at >= (unsigned long)(uintptr_t)chunk &&
                at < (unsigned long)(uintptr_t)chunk + sizeof chunk)
                continue;
            const size_t want = to - at < sizeof chunk ? to - at : sizeof chunk;
            const ssize_t len = pread(mem, chunk, want, (off_t)at);
            for (ssize_t i = 0; i + HALF <= len; i++) {
                bool forward = true, backward = true;
                for (size_t j = 0; j < HALF && (forward || backward); j++) {
                    const uint8_t is = (uint8_t)~chunk[i + (ssize_t)j];
                    forward = forward && is == inverted[j];
                    backward = backward && is == inverted[PRIME_BYTES - 1 - j];
                }
                found += forward || backward ? 1 : 0;
            }
        }
    }
    close(mem);
    (void)fclose(maps);
    return found;
}

/* After a key was wrapped, and while vouchers are signed with it, the server has it nowhere (ME4).
 * Control: before that the search finds it. */
static void not_in_the_servers_memory(void **state)
{
    (void)state;
    uint8_t inverted[PRIME_BYTES] = {0}, spki[BLIND_RSA_PUBLIC_BYTES];
    struct blind_rsa_key key;
    struct buf pkcs8 = BUF_INIT, wrapped = BUF_INIT;
    if (!test_can_fail_allocations()) /* sanitizers keep what was freed */
        skip();
    struct keeper *k = spawned();
    assert_ok(blind_rsa_key_generate(&key));
    assert_ok(blind_rsa_key_write(&key, &pkcs8));
    memcpy(spki, key.public.spki, sizeof spki);
    prime_of(buf_view(&pkcs8), inverted);
    for (size_t i = 0; i < sizeof inverted; i++)
        inverted[i] = (uint8_t)~inverted[i];
    assert_true(in_memory(inverted) >= 2); /* ours, and OpenSSL's */
    assert_ok(keeper_voucher_wrap(k, PASS_DELIVERY, WEEK, buf_view(&pkcs8), &wrapped));
    blind_rsa_key_clear(&key);
    buf_clear(&pkcs8);
    assert_ok(issue(k, PASS_DELIVERY, WEEK, buf_view(&wrapped), spki));
    assert_int_equal(in_memory(inverted), 0);
    keeper_close(k);
    buf_clear(&wrapped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrapped_and_signed),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(not_in_the_servers_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
