/* Welcome and GroupSecrets (RFC 9420 12.4.3.1).
 *
 *     struct { KeyPackageRef new_member;  HPKECiphertext encrypted_group_secrets; }
 * EncryptedGroupSecrets; struct { CipherSuite cipher_suite;  EncryptedGroupSecrets secrets<V>;
 *              opaque encrypted_group_info<V>; } Welcome;
 *     struct { opaque joiner_secret<V>;  optional<PathSecret> path_secret;  PreSharedKeyID psks<V>;
 * } GroupSecrets;
 *
 * Lists are views, walked with ..._begin and ..._next; they were checked when read, so a walk can't
 * fail.
 */
#ifndef MLS_CODEC_WELCOME_H
#define MLS_CODEC_WELCOME_H

#include "mls/codec/commit.h"
#include "mls/codec/psk_id.h"

struct encrypted_group_secrets {
    struct bytes new_member; /* KeyPackageRef */
    struct hpke_ciphertext secrets;
};

struct welcome {
    uint16_t cipher_suite;
    struct bytes secrets;  /* contents of the vector */
    uint32_t secret_count; /* at most MLS_MAX_WELCOME_SECRETS; not written */
    struct bytes encrypted_group_info;
};

void welcome_read(struct wire_reader *r, struct welcome *welcome);
CHECKED struct err welcome_parse(struct bytes in, struct welcome *ret_welcome);
void welcome_write(struct buf *b, const struct welcome *welcome);
void encrypted_group_secrets_write(struct buf *b, const struct encrypted_group_secrets *s);

struct wire_reader welcome_begin(const struct welcome *welcome);
bool welcome_next(struct wire_reader *it, struct encrypted_group_secrets *ret_secrets);

/* The views point into decrypted memory that the caller wipes. */
struct group_secrets {
    struct bytes joiner_secret;
    bool has_path_secret;
    struct bytes path_secret;
    struct bytes psks;  /* contents of the vector */
    uint32_t psk_count; /* at most MLS_MAX_PSKS; not written */
};

void group_secrets_read(struct wire_reader *r, struct group_secrets *s);
CHECKED struct err group_secrets_parse(struct bytes in, struct group_secrets *ret_s);
void group_secrets_write(struct buf *b, const struct group_secrets *s);

struct wire_reader group_secrets_psks_begin(const struct group_secrets *s);
bool group_secrets_psks_next(struct wire_reader *it, struct psk_id *ret_psk);

#endif
