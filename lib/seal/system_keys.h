/* A homeserver's own keys in its log (transparency.md 4): the values of its system labels. Each key
 * that Info.GetKeys hands out stands in the newest version of its use's label, so that nobody is
 * given another one (MitM1, ME6).
 *
 *     label: 0x00 || name
 *     struct { uint8 use;            hearth.v1.KeyUse
 *              uint16 algorithm;     of its statement (seal/server_key.h); 0 for credentials
 *              opaque key<V>;        the statement's public_key; a credential's fingerprint
 *            } SystemKey;
 *     value: SystemKey keys[], in the order of GetKeys, to the end
 *
 *     name               uses
 *     "credentials"      AS_ROOT, AS_SIGNING
 *     "sealing"          QUEUE_SEALING
 *     "federation"       FEDERATION
 *     "external-senders" EXTERNAL_SENDER
 *     "token-keys"       TOKENS: the key is the directory itself, algorithm 0, so that what was
 *                        public when can be seen (pass/key_rules.h)
 *
 * The keys of the log itself are in its leaf 0.
 */
#ifndef SEAL_SYSTEM_KEYS_H
#define SEAL_SYSTEM_KEYS_H

#include "base/bytes.h"
#include "base/err.h"

enum { SYSTEM_USE_TOKENS = 8 }; /* as in hearth.v1.KeyUse */
enum { SYSTEM_LABEL_KIND = 0x00, SYSTEM_LABEL_MAX_BYTES = 32, SYSTEM_KEYS_MOST = 64 };

/* Names of the labels there are, without their kind; NULL after the last. */
extern const char *const system_labels[];
/* The label of a use's keys, or NULL: it has none. One of system_labels. */
const char *system_label_of(unsigned use);
/* Appends 0x00 || name. */
void system_label_write(struct buf *b, const char *name);

struct system_key {
    uint8_t use;
    uint16_t algorithm;
    struct bytes key;
};

/* Appends. */
void system_key_write(struct buf *b, const struct system_key *key);
/* Views into the input, at most SYSTEM_KEYS_MOST. Wire errors. */
CHECKED struct err system_keys_parse(struct bytes value,
                                     struct system_key ret_keys[SYSTEM_KEYS_MOST],
                                     size_t *ret_count);
/* Is this one of them? Wire errors; ERR_NOT_FOUND. */
CHECKED struct err system_keys_find(struct bytes value, const struct system_key *key);

#endif
