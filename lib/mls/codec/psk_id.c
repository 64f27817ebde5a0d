#include "mls/codec/psk_id.h"

void psk_id_read(struct wire_reader *r, struct psk_id *psk)
{
    *psk = (struct psk_id){0};
    uint8_t type = wire_read_u8(r);
    if (type == PSK_EXTERNAL) {
        psk->id = wire_read_vector(r);
    } else if (type == PSK_RESUMPTION) {
        uint8_t usage = wire_read_u8(r);
        if (usage < PSK_USAGE_APPLICATION || usage > PSK_USAGE_BRANCH)
            wire_reader_fail(r, ERR_WIRE_VALUE);
        psk->usage = (enum psk_usage)usage;
        psk->group_id = wire_read_vector(r);
        psk->epoch = wire_read_u64(r);
    } else {
        wire_reader_fail(r, ERR_WIRE_VALUE);
    }
    psk->type = (enum psk_type)type;
    psk->nonce = wire_read_vector(r);
}

struct err psk_id_parse(struct bytes in, struct psk_id *ret_psk)
{
    struct wire_reader r = wire_reader_of(in);
    struct psk_id psk;
    psk_id_read(&r, &psk);
    TRY(wire_reader_end(&r));
    *ret_psk = psk;
    return ERR_OK;
}

void psk_id_write(struct buf *b, const struct psk_id *psk)
{
    wire_write_u8(b, (uint8_t)psk->type);
    if (psk->type == PSK_EXTERNAL) {
        wire_write_vector(b, psk->id);
    } else {
        wire_write_u8(b, (uint8_t)psk->usage);
        wire_write_vector(b, psk->group_id);
        wire_write_u64(b, psk->epoch);
    }
    wire_write_vector(b, psk->nonce);
}

void psk_label_write(struct buf *b, const struct psk_id *psk, uint16_t index, uint16_t count)
{
    psk_id_write(b, psk);
    wire_write_u16(b, index);
    wire_write_u16(b, count);
}
