#include "mls/codec/proposal.h"

void reinit_read(struct wire_reader *r, struct reinit *reinit)
{
    reinit->group_id = wire_read_vector(r);
    reinit->version = wire_read_u16(r);
    reinit->cipher_suite = wire_read_u16(r);
    extensions_read(r, &reinit->extensions);
}

void reinit_write(struct buf *b, const struct reinit *reinit)
{
    wire_write_vector(b, reinit->group_id);
    wire_write_u16(b, reinit->version);
    wire_write_u16(b, reinit->cipher_suite);
    extensions_write(b, &reinit->extensions);
}

static void add_read(struct wire_reader *r, struct arena *a, struct proposal *p)
{
    struct key_package *kp = codec_alloc(r, a, sizeof *kp);
    if (kp != NULL)
        key_package_read(r, kp);
    p->add = kp;
}

static void update_read(struct wire_reader *r, struct arena *a, struct proposal *p)
{
    struct leaf_node *leaf = codec_alloc(r, a, sizeof *leaf);
    if (leaf != NULL)
        leaf_node_read(r, leaf);
    p->update = leaf;
}

void proposal_read(struct wire_reader *r, struct arena *a, struct proposal *p)
{
    const uint8_t *from = r->at;
    *p = (struct proposal){.type = wire_read_u16(r)};
    switch (p->type) {
    case PROPOSAL_ADD:
        add_read(r, a, p);
        break;
    case PROPOSAL_UPDATE:
        update_read(r, a, p);
        break;
    case PROPOSAL_REMOVE:
        p->remove = wire_read_u32(r);
        break;
    case PROPOSAL_PSK:
        psk_id_read(r, &p->psk);
        break;
    case PROPOSAL_REINIT:
        reinit_read(r, &p->reinit);
        break;
    case PROPOSAL_EXTERNAL_INIT:
        p->external_init = wire_read_vector(r);
        break;
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        extensions_read(r, &p->group_context_extensions);
        break;
    default:
        p->unknown = wire_read_vector(r);
    }
    p->raw = wire_reader_since(r, from);
}

struct err proposal_parse(struct bytes in, struct arena *a, struct proposal *ret_p)
{
    struct wire_reader r = wire_reader_of(in);
    struct proposal p;
    proposal_read(&r, a, &p);
    TRY(wire_reader_end(&r));
    *ret_p = p;
    return ERR_OK;
}

void proposal_write(struct buf *b, const struct proposal *p)
{
    wire_write_u16(b, p->type);
    switch (p->type) {
    case PROPOSAL_ADD:
        key_package_write(b, p->add);
        break;
    case PROPOSAL_UPDATE:
        leaf_node_write(b, p->update);
        break;
    case PROPOSAL_REMOVE:
        wire_write_u32(b, p->remove);
        break;
    case PROPOSAL_PSK:
        psk_id_write(b, &p->psk);
        break;
    case PROPOSAL_REINIT:
        reinit_write(b, &p->reinit);
        break;
    case PROPOSAL_EXTERNAL_INIT:
        wire_write_vector(b, p->external_init);
        break;
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        extensions_write(b, &p->group_context_extensions);
        break;
    default:
        wire_write_vector(b, p->unknown);
    }
}
