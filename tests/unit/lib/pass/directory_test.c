/* The directory's one encoding, its JSON, and the rules by which clients accept a key. */
#include <jansson.h>

#include "pass/key_rules.h"
#include "pass/key_schedule.h"
#include "pass/redeem.h"
#include "pass/voucher.h"
#include "support/failing.h"
#include "support/test.h"

enum { DAY = 20780, WEEK = 2968 };

static struct blind_rsa_key rsa;
static struct pass_issuer_key token_keys[3];

static int make_keys(void **state)
{
    (void)state;
    const struct pass_master master = {DAY, {1}};
    for (uint32_t i = 0; i < 3; i++)
        if (!err_is_ok(
                pass_master_key(&master, bytes_str("a.test"), PASS_QUEUE, DAY + i, &token_keys[i])))
            return 1;
    return !err_is_ok(blind_rsa_key_generate(&rsa));
}

static int clear_keys(void **state)
{
    (void)state;
    blind_rsa_key_clear(&rsa);
    return 0;
}

enum { KEYS = 4 };

static void fields_of(struct pass_directory_key ret[KEYS])
{
    for (uint32_t i = 0; i < KEYS; i++) {
        struct pass_directory_key *key = &ret[i];
        *key =
            (struct pass_directory_key){.token_type = i == 0 ? PASS_TYPE_VOUCHER : PASS_TYPE_TOKEN,
                                        .class = PASS_QUEUE,
                                        .period = i == 0 ? WEEK : DAY + i - 1};
        key->public_key = i == 0 ? bytes_of(rsa.public.spki, sizeof rsa.public.spki)
                                 : bytes_of(token_keys[i - 1].public.public_key, 32);
        assert_true(
            pass_key_interval(key->token_type, key->period, &key->not_before, &key->not_after));
    }
}

static struct buf directory_of(const struct pass_directory_key *keys, size_t count)
{
    struct buf b = BUF_INIT;
    assert_ok(pass_directory_write(&b, bytes_str("a.test"), keys, count));
    return b;
}

static void round_trip(void **state)
{
    (void)state;
    struct pass_directory_key keys[KEYS], key;
    struct pass_directory directory;
    fields_of(keys);
    struct buf b = directory_of(keys, KEYS);
    assert_int_equal(b.len, 1 + 1 + 6 + 2 + (25 + 342) + 3 * (25 + 32));
    test_assert_hex(bytes_of(b.data, 10), "0106612e74657374021a");
    assert_ok(pass_directory_parse(buf_view(&b), &directory));
    assert_int_equal(directory.count, KEYS);
    test_assert_bytes(directory.issuer, bytes_str("a.test"));
    struct wire_reader r = wire_reader_of(directory.keys);
    for (size_t i = 0; i < KEYS; i++) {
        assert_true(pass_directory_next(&r, &key));
        assert_int_equal(key.token_type, keys[i].token_type);
        assert_int_equal(key.class, keys[i].class);
        assert_int_equal(key.period, keys[i].period);
        assert_int_equal(key.not_before, keys[i].not_before);
        assert_int_equal(key.not_after, keys[i].not_after);
        test_assert_bytes(key.public_key, keys[i].public_key);
    }
    assert_false(pass_directory_next(&r, &key));
    assert_true(pass_directory_find(&directory, PASS_TYPE_TOKEN, PASS_QUEUE, DAY + 1, &key));
    test_assert_bytes(key.public_key, keys[2].public_key);
    assert_false(pass_directory_find(&directory, PASS_TYPE_TOKEN, PASS_AUTH, DAY + 1, &key));
    assert_false(pass_directory_find(&directory, PASS_TYPE_TOKEN, PASS_QUEUE, DAY + 3, &key));
    assert_false(pass_directory_find(&directory, 7, PASS_QUEUE, DAY + 1, &key));
    buf_clear(&b);
    b = directory_of(NULL, 0);
    assert_ok(pass_directory_parse(buf_view(&b), &directory));
    assert_int_equal(directory.count, 0);
    buf_clear(&b);
}

static void refused(void **state)
{
    (void)state;
    struct pass_directory_key keys[KEYS], kept;
    struct pass_directory directory;
    fields_of(keys);
    struct buf b = directory_of(keys, KEYS);
    for (size_t len = 0; len < b.len; len++)
        assert_false(err_is_ok(pass_directory_parse(bytes_of(b.data, len), &directory)));
    b.data[0] = 2;
    assert_err(pass_directory_parse(buf_view(&b), &directory), PASS_DIRECTORY);
    b.data[0] = 1;
    buf_append_byte(&b, 0);
    assert_err(pass_directory_parse(buf_view(&b), &directory), WIRE_TRAILING);
    b.len--;
    /* the same key twice, and two out of order: both last keys are 57 bytes */
    uint8_t *last = b.data + b.len - 57;
    uint8_t saved[57];
    memcpy(saved, last, 57);
    memcpy(last, last - 57, 57);
    assert_err(pass_directory_parse(buf_view(&b), &directory), PASS_DIRECTORY);
    memcpy(last - 57, saved, 57);
    assert_err(pass_directory_parse(buf_view(&b), &directory), PASS_DIRECTORY);
    buf_clear(&b);
    buf_append(&b, "\1\0\0\0", 4);
    assert_err(pass_directory_parse(buf_view(&b), &directory), PASS_DIRECTORY);
    buf_clear(&b);

    /* the writer refuses the same */
    const struct bytes issuer = bytes_str("a.test");
    kept = keys[3];
    keys[3] = keys[2];
    assert_err(pass_directory_write(&b, issuer, keys, KEYS), PASS_DIRECTORY);
    keys[3] = kept;
    keys[3].not_after = keys[3].not_before;
    assert_err(pass_directory_write(&b, issuer, keys, KEYS), PASS_DIRECTORY);
    keys[3] = kept;
    keys[3].public_key.len = 0;
    assert_err(pass_directory_write(&b, issuer, keys, KEYS), PASS_DIRECTORY);
    keys[3] = kept;
    assert_err(pass_directory_write(&b, bytes_of(NULL, 0), keys, KEYS), PASS_DIRECTORY);
    struct pass_directory_key many[200];
    for (uint32_t i = 0; i < 200; i++) {
        many[i] = keys[0];
        many[i].period = i;
    }
    assert_err(pass_directory_write(&b, issuer, many, 200), PASS_DIRECTORY);
    assert_int_equal(b.len, 0);
    assert_ok(pass_directory_write(&b, issuer, many, 178)); /* 178 * 367 bytes is the most */
    assert_ok(pass_directory_parse(buf_view(&b), &directory));
    assert_int_equal(directory.count, 178);
    buf_clear(&b);
}

/* RFC 9578 4, read by another's parser. */
static void json(void **state)
{
    (void)state;
    struct pass_directory_key keys[KEYS];
    struct buf b = BUF_INIT;
    fields_of(keys);
    assert_ok(pass_directory_write_json(&b, bytes_str("/v1/tokens/issue"), keys, KEYS));
    json_t *root = json_loadb((const char *)b.data, b.len, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "issuer-request-uri")),
                        "/v1/tokens/issue");
    const json_t *list = json_object_get(root, "token-keys");
    assert_int_equal(json_array_size(list), KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        const json_t *key = json_array_get(list, i);
        assert_int_equal(json_integer_value(json_object_get(key, "token-type")),
                         keys[i].token_type);
        assert_int_equal(json_integer_value(json_object_get(key, "not-before")),
                         keys[i].not_before);
        const char *text = json_string_value(json_object_get(key, "token-key"));
        assert_int_equal(strlen(text), (keys[i].public_key.len + 2) / 3 * 4);
        assert_null(strpbrk(text, "+/"));
    }
    json_decref(root);
    buf_reset_unwiped(&b);
    assert_ok(pass_directory_write_json(&b, bytes_str("/x"), NULL, 0));
    test_assert_bytes(buf_view(&b), bytes_str("{\"issuer-request-uri\":\"/x\",\"token-keys\":[]}"));
    static const char *const bad[] = {"", "a\"b", "a\\b", "a b", "\n", "\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(pass_directory_write_json(&b, bytes_str(bad[i]), keys, 1), ARGUMENT);
    buf_clear(&b);
}

enum { WINDOW = 3 * PASS_DAY_S };

/* A log of a year, and a directory seen in it so many seconds before day DAY + 1 begins. */
static struct pass_sighting seen(uint64_t seconds_before)
{
    const uint64_t begins = (uint64_t)(DAY + 1) * PASS_DAY_S;
    return (struct pass_sighting){true, begins - seconds_before, WINDOW,
                                  begins - 365 * (uint64_t)PASS_DAY_S};
}

static struct err accept_from(const struct pass_directory_key *keys, size_t count,
                              struct pass_sighting s, const char *domain)
{
    struct pass_directory directory;
    struct pass_public_key key;
    struct buf b = directory_of(keys, count);
    assert_ok(pass_directory_parse(buf_view(&b), &directory));
    struct err err =
        pass_token_key_accept(&directory, &s, bytes_str(domain), PASS_QUEUE, DAY + 1, &key);
    if (err_is_ok(err))
        assert_memory_equal(&key, &token_keys[1].public, sizeof key);
    buf_clear(&b);
    return err;
}

static void seen_in_time(void **state)
{
    (void)state;
    struct pass_directory_key keys[KEYS];
    fields_of(keys);
    assert_ok(accept_from(keys, KEYS, seen(WINDOW), "a.test"));
    assert_ok(accept_from(keys, KEYS, seen(30 * PASS_DAY_S), "a.test"));
    assert_err(accept_from(keys, KEYS, seen(WINDOW - 1), "a.test"), PASS_KEY_UNKNOWN);
    assert_err(accept_from(keys, KEYS, seen(0), "a.test"), PASS_KEY_UNKNOWN);
    struct pass_sighting s = seen(0);
    s.epoch_s += 10; /* after its time */
    assert_err(accept_from(keys, KEYS, s, "a.test"), PASS_KEY_UNKNOWN);
    s = seen(WINDOW);
    s.distinguished = false;
    assert_err(accept_from(keys, KEYS, s, "a.test"), PASS_KEY_UNKNOWN);
    /* a young log */
    s = seen(0);
    s.distinguished = false;
    s.first_s = s.epoch_s - 2 * (uint64_t)WINDOW + 1;
    assert_ok(accept_from(keys, KEYS, s, "a.test"));
    s.first_s--;
    assert_err(accept_from(keys, KEYS, s, "a.test"), PASS_KEY_UNKNOWN);
    /* numbers without sense accept nothing */
    s = (struct pass_sighting){false, 0, WINDOW, UINT64_MAX};
    assert_err(accept_from(keys, KEYS, s, "a.test"), PASS_KEY_UNKNOWN);
    s = (struct pass_sighting){true, 0, UINT64_MAX, 1};
    assert_err(accept_from(keys, KEYS, s, "a.test"), PASS_KEY_UNKNOWN);
}

/* What would tell a client from others. */
static void special_keys(void **state)
{
    (void)state;
    struct pass_directory_key keys[KEYS];
    const struct pass_sighting s = seen(WINDOW);
    fields_of(keys);
    assert_err(accept_from(keys, KEYS, s, "b.test"), PASS_KEY_UNKNOWN);
    assert_err(accept_from(keys, 2, s, "a.test"), PASS_KEY);
    keys[2].not_before--;
    assert_err(accept_from(keys, KEYS, s, "a.test"), PASS_KEY_UNKNOWN);
    fields_of(keys);
    keys[2].not_before++;
    assert_err(accept_from(keys, KEYS, s, "a.test"), PASS_KEY_UNKNOWN);
    fields_of(keys);
    keys[2].not_after++; /* more than 48 hours */
    assert_err(accept_from(keys, KEYS, s, "a.test"), PASS_KEY_UNKNOWN);
    fields_of(keys);
    keys[2].not_after--;
    assert_err(accept_from(keys, KEYS, s, "a.test"), PASS_KEY_UNKNOWN);
    fields_of(keys);
    keys[2].public_key.len--;
    assert_err(accept_from(keys, KEYS, s, "a.test"), PASS_KEY_UNKNOWN);
    static const uint8_t zeros[32];
    keys[2].public_key = bytes_of(zeros, 32);
    assert_err(accept_from(keys, KEYS, s, "a.test"), CRYPTO_ELEMENT);
}

static void voucher_keys(void **state)
{
    (void)state;
    struct pass_directory_key keys[KEYS];
    struct pass_directory directory;
    struct blind_rsa_public key = {.parsed = NULL};
    const uint64_t begins = (uint64_t)WEEK * PASS_WEEK_S;
    struct pass_sighting s = {true, begins - WINDOW, WINDOW, 0};
    fields_of(keys);
    assert_int_equal(keys[0].not_after - keys[0].not_before, 8 * PASS_DAY_S);
    struct buf b = directory_of(keys, KEYS);
    const struct bytes domain = bytes_str("a.test");
    assert_ok(pass_directory_parse(buf_view(&b), &directory));
    assert_ok(pass_voucher_key_accept(&directory, &s, domain, PASS_QUEUE, WEEK, &key));
    assert_memory_equal(key.spki, rsa.public.spki, sizeof key.spki);
    blind_rsa_public_clear(&key);
    assert_err(pass_voucher_key_accept(&directory, &s, domain, PASS_QUEUE, WEEK + 1, &key),
               PASS_KEY);
    assert_err(pass_voucher_key_accept(&directory, &s, domain, PASS_AUTH, WEEK, &key), PASS_KEY);
    s.epoch_s++;
    assert_err(pass_voucher_key_accept(&directory, &s, domain, PASS_QUEUE, WEEK, &key),
               PASS_KEY_UNKNOWN);
    s.epoch_s--;
    buf_clear(&b);
    keys[0].public_key.len--;
    b = directory_of(keys, KEYS);
    assert_ok(pass_directory_parse(buf_view(&b), &directory));
    assert_err(pass_voucher_key_accept(&directory, &s, domain, PASS_QUEUE, WEEK, &key),
               CRYPTO_KEY_LENGTH);
    assert_null(key.parsed);
    buf_clear(&b);
    uint64_t from, until;
    assert_false(pass_key_interval(1, 1, &from, &until));
    assert_true(pass_key_interval(PASS_TYPE_VOUCHER, UINT32_MAX, &from, &until));
    assert_true(from < until);
}

static void memory(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct pass_directory_key keys[KEYS];
    fields_of(keys);
    for (int json = 0; json < 2; json++)
        for (long n = 0;; n++) {
            struct buf b = BUF_INIT;
            test_fail_allocation(n);
            struct err err = json ? pass_directory_write_json(&b, bytes_str("/x"), keys, KEYS)
                                  : pass_directory_write(&b, bytes_str("a.test"), keys, KEYS);
            bool failed = test_allocation_failed();
            assert_int_equal(err.code, failed ? ERR_NO_MEMORY : ERR_NONE);
            assert_true(failed == (b.len == 0));
            buf_clear(&b);
            if (!failed)
                break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),   cmocka_unit_test(refused),
        cmocka_unit_test(json),         cmocka_unit_test(seen_in_time),
        cmocka_unit_test(special_keys), cmocka_unit_test(voucher_keys),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, make_keys, clear_keys);
}
