/* A connection from offer to talk, and refused: what lib/seal makes fits what the delivery service
 * carries. (Auth.Connect carries any bytes: tests/unit/server/auth.) */
#include "seal/key_set.h"
#include "support/house/resident.h"

static struct house house;
static struct resident alice, bob;

/* Alice's homeserver, and bob's handle. */
static struct {
    struct sig_key root_key, signing_key, handle_key;
    struct buf root, signing, client, key_set, key_sets, package_whole;
    struct credential root_parsed;
    struct secret package_private;
    struct public_key package_public;
    struct connection_package package;
    uint8_t handle_hash[HANDLE_HASH_BYTES], package_hash[32];
} p;

static const uint8_t user_uuid[UUID_BYTES] = {1}, client_uuid[UUID_BYTES] = {2};

static uint64_t now_s(void)
{
    return clock_unix_ms(&house.clock) / 1000;
}

static void credential(struct buf *b, enum credential_kind kind, struct bytes subject,
                       const struct sig_key *own, const struct buf *signer,
                       const struct sig_key *signer_key)
{
    struct credential parsed;
    struct credential_signer sign = credential_signer_of(signer_key);
    struct credential fields = {.kind = kind,
                                .not_before = now_s() - 60,
                                .not_after = now_s() + 3600,
                                .subject = subject,
                                .public_key = public_key_view(&own->public_key)};
    if (signer != NULL)
        assert_ok(credential_parse(buf_view(signer), &parsed));
    assert_ok(credential_make(b, &fields, signer != NULL ? &parsed : NULL, &sign));
}

static void make_alice(void)
{
    struct buf id = BUF_INIT, label = BUF_INIT;
    const struct sig_key *key = &alice.client_key;
    struct bytes uuid = bytes_of(client_uuid, UUID_BYTES);
    client_id_write(&id, &(struct client_id){{user_uuid, bytes_str(HOUSE_DOMAIN)}, client_uuid});
    credential(&p.root, CREDENTIAL_AS_ROOT, bytes_str(HOUSE_DOMAIN), &p.root_key, NULL,
               &p.root_key);
    credential(&p.signing, CREDENTIAL_AS_SIGNING, bytes_str(HOUSE_DOMAIN), &p.signing_key, &p.root,
               &p.root_key);
    credential(&p.client, CREDENTIAL_CLIENT, buf_view(&id), key, &p.signing, &p.signing_key);
    assert_ok(credential_parse(buf_view(&p.root), &p.root_parsed));
    buf_append_byte(&label, KEY_SET_LABEL_USER);
    buf_append(&label, id.data, id.len - UUID_BYTES);
    struct key_set set = {.label = buf_view(&label), .client_count = 1};
    set.clients[0] =
        (struct client_key){uuid, 0x0807, public_key_view(&key->public_key), 1, KEY_SET_AUTHORISES};
    assert_ok(key_set_make(&p.key_set, &set, &key, &uuid, 1));
    struct bytes version = buf_view(&p.key_set);
    assert_ok(connection_offer_key_sets_write(&p.key_sets, &version, 1));
    buf_clear(&id);
    buf_clear(&label);
}

static void make_bob(void)
{
    assert_ok(handle_hash(bytes_str("bob"), bytes_str(HOUSE_DOMAIN), p.handle_hash));
    assert_ok(kem_generate(&kem_x25519, &house.rng, &p.package_private, &p.package_public));
    struct connection_package fields = {.hpke_key = public_key_view(&p.package_public),
                                        .not_before = now_s(),
                                        .not_after = now_s() + 3600,
                                        .handle_hash = p.handle_hash};
    assert_ok(connection_package_make(&p.package_whole, &fields, &p.handle_key));
    assert_ok(connection_package_read(buf_view(&p.package_whole),
                                      public_key_view(&p.handle_key.public_key), &p.package));
    p.package.whole = buf_view(&p.package_whole);
    connection_package_hash(p.package.whole, p.package_hash);
}

static int set_up(void **state)
{
    struct sig_key *const keys[] = {&p.root_key, &p.signing_key, &p.handle_key};
    (void)state;
    house_init(&house, 7);
    house_open(&house);
    resident_init(&alice, &house, 1);
    resident_init(&bob, &house, 2);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_ok(sig_key_generate(&sig_ed25519, &house.rng, keys[i]));
    make_alice();
    make_bob();
    return 0;
}

static int tear_down(void **state)
{
    struct buf *const bufs[] = {&p.root,    &p.signing,  &p.client,
                                &p.key_set, &p.key_sets, &p.package_whole};
    (void)state;
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        buf_clear(bufs[i]);
    resident_clear(&alice);
    resident_clear(&bob);
    house_close(&house);
    return 0;
}

/* From alice's group into bob's hands, verified. scratch is what the offer looks into. */
static struct membership *ask(struct buf *scratch, struct connection_offer *offer)
{
    struct buf sealed = BUF_INIT;
    struct connection_sender sender;
    struct connection_offer fields = {.signing_credential = buf_view(&p.signing),
                                      .client_credential = buf_view(&p.client),
                                      .key_sets = buf_view(&p.key_sets),
                                      .handle = bytes_str("alice@" HOUSE_DOMAIN),
                                      .display_name = bytes_str("Alice"),
                                      .text = bytes_str("hello, bob")};
    struct membership *m = resident_found(&alice);
    assert_non_null(m);
    membership_offer(m, &fields, &p.package, &sealed);
    assert_int_equal(sealed.len, CONNECTION_OFFER_SHORT_BYTES);
    assert_ok(connection_offer_open(secret_view(&p.package_private),
                                    public_key_view(&p.package_public), p.package_hash,
                                    buf_view(&sealed), scratch, offer));
    assert_ok(connection_offer_verify(offer, p.handle_hash, p.package_hash, &p.root_parsed, now_s(),
                                      &sender));
    assert_int_equal(sender.key_set_first, 0);
    buf_clear(&sealed);
    return m;
}

static void deliver(struct resident *r)
{
    house_run_ms(&house, 1000);
    resident_sync(r, 0);
}

static void accepted_and_they_talk(void **state)
{
    (void)state;
    struct buf scratch = BUF_INIT;
    struct connection_offer offer;
    struct membership *a = ask(&scratch, &offer);
    struct membership *b = resident_accept(&bob, &offer, false);
    if (b == NULL)
        fail_msg("JoinConnection: %s", bob.last.message);
    deliver(&alice);
    assert_int_equal(group_epoch(a->group), 1);
    assert_true(
        bytes_equal(group_epoch_authenticator(a->group), group_epoch_authenticator(b->group)));
    size_t before = bob.got_count;
    assert_int_equal(membership_send(a, 5), HEARTH_OK);
    deliver(&bob);
    assert_int_equal(bob.got_count, before + 1);
    before = alice.got_count;
    assert_int_equal(membership_send(b, 6), HEARTH_OK);
    deliver(&alice);
    assert_int_equal(alice.got_count, before + 1);
    /* the GroupInfo that bob left is good: he comes back by it */
    assert_int_equal(membership_resync(b), HEARTH_OK);
    deliver(&alice);
    assert_true(
        bytes_equal(group_epoch_authenticator(a->group), group_epoch_authenticator(b->group)));
    /* what bob got in the offer opens alice's door: nobody else's token does */
    assert_int_equal(resident_publish(&alice, 2), HEARTH_OK);
    Hearth__V1__GetKeyPackagesRequest in = HEARTH__V1__GET_KEY_PACKAGES_REQUEST__INIT;
    struct resident_id id;
    resident_id(&bob, &id);
    in.idempotency = &id.message;
    in.queue_user_id = resident_data(bytes_of(offer.friendship.queue_user_id, QUEUE_ID_BYTES));
    in.contact_token = resident_data(bytes_of(offer.friendship.contact_token, CONTACT_TOKEN_BYTES));
    assert_int_equal(
        resident_call(&bob, NULL, &hearth_queue_descriptor, "GetKeyPackages", &in.base, NULL),
        HEARTH_OK);
    connection_offer_clear(&offer);
    buf_clear(&scratch);
}

static void refused_with_a_reason(void **state)
{
    (void)state;
    struct buf scratch = BUF_INIT;
    struct connection_offer offer;
    struct membership *a = ask(&scratch, &offer);
    assert_false(alice.offer.answered);
    assert_int_equal(resident_refuse(&bob, &offer, CONNECTION_REASON_UNWANTED), HEARTH_OK);
    deliver(&alice);
    assert_true(alice.offer.answered);
    assert_int_equal(alice.offer.refusal, CONNECTION_REASON_UNWANTED);
    assert_int_equal(group_epoch(a->group), 0);
    connection_offer_clear(&offer);
    buf_clear(&scratch);
}

/* Who knows the group and names the PSK, but has not its secret, gets past the server, which can't
 * tell; alice can. */
static void the_secret_counts(void **state)
{
    (void)state;
    struct buf scratch = BUF_INIT;
    struct connection_offer offer;
    struct membership *a = ask(&scratch, &offer);
    struct membership *b = resident_accept(&bob, &offer, true);
    assert_non_null(b);
    a->doubts = true;
    deliver(&alice);
    assert_true(a->doubts && a->broken);
    assert_int_equal(group_epoch(a->group), 0);
    connection_offer_clear(&offer);
    buf_clear(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_and_they_talk),
        cmocka_unit_test(refused_with_a_reason),
        cmocka_unit_test(the_secret_counts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
