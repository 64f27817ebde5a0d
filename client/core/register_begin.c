/* What registering begins with: the wish is checked, keys are made. */
#include <stdio.h>

#include "client/core/handle.h"
#include "client/core/homeserver.h"
#include "client/core/register_inside.h"
#include "seal/connection_package.h"
#include "seal/credential_chain.h"
#include "seal/invitation.h"
#include "seal/key_set.h"
#include "wire/reader.h"
#include "wire/writer.h"

static const uint8_t register_lane[16] = "register";

struct err register_body_read(struct bytes in, struct register_body *ret_body)
{
    struct wire_reader r = wire_reader_of(in);
    struct register_body body = {0};
    if (wire_read_u8(&r) != 1)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    body.invited = wire_read_present(&r);
    struct bytes code = wire_read_fixed(&r, body.invited ? sizeof body.code : 0);
    body.handle = wire_read_vector(&r);
    body.challenge = wire_read_vector(&r);
    body.bits = wire_read_u32(&r);
    body.solution = wire_read_vector(&r);
    body.rounds = wire_read_u8(&r);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    if (body.invited)
        memcpy(body.code, code.data, sizeof body.code);
    *ret_body = body;
    return ERR_OK;
}

static void body_write(struct buf *b, const struct register_body *body)
{
    wire_write_u8(b, 1);
    wire_write_present(b, body->invited);
    wire_write_fixed(b, bytes_of(body->code, body->invited ? sizeof body->code : 0));
    wire_write_vector(b, body->handle);
    wire_write_vector(b, body->challenge);
    wire_write_u32(b, body->bits);
    wire_write_vector(b, body->solution);
    wire_write_u8(b, body->rounds);
}

struct err register_body_set(struct task *task, const struct register_body *body)
{
    struct buf b = BUF_INIT;
    body_write(&b, body); /* its views may point into the old one */
    return buf_replace(&task->body, &b);
}

/* ---- keys */

struct err account_queue_keys(struct core *c, struct account *a)
{
    sig_key_clear(&a->queue_client_key);
    TRY(sig_key_generate(&sig_ed25519, c->rng, &a->queue_client_key));
    return kem_generate(&kem_x25519, c->rng, &a->queue_private, &a->queue_public);
}

static struct err first_key_set(struct core *c, struct account *a)
{
    struct buf label = BUF_INIT;
    buf_append_byte(&label, KEY_SET_LABEL_USER);
    buf_append_bytes(&label, buf_view(&a->user_id));
    struct key_set set = {.created_ms = core_now_ms(c), .client_count = 1};
    const struct sig_key *key = &a->client_key;
    const struct bytes id = bytes_of(a->client_uuid, sizeof a->client_uuid);
    set.label = buf_view(&label);
    set.clients[0] = (struct client_key){
        .client_id = id,
        .sig_scheme = sig_ed25519.scheme,
        .public_key = public_key_view(&key->public_key),
        .added_ms = core_now_ms(c),
        .flags = KEY_SET_AUTHORISES,
    };
    struct err err = buf_check(&label);
    if (err_is_ok(err))
        err = key_set_make(&a->key_set, &set, &key, &id, 1);
    buf_clear(&label);
    return err;
}

static struct err make_user(struct core *c, struct account *a)
{
    TRY(rng_fill(c->rng, a->user_uuid, sizeof a->user_uuid));
    TRY(rng_fill(c->rng, a->client_uuid, sizeof a->client_uuid));
    const struct client_id id = {{a->user_uuid, bytes_str(a->domain)}, a->client_uuid};
    domain_name_write(&a->user_id, &id.user);
    client_id_write(&a->client_id, &id);
    TRY(buf_check(&a->user_id));
    TRY(buf_check(&a->client_id));
    TRY(sig_key_generate(&sig_ed25519, c->rng, &a->client_key));
    TRY(sig_key_generate(&sig_ed25519, c->rng, &a->user.queue_user_key));
    TRY(rng_fill(c->rng, a->user.contact_key, sizeof a->user.contact_key));
    TRY(rng_fill(c->rng, a->user.friendship_key, sizeof a->user.friendship_key));
    TRY(rng_fill(c->rng, a->user.profile_key, sizeof a->user.profile_key));
    TRY(account_queue_keys(c, a));
    return first_key_set(c, a);
}

struct err account_set(struct core *c, struct db_txn *t, struct account *a)
{
    TRY(account_write(a, t));
    account_clear(&c->account);
    c->account = *a;
    *a = (struct account){0};
    return ERR_OK;
}

struct err account_take_credential(struct core *c, struct db_txn *t, struct account *a,
                                   struct bytes credential, struct bytes signing)
{
    struct credential root, middle, ours = {0};
    struct homeserver h;
    TRY(homeserver_get_unlogged(c, t, a->domain, &h));
    struct err err = credential_parse(buf_view(&h.root), &root);
    if (err_is_ok(err))
        err = credential_parse(signing, &middle);
    if (err_is_ok(err))
        err = credential_parse(credential, &ours);
    if (err_is_ok(err))
        err = credential_chain_verify(&root, &middle, &ours, core_now_ms(c) / 1000);
    homeserver_clear(&h);
    TRY(err);
    if (!bytes_equal(ours.subject, buf_view(&a->client_id)) ||
        !bytes_equal(ours.public_key, public_key_view(&a->client_key.public_key)))
        return ERR(CREDENTIAL);
    buf_clear(&a->credential);
    buf_append_bytes(&a->credential, credential);
    buf_clear(&a->signing);
    buf_append_bytes(&a->signing, signing);
    TRY(buf_check(&a->credential));
    return buf_check(&a->signing);
}

/* ---- the wish */

static int hex_digit(char digit)
{
    const char *digits = "0123456789abcdef";
    const char *at = digit != '\0' ? strchr(digits, digit | 0x20) : NULL;
    return at == NULL ? -1 : (int)(at - digits);
}

static struct err read_pin(const char *hex, uint8_t pin[32], size_t *ret_len)
{
    size_t len = strlen(hex);
    if (len != 64 && len != 32)
        return ERR(ARGUMENT);
    for (size_t i = 0; i < len / 2; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERR(ARGUMENT);
        pin[i] = (uint8_t)(high << 4 | low);
    }
    *ret_len = len / 2;
    return ERR_OK;
}

/* Whose domain, which pin, which permit. */
static struct err read_wish(const struct register_wish *wish, char domain[DOMAIN_MAX_BYTES + 1],
                            uint8_t pin[32], size_t *pin_len, struct register_body *body)
{
    struct invitation invitation;
    if ((wish->invitation != NULL) == (wish->domain != NULL))
        return ERR(ARGUMENT);
    if (wish->handle != NULL)
        TRY(handle_check(bytes_str(wish->handle)));
    body->handle = wish->handle != NULL ? bytes_str(wish->handle) : bytes_of(NULL, 0);
    if (wish->domain != NULL) {
        TRY(domain_check(bytes_str(wish->domain), true));
        (void)snprintf(domain, DOMAIN_MAX_BYTES + 1, "%s", wish->domain);
        return wish->root_pin != NULL ? read_pin(wish->root_pin, pin, pin_len) : ERR_OK;
    }
    TRY(invitation_read(wish->invitation, &invitation));
    (void)snprintf(domain, DOMAIN_MAX_BYTES + 1, "%s", invitation.domain);
    memcpy(pin, invitation.pin, sizeof invitation.pin);
    *pin_len = sizeof invitation.pin;
    body->invited = true;
    memcpy(body->code, invitation.code, sizeof body->code);
    return ERR_OK;
}

static struct err set_text(char *out, size_t size, const char *text)
{
    if (strlen(text) >= size)
        return ERR(ARGUMENT);
    (void)snprintf(out, size, "%s", text);
    return ERR_OK;
}

static struct err begin_account(struct core *c, struct db_txn *t, const struct register_wish *wish,
                                const char *domain)
{
    struct account a = {0};
    if (c->account.domain[0] != '\0') /* an earlier try reached the homeserver */
        return strcmp(c->account.domain, domain) == 0 ? ERR_OK : ERR(WRONG_STATE);
    TRY(set_text(a.domain, sizeof a.domain, domain));
    TRY(set_text(a.device, sizeof a.device, wish->device != NULL ? wish->device : "device"));
    TRY(set_text(a.name, sizeof a.name, wish->name != NULL ? wish->name : ""));
    struct err err = make_user(c, &a);
    if (err_is_ok(err))
        err = account_set(c, t, &a);
    account_clear(&a);
    return err;
}

struct err register_begin(struct core *c, struct db_txn *t, const struct register_wish *wish,
                          uint64_t *ret_task)
{
    char domain[DOMAIN_MAX_BYTES + 1] = "";
    uint8_t pin[32];
    size_t pin_len = 0;
    struct register_body body = {0};
    struct buf b = BUF_INIT;
    bool there = false;
    TRY(task_in_lane(c, t, register_lane, TASK_REGISTER, &there));
    if (there || c->account.registered)
        return ERR(WRONG_STATE);
    TRY(read_wish(wish, domain, pin, &pin_len, &body));
    if (pin_len > 0)
        TRY(homeserver_pin(c, t, domain, bytes_of(pin, pin_len)));
    TRY(begin_account(c, t, wish, domain));
    body_write(&b, &body);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_REGISTER, register_lane, NULL, buf_view(&b), ret_task);
    buf_clear(&b);
    return err;
}
