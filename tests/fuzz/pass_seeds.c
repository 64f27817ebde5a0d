/* Writes the seeds of fuzz_pass_server and fuzz_pass_client: `pass_seeds FOLDER`, FOLDER being
 * tests/fuzz. One good object of each kind behind the byte that chooses it. */
#include <stdio.h>

#include "fuzz/pass_kit.h"
#include "pass/auth_header.h"
#include "pass/key_rules.h"
#include "pass/voucher.h"
#include "wire/writer.h"

static const char *folder;

static void save(const char *target, const char *name, uint8_t choice, struct buf *b)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
    FILE *out = fopen(path, "wb");
    if (out == NULL || fputc(choice, out) == EOF || fwrite(b->data, 1, b->len, out) != b->len ||
        fclose(out) != 0) {
        perror(path);
        exit(1);
    }
    buf_clear(b);
}

static void tokens(void)
{
    struct buf b = BUF_INIT, response = BUF_INIT, token = BUF_INIT;
    struct pass_request request;
    struct pass_coin coins[PASS_KIT_COUNT];
    pass_order_write(kit_order(), &b);
    kit_must(err_is_ok(pass_request_parse(buf_view(&b), &request)));
    kit_must(err_is_ok(pass_issue(kit_issuer(), &rng_system, &request, &response)));
    kit_must(err_is_ok(pass_order_finish(kit_order(), buf_view(&response), coins)));
    save("pass_server", "request", 0, &b);
    save("pass_client", "response", 0, &response);
    pass_coin_write_token(&token, &kit_issuer()->public, &coins[0]);
    pass_authorization_write(&b, buf_view(&token));
    save("pass_server", "header", 3, &b);
    buf_append_bytes(&b, bytes_str("privatetoken a=\"b\\\"\", , TOKEN = AAU= , c=d"));
    save("pass_server", "header_list", 3, &b);
    save("pass_server", "token", 1, &token);
    pass_coin_write_short(&b, &kit_issuer()->public, &coins[0]);
    save("pass_server", "short", 2, &b);
}

static void vouchers(const struct blind_rsa_key *key)
{
    struct buf b = BUF_INIT;
    struct pass_voucher_order order;
    uint8_t digest[PASS_DIGEST_BYTES];
    kit_must(err_is_ok(pass_voucher_digest(bytes_str("a.test"), bytes_str("b.test"), PASS_DELIVERY,
                                           2968, digest)));
    kit_must(err_is_ok(pass_voucher_order_init(&key->public, digest, &rng_system, &order)));
    pass_voucher_order_write(&order, &b);
    b.data[3] &= 0x3f; /* below any modulus */
    save("pass_server", "voucher_request", 4, &b);
    buf_append(&b, order.input, sizeof order.input);
    buf_append(&b, order.inverse, sizeof order.inverse);
    save("pass_server", "voucher", 1, &b);
    buf_append(&b, key->public.spki, sizeof key->public.spki);
    save("pass_client", "public_key", 2, &b);
    kit_must(err_is_ok(blind_rsa_key_write(key, &b)));
    save("pass_client", "private_key", 3, &b);
}

static void directories(const struct blind_rsa_key *key)
{
    struct buf b = BUF_INIT;
    struct pass_directory_key keys[3] = {
        {PASS_TYPE_VOUCHER, PASS_DELIVERY, 2968, 0, 0, bytes_of(key->public.spki, 342)},
        {PASS_TYPE_TOKEN, PASS_DELIVERY, PASS_KIT_PERIOD, 0, 0,
         bytes_of(kit_issuer()->public.public_key, 32)},
        {PASS_TYPE_TOKEN, PASS_DELIVERY, PASS_KIT_PERIOD + 1, 0, 0,
         bytes_of(kit_issuer()->public.public_key, 32)},
    };
    for (size_t i = 0; i < 3; i++)
        kit_must(pass_key_interval(keys[i].token_type, keys[i].period, &keys[i].not_before,
                                   &keys[i].not_after));
    kit_must(err_is_ok(pass_directory_write(&b, bytes_str("a.test"), keys, 3)));
    save("pass_client", "directory", 1, &b);
    kit_must(err_is_ok(pass_directory_write(&b, bytes_str("a.test"), NULL, 0)));
    save("pass_client", "directory_empty", 1, &b);
}

int main(int argc, char **argv)
{
    struct blind_rsa_key key;
    if (argc != 2) {
        (void)fprintf(stderr, "usage: pass_seeds FOLDER\n");
        return 1;
    }
    folder = argv[1];
    kit_must(err_is_ok(blind_rsa_key_generate(&key)));
    tokens();
    vouchers(&key);
    directories(&key);
    blind_rsa_key_clear(&key);
    return 0;
}
