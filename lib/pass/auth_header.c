#include "pass/auth_header.h"

#include <ctype.h>

#include "pass/base64url.h"

void pass_authorization_write(struct buf *b, struct bytes token)
{
    buf_append_bytes(b, bytes_str("PrivateToken token=\""));
    base64url_write(b, token);
    buf_append_byte(b, '"');
}

void pass_www_authenticate_write(struct buf *b, const struct pass_challenge *challenge,
                                 struct bytes public_key)
{
    struct buf encoded = BUF_INIT;
    pass_challenge_write(&encoded, challenge);
    b->failed = b->failed || encoded.failed;
    buf_append_bytes(b, bytes_str("PrivateToken challenge=\""));
    base64url_write(b, buf_view(&encoded));
    buf_append_bytes(b, bytes_str("\", token-key=\""));
    base64url_write(b, public_key);
    buf_append_byte(b, '"');
    buf_clear(&encoded);
}

/* The header's value as it is read: moves forward only. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static size_t skip_spaces(struct cursor *c)
{
    const uint8_t *from = c->at;
    while (c->at < c->end && is_space(*c->at))
        c->at++;
    return (size_t)(c->at - from);
}

static bool skip_char(struct cursor *c, uint8_t wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

/* tchar of RFC 9110 5.6.2, and '=' after the first: base64url with padding stands unquoted too. */
static struct bytes read_word(struct cursor *c, bool padding)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    const uint8_t *from = c->at;
    while (c->at < c->end && (isalnum(*c->at) || (*c->at != 0 && strchr(marks, *c->at) != NULL) ||
                              (padding && *c->at == '=' && c->at > from)))
        c->at++;
    return bytes_of(from, (size_t)(c->at - from));
}

/* A quoted-string without its quotes; escapes stay as they are, no value of ours has one. */
static bool read_quoted(struct cursor *c, struct bytes *ret_value)
{
    const uint8_t *from = c->at;
    while (c->at < c->end && *c->at != '"')
        c->at += *c->at == '\\' && c->at + 1 < c->end ? 2 : 1;
    *ret_value = bytes_of(from, (size_t)(c->at - from));
    return skip_char(c, '"');
}

static bool same_word(struct bytes word, const char *lower)
{
    if (word.len != strlen(lower))
        return false;
    for (size_t i = 0; i < word.len; i++)
        if (tolower(word.data[i]) != lower[i])
            return false;
    return true;
}

/* name BWS "=" BWS ( token / quoted-string ) */
static bool read_param(struct cursor *c, struct bytes *ret_name, struct bytes *ret_value)
{
    *ret_name = read_word(c, false);
    (void)skip_spaces(c);
    if (ret_name->len == 0 || !skip_char(c, '='))
        return false;
    (void)skip_spaces(c);
    if (skip_char(c, '"'))
        return read_quoted(c, ret_value);
    *ret_value = read_word(c, true);
    return ret_value->len > 0;
}

/* The list of parameters; false when malformed, or not exactly one is called token. */
static bool find_token(struct cursor *c, struct bytes *ret_value)
{
    size_t found = 0;
    for (;;) {
        struct bytes name, value;
        (void)skip_spaces(c);
        if (c->at == c->end)
            return found == 1;
        if (skip_char(c, ',')) /* empty elements are allowed (RFC 9110 5.6.1) */
            continue;
        if (!read_param(c, &name, &value))
            return false;
        if (same_word(name, "token")) {
            found++;
            *ret_value = value;
        }
        (void)skip_spaces(c);
        if (c->at != c->end && !skip_char(c, ','))
            return false;
    }
}

struct err pass_authorization_parse(struct bytes value, uint8_t ret_token[PASS_VOUCHER_BYTES],
                                    size_t *ret_len)
{
    uint8_t token[PASS_VOUCHER_BYTES];
    struct bytes text = {NULL, 0};
    size_t len = 0;
    if (value.len == 0 || value.len > PASS_AUTHORIZATION_MAX_BYTES)
        return ERR(PASS_HEADER);
    struct cursor c = {value.data, value.data + value.len};
    if (!same_word(read_word(&c, false), "privatetoken") || skip_spaces(&c) == 0 ||
        !find_token(&c, &text) || !base64url_read(text, sizeof token, token, &len))
        return ERR(PASS_HEADER);
    memcpy(ret_token, token, len);
    *ret_len = len;
    return ERR_OK;
}
