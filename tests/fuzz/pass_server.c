/* What a server reads of tokens: requests, tokens in their three forms, requests for vouchers. The
 * first byte chooses. Parsed ones are written again and must come out the same. */
#include "fuzz/pass_kit.h"
#include "pass/auth_header.h"
#include "pass/voucher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void request(struct bytes in)
{
    enum { COUNT_MOST = 3 }; /* curve arithmetic is slow; more add nothing */
    struct pass_request request;
    struct buf response = BUF_INIT;
    if (!err_is_ok(pass_request_parse(in, &request)))
        return;
    kit_must(request.count >= 1 && request.count <= PASS_BATCH_MAX);
    kit_must(in.len >= 3 + request.count * VOPRF_ELEMENT_BYTES);
    if (request.count > COUNT_MOST)
        return;
    struct err err = pass_issue(kit_issuer(), &rng_system, &request, &response);
    kit_must(err_is_ok(err) == (response.len > 0));
    kit_must(err_is_ok(err) || err.code == ERR_CRYPTO_ELEMENT || err.code == ERR_PASS_KEY);
    buf_clear(&response);
}

static void token(struct bytes in)
{
    struct pass_token token;
    if (!err_is_ok(pass_token_parse(in, &token)))
        return;
    kit_must(token.input.len + token.authenticator.len == in.len);
    struct err err = pass_redeem(kit_issuer(), &token);
    kit_must(err_is_ok(err) || err.code == ERR_PASS_TYPE || err.code == ERR_PASS_KEY ||
             err.code == ERR_PASS_TOKEN);
}

static void short_token(struct bytes in)
{
    struct pass_short token;
    struct buf again = BUF_INIT;
    if (!err_is_ok(pass_short_parse(in, &token)))
        return;
    pass_short_write(&again, &token);
    kit_must(bytes_equal(buf_view(&again), in));
    buf_clear(&again);
    struct err err = pass_redeem_short(kit_issuer(), &token);
    kit_must(err_is_ok(err) || err.code == ERR_PASS_KEY || err.code == ERR_PASS_TOKEN);
}

static void header(struct bytes in)
{
    uint8_t bytes[PASS_VOUCHER_BYTES], again[PASS_VOUCHER_BYTES];
    size_t len, len_again;
    struct buf written = BUF_INIT;
    if (!err_is_ok(pass_authorization_parse(in, bytes, &len)))
        return;
    kit_must(len <= sizeof bytes);
    pass_authorization_write(&written, bytes_of(bytes, len));
    kit_must(err_is_ok(pass_authorization_parse(buf_view(&written), again, &len_again)));
    kit_must(bytes_equal(bytes_of(bytes, len), bytes_of(again, len_again)));
    buf_clear(&written);
    token(bytes_of(bytes, len));
}

/* The key is a new one in each process, so its tag is put in. */
static void voucher_request(struct bytes in)
{
    static struct blind_rsa_key key;
    static uint8_t tag;
    uint8_t bytes[PASS_VOUCHER_REQUEST_BYTES + 8], response[PASS_VOUCHER_RESPONSE_BYTES];
    if (key.parsed == NULL) {
        struct pass_voucher_order order = {.input = {0}};
        kit_must(err_is_ok(blind_rsa_key_generate(&key)));
        kit_must(err_is_ok(pass_voucher_order_init(&key.public, kit_issuer()->public.key_id,
                                                   &rng_system, &order)));
        tag = order.input[PASS_INPUT_BYTES - 1];
    }
    size_t len = in.len < sizeof bytes ? in.len : sizeof bytes;
    memcpy(bytes, in.data, len);
    if (len > 2)
        bytes[2] = tag;
    struct err err = pass_voucher_issue(&key, bytes_of(bytes, len), response);
    kit_must(!err_is_ok(err) || len == PASS_VOUCHER_REQUEST_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const all[])(struct bytes in) = {request, token, short_token, header,
                                                   voucher_request};
    if (len > 0)
        all[data[0] % (sizeof all / sizeof *all)](bytes_of(data + 1, len - 1));
    return 0;
}
