/* Writes the seeds of fuzz_seal_callers, fuzz_seal_signed and fuzz_seal_connection: `seal_seeds
 * FOLDER`, FOLDER being tests/fuzz. One good object of each kind behind the byte that chooses it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/labelled.h"
#include "seal/connection_answer.h"
#include "seal/connection_offer.h"
#include "seal/credential_chain.h"
#include "seal/fan_out.h"
#include "seal/key_set.h"
#include "seal/names.h"
#include "seal/pad.h"
#include "seal/request_auth.h"
#include "seal/server_key.h"
#include "seal/welcome_keys.h"
#include "wire/writer.h"

static const char *folder;
static const uint8_t sixteen[16] = {1}, thirty_two[32] = {2};

static void must(struct err err)
{
    if (!err_is_ok(err)) {
        fprintf(stderr, "%s\n", err_text(err));
        exit(1);
    }
}

static void save(const char *target, const char *name, uint8_t choice, struct buf *b)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
    FILE *out = fopen(path, "wb");
    if (out == NULL || fputc(choice, out) == EOF || fwrite(b->data, 1, b->len, out) != b->len ||
        fclose(out) != 0) {
        perror(path);
        exit(1);
    }
    buf_clear(b);
}

static void callers(const struct sig_key *key)
{
    struct buf b = BUF_INIT, group = BUF_INIT;
    struct domain_name name = {sixteen, bytes_str("a.example")};
    buf_append_bytes(&b, name.domain);
    save("seal_callers", "domain", 0, &b);
    buf_append_bytes(&b, bytes_str("localhost"));
    save("seal_callers", "localhost", 0, &b);
    domain_name_write(&b, &name);
    save("seal_callers", "user_id", 1, &b);
    client_id_write(&b, &(struct client_id){name, sixteen});
    save("seal_callers", "client_id", 2, &b);
    domain_name_write(&group, &name);
    struct member_id member = {buf_view(&group), 5};
    member_id_write(&b, &member);
    save("seal_callers", "member_id", 3, &b);

    struct buf client = BUF_INIT;
    member_id_write(&b, &member);
    client_id_write(&client, &(struct client_id){name, sixteen});
    const struct bytes ids[] = {
        [REQUEST_CLIENT] = buf_view(&client),
        [REQUEST_HANDLE] = bytes_of(thirty_two, 32),
        [REQUEST_QUEUE_USER] = bytes_of(sixteen, 16),
        [REQUEST_QUEUE_CLIENT] = bytes_of(sixteen, 16),
        [REQUEST_MEMBER] = buf_view(&b),
        [REQUEST_JOINER] = bytes_of(thirty_two, 32),
        [REQUEST_HOMESERVER] = name.domain,
        [REQUEST_WITNESS] = bytes_str("w"),
    };
    for (int kind = REQUEST_CLIENT; kind <= REQUEST_WITNESS; kind++) {
        struct buf out = BUF_INIT;
        char text[32];
        struct request_auth auth = {kind,          ids[kind], name.domain,
                                    1700000000000, sixteen,   bytes_of(NULL, 0)};
        must(request_auth_sign(&out, &auth, bytes_str("/a/b"), thirty_two, key));
        snprintf(text, sizeof text, "auth_%d", kind);
        save("seal_callers", text, 4, &out);
    }
    buf_clear(&b);
    buf_clear(&client);
    buf_clear(&group);
}

/* Root, signing, client. */
static void credentials(const struct sig_key *key, struct buf made[3])
{
    struct credential_signer sign = credential_signer_of(key);
    struct buf id = BUF_INIT, b = BUF_INIT;
    client_id_write(&id, &(struct client_id){{sixteen, bytes_str("a.example")}, sixteen});
    static const char *const names[] = {"root", "signing", "client"};
    struct credential parsed[3];
    for (int i = 0; i < 3; i++) {
        struct credential fields = {.kind = i + 1,
                                    .not_before = 1,
                                    .not_after = 100,
                                    .subject = i == 2 ? buf_view(&id) : bytes_str("a.example"),
                                    .public_key = public_key_view(&key->public_key)};
        must(credential_make(&made[i], &fields, i == 0 ? NULL : &parsed[i - 1], &sign));
        must(credential_parse(buf_view(&made[i]), &parsed[i]));
        buf_append_bytes(&b, buf_view(&made[i]));
        save("seal_signed", names[i], 0, &b);
    }
    must(credential_request_make(&b, buf_view(&id), key));
    save("seal_signed", "request", 1, &b);
    uint8_t list[64] = {0};
    list[32] = 1;
    struct revocations revocations = {.domain = bytes_str("a.example"),
                                      .list = bytes_of(list, sizeof list)};
    must(revocations_make(&b, &revocations, &sign));
    save("seal_signed", "revocations", 2, &b);
    buf_clear(&id);
}

static void others(const struct sig_key *key)
{
    struct buf b = BUF_INIT;
    struct connection_package package = {.hpke_key = bytes_of(thirty_two, 32),
                                         .handle_hash = thirty_two};
    must(connection_package_make(&b, &package, key));
    save("seal_signed", "connection_package", 3, &b);
    struct bytes id = bytes_of(sixteen, 16), public_key = public_key_view(&key->public_key);
    struct key_set set = {.label = bytes_str("\x01user"), .client_count = 1};
    set.clients[0] = (struct client_key){id, 0x0807, public_key, 1, KEY_SET_AUTHORISES};
    set.recovery_key = public_key;
    must(key_set_make(&b, &set, &key, &id, 1));
    save("seal_signed", "key_set", 4, &b);
    struct credential signing = {.kind = CREDENTIAL_AS_SIGNING,
                                 .not_after = 100,
                                 .subject = bytes_str("a.example"),
                                 .public_key = public_key};
    struct server_key server_key = {.use = 4,
                                    .algorithm = SERVER_KEY_ED25519,
                                    .not_after = 50,
                                    .domain = signing.subject,
                                    .public_key = public_key};
    struct credential_signer sign = credential_signer_of(key);
    must(server_key_make(&b, &server_key, &signing, &sign));
    save("seal_signed", "server_key", 5, &b);
    const struct sig_key *keys[] = {key, key};
    const struct bytes ids[] = {id, bytes_of(NULL, 0)};
    set.version = 1;
    set.prev_commitment = bytes_of(thirty_two, 32);
    must(key_set_make(&b, &set, keys, ids, 2));
    save("seal_signed", "key_set_next", 4, &b);
}

/* The user's client set: one client, then again. */
static void versions(const struct sig_key *key, struct buf *key_sets)
{
    struct bytes id = bytes_of(sixteen, 16);
    struct buf label = BUF_INIT, made[2] = {BUF_INIT, BUF_INIT};
    buf_append_byte(&label, KEY_SET_LABEL_USER);
    domain_name_write(&label, &(struct domain_name){sixteen, bytes_str("a.example")});
    for (uint32_t i = 0; i < 2; i++) {
        struct key_set set = {.label = buf_view(&label), .version = i, .client_count = 1};
        set.prev_commitment = bytes_of(thirty_two, i > 0 ? 32 : 0);
        set.clients[0] = (struct client_key){id, 0x0807, public_key_view(&key->public_key), 1,
                                             KEY_SET_AUTHORISES};
        must(key_set_make(&made[i], &set, &key, &id, 1));
    }
    const struct bytes list[] = {buf_view(&made[0]), buf_view(&made[1])};
    must(connection_offer_key_sets_write(key_sets, list, 2));
    for (int i = 0; i < 2; i++)
        buf_clear(&made[i]);
    buf_clear(&label);
}

/* The package hash is not ours to choose: signed again around the one that the target knows. */
static void sign_again(struct buf *whole, const struct connection_offer *offer,
                       const struct sig_key *key)
{
    struct buf content = BUF_INIT;
    struct signature signature;
    uint8_t *hash = whole->data + (offer->package_hash - offer->whole.data);
    memcpy(hash, thirty_two, sizeof thirty_two);
    whole->len = offer->tbs.len;
    wire_write_fixed(&content, bytes_of(thirty_two, 32));
    wire_write_vector(&content, buf_view(whole));
    must(labelled_sign(key, LABEL_HEARTH, bytes_str("ConnectionOffer"), buf_view(&content),
                       &signature));
    wire_write_vector(whole, signature_view(&signature));
    buf_clear(&content);
}

static void connections(const struct sig_key *key, const struct buf made[3])
{
    struct rng_seeded seeded;
    struct secret private_key;
    struct public_key public_key;
    struct buf key_sets = BUF_INIT, group = BUF_INIT, b = BUF_INIT, scratch = BUF_INIT;
    struct connection_offer_hashes hashes;
    struct connection_offer offer;
    uint8_t hash[32];
    rng_seeded_init(&seeded, 1);
    struct rng rng = rng_of_seeded(&seeded);
    must(kem_generate(&kem_x25519, &rng, &private_key, &public_key));
    versions(key, &key_sets);
    domain_name_write(&group, &(struct domain_name){sixteen, bytes_str("a.example")});
    struct connection_offer fields = {.signing_credential = buf_view(&made[1]),
                                      .client_credential = buf_view(&made[2]),
                                      .key_sets = buf_view(&key_sets),
                                      .group_id = buf_view(&group),
                                      .state_key = thirty_two,
                                      .identity_key = thirty_two,
                                      .answer_key = thirty_two,
                                      .handle = bytes_str("alice@a.example"),
                                      .display_name = bytes_str("Alic\xc3\xa9"),
                                      .text = bytes_str("hello\nthere")};
    struct connection_package package = {.hpke_key = public_key_view(&public_key),
                                         .handle_hash = thirty_two};
    must(connection_offer_seal(&b, &rng, &fields, &package, key, &hashes));
    save("seal_connection", "sealed", 1, &b);
    must(connection_offer_seal(&b, &rng, &fields, &package, key, &hashes));
    connection_package_hash(package.whole, hash);
    must(connection_offer_open(secret_view(&private_key), public_key_view(&public_key), hash,
                               buf_view(&b), &scratch, &offer));
    buf_clear(&b);
    buf_append_bytes(&b, offer.whole);
    sign_again(&b, &offer, key);
    struct buf padded = BUF_INIT;
    pad_write(&padded, buf_view(&b), b.len + PAD_HEAD_BYTES);
    save("seal_connection", "offer", 0, &b);
    save("seal_connection", "padded", 2, &padded);
    must(connection_answer_seal(
        &b, &rng, public_key_view(&public_key), thirty_two,
        &(struct connection_answer){CONNECTION_REFUSED, CONNECTION_REASON_BUSY, bytes_str("no")}));
    save("seal_connection", "answer", 3, &b);
    static const uint8_t said[] = {1, 1, 2, 2, 'n', 'o'};
    pad_write(&b, bytes_of(said, sizeof said), sizeof said + PAD_HEAD_BYTES);
    save("seal_connection", "answer_padded", 4, &b);
    friendship_write(&b, &fields.friendship);
    save("seal_connection", "friendship", 5, &b);
    welcome_keys_write(&b, &(struct welcome_keys){{1}, {2}});
    save("seal_connection", "welcome_keys", 6, &b);
    buf_append_bytes(&b, bytes_str("\xf0\x9f\x94\xa5 Z\xc3\xbcrich\n\xe6\x9d\xb1"));
    save("seal_connection", "text", 7, &b);
    buf_clear(&key_sets);
    buf_clear(&group);
    buf_clear(&scratch);
}

int main(int argc, char **argv)
{
    struct sig_key key;
    if (argc != 2)
        return 1;
    folder = argv[1];
    must(sig_key_init(&sig_ed25519, bytes_of(thirty_two, 32), &key));
    callers(&key);
    struct buf made[3] = {BUF_INIT, BUF_INIT, BUF_INIT};
    credentials(&key, made);
    others(&key);
    connections(&key, made);
    for (int i = 0; i < 3; i++)
        buf_clear(&made[i]);
    sig_key_clear(&key);
    return 0;
}
