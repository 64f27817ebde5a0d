/* Notes, keys, checkpoints and what witnesses are sent: text. The first byte chooses. */
#include <stdlib.h>

#include "tlog/base64.h"
#include "tlog/policy.h"
#include "tlog/witness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void note(struct bytes in)
{
    static const uint8_t public_key[32] = {1};
    struct note parsed;
    struct note_key key;
    struct checkpoint c;
    uint64_t time_s;
    if (!err_is_ok(note_parse(in, &parsed)))
        return;
    if (parsed.line_count == 0 || parsed.line_count > NOTE_LINES_MAX)
        abort();
    /* nobody has these keys: with the right id, but for a wrong one, no signature holds */
    for (uint8_t type = NOTE_ED25519; type <= NOTE_COSIGNATURE; type += 3) {
        if (!err_is_ok(note_key_make(parsed.lines[0].name, type, bytes_of(public_key, 32), &key)))
            abort();
        memcpy(key.id, parsed.lines[0].id, NOTE_KEY_ID_BYTES);
        if (type == NOTE_ED25519 ? err_is_ok(note_verify(&parsed, &key))
                                 : err_is_ok(note_verify_cosignature(&parsed, &key, &time_s)))
            abort();
    }
    if (err_is_ok(checkpoint_parse(parsed.text, &c))) {
        struct buf b = BUF_INIT;
        struct checkpoint again;
        checkpoint_write(&b, &c);
        if (!err_is_ok(checkpoint_parse(buf_view(&b), &again)) || again.size != c.size ||
            !hash_value_equal(&again.root, &c.root))
            abort();
        buf_clear(&b);
    }
}

static void key(struct bytes in)
{
    struct note_key parsed;
    if (!err_is_ok(note_key_parse(in, &parsed)))
        return;
    struct buf b = BUF_INIT;
    note_key_write(&b, &parsed);
    if (!bytes_equal(buf_view(&b), in))
        abort();
    buf_clear(&b);
}

static void witness(struct bytes in)
{
    static struct witness_request request;
    static const uint8_t public_key[32] = {1};
    struct note_key any;
    struct witness_state state = {3, {{0}}}, next = state;
    if (!err_is_ok(witness_request_parse(in, &request)))
        return;
    if (!err_is_ok(note_key_make(request.note.lines[0].name, NOTE_ED25519, bytes_of(public_key, 32),
                                 &any)))
        abort();
    if (witness_judge(&request, &any, &state, &next) != 403)
        abort();
}

/* Every member stands before its group, and nobody is in two; without cosignatures "none" alone is
 * met. */
static void policy(struct bytes in)
{
    static const char text[] = "o\n1\n\n\xe2\x80\x94 o AAAAAAAA\n";
    struct tlog_policy p;
    struct note bare;
    uint32_t who, members = 0;
    if (!err_is_ok(note_parse(bytes_str(text), &bare)))
        abort();
    if (!err_is_ok(tlog_policy_parse(in, &p)))
        return;
    for (size_t i = 0; i < p.count; i++) {
        const uint32_t of = p.rows[i].members;
        if ((of & members) != 0 || (uint64_t)of >> i != 0 || (p.rows[i].is_witness != (of == 0)))
            abort();
        members |= of;
    }
    if (tlog_policy_met(&p, &bare, &who) != (p.quorum == p.count) || who != 0)
        abort();
}

static void base64(struct bytes in)
{
    static uint8_t out[4096], again[4096];
    size_t out_len, again_len;
    struct buf b = BUF_INIT;
    if (in.len > sizeof out || !err_is_ok(tlog_base64_decode(in, out, &out_len)))
        return;
    tlog_base64_write(&b, bytes_of(out, out_len));
    if (b.len != in.len || !err_is_ok(tlog_base64_decode(buf_view(&b), again, &again_len)) ||
        again_len != out_len || memcmp(out, again, out_len) != 0)
        abort();
    buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, len - 1);
    switch (data[0] % 5) {
    case 0:
        note(in);
        break;
    case 1:
        key(in);
        break;
    case 2:
        witness(in);
        break;
    case 4:
        policy(in);
        break;
    default:
        base64(in);
    }
    return 0;
}
