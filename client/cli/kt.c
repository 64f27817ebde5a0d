/* kt head|show|monitor|policy|audit|export|accept: the verifiable log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"

enum { EVIDENCE_MAX_BYTES = 1 << 20, SETTLE_MS = 20000 };

/* ---- head */

static const char *state_text(const struct hearth_log *log)
{
    return log->distrusted                     ? "DISTRUSTED"
           : log->state == HEARTH_LOG_HELD     ? "logged"
           : log->state == HEARTH_LOG_UNLOGGED ? "unlogged"
                                               : "not asked";
}

static bool is_witnessed(const struct hearth_log *log)
{
    return log->judged && log->witnessed_entries == log->window_entry + 1;
}

static const char *witness_text(const struct hearth_log *log)
{
    return !log->judged ? "" : is_witnessed(log) ? "witnessed" : "unwitnessed";
}

static void print_witnessed(const struct cli *cli, const struct hearth_log *log)
{
    if (is_witnessed(log))
        line(cli, "witnessed", "entry %llu: cosigned by %s", (unsigned long long)log->window_entry,
             log->witnesses[0] != '\0' ? log->witnesses : "nobody, which the policy allows");
    else if (log->judged && log->witnessed_entries > 0)
        line(cli, "unwitnessed", "entry %llu; entry %llu was cosigned by %s",
             (unsigned long long)log->window_entry, (unsigned long long)log->witnessed_entries - 1,
             log->witnesses);
    else if (log->judged)
        line(cli, "unwitnessed", "entry %llu: too few of your witnesses have cosigned it yet",
             (unsigned long long)log->window_entry);
}

static void print_held(const struct cli *cli, const struct hearth_log *log)
{
    char root[65], key[65], checked[32], newest[32];
    (void)hex_text(log->root, sizeof log->root, root);
    line(cli, state_text(log), "%s: %llu entries, the newest of %s, checked %s%s", log->domain,
         (unsigned long long)log->entries, clock_text(log->newest_ms / 1000, newest),
         clock_text(log->checked_ms / 1000, checked), log->overdue ? ", OVERDUE" : "");
    line(cli, "root", "%s", root);
    line(cli, "key", "%s", hex_text(log->key, sizeof log->key, key));
    line(cli, "window", "%llu, of %llu seconds, begins with entry %llu",
         (unsigned long long)log->window, (unsigned long long)log->window_ms / 1000,
         (unsigned long long)log->window_entry);
    print_witnessed(cli, log);
}

static bool print_log(const struct hearth_log *log, void *arg)
{
    const struct cli *cli = arg;
    char root[65], key[65];
    if (log->state == HEARTH_LOG_HELD)
        print_held(cli, log);
    else
        line(cli, state_text(log), "%s: %s", log->domain,
             log->state == HEARTH_LOG_UNLOGGED
                 ? "it publishes no log of its keys; compare safety numbers"
                 : "nothing was asked of its log yet");
    object(cli, cli->json
                    ? json_pack("{s:s, s:s, s:b, s:b, s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:s, "
                                "s:s, s:I, s:s}",
                                "domain", log->domain, "state",
                                log->state == HEARTH_LOG_HELD       ? "logged"
                                : log->state == HEARTH_LOG_UNLOGGED ? "unlogged"
                                                                    : "unknown",
                                "distrusted", log->distrusted, "overdue", log->overdue, "origin",
                                log->origin, "key", hex_text(log->key, sizeof log->key, key),
                                "entries", (json_int_t)log->entries, "root",
                                hex_text(log->root, sizeof log->root, root), "newest_ms",
                                (json_int_t)log->newest_ms, "checked_ms",
                                (json_int_t)log->checked_ms, "window", (json_int_t)log->window,
                                "window_entry", (json_int_t)log->window_entry, "checkpoint",
                                log->checkpoint, "witness", witness_text(log), "witnessed_entries",
                                (json_int_t)log->witnessed_entries, "witnesses", log->witnesses)
                    : NULL);
    return true;
}

int command_kt_head(struct cli *cli)
{
    return hearth_log_each(cli->account, print_log, cli) ? EXIT_DONE : EXIT_FAILED;
}

/* ---- show */

struct showing {
    const struct cli *cli;
    const char *only; /* a name; NULL: all */
    bool own;         /* those of the account, else the others */
    unsigned shown, bad;
};

static bool show_label(const struct hearth_log_label *label, void *arg)
{
    struct showing *s = arg;
    char commitment[65], checked[32];
    if (label->own != s->own || (s->only != NULL && strcmp(s->only, label->name) != 0))
        return true;
    s->shown++;
    s->bad += label->bad;
    (void)hex_text(label->commitment, sizeof label->commitment, commitment);
    if (label->bad && label->checked_ms == 0)
        line(s->cli, "BAD", "%s: what the log shows can't be", label->name);
    else if (label->checked_ms == 0)
        line(s->cli, "asked", "%s", label->name);
    else if (!label->exists)
        line(s->cli, "absent", "%s: not in the log, checked %s", label->name,
             clock_text(label->checked_ms / 1000, checked));
    else
        line(s->cli, label->bad ? "BAD" : "good",
             "%s: version %u at entry %llu%s, commitment %.16s", label->name, label->version,
             (unsigned long long)label->entry,
             label->pending ? " (to be checked again in the next window)" : "", commitment);
    object(s->cli,
           s->cli->json
               ? json_pack("{s:o, s:s, s:b, s:b, s:b, s:b, s:i, s:s, s:I, s:I, s:I}", "name",
                           json_text(label->name), "domain", label->domain, "own", label->own,
                           "exists", label->exists, "pending", label->pending, "bad", label->bad,
                           "version", (int)label->version, "commitment", commitment, "entry",
                           (json_int_t)label->entry, "watched", (json_int_t)label->watched,
                           "checked_ms", (json_int_t)label->checked_ms)
               : NULL);
    return true;
}

/* Our own first. */
static bool show_labels(struct cli *cli, struct showing *s)
{
    s->own = true;
    if (!hearth_log_label_each(cli->account, show_label, s))
        return false;
    s->own = false;
    return hearth_log_label_each(cli->account, show_label, s);
}

int command_kt_show(struct cli *cli)
{
    struct showing s = {.cli = cli, .only = cli->argc > 0 ? cli->argv[0] : NULL};
    if (!show_labels(cli, &s))
        return EXIT_FAILED;
    if (s.only != NULL && s.shown == 0)
        return fail_said(cli, EXIT_NOT_THERE, "hearth kt show lists all",
                         "nothing of that name was looked up");
    return s.bad > 0 ? EXIT_UNVERIFIED : EXIT_DONE;
}

/* ---- monitor */

struct doubts {
    struct cli *cli;
    unsigned count;
};

static bool count_distrusted(const struct hearth_log *log, void *arg)
{
    struct doubts *d = arg;
    d->count += log->distrusted || log->overdue;
    return log->distrusted || log->overdue ? print_log(log, d->cli) : true;
}

int command_kt_monitor(struct cli *cli)
{
    struct showing s = {.cli = cli};
    struct doubts doubts = {.cli = cli};
    if (!hearth_log_monitor(cli->account))
        return EXIT_FAILED;
    const uint32_t patience_ms = cli->timeout_ms > 0 ? cli->timeout_ms : SETTLE_MS;
    const bool settled = hearth_account_settle(cli->account, patience_ms);
    if (!show_labels(cli, &s) || !hearth_log_each(cli->account, count_distrusted, &doubts))
        return EXIT_FAILED;
    if (s.bad + doubts.count > 0) /* known already, whatever else is waited for */
        return EXIT_UNVERIFIED;
    if (!settled)
        return fail_said(cli, EXIT_TIMED_OUT, "is the homeserver up, and the network?",
                         "the log has not answered");
    return EXIT_DONE;
}

/* ---- whose cosignatures count */

int command_kt_policy(struct cli *cli)
{
    enum { POLICY_MOST = 16384 };
    char text[POLICY_MOST + 2];
    FILE *in = fopen(cli->argv[0], "rb");
    if (in == NULL)
        return fail_said(cli, EXIT_NOT_THERE, NULL, "can't read %s", cli->argv[0]);
    size_t len = fread(text, 1, POLICY_MOST + 1, in);
    const bool bad = ferror(in) != 0 || memchr(text, '\0', len) != NULL;
    (void)fclose(in);
    text[len] = '\0';
    if (bad || !hearth_log_set_policy(cli->account, text))
        return fail_said(cli, EXIT_USAGE,
                         "lines: witness NAME VERIFIER-KEY; group NAME any|all|NUMBER MEMBER...; "
                         "quorum NAME|none",
                         "%s is not a policy of witnesses", cli->argv[0]);
    if (!hearth_account_settle(cli->account, cli->timeout_ms > 0 ? cli->timeout_ms : SETTLE_MS))
        return fail_said(cli, EXIT_TIMED_OUT, "is the homeserver up, and the network?",
                         "it is kept, but the log has not answered");
    return command_kt_head(cli);
}

/* ---- evidence */

/* One file of evidence on its way into a folder where others may have written theirs. */
struct writing {
    const char *folder;
    uint64_t number;
    char path[CLI_PATH_MAX + 64];
    bool there, written; /* the file is in the folder; it was not there before */
};

static bool holds(const char *path, const void *file, size_t len)
{
    uint8_t *in = malloc(len + 1);
    FILE *from = in != NULL ? fopen(path, "rb") : NULL;
    bool same = from != NULL && fread(in, 1, len + 1, from) == len && memcmp(in, file, len) == 0;
    if (from != NULL)
        (void)fclose(from);
    free(in);
    return same;
}

static bool write_new(const char *path, const void *file, size_t len)
{
    FILE *out = fopen(path, "wbx");
    if (out == NULL)
        return false;
    bool good = fwrite(file, 1, len, out) == len;
    good = fclose(out) == 0 && good;
    if (!good)
        (void)unlink(path);
    return good;
}

/* Under the first name that is free, or that has the same evidence already. */
static void write_file(const void *file, size_t len, void *arg)
{
    enum { NAMES_MOST = 1000 };
    struct writing *w = arg;
    for (unsigned i = 1; i < NAMES_MOST && !w->there; i++) {
        char more[16] = "";
        if (i > 1)
            (void)snprintf(more, sizeof more, "-%u", i);
        (void)snprintf(w->path, sizeof w->path, "%s/evidence-%llu%s.ktl", w->folder,
                       (unsigned long long)w->number, more);
        w->written = write_new(w->path, file, len);
        w->there = w->written || holds(w->path, file, len);
        if (!w->there && access(w->path, F_OK) != 0)
            return;
    }
}

/* Each that there is not yet, into the folder. False: one can't be written, which was said. */
static bool write_all(const struct cli *cli, const char *folder, uint64_t *ret_last)
{
    for (uint64_t number = 1;; number++) {
        struct writing w = {.folder = folder, .number = number};
        *ret_last = number - 1;
        if (!hearth_log_evidence(cli->account, number, write_file, &w))
            return true;
        if (!w.there) {
            (void)fail_said(cli, EXIT_FAILED, "make room, or name another folder",
                            "evidence can't be written to %s", folder);
            return false;
        }
        if (w.written)
            (void)fprintf(stderr, "evidence  %s; hearth kt audit says what it proves\n", w.path);
    }
}

struct exporting {
    const char *folder;
    bool good;
};

static bool write_checkpoint(const struct hearth_log *log, void *arg)
{
    char path[CLI_PATH_MAX + 320];
    struct exporting *e = arg;
    if (log->state != HEARTH_LOG_HELD)
        return true;
    (void)snprintf(path, sizeof path, "%s/%s.checkpoint", e->folder, log->domain);
    FILE *out = fopen(path, "w");
    e->good = out != NULL && fputs(log->checkpoint, out) >= 0;
    if (out != NULL)
        e->good = fclose(out) == 0 && e->good;
    return e->good;
}

int command_kt_export(struct cli *cli)
{
    uint64_t last;
    const char *folder = cli->argv[0];
    if (access(folder, W_OK | X_OK) != 0)
        return fail_said(cli, EXIT_NOT_THERE, "make it first", "can't write to the folder %s",
                         folder);
    if (!write_all(cli, folder, &last))
        return EXIT_FAILED;
    struct exporting e = {folder, true};
    if (!hearth_log_each(cli->account, write_checkpoint, &e) || !e.good)
        return fail_said(cli, EXIT_FAILED, "make room, or name another folder",
                         "checkpoints can't be written to %s", folder);
    line(cli, "exported", "the checkpoint of each homeserver, and %llu pieces of evidence, to %s",
         (unsigned long long)last, folder);
    object(cli, cli->json ? json_pack("{s:I, s:s}", "evidence", (json_int_t)last, "folder", folder)
                          : NULL);
    return EXIT_DONE;
}

int command_kt_audit(struct cli *cli)
{
    struct hearth_log_verdict verdict;
    char key[65];
    FILE *in = fopen(cli->argv[0], "rb");
    uint8_t *file = malloc(EVIDENCE_MAX_BYTES + 1);
    size_t len = in != NULL && file != NULL ? fread(file, 1, EVIDENCE_MAX_BYTES + 1, in) : 0;
    if (in != NULL)
        (void)fclose(in);
    if (len == 0) {
        free(file);
        return fail_said(cli, EXIT_NOT_THERE, NULL, "can't read %s", cli->argv[0]);
    }
    enum hearth_result result = hearth_log_audit(file, len, &verdict);
    free(file);
    if (result != HEARTH_DONE)
        return fail_said(cli, EXIT_UNVERIFIED, NULL, "%s proves nothing: %s", cli->argv[0],
                         verdict.text);
    (void)hex_text(verdict.key, sizeof verdict.key, key);
    line(cli, "proved", "the operator of %s signed what can't be true: %s", verdict.origin,
         verdict.text);
    line(cli, "entries", "%llu and %llu", (unsigned long long)verdict.first,
         (unsigned long long)verdict.second);
    line(cli, "key", "%s", key);
    if (!cli->json)
        (void)fprintf(stderr, "  next: is this the log's key? hearth kt head, of whoever met that "
                              "homeserver, says so\n");
    object(cli, cli->json
                    ? json_pack("{s:b, s:s, s:s, s:s, s:I, s:I}", "proved", 1, "origin",
                                verdict.origin, "text", verdict.text, "key", key, "first",
                                (json_int_t)verdict.first, "second", (json_int_t)verdict.second)
                    : NULL);
    return EXIT_DONE;
}

/* ---- going on all the same */

int command_kt_accept(struct cli *cli)
{
    if (!confirmed(cli, "Go on with this homeserver, whose log does not hold?"))
        return EXIT_USAGE;
    if (!hearth_log_accept(cli->account, cli->argv[0]))
        return fail_said(cli, EXIT_NOT_THERE, "hearth kt head lists them",
                         "no homeserver \"%s\" is known", cli->argv[0]);
    line(cli, "accepted", "the log of %s is met anew", cli->argv[0]);
    object(cli, cli->json ? json_pack("{s:s}", "accepted", cli->argv[0]) : NULL);
    return EXIT_DONE;
}

/* ---- after every command */

int kt_aftermath(struct cli *cli, int code)
{
    uint64_t last;
    /* also what an earlier command had no time to write, since it was killed */
    (void)write_all(cli, cli->folder, &last);
    if (hearth_log_alarms(cli->account) == 0)
        return code;
    (void)fprintf(stderr, "alarm     a homeserver's log does not hold: hearth kt head, hearth kt "
                          "show, hearth listen\n");
    return code == EXIT_DONE ? EXIT_UNVERIFIED : code;
}
