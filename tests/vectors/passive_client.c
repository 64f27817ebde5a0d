/* passive-client-*.json: a client joins by Welcome and follows commits; beside it the public ring
 * follows the same commits as far as they are public, and must agree. */
#include "mls/member/group_state.h"
#include "vectors/vector_case.h"

struct passive {
    struct vector_case *c;
    const json_t *psks;
    struct mls_client client;
    struct mls_group *group;
    struct public_group public; /* the server's; empty once a PrivateMessage hid something */
    bool has_public;
};

static struct err find_psk(void *self, struct bytes psk_id, struct buf *psk)
{
    const struct passive *p = self;
    for (size_t i = 0; i < json_array_size(p->psks); i++) {
        const json_t *entry = json_array_get(p->psks, i);
        if (bytes_equal(vector_hex(p->c, entry, "psk_id"), psk_id)) {
            buf_append_bytes(psk, vector_hex(p->c, entry, "psk"));
            return ERR_OK;
        }
    }
    return ERR(MLS_PSK_UNKNOWN);
}

static const struct mls_client_ops ops = {.psk = find_psk};

/* The public ring takes the group over as a server would: from saved state. */
static void start_public(struct passive *p)
{
    struct buf b = BUF_INIT;
    struct vector_case *c = p->c;
    public_group_save(&b, group_public(p->group));
    CHECK_OK(public_group_load(vector_take(c, &b), &p->public));
    p->has_public = true;
}

static void follow_public(struct passive *p, struct bytes message)
{
    struct vector_case *c = p->c;
    uint16_t format;
    struct staged_commit *staged = NULL;
    if (!p->has_public)
        return;
    CHECK_OK(mls_message_peek(message, &format));
    if (format != WIRE_FORMAT_PUBLIC_MESSAGE) {
        p->has_public = false;
        return;
    }
    CHECK_OK(public_group_process(&p->public, message, &p->client.policy, &staged));
    if (staged != NULL)
        public_group_merge(&p->public, &staged);
}

static void check_agreement(struct passive *p)
{
    struct vector_case *c = p->c;
    if (p->has_public)
        CHECK_BYTES(public_group_context(&p->public), public_group_context(group_public(p->group)));
}

static void follow_epoch(struct passive *p, const json_t *epoch)
{
    struct vector_case *c = p->c;
    const json_t *proposals = vector_field(c, epoch, "proposals");
    struct mls_received received;
    for (size_t i = 0; i < json_array_size(proposals) && !c->failed; i++) {
        struct bytes message = vector_hex_of(c, json_array_get(proposals, i));
        CHECK_OK(group_process(p->group, &p->client, message, &received));
        bool right = received.type == MLS_RECEIVED_PROPOSAL;
        mls_received_clear(&received);
        CHECK(right);
        follow_public(p, message);
    }
    struct bytes commit = vector_hex(c, epoch, "commit");
    /* dropped once: the group must be as before */
    CHECK_OK(group_process(p->group, &p->client, commit, &received));
    mls_received_clear(&received);
    CHECK_OK(group_process(p->group, &p->client, commit, &received));
    struct err err = group_merge(p->group, &received.staged);
    mls_received_clear(&received);
    CHECK_OK(err);
    follow_public(p, commit);
    CHECK_BYTES(group_epoch_authenticator(p->group), vector_hex(c, epoch, "epoch_authenticator"));
    check_agreement(p);
}

static void follow(struct passive *p, const struct key_package_bundle *bundle)
{
    struct vector_case *c = p->c;
    struct bytes tree = {0};
    if (json_is_string(json_object_get(c->json, "ratchet_tree")))
        tree = vector_hex(c, c->json, "ratchet_tree");
    struct mls_group_config config = MLS_GROUP_CONFIG_DEFAULT;
    CHECK_OK(group_join(&p->client, &config, bundle, vector_hex(c, c->json, "welcome"), tree, NULL,
                        &p->group));
    CHECK_BYTES(group_epoch_authenticator(p->group),
                vector_hex(c, c->json, "initial_epoch_authenticator"));
    start_public(p);
    const json_t *epochs = vector_field(c, c->json, "epochs");
    for (size_t i = 0; i < json_array_size(epochs) && !c->failed; i++)
        follow_epoch(p, json_array_get(epochs, i));
}

void vector_passive_client(struct vector_case *c)
{
    const struct suite *suite = vector_suite(c);
    CHECK(suite != NULL);
    struct mls_message m;
    CHECK_OK(mls_message_parse(vector_hex(c, c->json, "key_package"), &c->arena, &m));
    CHECK(m.wire_format == WIRE_FORMAT_KEY_PACKAGE);
    struct key_package_bundle bundle = {0};
    size_t private_bytes = suite->hpke.kem->private_bytes;
    buf_append_bytes(&bundle.key_package, m.key_package.raw);
    CHECK_OK(
        secret_set(vector_private_key(c, c->json, "init_priv", private_bytes), &bundle.init_key));
    CHECK_OK(secret_set(vector_private_key(c, c->json, "encryption_priv", private_bytes),
                        &bundle.leaf_key));
    struct passive p = {.c = c, .psks = vector_field(c, c->json, "external_psks")};
    /* the time the files were made, whose lifetimes are of every length */
    struct mls_policy policy = mls_policy_at(m.key_package.leaf_node.not_before);
    policy.max_lifetime_seconds = 0;
    p.client = (struct mls_client){.rng = &rng_system, .policy = policy, .ops = &ops, .self = &p};
    follow(&p, &bundle);
    group_free(p.group);
    public_group_clear(&p.public);
    key_package_bundle_clear(&bundle);
}
