/* hearthd check: looks for what is wrong, from the folder alone, with the next command for each
 * finding. */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "net/address.h"
#include "net/tls_make.h"
#include "seal/names.h"
#include "server/main/command.h"
#include "server/main/log_head.h"
#include "tlog/note.h"

enum finding { GOOD, WARNING, FAULT };
enum { MIB = 1024 * 1024, CERTIFICATE_WARNING_DAYS = 21, YEAR_2025_S = 1735689600 };

struct findings {
    unsigned warnings, faults;
};

__attribute__((format(printf, 5, 6))) static void say(struct findings *f, enum finding finding,
                                                      const char *what, const char *next,
                                                      const char *format, ...)
{
    static const char *const words[] = {"ok", "warn", "fail"};
    f->warnings += finding == WARNING;
    f->faults += finding == FAULT;
    printf("%-5s %-12s ", words[finding], what);
    va_list args;
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    printf("\n");
    if (finding != GOOD && next != NULL)
        printf("      %-12s next: %s\n", "", next);
}

static void check_secret(struct findings *f, const struct folder *folder, const char *what,
                         const char *name, const char *mode)
{
    char path[FOLDER_PATH_MAX], next[FOLDER_PATH_MAX + 32];
    if (!folder_path(folder, name, path))
        return;
    const char *fault = folder_secret_fault(path);
    (void)snprintf(next, sizeof next, "chmod %s %s", mode, path);
    say(f, fault == NULL ? GOOD : FAULT, what,
        fault != NULL && strcmp(fault, "missing") != 0 ? next : "restore the file from your copy",
        "%s %s", path, fault != NULL ? fault : "is the owner's alone");
}

static void check_keys(struct findings *f, const struct folder *folder, const struct config *config)
{
    char path[FOLDER_PATH_MAX], keyring[FOLDER_PATH_MAX], next[FOLDER_PATH_MAX + 32];
    struct stat st;
    if (!folder_path(folder, config->keeper_keys, path) ||
        !folder_keyring(folder, config->keeper_keys, keyring))
        return;
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        check_secret(f, folder, "keys", path, "0400");
        say(f, WARNING, "keys", "hearthd migrate; or hearthd run, which does it, too",
            "%s is a file, as earlier versions had it", path);
        return;
    }
    (void)snprintf(next, sizeof next, "chmod 0700 %s", path);
    if (lstat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        say(f, FAULT, "keys", next, "%s is open to other users", path);
    check_secret(f, folder, "keys", keyring, "0400");
}

static void check_certificate(struct findings *f, const struct folder *folder,
                              const struct config *config)
{
    char certificate[FOLDER_PATH_MAX], key[FOLDER_PATH_MAX];
    struct tls_certificate_facts facts;
    if (!folder_path(folder, config->tls_certificate, certificate) ||
        !folder_path(folder, config->tls_key, key))
        return;
    if (tls_certificate_inspect(certificate, key, config->server_domain, &facts).code != ERR_NONE) {
        say(f, FAULT, "certificate", "put a certificate there, or hearthd init --dev for tests",
            "%s can't be read", certificate);
        return;
    }
    if (!facts.key_matches)
        say(f, FAULT, "certificate", "put the right key beside it", "%s is not its key", key);
    if (!facts.names_domain)
        say(f, FAULT, "certificate", "get one for this domain", "is not for %s",
            config->server_domain);
    say(f,
        facts.days_left < 0                          ? FAULT
        : facts.days_left < CERTIFICATE_WARNING_DAYS ? WARNING
                                                     : GOOD,
        "certificate", "renew it, then hearthd admin reload", "ends in %lld days",
        (long long)facts.days_left);
}

static void check_disk(struct findings *f, const struct folder *folder, const struct config *config)
{
    struct statvfs disk;
    if (statvfs(folder->root, &disk) != 0)
        return;
    unsigned long long free_mib = (unsigned long long)disk.f_bavail * disk.f_frsize / MIB;
    bool low = free_mib < config->storage_free_mib;
    say(f,
        low                                       ? FAULT
        : free_mib < 4 * config->storage_free_mib ? WARNING
                                                  : GOOD,
        "disk", "make room", "%llu MiB free; below %llu only reading and deleting is possible",
        free_mib, (unsigned long long)config->storage_free_mib);
}

static void check_folder(struct findings *f, const struct folder *folder)
{
    static const char *const names[] = {".", "db", FOLDER_RUN};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[FOLDER_PATH_MAX];
        /* run is younger than the first version: the next start makes it */
        if (folder_path(folder, names[i], path) && access(path, R_OK | W_OK | X_OK) != 0 &&
            (errno != ENOENT || i < 2))
            say(f, FAULT, "folder", "chown it to the user that hearthd runs as, or remount it",
                "%s can't be written: %s", path, strerror(errno));
    }
}

static void check_databases(struct findings *f, const struct folder *folder)
{
    static const char *const names[] = {"db/auth.db", "db/queue.db", "db/delivery.db",
                                        "db/attachment.db", "db/kt.db"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_secret(f, folder, "database", names[i], "0600");
    if (log_restored_is(folder))
        say(f, WARNING, "log of keys", "docs/operating.md, The log of keys after a restore",
            "was restored: it may sign nothing until others' newest checkpoint is known");
}

/* What the start of the log would refuse. */
static void check_log(struct findings *f, const struct config *config)
{
    const struct config_list *witnesses = &config->transparency_witness;
    struct address at;
    for (size_t i = 0; i < witnesses->count; i++) {
        struct note_key key;
        struct err err = note_key_parse(bytes_str(witnesses->values[i]), &key);
        if (err.code != ERR_NONE || key.type != NOTE_COSIGNATURE)
            say(f, FAULT, "log of keys",
                "[transparency] witness = NAME+ID+KEY, as the witness's operator gives it",
                "no verifier key of a witness: %s", witnesses->values[i]);
    }
    const char *listen = config->transparency_listen;
    if (listen[0] != '\0' && address_parse(listen, &at).code != ERR_NONE)
        say(f, FAULT, "log of keys", "[transparency] listen = ADDRESS:PORT", "can't listen at %s",
            listen);
}

int command_check(const struct invocation *in)
{
    static struct config config;
    struct folder folder;
    struct findings f = {0, 0};
    if (in->argc > 1)
        return command_fail("hearthd check DOMAIN", "one domain at a time"), EXIT_USAGE;
    if (in->argc == 1)
        return command_check_peer(in);
    if (command_open(in, &folder, &config).code != ERR_NONE)
        return EXIT_FAILED;
    say(&f, GOOD, "settings", NULL, "%s/hearthd.conf", folder.root);
    bool named =
        domain_check(bytes_str(config.server_domain), config.server_development).code == ERR_NONE;
    say(&f, named ? GOOD : FAULT, "domain", "[server] domain: the name it was made with", "\"%s\"",
        config.server_domain);
    if (config.server_development)
        say(&f, WARNING, "development", "[server] development = no", "is on: never in production");
    bool clock_good = time(NULL) > YEAR_2025_S;
    say(&f, clock_good ? GOOD : FAULT, "clock",
        "set the clock; credentials and requests have times", "%s",
        clock_good ? "plausible" : "lies in the past");
    check_keys(&f, &folder, &config);
    check_secret(&f, &folder, "tls key", config.tls_key, "0400");
    check_certificate(&f, &folder, &config);
    check_disk(&f, &folder, &config);
    check_folder(&f, &folder);
    check_databases(&f, &folder);
    check_log(&f, &config);
    printf("%u warnings, %u faults\n", f.warnings, f.faults);
    return f.faults > 0 ? EXIT_FAILED : EXIT_DONE;
}
