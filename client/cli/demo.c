/* demo: three people on two homeservers, one of them with two devices, on the real programs over
 * real TLS sockets of this machine. Each step says what it proves; the exit code is 0 only if all
 * held. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/demo_place.h"

enum { STEP_SECONDS = 30, SAID_MAX = 40, LINE_MAX_BYTES = 256, KILL_MESSAGES = 20 };

struct demo {
    const struct cli *cli;
    struct demo_place place;
    struct demo_server a, b; /* a.test: alice, carol; b.test: bob */
    char where[2 * sizeof(((struct demo_server *)0)->where)]; /* both */
    char invites[3][DEMO_INVITATION_MAX];
    pid_t helper;
    struct demo_output out;
    double step_began, began;
    bool failed;
};

/* ---- telling */

static void begin(struct demo *d)
{
    d->step_began = demo_now_s();
}

/* False ends the demo. */
static bool told(struct demo *d, bool good, const char *what)
{
    double ms = (demo_now_s() - d->step_began) * 1000;
    if (d->cli->json)
        object(d->cli, json_pack("{s:b, s:s, s:f}", "ok", good, "step", what, "ms", ms));
    else
        (void)printf("  %-5s %-78s %6.0f ms\n", good ? "ok" : "FAIL", what, ms);
    if (!good && d->out.len > 0)
        (void)fprintf(stderr, "%s\n", d->out.text);
    (void)fflush(stdout);
    d->failed = d->failed || !good;
    return good;
}

static void heading(const struct demo *d, const char *text)
{
    if (!d->cli->json)
        (void)printf("\n%s\n", text);
}

/* ---- programs */

/* `hearth -p WHO ...` */
static bool hearth_words(struct demo *d, const char *who, const char *const *more)
{
    const char *words[DEMO_WORDS_MAX] = {d->place.hearth, "--home",    d->place.home, "-p", who,
                                         "--no-input",    "--timeout", "20"};
    size_t count = 8;
    for (size_t i = 0; more[i] != NULL && count < DEMO_WORDS_MAX - 1; i++)
        words[count++] = more[i];
    words[count] = NULL;
    return demo_run(words, STEP_SECONDS, &d->out);
}
#define hearth(d, who, ...) hearth_words(d, who, (const char *const[]){__VA_ARGS__, NULL})

/* Starts `hearth -p WHO A B C` and goes on; what it prints is in d->place.folder/NAME. */
static bool hearth_start(struct demo *d, const char *name, const char *who, const char *a,
                         const char *b, const char *c, const char *e)
{
    char file[DEMO_PATH_MAX + 32];
    const char *words[] = {d->place.hearth,
                           "--home",
                           d->place.home,
                           "-p",
                           who,
                           "--no-input",
                           "--timeout",
                           "40",
                           a,
                           b,
                           c,
                           e,
                           NULL};
    (void)snprintf(file, sizeof file, "%s/%s", d->place.folder, name);
    d->helper = demo_start(words, file);
    return d->helper > 0;
}

static bool says(const struct demo *d, const char *text)
{
    return strstr(d->out.text, text) != NULL;
}

/* ---- the steps */

static bool homeservers(struct demo *d)
{
    heading(d, "Two homeservers");
    begin(d);
    if (!told(d, server_make(&d->a, &d->place, "a.test", d->invites[0], &d->out),
              "one command makes a.test: keys, certificate, databases, an invitation"))
        return false;
    begin(d);
    bool good = server_make(&d->b, &d->place, "b.test", d->invites[1], &d->out) &&
                server_federate(&d->a, &d->b) && server_federate(&d->b, &d->a);
    if (!told(d, good,
              "and b.test; a line in hearthd.conf lets each exchange messages with the other"))
        return false;
    (void)snprintf(d->where, sizeof d->where, "%s,%s", d->a.where, d->b.where);
    begin(d);
    if (!told(d, server_start(&d->a) && server_start(&d->b),
              "they run, keys in processes of their own, all confined by seccomp and Landlock"))
        return false;
    begin(d);
    return told(d, server_invite(&d->a, d->invites[2], &d->out),
                "the operator invites one more, over a socket that only he reaches");
}

static bool people(struct demo *d)
{
    static const char *const names[] = {"alice", "bob", "carol"};
    bool good = true;
    heading(d, "Three people: alice and carol at a.test, bob at b.test");
    begin(d);
    for (int i = 0; i < 3 && good; i++)
        good =
            hearth(d, names[i], "account", "create", "--invite", d->invites[i], "--handle",
                   names[i], "--device", "laptop", "--homeserver", d->where, "--ca", d->place.ca);
    if (!told(d, good, "accounts by invitation, whose code pins the homeserver's root key"))
        return false;
    begin(d);
    bool refused = !hearth(d, "mallory", "account", "create", "--invite", d->invites[0],
                           "--homeserver", d->where, "--ca", d->place.ca);
    return told(d, refused && d->out.code > 0,
                "an invitation is good for one account: a second use is refused");
}

static bool connect_with(struct demo *d, const char *whom, const char *handle)
{
    return hearth(d, "alice", "contact", "add", handle) && hearth(d, whom, "wait", "contact") &&
           hearth(d, whom, "contact", "accept", "alice@a.test") &&
           hearth(d, "alice", "wait", "accepted");
}

static bool contacts(struct demo *d)
{
    heading(d, "Contacts");
    begin(d);
    if (!told(d, connect_with(d, "bob", "bob@b.test"),
              "alice finds bob of b.test by his handle, of which it knows a hash only; he accepts"))
        return false;
    begin(d);
    if (!told(d, connect_with(d, "carol", "carol@a.test"), "and carol"))
        return false;
    char digits[128] = "", other[128] = "?";
    begin(d);
    bool good = hearth(d, "bob", "sync") && hearth(d, "alice", "sync") &&
                hearth(d, "alice", "verify", "bob@b.test");
    (void)snprintf(digits, sizeof digits, "%.100s", d->out.text);
    good = good && hearth(d, "bob", "verify", "alice@a.test");
    (void)snprintf(other, sizeof other, "%.100s", d->out.text);
    if (!told(d, good && strcmp(digits, other) == 0, "both see the same safety number"))
        return false;
    begin(d);
    good = !hearth(d, "alice", "verify", "bob@b.test", "00000 00000") &&
           d->out.code == EXIT_UNVERIFIED;
    return told(d, good, "a number that differs ends with exit code 3");
}

static bool talk(struct demo *d)
{
    heading(d, "Talking, end to end encrypted");
    begin(d);
    bool good = hearth(d, "alice", "send", "bob@b.test", "hello over the fence") &&
                hearth(d, "bob", "listen", "--count", "1") && says(d, "hello over the fence") &&
                hearth(d, "bob", "send", "alice@a.test", "hello back, pomegranate") &&
                hearth(d, "alice", "listen", "--count", "1") && says(d, "pomegranate");
    if (!told(d, good, "alice writes to bob, and bob to alice"))
        return false;
    begin(d);
    good = hearth(d, "alice", "group", "create", "garden") &&
           hearth(d, "alice", "group", "add", "garden", "bob@b.test", "carol@a.test") &&
           hearth(d, "bob", "wait", "joined", "garden") &&
           hearth(d, "carol", "wait", "joined", "garden");
    if (!told(d, good, "a group of three on two homeservers: one MLS commit adds two people"))
        return false;
    begin(d);
    good = hearth(d, "carol", "send", "garden", "tulips tomorrow") &&
           hearth(d, "alice", "listen", "--count", "1") && says(d, "tulips tomorrow") &&
           hearth(d, "bob", "listen", "--count", "1") && says(d, "tulips tomorrow");
    return told(d, good, "carol writes to the group; alice and bob read it");
}

static bool file_step(struct demo *d)
{
    char from[DEMO_PATH_MAX + 16], to[DEMO_PATH_MAX + 16];
    (void)snprintf(from, sizeof from, "%s/letter", d->place.folder);
    (void)snprintf(to, sizeof to, "%s/copy", d->place.folder);
    begin(d);
    FILE *file = fopen(from, "wb");
    for (int i = 0; file != NULL && i < 40000; i++)
        (void)fprintf(file, "line %d of a letter\n", i);
    bool good = file != NULL && fclose(file) == 0 &&
                hearth(d, "alice", "file", "send", "bob@b.test", from) &&
                hearth(d, "bob", "--json", "listen", "--count", "1");
    const char *number = good ? strstr(d->out.text, "\"number\":") : NULL;
    char digits[24] = "";
    if (number != NULL)
        (void)snprintf(digits, sizeof digits, "%d", atoi(number + 9));
    good = number != NULL && hearth(d, "bob", "file", "get", "alice@a.test", digits, to);
    const char *compare[] = {"/usr/bin/cmp", from, to, NULL};
    good = good && demo_run(compare, 10, &d->out);
    return told(d, good, "a file of 800 KB goes as a sealed blob, and comes out the same");
}

/* Alice writes while the homeservers are killed and started again in turn; bob has each line once.
 */
static bool killed(struct demo *d)
{
    heading(d, "kill -9 in mid-conversation");
    begin(d);
    bool good = hearth_start(d, "bob.out", "bob", "listen", NULL, NULL, NULL);
    pid_t listening = d->helper;
    for (int i = 1; i <= KILL_MESSAGES && good; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "line %d of %d", i, KILL_MESSAGES);
        if (i % 5 == 3) {
            struct demo_server *victim = i % 10 == 3 ? &d->a : &d->b;
            server_end(victim, SIGKILL);
            good = hearth_start(d, "alice.out", "alice", "send", "bob@b.test", text,
                                NULL); /* into the void */
            (void)usleep(300000);
            good = good && server_start(victim);
            for (double until = demo_now_s() + 30; demo_alive(d->helper) && demo_now_s() < until;)
                (void)usleep(10000);
            d->helper = -1;
        } else {
            good = hearth(d, "alice", "send", "bob@b.test", text);
        }
    }
    char last[32], file[DEMO_PATH_MAX + 16];
    (void)snprintf(last, sizeof last, "line %d of %d", KILL_MESSAGES, KILL_MESSAGES);
    (void)snprintf(file, sizeof file, "%s/bob.out", d->place.folder);
    good = good && demo_wait_for(file, last, 30);
    demo_end(&listening, SIGTERM);
    good = good && hearth(d, "bob", "history", "alice@a.test");
    for (int i = 1; i <= KILL_MESSAGES && good; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "line %d of %d\n", i, KILL_MESSAGES);
        const char *once = strstr(d->out.text, text);
        good = once != NULL && strstr(once + 1, text) == NULL;
    }
    return told(d, good,
                "each homeserver is killed twice; of twenty lines none is lost, none comes twice");
}

static bool devices(struct demo *d)
{
    char file[DEMO_PATH_MAX + 16], code[160] = "";
    struct demo_output *linked = calloc(1, sizeof *linked);
    if (linked == NULL)
        return false;
    heading(d, "A second device");
    (void)snprintf(file, sizeof file, "%s/phone.out", d->place.folder);
    begin(d);
    const char *words[] = {d->place.hearth, "--home",    d->place.home, "-p",     "bobs-phone",
                           "--no-input",    "--timeout", "40",          "device", "link",
                           "--domain",      "b.test",    "--device",    "phone",  "--homeserver",
                           d->where,        "--ca",      d->place.ca,   NULL};
    d->helper = demo_start(words, file);
    bool good = d->helper > 0 && demo_wait_for(file, "code ", 20);
    FILE *in = good ? fopen(file, "r") : NULL;
    linked->len = in != NULL ? fread(linked->text, 1, DEMO_OUTPUT_MAX, in) : 0;
    linked->text[linked->len] = '\0';
    if (in != NULL)
        (void)fclose(in);
    good = good && demo_word_after(linked->text, "code", code, sizeof code) &&
           hearth(d, "bob", "device", "add", code) && demo_wait_for(file, "linked", 30);
    free(linked);
    demo_end(&d->helper, SIGTERM);
    if (!told(d, good, "bob's phone is let in by a code of 100 bits that the relay can't guess"))
        return false;
    begin(d);
    good = hearth(d, "bob", "sync") && hearth(d, "bobs-phone", "wait", "joined", "garden") &&
           hearth(d, "alice", "sync") && hearth(d, "alice", "send", "garden", "to all devices") &&
           hearth(d, "bobs-phone", "listen", "--count", "1") && says(d, "to all devices");
    return told(d, good, "and reads what alice writes to the group");
}

static bool sees(const char *folder)
{
    return demo_tree_holds(folder, "pomegranate", 11) || demo_tree_holds(folder, "garden", 6) ||
           demo_tree_holds(folder, "bob@", 4);
}

static bool blind(struct demo *d)
{
    heading(d, "What the homeservers can see");
    begin(d);
    bool seen = sees(d->a.folder) || sees(d->b.folder);
    bool control = hearth(d, "alice", "history", "bob@b.test") && says(d, "pomegranate");
    return told(d, !seen && control,
                "no file of theirs holds a message, a group's name or a handle");
}

static void finish_demo(struct demo *d)
{
    demo_end(&d->helper, SIGTERM);
    if (d->cli->keep && d->a.pid > 0 && !d->failed) {
        (void)printf("\nthey go on: %s (pid %d, pid %d), people in %s\n", d->where, (int)d->a.pid,
                     (int)d->b.pid, d->place.home);
        return;
    }
    server_end(&d->a, SIGTERM);
    server_end(&d->b, SIGTERM);
    if (d->failed && !d->cli->json)
        (void)fprintf(stderr, "the homeservers' logs: %s, %s\n", d->a.log, d->b.log);
    else
        place_remove(&d->place);
}

/* alice asks for a handle of bob's that she does not know yet; the homeserver gives her another key
 * for it than its log shows to everybody. */
static bool swapped(struct demo *d)
{
    static struct demo_place crooked;
    char cheat[DEMO_PATH_MAX + 32];
    heading(d, "An operator who cheats");
    if (!place_has_cheat(&d->place, cheat)) {
        if (!d->cli->json)
            (void)printf("  left out: hearthd_malicious is not beside hearthd (./dev build)\n");
        return true;
    }
    begin(d);
    if (!told(d,
              hearth(d, "bob", "handle", "add", "robert") && hearth(d, "bob", "kt", "monitor") &&
                  hearth(d, "alice", "kt", "monitor"),
              "all keys are in the homeservers' verifiable logs; everybody sees the same"))
        return false;
    begin(d);
    if (!told(d, server_turns(&d->b, cheat, "swap-handle", &crooked),
              "the operator of b.test swaps bob's key for one of his own"))
        return false;
    begin(d);
    bool caught =
        !hearth(d, "alice", "contact", "add", "robert@b.test") && d->out.code == EXIT_UNVERIFIED;
    return told(d, caught,
                "alice's client looks into the log and seals nothing to that key (exit code 3)");
}

int command_demo(struct cli *cli)
{
    static bool (*const steps[])(struct demo *) = {
        homeservers, people, contacts, talk, file_step, killed, devices, blind, swapped};
    struct demo *d = calloc(1, sizeof *d);
    if (d == NULL)
        return EXIT_FAILED;
    d->cli = cli;
    d->helper = d->a.pid = d->b.pid = -1;
    d->began = demo_now_s();
    if (!place_make(&d->place)) {
        free(d);
        return fail_said(cli, EXIT_FAILED, "build everything: ./dev build",
                         "hearthd does not lie beside hearth");
    }
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && !d->failed; i++)
        d->failed = !steps[i](d) || d->failed;
    if (!cli->json)
        (void)printf("\n%s, %.1f s\n", d->failed ? "NOT all held" : "all held",
                     demo_now_s() - d->began);
    finish_demo(d);
    bool failed = d->failed;
    free(d);
    return failed ? EXIT_FAILED : EXIT_DONE;
}
