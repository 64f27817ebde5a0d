/* The directory of a homeserver's token keys: the value of its label 0x00 || "token-keys" in the
 * log, and at /.well-known/private-token-issuer-directory as JSON (RFC 9578 4).
 *
 *     struct {
 *         uint16 token_type;
 *         uint8 class;
 *         uint32 period;                         day for 0x0005, week for 0x0002
 *         uint64 not_before;                     unix seconds: spent from then ...
 *         uint64 not_after;                      ... until before then
 *         opaque public_key<1..2^16-1>;
 *     } TokenKey;
 *     struct {
 *         uint8 fmt = 1;
 *         opaque issuer<1..2^8-1>;
 *         TokenKey keys<0..2^16-1>;
 *     } TokenKeyDirectory;
 *
 * Vector lengths are in bytes. Keys stand in strictly ascending order of (token_type, class,
 * period), which leaves one encoding, and one key for each.
 */
#ifndef PASS_DIRECTORY_H
#define PASS_DIRECTORY_H

#include "pass/token.h"
#include "wire/reader.h"

struct pass_directory_key {
    uint16_t token_type;
    uint8_t class;
    uint32_t period;
    uint64_t not_before; /* unix seconds */
    uint64_t not_after;
    struct bytes public_key;
};

/* Parsed; views into the input. */
struct pass_directory {
    struct bytes issuer;
    struct bytes keys; /* well-formed and in order */
    size_t count;
};

/* Wire errors, ERR_PASS_DIRECTORY: format, order, an empty interval or key. Types and classes that
 * are not ours are kept, and skipped by who looks for his. */
CHECKED struct err pass_directory_parse(struct bytes in, struct pass_directory *ret_directory);
/* `struct wire_reader r = wire_reader_of(directory.keys); while (pass_directory_next(&r, &key))
 * ...` */
bool pass_directory_next(struct wire_reader *r, struct pass_directory_key *ret_key);
/* False when there is none. */
bool pass_directory_find(const struct pass_directory *directory, uint16_t token_type, uint8_t class,
                         uint32_t period, struct pass_directory_key *ret_key);

/* Appends. ERR_PASS_DIRECTORY for what pass_directory_parse would refuse, or more than 65535 bytes
 * of keys; those of the buffer. Nothing is appended then. */
CHECKED struct err pass_directory_write(struct buf *b, struct bytes issuer,
                                        const struct pass_directory_key *keys, size_t count);
/* Appends the same keys as RFC 9578 wants them, one line:
 * {"issuer-request-uri":"...","token-keys":[{"token-type":5,"token-key":"...","not-before":n},...]}
 * request_uri is ours: no characters that JSON would escape (ERR_ARGUMENT). */
CHECKED struct err pass_directory_write_json(struct buf *b, struct bytes request_uri,
                                             const struct pass_directory_key *keys, size_t count);

#endif
