/* Whether a homeserver takes tokens, and by which keys.
 *
 *     struct { uint8 version = 2; uint8 on; uint64 seen_s; opaque directory<V>; uint64 first_s;
 *              opaque seen<V>; opaque asked<V>; }     token_seen.c
 *
 * A key that has become another one is refused whatever the log says.
 */
#include "client/core/token_seen.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION = 2 };

void token_facts_clear(struct token_facts *f)
{
    buf_clear(&f->directory);
    buf_clear(&f->seen);
    buf_clear(&f->asked);
    *f = (struct token_facts){0};
}

struct err token_facts_put(struct db_txn *t, const char *domain, const struct token_facts *facts)
{
    struct buf b = BUF_INIT;
    wire_write_u8(&b, ROW_VERSION);
    wire_write_u8(&b, facts->on ? 1 : 0);
    wire_write_u64(&b, facts->seen_s);
    wire_write_vector(&b, buf_view(&facts->directory));
    wire_write_u64(&b, facts->first_s);
    wire_write_vector(&b, buf_view(&facts->seen));
    wire_write_vector(&b, buf_view(&facts->asked));
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = db_put(t, DB_TOKEN_FACTS, bytes_str(domain), buf_view(&b));
    buf_clear(&b);
    return err;
}

/* 1: of before the log was asked. */
static struct err read_row(struct bytes in, struct token_facts *f)
{
    struct wire_reader r = wire_reader_of(in);
    const uint8_t version = wire_read_u8(&r);
    if (version == 0 || version > ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    f->on = wire_read_u8(&r) != 0;
    f->seen_s = wire_read_u64(&r);
    buf_append_bytes(&f->directory, wire_read_vector(&r));
    if (version > 1) {
        f->first_s = wire_read_u64(&r);
        buf_append_bytes(&f->seen, wire_read_vector(&r));
        buf_append_bytes(&f->asked, wire_read_vector(&r));
    }
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    TRY(buf_check(&f->seen));
    TRY(buf_check(&f->asked));
    return buf_check(&f->directory);
}

struct err token_facts_get(struct db_txn *t, const char *domain, struct token_facts *ret_facts)
{
    struct buf value = BUF_INIT;
    struct token_facts f = {0};
    struct err err = db_get(t, DB_TOKEN_FACTS, bytes_str(domain), &value);
    if (err_is_ok(err))
        err = read_row(buf_view(&value), &f);
    else if (err.code == ERR_NOT_FOUND)
        err = ERR_OK;
    buf_clear(&value);
    if (!err_is_ok(err)) {
        token_facts_clear(&f);
        return err;
    }
    *ret_facts = f;
    return ERR_OK;
}

/* Every key that both have is the same. */
static struct err compare(const struct pass_directory *before, const struct pass_directory *now)
{
    struct wire_reader r = wire_reader_of(before->keys);
    struct pass_directory_key old, new;
    while (pass_directory_next(&r, &old))
        if (pass_directory_find(now, old.token_type, old.class, old.period, &new) &&
            !bytes_equal(old.public_key, new.public_key))
            return ERR(PASS_KEY_UNKNOWN);
    return ERR_OK;
}

struct err token_directory_take(struct core *c, struct db_txn *t, const char *domain,
                                struct bytes directory)
{
    struct pass_directory before, now;
    struct token_facts facts;
    TRY(pass_directory_parse(directory, &now));
    if (!bytes_equal(now.issuer, bytes_str(domain)))
        return ERR(PASS_KEY_UNKNOWN);
    TRY(token_facts_get(t, domain, &facts));
    struct err err = ERR_OK;
    if (facts.directory.len > 0) {
        err = pass_directory_parse(buf_view(&facts.directory), &before);
        if (err_is_ok(err))
            err = compare(&before, &now);
    }
    if (err_is_ok(err)) {
        facts.seen_s = core_now_ms(c) / 1000;
        buf_clear(&facts.directory);
        buf_append_bytes(&facts.directory, directory);
        err = buf_check(&facts.directory);
    }
    if (err_is_ok(err))
        err = token_facts_put(t, domain, &facts);
    token_facts_clear(&facts);
    return err;
}

struct err token_facts_set(struct db_txn *t, const char *domain, bool on)
{
    struct token_facts facts;
    TRY(token_facts_get(t, domain, &facts));
    struct err err = ERR_OK;
    if (facts.on != on) {
        facts.on = on;
        err = token_facts_put(t, domain, &facts);
    }
    token_facts_clear(&facts);
    return err;
}

/* By what the key is accepted, or is not. */
static struct err sighting_of(struct core *c, struct db_txn *t, const char *domain,
                              uint16_t token_type, uint8_t class, uint32_t period,
                              struct pass_sighting *ret_sighting)
{
    enum token_verdict verdict;
    uint64_t ask_s;
    const uint64_t now_s = core_now_ms(c) / 1000;
    TRY(token_seen_judge(t, domain, token_type, class, period, now_s, &verdict, ret_sighting,
                         &ask_s));
    if (verdict == TOKEN_KEY_GOOD)
        return ERR_OK;
    if (verdict == TOKEN_KEY_LATE)
        return ERR(PASS_KEY_UNKNOWN);
    if (class != PASS_TRANSPARENCY)
        return ERR(CLIENT_LOG_LATER);
    /* they pay for asking; as of a log whose first epoch this was */
    *ret_sighting = (struct pass_sighting){.epoch_s = now_s, .first_s = now_s, .window_s = 1};
    return ERR_OK;
}

struct err token_key(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                     uint32_t period, struct pass_public_key *ret_key)
{
    struct token_facts facts;
    struct pass_directory directory;
    struct pass_sighting sighting;
    TRY(sighting_of(c, t, domain, PASS_TYPE_TOKEN, class, period, &sighting));
    TRY(token_facts_get(t, domain, &facts));
    struct err err = pass_directory_parse(buf_view(&facts.directory), &directory);
    if (err_is_ok(err))
        err =
            pass_token_key_accept(&directory, &sighting, bytes_str(domain), class, period, ret_key);
    token_facts_clear(&facts);
    return err;
}

struct err token_voucher_key(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                             uint32_t week, struct buf *spki, struct blind_rsa_public *ret_key)
{
    struct token_facts facts;
    struct pass_directory directory;
    struct pass_directory_key key;
    struct pass_sighting sighting;
    TRY(sighting_of(c, t, domain, PASS_TYPE_VOUCHER, class, week, &sighting));
    TRY(token_facts_get(t, domain, &facts));
    struct err err = pass_directory_parse(buf_view(&facts.directory), &directory);
    if (err_is_ok(err))
        err =
            pass_voucher_key_accept(&directory, &sighting, bytes_str(domain), class, week, ret_key);
    if (err_is_ok(err) && pass_directory_find(&directory, PASS_TYPE_VOUCHER, class, week, &key))
        buf_append_bytes(spki, key.public_key);
    token_facts_clear(&facts);
    TRY(err);
    err = buf_check(spki);
    if (!err_is_ok(err))
        blind_rsa_public_clear(ret_key);
    return err;
}
