#include "crypto/hash.h"
#include "crypto/labelled.h"
#include "seal/queue_ratchet.h"
#include "seal/sealed_ref.h"
#include "support/damage.h"
#include "support/failing.h"
#include "support/test.h"

static struct rng_seeded seeded;
static struct rng rng;
static struct secret queue_private;
static struct public_key queue_public;

static int set_up(void **state)
{
    (void)state;
    rng_seeded_init(&seeded, 1);
    rng = rng_of_seeded(&seeded);
    assert_ok(kem_generate(seal_hpke->kem, &rng, &queue_private, &queue_public));
    return 0;
}

static struct err open_item(struct queue_ratchet *r, struct bytes sealed, struct buf *scratch,
                            struct queue_item *ret_item)
{
    return queue_ratchet_open(r, secret_view(&queue_private), public_key_view(&queue_public),
                              sealed, scratch, ret_item);
}

static struct err refresh(struct queue_ratchet *r, struct buf *b)
{
    return queue_ratchet_refresh(r, &rng, public_key_view(&queue_public), b);
}

/* Both ends after item 0. */
static void begin(struct queue_ratchet *server, struct queue_ratchet *client)
{
    struct buf b = BUF_INIT, scratch = BUF_INIT;
    struct queue_item item;
    *server = *client = (struct queue_ratchet){0};
    assert_ok(refresh(server, &b));
    assert_ok(open_item(client, buf_view(&b), &scratch, &item));
    assert_int_equal(item.kind, QUEUE_ITEM_REFRESH);
    assert_int_equal(item.body.len, 0);
    buf_clear(&b);
    buf_clear(&scratch);
}

static void assert_same(const struct queue_ratchet *a, const struct queue_ratchet *b)
{
    assert_int_equal(a->sequence, b->sequence);
    assert_memory_equal(a->chain, b->chain, QUEUE_CHAIN_BYTES);
    if (!a->head_lost && !b->head_lost)
        assert_memory_equal(a->head, b->head, QUEUE_HASH_BYTES);
}

/* 1,000 steps of random kind and size, refreshes between; the ends stay together. Control for the
 * padding: all lengths seen are at most six, of items and refreshes together, while the contents
 * had hundreds. */
static void a_conversation(void **state)
{
    (void)state;
    struct queue_ratchet server, client;
    size_t lengths[PAD_BUCKETS + 1] = {0}, seen = 0, bodies = 0;
    static uint8_t body[QUEUE_BODY_MAX_BYTES];
    static bool had[QUEUE_BODY_MAX_BYTES + 1];
    assert_ok(rng_fill(&rng, body, sizeof body));
    begin(&server, &client);
    for (int step = 0; step < 1000; step++) {
        struct buf b = BUF_INIT, scratch = BUF_INIT;
        struct queue_item got, sent = {.kind = (enum queue_item_kind)(1 + step % 4), .hour = 7};
        sent.body = bytes_of(body, (rng_seeded_next(&seeded) % (sizeof body + 1)) >> step % 17);
        if (step == 500)
            sent.body.len = sizeof body;
        memset(sent.tag, step, sizeof sent.tag);
        bool fresh = step % 100 == 99;
        assert_ok(fresh ? refresh(&server, &b) : queue_ratchet_seal(&server, &sent, &b));
        assert_ok(open_item(&client, buf_view(&b), &scratch, &got));
        assert_same(&server, &client);
        assert_int_equal(server.sequence, step + 2);
        if (fresh) {
            assert_int_equal(got.kind, QUEUE_ITEM_REFRESH);
        } else {
            assert_int_equal(got.kind, sent.kind);
            assert_int_equal(got.hour, 7);
            assert_memory_equal(got.tag, sent.tag, sizeof got.tag);
            test_assert_bytes(got.body, sent.body);
            bodies += !had[sent.body.len];
            had[sent.body.len] = true;
        }
        assert_true(b.len <= QUEUE_ITEM_MAX_BYTES);
        size_t at = 0;
        while (at < seen && lengths[at] != b.len)
            at++;
        assert_true(at < PAD_BUCKETS);
        lengths[at] = b.len;
        seen += at == seen;
        buf_clear(&b);
        buf_clear(&scratch);
    }
    assert_int_equal(seen, PAD_BUCKETS);
    assert_true(bodies > 300);
}

struct at {
    struct queue_ratchet ratchet;
};

static bool refused(void *self, struct bytes damaged)
{
    struct at *at = self;
    struct queue_ratchet before = at->ratchet;
    struct queue_item item = {.hour = 77};
    struct buf scratch = BUF_INIT;
    buf_append(&scratch, "kept", 4);
    struct err err = open_item(&at->ratchet, damaged, &scratch, &item);
    bool well = !err_is_ok(err) && scratch.len == 4 && item.hour == 77 &&
                memcmp(&before, &at->ratchet, sizeof before) == 0;
    buf_clear(&scratch);
    return well;
}

static void damage_moves_nothing(void **state)
{
    (void)state;
    struct queue_ratchet server;
    struct at client;
    struct buf b = BUF_INIT;
    struct queue_item item = {.kind = QUEUE_ITEM_DELIVERY, .body = bytes_str("body")};
    begin(&server, &client.ratchet);
    assert_ok(queue_ratchet_seal(&server, &item, &b));
    test_each_damage(buf_view(&b), 100000, refused, &client);
    struct buf scratch = BUF_INIT;
    assert_ok(open_item(&client.ratchet, buf_view(&b), &scratch, &item));
    /* the same again is not the next one */
    assert_true(refused(&client, buf_view(&b)));
    buf_clear(&b);
    assert_ok(refresh(&server, &b));
    test_each_damage(buf_view(&b), 100000, refused, &client);
    assert_ok(open_item(&client.ratchet, buf_view(&b), &scratch, &item));
    assert_true(refused(&client, buf_view(&b)));
    assert_same(&server, &client.ratchet);
    buf_clear(&scratch);
    buf_clear(&b);
}

/* The sequence is bound even where the chain is the same. */
static void another_number_is_refused(void **state)
{
    (void)state;
    struct queue_ratchet server;
    struct at client;
    struct buf b = BUF_INIT;
    struct queue_item item = {.kind = QUEUE_ITEM_DUMMY};
    begin(&server, &client.ratchet);
    server.sequence++;
    assert_ok(queue_ratchet_seal(&server, &item, &b));
    assert_true(refused(&client, buf_view(&b)));
    buf_clear(&b);
    begin(&server, &client.ratchet);
    server.sequence++;
    assert_ok(refresh(&server, &b));
    assert_true(refused(&client, buf_view(&b)));
    buf_clear(&b);
}

static void assert_head(const struct queue_ratchet *r, const uint8_t before[32],
                        const struct buf *sealed)
{
    struct digest head;
    hash_list(&hash_sha256, BYTES_LIST(bytes_of(before, 32), buf_view(sealed)), &head);
    assert_memory_equal(r->head, head.data, 32);
}

/* What is handed out is not what was queued: the next item says so, once; and not where the client
 * knows that it has not seen all. */
static void another_in_its_place(void **state)
{
    (void)state;
    struct queue_ratchet server, client, blind, before;
    const struct queue_item item = {.kind = QUEUE_ITEM_DELIVERY, .body = bytes_str("queued")};
    const struct queue_item other = {.kind = QUEUE_ITEM_DUMMY};
    struct buf queued = BUF_INIT, handed = BUF_INIT, scratch = BUF_INIT;
    struct queue_item got;
    begin(&server, &client);
    before = server;
    assert_ok(queue_ratchet_seal(&server, &item, &queued));
    assert_ok(queue_ratchet_seal(&before, &other, &handed));
    blind = client;
    assert_ok(queue_ratchet_skip(&blind));
    assert_ok(open_item(&client, buf_view(&handed), &scratch, &got));
    assert_false(got.astray);
    for (int i = 0; i < 3; i++) {
        buf_clear(&queued);
        assert_ok(queue_ratchet_seal(&server, &item, &queued));
        assert_ok(open_item(&client, buf_view(&queued), &scratch, &got));
        assert_int_equal(got.astray, i == 0);
        assert_ok(open_item(&blind, buf_view(&queued), &scratch, &got));
        assert_false(got.astray);
        assert_same(&server, &client);
        assert_same(&server, &blind);
    }
    buf_clear(&queued);
    buf_clear(&handed);
    buf_clear(&scratch);
}

/* The forms of the header, undone from their parts by hand. */
static void the_form_is_the_one_described(void **state)
{
    (void)state;
    static const uint8_t nonce[AEAD_NONCE_BYTES], number[8] = {[7] = 1}, refreshed[8] = {[7] = 2};
    struct queue_ratchet server, client;
    struct buf b = BUF_INIT;
    struct secret message, next;
    uint8_t text[256], fresh[224];
    struct queue_item item = {
        .kind = QUEUE_ITEM_DELIVERY, .tag = {5}, .hour = 0x01020304, .body = bytes_str("body")};
    begin(&server, &client);
    struct bytes chain = bytes_of(client.chain, sizeof client.chain);
    assert_ok(labelled_expand(&kdf_hkdf_sha256, chain, LABEL_HEARTH, bytes_str("queue message"),
                              bytes_of(NULL, 0), 32, &message));
    assert_ok(labelled_expand(&kdf_hkdf_sha256, chain, LABEL_HEARTH, bytes_str("queue chain"),
                              bytes_of(NULL, 0), 32, &next));
    assert_ok(queue_ratchet_seal(&server, &item, &b));
    assert_int_equal(b.len, 1 + 256 + 16);
    assert_int_equal(b.data[0], 0);
    assert_ok(aead_open(&aead_aes256_gcm, &message, nonce, bytes_of(number, 8),
                        bytes_of(b.data + 1, b.len - 1), text));
    assert_memory_equal(text, "\0\0\0\x39\1\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\2\3\4", 25);
    assert_memory_equal(text + 25, client.head, 32);
    assert_memory_equal(text + 57, "body\0", 5);
    assert_memory_equal(server.chain, next.data, 32);
    assert_head(&server, client.head, &b);
    buf_clear(&b);
    client = server;
    assert_ok(refresh(&server, &b));
    assert_int_equal(b.len, 1 + 256 + 16);
    assert_int_equal(b.data[0], 1);
    assert_ok(hpke_open(seal_hpke, secret_view(&queue_private), public_key_view(&queue_public),
                        bytes_of(b.data + 1, 32), BYTES_LIST(bytes_str("Hearth 1 QueueRefresh")),
                        bytes_of(refreshed, 8), bytes_of(b.data + 33, b.len - 33), fresh));
    kdf_extract(&kdf_hkdf_sha256, bytes_of(client.chain, 32), BYTES_LIST(bytes_of(fresh, 32)),
                &next);
    assert_memory_equal(server.chain, next.data, 32);
    assert_head(&server, client.head, &b);
    buf_clear(&b);
    /* from one state, two refreshes lead to different chains */
    assert_ok(refresh(&client, &b));
    assert_int_equal(client.sequence, server.sequence);
    assert_memory_not_equal(client.chain, server.chain, 32);
    buf_clear(&b);
}

/* An image of the state opens nothing before it, and nothing after the next refresh. */
static void images_of_the_state(void **state)
{
    (void)state;
    struct queue_ratchet server, client;
    struct at thief;
    struct buf before = BUF_INIT, between = BUF_INIT, mixed = BUF_INIT, after = BUF_INIT;
    struct buf scratch = BUF_INIT;
    struct queue_item got, item = {.kind = QUEUE_ITEM_DELIVERY, .body = bytes_str("body")};
    begin(&server, &client);
    assert_ok(queue_ratchet_seal(&server, &item, &before));
    thief.ratchet = server;
    assert_ok(queue_ratchet_seal(&server, &item, &between));
    assert_ok(refresh(&server, &mixed));
    assert_ok(queue_ratchet_seal(&server, &item, &after));
    /* control: it does open what comes right after it */
    struct queue_ratchet copy = thief.ratchet;
    assert_ok(open_item(&copy, buf_view(&between), &scratch, &got));
    thief.ratchet.sequence--;
    assert_true(refused(&thief, buf_view(&before)));
    /* it has no queue key, so it can only guess past the refresh */
    thief.ratchet = copy;
    thief.ratchet.sequence++;
    assert_true(refused(&thief, buf_view(&after)));
    buf_clear(&before);
    buf_clear(&between);
    buf_clear(&mixed);
    buf_clear(&after);
    buf_clear(&scratch);
}

/* Sealed as it should be, but not what a server of ours writes. */
static void well_sealed_nonsense(void **state)
{
    (void)state;
    static const uint8_t nonce[AEAD_NONCE_BYTES], number[8] = {[7] = 1};
    static const struct {
        uint8_t head[5]; /* length and kind */
        size_t padded;   /* bytes */
        bool good;
    } cases[] = {
        {{0, 0, 0, 53, 1}, 256, true},  {{0, 0, 0, 52, 1}, 256, false},
        {{0, 0, 0, 53, 0}, 256, false}, {{0, 0, 0, 53, 1}, 255, false},
        {{0, 0, 0, 53, 1}, 512, false}, {{0, 0, 1, 0, 1}, 256, false},
        {{0, 0, 0, 53, 1}, 1024, true},
    };
    struct queue_ratchet server;
    struct at client;
    struct secret message;
    begin(&server, &client.ratchet);
    assert_ok(labelled_expand(&kdf_hkdf_sha256, bytes_of(server.chain, 32), LABEL_HEARTH,
                              bytes_str("queue message"), bytes_of(NULL, 0), 32, &message));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t sealed[1 + 1024 + 16] = {0}, padded[1024] = {0};
        struct bytes made = bytes_of(sealed, 1 + cases[i].padded + 16);
        memcpy(padded, cases[i].head, 5);
        assert_ok(aead_seal(&aead_aes256_gcm, &message, nonce, bytes_of(number, 8),
                            bytes_of(padded, cases[i].padded), sealed + 1));
        struct at copy = client;
        assert_int_equal(refused(&copy, made), !cases[i].good);
    }
    /* a refresh whose padding is not zero */
    for (size_t at = 31; at < 224; at += 192) {
        uint8_t fresh[224] = {0}, ciphertext[224 + 16];
        struct public_key enc;
        struct buf b = BUF_INIT;
        fresh[at] = 1;
        assert_ok(hpke_seal(seal_hpke, &rng, public_key_view(&queue_public),
                            BYTES_LIST(bytes_str("Hearth 1 QueueRefresh")), bytes_of(number, 8),
                            bytes_of(fresh, sizeof fresh), &enc, ciphertext));
        buf_append_byte(&b, 1);
        buf_append(&b, enc.data, enc.len);
        buf_append(&b, ciphertext, sizeof ciphertext);
        struct at copy = client;
        assert_int_equal(refused(&copy, buf_view(&b)), at != 31);
        buf_clear(&b);
    }
    client.ratchet.sequence = UINT64_MAX;
    assert_true(refused(&client, bytes_str("\0whatever")));
}

/* What is skipped unopened leaves the client where the server is. */
static void skipping(void **state)
{
    (void)state;
    struct queue_ratchet server, client;
    struct queue_item item = {.kind = QUEUE_ITEM_DUMMY};
    struct buf b = BUF_INIT, scratch = BUF_INIT;
    begin(&server, &client);
    for (int i = 0; i < 3; i++) {
        assert_ok(queue_ratchet_seal(&server, &item, &b));
        assert_ok(queue_ratchet_skip(&client));
        assert_same(&server, &client);
        buf_clear(&b);
    }
    assert_ok(queue_ratchet_seal(&server, &item, &b));
    assert_ok(open_item(&client, buf_view(&b), &scratch, &item));
    client.sequence = UINT64_MAX;
    struct queue_ratchet before = client;
    assert_err(queue_ratchet_skip(&client), CRYPTO_EXHAUSTED);
    assert_same(&before, &client);
    buf_clear(&b);
    buf_clear(&scratch);
}

static void limits(void **state)
{
    (void)state;
    static const uint8_t large[QUEUE_ITEM_MAX_BYTES + 1];
    struct queue_ratchet server;
    struct at client;
    struct buf b = BUF_INIT, scratch = BUF_INIT;
    struct queue_item got, item = {.kind = QUEUE_ITEM_DELIVERY};
    begin(&server, &client.ratchet);
    struct queue_ratchet before = server;
    item.body = bytes_of(large, QUEUE_BODY_MAX_BYTES + 1);
    assert_err(queue_ratchet_seal(&server, &item, &b), TOO_LARGE);
    item.body.len = 0;
    item.kind = QUEUE_ITEM_REFRESH;
    assert_err(queue_ratchet_seal(&server, &item, &b), ARGUMENT);
    assert_same(&server, &before);
    assert_int_equal(b.len, 0);
    assert_err(open_item(&client.ratchet, bytes_of(large, sizeof large), &scratch, &got),
               WIRE_LIMIT);
    assert_err(open_item(&client.ratchet, bytes_of(NULL, 0), &scratch, &got), WIRE_SHORT);
    assert_err(open_item(&client.ratchet, bytes_of("\2", 1), &scratch, &got), WIRE_VALUE);
    /* a kind of a newer server gets through and moves the chain */
    item.kind = (enum queue_item_kind)200;
    assert_ok(queue_ratchet_seal(&server, &item, &b));
    assert_ok(open_item(&client.ratchet, buf_view(&b), &scratch, &got));
    assert_int_equal(got.kind, 200);
    assert_same(&server, &client.ratchet);
    server.sequence = UINT64_MAX;
    assert_err(queue_ratchet_seal(&server, &item, &b), CRYPTO_EXHAUSTED);
    assert_err(refresh(&server, &b), CRYPTO_EXHAUSTED);
    buf_clear(&b);
    buf_clear(&scratch);
}

/* Neither memory nor room nor a bad queue key moves the server's end. */
static void failures_move_nothing(void **state)
{
    (void)state;
    struct queue_ratchet server, client;
    struct queue_item item = {.kind = QUEUE_ITEM_DELIVERY, .body = bytes_str("body")};
    begin(&server, &client);
    const struct queue_ratchet before = server;
    for (size_t limit = 1; limit < 273; limit += 17) {
        struct buf b = {.limit = limit};
        assert_false(err_is_ok(queue_ratchet_seal(&server, &item, &b)));
        assert_int_equal(b.len, 0);
        buf_clear(&b);
        assert_false(err_is_ok(refresh(&server, &b)));
        assert_int_equal(b.len, 0);
        buf_clear(&b);
        assert_same(&server, &before);
    }
    struct buf b = BUF_INIT;
    assert_err(queue_ratchet_refresh(&server, &rng, bytes_str("short"), &b), CRYPTO_KEY_LENGTH);
    static const uint8_t zero[32];
    assert_err(queue_ratchet_refresh(&server, &rng, bytes_of(zero, 32), &b), CRYPTO_DH_ZERO);
    assert_same(&server, &before);
    for (long n = 0; test_can_fail_allocations(); n++) {
        test_fail_allocation(n);
        struct err err = queue_ratchet_seal(&server, &item, &b);
        if (!test_allocation_failed()) {
            assert_ok(err);
            break;
        }
        if (!err_is_ok(err)) {
            assert_same(&server, &before);
            assert_int_equal(b.len, 0);
        }
        server = before;
        buf_clear(&b);
    }
    buf_clear(&b);
    queue_ratchet_clear(&server);
    static const struct queue_ratchet none;
    assert_memory_equal(&server, &none, sizeof none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_is_the_one_described),
        cmocka_unit_test(another_in_its_place),
        cmocka_unit_test(a_conversation),
        cmocka_unit_test(damage_moves_nothing),
        cmocka_unit_test(images_of_the_state),
        cmocka_unit_test(another_number_is_refused),
        cmocka_unit_test(limits),
        cmocka_unit_test(skipping),
        cmocka_unit_test(well_sealed_nonsense),
        cmocka_unit_test(failures_move_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
