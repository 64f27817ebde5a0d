#include "mls/member/message_protection.h"

#include "crypto/labelled.h"

struct err message_sender_data_key(const struct suite *suite,
                                   const struct secret *sender_data_secret, struct bytes ciphertext,
                                   struct message_key *ret_key)
{
    const struct kdf_alg *kdf = suite->hpke.kdf;
    struct bytes from = secret_view(sender_data_secret);
    struct bytes sample = ciphertext;
    if (sample.len > suite_hash_bytes(suite))
        sample.len = suite_hash_bytes(suite);
    struct message_key k = {0};
    struct err err;
    TRY_OR(labelled_expand(kdf, from, LABEL_MLS, bytes_str("key"), sample,
                           suite->hpke.aead->key_bytes, &k.key),
           err, out);
    TRY_OR(labelled_expand_into(kdf, from, LABEL_MLS, bytes_str("nonce"), sample, AEAD_NONCE_BYTES,
                                k.nonce),
           err, out);
    *ret_key = k;
out:
    message_key_clear(&k);
    return err;
}
