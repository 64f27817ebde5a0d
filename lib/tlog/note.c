#include "tlog/note.h"

#include <stdio.h>

#include "base/utf8.h"
#include "crypto/hash.h"
#include "tlog/base64.h"

enum { ED25519_BYTES = 64, TIME_BYTES = 8 };

/* Em dash and space, before every signature. */
static const char dash[] = "\xe2\x80\x94 ";

/* ---- text */

/* Is it UTF-8 that ends in a newline, without other control characters? */
static bool text_well(struct bytes text)
{
    uint32_t point;
    for (size_t i = 0, len; i < text.len; i += len) {
        len = utf8_next(bytes_of(text.data + i, text.len - i), &point);
        if (len == 0 || (point < 0x20 && point != '\n'))
            return false;
    }
    return text.len > 0 && text.data[text.len - 1] == '\n';
}

static bool starts_with(struct bytes whole, const char *start, size_t len)
{
    return whole.len >= len && memcmp(whole.data, start, len) == 0;
}

/* Unicode's spaces by their encodings: no name has one (unicode.IsSpace). */
static bool has_space(struct bytes name)
{
    static const char *const spaces[] = {" ",
                                         "\t",
                                         "\n",
                                         "\v",
                                         "\f",
                                         "\r",
                                         "\xc2\x85",
                                         "\xc2\xa0",
                                         "\xe1\x9a\x80",
                                         "\xe2\x80\x80",
                                         "\xe2\x80\x81",
                                         "\xe2\x80\x82",
                                         "\xe2\x80\x83",
                                         "\xe2\x80\x84",
                                         "\xe2\x80\x85",
                                         "\xe2\x80\x86",
                                         "\xe2\x80\x87",
                                         "\xe2\x80\x88",
                                         "\xe2\x80\x89",
                                         "\xe2\x80\x8a",
                                         "\xe2\x80\xa8",
                                         "\xe2\x80\xa9",
                                         "\xe2\x80\xaf",
                                         "\xe2\x81\x9f",
                                         "\xe3\x80\x80"};
    for (size_t at = 0; at < name.len; at++) {
        for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
            if (starts_with(bytes_of(name.data + at, name.len - at), spaces[i], strlen(spaces[i])))
                return true;
        }
    }
    return false;
}

static bool name_well(struct bytes name)
{
    return name.len > 0 && name.len <= NOTE_NAME_MAX_BYTES && !has_space(name) &&
           memchr(name.data, '+', name.len) == NULL;
}

/* ---- keys */

static void key_id(struct note_key *key)
{
    static const uint8_t newline = '\n';
    struct digest digest;
    hash_list(&hash_sha256,
              BYTES_LIST(key->name, bytes_of(&newline, 1), bytes_of(&key->type, 1),
                         bytes_of(key->public_key, sizeof key->public_key)),
              &digest);
    memcpy(key->id, digest.data, NOTE_KEY_ID_BYTES);
}

struct err note_key_make(struct bytes name, uint8_t type, struct bytes public_key,
                         struct note_key *ret_key)
{
    struct note_key key = {.name = name, .type = type};
    if (!name_well(name) || public_key.len != sizeof key.public_key ||
        (type != NOTE_ED25519 && type != NOTE_COSIGNATURE))
        return ERR(TLOG_NOTE);
    memcpy(key.public_key, public_key.data, public_key.len);
    key_id(&key);
    *ret_key = key;
    return ERR_OK;
}

static void hex_of(const uint8_t id[NOTE_KEY_ID_BYTES], char out[9])
{
    (void)snprintf(out, 9, "%02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
}

struct err note_key_parse(struct bytes text, struct note_key *ret_key)
{
    const uint8_t *plus = text.len > 0 ? memchr(text.data, '+', text.len) : NULL;
    if (plus == NULL)
        return ERR(TLOG_NOTE);
    size_t name_len = (size_t)(plus - text.data), rest = text.len - name_len;
    uint8_t raw[48];
    size_t raw_len;
    /* +12345678+ and 33 bytes in base64 */
    if (rest != 1 + 8 + 1 + 44 || plus[9] != '+')
        return ERR(TLOG_NOTE);
    TRY(tlog_base64_decode(bytes_of(plus + 10, 44), raw, &raw_len));
    struct note_key key;
    TRY(note_key_make(bytes_of(text.data, name_len), raw[0], bytes_of(raw + 1, raw_len - 1), &key));
    char hex[9];
    hex_of(key.id, hex);
    if (memcmp(hex, plus + 1, 8) != 0)
        return ERR(TLOG_NOTE);
    *ret_key = key;
    return ERR_OK;
}

void note_key_write(struct buf *b, const struct note_key *key)
{
    uint8_t raw[33];
    char hex[9];
    hex_of(key->id, hex);
    raw[0] = key->type;
    memcpy(raw + 1, key->public_key, 32);
    buf_append_bytes(b, key->name);
    buf_append_byte(b, '+');
    buf_append(b, hex, 8);
    buf_append_byte(b, '+');
    tlog_base64_write(b, bytes_of(raw, sizeof raw));
}

/* ---- parsing */

/* One line without its newline. */
static struct err parse_line(struct bytes line, struct note_line *ret_line)
{
    uint8_t raw[NOTE_SIGNATURE_MAX_BYTES];
    size_t raw_len;
    if (!starts_with(line, dash, sizeof dash - 1))
        return ERR(TLOG_NOTE);
    line = bytes_of(line.data + sizeof dash - 1, line.len - (sizeof dash - 1));
    const uint8_t *space = line.len > 0 ? memchr(line.data, ' ', line.len) : NULL;
    if (space == NULL)
        return ERR(TLOG_NOTE);
    ret_line->name = bytes_of(line.data, (size_t)(space - line.data));
    ret_line->base64 = bytes_of(space + 1, line.len - ret_line->name.len - 1);
    if (!name_well(ret_line->name) || ret_line->base64.len / 4 * 3 > sizeof raw)
        return ERR(TLOG_NOTE);
    TRY(tlog_base64_decode(ret_line->base64, raw, &raw_len));
    if (raw_len <= NOTE_KEY_ID_BYTES)
        return ERR(TLOG_NOTE);
    memcpy(ret_line->id, raw, NOTE_KEY_ID_BYTES);
    return ERR_OK;
}

/* Where the signatures begin: after the last empty line. 0: nowhere. */
static size_t signatures_at(struct bytes in)
{
    for (size_t i = in.len; i >= 2; i--) {
        if (in.data[i - 1] == '\n' && in.data[i - 2] == '\n')
            return i;
    }
    return 0;
}

struct err note_parse(struct bytes in, struct note *ret_note)
{
    if (in.len > NOTE_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    size_t at = signatures_at(in);
    if (at < 2 || at == in.len || !text_well(in))
        return ERR(TLOG_NOTE);
    struct note note = {.text = bytes_of(in.data, at - 1)};
    while (at < in.len) {
        const uint8_t *end = memchr(in.data + at, '\n', in.len - at);
        if (note.line_count == NOTE_LINES_MAX)
            return ERR(WIRE_LIMIT);
        size_t len = (size_t)(end - (in.data + at)); /* text_well: it ends in a newline */
        TRY(parse_line(bytes_of(in.data + at, len), &note.lines[note.line_count]));
        note.line_count++;
        at += len + 1;
    }
    *ret_note = note;
    return ERR_OK;
}

/* ---- verifying */

/* The bytes after the key id. */
static struct err find_signature(const struct note *note, const struct note_key *key,
                                 size_t want_len, uint8_t *ret_signature)
{
    for (size_t i = 0; i < note->line_count; i++) {
        const struct note_line *line = &note->lines[i];
        uint8_t raw[NOTE_SIGNATURE_MAX_BYTES];
        size_t len;
        if (memcmp(line->id, key->id, NOTE_KEY_ID_BYTES) != 0 ||
            !bytes_equal(line->name, key->name))
            continue;
        TRY(tlog_base64_decode(line->base64, raw, &len));
        if (len != NOTE_KEY_ID_BYTES + want_len)
            return ERR(TLOG_NOTE_SIGNATURE);
        memcpy(ret_signature, raw + NOTE_KEY_ID_BYTES, want_len);
        return ERR_OK;
    }
    return ERR(TLOG_NOTE_SIGNATURE);
}

static struct err check(const struct note_key *key, struct bytes message, const uint8_t *signature)
{
    struct err err = sig_verify(&sig_ed25519, bytes_of(key->public_key, 32), message,
                                bytes_of(signature, ED25519_BYTES));
    return err.code == ERR_CRYPTO_SIGNATURE ? ERR(TLOG_NOTE_SIGNATURE) : err;
}

struct err note_verify(const struct note *note, const struct note_key *key)
{
    uint8_t signature[ED25519_BYTES];
    if (key->type != NOTE_ED25519)
        return ERR(ARGUMENT);
    TRY(find_signature(note, key, sizeof signature, signature));
    return check(key, note->text, signature);
}

void note_cosigned_text(struct buf *b, struct bytes text, uint64_t time_s)
{
    char head[64];
    int len =
        snprintf(head, sizeof head, "cosignature/v1\ntime %llu\n", (unsigned long long)time_s);
    buf_append(b, head, (size_t)len);
    buf_append_bytes(b, text);
}

struct err note_verify_cosignature(const struct note *note, const struct note_key *key,
                                   uint64_t *ret_time_s)
{
    uint8_t raw[TIME_BYTES + ED25519_BYTES];
    uint64_t time_s = 0;
    if (key->type != NOTE_COSIGNATURE)
        return ERR(ARGUMENT);
    TRY(find_signature(note, key, sizeof raw, raw));
    for (size_t i = 0; i < TIME_BYTES; i++)
        time_s = time_s << 8 | raw[i];
    struct buf message = BUF_INIT;
    note_cosigned_text(&message, note->text, time_s);
    struct err err = buf_check(&message);
    if (err_is_ok(err))
        err = check(key, buf_view(&message), raw + TIME_BYTES);
    buf_clear(&message);
    if (err_is_ok(err))
        *ret_time_s = time_s;
    return err;
}

/* ---- signing */

static void write_line(struct buf *b, const struct note_key *key, struct bytes payload)
{
    uint8_t raw[NOTE_KEY_ID_BYTES + TIME_BYTES + ED25519_BYTES];
    memcpy(raw, key->id, NOTE_KEY_ID_BYTES);
    memcpy(raw + NOTE_KEY_ID_BYTES, payload.data, payload.len);
    buf_append(b, dash, sizeof dash - 1);
    buf_append_bytes(b, key->name);
    buf_append_byte(b, ' ');
    tlog_base64_write(b, bytes_of(raw, NOTE_KEY_ID_BYTES + payload.len));
    buf_append_byte(b, '\n');
}

struct err note_write(struct buf *b, struct bytes text, const struct note_key *key,
                      struct bytes signature)
{
    if (!text_well(text))
        return ERR(TLOG_NOTE);
    if (signature.len != ED25519_BYTES || key->type != NOTE_ED25519)
        return ERR(ARGUMENT);
    buf_append_bytes(b, text);
    buf_append_byte(b, '\n');
    write_line(b, key, signature);
    return buf_check(b);
}

struct err note_sign(struct buf *b, struct bytes text, const struct note_key *key,
                     const struct sig_key *signer)
{
    struct signature signature;
    TRY(sig_sign(signer, text, &signature));
    return note_write(b, text, key, signature_view(&signature));
}

struct err note_cosign_write(struct buf *b, const struct note_key *key, uint64_t time_s,
                             struct bytes signature)
{
    uint8_t payload[TIME_BYTES + ED25519_BYTES];
    if (signature.len != ED25519_BYTES || key->type != NOTE_COSIGNATURE)
        return ERR(ARGUMENT);
    for (size_t i = 0; i < TIME_BYTES; i++)
        payload[i] = (uint8_t)(time_s >> (56 - 8 * i));
    memcpy(payload + TIME_BYTES, signature.data, ED25519_BYTES);
    write_line(b, key, bytes_of(payload, sizeof payload));
    return buf_check(b);
}

struct err note_cosign(struct buf *b, struct bytes text, const struct note_key *key,
                       const struct sig_key *signer, uint64_t time_s)
{
    struct signature signature;
    struct buf message = BUF_INIT;
    note_cosigned_text(&message, text, time_s);
    struct err err = buf_check(&message);
    if (err_is_ok(err))
        err = sig_sign(signer, buf_view(&message), &signature);
    buf_clear(&message);
    TRY(err);
    return note_cosign_write(b, key, time_s, signature_view(&signature));
}
