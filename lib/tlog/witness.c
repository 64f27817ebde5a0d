#include "tlog/witness.h"

#include "tlog/base64.h"
#include "tlog/log_verify.h"

static bool take_line(struct bytes *text, struct bytes *ret_line)
{
    const uint8_t *end = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;
    if (end == NULL)
        return false;
    size_t len = (size_t)(end - text->data);
    *ret_line = bytes_of(text->data, len);
    *text = bytes_of(end + 1, text->len - len - 1);
    return true;
}

static bool parse_old(struct bytes line, uint64_t *ret_size)
{
    uint64_t size = 0;
    if (line.len < 5 || line.len > 4 + 19 || memcmp(line.data, "old ", 4) != 0 ||
        (line.len > 5 && line.data[4] == '0'))
        return false;
    for (size_t i = 4; i < line.len; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return false;
        size = size * 10 + (uint64_t)(line.data[i] - '0');
    }
    *ret_size = size;
    return true;
}

struct err witness_request_parse(struct bytes in, struct witness_request *ret_request)
{
    struct witness_request *q = ret_request;
    struct bytes line;
    if (in.len > NOTE_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    q->proof_count = 0;
    if (!take_line(&in, &line) || !parse_old(line, &q->old_size))
        return ERR(TLOG_CHECKPOINT);
    for (;;) {
        uint8_t raw[48];
        size_t len;
        if (!take_line(&in, &line))
            return ERR(TLOG_CHECKPOINT);
        if (line.len == 0)
            break;
        if (line.len != 44 || q->proof_count == WITNESS_PROOF_MAX)
            return ERR(TLOG_CHECKPOINT);
        TRY(tlog_base64_decode(line, raw, &len));
        if (len != HASH_VALUE_BYTES)
            return ERR(TLOG_CHECKPOINT);
        memcpy(q->proof + q->proof_count * HASH_VALUE_BYTES, raw, HASH_VALUE_BYTES);
        q->proof_count++;
    }
    q->note_bytes = in;
    TRY(note_parse(in, &q->note));
    return checkpoint_parse(q->note.text, &q->checkpoint);
}

int witness_judge(const struct witness_request *q, const struct note_key *key,
                  const struct witness_state *state, struct witness_state *ret_state)
{
    const struct checkpoint *c = &q->checkpoint;
    struct hash_run proof = {q->proof, q->proof_count};
    struct err err = note_verify(&q->note, key);
    if (!err_is_ok(err))
        return err.code == ERR_TLOG_NOTE_SIGNATURE ? 403 : 500;
    if (q->old_size > c->size)
        return 400;
    if (q->old_size != state->size)
        return 409;
    /* two roots of one size: what a witness is there to never sign */
    if (q->old_size == c->size && c->size > 0 && !hash_value_equal(&state->root, &c->root))
        return 409;
    bool well = state->size == 0 ? proof.count == 0
                                 : err_is_ok(log_verify_consistency(
                                       state->size, c->size, &state->root, &c->root, &proof));
    if (!well)
        return 422;
    *ret_state = (struct witness_state){c->size, c->root};
    return 200;
}
