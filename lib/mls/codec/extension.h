/* Extension lists (RFC 9420 7.2, 13.4) and the contents of the extensions we know.
 *
 *     struct { ExtensionType extension_type; opaque extension_data<V>; } Extension;
 *
 * A list is a view that was checked to be well formed when read; walking it can't fail. That no
 * type occurs twice (13.4) is a rule of validation, not of the codec: extensions_unique().
 */
#ifndef MLS_CODEC_EXTENSION_H
#define MLS_CODEC_EXTENSION_H

#include "mls/codec/credential.h"
#include "mls/codec/list.h"

struct extension {
    uint16_t type;
    struct bytes data;
};

/* Extension extensions<V> */
struct extensions {
    struct bytes raw; /* contents of the vector */
};

void extensions_read(struct wire_reader *r, struct extensions *e);
void extensions_write(struct buf *b, const struct extensions *e);
/* Appends one Extension; a list is built by appending to a buf and viewing it:
 * `struct extensions e = {buf_view(&b)};` */
void extension_write(struct buf *b, uint16_t type, struct bytes data);

/*     struct wire_reader it = extensions_begin(&list);
 *     struct extension x;
 *     while (extensions_next(&it, &x)) ... */
struct wire_reader extensions_begin(const struct extensions *e);
bool extensions_next(struct wire_reader *it, struct extension *ret_x);
/* The data of the first extension of that type. */
bool extensions_find(const struct extensions *e, uint16_t type, struct bytes *ret_data);
/* RFC 9420 13.4: no type occurs twice. */
bool extensions_unique(const struct extensions *e);

/* required_capabilities (RFC 9420 11.1) */
struct required_capabilities {
    struct u16_list extension_types;
    struct u16_list proposal_types;
    struct u16_list credential_types;
};
CHECKED struct err required_capabilities_parse(struct bytes data,
                                               struct required_capabilities *ret_required);
void required_capabilities_write(struct buf *b, const struct required_capabilities *required);

/* external_pub (RFC 9420 12.4.3.2): HPKEPublicKey external_pub */
CHECKED struct err external_pub_parse(struct bytes data, struct bytes *ret_key);

/* external_senders (RFC 9420 12.1.8.1): ExternalSender external_senders<V> */
struct external_sender {
    struct bytes signature_key;
    struct mls_credential credential;
};
CHECKED struct err external_senders_check(struct bytes data);
/* The sender at an index of a list that was checked; ERR_NOT_FOUND past the end. */
CHECKED struct err external_senders_at(struct bytes data, uint32_t index,
                                       struct external_sender *ret_sender);
void external_sender_write(struct buf *b, const struct external_sender *sender);

#endif
