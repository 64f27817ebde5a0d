/* What strangers say before there is a connection, and what friends and joiners are told. The first
 * byte chooses:
 *   0  an Offer, as it lies in the seal; judged under the root of the seeds
 *   1  a sealed offer, 2 what a right seal holds where an offer is padded
 *   3  a sealed answer, 4 what a right seal holds where an answer is padded
 *   5  a friendship package, 6 a joiner's keys, 7 text
 *
 * What is refused leaves nothing behind; what is taken is written the same. */
#include <stdlib.h>

#include "seal/connection_answer.h"
#include "seal/connection_offer.h"
#include "seal/fan_out.h"
#include "seal/text.h"
#include "seal/welcome_keys.h"
#include "wire/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t seed[32] = {2}; /* of the seeds: key, handle, package */
static struct secret private_key;
static struct public_key public_key;
static struct rng_seeded seeded;
static struct rng rng;
static struct sig_key key;
static struct buf root_bytes;
static struct credential root;

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void set_up(void)
{
    rng_seeded_init(&seeded, 1);
    rng = rng_of_seeded(&seeded);
    must(err_is_ok(kem_generate(&kem_x25519, &rng, &private_key, &public_key)));
    must(err_is_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &key)));
    struct credential_signer sign = credential_signer_of(&key);
    must(err_is_ok(
        credential_make(&root_bytes,
                        &(struct credential){.kind = CREDENTIAL_AS_ROOT,
                                             .not_before = 1,
                                             .not_after = 100,
                                             .subject = bytes_str("a.example"),
                                             .public_key = public_key_view(&key.public_key)},
                        NULL, &sign)));
    must(err_is_ok(credential_parse(buf_view(&root_bytes), &root)));
}

static void judge(const struct connection_offer *offer)
{
    struct connection_sender sender;
    struct client_id id;
    struct connection_offer_hashes hashes;
    (void)!connection_offer_sender(offer, &id).code;
    connection_offer_hashes(offer->whole, &hashes);
    if (err_is_ok(connection_offer_verify(offer, seed, seed, &root, 50, &sender)))
        must(sender.key_set_first <= sender.key_set_version && sender.key_set.len > 0);
}

static void offer_inside(struct bytes in)
{
    struct connection_offer offer;
    if (!err_is_ok(connection_offer_parse(in, &offer)))
        return;
    must(offer.whole.len == in.len && offer.tbs.len + 1 + offer.signature.len <= in.len);
    judge(&offer);
    connection_offer_clear(&offer);
}

/* Sealed to us under this info; in is what lies inside. */
static void seal(const char *info, struct bytes in, struct buf *b)
{
    struct public_key enc;
    uint8_t *ciphertext = malloc(in.len + AEAD_TAG_BYTES);
    must(ciphertext != NULL && err_is_ok(hpke_seal(seal_hpke, &rng, public_key_view(&public_key),
                                                   BYTES_LIST(bytes_str(info), bytes_of(seed, 32)),
                                                   bytes_of(NULL, 0), in, &enc, ciphertext)));
    wire_write_vector(b, public_key_view(&enc));
    wire_write_vector(b, bytes_of(ciphertext, in.len + AEAD_TAG_BYTES));
    free(ciphertext);
}

/* Zeros behind it up to what the seal asks for: seeds need not carry them. */
static void fill(struct bytes in, size_t total, struct buf *b)
{
    static const uint8_t zeros[CONNECTION_OFFER_LONG_BYTES];
    buf_append_bytes(b, in);
    if (b->len < total)
        buf_append(b, zeros, total - b->len);
}

static void offer_sealed(struct bytes in, bool inside)
{
    struct buf b = BUF_INIT, padded = BUF_INIT, scratch = BUF_INIT;
    struct connection_offer offer;
    enum { AROUND = 1 + 32 + 2 + AEAD_TAG_BYTES };
    if (inside && in.len <= CONNECTION_OFFER_LONG_BYTES) {
        bool is_short = in.len <= CONNECTION_OFFER_SHORT_BYTES - AROUND;
        fill(in, (is_short ? CONNECTION_OFFER_SHORT_BYTES : CONNECTION_OFFER_LONG_BYTES) - AROUND,
             &padded);
        seal("Hearth 1 ConnectionOffer", buf_view(&padded), &b);
        in = buf_view(&b);
    }
    struct err err = connection_offer_open(secret_view(&private_key), public_key_view(&public_key),
                                           seed, in, &scratch, &offer);
    must(err_is_ok(err) || scratch.len == 0);
    if (err_is_ok(err))
        judge(&offer);
    buf_clear(&b);
    buf_clear(&padded);
    buf_clear(&scratch);
}

static void answer(struct bytes in, bool inside)
{
    struct buf b = BUF_INIT, padded = BUF_INIT, scratch = BUF_INIT;
    struct connection_answer answer;
    if (inside) {
        fill(in, CONNECTION_ANSWER_BYTES - 35 - AEAD_TAG_BYTES, &padded);
        seal("Hearth 1 ConnectionAnswer", buf_view(&padded), &b);
        in = buf_view(&b);
    }
    struct err err = connection_answer_open(secret_view(&private_key), public_key_view(&public_key),
                                            seed, in, &scratch, &answer);
    must(err_is_ok(err) || scratch.len == 0);
    if (err_is_ok(err)) { /* what is read can be said again */
        buf_reset_unwiped(&b);
        must(err_is_ok(
            connection_answer_seal(&b, &rng, public_key_view(&public_key), seed, &answer)));
        must(b.len == CONNECTION_ANSWER_BYTES);
    }
    buf_clear(&b);
    buf_clear(&padded);
    buf_clear(&scratch);
}

static void packages(struct bytes in, bool friend)
{
    struct buf b = BUF_INIT;
    struct friendship friendship;
    struct welcome_keys keys;
    if (friend && err_is_ok(friendship_parse(in, &friendship)))
        friendship_write(&b, &friendship);
    if (!friend && err_is_ok(welcome_keys_read(in, &keys)))
        welcome_keys_write(&b, &keys);
    must(b.len == 0 || bytes_equal(buf_view(&b), in));
    buf_clear(&b);
}

static void text(struct bytes in)
{
    if (!err_is_ok(text_check(in, true)))
        return;
    for (size_t i = 0; i < in.len; i++)
        must((in.data[i] >= 0x20 || in.data[i] == '\n') && in.data[i] != 0x7f && in.data[i] < 0xf5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (root_bytes.len == 0)
        set_up();
    if (len == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, len - 1);
    switch (data[0] % 8) {
    case 0:
        offer_inside(in);
        break;
    case 1:
    case 2:
        offer_sealed(in, data[0] % 8 == 2);
        break;
    case 3:
    case 4:
        answer(in, data[0] % 8 == 4);
        break;
    case 5:
    case 6:
        packages(in, data[0] % 8 == 5);
        break;
    default:
        text(in);
    }
    return 0;
}
