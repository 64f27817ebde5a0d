#include "tlog/commitment.h"

enum { VRF_INPUT_MAX_BYTES = 1 + LABEL_MAX_BYTES + 4 };

static void u32_to(uint32_t value, uint8_t *out)
{
    for (size_t i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Returns the length; 0 for a label that is none. */
static size_t vrf_input(struct bytes label, uint32_t version, uint8_t out[VRF_INPUT_MAX_BYTES])
{
    if (label.len == 0 || label.len > LABEL_MAX_BYTES)
        return 0;
    out[0] = (uint8_t)label.len;
    memcpy(out + 1, label.data, label.len);
    u32_to(version, out + 1 + label.len);
    return 1 + label.len + 4;
}

struct err tlog_index_prove(const struct vrf_key *key, struct bytes label, uint32_t version,
                            uint8_t ret_proof[VRF_PROOF_BYTES], uint8_t ret_index[INDEX_BYTES])
{
    uint8_t input[VRF_INPUT_MAX_BYTES], output[VRF_OUTPUT_BYTES];
    size_t len = vrf_input(label, version, input);
    if (len == 0)
        return ERR(ARGUMENT);
    TRY(vrf_prove(key, bytes_of(input, len), ret_proof, output));
    memcpy(ret_index, output, INDEX_BYTES);
    return ERR_OK;
}

struct err tlog_index_verify(struct bytes public_key, struct bytes label, uint32_t version,
                             struct bytes proof, uint8_t ret_index[INDEX_BYTES])
{
    uint8_t input[VRF_INPUT_MAX_BYTES], output[VRF_OUTPUT_BYTES];
    size_t len = vrf_input(label, version, input);
    if (len == 0)
        return ERR(ARGUMENT);
    TRY(vrf_verify(public_key, bytes_of(input, len), proof, output));
    memcpy(ret_index, output, INDEX_BYTES);
    return ERR_OK;
}

void tlog_commit(const uint8_t opening[OPENING_BYTES], struct bytes label, uint32_t version,
                 struct bytes value, struct hash_value *ret_commitment)
{
    static const uint8_t kc[16] = {0xd8, 0x21, 0xf8, 0x79, 0x0d, 0x97, 0x70, 0x97,
                                   0x96, 0xb4, 0xd7, 0x90, 0x33, 0x57, 0xc3, 0xf5};
    uint8_t label_len = (uint8_t)label.len, number[4], value_len[4];
    struct digest mac;
    u32_to(version, number);
    u32_to((uint32_t)value.len, value_len);
    hmac_once(&hash_sha256, bytes_of(kc, sizeof kc),
              BYTES_LIST(bytes_of(opening, OPENING_BYTES), bytes_of(&label_len, 1), label,
                         bytes_of(number, 4), bytes_of(value_len, 4), value),
              &mac);
    memcpy(ret_commitment->data, mac.data, HASH_VALUE_BYTES);
}
