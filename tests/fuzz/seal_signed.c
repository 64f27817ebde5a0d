/* Objects that carry signatures: credentials, requests for them, revocations, connection packages,
 * key sets, statements about a server's keys. The first byte chooses. */
#include <stdlib.h>

#include "seal/connection_package.h"
#include "seal/credential_chain.h"
#include "seal/key_set.h"
#include "seal/server_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES] = {1};

/* Either answer is right: what matters is that there is one, and that memory stays whole. */
static void any(struct err err)
{
    (void)err;
}

static void credential(struct bytes in)
{
    struct credential c;
    if (!err_is_ok(credential_parse(in, &c)))
        return;
    struct err as_root = credential_verify(&c, NULL);
    if (c.kind != CREDENTIAL_AS_ROOT && err_is_ok(as_root))
        abort();
    /* nothing signs for itself but a root */
    if (err_is_ok(credential_verify(&c, &c)))
        abort();
}

/* The key of the seeds: what they signed verifies, so that what follows is reached. */
static struct credential a_signer(void)
{
    static struct sig_key key;
    static const uint8_t seed[32] = {2};
    if (key.alg == NULL && !err_is_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &key)))
        abort();
    return (struct credential){.kind = CREDENTIAL_AS_SIGNING,
                               .not_after = UINT64_MAX,
                               .subject = bytes_str("a.example"),
                               .public_key = public_key_view(&key.public_key)};
}

static void revocation_list(struct bytes in)
{
    struct credential signing = a_signer();
    struct revocations list;
    if (err_is_ok(revocations_read(in, &signing, &list)))
        (void)revocations_has(&list, fingerprint);
}

static void key_set(struct bytes in)
{
    static struct key_set set, before;
    if (!err_is_ok(key_set_parse(in, &set)))
        return;
    if (set.client_count > KEY_SET_CLIENTS_MAX || set.sig_count > 2 * KEY_SET_CLIENTS_MAX)
        abort();
    any(key_set_verify(&set, NULL));
    before = set;
    before.version--;
    any(key_set_verify(&set, &before));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, len - 1);
    struct credential_request request;
    struct connection_package package;
    struct server_key server_key;
    struct credential signing = a_signer();
    switch (data[0] % 6) {
    case 0:
        credential(in);
        break;
    case 1:
        any(credential_request_read(in, &request));
        break;
    case 2:
        revocation_list(in);
        break;
    case 3:
        any(connection_package_read(in, signing.public_key, &package));
        break;
    case 4:
        key_set(in);
        break;
    default:
        any(server_key_read(in, &signing, &server_key));
    }
    return 0;
}
