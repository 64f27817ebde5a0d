/* The way to a domain, step by step, for a person. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "net/address.h"
#include "server/federation/inside.h"

enum { STEP_MS = 8000, CLOCK_OFF_MS = 5000, BACK_TRIES = 20, BACK_US = 400000 };

struct walk {
    struct front_env *env;
    const struct federation_options *options;
    const char *domain;
    void (*say)(void *to, enum federation_finding finding, const char *step, const char *text);
    void *to;
    struct hearth_loop *loop;
    char target[POLICY_TARGET_MAX_BYTES];
    bool public_only; /* the target was looked up, and no setting allows it to be anywhere */
    struct err found;
    struct hearth_channel *channel;
    struct signing signing;
};

__attribute__((format(printf, 4, 5))) static bool say(struct walk *w,
                                                      enum federation_finding finding,
                                                      const char *step, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = '?'; /* some of it was said by the other side */
    w->say(w->to, finding, step, text);
    return finding != FEDERATION_FAULT;
}

static bool say_status(struct walk *w, const char *step, struct hearth_status *status)
{
    (void)say(w, FEDERATION_FAULT, step, "%s: %s", hearth_code_name(status->code),
              status->message != NULL ? status->message : "no text");
    hearth_status_clear(status);
    return false;
}

/* ---- policy and place */

static void on_services(struct err err, const struct resolve_service *at, size_t count, void *arg)
{
    struct walk *w = arg;
    w->found = err;
    if (err_is_ok(err) && count > 0)
        (void)snprintf(w->target, sizeof w->target, "%.255s:%u", at[0].host, at[0].port);
    hearth_loop_stop(w->loop);
}

static bool look_up(struct walk *w)
{
    char name[sizeof "_hearth._tcp." + DOMAIN_MAX_BYTES];
    struct resolve *resolve = NULL;
    if (!err_is_ok(domain_check(bytes_str(w->domain), false)))
        return say(w, FEDERATION_FAULT, "found",
                   "names of development are not in the DNS: "
                   "[federation] peer = %s=HOST:PORT",
                   w->domain);
    (void)snprintf(name, sizeof name, "_hearth._tcp.%s", w->domain);
    w->found = resolve_srv(w->loop, w->options->dns_servers, name, on_services, w, &resolve);
    if (err_is_ok(w->found))
        hearth_loop_run(w->loop);
    if (err_is_ok(w->found) && w->target[0] != '\0')
        return say(w, FEDERATION_GOOD, "found", "%s, as SRV %s says", w->target, name);
    if (!err_is_ok(w->found) && w->found.code != ERR_RESOLVE_NAME)
        return say(w, FEDERATION_FAULT, "found", "SRV %s: %s", name, err_text(w->found));
    (void)snprintf(w->target, sizeof w->target, "%s:443", w->domain);
    return say(w, FEDERATION_GOOD, "found", "%s, the domain itself: there is no SRV %s", w->target,
               name);
}

static bool step_policy(struct walk *w)
{
    struct policy *policy = NULL;
    struct bytes wrong;
    if (!err_is_ok(policy_new(&w->options->settings, &wrong, &policy)))
        return say(w, FEDERATION_FAULT, "policy", "[federation]: \"%.*s\" can't be read",
                   (int)wrong.len, (const char *)wrong.data);
    struct bytes domain = bytes_str(w->domain);
    bool admits = policy_admits(policy, domain);
    const char *target = policy_target(policy, domain);
    if (target != NULL)
        (void)snprintf(w->target, sizeof w->target, "%s", target);
    enum federation_mode mode = policy_mode(policy);
    w->public_only = target == NULL && !policy_private_addresses(policy);
    policy_free(policy);
    if (strcmp(w->domain, w->env->domain) == 0)
        return say(w, FEDERATION_FAULT, "policy", "this is our own domain");
    if (!admits)
        return say(w, FEDERATION_FAULT, "policy",
                   "%s is not admitted: [federation] mode, allow, block", w->domain);
    (void)say(w, FEDERATION_GOOD, "policy", "admitted in mode %s",
              mode == FEDERATION_OPEN ? "open" : "allow");
    if (target == NULL)
        return look_up(w);
    return say(w, FEDERATION_GOOD, "found", "%s, as configured", w->target);
}

/* ---- who is there */

/* Only the connection itself can say: it was not made to the address that its look-up gave. */
static void say_private(struct walk *w, const struct hearth_status *status)
{
    if (w->public_only && status->message != NULL &&
        strstr(status->message, ADDRESS_NOT_PUBLIC) != NULL)
        (void)say(
            w, FEDERATION_DOUBT, "address",
            "the DNS leads to this machine or into a network of its own; if %s is meant to be "
            "there: [federation] peer = %s=HOST:PORT, or private_addresses = yes for all",
            w->domain, w->domain);
}

static bool step_connect(struct walk *w)
{
    const struct hearth_tls_options tls = {.ca_file = w->options->ca_file,
                                           .server_name = w->domain};
    const struct hearth_channel_options options = {.tls = &tls,
                                                   .authority = w->domain,
                                                   .user_agent = "hearthd-check",
                                                   .dns_servers = w->options->dns_servers,
                                                   .connect_timeout_ms = STEP_MS,
                                                   .attempts = 1,
                                                   .public_only = w->public_only};
    const struct hearth_call_options call = {.deadline_ms = STEP_MS};
    const Hearth__V1__GetServerInfoRequest in = HEARTH__V1__GET_SERVER_INFO_REQUEST__INIT;
    Hearth__V1__GetServerInfoResponse *out = NULL;
    struct hearth_status status = {.code = HEARTH_OK};
    w->channel = hearth_channel_new(w->target, &options);
    if (w->channel == NULL)
        return say(w, FEDERATION_FAULT, "tls", "\"%s\" is not HOST:PORT", w->target);
    if (hearth_info_get_server_info(w->channel, &call, &in, &out, &status) != HEARTH_OK) {
        say_private(w, &status);
        return say_status(w, "tls", &status);
    }
    hearth_status_clear(&status);
    (void)say(w, FEDERATION_GOOD, "tls", "a certificate for %s, TLS 1.3", w->domain);
    bool same = strcmp(out->domain, w->domain) == 0;
    bool good = say(w, same ? FEDERATION_GOOD : FEDERATION_FAULT, "homeserver",
                    "it is the homeserver of %s", out->domain);
    protobuf_c_message_free_unpacked(&out->base, NULL);
    return good;
}

static void hex_of(const uint8_t print[CREDENTIAL_FINGERPRINT_BYTES],
                   char ret_text[2 * CREDENTIAL_FINGERPRINT_BYTES + 1])
{
    for (size_t i = 0; i < CREDENTIAL_FINGERPRINT_BYTES; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", print[i]);
}

static bool step_keys(struct walk *w)
{
    const struct hearth_call_options call = {.deadline_ms = STEP_MS};
    const Hearth__V1__GetKeysRequest in = HEARTH__V1__GET_KEYS_REQUEST__INIT;
    Hearth__V1__GetKeysResponse *out = NULL;
    struct hearth_status status = {.code = HEARTH_OK};
    struct told_keys told = {.until_s = 0};
    uint64_t now_s = clock_unix_ms(w->env->clock) / 1000;
    if (hearth_info_get_keys(w->channel, &call, &in, &out, &status) != HEARTH_OK)
        return say_status(w, "keys", &status);
    hearth_status_clear(&status);
    struct err err = keys_verify(out, bytes_str(w->domain), now_s, &told);
    protobuf_c_message_free_unpacked(&out->base, NULL);
    if (!err_is_ok(err))
        return say(w, FEDERATION_FAULT, "keys", "%s", err_text(err));
    char root[2 * CREDENTIAL_FINGERPRINT_BYTES + 1];
    hex_of(told.root, root);
    (void)say(w, FEDERATION_GOOD, "keys", "federation key good for %llu days, signed up to root %s",
              (unsigned long long)((told.until_s - now_s) / 86400), root);
    struct bytes known = w->options->known_root;
    if (known.len == sizeof told.root && memcmp(known.data, told.root, known.len) != 0) {
        hex_of(known.data, root);
        (void)say(w, FEDERATION_FAULT, "root",
                  "we know another one, %s: what it sends is not taken; hearthd admin peer why %s "
                  "says what to do",
                  root, w->domain);
    }
    return true;
}

/* Where we have new keys, its operator has to compare this. */
static void say_our_root(struct walk *w)
{
    struct buf whole = BUF_INIT;
    uint8_t print[CREDENTIAL_FINGERPRINT_BYTES];
    char root[2 * CREDENTIAL_FINGERPRINT_BYTES + 1];
    if (err_is_ok(keeper_credential(w->env->keeper, KEEPER_AS_ROOT, &whole))) {
        credential_fingerprint(buf_view(&whole), print);
        hex_of(print, root);
        (void)say(w, FEDERATION_DOUBT, "our root",
                  "%s; it may know another one under our name: then hearthd admin peer why %s "
                  "there says so",
                  root, w->env->domain);
    }
    buf_clear(&whole);
}

/* ---- does it know us */

static enum hearth_code probe(struct walk *w, bool back, Hearth__V1__ProbeResponse **out,
                              struct hearth_status *status)
{
    const struct hearth_call_options call = {.deadline_ms = STEP_MS,
                                             .signer = signer_of(&w->signing)};
    Hearth__V1__ProbeRequest in = HEARTH__V1__PROBE_REQUEST__INIT;
    in.dial_back = back;
    *out = NULL;
    return hearth_federation_probe(w->channel, &call, &in, out, status);
}

/* Who has to fetch our keys first says so, and has them soon. */
static bool step_signature(struct walk *w, Hearth__V1__ProbeResponse **ret_out)
{
    struct hearth_status status = {.code = HEARTH_OK};
    for (int i = 0; i < BACK_TRIES; i++) {
        hearth_status_clear(&status);
        if (probe(w, true, ret_out, &status) == HEARTH_OK) {
            hearth_status_clear(&status);
            return say(w, FEDERATION_GOOD, "signature", "it took our signature");
        }
        if (status.code != HEARTH_ABORTED)
            break;
        (void)usleep(BACK_US);
    }
    if (status.code == HEARTH_ABORTED)
        (void)say(w, FEDERATION_DOUBT, "dial back",
                  "it can't fetch our keys: can %s reach us, by [federation] peer or DNS?",
                  w->domain);
    else if (status.code == HEARTH_UNAUTHENTICATED) {
        (void)say(w, FEDERATION_DOUBT, "dial back",
                  "a homeserver that knows nothing of us yet, or has a wrong clock, answers like "
                  "this; it learns of us by the first message to one of its users");
        say_our_root(w);
    }
    return say_status(w, "signature", &status);
}

static bool step_clock(struct walk *w, const Hearth__V1__ProbeResponse *out)
{
    int64_t off = (int64_t)(out->time_ms - clock_unix_ms(w->env->clock));
    bool good = off < CLOCK_OFF_MS && off > -CLOCK_OFF_MS;
    return say(w, good ? FEDERATION_GOOD : FEDERATION_DOUBT, "clock",
               "its clock is %lld ms from ours", (long long)off);
}

/* The fetch that the first probe began: or the last one before, if that was just now. */
static void step_back(struct walk *w, Hearth__V1__ProbeResponse *first)
{
    struct hearth_status status = {.code = HEARTH_OK};
    uint32_t before = first->dials;
    char error[PEER_WHY_BYTES];
    (void)snprintf(error, sizeof error, "%s", first->dial_error);
    protobuf_c_message_free_unpacked(&first->base, NULL);
    for (int i = 0; i < BACK_TRIES / 4; i++) {
        Hearth__V1__ProbeResponse *out = NULL;
        (void)usleep(BACK_US);
        if (probe(w, false, &out, &status) != HEARTH_OK) {
            (void)say_status(w, "dial back", &status);
            return;
        }
        hearth_status_clear(&status);
        bool dialled = out->dials != before;
        (void)snprintf(error, sizeof error, "%s", out->dial_error);
        protobuf_c_message_free_unpacked(&out->base, NULL);
        if (dialled)
            break;
    }
    if (error[0] != '\0')
        (void)say(w, FEDERATION_FAULT, "dial back", "it could not fetch our keys: %s", error);
    else
        (void)say(w, FEDERATION_GOOD, "dial back", "it reaches us, and our keys hold");
}

void federation_check(struct front_env *env, const struct federation_options *options,
                      const char *domain,
                      void (*say_step)(void *to, enum federation_finding finding, const char *step,
                                       const char *text),
                      void *to)
{
    struct walk w = {.env = env,
                     .options = options,
                     .domain = domain,
                     .say = say_step,
                     .to = to,
                     .loop = hearth_loop_new(NULL),
                     .signing = {env, domain}};
    Hearth__V1__ProbeResponse *out = NULL;
    if (w.loop == NULL)
        return;
    if (step_policy(&w) && step_connect(&w) && step_keys(&w) && step_signature(&w, &out)) {
        (void)step_clock(&w, out);
        step_back(&w, out);
    }
    if (w.channel != NULL)
        hearth_channel_free(w.channel);
    hearth_loop_free(w.loop);
}
