#include "server/main/node.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/loop.h"
#include "seal/names.h"
#include "server/main/limits_file.h"
#include "server/main/node_inside.h"

enum { BALLAST_MIB = 64 };

__attribute__((format(printf, 3, 4))) static struct err fault(char *why, struct err err,
                                                              const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, NODE_WHY_BYTES, format, args);
    va_end(args);
    return err;
}

/* ---- opening */

static struct err open_folder(struct node *n, char *why)
{
    struct err err = folder_bring_forward(&n->folder, n->config.keeper_keys);
    if (err.code == ERR_NONE)
        err = folder_make_parts(&n->folder, n->config.keeper_keys);
    return err.code == ERR_NONE ? err : fault(why, err, "%s: %s", n->folder.root, strerror(errno));
}

/* First of all: the keeper's process must not inherit threads, and no thread may take the signals.
 */
static struct err open_keeper(struct node *n, char *why)
{
    char path[FOLDER_PATH_MAX];
    if (!folder_keyring(&n->folder, n->config.keeper_keys, path))
        return ERR(TOO_LARGE);
    struct bytes domain = bytes_str(n->env.domain);
    struct err err = n->config.server_keeper_process
                         ? keeper_spawn(path, domain, &n->env.keeper)
                         : keeper_open(path, domain, n->env.clock, n->env.rng, &n->env.keeper);
    const char *what = folder_secret_fault(path);
    return err.code == ERR_NONE
               ? err
               : fault(why, err, "%s: %s", path, what != NULL ? what : err_text(err));
}

struct store_options node_store_at(const struct node *n, const char *name,
                                   char path[FOLDER_PATH_MAX])
{
    (void)folder_path(&n->folder, name, path);
    return (struct store_options){
        .path = path,
        .low_disk_bytes = n->config.storage_free_mib * NODE_MIB,
        .ballast_bytes = n->config.storage_free_mib > 0 ? (uint64_t)BALLAST_MIB * NODE_MIB : 0,
    };
}

static struct err say_database(char *why, struct err err, const char *path)
{
    return err.code == ERR_NONE ? err : fault(why, err, "%s: %s", path, err_text(err));
}

static struct err append_revocations(void *self, struct buf *b)
{
    return auth_revocations(self, b);
}

static struct err append_previous(void *self, struct buf *b)
{
    return auth_previous_signing(self, b);
}

static size_t voucher_keys(void *self, struct info_voucher_key ret_keys[INFO_VOUCHER_KEYS_MOST])
{
    struct auth_voucher_key keys[AUTH_VOUCHER_KEYS_MOST];
    size_t count = auth_voucher_keys(self, keys);
    for (size_t i = 0; i < count; i++) {
        ret_keys[i].class = keys[i].class;
        ret_keys[i].week = keys[i].week;
        memcpy(ret_keys[i].spki, keys[i].spki, sizeof ret_keys[i].spki);
    }
    return count;
}

static struct err find_voucher_key(void *self, struct bytes domain, uint8_t class, uint32_t week,
                                   uint8_t ret_spki[BLIND_RSA_PUBLIC_BYTES])
{
    struct node *n = self;
    return federation_voucher_key(n->federation, domain, class, week, ret_spki);
}

static void wake_courier(void *self)
{
    struct node *n = self;
    courier_wake(n->courier);
}

static bool admits(void *self, struct bytes domain)
{
    struct node *n = self;
    return federation_admits(n->federation, domain);
}

static struct err open_services(struct node *n, char *why)
{
    char path[FOLDER_PATH_MAX];
    char log_file[NODE_LOG_FILE_BYTES];
    const struct store_options log = node_store_at(n, node_log_file(n, log_file), path);
    TRY(node_open_log(n, &log, why));
    const struct auth_options auth = {.store = node_store_at(n, "db/auth.db", path),
                                      .mode = node_auth_mode(&n->config),
                                      .log = &n->auth_log,
                                      .voucher_key = find_voucher_key,
                                      .voucher_self = n,
                                      .user_invitations = n->config.registration_user_invitations};
    TRY(say_database(why, auth_open(&n->env, &auth, &n->auth), path));
    const struct queue_options queue = {.store = node_store_at(n, "db/queue.db", path),
                                        .tick_ms = (uint32_t)n->config.privacy_tick_ms,
                                        .cover = n->config.privacy_cover,
                                        .notify = notifier_notify,
                                        .notify_self = n->notifier};
    TRY(say_database(why, queue_open(&n->env, &queue, &n->queue), path));
    const struct delivery_options delivery = {.store = node_store_at(n, "db/delivery.db", path),
                                              .wake = wake_courier,
                                              .wake_self = n,
                                              .admits = admits,
                                              .admits_self = n};
    TRY(say_database(why, delivery_open(&n->env, &delivery, &n->delivery), path));
    const struct attachment_options attachment = {.store =
                                                      node_store_at(n, "db/attachment.db", path)};
    TRY(say_database(why, attachment_open(&n->env, &attachment, &n->attachment), path));
    const struct relay_options relay = {0};
    TRY(relay_open(&n->env, &relay, &n->relay));
    const struct info_options info = {.registration = node_registration(&n->config),
                                      .revocations = append_revocations,
                                      .revocations_self = n->auth,
                                      .previous = append_previous,
                                      .previous_self = n->auth,
                                      .vouchers = voucher_keys,
                                      .vouchers_self = n->auth,
                                      .publish = node_publish_keys,
                                      .publish_self = n};
    return info_open(&n->env, &info, &n->info);
}

static struct err open_courier(struct node *n)
{
    const struct courier_options options = {
        .store = delivery_store(n->delivery),
        .outbox = delivery_outbox(n->delivery),
        .queue = n->queue,
        .loop = n->back,
        .peers = federation_route(n->federation),
        .refused = delivery_refused,
        .refused_self = n->delivery,
    };
    return courier_new(&n->env, &options, &n->courier);
}

void node_save_limits(struct node *n)
{
    char path[FOLDER_PATH_MAX];
    if (!folder_path(&n->folder, LIMITS_FILE, path) ||
        limits_file_write(n->front, path).code != ERR_NONE)
        front_log(n->front, "level=warn event=limits_not_saved");
}

/* Without it the server runs as well: the limits begin anew. */
static void load_limits(struct node *n)
{
    char path[FOLDER_PATH_MAX];
    if (!folder_path(&n->folder, LIMITS_FILE, path))
        return;
    struct err err = limits_file_read(n->front, path);
    if (err.code != ERR_NONE && err.code != ERR_NOT_FOUND)
        front_log(n->front, "level=warn event=limits_not_loaded");
}

static struct err open_all(struct node *n, char *why)
{
    TRY(open_folder(n, why));
    TRY(node_confine_begin(n));
    TRY(open_keeper(n, why));
    TRY(node_confine_files(n, why));
    const struct front_options front = {
        .log = node_log,
        .log_self = n,
        .prefix_bits_v4 = (uint32_t)n->config.connections_prefix_bits_v4,
        .prefix_bits_v6 = (uint32_t)n->config.connections_prefix_bits_v6,
    };
    TRY(front_new(&n->env, &front, &n->front));
    TRY(node_set_limits(n, &n->config, why));
    front_set_tokens(n->front, node_tokens(&n->config));
    load_limits(n);
    n->back = hearth_loop_new(NULL);
    if (n->back == NULL)
        return ERR(NO_MEMORY);
    const struct notifier_options push = node_push(&n->config);
    TRY(notifier_new(&push, n->env.clock, &n->notifier));
    TRY(open_services(n, why));
    TRY(node_open_federation(n, why));
    return open_courier(n);
}

static struct err open_node(const struct folder *folder, const struct config *config, bool confined,
                            char ret_why[NODE_WHY_BYTES], struct node **ret_node)
{
    struct node *n = calloc(1, sizeof *n);
    if (n == NULL)
        return ERR(NO_MEMORY);
    ret_why[0] = '\0';
    n->folder = *folder;
    n->config = *config;
    n->confined = confined;
    n->settings = SETTINGS_DOOR_NONE;
    n->env = (struct front_env){.domain = n->config.server_domain,
                                .development = n->config.server_development,
                                .clock = &clock_system,
                                .rng = &rng_system};
    (void)pthread_mutex_init(&n->lock, NULL);
    (void)sigemptyset(&n->signals);
    (void)sigaddset(&n->signals, SIGTERM);
    (void)sigaddset(&n->signals, SIGINT);
    (void)sigaddset(&n->signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &n->signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    struct err err = domain_check(bytes_str(n->env.domain), n->env.development);
    if (err.code != ERR_NONE)
        err = fault(ret_why, err, "[server] domain \"%s\": %s", n->env.domain, err_text(err));
    else
        err = open_all(n, ret_why);
    if (err.code != ERR_NONE) {
        if (ret_why[0] == '\0')
            (void)fault(ret_why, err, "%s", err_text(err));
        node_close(n);
        return err;
    }
    *ret_node = n;
    return ERR_OK;
}

struct err node_open(const struct folder *folder, const struct config *config,
                     char ret_why[NODE_WHY_BYTES], struct node **ret_node)
{
    return open_node(folder, config, false, ret_why, ret_node);
}

struct err node_open_confined(const struct folder *folder, const struct config *config,
                              char ret_why[NODE_WHY_BYTES], struct node **ret_node)
{
    return open_node(folder, config, config->server_confine, ret_why, ret_node);
}

/* ---- serving */

static unsigned thread_count(const struct config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return config->server_threads > 0 ? (unsigned)config->server_threads
           : cores > 0                ? (unsigned)cores
                                      : 1;
}

static struct err add_services(struct node *n)
{
    TRY(info_add(n->info, n->server));
    TRY(auth_add(n->auth, n->server));
    TRY(queue_add(n->queue, n->server));
    TRY(delivery_add(n->delivery, n->server));
    TRY(attachment_add(n->attachment, n->server));
    TRY(transparency_add(n->transparency, n->server));
    TRY(relay_add(n->relay, n->server));
    return federation_add(n->federation, n->server);
}

static struct err listen_all(struct node *n, char *why)
{
    char certificate[FOLDER_PATH_MAX], key[FOLDER_PATH_MAX];
    if (!folder_path(&n->folder, n->config.tls_certificate, certificate) ||
        !folder_path(&n->folder, n->config.tls_key, key))
        return ERR(TOO_LARGE);
    const struct hearth_tls_options tls = {.certificate_file = certificate,
                                           .key_file = key,
                                           .record_bytes =
                                               (uint32_t)n->config.privacy_record_bytes};
    for (size_t i = 0; i < n->config.server_listen.count; i++) {
        if (!hearth_server_listen(n->server, n->config.server_listen.values[i], &tls))
            return fault(why, ERR(IO), "[server] listen: %s", hearth_server_error(n->server));
    }
    return ERR_OK;
}

static void *run_back(void *loop)
{
    hearth_loop_run(loop);
    return NULL;
}

static void fill_page(void *self, struct buf *page)
{
    struct node *n = self;
    front_page(n->front, page);
}

static struct err start_page(struct node *n, char *why)
{
    if (n->config.metrics_listen[0] == '\0')
        return ERR_OK;
    struct err err =
        page_server_new(n->back, n->config.metrics_listen, "/metrics", fill_page, n, &n->page);
    return err.code == ERR_NONE
               ? err
               : fault(why, err, "[metrics] listen %s: can't be used", n->config.metrics_listen);
}

struct err node_start(struct node *n, char ret_why[NODE_WHY_BYTES])
{
    char path[FOLDER_PATH_MAX];
    const struct hearth_interceptor interceptor = front_interceptor(n->front);
    const struct hearth_server_options options = {
        .threads = thread_count(&n->config),
        .limits = {.connections = (uint32_t)n->config.connections_in_all,
                   .connections_per_prefix = (uint32_t)n->config.connections_per_prefix,
                   .accepts_per_s = (uint32_t)n->config.connections_new_per_s,
                   .accepts_burst = 3 * (uint32_t)n->config.connections_new_per_s,
                   .prefix_bits_v4 = (uint32_t)n->config.connections_prefix_bits_v4,
                   .prefix_bits_v6 = (uint32_t)n->config.connections_prefix_bits_v6},
        .interceptors = &interceptor,
        .interceptor_count = 1,
        .pressure = front_pressure,
        .pressure_self = n->front,
        .reflection = n->config.server_reflection,
        .log = node_log,
        .log_self = n,
    };
    ret_why[0] = '\0';
    n->server = hearth_server_new(&options);
    if (n->server == NULL)
        return fault(ret_why, ERR(NO_MEMORY), "out of memory");
    struct err err = add_services(n);
    if (err.code == ERR_NONE)
        err = listen_all(n, ret_why);
    if (err.code == ERR_NONE)
        err = start_page(n, ret_why);
    if (err.code == ERR_NONE && pthread_create(&n->back_thread, NULL, run_back, n->back) != 0)
        err = ERR(NO_MEMORY);
    n->back_started = err.code == ERR_NONE;
    if (err.code == ERR_NONE)
        err = node_start_log(n, ret_why);
    if (err.code == ERR_NONE && !hearth_server_start(n->server))
        err = fault(ret_why, ERR(IO), "%s", hearth_server_error(n->server));
    if (err.code == ERR_NONE)
        err = jobs_start(n, &n->jobs);
    const struct admin_verbs verbs = node_verbs(n);
    if (err.code == ERR_NONE && folder_path(&n->folder, FOLDER_ADMIN_SOCKET, path))
        err = admin_open(&n->env, path, &verbs, &n->admin);
    if (err.code == ERR_NONE)
        err = node_confine_calls(n);
    n->started_us = clock_monotonic_us(n->env.clock);
    courier_wake(n->courier);
    if (err.code == ERR_NONE)
        federation_hello(n->federation);
    if (err.code != ERR_NONE && ret_why[0] == '\0')
        (void)fault(ret_why, err, "%s", err_text(err));
    return err;
}

unsigned node_port(const struct node *n, size_t listener)
{
    return hearth_server_port(n->server, listener);
}

struct err node_health(struct node *n)
{
    struct public_key key;
    if (keeper_public(n->env.keeper, KEEPER_AS_ROOT, &key).code == ERR_KEEPER_GONE)
        return ERR(KEEPER_GONE);
    TRY(store_health(delivery_store(n->delivery)));
    TRY(store_health(queue_store(n->queue)));
    TRY(store_health(auth_store(n->auth)));
    TRY(store_health(transparency_store(n->transparency)));
    TRY(store_health(federation_store(n->federation)));
    return store_health(attachment_store(n->attachment));
}

struct err node_wait(struct node *n)
{
    for (;;) {
        int signal = 0;
        if (sigwait(&n->signals, &signal) != 0)
            continue;
        if (signal == SIGHUP) {
            char why[NODE_WHY_BYTES] = "";
            struct err err = node_reload(n, NULL, NULL, why);
            node_log(n, err.code == ERR_NONE ? "level=info event=reloaded"
                                             : "level=error event=reload_failed");
            continue;
        }
        break;
    }
    (void)pthread_mutex_lock(&n->lock);
    n->draining = true;
    uint32_t grace_s = n->grace_s > 0 ? n->grace_s : (uint32_t)n->config.server_drain_seconds;
    (void)pthread_mutex_unlock(&n->lock);
    node_log(n, "level=info event=draining");
    hearth_server_drain(n->server, grace_s * 1000);
    return node_health(n);
}

/* ---- the end, in the order that each thing needs the next */

static void stop_back(void *arg)
{
    struct node *n = arg;
    courier_free(n->courier);
    n->courier = NULL;
    if (n->federation != NULL)
        federation_stop(n->federation);
    page_server_free(n->page);
    n->page = NULL;
    hearth_loop_stop(n->back);
}

void node_close(struct node *n)
{
    if (n == NULL)
        return;
    admin_close(n->admin);
    jobs_stop(n->jobs);
    if (n->server != NULL)
        hearth_server_free(n->server);
    if (n->back_started && hearth_loop_post(n->back, stop_back, n))
        (void)pthread_join(n->back_thread, NULL);
    else {
        courier_free(n->courier);
        if (n->federation != NULL)
            federation_stop(n->federation);
    }
    if (n->info != NULL)
        info_close(n->info);
    if (n->relay != NULL)
        relay_close(n->relay);
    if (n->attachment != NULL)
        attachment_close(n->attachment);
    if (n->delivery != NULL)
        delivery_close(n->delivery);
    if (n->queue != NULL)
        queue_close(n->queue);
    node_close_log(n);
    if (n->auth != NULL)
        auth_close(n->auth);
    notifier_free(n->notifier);
    if (n->started_us != 0)
        node_save_limits(n);
    /* what was posted to the back loop meanwhile frees what it belongs to; nobody runs it any more
     */
    for (int i = 0; n->back != NULL && i < 4; i++)
        loop_turn_now(n->back);
    if (n->front != NULL)
        front_free(n->front);
    federation_close(n->federation);
    if (n->back != NULL)
        hearth_loop_free(n->back);
    if (n->env.keeper != NULL)
        keeper_close(n->env.keeper);
    kt_keys_clear(&n->kt_keys);
    settings_door_close(&n->settings);
    (void)pthread_mutex_destroy(&n->lock);
    free(n);
}
