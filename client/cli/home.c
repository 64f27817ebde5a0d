/* Profiles: one folder for each account on this machine.
 *
 *     HOME/NAME/account.db     the account's file (hearth_account_open)
 *     HOME/NAME/account.key    32 random bytes that open it, mode 0600, where no passphrase was
 * asked for HOME/NAME/settings       homeserver=..., ca=...: what --homeserver and --ca said when
 * it was made
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "client/cli/cli.h"

enum { INTERRUPT = 3, KEY_BYTES = 32, SECRET_MAX = 1024, SETTING_MAX = 2048 };

static bool path_of(const struct cli *cli, const char *name, char path[CLI_PATH_MAX])
{
    return snprintf(path, CLI_PATH_MAX, "%s/%s", cli->folder, name) < CLI_PATH_MAX;
}

static bool home_of(const struct cli *cli, char home[CLI_PATH_MAX])
{
    const char *own = cli->home != NULL ? cli->home : getenv("HEARTH_HOME");
    const char *data = getenv("XDG_DATA_HOME"), *user = getenv("HOME");
    int len;
    if (own != NULL && own[0] != '\0')
        len = snprintf(home, CLI_PATH_MAX, "%s", own);
    else if (data != NULL && data[0] == '/')
        len = snprintf(home, CLI_PATH_MAX, "%s/hearth", data);
    else if (user != NULL && user[0] == '/')
        len = snprintf(home, CLI_PATH_MAX, "%s/.local/share/hearth", user);
    else
        return false;
    return len > 0 && len < CLI_PATH_MAX;
}

/* Each folder on the way, like mkdir -p; the last one is ours alone. */
static bool make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0755) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

int home_folder(struct cli *cli, bool make)
{
    char home[CLI_PATH_MAX];
    struct stat st;
    if (strchr(cli->profile, '/') != NULL || cli->profile[0] == '.' || cli->profile[0] == '\0')
        return fail_said(cli, EXIT_USAGE, NULL, "\"%s\" is no name for a profile", cli->profile);
    if (!home_of(cli, home) ||
        snprintf(cli->folder, sizeof cli->folder, "%s/%s", home, cli->profile) >= CLI_PATH_MAX)
        return fail_said(cli, EXIT_FAILED, "say --home FOLDER", "no folder for profiles is known");
    if (make && !make_folders(cli->folder))
        return fail_said(cli, EXIT_FAILED, NULL, "can't make %s: %s", cli->folder, strerror(errno));
    if (!make && stat(cli->folder, &st) != 0)
        return fail_said(cli, EXIT_NOT_THERE, "hearth account create --invite CODE",
                         "there is no profile \"%s\"", cli->profile);
    return EXIT_DONE;
}

/* ---- secrets */

/* A file that nobody else may read, or a pipe (/dev/fd/N is a link). -1: said why. */
static ssize_t read_secret(const struct cli *cli, const char *path, size_t least, char *out,
                           size_t len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = -1;
    if (fd < 0 || fstat(fd, &st) != 0)
        (void)fail_said(cli, EXIT_NOT_THERE, NULL, "can't read %s: %s", path, strerror(errno));
    else if (S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
        (void)fail_said(cli, EXIT_FAILED, "chmod 600 the file", "%s can be read by others", path);
    else if ((got = read(fd, out, len)) < (ssize_t)least)
        (void)fail_said(cli, EXIT_FAILED, NULL, "%s %s", path,
                        got < 0 ? strerror(errno) : "is too short: it holds no secret");
    if (fd >= 0)
        (void)close(fd);
    return got < (ssize_t)least ? -1 : got;
}

static bool ask_secret(const struct cli *cli, const char *prompt, char out[SECRET_MAX])
{
    struct termios before, quiet;
    if (cli->no_input || tcgetattr(STDIN_FILENO, &before) != 0) {
        (void)fail_said(cli, EXIT_USAGE, "say --passphrase-file FILE",
                        "a passphrase is wanted and there is nobody to ask");
        return false;
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG); /* Ctrl-C must not leave it so */
    (void)fputs(prompt, stderr);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    bool got = fgets(out, SECRET_MAX, stdin) != NULL;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)fputc('\n', stderr);
    if (got)
        out[strcspn(out, "\n")] = '\0';
    return got && out[0] != '\0' && strchr(out, INTERRUPT) == NULL;
}

static bool passphrase_of(const struct cli *cli, char out[SECRET_MAX])
{
    if (strcmp(cli->passphrase_file, "-") == 0)
        return ask_secret(cli, "Passphrase: ", out);
    ssize_t len = read_secret(cli, cli->passphrase_file, 1, out, SECRET_MAX - 1);
    if (len <= 0)
        return false;
    out[len] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return out[0] != '\0';
}

/* The key file of the profile, made with `make`. */
static bool key_of(const struct cli *cli, bool make, uint8_t key[KEY_BYTES])
{
    char path[CLI_PATH_MAX];
    if (!path_of(cli, "account.key", path))
        return false;
    if (!make)
        return read_secret(cli, path, KEY_BYTES, (char *)key, KEY_BYTES) == KEY_BYTES;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && getrandom(key, KEY_BYTES, 0) == KEY_BYTES &&
                write(fd, key, KEY_BYTES) == KEY_BYTES && fsync(fd) == 0;
    if (!good)
        (void)fail_said(cli, EXIT_FAILED, NULL, "can't make %s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return good;
}

/* ---- settings */

static bool write_settings(const struct cli *cli)
{
    char path[CLI_PATH_MAX], ca[PATH_MAX];
    if (!path_of(cli, "settings", path))
        return false;
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    if (cli->homeservers != NULL)
        (void)fprintf(file, "homeserver=%s\n", cli->homeservers);
    if (cli->ca_file != NULL && realpath(cli->ca_file, ca) != NULL)
        (void)fprintf(file, "ca=%s\n", ca);
    if (cli->passphrase_file != NULL)
        (void)fputs("passphrase=1\n", file);
    return fclose(file) == 0;
}

/* What is not said on the command line, and places of homeservers besides; kept in text. */
static void read_settings(struct cli *cli, char text[2][SETTING_MAX])
{
    char path[CLI_PATH_MAX], row[SETTING_MAX + 16];
    FILE *file = path_of(cli, "settings", path) ? fopen(path, "r") : NULL;
    if (file == NULL)
        return;
    while (fgets(row, sizeof row, file) != NULL) {
        row[strcspn(row, "\n")] = '\0';
        if (strncmp(row, "homeserver=", 11) == 0) { /* the last word on a domain is what counts */
            bool more = cli->homeservers != NULL;
            (void)snprintf(text[0], SETTING_MAX, "%.1000s%s%.1000s", row + 11, more ? "," : "",
                           more ? cli->homeservers : "");
            cli->homeservers = text[0];
        } else if (strncmp(row, "ca=", 3) == 0 && cli->ca_file == NULL) {
            (void)snprintf(text[1], SETTING_MAX, "%.*s", SETTING_MAX - 1, row + 3);
            cli->ca_file = text[1];
        } else if (strcmp(row, "passphrase=1") == 0 && cli->passphrase_file == NULL) {
            cli->passphrase_file = "-";
        }
    }
    (void)fclose(file);
}

/* ---- opening */

bool home_has_account(const struct cli *cli)
{
    char path[CLI_PATH_MAX];
    struct stat st;
    return path_of(cli, "account.db", path) && stat(path, &st) == 0;
}

int home_open(struct cli *cli, bool create)
{
    static char text[2][SETTING_MAX];
    char path[CLI_PATH_MAX], passphrase[SECRET_MAX] = "";
    uint8_t key[KEY_BYTES] = {0};
    struct hearth_error error = {0};
    struct stat st;
    if (!path_of(cli, "account.db", path))
        return EXIT_FAILED;
    if (!create && stat(path, &st) != 0)
        return fail_said(cli, EXIT_NOT_THERE, "hearth account create --invite CODE",
                         "there is no account in profile \"%s\"", cli->profile);
    if (!create)
        read_settings(cli, text);
    if (cli->ca_file != NULL && access(cli->ca_file, R_OK) != 0)
        return fail_said(cli, EXIT_NOT_THERE, "--ca FILE", "can't read %s: %s", cli->ca_file,
                         strerror(errno));
    bool ready =
        cli->passphrase_file != NULL ? passphrase_of(cli, passphrase) : key_of(cli, create, key);
    if (!ready || (create && !write_settings(cli)))
        return EXIT_FAILED;
    struct hearth_account_options options = {
        .size = sizeof options,
        .path = path,
        .passphrase = passphrase[0] != '\0' ? passphrase : NULL,
        .key = passphrase[0] != '\0' ? NULL : key,
        .ca_file = cli->ca_file,
        .homeservers = cli->homeservers,
        .user_agent = "hearth-cli",
    };
    bool open = create ? hearth_account_create(&options, &cli->account, &error)
                       : hearth_account_open(&options, &cli->account, &error);
    explicit_bzero(passphrase, sizeof passphrase);
    explicit_bzero(key, sizeof key);
    if (!open && create)
        home_forget(cli); /* a key that is left over would be in the way of the next try */
    return open ? EXIT_DONE : fail_with(cli, &error);
}

void home_forget(struct cli *cli)
{
    static const char *const files[] = {
        "account.db",         "account.db-wal",  "account.db-shm", "account.db-head",
        "account.db-ballast", "account.db-lock", "account.key",    "settings"};
    char path[CLI_PATH_MAX];
    hearth_account_close(cli->account);
    cli->account = NULL;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (path_of(cli, files[i], path))
            (void)unlink(path);
    (void)rmdir(cli->folder);
}
