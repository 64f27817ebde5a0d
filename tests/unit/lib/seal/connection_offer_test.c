/* Connection offers: what comes out is what went in, and nothing that is not the sender's own. */
#include "seal/connection_offer.h"

#include "seal/fan_out.h"
#include "seal/key_set.h"
#include "support/failing.h"
#include "support/test.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { NOW = 1800000000, VERSIONS = 4 };

static struct rng_seeded seeded;
static struct rng rng;

/* A homeserver's keys, a user with two clients, a handle of somebody. */
static struct {
    struct sig_key root_key, signing_key, client_key, second_key, handle_key;
    struct buf root, signing, client, client_id, user_label;
    struct credential root_parsed;
    struct buf versions[VERSIONS];
    struct bytes version_views[VERSIONS];
    struct secret package_private;
    struct public_key package_public;
    struct buf package_whole;
    struct connection_package package;
    uint8_t handle_hash[HANDLE_HASH_BYTES], package_hash[32];
} p;

static const uint8_t user_uuid[UUID_BYTES] = {1}, first_uuid[UUID_BYTES] = {2},
                     second_uuid[UUID_BYTES] = {3};
static const uint8_t state_key[STATE_KEY_BYTES] = {4}, identity_key[IDENTITY_KEY_BYTES] = {5},
                     answer_key[CONNECTION_KEY_BYTES] = {6};
#define DOMAIN bytes_str("a.example")

static void make_credential(struct buf *b, const struct credential *fields,
                            const struct buf *signer, const struct sig_key *key)
{
    struct credential parsed;
    struct credential_signer sign = credential_signer_of(key);
    if (signer != NULL)
        assert_ok(credential_parse(buf_view(signer), &parsed));
    assert_ok(credential_make(b, fields, signer != NULL ? &parsed : NULL, &sign));
}

static void make_client(struct buf *b, struct bytes subject, const struct sig_key *key)
{
    make_credential(b,
                    &(struct credential){.kind = CREDENTIAL_CLIENT,
                                         .not_before = NOW - 100,
                                         .not_after = NOW + 100,
                                         .subject = subject,
                                         .public_key = public_key_view(&key->public_key)},
                    &p.signing, &p.signing_key);
}

static void make_credentials(void)
{
    make_credential(&p.root,
                    &(struct credential){.kind = CREDENTIAL_AS_ROOT,
                                         .not_before = NOW - 1000,
                                         .not_after = NOW + 1000,
                                         .subject = DOMAIN,
                                         .public_key = public_key_view(&p.root_key.public_key)},
                    NULL, &p.root_key);
    make_credential(&p.signing,
                    &(struct credential){.kind = CREDENTIAL_AS_SIGNING,
                                         .not_before = NOW - 500,
                                         .not_after = NOW + 500,
                                         .subject = DOMAIN,
                                         .public_key = public_key_view(&p.signing_key.public_key)},
                    &p.root, &p.root_key);
    struct client_id id = {{user_uuid, DOMAIN}, first_uuid};
    client_id_write(&p.client_id, &id);
    make_client(&p.client, buf_view(&p.client_id), &p.client_key);
    assert_ok(credential_parse(buf_view(&p.root), &p.root_parsed));
}

/* Odd versions have the second client, too. */
static void make_version(struct buf *b, uint32_t version, bool reset, struct bytes label,
                         const struct sig_key *first)
{
    static const uint8_t commitment[32] = {7};
    const struct sig_key *keys[] = {first, &p.second_key};
    const struct bytes ids[] = {bytes_of(first_uuid, UUID_BYTES),
                                bytes_of(second_uuid, UUID_BYTES)};
    struct key_set set = {.label = label,
                          .version = version,
                          .prev_commitment = bytes_of(commitment, version > 0 ? 32 : 0),
                          .created_ms = version,
                          .reset = reset,
                          .client_count = 1 + version % 2};
    for (size_t i = 0; i < set.client_count; i++)
        set.clients[i] = (struct client_key){ids[i], 0x0807, public_key_view(&keys[i]->public_key),
                                             1, KEY_SET_AUTHORISES};
    assert_ok(key_set_make(b, &set, keys, ids, set.client_count));
}

static int set_up(void **state)
{
    (void)state;
    struct sig_key *const keys[] = {&p.root_key, &p.signing_key, &p.client_key, &p.second_key,
                                    &p.handle_key};
    rng_seeded_init(&seeded, 11);
    rng = rng_of_seeded(&seeded);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_ok(sig_key_generate(&sig_ed25519, &rng, keys[i]));
    make_credentials();
    buf_append_byte(&p.user_label, KEY_SET_LABEL_USER);
    domain_name_write(&p.user_label, &(struct domain_name){user_uuid, DOMAIN});
    for (uint32_t i = 0; i < VERSIONS; i++) {
        make_version(&p.versions[i], i, false, buf_view(&p.user_label), &p.client_key);
        p.version_views[i] = buf_view(&p.versions[i]);
    }
    assert_ok(kem_generate(&kem_x25519, &rng, &p.package_private, &p.package_public));
    p.handle_hash[0] = 8;
    struct connection_package fields = {.hpke_key = public_key_view(&p.package_public),
                                        .not_before = NOW - 10,
                                        .not_after = NOW + 10,
                                        .handle_hash = p.handle_hash};
    assert_ok(connection_package_make(&p.package_whole, &fields, &p.handle_key));
    assert_ok(connection_package_read(buf_view(&p.package_whole),
                                      public_key_view(&p.handle_key.public_key), &p.package));
    p.package.whole = buf_view(&p.package_whole);
    connection_package_hash(p.package.whole, p.package_hash);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct buf *const bufs[] = {&p.root,      &p.signing,    &p.client,
                                &p.client_id, &p.user_label, &p.package_whole};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        buf_clear(bufs[i]);
    for (size_t i = 0; i < VERSIONS; i++)
        buf_clear(&p.versions[i]);
    return 0;
}

/* ---- making */

static struct connection_offer fields_with(struct buf *key_sets, const struct bytes *versions,
                                           size_t count)
{
    struct connection_offer fields = {
        .signing_credential = buf_view(&p.signing),
        .client_credential = buf_view(&p.client),
        .state_key = state_key,
        .identity_key = identity_key,
        .answer_key = answer_key,
        .handle = bytes_str("alice@a.example"),
        .display_name = bytes_str("Alic\xc3\xa9"),
        .text = bytes_str("We met\nyesterday"),
    };
    static const uint8_t group[] = "0123456789abcdef\x09"
                                   "a.example";
    fields.group_id = bytes_of(group, sizeof group - 1);
    fields.friendship.queue_user_id[3] = 9;
    fields.friendship.contact_token[47] = 10;
    fields.friendship.friendship_key[0] = 11;
    fields.friendship.profile_base_key[31] = 12;
    assert_ok(connection_offer_key_sets_write(key_sets, versions, count));
    fields.key_sets = buf_view(key_sets);
    return fields;
}

static struct err seal(struct buf *b, const struct connection_offer *fields,
                       struct connection_offer_hashes *hashes)
{
    return connection_offer_seal(b, &rng, fields, &p.package, &p.client_key, hashes);
}

static struct err open_with(const uint8_t package_hash[32], struct bytes sealed,
                            struct buf *scratch, struct connection_offer *offer)
{
    return connection_offer_open(secret_view(&p.package_private),
                                 public_key_view(&p.package_public), package_hash, sealed, scratch,
                                 offer);
}

static struct err verify_at(const struct connection_offer *offer, uint64_t now,
                            struct connection_sender *sender)
{
    return connection_offer_verify(offer, p.handle_hash, p.package_hash, &p.root_parsed, now,
                                   sender);
}

/* Sealed by `key`, opened, and what the verification says. */
static struct err judge(const struct connection_offer *fields, const struct sig_key *key,
                        struct connection_sender *sender, struct buf *scratch)
{
    struct buf b = BUF_INIT;
    struct connection_offer offer;
    struct connection_offer_hashes hashes;
    assert_ok(connection_offer_seal(&b, &rng, fields, &p.package, key, &hashes));
    assert_ok(open_with(p.package_hash, buf_view(&b), scratch, &offer));
    struct err err = verify_at(&offer, NOW, sender);
    buf_clear(&b);
    return err;
}

/* ---- tests */

static void same_friendship(const struct friendship *a, const struct friendship *b)
{
    assert_memory_equal(a->queue_user_id, b->queue_user_id, QUEUE_ID_BYTES);
    assert_memory_equal(a->contact_token, b->contact_token, CONTACT_TOKEN_BYTES);
    assert_memory_equal(a->friendship_key, b->friendship_key, FRIENDSHIP_KEY_BYTES);
    assert_memory_equal(a->profile_base_key, b->profile_base_key, PROFILE_KEY_BYTES);
}

static void there_and_back(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, sets = BUF_INIT, scratch = BUF_INIT;
    struct connection_offer fields = fields_with(&sets, p.version_views, VERSIONS), offer, again;
    struct connection_offer_hashes made, read;
    struct connection_sender sender;
    buf_append_bytes(&b, bytes_str("before"));
    assert_ok(seal(&b, &fields, &made));
    assert_int_equal(b.len, 6 + CONNECTION_OFFER_SHORT_BYTES);
    assert_ok(open_with(p.package_hash, bytes_of(b.data + 6, b.len - 6), &scratch, &offer));
    test_assert_bytes(offer.signing_credential, fields.signing_credential);
    test_assert_bytes(offer.client_credential, fields.client_credential);
    test_assert_bytes(offer.key_sets, fields.key_sets);
    test_assert_bytes(offer.group_id, fields.group_id);
    assert_memory_equal(offer.state_key, state_key, STATE_KEY_BYTES);
    assert_memory_equal(offer.identity_key, identity_key, IDENTITY_KEY_BYTES);
    assert_memory_equal(offer.answer_key, answer_key, CONNECTION_KEY_BYTES);
    assert_memory_equal(offer.package_hash, p.package_hash, 32);
    same_friendship(&offer.friendship, &fields.friendship);
    test_assert_bytes(offer.handle, fields.handle);
    test_assert_bytes(offer.display_name, fields.display_name);
    test_assert_bytes(offer.text, fields.text);
    assert_ok(verify_at(&offer, NOW, &sender));
    assert_memory_equal(sender.id.user.uuid, user_uuid, UUID_BYTES);
    assert_memory_equal(sender.id.client, first_uuid, UUID_BYTES);
    test_assert_bytes(sender.client_key, public_key_view(&p.client_key.public_key));
    test_assert_bytes(sender.key_set, buf_view(&p.versions[VERSIONS - 1]));
    assert_int_equal(sender.key_set_version, VERSIONS - 1);
    assert_int_equal(sender.key_set_first, 0);
    assert_false(sender.key_set_reset);
    /* both ends name it alike, each hash is another, and another offer has others */
    connection_offer_hashes(offer.whole, &read);
    assert_memory_equal(&made, &read, sizeof made);
    assert_memory_not_equal(made.psk, made.psk_id, 32);
    assert_memory_not_equal(made.psk, made.hash, 32);
    assert_memory_not_equal(made.hash, made.psk_id, 32);
    assert_ok(connection_offer_parse(offer.whole, &again));
    test_assert_bytes(again.tbs, offer.tbs);
    fields.text = bytes_str("We met\nyesterdaz");
    buf_reset_unwiped(&b);
    assert_ok(seal(&b, &fields, &read));
    assert_memory_not_equal(&made, &read, 32);
    connection_offer_clear(&offer);
    buf_clear(&b);
    buf_clear(&sets);
    buf_clear(&scratch);
}

/* ME1: short or long, nothing between; and the largest of everything fits. */
static void two_sizes(void **state)
{
    (void)state;
    static uint8_t text[CONNECTION_TEXT_MAX_BYTES], name[CONNECTION_NAME_MAX_BYTES];
    struct buf sets = BUF_INIT, b = BUF_INIT, scratch = BUF_INIT;
    struct connection_offer fields = fields_with(&sets, p.version_views, VERSIONS), offer;
    struct connection_offer_hashes hashes;
    bool seen[2] = {false};
    memset(text, 'x', sizeof text);
    memset(name, 'y', sizeof name);
    fields.display_name = bytes_of(name, sizeof name);
    for (size_t len = 0; len <= sizeof text; len += 64) {
        fields.text = bytes_of(text, len);
        assert_ok(seal(&b, &fields, &hashes));
        assert_true(b.len == CONNECTION_OFFER_SHORT_BYTES || b.len == CONNECTION_OFFER_LONG_BYTES);
        seen[b.len == CONNECTION_OFFER_LONG_BYTES] = true;
        assert_ok(open_with(p.package_hash, buf_view(&b), &scratch, &offer));
        buf_clear(&scratch);
        buf_reset_unwiped(&b);
    }
    assert_true(seen[0]);
    fields.text.len = sizeof text;
    buf_clear(&sets);
    while (sets.len < 11 * 1024 - 300)
        wire_write_vector(&sets, p.version_views[1]);
    fields.key_sets = buf_view(&sets);
    assert_ok(seal(&b, &fields, &hashes));
    assert_int_equal(b.len, CONNECTION_OFFER_LONG_BYTES);
    assert_ok(open_with(p.package_hash, buf_view(&b), &scratch, &offer));
    /* another length that opens is none of ours */
    buf_append_byte(&b, 0);
    assert_err(open_with(p.package_hash, buf_view(&b), &scratch, &offer), WIRE_LIMIT);
    assert_err(open_with(p.package_hash, bytes_of(b.data, 100), &scratch, &offer), WIRE_SHORT);
    buf_clear(&b);
    buf_clear(&sets);
    buf_clear(&scratch);
}

/* A bit changed anywhere: refused, and nothing left in scratch. */
static void damaged(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, sets = BUF_INIT, scratch = BUF_INIT;
    struct connection_offer fields = fields_with(&sets, p.version_views, 1), offer;
    struct connection_offer_hashes hashes;
    struct connection_sender sender;
    assert_ok(seal(&b, &fields, &hashes));
    buf_append_bytes(&scratch, bytes_str("kept"));
    for (size_t at = 0; at < b.len; at += at < 64 ? 1 : 61) {
        b.data[at] ^= (uint8_t)(1 << at % 7);
        assert_false(err_is_ok(open_with(p.package_hash, buf_view(&b), &scratch, &offer)));
        assert_int_equal(scratch.len, 4);
        b.data[at] ^= (uint8_t)(1 << at % 7);
    }
    uint8_t other[32];
    memcpy(other, p.package_hash, 32);
    other[31] ^= 1;
    assert_err(open_with(other, buf_view(&b), &scratch, &offer), CRYPTO_TAG);
    /* inside the seal: no bit of the offer may change, whoever sealed it */
    assert_ok(open_with(p.package_hash, buf_view(&b), &scratch, &offer));
    uint8_t *whole = scratch.data + (offer.whole.data - scratch.data);
    for (size_t at = 0; at < offer.whole.len; at++) {
        struct connection_offer changed;
        whole[at] ^= (uint8_t)(1 << at % 8);
        if (err_is_ok(connection_offer_parse(bytes_of(whole, offer.whole.len), &changed)))
            assert_false(err_is_ok(verify_at(&changed, NOW, &sender)));
        whole[at] ^= (uint8_t)(1 << at % 8);
    }
    assert_ok(verify_at(&offer, NOW, &sender));
    buf_clear(&b);
    buf_clear(&sets);
    buf_clear(&scratch);
}

static void other_recipients(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, sets = BUF_INIT, scratch = BUF_INIT, more = BUF_INIT;
    struct connection_offer fields = fields_with(&sets, p.version_views, 2), offer;
    struct connection_offer_hashes hashes;
    struct connection_sender sender;
    struct sig_key stranger;
    uint8_t handle[HANDLE_HASH_BYTES], package[32];
    assert_ok(seal(&b, &fields, &hashes));
    assert_ok(open_with(p.package_hash, buf_view(&b), &scratch, &offer));
    memcpy(handle, p.handle_hash, sizeof handle);
    memcpy(package, p.package_hash, sizeof package);
    handle[9] ^= 1;
    assert_err(connection_offer_verify(&offer, handle, package, &p.root_parsed, NOW, &sender),
               CRYPTO_SIGNATURE);
    handle[9] ^= 1;
    package[9] ^= 1;
    assert_err(connection_offer_verify(&offer, handle, package, &p.root_parsed, NOW, &sender),
               WIRE_VALUE);
    assert_err(verify_at(&offer, NOW + 101, &sender), CREDENTIAL_TIME);
    assert_err(verify_at(&offer, NOW - 101, &sender), CREDENTIAL_TIME);
    assert_ok(sig_key_generate(&sig_ed25519, &rng, &stranger));
    assert_err(judge(&fields, &stranger, &sender, &more), CRYPTO_SIGNATURE);
    /* a root that the recipient did not pin */
    struct buf other_root = BUF_INIT;
    struct credential root;
    make_credential(&other_root,
                    &(struct credential){.kind = CREDENTIAL_AS_ROOT,
                                         .not_before = NOW - 1000,
                                         .not_after = NOW + 1000,
                                         .subject = DOMAIN,
                                         .public_key = public_key_view(&stranger.public_key)},
                    NULL, &stranger);
    assert_ok(credential_parse(buf_view(&other_root), &root));
    assert_err(connection_offer_verify(&offer, p.handle_hash, p.package_hash, &root, NOW, &sender),
               CREDENTIAL);
    buf_clear(&other_root);
    /* credentials in each other's place */
    fields.client_credential = fields.signing_credential;
    assert_err(judge(&fields, &p.client_key, &sender, &more), CREDENTIAL);
    buf_clear(&b);
    buf_clear(&sets);
    buf_clear(&scratch);
    buf_clear(&more);
}

static struct err judge_versions(const struct bytes *versions, size_t count,
                                 struct connection_sender *sender)
{
    struct buf sets = BUF_INIT, scratch = BUF_INIT;
    struct connection_offer fields = fields_with(&sets, versions, count);
    struct err err = judge(&fields, &p.client_key, sender, &scratch);
    buf_clear(&sets);
    buf_clear(&scratch);
    return err;
}

/* MitM3: the client set must be the sender's own, version by version. */
static void client_sets(void **state)
{
    (void)state;
    struct connection_sender sender;
    struct bytes v[VERSIONS];
    struct buf b = BUF_INIT, label = BUF_INIT;
    memcpy(v, p.version_views, sizeof v);
    for (size_t n = 1; n <= VERSIONS; n++)
        assert_ok(judge_versions(v, n, &sender));
    /* not from the beginning: known, and said */
    assert_ok(judge_versions(v + 2, 2, &sender));
    assert_int_equal(sender.key_set_first, 2);
    assert_int_equal(sender.key_set_version, 3);
    /* one is left out; or twice; or backwards */
    v[1] = p.version_views[2];
    v[2] = p.version_views[3];
    assert_err(judge_versions(v, 3, &sender), KEY_SET);
    v[1] = p.version_views[0];
    assert_err(judge_versions(v, 2, &sender), KEY_SET);
    v[0] = p.version_views[1];
    assert_err(judge_versions(v, 2, &sender), KEY_SET);
    /* a version that nobody of before has signed; with a reset it is loud */
    struct sig_key stranger;
    assert_ok(sig_key_generate(&sig_ed25519, &rng, &stranger));
    v[0] = p.version_views[0];
    make_version(&b, 2, false, buf_view(&p.user_label), &stranger);
    v[1] = p.version_views[1];
    v[2] = buf_view(&b);
    assert_false(err_is_ok(judge_versions(v, 3, &sender)));
    buf_clear(&b);
    make_version(&b, 2, true, buf_view(&p.user_label), &stranger);
    v[2] = buf_view(&b);
    assert_err(judge_versions(v, 3, &sender), KEY_SET); /* our client's key is not in it */
    buf_clear(&b);
    make_version(&b, 2, true, buf_view(&p.user_label), &p.client_key);
    v[2] = buf_view(&b);
    assert_ok(judge_versions(v, 3, &sender));
    assert_true(sender.key_set_reset);
    buf_clear(&b);
    /* somebody else's set, with the client in it */
    static const uint8_t other_user[UUID_BYTES] = {99};
    buf_append_byte(&label, KEY_SET_LABEL_USER);
    domain_name_write(&label, &(struct domain_name){other_user, DOMAIN});
    make_version(&b, 0, false, buf_view(&label), &p.client_key);
    v[0] = buf_view(&b);
    assert_err(judge_versions(v, 1, &sender), KEY_SET);
    /* a client that is not in the set, with a credential all the same */
    static const uint8_t third_uuid[UUID_BYTES] = {77};
    struct buf id = BUF_INIT, credential = BUF_INIT, sets = BUF_INIT, scratch = BUF_INIT;
    struct client_id third = {{user_uuid, DOMAIN}, third_uuid};
    client_id_write(&id, &third);
    make_client(&credential, buf_view(&id), &p.client_key);
    struct connection_offer fields = fields_with(&sets, p.version_views, VERSIONS);
    fields.client_credential = buf_view(&credential);
    assert_err(judge(&fields, &p.client_key, &sender, &scratch), KEY_SET);
    buf_clear(&b);
    buf_clear(&label);
    buf_clear(&id);
    buf_clear(&credential);
    buf_clear(&sets);
    buf_clear(&scratch);
}

/* The newest versions that fit. */
static void long_histories(void **state)
{
    (void)state;
    enum { MANY = 200 };
    struct bytes v[MANY];
    struct buf sets = BUF_INIT;
    for (size_t i = 0; i < MANY; i++)
        v[i] = p.version_views[i % VERSIONS];
    assert_err(connection_offer_key_sets_write(&sets, v, 0), ARGUMENT);
    assert_ok(connection_offer_key_sets_write(&sets, v, MANY));
    struct wire_reader r = wire_reader_of(buf_view(&sets));
    size_t count = 0;
    struct bytes last = {0};
    for (; wire_reader_more(&r); count++)
        last = wire_read_vector(&r);
    assert_ok(wire_reader_end(&r));
    test_assert_bytes(last, v[MANY - 1]);
    assert_in_range(count, 10, CONNECTION_KEY_SETS_MAX);
    assert_in_range(sets.len, 8 * 1024, 11 * 1024);
    static uint8_t large[KEY_SET_MAX_BYTES + 1];
    v[0] = bytes_of(large, sizeof large);
    assert_err(connection_offer_key_sets_write(&sets, v, 1), TOO_LARGE);
    v[0].len--;
    buf_clear(&sets);
    assert_ok(connection_offer_key_sets_write(&sets, v, 1));
    buf_clear(&sets);
}

/* What no recipient would take is not sealed. */
static void form(void **state)
{
    (void)state;
    static uint8_t large[2048];
    struct buf b = BUF_INIT, sets = BUF_INIT, no_sets = BUF_INIT;
    struct connection_offer_hashes hashes;
    const struct connection_offer good = fields_with(&sets, p.version_views, 2);
    struct connection_offer bad = good;
    memset(large, 'a', sizeof large);
#define REFUSED(field, value, error)                \
    do {                                            \
        bad = good;                                 \
        bad.field = (value);                        \
        assert_err(seal(&b, &bad, &hashes), error); \
        assert_int_equal(b.len, 0);                 \
    } while (0)
    REFUSED(text, bytes_of(large, CONNECTION_TEXT_MAX_BYTES + 1), TOO_LARGE);
    REFUSED(display_name, bytes_of(large, CONNECTION_NAME_MAX_BYTES + 1), TOO_LARGE);
    REFUSED(handle, bytes_of(large, CONNECTION_HANDLE_MAX_BYTES + 1), TOO_LARGE);
    REFUSED(client_credential, bytes_of(large, CREDENTIAL_MAX_BYTES + 1), TOO_LARGE);
    REFUSED(text, bytes_str("\x1b[2J"), ARGUMENT);
    REFUSED(display_name, bytes_str("two\nlines"), ARGUMENT);
    REFUSED(handle, bytes_str("alice"), ARGUMENT);
    REFUSED(handle, bytes_str("al@a.example"), ARGUMENT);
    REFUSED(handle, bytes_str("alice@"), ARGUMENT);
    REFUSED(group_id, bytes_str("short"), ARGUMENT);
    REFUSED(key_sets, bytes_of(NULL, 0), ARGUMENT);
    for (int i = 0; i <= CONNECTION_KEY_SETS_MAX; i++)
        wire_write_vector(&no_sets, bytes_str("x"));
    REFUSED(key_sets, buf_view(&no_sets), TOO_LARGE);
    bad = good;
    bad.handle = bad.text = bad.display_name = bytes_of(NULL, 0);
    assert_ok(seal(&b, &bad, &hashes));
    buf_clear(&b);
    buf_clear(&sets);
    buf_clear(&no_sets);
}

static void failed_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct buf sets = BUF_INIT, b = BUF_INIT, scratch = BUF_INIT;
    struct connection_offer fields = fields_with(&sets, p.version_views, VERSIONS), offer;
    struct connection_offer_hashes hashes;
    struct connection_sender sender;
    for (int step = 0; step < 3; step++) {
        for (long n = 0;; n++) {
            test_fail_own_allocation(n);
            struct err err = step == 0   ? seal(&b, &fields, &hashes)
                             : step == 1 ? open_with(p.package_hash, buf_view(&b), &scratch, &offer)
                                         : verify_at(&offer, NOW, &sender);
            if (!test_allocation_failed()) {
                assert_ok(err);
                break;
            }
            assert_false(err_is_ok(err));
            if (step == 0)
                buf_clear(&b);
            if (step == 1)
                buf_clear(&scratch);
        }
    }
    buf_clear(&b);
    buf_clear(&sets);
    buf_clear(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back), cmocka_unit_test(two_sizes),
        cmocka_unit_test(damaged),        cmocka_unit_test(other_recipients),
        cmocka_unit_test(client_sets),    cmocka_unit_test(long_histories),
        cmocka_unit_test(form),           cmocka_unit_test(failed_allocations),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
