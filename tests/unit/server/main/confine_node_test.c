/* What a confined node can still open, and what not: above all, not the keys. Controls are nodes
 * that are not confined. Each in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/main/node_inside.h"
#include "support/test.h"

enum { UNSUPPORTED = 99 };

static struct folder folder;

static const char *in_folder(const char *name)
{
    static char path[FOLDER_PATH_MAX];
    assert_true(folder_path(&folder, name, path));
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    char path[] = "/tmp/hearth-confine-XXXXXX";
    assert_non_null(mkdtemp(path));
    assert_ok(folder_open(path, &folder));
    assert_ok(folder_make_parts(&folder, "keys"));
    put("keys/keyring", "keys");
    put("hearthd.conf", "[server]\ndomain = a.test\n");
    put("tls/certificate.pem", "certificate");
    put("tls/key.pem", "key");
    put("beside.pem", "certificate");
    put("db/auth.db", "rows");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[FOLDER_PATH_MAX + 16];
    (void)snprintf(command, sizeof command, "rm -r '%s'", folder.root);
    return system(command);
}

/* ---- in a process of its own */

static void must_path(const char *name, char ret_path[FOLDER_PATH_MAX])
{
    if (!folder_path(&folder, name, ret_path))
        _exit(91);
}

static bool opens(const char *name, int flags)
{
    int fd = open(in_folder(name), flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static struct node *begin(bool confined)
{
    static struct node n;
    n = (struct node){.folder = folder, .confined = confined, .settings = SETTINGS_DOOR_NONE};
    config_defaults(&n.config);
    return &n;
}

static void confine(struct node *n)
{
    char why[NODE_WHY_BYTES] = "";
    bool wanted = n->confined;
    if (node_confine_begin(n).code != ERR_NONE || node_confine_files(n, why).code != ERR_NONE) {
        print_message("%s\n", why);
        _exit(90);
    }
    /* no Landlock here, or a sanitizer: nothing to be seen */
    if (wanted && !n->confined)
        _exit(UNSUPPORTED);
    if (wanted && open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0)
        _exit(UNSUPPORTED);
}

static int run(int (*body)(bool confined), bool confined)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(body(confined));
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void both(int (*body)(bool confined), int control, int confined)
{
    assert_int_equal(run(body, false), control);
    int found = run(body, true);
    if (found == UNSUPPORTED) {
        print_message("SKIP no Landlock in this kernel or this build\n");
        skip();
    }
    assert_int_equal(found, confined);
}

/* ---- what it reaches */

/* A bit for each that could be opened. */
static int keys(bool confined)
{
    confine(begin(confined));
    int found = opens("keys/keyring", O_RDONLY) ? 1 : 0;
    found |= opens("keys/keyring", O_WRONLY) ? 2 : 0;
    found |= opens("keys", O_RDONLY | O_DIRECTORY) ? 4 : 0;
    found |= opens("keys/other", O_WRONLY | O_CREAT) ? 8 : 0;
    char from[FOLDER_PATH_MAX], to[FOLDER_PATH_MAX];
    must_path("keys/keyring", from);
    must_path("db/keyring", to);
    found |= link(from, to) == 0 ? 16 : 0;
    must_path("run/keyring", to);
    found |= rename(from, to) == 0 && rename(to, from) == 0 ? 32 : 0;
    return found;
}

static void the_keys_are_out_of_reach(void **state)
{
    (void)state;
    both(keys, 63, 0);
}

static int works(bool confined)
{
    confine(begin(confined));
    bool good = opens("db/auth.db", O_RDWR) && opens("db/fresh", O_RDWR | O_CREAT) &&
                opens("db", O_RDONLY | O_DIRECTORY) && opens("run/limits", O_WRONLY | O_CREAT) &&
                opens("backups/file", O_WRONLY | O_CREAT) && opens("tls/certificate.pem", 0) &&
                opens("tls/key.pem", O_RDONLY) && mkdir(in_folder("backups/b"), 0700) == 0 &&
                rmdir(in_folder("backups/b")) == 0;
    return good ? 0 : 1;
}

static void what_it_works_with_is_in_reach(void **state)
{
    (void)state;
    both(works, 0, 0);
}

static int root(bool confined)
{
    confine(begin(confined));
    int found = opens("hearthd.conf", O_RDONLY) ? 1 : 0;
    found |= opens("stray", O_WRONLY | O_CREAT) ? 2 : 0;
    found |= opens(".", O_RDONLY | O_DIRECTORY) ? 4 : 0;
    return found;
}

static void the_root_is_out_of_reach(void **state)
{
    (void)state;
    both(root, 7, 0);
}

/* ---- certificates at odd places */

static int certificate_beside_keys(bool confined)
{
    struct node *n = begin(confined);
    (void)snprintf(n->config.tls_certificate, sizeof n->config.tls_certificate, "beside.pem");
    confine(n);
    return (opens("beside.pem", O_RDONLY) ? 1 : 0) | (opens("keys/keyring", O_RDONLY) ? 2 : 0);
}

static int certificate_among_keys(bool confined)
{
    struct node *n = begin(confined);
    (void)snprintf(n->config.tls_key, sizeof n->config.tls_key, "keys/keyring");
    confine(n);
    return opens("keys/keyring", O_RDONLY) ? 1 : 0;
}

static int certificate_linked_to_keys(bool confined)
{
    struct node *n = begin(confined);
    char to[FOLDER_PATH_MAX];
    must_path(confined ? "tls/link1.pem" : "tls/link0.pem", to);
    if (symlink("../keys/keyring", to) != 0)
        return 80;
    (void)snprintf(n->config.tls_key, sizeof n->config.tls_key, "tls/link%d.pem", confined);
    confine(n);
    return opens("keys/keyring", O_RDONLY) ? 1 : 0;
}

static void certificates_open_no_door_to_the_keys(void **state)
{
    (void)state;
    both(certificate_beside_keys, 3, 1);
    both(certificate_among_keys, 1, 0);
    both(certificate_linked_to_keys, 1, 0);
}

static int keys_in(bool confined)
{
    struct node *n = begin(confined);
    char why[NODE_WHY_BYTES] = "";
    (void)snprintf(n->config.keeper_keys, sizeof n->config.keeper_keys, "db/../db/inner");
    (void)mkdir(in_folder("db/inner"), 0700);
    if (node_confine_begin(n).code != ERR_NONE)
        return 81;
    struct err err = node_confine_files(n, why);
    if (confined && !n->confined)
        return UNSUPPORTED;
    settings_door_close(&n->settings);
    return err.code == ERR_CONFIG && strstr(why, "[keeper] keys") != NULL ? 1
           : err.code == ERR_NONE                                         ? 0
                                                                          : 82;
}

static void keys_where_the_server_reads_are_refused(void **state)
{
    (void)state;
    both(keys_in, 0, 1);
}

/* ---- the settings */

static int reads_settings(bool confined)
{
    struct node *n = begin(confined);
    confine(n);
    if (!confined)
        return n->settings.socket < 0 ? 0 : 1;
    char text[8] = "";
    int fd = -1;
    if (settings_door_file(&n->settings, &fd).code != ERR_NONE || read(fd, text, 8) != 8 ||
        memcmp(text, "[server]", 8) != 0 || (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY ||
        (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
        return 2;
    (void)close(fd);
    settings_door_close(&n->settings);
    return waitpid(-1, NULL, 0) == -1 ? 0 : 3;
}

static void settings_come_through_the_door(void **state)
{
    (void)state;
    both(reads_settings, 0, 0);
}

static void the_door_alone(void **state)
{
    (void)state;
    struct settings_door door = SETTINGS_DOOR_NONE;
    int fd = -1;
    settings_door_close(&door);
    char path[FOLDER_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s", in_folder("moved.conf"));
    if (settings_door_open(path, &door).code != ERR_NONE) {
        print_message("SKIP no seccomp\n");
        skip();
    }
    errno = 0;
    assert_err(settings_door_file(&door, &fd), IO);
    assert_int_equal(errno, ENOENT);
    put("moved.conf", "one");
    assert_ok(settings_door_file(&door, &fd));
    (void)close(fd);
    /* the file that has the name now */
    char text[4] = "";
    assert_int_equal(unlink(path), 0);
    put("moved.conf", "two");
    assert_ok(settings_door_file(&door, &fd));
    assert_int_equal(read(fd, text, 3), 3);
    assert_string_equal(text, "two");
    (void)close(fd);
    /* its process is gone */
    assert_int_equal(kill(door.child, SIGKILL), 0);
    siginfo_t ended;
    assert_int_equal(waitid(P_PID, (id_t)door.child, &ended, WEXITED | WNOWAIT), 0);
    assert_err(settings_door_file(&door, &fd), IO);
    assert_int_equal(errno, EPIPE);
    settings_door_close(&door);
    assert_int_equal(door.socket, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_keys_are_out_of_reach),
        cmocka_unit_test(what_it_works_with_is_in_reach),
        cmocka_unit_test(the_root_is_out_of_reach),
        cmocka_unit_test(certificates_open_no_door_to_the_keys),
        cmocka_unit_test(keys_where_the_server_reads_are_refused),
        cmocka_unit_test(settings_come_through_the_door),
        cmocka_unit_test(the_door_alone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
