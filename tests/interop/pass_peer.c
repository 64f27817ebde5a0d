/* Our half of the live test of tokens (peers/js/pass_live.js), driven by lines: a verb and its
 * arguments, in hex where they are bytes. The answer is a line, `ok ...` or `err NAME`.
 *
 *     issuer DOMAIN CLASS PERIOD SEED     -> public key       the issuer of what follows
 *     issue REQUEST                       -> response
 *     redeem HEADER                                           an authorization header's value, in
 * hex redeem_short TOKEN order DOMAIN CLASS PERIOD KEY COUNT -> request          the client of what
 * follows finish RESPONSE                     -> token ... header TOKEN                        ->
 * authorization header's value, in hex voucher_issuer                      -> SPKI voucher_issue
 * REQUEST               -> response voucher_check HOME VISITED CLASS WEEK TOKEN voucher_order SPKI
 * HOME VISITED CLASS WEEK -> request voucher_finish RESPONSE             -> token
 */
#include <stdio.h>
#include <stdlib.h>

#include "pass/auth_header.h"
#include "pass/redeem.h"
#include "pass/request.h"
#include "pass/voucher.h"

enum { WORDS_MAX = 8, LINE_MAX_BYTES = 65536 };

static struct pass_issuer_key issuer;
static struct pass_order client_order;
static struct blind_rsa_key voucher_key;
static struct blind_rsa_public voucher_public;
static struct pass_voucher_order voucher_order;

struct line {
    char *words[WORDS_MAX];
    size_t count;
    struct buf out; /* what follows `ok` */
};

static int digit(char c)
{
    const char *all = "0123456789abcdef", *at = c != 0 ? strchr(all, c) : NULL;
    return at != NULL ? (int)(at - all) : -1;
}

/* The word's bytes, in place of its digits; missing or odd words are the test's fault. */
static struct bytes hex(const struct line *l, size_t i)
{
    char *word = i < l->count ? l->words[i] : NULL;
    size_t len = word != NULL ? strlen(word) / 2 : 0;
    for (size_t at = 0; at < len; at++) {
        int high = digit(word[2 * at]), low = digit(word[2 * at + 1]);
        if (high < 0 || low < 0) {
            (void)fprintf(stderr, "not hex: word %zu of %s\n", i, l->words[0]);
            exit(1);
        }
        word[at] = (char)(high << 4 | low);
    }
    return bytes_of(word, len);
}

static struct bytes text(const struct line *l, size_t i)
{
    return i < l->count ? bytes_str(l->words[i]) : bytes_str("");
}

static uint32_t number(const struct line *l, size_t i)
{
    return i < l->count ? (uint32_t)strtoul(l->words[i], NULL, 10) : 0;
}

static void answer(struct line *l, struct bytes value)
{
    static const char digits[] = "0123456789abcdef";
    buf_append_byte(&l->out, ' ');
    for (size_t i = 0; i < value.len; i++) {
        buf_append_byte(&l->out, (uint8_t)digits[value.data[i] >> 4]);
        buf_append_byte(&l->out, (uint8_t)digits[value.data[i] & 15]);
    }
}

/* Answers with what was written to b, and frees it. */
static struct err answer_buf(struct line *l, struct buf *b)
{
    struct err err = buf_check(b);
    if (err_is_ok(err))
        answer(l, buf_view(b));
    buf_clear(b);
    return err;
}

static struct err do_issuer(struct line *l)
{
    struct voprf_key key;
    struct bytes seed = hex(l, 4);
    if (seed.len != VOPRF_SEED_BYTES)
        return ERR(ARGUMENT);
    TRY(voprf_key_derive(seed.data, bytes_str("live"), &key));
    TRY(pass_issuer_key_init(text(l, 1), (uint8_t)number(l, 2), number(l, 3), &key, &issuer));
    answer(l, bytes_of(key.public_key, sizeof key.public_key));
    return ERR_OK;
}

static struct err do_issue(struct line *l)
{
    struct pass_request request;
    struct buf response = BUF_INIT;
    TRY(pass_request_parse(hex(l, 1), &request));
    struct err err = pass_issue(&issuer, &rng_system, &request, &response);
    if (!err_is_ok(err)) {
        buf_clear(&response);
        return err;
    }
    return answer_buf(l, &response);
}

static struct err do_redeem(struct line *l)
{
    uint8_t bytes[PASS_VOUCHER_BYTES];
    size_t len;
    struct pass_token token;
    TRY(pass_authorization_parse(hex(l, 1), bytes, &len));
    TRY(pass_token_parse(bytes_of(bytes, len), &token));
    return pass_redeem(&issuer, &token);
}

static struct err do_redeem_short(struct line *l)
{
    struct pass_short token;
    TRY(pass_short_parse(hex(l, 1), &token));
    return pass_redeem_short(&issuer, &token);
}

static struct err do_order(struct line *l)
{
    struct pass_public_key key;
    struct buf request = BUF_INIT;
    struct bytes element = hex(l, 4);
    if (element.len != VOPRF_ELEMENT_BYTES)
        return ERR(ARGUMENT);
    TRY(pass_public_key_init(text(l, 1), (uint8_t)number(l, 2), number(l, 3), element.data, &key));
    TRY(pass_order_init(&key, number(l, 5), &rng_system, &client_order));
    pass_order_write(&client_order, &request);
    return answer_buf(l, &request);
}

static struct err do_finish(struct line *l)
{
    struct pass_coin coins[PASS_BATCH_MAX];
    TRY(pass_order_finish(&client_order, hex(l, 1), coins));
    for (size_t i = 0; i < client_order.count; i++) {
        struct buf token = BUF_INIT;
        pass_coin_write_token(&token, &client_order.key, &coins[i]);
        TRY(answer_buf(l, &token));
    }
    return ERR_OK;
}

static struct err do_header(struct line *l)
{
    struct buf header = BUF_INIT;
    pass_authorization_write(&header, hex(l, 1));
    return answer_buf(l, &header);
}

static struct err do_voucher_issuer(struct line *l)
{
    blind_rsa_key_clear(&voucher_key);
    TRY(blind_rsa_key_generate(&voucher_key));
    answer(l, bytes_of(voucher_key.public.spki, sizeof voucher_key.public.spki));
    return ERR_OK;
}

static struct err do_voucher_issue(struct line *l)
{
    uint8_t response[PASS_VOUCHER_RESPONSE_BYTES];
    TRY(pass_voucher_issue(&voucher_key, hex(l, 1), response));
    answer(l, bytes_of(response, sizeof response));
    return ERR_OK;
}

static struct err do_voucher_check(struct line *l)
{
    uint8_t digest[PASS_DIGEST_BYTES];
    struct pass_token token;
    TRY(pass_voucher_digest(text(l, 1), text(l, 2), (uint8_t)number(l, 3), number(l, 4), digest));
    TRY(pass_token_parse(hex(l, 5), &token));
    return pass_voucher_check(&voucher_key.public, digest, &token);
}

static struct err do_voucher_order(struct line *l)
{
    uint8_t digest[PASS_DIGEST_BYTES];
    struct buf request = BUF_INIT;
    blind_rsa_public_clear(&voucher_public);
    TRY(blind_rsa_public_init(hex(l, 1), &voucher_public));
    TRY(pass_voucher_digest(text(l, 2), text(l, 3), (uint8_t)number(l, 4), number(l, 5), digest));
    TRY(pass_voucher_order_init(&voucher_public, digest, &rng_system, &voucher_order));
    pass_voucher_order_write(&voucher_order, &request);
    return answer_buf(l, &request);
}

static struct err do_voucher_finish(struct line *l)
{
    uint8_t voucher[PASS_VOUCHER_BYTES];
    TRY(pass_voucher_order_finish(&voucher_order, &voucher_public, hex(l, 1), voucher));
    answer(l, bytes_of(voucher, sizeof voucher));
    return ERR_OK;
}

static const struct {
    const char *verb;
    struct err (*run)(struct line *l);
} verbs[] = {
    {"issuer", do_issuer},
    {"issue", do_issue},
    {"redeem", do_redeem},
    {"redeem_short", do_redeem_short},
    {"order", do_order},
    {"finish", do_finish},
    {"header", do_header},
    {"voucher_issuer", do_voucher_issuer},
    {"voucher_issue", do_voucher_issue},
    {"voucher_check", do_voucher_check},
    {"voucher_order", do_voucher_order},
    {"voucher_finish", do_voucher_finish},
};

static struct err run(struct line *l)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (l->count > 0 && strcmp(l->words[0], verbs[i].verb) == 0)
            return verbs[i].run(l);
    return ERR(NOT_FOUND);
}

int main(void)
{
    static char input[LINE_MAX_BYTES];
    while (fgets(input, sizeof input, stdin) != NULL) {
        struct line l = {.count = 0};
        for (char *at = strtok(input, " \n"); at != NULL && l.count < WORDS_MAX;
             at = strtok(NULL, " \n"))
            l.words[l.count++] = at;
        struct err err = run(&l);
        if (err_is_ok(err))
            printf("ok%.*s\n", (int)l.out.len, l.out.len > 0 ? (const char *)l.out.data : "");
        else
            printf("err %s\n", err_name(err));
        (void)fflush(stdout);
        buf_clear(&l.out);
    }
    blind_rsa_key_clear(&voucher_key);
    blind_rsa_public_clear(&voucher_public);
    return 0;
}
