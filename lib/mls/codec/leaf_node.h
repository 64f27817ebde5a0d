/* LeafNode (RFC 9420 7.2): one client's appearance in a tree, signed by it.
 *
 *     struct {
 *         HPKEPublicKey encryption_key;  SignaturePublicKey signature_key;  Credential credential;
 *         Capabilities capabilities;  LeafNodeSource leaf_node_source;
 *         select (source) { case key_package: Lifetime lifetime;  case update: struct{};
 *                           case commit: opaque parent_hash<V>; };
 *         Extension extensions<V>;  opaque signature<V>;
 *     } LeafNode;
 *
 * All fields are views into what was read. Reading checks form only; rules are
 * lib/mls/public/validate_leaf.h.
 */
#ifndef MLS_CODEC_LEAF_NODE_H
#define MLS_CODEC_LEAF_NODE_H

#include "mls/codec/credential.h"
#include "mls/codec/extension.h"
#include "mls/codec/list.h"

enum leaf_source { LEAF_SOURCE_KEY_PACKAGE = 1, LEAF_SOURCE_UPDATE = 2, LEAF_SOURCE_COMMIT = 3 };

struct capabilities {
    struct u16_list versions;
    struct u16_list cipher_suites;
    struct u16_list extensions;
    struct u16_list proposals;
    struct u16_list credentials;
};

struct leaf_node {
    struct bytes encryption_key;
    struct bytes signature_key;
    struct mls_credential credential;
    struct capabilities capabilities;
    enum leaf_source source;
    uint64_t not_before; /* key_package only: seconds since 1970 */
    uint64_t not_after;
    struct bytes parent_hash; /* commit only */
    struct extensions extensions;
    struct bytes signature;
    struct bytes raw;     /* the whole as read; empty in one that was made rather than read */
    struct bytes raw_tbs; /* the front of raw up to the signature: the start of LeafNodeTBS */
};

/* ERR_WIRE_VALUE for a leaf_node_source the RFC does not know. */
void leaf_node_read(struct wire_reader *r, struct leaf_node *leaf);
CHECKED struct err leaf_node_parse(struct bytes in, struct leaf_node *ret_leaf);
/* From the fields, never from raw. */
void leaf_node_write(struct buf *b, const struct leaf_node *leaf);
/* LeafNodeTBS: the bytes received when there are some, else from the fields; group_id and
 * leaf_index are used by sources update and commit only. */
void leaf_node_write_tbs(struct buf *b, const struct leaf_node *leaf, struct bytes group_id,
                         uint32_t leaf_index);

/* Does the leaf support it (RFC 9420 7.2)? Default types count as listed. */
bool capabilities_has_extension(const struct capabilities *c, uint16_t type);
bool capabilities_has_proposal(const struct capabilities *c, uint16_t type);
bool capabilities_has_credential(const struct capabilities *c, uint16_t type);

#endif
