// The client's public header from C++: every kind of thing it declares is used once, on an account
// that is registered nowhere.
#include <hearth/client.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <unistd.h>

static bool count(const struct hearth_chat *, void *arg)
{
    ++*static_cast<int *>(arg);
    return true;
}

static bool check(bool good, const char *what)
{
    if (!good)
        std::fprintf(stderr, "FAILED %s\n", what);
    return good;
}

static bool verbs(struct hearth_account *account)
{
    struct hearth_error error = {};
    struct hearth_event event = {};
    struct hearth_account_info info = {};
    struct hearth_id id = {}, same = {};
    char text[HEARTH_ID_TEXT_BYTES];
    int chats = 0;
    hearth_account_info(account, &info);
    id.bytes[0] = 7;
    hearth_id_text(&id, text);
    bool good = check(!info.registered && info.tasks == 0, "a new account is registered nowhere");
    good &= check(hearth_id_read(text, &same) && hearth_id_equal(&id, &same), "ids as text");
    good &= check(hearth_chat_each(account, count, &chats) && chats == 0, "no chats");
    good &= check(!hearth_chat_find(account, "bob@b.test", &id), "nobody there");
    good &= check(!hearth_event_next(account, &event), "no events");
    good &= check(hearth_send(account, &same, "hello") == nullptr, "no chat to send to");
    hearth_account_error(account, &error);
    return good &
           check(error.result != HEARTH_DONE && error.text[0] != '\0', "and the error says so");
}

int main()
{
    char folder[] = "/tmp/hearth-consumer-XXXXXX", text[300];
    if (mkdtemp(folder) == nullptr)
        return 1;
    const std::string path = std::string(folder) + "/account.db";
    struct hearth_account_options options = {};
    options.size = sizeof options;
    options.path = path.c_str();
    options.passphrase = "correct horse";
    struct hearth_account *account = nullptr, *second = nullptr;
    struct hearth_error error = {};
    bool good = check(hearth_account_create(&options, &account, &error), "created");
    if (good) {
        good = verbs(account);
        hearth_account_close(account);
        good &= check(!hearth_account_create(&options, &second, &error), "not made twice");
        good &= check(std::strlen(hearth_error_text(&error, text, sizeof text)) > 10,
                      "an error's text");
        options.passphrase = "another";
        good &= check(!hearth_account_open(&options, &second, &error) && second == nullptr,
                      "the wrong passphrase");
    }
    for (const char *end : {"", "-wal", "-shm", "-head", "-ballast", "-lock"})
        (void)unlink((path + end).c_str());
    good &= check(rmdir(folder) == 0, "nothing else was left");
    return good ? 0 : 1;
}
