/* PreSharedKeyID (RFC 9420 8.4).
 *
 *     struct {
 *         PSKType psktype;
 *         select (psktype) { case external: opaque psk_id<V>;
 *             case resumption: ResumptionPSKUsage usage;  opaque psk_group_id<V>;  uint64
 * psk_epoch; }; opaque psk_nonce<V>; } PreSharedKeyID;
 */
#ifndef MLS_CODEC_PSK_ID_H
#define MLS_CODEC_PSK_ID_H

#include "mls/codec/types.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum psk_type { PSK_EXTERNAL = 1, PSK_RESUMPTION = 2 };
enum psk_usage { PSK_USAGE_APPLICATION = 1, PSK_USAGE_REINIT = 2, PSK_USAGE_BRANCH = 3 };

struct psk_id {
    enum psk_type type;
    struct bytes id;      /* external only */
    enum psk_usage usage; /* this and the next two: resumption only */
    struct bytes group_id;
    uint64_t epoch;
    struct bytes nonce;
};

/* ERR_WIRE_VALUE for an unknown type or usage. */
void psk_id_read(struct wire_reader *r, struct psk_id *psk);
CHECKED struct err psk_id_parse(struct bytes in, struct psk_id *ret_psk);
void psk_id_write(struct buf *b, const struct psk_id *psk);

/* PSKLabel (RFC 9420 8.4): context of the "derived psk" expansion. */
void psk_label_write(struct buf *b, const struct psk_id *psk, uint16_t index, uint16_t count);

#endif
