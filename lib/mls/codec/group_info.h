/* GroupInfo (RFC 9420 12.4.3).
 *
 *     struct { GroupContext group_context;  Extension extensions<V>;  MAC confirmation_tag;
 *              uint32 signer;  opaque signature<V>; } GroupInfo;
 */
#ifndef MLS_CODEC_GROUP_INFO_H
#define MLS_CODEC_GROUP_INFO_H

#include "mls/codec/group_context.h"

struct group_info {
    struct group_context group_context;
    struct extensions extensions; /* ratchet_tree and external_pub among them, or not */
    struct bytes confirmation_tag;
    uint32_t signer; /* leaf index */
    struct bytes signature;
    struct bytes raw_tbs; /* GroupInfoTBS as read; empty in one that was made */
};

void group_info_read(struct wire_reader *r, struct group_info *info);
CHECKED struct err group_info_parse(struct bytes in, struct group_info *ret_info);
void group_info_write(struct buf *b, const struct group_info *info);
/* GroupInfoTBS: the bytes received when there are some, else from the fields. */
void group_info_write_tbs(struct buf *b, const struct group_info *info);

#endif
