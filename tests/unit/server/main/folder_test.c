/* The data folder: earlier layouts come forward, from every state a crash can leave, and the key
 * file is at its place with its bytes. */
#include "server/main/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/test.h"

static struct folder folder;

static const char *in_folder(const char *name)
{
    static char path[FOLDER_PATH_MAX];
    assert_true(folder_path(&folder, name, path));
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "wx");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fchmod(fileno(file), 0400), 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_text(const char *name, const char *want)
{
    char text[64] = "";
    FILE *file = fopen(in_folder(name), "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, want);
}

static int set_up(void **state)
{
    (void)state;
    char path[] = "/tmp/hearth-folder-XXXXXX";
    assert_non_null(mkdtemp(path));
    assert_ok(folder_open(path, &folder));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"keys/keyring", "run/limits", "keys.folder/keyring",
                                        "keys.folder",  "keys",       "limits"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)unlink(in_folder(names[i]));
    static const char *const folders[] = {"tls", "db", "run", "backups", "keys", "keys.folder"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        (void)rmdir(in_folder(folders[i]));
    return rmdir(folder.root);
}

static void bring_forward(void)
{
    assert_ok(folder_bring_forward(&folder, "keys"));
    assert_ok(folder_make_parts(&folder, "keys"));
    struct stat st;
    assert_int_equal(lstat(in_folder("keys"), &st), 0);
    assert_true(S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0700);
    assert_int_equal(lstat(in_folder("keys.folder"), &st), -1); /* nothing is left over */
    assert_text("keys/keyring", "the keys");
    assert_int_equal(lstat(in_folder("keys/keyring"), &st), 0);
    assert_true((st.st_mode & 07777) == 0400 && st.st_nlink == 1);
}

static void the_file_becomes_a_folder(void **state)
{
    (void)state;
    put("keys", "the keys");
    put("limits", "spent");
    bring_forward();
    assert_text("run/limits", "spent");
    bring_forward(); /* a second time changes nothing */
}

/* What is on the disk after each step of the way there. */
static void a_crash_before_the_link(void **state)
{
    (void)state;
    put("keys", "the keys");
    assert_int_equal(mkdir(in_folder("keys.folder"), 0700), 0);
    bring_forward();
}

static void a_crash_after_the_link(void **state)
{
    (void)state;
    a_crash_before_the_link(state);
    char from[FOLDER_PATH_MAX], to[FOLDER_PATH_MAX];
    assert_true(folder_path(&folder, "keys", from) && folder_path(&folder, "keys.folder", to));
    assert_int_equal(rename(from, to), 0);
    assert_true(folder_path(&folder, "keys.folder/keyring", to));
    assert_int_equal(link(to, from), 0);
    bring_forward();
}

static void a_crash_after_the_exchange(void **state)
{
    (void)state;
    assert_ok(folder_make_parts(&folder, "keys"));
    put("keys/keyring", "the keys");
    char from[FOLDER_PATH_MAX], to[FOLDER_PATH_MAX];
    assert_true(folder_path(&folder, "keys/keyring", from));
    assert_true(folder_path(&folder, "keys.folder", to));
    assert_int_equal(link(from, to), 0);
    bring_forward();
}

/* Where the file system has no exchange. */
static void a_crash_between_removing_and_renaming(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_folder("keys.folder"), 0700), 0);
    put("keys.folder/keyring", "the keys");
    bring_forward();
}

static void nothing_to_do(void **state)
{
    (void)state;
    assert_ok(folder_bring_forward(&folder, "keys"));
    struct stat st;
    assert_int_equal(lstat(in_folder("keys"), &st), -1);
    assert_int_equal(lstat(in_folder("run"), &st), -1);
    /* a link is not ours to move */
    assert_int_equal(symlink("/nowhere", in_folder("keys")), 0);
    assert_ok(folder_bring_forward(&folder, "keys"));
    assert_int_equal(lstat(in_folder("keys"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void long_paths(void **state)
{
    (void)state;
    char name[FOLDER_PATH_MAX + 8], path[FOLDER_PATH_MAX];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_err(folder_bring_forward(&folder, name), TOO_LARGE);
    assert_err(folder_make_parts(&folder, name), IO);
    assert_false(folder_keyring(&folder, name, path));
    name[FOLDER_PATH_MAX - strlen(folder.root) - 4] = '\0';
    assert_false(folder_keyring(&folder, name, path));
    assert_err(folder_bring_forward(&folder, name), TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_file_becomes_a_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crash_before_the_link, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crash_after_the_link, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crash_after_the_exchange, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crash_between_removing_and_renaming, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_to_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_paths, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
