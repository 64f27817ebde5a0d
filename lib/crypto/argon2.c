#include "crypto/argon2.h"

#include <sodium.h>

#include "crypto/crypto.h"

/* The names of libsodium's costs may come to mean other numbers; ours may not. */
_Static_assert(crypto_pwhash_argon2id_SALTBYTES == ARGON2_SALT_BYTES, "salt");
_Static_assert(crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE == ARGON2_PASSES, "passes");
_Static_assert(crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE == ARGON2_MEMORY_BYTES, "memory");
_Static_assert(crypto_pwhash_argon2id_BYTES_MIN == ARGON2_OUT_LEAST_BYTES, "output");

struct err argon2id(struct bytes password, const uint8_t salt[ARGON2_SALT_BYTES], size_t len,
                    uint8_t *ret_out)
{
    if (len < ARGON2_OUT_LEAST_BYTES || len > UINT32_MAX || password.len > UINT32_MAX)
        return ERR(ARGUMENT);
    TRY(crypto_init());
    const char *text = password.len > 0 ? (const char *)password.data : "";
    /* arguments are right, so what can fail is the memory */
    int failed = crypto_pwhash_argon2id(ret_out, len, text, password.len, salt, ARGON2_PASSES,
                                        ARGON2_MEMORY_BYTES, crypto_pwhash_ALG_ARGON2ID13);
    return failed ? ERR(NO_MEMORY) : ERR_OK;
}
