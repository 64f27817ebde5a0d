#include "pass/issue.h"

#include "wire/reader.h"
#include "wire/writer.h"

struct err pass_issuer_key_init(struct bytes domain, uint8_t class, uint32_t period,
                                const struct voprf_key *key, struct pass_issuer_key *ret_key)
{
    TRY(pass_public_key_init(domain, class, period, key->public_key, &ret_key->public));
    ret_key->voprf = *key;
    return ERR_OK;
}

void pass_issuer_key_clear(struct pass_issuer_key *key)
{
    bytes_wipe(key, sizeof *key);
}

struct err pass_request_parse(struct bytes in, struct pass_request *ret_request)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u16(&r) != PASS_TYPE_TOKEN)
        wire_reader_fail(&r, ERR_PASS_TYPE);
    uint8_t tag = wire_read_u8(&r);
    struct bytes blinded = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    size_t count = blinded.len / VOPRF_ELEMENT_BYTES;
    if (blinded.len % VOPRF_ELEMENT_BYTES != 0 || count == 0 || count > PASS_BATCH_MAX)
        return ERR(PASS_BATCH);
    *ret_request = (struct pass_request){tag, count, blinded.data};
    return ERR_OK;
}

struct err pass_issue(const struct pass_issuer_key *key, const struct rng *rng,
                      const struct pass_request *request, struct buf *response)
{
    FILLED_LATER uint8_t evaluated[PASS_BATCH_MAX * VOPRF_ELEMENT_BYTES];
    uint8_t proof[VOPRF_PROOF_BYTES];
    if (request->key_tag != pass_issuer_key_tag(key))
        return ERR(PASS_KEY);
    TRY(voprf_evaluate(&key->voprf, rng, request->blinded, request->count, evaluated, proof));
    size_t len = request->count * VOPRF_ELEMENT_BYTES;
    const size_t total = wire_varint_size(len) + len + sizeof proof;
    uint8_t *room = buf_extend(response, total); /* all of it or nothing */
    if (room == NULL)
        return buf_check(response);
    response->len -= total;
    wire_write_vector(response, bytes_of(evaluated, len));
    wire_write_fixed(response, bytes_of(proof, sizeof proof));
    return buf_check(response);
}
