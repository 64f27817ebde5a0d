/* KeyPackage (RFC 9420 10).
 *
 *     struct {
 *         ProtocolVersion version;  CipherSuite cipher_suite;  HPKEPublicKey init_key;  LeafNode
 * leaf_node; Extension extensions<V>;  opaque signature<V>; } KeyPackage;
 *
 * Reading checks form only. A version or suite we do not know is read all the same.
 */
#ifndef MLS_CODEC_KEY_PACKAGE_H
#define MLS_CODEC_KEY_PACKAGE_H

#include "mls/codec/leaf_node.h"

struct key_package {
    uint16_t version;
    uint16_t cipher_suite;
    struct bytes init_key;
    struct leaf_node leaf_node;
    struct extensions extensions;
    struct bytes signature;
    struct bytes raw; /* the whole as read: what KeyPackageRef hashes; empty in one that was made */
    struct bytes raw_tbs; /* KeyPackageTBS as read */
};

void key_package_read(struct wire_reader *r, struct key_package *kp);
CHECKED struct err key_package_parse(struct bytes in, struct key_package *ret_kp);
void key_package_write(struct buf *b, const struct key_package *kp);
/* KeyPackageTBS: the bytes received when there are some, else from the fields. */
void key_package_write_tbs(struct buf *b, const struct key_package *kp);
/* Is it marked as the one to hand out when no other is left? */
bool key_package_is_last_resort(const struct key_package *kp);

#endif
