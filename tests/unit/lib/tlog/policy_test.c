/* C2SP tlog-policy: what it takes, and what is none. */
#include <stdio.h>

#include "support/test.h"
#include "tlog/checkpoint.h"
#include "tlog/policy.h"

enum { KEYS = 4 };
static struct sig_key log_key, keys[KEYS];
static struct note_key log_vkey, vkeys[KEYS];
static char vkey_texts[KEYS][128];

static int set_up(void **state)
{
    static const char *const names[KEYS] = {"a.test/witness", "b.test/witness", "c.test/witness",
                                            "d.test/witness"};
    (void)state;
    for (uint8_t i = 0; i <= KEYS; i++) {
        uint8_t seed[32] = {i};
        struct sig_key *key = i < KEYS ? &keys[i] : &log_key;
        assert_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), key));
        assert_ok(note_key_make(bytes_str(i < KEYS ? names[i] : "l.test/kt/1"),
                                i < KEYS ? NOTE_COSIGNATURE : NOTE_ED25519,
                                public_key_view(&key->public_key),
                                i < KEYS ? &vkeys[i] : &log_vkey));
        if (i < KEYS) {
            struct buf b = BUF_INIT;
            note_key_write(&b, &vkeys[i]);
            (void)snprintf(vkey_texts[i], sizeof vkey_texts[i], "%.*s", (int)b.len,
                           (const char *)b.data);
            buf_clear(&b);
        }
    }
    return 0;
}

/* %0 to %3 stand for verifier keys. */
static struct err parse(const char *text, struct tlog_policy *policy)
{
    static char room[4096];
    size_t len = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '%')
            len += (size_t)snprintf(room + len, sizeof room - len, "%s", vkey_texts[*++at - '0']);
        else
            room[len++] = *at;
    }
    return tlog_policy_parse(bytes_of(room, len), policy);
}

/* who: whose cosignatures the note has, as bits of keys; forged: of the wrong text. */
static bool met(const struct tlog_policy *policy, unsigned who, bool forged)
{
    struct buf text = BUF_INIT, note = BUF_INIT;
    struct checkpoint c = {.origin = bytes_str("l.test/kt/1"), .size = 7};
    struct note parsed;
    uint32_t held;
    checkpoint_write(&text, &c);
    assert_ok(note_sign(&note, buf_view(&text), &log_vkey, &log_key));
    if (forged)
        text.data[0] = 'm';
    for (size_t i = 0; i < KEYS; i++)
        if ((who >> i & 1) != 0)
            assert_ok(note_cosign(&note, buf_view(&text), &vkeys[i], &keys[i], 77));
    assert_ok(note_parse(buf_view(&note), &parsed));
    bool is = tlog_policy_met(policy, &parsed, &held);
    for (size_t i = 0; i < policy->count; i++) {
        const struct tlog_policy_row *row = &policy->rows[i];
        for (size_t k = 0; row->is_witness && k < KEYS; k++)
            if (memcmp(row->key.public_key, vkeys[k].public_key, 32) == 0)
                assert_int_equal(held >> i & 1, forged ? 0 : who >> k & 1);
    }
    buf_clear(&text);
    buf_clear(&note);
    return is;
}

static void a_quorum_of_some(void **state)
{
    (void)state;
    struct tlog_policy p;
    assert_ok(parse("# two of three\nwitness A %0\nwitness  B\t%1 https://b.test/w\r\n"
                    "witness C %2\n\ngroup G 2 A B C\nquorum G\n",
                    &p));
    for (unsigned who = 0; who < 1 << KEYS; who++) {
        unsigned named = (who & 1) + (who >> 1 & 1) + (who >> 2 & 1);
        assert_int_equal(met(&p, who, false), named >= 2);
        assert_false(met(&p, who, true));
    }
}

static void groups_of_groups(void **state)
{
    (void)state;
    struct tlog_policy p;
    assert_ok(parse("log l.test/kt/1+0+0\nwitness A %0\nwitness B %1\nwitness C %2\nwitness D %3\n"
                    "group X any A B\ngroup Y all C D\ngroup Z all X Y\nquorum Z",
                    &p));
    for (unsigned who = 0; who < 1 << KEYS; who++)
        assert_int_equal(met(&p, who, false), (who & 3) != 0 && (who & 12) == 12);
    assert_ok(parse("witness A %0\nwitness B %1\nquorum B", &p));
    assert_false(met(&p, 1, false));
    assert_true(met(&p, 2, false));
    assert_ok(parse("witness A %0\nquorum none\n", &p));
    assert_true(met(&p, 0, false));
}

static void what_is_none(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "witness A %0\n",                                          /* no quorum */
        "quorum A\nwitness A %0\n",                                /* not yet given */
        "witness A %0\nquorum A\nquorum A\n",                      /* twice */
        "witness A %0\nwitness A %1\nquorum A\n",                  /* one name */
        "witness A %0\nwitness B %0\ngroup G all A B\nquorum G\n", /* one key */
        "witness none %0\nquorum none\n",                          /* reserved */
        "witness A x+y+z\nquorum A\n",                             /* no key */
        "witness A\nquorum none\n",                                /* the same */
        "witness A %0 u v\nquorum A\n",                            /* a word more */
        "witness A %0\ngroup G 2 A A\nquorum G\n",                 /* counted twice */
        "witness A %0\ngroup G any A\ngroup H any A\nquorum G\n",  /* in two */
        "witness A %0\ngroup G any G\nquorum G\n",                 /* itself */
        "witness A %0\ngroup G any B\nquorum G\n",                 /* nobody */
        "witness A %0\ngroup G 2 A\nquorum G\n",                   /* out of reach */
        "witness A %0\ngroup G 0 A\nquorum G\n",                   /* needs nobody */
        "witness A %0\ngroup G 01 A\nquorum G\n",                  /* no number */
        "witness A %0\ngroup G A\nquorum G\n",                     /* the same */
        "group G any\nquorum G\n",                                 /* of nobody */
        "group G all\nquorum G\n",                                 /* the same */
        "witness A %0\nquorum A A\n",                              /* a word more */
        "witness A\x1b %0\nquorum A\x1b\n",                        /* moves a terminal */
        "witness A %0\nquorum\n",                                  /* none */
        "witness A %0\nWITNESS B %1\nquorum A\n",                  /* what is this? */
        "witness A l.test/kt/1+yqZr3tUJ+AZ1b0c=\nquorum A\n",      /* no key */
    };
    struct tlog_policy p;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(parse(bad[i], &p), TLOG_POLICY);
    /* a log's key can't be a witness's */
    char text[300];
    struct buf b = BUF_INIT;
    note_key_write(&b, &log_vkey);
    (void)snprintf(text, sizeof text, "witness A %.*s\nquorum A\n", (int)b.len,
                   (const char *)b.data);
    assert_err(tlog_policy_parse(bytes_str(text), &p), TLOG_POLICY);
    buf_clear(&b);
    static uint8_t large[POLICY_MAX_BYTES + 1];
    memset(large, '\n', sizeof large);
    assert_err(tlog_policy_parse(bytes_of(large, sizeof large), &p), WIRE_LIMIT);
    assert_err(tlog_policy_parse(bytes_of(large, sizeof large - 1), &p), TLOG_POLICY);
}

static void so_many_names(void **state)
{
    (void)state;
    struct tlog_policy p;
    struct buf b = BUF_INIT;
    char line[160];
    (void)snprintf(line, sizeof line, "witness A %s\n", vkey_texts[0]);
    buf_append_bytes(&b, bytes_str(line));
    for (int i = 1; i < POLICY_NAMES_MAX; i++) {
        if (i == 1)
            (void)snprintf(line, sizeof line, "group G1 any A\n");
        else
            (void)snprintf(line, sizeof line, "group G%d any G%d\n", i, i - 1);
        buf_append_bytes(&b, bytes_str(line));
    }
    size_t full = b.len;
    buf_append_bytes(&b, bytes_str("quorum G31\n"));
    assert_ok(tlog_policy_parse(buf_view(&b), &p));
    assert_true(met(&p, 1, false)); /* the last bit of all */
    assert_false(met(&p, 2, false));
    b.len = full;
    buf_append_bytes(&b, bytes_str("group H any G31\nquorum H\n"));
    assert_err(tlog_policy_parse(buf_view(&b), &p), WIRE_LIMIT);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quorum_of_some),
        cmocka_unit_test(groups_of_groups),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(so_many_names),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
