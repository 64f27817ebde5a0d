/* What a client reads of tokens: answers to its order, directories of keys, and public keys. The
 * first byte chooses. */
#include "fuzz/pass_kit.h"
#include "pass/key_rules.h"
#include "pass/voucher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is accepted is good at the server: nothing else holds under its key. */
static void response(struct bytes in)
{
    struct pass_coin coins[PASS_KIT_COUNT];
    if (!err_is_ok(pass_order_finish(kit_order(), in, coins)))
        return;
    for (size_t i = 0; i < PASS_KIT_COUNT; i++) {
        const struct pass_short token = {PASS_DELIVERY, PASS_KIT_PERIOD, coins[i].nonce,
                                         coins[i].authenticator};
        kit_must(err_is_ok(pass_redeem_short(kit_issuer(), &token)));
    }
}

/* There is one encoding: what is read is written the same. */
static void directory(struct bytes in)
{
    enum { MOST = 65536 / 26 };
    static struct pass_directory_key keys[MOST];
    struct pass_directory directory;
    struct buf again = BUF_INIT;
    size_t count = 0;
    if (!err_is_ok(pass_directory_parse(in, &directory)))
        return;
    struct wire_reader r = wire_reader_of(directory.keys);
    while (pass_directory_next(&r, &keys[count])) {
        struct pass_directory_key found;
        kit_must(pass_directory_find(&directory, keys[count].token_type, keys[count].class,
                                     keys[count].period, &found));
        kit_must(found.public_key.data == keys[count].public_key.data);
        count++;
        kit_must(count < MOST);
    }
    kit_must(count == directory.count && err_is_ok(wire_reader_end(&r)));
    kit_must(err_is_ok(pass_directory_write(&again, directory.issuer, keys, count)));
    kit_must(bytes_equal(buf_view(&again), in));
    buf_clear(&again);
    kit_must(err_is_ok(pass_directory_write_json(&again, bytes_str("/x"), keys, count)));
    buf_clear(&again);
    const struct pass_sighting seen = {true, 0, 86400, 0};
    struct pass_public_key key;
    struct blind_rsa_public voucher_key;
    for (size_t i = 0; i < count && i < 4; i++) {
        const struct pass_directory_key *k = &keys[i];
        struct err err =
            pass_token_key_accept(&directory, &seen, directory.issuer, k->class, k->period, &key);
        if (err_is_ok(err))
            kit_must(key.class == k->class && key.period == k->period);
        if (err_is_ok(pass_voucher_key_accept(&directory, &seen, directory.issuer, k->class,
                                              k->period, &voucher_key)))
            blind_rsa_public_clear(&voucher_key);
    }
}

static void public_key(struct bytes in)
{
    struct blind_rsa_public key;
    if (!err_is_ok(blind_rsa_public_init(in, &key)))
        return;
    kit_must(bytes_equal(bytes_of(key.spki, sizeof key.spki), in));
    uint8_t signature[BLIND_RSA_BYTES] = {0};
    kit_must(!err_is_ok(blind_rsa_verify(&key, in, signature)));
    blind_rsa_public_clear(&key);
}

/* A stored private key that was damaged: refused or usable, never worse. */
static void private_key(struct bytes in)
{
    struct blind_rsa_key key;
    uint8_t one[BLIND_RSA_BYTES] = {0}, signature[BLIND_RSA_BYTES];
    one[BLIND_RSA_BYTES - 1] = 1;
    if (!err_is_ok(blind_rsa_key_init(in, &key)))
        return;
    struct err err = blind_rsa_sign(&key, one, signature);
    if (err_is_ok(err)) /* the root of 1 with odd exponent, in whatever ring */
        kit_must(signature[0] <= key.public.spki[81]);
    blind_rsa_key_clear(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const all[])(struct bytes in) = {response, directory, public_key, private_key};
    if (len > 0)
        all[data[0] % (sizeof all / sizeof *all)](bytes_of(data + 1, len - 1));
    return 0;
}
