#include "server/federation/federation.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/federation/inside.h"

void federation_lock(struct federation *f)
{
    (void)pthread_mutex_lock(&f->lock);
}

void federation_unlock(struct federation *f)
{
    (void)pthread_mutex_unlock(&f->lock);
}

static struct err copy_text(const char *text, char **ret_copy)
{
    *ret_copy = text != NULL && *text != '\0' ? strdup(text) : NULL;
    return *ret_copy == NULL && text != NULL && *text != '\0' ? ERR(NO_MEMORY) : ERR_OK;
}

static struct err read_settings(const struct federation_settings *settings, char *ret_why,
                                struct policy **ret_policy)
{
    struct bytes wrong;
    struct err err = policy_new(settings, &wrong, ret_policy);
    if (err.code == ERR_ARGUMENT)
        (void)snprintf(ret_why, FEDERATION_WHY_BYTES, "[federation] \"%.*s\" can't be read",
                       wrong.len < 100 ? (int)wrong.len : 100, (const char *)wrong.data);
    return err;
}

struct err federation_open(struct front_env *env, const struct federation_options *options,
                           char ret_why[FEDERATION_WHY_BYTES], struct federation **ret_federation)
{
    struct federation *f = calloc(1, sizeof *f);
    if (f == NULL)
        return ERR(NO_MEMORY);
    ret_why[0] = '\0';
    f->env = env;
    f->options = *options;
    (void)pthread_mutex_init(&f->lock, NULL);
    struct err err = copy_text(options->ca_file, &f->ca_file);
    if (err_is_ok(err))
        err = copy_text(options->dns_servers, &f->dns_servers);
    if (err_is_ok(err))
        err = read_settings(&options->settings, ret_why, &f->policy);
    if (err_is_ok(err))
        err = kept_open(f, &options->store);
    if (!err_is_ok(err)) {
        federation_close(f);
        return err;
    }
    *ret_federation = f;
    return ERR_OK;
}

struct err federation_add(struct federation *f, struct hearth_server *server)
{
    static const struct hearth_federation_service service = {
        .deliver = receive_deliver, .probe = receive_probe, .get_witnessed = logs_get_witnessed};
    TRY(front_add_keys(f->env->front, REQUEST_HOMESERVER, known_source(f)));
    return hearth_server_add_federation(server, &service, f) ? ERR_OK : ERR(NO_MEMORY);
}

bool federation_admits(struct federation *f, struct bytes domain)
{
    federation_lock(f);
    bool admits = policy_admits(f->policy, domain);
    federation_unlock(f);
    return admits;
}

struct courier_route federation_route(struct federation *f)
{
    return (struct courier_route){.deliver = send_batch, .self = f};
}

struct err federation_set(struct federation *f, const struct federation_settings *settings,
                          char ret_why[FEDERATION_WHY_BYTES])
{
    struct policy *fresh = NULL;
    ret_why[0] = '\0';
    TRY(read_settings(settings, ret_why, &fresh));
    federation_lock(f);
    struct policy *old = f->policy;
    f->policy = fresh;
    federation_unlock(f);
    policy_free(old);
    (void)hearth_loop_post(f->options.loop, peers_obey, f); /* or when they are next looked at */
    return ERR_OK;
}

void federation_stop(struct federation *f)
{
    f->stopped = true;
    hello_stop(f);
    for (size_t i = 0; i < PEER_SLOTS; i++)
        for (struct peer *peer = f->slots[i]; peer != NULL; peer = peer->next)
            peer_end(peer);
}

void federation_close(struct federation *f)
{
    if (f == NULL)
        return;
    kept_close(f);
    witness_clear(f);
    peers_clear(f);
    policy_free(f->policy);
    free(f->ca_file);
    free(f->dns_servers);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}
