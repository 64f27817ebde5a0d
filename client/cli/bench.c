/* bench: what a message costs on each side, between two accounts of this process on a homeserver of
 * its own. The budget: one asymmetric operation an application message beside the request's
 * signature, one round trip to send and one to fetch. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/demo_place.h"

enum { MESSAGES = 200, WAIT_MS = 20000 };

struct person {
    const char *name;
    char path[DEMO_PATH_MAX + 64];
    struct hearth_account *account;
    struct hearth_id chat;
};

struct bench {
    struct cli *cli;
    struct demo_place place;
    struct demo_server server;
    struct demo_output out;
    struct person alice, bob;
    uint64_t messages;
};

static int step(struct bench *b, struct person *p, struct hearth_op *op)
{
    b->cli->account = p->account; /* finish() speaks of it */
    int code = finish(b->cli, op);
    b->cli->account = NULL;
    return code;
}

static int begin(struct bench *b, struct person *p, const char *name)
{
    static const uint8_t key[32] = {7};
    char invitation[DEMO_INVITATION_MAX];
    struct hearth_error error = {0};
    *p = (struct person){.name = name};
    (void)snprintf(p->path, sizeof p->path, "%s/%s.db", b->place.folder, name);
    const struct hearth_account_options options = {.size = sizeof options,
                                                   .path = p->path,
                                                   .key = key,
                                                   .ca_file = b->place.ca,
                                                   .homeservers = b->server.where};
    if (!server_invite(&b->server, invitation, &b->out))
        return fail_said(b->cli, EXIT_FAILED, NULL, "%s", b->out.text);
    if (!hearth_account_create(&options, &p->account, &error))
        return fail_with(b->cli, &error);
    const struct hearth_register_options wanted = {
        .size = sizeof wanted, .invitation = invitation, .handle = name};
    return step(b, p, hearth_register(p->account, &wanted));
}

/* Until an event of the kind was taken. */
static bool await(struct person *p, enum hearth_event_kind kind, struct hearth_event *ret_event)
{
    for (int turns = 0; turns < 1000; turns++) {
        if (!hearth_account_wait(p->account, WAIT_MS) || !hearth_event_next(p->account, ret_event))
            return false;
        (void)hearth_event_taken(p->account, ret_event->number);
        if (ret_event->kind == kind)
            return true;
    }
    return false;
}

static int introduce(struct bench *b)
{
    struct hearth_event event;
    struct hearth_contact contact;
    int code = step(b, &b->alice, hearth_contact_add(b->alice.account, "bob@a.test"));
    if (code != EXIT_DONE)
        return code;
    if (!hearth_listen_start(b->bob.account) || !await(&b->bob, HEARTH_EVENT_CONTACT_ASKS, &event))
        return fail_said(b->cli, EXIT_FAILED, NULL, "bob was not asked");
    code = step(b, &b->bob, hearth_contact_accept(b->bob.account, &event.contact));
    if (code != EXIT_DONE)
        return code;
    if (!hearth_contact_get(b->bob.account, &event.contact, &contact))
        return EXIT_FAILED;
    b->bob.chat = contact.chat;
    hearth_listen_stop(b->bob.account);
    if (!hearth_listen_start(b->alice.account) ||
        !await(&b->alice, HEARTH_EVENT_CONTACT_ACCEPTED, &event))
        return fail_said(b->cli, EXIT_FAILED, NULL, "alice was not answered");
    b->alice.chat = event.chat;
    hearth_listen_stop(b->alice.account);
    code = step(b, &b->alice, hearth_sync(b->alice.account));
    return code == EXIT_DONE ? step(b, &b->bob, hearth_sync(b->bob.account)) : code;
}

/* What so many messages cost one side. */
static void report(struct bench *b, const char *what, const struct hearth_costs *before,
                   const struct hearth_costs *after, double seconds)
{
    double n = (double)b->messages;
    double calls = (double)(after->calls - before->calls) / n,
           made = (double)(after->signatures - before->signatures) / n;
    double verified = (double)(after->verifications - before->verifications) / n;
    double exchanged = (double)(after->exchanges - before->exchanges) / n;
    double commits = (double)(after->commits - before->commits) / n;
    double out = (double)(after->bytes_out - before->bytes_out) / n,
           in = (double)(after->bytes_in - before->bytes_in) / n,
           group = (double)(after->group - before->group) / n;
    if (!b->cli->json)
        (void)printf("%-28s %6.2f %7.2f %8.2f %8.2f %8.2f %8.2f %8.0f %8.0f %8.2f ms\n", what,
                     calls, made, verified, exchanged, group, commits, out, in, seconds * 1000 / n);
    object(b->cli, b->cli->json ? json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
                                            "what", what, "calls", calls, "signatures", made,
                                            "verifications", verified, "exchanges", exchanged,
                                            "group", group, "commits", commits, "bytes_out", out,
                                            "bytes_in", in, "ms", seconds * 1000 / n)
                                : NULL);
}

static int measure_send(struct bench *b)
{
    struct hearth_costs before, after;
    char text[64];
    hearth_account_costs(b->alice.account, &before);
    double began = demo_now_s();
    for (uint64_t i = 0; i < b->messages; i++) {
        (void)snprintf(text, sizeof text, "message %llu of the measurement", (unsigned long long)i);
        int code = step(b, &b->alice, hearth_send(b->alice.account, &b->alice.chat, text));
        if (code != EXIT_DONE)
            return code;
    }
    double seconds = demo_now_s() - began;
    hearth_account_costs(b->alice.account, &after);
    report(b, "send, each awaited", &before, &after, seconds);
    return EXIT_DONE;
}

static int measure_fetch(struct bench *b)
{
    struct hearth_costs before, after;
    hearth_account_costs(b->bob.account, &before);
    double began = demo_now_s();
    int code = step(b, &b->bob, hearth_sync(b->bob.account));
    double seconds = demo_now_s() - began;
    hearth_account_costs(b->bob.account, &after);
    if (code == EXIT_DONE)
        report(b, "fetch, all at once", &before, &after, seconds);
    return code;
}

/* Sent and seen one by one on a listening stream. */
static int measure_stream(struct bench *b)
{
    struct hearth_costs before, after;
    struct hearth_event event;
    while (hearth_event_next(b->bob.account, &event))
        (void)hearth_event_taken(b->bob.account, event.number);
    if (!hearth_listen_start(b->bob.account))
        return EXIT_FAILED;
    hearth_account_costs(b->bob.account, &before);
    double began = demo_now_s();
    for (uint64_t i = 0; i < b->messages; i++) {
        int code = step(b, &b->alice, hearth_send(b->alice.account, &b->alice.chat, "one by one"));
        if (code != EXIT_DONE)
            return code;
        if (!await(&b->bob, HEARTH_EVENT_MESSAGE, &event))
            return fail_said(b->cli, EXIT_FAILED, NULL, "a message did not come");
    }
    double seconds = demo_now_s() - began;
    hearth_account_costs(b->bob.account, &after);
    report(b, "send to seen, listening", &before, &after, seconds);
    hearth_listen_stop(b->bob.account);
    return EXIT_DONE;
}

static int run(struct bench *b)
{
    int code = begin(b, &b->alice, "alice");
    if (code == EXIT_DONE)
        code = begin(b, &b->bob, "bob");
    if (code == EXIT_DONE)
        code = introduce(b);
    if (code != EXIT_DONE)
        return code;
    if (!b->cli->json)
        (void)printf("%-28s %6s %7s %8s %8s %8s %8s %8s %8s %8s\n", "a message", "calls", "signs",
                     "verifies", "exchanges", "tokens", "commits", "B out", "B in", "time");
    code = measure_send(b);
    if (code == EXIT_DONE)
        code = measure_fetch(b);
    return code == EXIT_DONE ? measure_stream(b) : code;
}

/* A leaf may send 60 messages in a burst and then one a second: that is not what is measured. */
static bool lift_limits(const struct demo_server *server, bool tokens)
{
    char path[sizeof server->folder + 16];
    (void)snprintf(path, sizeof path, "%s/hearthd.conf", server->folder);
    FILE *file = fopen(path, "a");
    bool good = file != NULL && fputs("\n[limits]\nSEND_LEAF = 60000\n", file) >= 0 &&
                (!tokens || fputs("[tokens]\nmode = on\n", file) >= 0);
    return file != NULL && fclose(file) == 0 && good;
}

int command_bench(struct cli *cli)
{
    struct bench *b = calloc(1, sizeof *b);
    if (b == NULL)
        return EXIT_FAILED;
    b->cli = cli;
    b->messages = cli->count > 0 ? cli->count : MESSAGES;
    int code = EXIT_FAILED;
    if (!place_make(&b->place)) {
        free(b);
        return fail_said(cli, EXIT_FAILED, "build everything: ./dev build",
                         "hearthd does not lie beside hearth");
    }
    if (!server_make(&b->server, &b->place, "a.test", NULL, &b->out) ||
        !lift_limits(&b->server, cli->tokens) || !server_start(&b->server))
        (void)fail_said(cli, EXIT_FAILED, NULL, "no homeserver: %.300s", b->out.text);
    else
        code = run(b);
    hearth_account_close(b->alice.account);
    hearth_account_close(b->bob.account);
    server_end(&b->server, SIGTERM);
    place_remove(&b->place);
    free(b);
    return code;
}
