/* A user of the installed library, as small as one can be; compiled as C11 and as C++17, both
 * pedantic. Makes an account's file, sees that it can't be made twice and prints the error's text.
 * usage: consumer FILE */
#include <hearth/client.h>
#include <hearth/rpc.h>
#include <hearth/v1/info_rpc.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct hearth_account_options options;
    struct hearth_account *account = NULL, *second = NULL;
    struct hearth_error error;
    struct hearth_account_info info;
    char text[500];
    if (argc != 2)
        return 2;
    memset(&options, 0, sizeof options);
    memset(&error, 0, sizeof error);
    options.size = sizeof options;
    options.path = argv[1];
    options.passphrase = "correct horse";
    if (!hearth_account_create(&options, &account, &error)) {
        fprintf(stderr, "%s\n", hearth_error_text(&error, text, sizeof text));
        return 1;
    }
    hearth_account_info(account, &info);
    hearth_account_close(account);
    if (info.registered || hearth_account_create(&options, &second, &error) || second != NULL)
        return 1;
    printf("%s: %s\n", error.name, hearth_error_text(&error, text, sizeof text));
    /* Of rpc.h, and of the stubs. */
    printf("%s %s\n", hearth_code_name(HEARTH_NOT_FOUND), hearth_info_descriptor.name);
    return 0;
}
