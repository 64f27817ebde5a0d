/* The client's end of issuance (request.h). */
#include "pass/request.h"
#include "wire/reader.h"

enum { NONCE = PASS_NONCE_BYTES, ELEMENT = VOPRF_ELEMENT_BYTES };

/* Views of the response, its count compared with the order's. */
static struct err parse(struct bytes response, size_t count, struct bytes *ret_evaluated,
                        struct bytes *ret_proof)
{
    struct wire_reader r = wire_reader_of(response);
    *ret_evaluated = wire_read_vector(&r);
    *ret_proof = wire_read_fixed(&r, VOPRF_PROOF_BYTES);
    TRY(wire_reader_end(&r));
    return ret_evaluated->len == count * ELEMENT ? ERR_OK : ERR(PASS_BATCH);
}

struct err pass_order_finish(const struct pass_order *order, struct bytes response,
                             struct pass_coin *ret_coins)
{
    FILLED_LATER uint8_t texts[PASS_BATCH_MAX][PASS_INPUT_BYTES];
    FILLED_LATER uint8_t outputs[PASS_BATCH_MAX * VOPRF_OUTPUT_BYTES];
    struct bytes inputs[PASS_BATCH_MAX], evaluated, proof;
    size_t count = order->count;
    if (count == 0 || count > PASS_BATCH_MAX) /* cleared, or never begun */
        return ERR(PASS_BATCH);
    TRY(parse(response, count, &evaluated, &proof));
    for (size_t i = 0; i < count; i++) {
        pass_token_input(&order->key, order->nonces + NONCE * i, texts[i]);
        inputs[i] = bytes_of(texts[i], sizeof texts[i]);
    }
    const struct voprf_batch batch = {count, inputs, order->blinds, order->blinded};
    struct err err =
        voprf_finalize(&batch, order->key.public_key, evaluated.data, proof.data, outputs);
    for (size_t i = 0; i < count && err_is_ok(err); i++) {
        memcpy(ret_coins[i].nonce, order->nonces + NONCE * i, NONCE);
        memcpy(ret_coins[i].authenticator, outputs + VOPRF_OUTPUT_BYTES * i, VOPRF_OUTPUT_BYTES);
    }
    bytes_wipe(texts, sizeof texts);
    bytes_wipe(outputs, sizeof outputs);
    return err;
}
