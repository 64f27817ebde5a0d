/* The delivery service with a group of many, over a socket, on durable storage: how long a client
 * waits for SendMessage (its rows are in the outbox then) and for a commit, and what a receiving
 * member's public ring pays for the same commit. Arguments: members [1000], folder [/tmp]. */
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "hearth/v1/delivery_rpc.h"
#include "kit/kit_sign.h"
#include "seal/request_auth.h"
#include "server/delivery/group_store.h"
#include "server/delivery/leaf_check.h"

#define BENCH_DOMAIN "a.test"

enum { SENDS = 60, COMMITS = 15, REMOVALS = 3 };

struct bench {
    struct kit k;
    struct front_env env;
    struct front *front;
    struct hearth_interceptor interceptor;
    struct delivery *delivery;
    struct hearth_server *server;
    struct hearth_channel *channel;
    char folder[200], address[240], file[240];
    struct buf group_id;
    uint8_t state_key[STATE_KEY_BYTES];
    uint32_t leaf; /* who is calling */
};

static struct bench b;

/* Every leaf of the kit gets Hearth's credential; the name is the pseudonym. */
static void set_credential(struct kit *k, struct leaf_node *leaf)
{
    struct buf body = BUF_INIT;
    uint8_t pseudonym[PSEUDONYM_BYTES] = {0};
    uint8_t sealed[512] = {7};
    memcpy(pseudonym, leaf->credential.body.data, leaf->credential.body.len);
    buf_append(&body, pseudonym, sizeof pseudonym);
    wire_write_vector(&body, bytes_of(sealed, sizeof sealed));
    leaf->credential = (struct mls_credential){LEAF_CREDENTIAL_TYPE, kit_take(k, &body)};
}

static struct extensions make_context(void)
{
    struct public_key key;
    struct buf roles = BUF_INIT;
    struct buf senders = BUF_INIT;
    struct buf all = BUF_INIT;
    uint8_t admin[1][PSEUDONYM_BYTES] = {"client 0"};
    roles_write(&roles, (const uint8_t(*)[PSEUDONYM_BYTES])admin, 1);
    bench_must(keeper_public(b.env.keeper, KEEPER_EXTERNAL_SENDER, &key), "key");
    size_t mark = wire_vector_begin(&senders);
    external_sender_write(&senders,
                          &(struct external_sender){public_key_view(&key),
                                                    {CREDENTIAL_BASIC, bytes_str(BENCH_DOMAIN)}});
    wire_vector_end(&senders, mark);
    extension_write(&all, ROLES_EXTENSION_TYPE, kit_take(&b.k, &roles));
    extension_write(&all, EXTENSION_EXTERNAL_SENDERS, kit_take(&b.k, &senders));
    return (struct extensions){kit_take(&b.k, &all)};
}

/* ---- the group, put into the store as it would lie there */

static struct err insert(struct store_txn *txn, void *sealed)
{
    return group_store_insert(txn, b.delivery, buf_view(&b.group_id), sealed,
                              delivery_now_s(b.delivery));
}

static void put_leaf(struct group_state *state, uint32_t index)
{
    struct leaf_node leaf;
    uint8_t ref[160];
    if (!public_group_leaf(&b.k.group, index, &leaf))
        return;
    bench_must(rng_fill(&b.k.rng, ref, sizeof ref), "rng");
    struct bytes pseudonym = bytes_of(leaf.credential.body.data, PSEUDONYM_BYTES);
    char domain[32];
    int len = snprintf(domain, sizeof domain, "%c.test", 'a' + (int)(index % 4));
    struct leaf_entry entry = {
        .index = index,
        .month = month_of(delivery_now_s(b.delivery)),
        .signature_key = leaf.signature_key,
        .pseudonym = pseudonym,
        .user_pseudonym = pseudonym,
        .wrapped_identity_key = bytes_of(arena_copy(&b.k.arena, ref, 60), 60),
        .domain = bytes_of(arena_copy(&b.k.arena, domain, (size_t)len), (size_t)len),
        .sealed_ref = bytes_of(arena_copy(&b.k.arena, ref, sizeof ref), sizeof ref),
        .ref_signature = bytes_of(arena_copy(&b.k.arena, ref, 64), 64),
    };
    bench_must(group_state_put(state, &entry), "leaf");
}

static void store_group(void)
{
    struct group_state state = {.suite = b.k.suite, .epoch = b.k.group.context.epoch};
    struct sealed_group sealed;
    struct buf saved = BUF_INIT;
    for (uint32_t i = 0; i < b.k.group.tree.width; i++)
        put_leaf(&state, i);
    public_group_save(&saved, &b.k.group);
    state.public_group = buf_view(&saved);
    bench_must(group_seal(b.delivery, buf_view(&b.group_id), b.state_key, 1, &state, &sealed),
               "seal");
    bench_must(store_call(delivery_store(b.delivery), insert, &sealed), "insert");
    printf("state of a group of %u: %zu KiB, sealed %zu KiB\n", state.leaf_count,
           group_state_bytes(&state) / 1024, sealed.sealed.len / 1024);
    sealed_group_clear(&sealed);
    buf_clear(&saved);
    group_state_clear(&state);
}

/* The pieces of a commit, apart: so that one sees where its time goes. */
static struct buf piece_saved;
static struct err piece_load(void *self)
{
    struct public_group g;
    (void)self;
    TRY(public_group_load(buf_view(&piece_saved), &g));
    public_group_clear(&g);
    return ERR_OK;
}

static struct err piece_save(void *self)
{
    (void)self;
    buf_clear(&piece_saved);
    public_group_save(&piece_saved, &b.k.group);
    return buf_check(&piece_saved);
}

static struct err piece_seal(void *self)
{
    struct sealed_group sealed;
    const struct group_state state = {.suite = b.k.suite, .public_group = buf_view(&piece_saved)};
    (void)self;
    TRY(group_seal(b.delivery, buf_view(&b.group_id), b.state_key, 1, &state, &sealed));
    sealed_group_clear(&sealed);
    return ERR_OK;
}

static struct err read_row(struct store_txn *txn, void *plain)
{
    uint64_t version;
    return group_store_load(txn, b.delivery, buf_view(&b.group_id), b.state_key, plain, &version);
}

static struct err piece_read(void *self)
{
    struct buf plain = BUF_INIT;
    (void)self;
    struct err err = store_call_read(delivery_store(b.delivery), read_row, &plain);
    buf_clear(&plain);
    return err;
}

static uint64_t piece_version = 1;
static struct err replace_row(struct store_txn *txn, void *sealed)
{
    return group_store_replace(txn, b.delivery, buf_view(&b.group_id), piece_version, sealed,
                               delivery_now_s(b.delivery));
}

/* The durable write alone. */
static struct err piece_write(void *self)
{
    struct sealed_group sealed;
    struct buf plain = BUF_INIT;
    (void)self;
    TRY(store_call_read(delivery_store(b.delivery), read_row, &plain));
    struct group_state state;
    TRY(group_state_parse(&plain, &state));
    TRY(group_seal(b.delivery, buf_view(&b.group_id), b.state_key, piece_version + 1, &state,
                   &sealed));
    group_state_clear(&state);
    struct err err = store_call(delivery_store(b.delivery), replace_row, &sealed);
    piece_version++;
    sealed_group_clear(&sealed);
    return err;
}

static void print_pieces(void)
{
    bench_run("  save the public group", piece_save, NULL);
    bench_run("  load it", piece_load, NULL);
    bench_run("  seal the state", piece_seal, NULL);
    bench_run("  read and open the state", piece_read, NULL);
    bench_run("  read, open, seal and write it", piece_write, NULL);
    buf_clear(&piece_saved);
}

/* ---- life */

static void start(uint32_t members)
{
    struct front_options front = {0};
    struct delivery_options options = {0};
    kit_init(&b.k, suite_find(1), 1);
    domain_name_write(&b.group_id, &(struct domain_name){(const uint8_t *)"0123456789abcdef",
                                                         bytes_str(BENCH_DOMAIN)});
    b.env = (struct front_env){
        .domain = BENCH_DOMAIN, .development = true, .clock = &clock_system, .rng = &rng_system};
    bench_must(
        keeper_open(NULL, bytes_str(BENCH_DOMAIN), &clock_system, &rng_system, &b.env.keeper),
        "keeper");
    bench_must(front_new(&b.env, &front, &b.front), "front");
    limits_switch_off(front_limits(b.front));
    options.store.path = b.file;
    options.store.mode = STORE_THREADS;
    bench_must(delivery_open(&b.env, &options, &b.delivery), "delivery");
    b.interceptor = front_interceptor(b.front);
    b.server = hearth_server_new(&(struct hearth_server_options){
        .no_health = true, .interceptors = &b.interceptor, .interceptor_count = 1});
    bench_must(delivery_add(b.delivery, b.server), "add");
    if (!hearth_server_listen(b.server, b.address, NULL) || !hearth_server_start(b.server))
        bench_must(ERR(IO), "listen");
    b.channel = hearth_channel_new(b.address, NULL);

    b.k.group_id = buf_view(&b.group_id);
    b.k.hooks.leaf = set_credential;
    b.k.capabilities_credentials = kit_list(&b.k, 1, (const uint16_t[]){LEAF_CREDENTIAL_TYPE});
    b.k.capabilities_extensions =
        kit_list(&b.k, 2, (const uint16_t[]){ROLES_EXTENSION_TYPE, GROUP_DATA_EXTENSION_TYPE});
    struct extensions context = make_context();
    kit_group(&b.k, members, true, &context);
    store_group();
}

static void stop(void)
{
    hearth_channel_free(b.channel);
    hearth_server_free(b.server);
    delivery_close(b.delivery);
    front_free(b.front);
    keeper_close(b.env.keeper);
    kit_clear(&b.k);
    buf_clear(&b.group_id);
}

/* ---- calls */

static enum hearth_code sign(struct hearth_client_call *call,
                             const struct hearth_endpoint *endpoint, const uint8_t *message,
                             size_t len, void *self)
{
    uint8_t nonce[REQUEST_NONCE_BYTES];
    struct digest hash;
    struct buf id = BUF_INIT;
    struct buf header = BUF_INIT;
    (void)self;
    hash_once(&hash_sha256, bytes_of(message, len), &hash);
    bench_must(rng_fill(&rng_system, nonce, sizeof nonce), "rng");
    member_id_write(&id, &(struct member_id){buf_view(&b.group_id), b.leaf});
    struct request_auth auth = {
        .kind = REQUEST_MEMBER,
        .id = buf_view(&id),
        .audience = bytes_str(BENCH_DOMAIN),
        .time_ms = clock_unix_ms(&clock_system),
        .nonce = nonce,
    };
    bench_must(request_auth_sign(&header, &auth, bytes_str(endpoint->path), hash.data,
                                 &kit_at(&b.k, b.leaf)->key),
               "sign");
    bool ok = hearth_client_call_add_header(call, REQUEST_AUTH_METADATA, header.data, header.len);
    buf_clear(&id);
    buf_clear(&header);
    return ok ? HEARTH_OK : HEARTH_INTERNAL;
}

static const struct hearth_call_options options = {.signer = {sign, NULL}, .no_retry = true};

static void must(enum hearth_code code, const struct hearth_status *status, const char *what)
{
    if (code == HEARTH_OK)
        return;
    (void)fprintf(stderr, "%s: %s: %s\n", what, hearth_code_name(code),
                  status->message != NULL ? status->message : "");
    exit(1);
}

static ProtobufCBinaryData pb(struct bytes view)
{
    return (ProtobufCBinaryData){view.len, arena_copy(&b.k.arena, view.data, view.len)};
}

static void fill_common(Hearth__V1__Idempotency *once, Hearth__V1__GroupAccess *group)
{
    hearth__v1__idempotency__init(once);
    hearth__v1__group_access__init(group);
    once->id = pb(kit_random(&b.k, 16));
    group->group_id = pb(buf_view(&b.group_id));
    group->state_key = pb(bytes_of(b.state_key, sizeof b.state_key));
}

static double send_once(size_t bytes)
{
    Hearth__V1__SendMessageRequest in;
    Hearth__V1__Idempotency once;
    Hearth__V1__GroupAccess group;
    Hearth__V1__SendMessageResponse *out = NULL;
    struct hearth_status status = {0};
    struct buf message = BUF_INIT;
    struct mls_message m = {
        .wire_format = WIRE_FORMAT_PRIVATE_MESSAGE,
        .private_message = {.group_id = buf_view(&b.group_id),
                            .epoch = b.k.group.context.epoch,
                            .content_type = CONTENT_APPLICATION,
                            .encrypted_sender_data = kit_random(&b.k, 28),
                            .ciphertext = kit_random(&b.k, bytes)},
    };
    mls_message_write(&message, &m);
    hearth__v1__send_message_request__init(&in);
    fill_common(&once, &group);
    in.idempotency = &once;
    in.group = &group;
    in.message = pb(buf_view(&message));
    uint64_t from = clock_monotonic_us(&clock_system);
    must(hearth_delivery_send_message(b.channel, &options, &in, &out, &status), &status, "send");
    uint64_t took = clock_monotonic_us(&clock_system) - from;
    protobuf_c_message_free_unpacked(&out->base, NULL);
    hearth_status_clear(&status);
    buf_clear(&message);
    return (double)took / 1000;
}

/* What the committer signs over the epoch that its commit begins. */
static void fill_info(struct bytes commit, uint32_t committer, Hearth__V1__GroupInfoParts *parts)
{
    struct staged_commit *staged = kit_stage(&b.k, commit);
    struct buf list = BUF_INIT;
    struct buf pub = BUF_INIT;
    struct buf tbs = BUF_INIT;
    wire_write_vector(&pub, kit_kem_key(&b.k));
    extension_write(&list, EXTENSION_EXTERNAL_PUB, kit_take(&b.k, &pub));
    struct extensions extensions = {kit_take(&b.k, &list)};
    struct group_info info = {
        .group_context = staged->next_context,
        .extensions = extensions,
        .confirmation_tag = digest_view(&staged->confirmation_tag),
        .signer = committer,
    };
    group_info_write_tbs(&tbs, &info);
    hearth__v1__group_info_parts__init(parts);
    parts->signature =
        pb(kit_sign(&b.k, &kit_at(&b.k, committer)->key, "GroupInfoTBS", buf_view(&tbs)));
    extensions_write(&list, &extensions);
    parts->extensions = pb(buf_view(&list));
    parts->confirmation_tag = pb(digest_view(&staged->confirmation_tag));
    staged_commit_free(&staged);
    buf_clear(&list);
    buf_clear(&tbs);
}

static double commit_once(const struct proposal_or_ref *list, size_t count, double *ret_member_ms)
{
    Hearth__V1__CommitRequest in;
    Hearth__V1__Idempotency once;
    Hearth__V1__GroupAccess group;
    Hearth__V1__GroupInfoParts parts;
    Hearth__V1__CommitResponse *out = NULL;
    struct hearth_status status = {0};
    struct bytes commit = kit_commit(&b.k, b.leaf, list, count, true);
    hearth__v1__commit_request__init(&in);
    fill_common(&once, &group);
    fill_info(commit, b.leaf, &parts);
    in.idempotency = &once;
    in.group = &group;
    in.commit = pb(commit);
    in.group_info = &parts;
    uint64_t from = clock_monotonic_us(&clock_system);
    must(hearth_delivery_commit(b.channel, &options, &in, &out, &status), &status, "commit");
    uint64_t took = clock_monotonic_us(&clock_system) - from;
    if (out->state_key.len > 0)
        memcpy(b.state_key, out->state_key.data, sizeof b.state_key);
    protobuf_c_message_free_unpacked(&out->base, NULL);
    hearth_status_clear(&status);
    from = clock_monotonic_us(&clock_system);
    kit_apply(&b.k, commit, NULL, 0);
    *ret_member_ms = (double)(clock_monotonic_us(&clock_system) - from) / 1000;
    return (double)took / 1000;
}

static void print(const char *name, double *ms, int count)
{
    qsort(ms, (size_t)count, sizeof *ms, bench_order);
    printf("%-44s %8.2f ms   (%.2f to %.2f)\n", name, ms[count / 2], ms[0], ms[count - 1]);
}

int main(int argc, char **argv)
{
    uint32_t members = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000;
    double ms[SENDS];
    double member_ms[SENDS];
    (void)snprintf(b.folder, sizeof b.folder, "%s/hearth-bench-XXXXXX",
                   argc > 2 ? argv[2] : "/tmp");
    if (mkdtemp(b.folder) == NULL)
        bench_must(ERR(IO), "folder");
    (void)snprintf(b.file, sizeof b.file, "%s/delivery.db", b.folder);
    (void)snprintf(b.address, sizeof b.address, "unix:%s/s", b.folder);
    start(members);
    print_pieces();
    b.leaf = members / 2;
    for (int i = 0; i < SENDS; i++)
        ms[i] = send_once(1000);
    print("SendMessage, 1 KB", ms, SENDS);
    for (int i = 0; i < SENDS; i++)
        ms[i] = send_once(90000);
    print("SendMessage, 90 KB", ms, SENDS);
    for (int i = 0; i < COMMITS; i++) {
        b.leaf = (uint32_t)(i * 37) % members;
        ms[i] = commit_once(NULL, 0, &member_ms[i]);
    }
    print("Commit, an update", ms, COMMITS);
    print("  the same in a member's public ring", member_ms, COMMITS);
    b.leaf = 0;
    for (int i = 0; i < REMOVALS; i++) {
        struct proposal_or_ref remove =
            kit_by_value(&b.k, kit_remove(&b.k, members - 1 - (uint32_t)i));
        ms[i] = commit_once(&remove, 1, &member_ms[i]);
    }
    print("Commit, one removed: a state key for each", ms, REMOVALS);
    stop();
    return 0;
}
