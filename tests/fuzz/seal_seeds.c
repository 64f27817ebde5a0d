/* Writes the seeds of fuzz_seal_callers and fuzz_seal_signed: `seal_seeds FOLDER`, FOLDER being
 * tests/fuzz. One good object of each kind behind the byte that chooses it. */
#include <stdio.h>
#include <stdlib.h>

#include "seal/connection_package.h"
#include "seal/credential_chain.h"
#include "seal/key_set.h"
#include "seal/names.h"
#include "seal/request_auth.h"
#include "seal/server_key.h"

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

static void credentials(const struct sig_key *key)
{
    struct credential_signer sign = credential_signer_of(key);
    struct buf id = BUF_INIT, made[3] = {BUF_INIT, BUF_INIT, BUF_INIT}, b = BUF_INIT;
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
    for (int i = 0; i < 3; i++)
        buf_clear(&made[i]);
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

int main(int argc, char **argv)
{
    struct sig_key key;
    if (argc != 2)
        return 1;
    folder = argv[1];
    must(sig_key_init(&sig_ed25519, bytes_of(thirty_two, 32), &key));
    callers(&key);
    credentials(&key);
    others(&key);
    sig_key_clear(&key);
    return 0;
}
