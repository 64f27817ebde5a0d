/* Signed notes, their keys, and cosignatures (C2SP signed-note, tlog-cosignature).
 *
 *     text, ending in a newline
 *     (empty line)
 *     — NAME base64(key id[4] || signature)          one line each, at least one
 *
 *     key id       = first 4 bytes of SHA-256(NAME || 0x0A || type || public key)
 *     verifier key = NAME+hex(key id)+base64(type || public key)
 *     type 0x01    Ed25519 over the text
 *     type 0x04    cosignature/v1: u64 time || Ed25519 over "cosignature/v1\ntime TIME\n" || text
 *
 * Lines of other types and of unknown keys are carried and ignored. Parsed notes are views into
 * their input.
 */
#ifndef TLOG_NOTE_H
#define TLOG_NOTE_H

#include "crypto/sig.h"

enum {
    NOTE_ED25519 = 0x01,
    NOTE_COSIGNATURE = 0x04,
    NOTE_KEY_ID_BYTES = 4,
    NOTE_NAME_MAX_BYTES = 255,
    NOTE_MAX_BYTES = 65535,
    NOTE_LINES_MAX = 32,
    NOTE_SIGNATURE_MAX_BYTES = 4096, /* decoded; ML-DSA-44 has 2,420 */
};

/* A key that signs notes, to verify with. The name is borrowed. */
struct note_key {
    struct bytes name;
    uint8_t type; /* NOTE_ED25519, NOTE_COSIGNATURE */
    uint8_t id[NOTE_KEY_ID_BYTES];
    uint8_t public_key[32];
};

/* ERR_TLOG_NOTE for a name that is empty, too long, or has a space or plus; for a key that is not
 * 32 bytes. */
CHECKED struct err note_key_make(struct bytes name, uint8_t type, struct bytes public_key,
                                 struct note_key *ret_key);
/* A verifier key of one of the two types. The name is a view into it. ERR_TLOG_NOTE. */
CHECKED struct err note_key_parse(struct bytes text, struct note_key *ret_key);
void note_key_write(struct buf *b, const struct note_key *key);

struct note {
    struct bytes text; /* with its last newline */
    struct note_line {
        struct bytes name;
        struct bytes base64; /* known to decode to 5 to NOTE_SIGNATURE_MAX_BYTES bytes */
        uint8_t id[NOTE_KEY_ID_BYTES];
    } lines[NOTE_LINES_MAX];
    size_t line_count;
};

/* Form alone: UTF-8 without control characters, lines as above. ERR_TLOG_NOTE; ERR_WIRE_LIMIT
 * over NOTE_MAX_BYTES or NOTE_LINES_MAX. */
CHECKED struct err note_parse(struct bytes in, struct note *ret_note);
/* The first line under the key's name and id is its good signature of the text: ERR_TLOG_NOTE_
 * SIGNATURE. key is NOTE_ED25519. */
CHECKED struct err note_verify(const struct note *note, const struct note_key *key);
/* The same for a cosignature; the time that it names, in seconds since 1970. */
CHECKED struct err note_verify_cosignature(const struct note *note, const struct note_key *key,
                                           uint64_t *ret_time_s);

/* Appends text, empty line and the signature of `signer` under `key`. The text must be a note's
 * (ERR_TLOG_NOTE). */
CHECKED struct err note_sign(struct buf *b, struct bytes text, const struct note_key *key,
                             const struct sig_key *signer);
/* The same with a signature (64 bytes) that was made elsewhere, as by a keeper of keys. It is not
 * verified. */
CHECKED struct err note_write(struct buf *b, struct bytes text, const struct note_key *key,
                              struct bytes signature);
/* What a cosignature of this text signs. Appends. */
void note_cosigned_text(struct buf *b, struct bytes text, uint64_t time_s);
/* Appends a cosignature's line with a signature of that (64 bytes) that was made elsewhere; it is
 * not verified. ERR_ARGUMENT: its length, or no NOTE_COSIGNATURE key. */
CHECKED struct err note_cosign_write(struct buf *b, const struct note_key *key, uint64_t time_s,
                                     struct bytes signature);
/* Appends a signature line to what will stand after a note's others. */
CHECKED struct err note_cosign(struct buf *b, struct bytes text, const struct note_key *key,
                               const struct sig_key *signer, uint64_t time_s);

#endif
