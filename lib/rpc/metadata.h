/* Request and response metadata: a list of name and value in an arena. `-bin` values lie here
 * decoded.
 *
 * Pseudo headers and what the runtime itself consumes (content-type, te, grpc-*...) are not kept.
 */
#ifndef RPC_METADATA_H
#define RPC_METADATA_H

#include "base/arena.h"
#include "base/bytes.h"

struct metadata_entry {
    struct metadata_entry *next;
    struct bytes name;  /* lower case, zero-terminated */
    struct bytes value; /* zero-terminated behind its end */
};

struct metadata {
    struct metadata_entry *first, *last;
    size_t count;
};

static inline bool metadata_is_bin(struct bytes name)
{
    return name.len > 4 && memcmp(name.data + name.len - 4, "-bin", 4) == 0;
}

/* Adds what came from the wire; a `-bin` value is decoded, and split at commas, which join several
 * values. ERR_RPC_METADATA for bad base64, ERR_TOO_LARGE when the arena is full. */
CHECKED struct err metadata_add_wire(struct metadata *m, struct arena *arena, struct bytes name,
                                     struct bytes value);
/* Adds what the program gives: names of a-z 0-9 - _ . (not starting with "grpc-" or ':', not one
 * the runtime or HTTP/2 keeps for itself), ASCII values of 0x20..0x7E, spaces around them dropped,
 * unless the name ends in `-bin`. ERR_ARGUMENT otherwise. */
CHECKED struct err metadata_add(struct metadata *m, struct arena *arena, struct bytes name,
                                struct bytes value);
/* The n-th value of a name, or NULL. */
const struct metadata_entry *metadata_find(const struct metadata *m, struct bytes name, size_t n);
/* The value as it goes over the wire: the same, or base64 in the arena. data is NULL when the arena
 * is full. */
struct bytes metadata_wire_value(const struct metadata_entry *entry, struct arena *arena);

#endif
