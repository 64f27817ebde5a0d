/* The two layers of a Welcome (RFC 9420 12.4.3.1): GroupSecrets sealed to each new member's init
 * key, and the GroupInfo sealed once under what they hold. No tree is needed for either. Plaintexts
 * lie in the arena, which wipes them when it is cleared.
 */
#ifndef MLS_MEMBER_WELCOME_PROTECTION_H
#define MLS_MEMBER_WELCOME_PROTECTION_H

#include "mls/codec/group_info.h"
#include "mls/codec/welcome.h"
#include "mls/member/key_schedule.h"

/* KeyPackageRef (5.2) of an encoded KeyPackage. ERR_TOO_LARGE. */
CHECKED struct err welcome_key_package_ref(const struct suite *suite, struct bytes key_package,
                                           struct digest *ret_ref);

/* Appends encrypted_group_info: the GroupInfo, encoded and signed, under the welcome secret. */
CHECKED struct err welcome_seal_group_info(const struct suite *suite,
                                           const struct secret *welcome_secret,
                                           struct bytes group_info, struct buf *b);
/* Appends one EncryptedGroupSecrets. secrets is an encoded GroupSecrets; encrypted_group_info is
 * what welcome_seal_group_info made, without a length in front: it is bound as context. Errors:
 * labelled_encrypt's. */
CHECKED struct err welcome_seal_secrets(const struct suite *suite, const struct rng *rng,
                                        struct bytes key_package_ref, struct bytes init_key,
                                        struct bytes secrets, struct bytes encrypted_group_info,
                                        struct buf *b);

/* For many joiners: what their seals share, worked out once (crypto/hpke.h), then an entry each. */
CHECKED struct err welcome_seal_info(const struct suite *suite, struct bytes encrypted_group_info,
                                     struct hpke_info *ret_info);
CHECKED struct err welcome_seal_secrets_with(const struct hpke_info *info, const struct rng *rng,
                                             struct bytes key_package_ref, struct bytes init_key,
                                             struct bytes secrets, struct buf *b);

/* The entry of a new member; false when there is none. */
bool welcome_find(const struct welcome *welcome, struct bytes key_package_ref,
                  struct encrypted_group_secrets *ret_entry);
/* Finds one's own entry and opens it. init_public as in kem_decap. Errors:
 * ERR_MLS_WELCOME_NOT_FOR_US, ERR_CRYPTO_..., ERR_WIRE_..., ERR_NO_MEMORY. */
CHECKED struct err welcome_open_secrets(const struct suite *suite, const struct welcome *welcome,
                                        struct bytes key_package_ref, struct bytes init_private,
                                        struct bytes init_public, struct arena *a,
                                        struct group_secrets *ret_secrets);
/* The joiner checks signature, tree and confirmation tag afterwards. Errors: ERR_CRYPTO_TAG,
 * ERR_WIRE_..., ERR_ARGUMENT for a joiner_secret that is not Nh bytes, ERR_NO_MEMORY. */
CHECKED struct err welcome_open_group_info(const struct suite *suite, const struct welcome *welcome,
                                           struct bytes joiner_secret,
                                           const struct secret *psk_secret, struct arena *a,
                                           struct group_info *ret_info);

#endif
