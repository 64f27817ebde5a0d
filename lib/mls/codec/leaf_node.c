#include "mls/codec/leaf_node.h"

static void capabilities_read(struct wire_reader *r, struct capabilities *c)
{
    u16_list_read(r, MLS_MAX_CAPABILITIES, &c->versions);
    u16_list_read(r, MLS_MAX_CAPABILITIES, &c->cipher_suites);
    u16_list_read(r, MLS_MAX_CAPABILITIES, &c->extensions);
    u16_list_read(r, MLS_MAX_CAPABILITIES, &c->proposals);
    u16_list_read(r, MLS_MAX_CAPABILITIES, &c->credentials);
}

static void capabilities_write(struct buf *b, const struct capabilities *c)
{
    u16_list_write(b, &c->versions);
    u16_list_write(b, &c->cipher_suites);
    u16_list_write(b, &c->extensions);
    u16_list_write(b, &c->proposals);
    u16_list_write(b, &c->credentials);
}

bool capabilities_has_extension(const struct capabilities *c, uint16_t type)
{
    return (type > 0 && type <= EXTENSION_LAST_DEFAULT) || u16_list_has(&c->extensions, type);
}

bool capabilities_has_proposal(const struct capabilities *c, uint16_t type)
{
    return (type > 0 && type <= PROPOSAL_LAST_DEFAULT) || u16_list_has(&c->proposals, type);
}

bool capabilities_has_credential(const struct capabilities *c, uint16_t type)
{
    return u16_list_has(&c->credentials, type);
}

void leaf_node_read(struct wire_reader *r, struct leaf_node *leaf)
{
    const uint8_t *from = r->at;
    *leaf = (struct leaf_node){0};
    leaf->encryption_key = wire_read_vector(r);
    leaf->signature_key = wire_read_vector(r);
    credential_read(r, &leaf->credential);
    capabilities_read(r, &leaf->capabilities);
    uint8_t source = wire_read_u8(r);
    switch (source) {
    case LEAF_SOURCE_KEY_PACKAGE:
        leaf->not_before = wire_read_u64(r);
        leaf->not_after = wire_read_u64(r);
        break;
    case LEAF_SOURCE_UPDATE:
        break;
    case LEAF_SOURCE_COMMIT:
        leaf->parent_hash = wire_read_vector(r);
        break;
    default:
        wire_reader_fail(r, ERR_WIRE_VALUE);
    }
    leaf->source = (enum leaf_source)source;
    extensions_read(r, &leaf->extensions);
    leaf->raw_tbs = wire_reader_since(r, from);
    leaf->signature = wire_read_vector(r);
    leaf->raw = wire_reader_since(r, from);
}

struct err leaf_node_parse(struct bytes in, struct leaf_node *ret_leaf)
{
    struct wire_reader r = wire_reader_of(in);
    struct leaf_node leaf;
    leaf_node_read(&r, &leaf);
    TRY(wire_reader_end(&r));
    *ret_leaf = leaf;
    return ERR_OK;
}

static void write_unsigned(struct buf *b, const struct leaf_node *leaf)
{
    wire_write_vector(b, leaf->encryption_key);
    wire_write_vector(b, leaf->signature_key);
    credential_write(b, &leaf->credential);
    capabilities_write(b, &leaf->capabilities);
    wire_write_u8(b, (uint8_t)leaf->source);
    if (leaf->source == LEAF_SOURCE_KEY_PACKAGE) {
        wire_write_u64(b, leaf->not_before);
        wire_write_u64(b, leaf->not_after);
    } else if (leaf->source == LEAF_SOURCE_COMMIT) {
        wire_write_vector(b, leaf->parent_hash);
    }
    extensions_write(b, &leaf->extensions);
}

void leaf_node_write(struct buf *b, const struct leaf_node *leaf)
{
    write_unsigned(b, leaf);
    wire_write_vector(b, leaf->signature);
}

void leaf_node_write_tbs(struct buf *b, const struct leaf_node *leaf, struct bytes group_id,
                         uint32_t leaf_index)
{
    if (leaf->raw_tbs.len > 0)
        wire_write_fixed(b, leaf->raw_tbs);
    else
        write_unsigned(b, leaf);
    if (leaf->source == LEAF_SOURCE_KEY_PACKAGE)
        return;
    wire_write_vector(b, group_id);
    wire_write_u32(b, leaf_index);
}
