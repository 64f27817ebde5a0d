/* What says who is calling: domains, ids, request authentication. The first byte chooses. What is
 * read must come out as it went in. */
#include <stdlib.h>

#include "seal/names.h"
#include "seal/request_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must_be(struct buf *b, struct bytes in)
{
    if (!err_is_ok(buf_check(b)) || !bytes_equal(buf_view(b), in))
        abort();
    buf_clear(b);
}

/* A domain for real use is one in development too. */
static void domain(struct bytes in)
{
    if (err_is_ok(domain_check(in, false)) && !err_is_ok(domain_check(in, true)))
        abort();
}

static void auth(struct bytes in)
{
    static const uint8_t hash[REQUEST_BODY_HASH_BYTES];
    static const uint8_t key[32] = {0x58, 0x66, 0x66, 0x66};
    struct request_auth auth;
    if (!err_is_ok(request_auth_parse(in, &auth)))
        return;
    /* whatever was read can be judged */
    struct err err =
        request_auth_verify(&auth, bytes_str("/a/b"), hash, &sig_ed25519, bytes_of(key, 32));
    if (err.code != ERR_CRYPTO_SIGNATURE && err.code != ERR_CRYPTO_KEY)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, len - 1);
    struct buf b = BUF_INIT;
    struct domain_name name;
    struct client_id client;
    struct member_id member;
    switch (data[0] % 5) {
    case 0:
        domain(in);
        break;
    case 1:
        if (err_is_ok(domain_name_parse(in, &name))) {
            domain_name_write(&b, &name);
            must_be(&b, in);
        }
        break;
    case 2:
        if (err_is_ok(client_id_parse(in, &client))) {
            client_id_write(&b, &client);
            must_be(&b, in);
        }
        break;
    case 3:
        if (err_is_ok(member_id_parse(in, &member))) {
            member_id_write(&b, &member);
            must_be(&b, in);
        }
        break;
    default:
        auth(in);
    }
    return 0;
}
