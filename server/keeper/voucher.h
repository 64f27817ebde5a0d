/* Keys of vouchers (pass/voucher.h): RSA keys that can't be derived, and are too large and too many
 * for the keeper's file. The keeper wraps them under a key of its own, which follows from the
 * master and never leaves; whoever wants a signature brings the wrapped key along. Making one takes
 * tenths of a second, for which nobody shall wait here: its owner makes it and forgets it. Internal
 * to server/keeper.
 *
 *     wrapped = at_rest_seal(key, aad = class || week, PKCS#8)
 *     key     = ExpandWithLabel(master, "voucher key", class || week)
 */
#ifndef SERVER_KEEPER_VOUCHER_H
#define SERVER_KEEPER_VOUCHER_H

#include "crypto/blind_rsa.h"
#include "server/keeper/keyring.h"

/* Appends the wrapped key. ERR_CRYPTO_KEY: none of blind_rsa_key_write(). */
CHECKED struct err voucher_wrap(const uint8_t master[KEEPER_KEY_BYTES], const struct rng *rng,
                                uint8_t class, uint32_t week, struct bytes pkcs8,
                                struct buf *wrapped);
/* ERR_CRYPTO_TAG: not wrapped here, or of another class or week. ERR_ARGUMENT. */
CHECKED struct err voucher_sign(const uint8_t master[KEEPER_KEY_BYTES], uint8_t class,
                                uint32_t week, struct bytes wrapped,
                                const uint8_t blinded[BLIND_RSA_BYTES],
                                uint8_t ret_signature[BLIND_RSA_BYTES]);

#endif
