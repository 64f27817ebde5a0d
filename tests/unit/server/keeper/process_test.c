/* The keeper in a process of its own: the same verbs, its death, its confinement, and where the
 * keys are. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/labelled.h"
#include "server/keeper/frame.h"
#include "server/keeper/keeper_process.h"
#include "support/test.h"

static char folder[64], path[96];
#define DOMAIN bytes_str("a.example")

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/hearth-keeper-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keys", folder);
    /* Not in this process, which becomes the parent of servers that are searched for keys: what is
     * copied by vector registers may stay behind on the stack where the dynamic linker saves them
     * (it binds lazily but in the release build). */
    pid_t pid = fork();
    if (pid == 0)
        _exit(!err_is_ok(keeper_init(path, DOMAIN, &clock_system, &rng_system)));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static struct keeper *spawned(void)
{
    struct keeper *k = NULL;
    assert_ok(keeper_spawn(path, DOMAIN, &k));
    return k;
}

static struct keeper *local(void)
{
    struct keeper *k = NULL;
    assert_ok(keeper_open(path, DOMAIN, &clock_system, &rng_system, &k));
    return k;
}

/* The only child of this process. */
static pid_t child_pid(void)
{
    char name[64];
    long pid = 0;
    snprintf(name, sizeof name, "/proc/self/task/%d/children", (int)getpid());
    FILE *in = fopen(name, "r");
    assert_non_null(in);
    assert_int_equal(fscanf(in, "%ld", &pid), 1);
    fclose(in);
    return (pid_t)pid;
}

static void assert_same_keys(struct keeper *a, struct keeper *b)
{
    struct public_key x, y;
    for (int i = 0; i < KEEPER_SIGNERS; i++) {
        assert_ok(keeper_public(a, (enum keeper_signer)i, &x));
        assert_ok(keeper_public(b, (enum keeper_signer)i, &y));
        test_assert_bytes(public_key_view(&x), public_key_view(&y));
    }
    assert_ok(keeper_queue_key(a, &x));
    assert_ok(keeper_queue_key(b, &y));
    test_assert_bytes(public_key_view(&x), public_key_view(&y));
    struct keeper_external e[KEEPER_EXTERNAL_KEYS], f[KEEPER_EXTERNAL_KEYS];
    size_t e_count = 0, f_count = 0;
    assert_ok(keeper_external_keys(a, e, &e_count));
    assert_ok(keeper_external_keys(b, f, &f_count));
    assert_int_equal(e_count, f_count);
    for (size_t i = 0; i < e_count; i++) {
        assert_int_equal(e[i].scheme, f[i].scheme);
        assert_int_equal(e[i].present, f[i].present);
        test_assert_bytes(public_key_view(&e[i].key), public_key_view(&f[i].key));
    }
    for (int i = 0; i < 2; i++) {
        struct buf c = BUF_INIT, d = BUF_INIT;
        assert_ok(keeper_credential(a, (enum keeper_signer)i, &c));
        assert_ok(keeper_credential(b, (enum keeper_signer)i, &d));
        test_assert_bytes(buf_view(&c), buf_view(&d));
        buf_clear(&c);
        buf_clear(&d);
    }
    for (int i = 0; i < KEEPER_PURPOSES; i++) {
        uint8_t c[KEEPER_KEY_BYTES], d[KEEPER_KEY_BYTES];
        assert_ok(keeper_storage_key(a, (enum keeper_purpose)i, c));
        assert_ok(keeper_storage_key(b, (enum keeper_purpose)i, d));
        assert_memory_equal(c, d, sizeof c);
    }
}

static void assert_same_signatures(struct keeper *a, struct keeper *b)
{
    static const size_t lens[] = {0, 1, 1000, 5000, KEEPER_CONTENT_MAX_BYTES - 1};
    static const uint8_t content[KEEPER_CONTENT_MAX_BYTES + 1];
    struct signature s, t;
    for (int i = KEEPER_AS_SIGNING; i < KEEPER_SIGNERS; i++)
        for (size_t k = 0; k < sizeof lens / sizeof *lens; k++) {
            bool mls = i == KEEPER_EXTERNAL_SENDER && k % 2 == 0;
            struct bytes what = bytes_of(content, lens[k]);
            struct bytes label = bytes_str(i == KEEPER_LOG || i == KEEPER_WITNESS ? "" : "L");
            assert_ok(keeper_sign(a, (enum keeper_signer)i, mls, label, what, &s));
            assert_ok(keeper_sign(b, (enum keeper_signer)i, mls, label, what, &t));
            test_assert_bytes(signature_view(&s), signature_view(&t));
        }
    assert_err(keeper_sign(a, KEEPER_AS_ROOT, false, bytes_str("L"), bytes_str(""), &s), ARGUMENT);
    assert_err(keeper_sign(a, KEEPER_LOG, true, bytes_str("L"), bytes_str(""), &s), ARGUMENT);
    /* the log's key signs texts as they stand, and nothing that has a label */
    struct public_key log_key;
    assert_err(keeper_sign(a, KEEPER_LOG, false, bytes_str("L"), bytes_str(""), &s), ARGUMENT);
    assert_ok(keeper_sign(a, KEEPER_LOG, false, bytes_str(""), bytes_str("text\n"), &s));
    assert_ok(keeper_public(b, KEEPER_LOG, &log_key));
    assert_ok(sig_verify(&sig_ed25519, public_key_view(&log_key), bytes_str("text\n"),
                         signature_view(&s)));
    assert_err(keeper_sign(a, KEEPER_FEDERATION, false, bytes_str("L"),
                           bytes_of(content, KEEPER_CONTENT_MAX_BYTES), &s),
               TOO_LARGE);
}

static void seal_to(struct keeper *k, struct buf *b, uint32_t tag)
{
    static struct sig_key client;
    struct public_key service;
    struct queue_ref ref = {.has_push_token_key = tag % 2, .push_token_key = {(uint8_t)tag}};
    memcpy(ref.tag, &tag, sizeof tag);
    if (client.alg == NULL)
        assert_ok(sig_key_generate(&sig_ed25519, &rng_system, &client));
    assert_ok(keeper_queue_key(k, &service));
    assert_ok(sealed_ref_seal(b, &rng_system, public_key_view(&service), DOMAIN, &ref, &client));
}

enum { REFS = 1100 }; /* more than two frames hold */

/* Good ones, damaged ones, empty ones and too long ones, in one call. */
static void assert_same_references(struct keeper *a, struct keeper *b)
{
    static const uint8_t large[SEALED_REF_MAX_BYTES + 1];
    static struct queue_ref refs[2][REFS];
    static struct err results[2][REFS];
    static struct bytes views[REFS];
    static struct buf sealed[REFS];
    for (uint32_t i = 0; i < REFS; i++) {
        seal_to(a, &sealed[i], i);
        if (i % 7 == 3)
            sealed[i].data[150] ^= 1;
        views[i] = i % 7 == 4   ? bytes_of(large, sizeof large)
                   : i % 7 == 5 ? bytes_of(NULL, 0)
                                : buf_view(&sealed[i]);
    }
    assert_ok(keeper_open_refs(a, views, REFS, refs[0], results[0]));
    assert_ok(keeper_open_refs(b, views, REFS, refs[1], results[1]));
    for (uint32_t i = 0; i < REFS; i++) {
        assert_string_equal(err_name(results[0][i]), err_name(results[1][i]));
        assert_int_equal(err_is_ok(results[0][i]), i % 7 < 3 || i % 7 == 6);
        if (err_is_ok(results[0][i])) {
            assert_memory_equal(refs[0][i].tag, &i, sizeof i);
            assert_memory_equal(&refs[0][i], &refs[1][i], offsetof(struct queue_ref, signature));
            test_assert_bytes(signature_view(&refs[0][i].signature),
                              signature_view(&refs[1][i].signature));
        }
        buf_clear(&sealed[i]);
    }
}

static void both_forms_agree(void **state)
{
    (void)state;
    struct keeper *far = spawned(), *near = local();
    struct public_key key;
    assert_same_keys(far, near);
    assert_same_signatures(far, near);
    assert_same_references(far, near);
    assert_err(keeper_public(far, KEEPER_SIGNERS, &key), ARGUMENT);
    keeper_close(near);
    keeper_close(far);
    /* the child is gone, and was waited for */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* What the library needs to sign on NIST curves, the confined child may do; keys of before
 * rotations sign too. */
static void external_senders(void **state)
{
    (void)state;
    static const struct sig_alg *const algs[] = {&sig_ed25519, &sig_ecdsa_p256_sha256,
                                                 &sig_ecdsa_p384_sha384, &sig_ecdsa_p521_sha512};
    struct keeper *far = NULL;
    struct keeper_external keys[KEEPER_EXTERNAL_KEYS];
    struct signature s;
    char own[128]; /* other tests have rotations of their own */
    snprintf(own, sizeof own, "%s-external", path);
    assert_ok(keeper_init(own, DOMAIN, &clock_system, &rng_system));
    assert_ok(keeper_spawn(own, DOMAIN, &far));
    struct bytes l = bytes_str("L");
    size_t count = 0;
    for (int i = 0; i < KEEPER_EXTERNAL_BEFORE; i++)
        assert_ok(keeper_rotate(far, KEEPER_EXTERNAL_SENDER));
    assert_err(keeper_rotate(far, KEEPER_EXTERNAL_SENDER), KEEPER_IN_USE);
    assert_ok(keeper_external_keys(far, keys, &count));
    assert_int_equal(count, KEEPER_EXTERNAL_KEYS);
    unsigned verified = 0;
    for (size_t i = 0; i < count; i++) {
        assert_ok(keeper_sign_external(far, public_key_view(&keys[i].key), l, l, &s));
        for (size_t a = 0; a < sizeof algs / sizeof *algs; a++) {
            if (algs[a]->scheme != keys[i].scheme)
                continue;
            assert_ok(labelled_verify(algs[a], public_key_view(&keys[i].key), LABEL_MLS, l, l,
                                      signature_view(&s)));
            verified++;
        }
    }
    assert_int_equal(verified, KEEPER_EXTERNAL_KEYS);
    assert_ok(keeper_rotate_anyway(far, KEEPER_EXTERNAL_SENDER));
    assert_err(keeper_sign_external(far, public_key_view(&keys[count - 1].key), l, l, &s),
               NOT_FOUND);
    for (int i = 0; i < KEEPER_QUEUE_BEFORE; i++)
        assert_ok(keeper_rotate_queue_key(far));
    assert_err(keeper_rotate_queue_key(far), KEEPER_IN_USE);
    assert_ok(keeper_rotate_queue_key_anyway(far));
    keeper_close(far);
    assert_int_equal(unlink(own), 0);
}

/* The confined child writes its file anew. */
static void rotation(void **state)
{
    (void)state;
    struct keeper *far = spawned();
    struct buf sealed = BUF_INIT;
    struct public_key was, is;
    struct queue_ref ref;
    struct err result;
    seal_to(far, &sealed, 9);
    for (int i = KEEPER_AS_SIGNING; i < KEEPER_SIGNERS; i++) {
        assert_ok(keeper_public(far, (enum keeper_signer)i, &was));
        assert_ok(keeper_rotate(far, (enum keeper_signer)i));
        assert_ok(keeper_public(far, (enum keeper_signer)i, &is));
        assert_memory_not_equal(was.data, is.data, 32);
    }
    assert_ok(keeper_queue_key(far, &was));
    assert_ok(keeper_rotate_queue_key(far));
    assert_ok(keeper_queue_key(far, &is));
    assert_memory_not_equal(was.data, is.data, 32);
    struct bytes view = buf_view(&sealed);
    assert_ok(keeper_open_refs(far, &view, 1, &ref, &result));
    assert_ok(result);
    struct keeper *near = local();
    assert_same_keys(far, near);
    keeper_close(near);
    keeper_close(far);
    buf_clear(&sealed);
}

static void a_killed_child(void **state)
{
    (void)state;
    struct keeper *far = spawned();
    struct public_key key;
    struct signature signature;
    struct buf b = BUF_INIT;
    struct queue_ref ref;
    struct err result;
    uint8_t storage[KEEPER_KEY_BYTES];
    struct bytes sealed = bytes_str("sealed");
    assert_ok(keeper_public(far, KEEPER_LOG, &key)); /* control */
    assert_int_equal(kill(child_pid(), SIGKILL), 0);
    for (int again = 0; again < 2; again++) {
        assert_err(keeper_public(far, KEEPER_LOG, &key), KEEPER_GONE);
        assert_err(keeper_queue_key(far, &key), KEEPER_GONE);
        assert_err(keeper_sign(far, KEEPER_FEDERATION, false, sealed, sealed, &signature),
                   KEEPER_GONE);
        assert_err(keeper_credential(far, KEEPER_AS_ROOT, &b), KEEPER_GONE);
        assert_err(keeper_open_refs(far, &sealed, 1, &ref, &result), KEEPER_GONE);
        assert_err(keeper_storage_key(far, KEEPER_LIMITS, storage), KEEPER_GONE);
        assert_err(keeper_rotate(far, KEEPER_LOG), KEEPER_GONE);
        assert_err(keeper_rotate_queue_key(far), KEEPER_GONE);
    }
    keeper_close(far);
    assert_int_equal(b.len, 0);
}

/* One that says nothing is given up after a while, and does not keep the server from ending. */
static void a_stopped_child(void **state)
{
    (void)state;
    struct keeper *far = spawned();
    struct public_key key;
    assert_int_equal(kill(child_pid(), SIGSTOP), 0);
    uint64_t start_us = clock_monotonic_us(&clock_system);
    keeper_close(far);
    assert_in_range(clock_monotonic_us(&clock_system) - start_us, 1000000, 8000000);
    far = spawned();
    assert_int_equal(kill(child_pid(), SIGSTOP), 0);
    start_us = clock_monotonic_us(&clock_system);
    assert_err(keeper_public(far, KEEPER_LOG, &key), KEEPER_GONE);
    assert_in_range(clock_monotonic_us(&clock_system) - start_us, 9000000, 20000000);
    assert_err(keeper_public(far, KEEPER_LOG, &key), KEEPER_GONE); /* at once */
    keeper_close(far);
    assert_true(clock_monotonic_us(&clock_system) - start_us < 22000000);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* What a terminal or a service manager sends to the whole group: it outlives the server's drain. */
static void signals_do_not_end_it(void **state)
{
    (void)state;
    struct keeper *far = spawned();
    struct public_key key;
    assert_int_equal(kill(child_pid(), SIGTERM), 0);
    assert_int_equal(kill(child_pid(), SIGINT), 0);
    assert_int_equal(kill(child_pid(), SIGHUP), 0);
    assert_ok(keeper_public(far, KEEPER_LOG, &key));
    keeper_close(far);
}

static void files_that_are_refused(void **state)
{
    (void)state;
    struct keeper *k = NULL;
    assert_int_equal(chmod(path, 0440), 0);
    assert_err(keeper_spawn(path, DOMAIN, &k), KEEPER_FILE);
    assert_int_equal(chmod(path, 0400), 0);
    assert_err(keeper_spawn(path, bytes_str("b.example"), &k), KEEPER_FILE);
    assert_err(keeper_spawn("/nowhere/at/all", DOMAIN, &k), KEEPER_FILE);
    assert_null(k);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void *use(void *arg)
{
    struct keeper *k = arg;
    for (int i = 0; i < 200; i++) {
        struct signature s;
        struct public_key key, first;
        enum keeper_signer signer = i % 2 == 0 ? KEEPER_LOG : KEEPER_FEDERATION;
        struct bytes label = bytes_str(signer == KEEPER_LOG ? "" : "L");
        if (!err_is_ok(keeper_public(k, signer, &first)) ||
            !err_is_ok(keeper_sign(k, signer, false, label, bytes_str("c"), &s)) ||
            !err_is_ok(keeper_public(k, signer, &key)) ||
            !bytes_equal(public_key_view(&first), public_key_view(&key)))
            return NULL;
    }
    return k;
}

static void many_threads(void **state)
{
    (void)state;
    pthread_t threads[8];
    struct keeper *far = spawned();
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, far), 0);
    for (size_t i = 0; i < 8; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, far);
    }
    keeper_close(far);
}

/* ---- ME4: where the keys are */

enum { PRIVATE_KEYS = KEEPER_SIGNERS + 1 };

/* The private keys, in a process that has no keeper. Found by the form that keyring.h describes. */
static void read_private_keys(uint8_t keys[PRIVATE_KEYS][32])
{
    uint8_t file[8192];
    int fd = open(path, O_RDONLY);
    ssize_t got = read(fd, file, sizeof file);
    close(fd);
    assert_true(got > 0);
    /* magic, version, domain<V>, master, then the length of the keys in two bytes */
    size_t at = 8 + 1 + 1 + DOMAIN.len + 32 + 2;
    for (size_t i = 0; i < PRIVATE_KEYS; i++)
        memcpy(keys[i], file + at + 32 * i, 32);
}

/* How many of the keys lie somewhere in the memory of a process. */
static int keys_in_memory(pid_t pid, uint8_t keys[PRIVATE_KEYS][32])
{
    static uint8_t chunk[1 << 20];
    char name[64], line[512];
    bool found[PRIVATE_KEYS] = {0};
    snprintf(name, sizeof name, "/proc/%d/mem", (int)pid);
    int mem = open(name, O_RDONLY);
    snprintf(name, sizeof name, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(name, "r");
    assert_true(mem >= 0);
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long long from, to;
        char mode[5];
        if (sscanf(line, "%llx-%llx %4s", &from, &to, mode) != 3 || mode[0] != 'r' ||
            mode[1] != 'w' || to - from > 1ull << 32)
            continue;
        for (unsigned long long at = from; at < to; at += sizeof chunk - 32) {
            size_t want = to - at < sizeof chunk ? (size_t)(to - at) : sizeof chunk;
            ssize_t got = pread(mem, chunk, want, (off_t)at);
            for (size_t k = 0; got > 0 && k < PRIVATE_KEYS; k++)
                found[k] |= memmem(chunk, (size_t)got, keys[k], 32) != NULL;
        }
    }
    fclose(maps);
    close(mem);
    int count = 0;
    for (size_t k = 0; k < PRIVATE_KEYS; k++)
        count += found[k];
    return count;
}

/* A server, in a process of its own: makes use of a keeper of either form, then waits to be looked
 * at. Returns how many private keys were found in it. */
static int keys_found_in_server(bool in_process)
{
    uint8_t keys[PRIVATE_KEYS][32];
    int ready[2], end[2];
    char byte = 1;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    pid_t server = fork();
    if (server == 0) {
        struct keeper *k = in_process ? local() : spawned();
        use(k);
        struct buf sealed = BUF_INIT;
        seal_to(k, &sealed, 1);
        struct bytes view = buf_view(&sealed);
        struct queue_ref ref;
        struct err result;
        if (!err_is_ok(keeper_open_refs(k, &view, 1, &ref, &result)) || !err_is_ok(result) ||
            write(ready[1], &byte, 1) != 1)
            _exit(1);
        close(end[1]);
        (void)!read(end[0], &byte, 1); /* until the test is done */
        keeper_close(k);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    read_private_keys(keys);
    int count = keys_in_memory(server, keys);
    bytes_wipe(keys, sizeof keys);
    close(end[1]);
    int status;
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_int_equal(status, 0);
    close(end[0]);
    close(ready[0]);
    close(ready[1]);
    return count;
}

static void identity_keys_are_not_in_the_servers_memory(void **state)
{
    (void)state;
    assert_int_equal(keys_found_in_server(false), 0);
}

static void control_of_the_search(void **state)
{
    (void)state;
    assert_int_equal(keys_found_in_server(true), PRIVATE_KEYS);
}

/* ---- confinement */

static void try_open(void)
{
    if (open("/etc/passwd", O_RDONLY) < 0)
        _exit(3);
}

static void try_open_key_file(void)
{
    if (open(path, O_RDONLY) < 0)
        _exit(3);
}

static void try_create(void)
{
    char name[128];
    snprintf(name, sizeof name, "%s/stray", folder);
    int fd = open(name, O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || unlink(name) != 0)
        _exit(3);
}

static void try_socket(void)
{
    if (socket(AF_INET, SOCK_STREAM, 0) < 0)
        _exit(3);
}

static void try_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid < 0 || waitpid(pid, NULL, 0) != pid)
        _exit(3);
}

static void try_executable_memory(void)
{
    if (mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
        MAP_FAILED)
        _exit(3);
}

static void try_dumpable(void)
{
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
        _exit(3);
}

/* 0: it may; SIGSYS: it was killed for trying. */
static int outcome_of(void (*attempt)(void), bool confined)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct keeper *k = local();
        if (confined && !err_is_ok(keeper_confine(k)))
            _exit(4);
        attempt();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    return WEXITSTATUS(status);
}

static void what_a_confined_keeper_may_not(void **state)
{
    (void)state;
    static void (*const attempts[])(void) = {try_open,    try_open_key_file, try_create,
                                             try_socket,  try_fork,          try_executable_memory,
                                             try_dumpable};
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        assert_int_equal(outcome_of(attempts[i], true), SIGSYS);
        assert_int_equal(outcome_of(attempts[i], false), 0); /* control */
    }
}

static long status_number(pid_t pid, const char *field)
{
    char name[64], line[256];
    long value = -1;
    snprintf(name, sizeof name, "/proc/%d/status", (int)pid);
    FILE *in = fopen(name, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            value = strtol(line + strlen(field), NULL, 10);
    fclose(in);
    return value;
}

/* stdin, stdout, stderr, the socket, the folder. */
static void what_the_child_has(void **state)
{
    (void)state;
    int spare = open("/dev/null", O_RDONLY); /* not inherited */
    struct keeper *far = spawned();
    pid_t pid = child_pid();
    char name[64];
    struct stat st;
    assert_int_equal(status_number(pid, "Seccomp:"), 2);
    assert_int_equal(status_number(pid, "NoNewPrivs:"), 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(HEARTH_SANITIZED)
    assert_true(status_number(pid, "VmLck:") >= 4); /* sanitizers make mlock do nothing */
#endif
    for (int fd = 0; fd < 5; fd++) {
        snprintf(name, sizeof name, "/proc/%d/fd/%d", (int)pid, fd);
        assert_int_equal(lstat(name, &st), 0);
    }
    for (int fd = 5; fd < 64; fd++) {
        snprintf(name, sizeof name, "/proc/%d/fd/%d", (int)pid, fd);
        assert_int_not_equal(lstat(name, &st), 0);
    }
    keeper_close(far);
    close(spare);
}

/* ---- what comes in */

static void malformed_requests(void **state)
{
    (void)state;
    static const uint8_t sign[] = {FRAME_SIGN, KEEPER_FEDERATION, 0, 1, 'L', 2, 'a', 'b'};
    struct keeper *k = local();
    struct buf reply = BUF_INIT;
    assert_ok(frame_answer(k, bytes_of(sign, sizeof sign), &reply));
    assert_int_equal(reply.len, 2 + 2 + 64);
    buf_clear(&reply);
    for (size_t len = 0; len < sizeof sign; len++) {
        assert_err(frame_answer(k, bytes_of(sign, len), &reply), WIRE_SHORT);
        assert_int_equal(reply.len, 0);
    }
    for (int verb = 0; verb < 256; verb++) {
        /* all are refused: bytes left over, none of a key, an unknown verb */
        uint8_t request[64] = {(uint8_t)verb};
        memset(request + 1, 0xff, sizeof request - 1);
        struct err err = frame_answer(k, bytes_of(request, sizeof request), &reply);
        assert_false(err_is_ok(err));
        buf_clear(&reply);
    }
    /* more references than a frame may name; one less is answered */
    static uint8_t many[1 + FRAME_REFS_MAX + 1] = {FRAME_OPEN_REFS};
    assert_err(frame_answer(k, bytes_of(many, sizeof many), &reply), WIRE_LIMIT);
    buf_clear(&reply);
    assert_ok(frame_answer(k, bytes_of(many, sizeof many - 1), &reply));
    assert_int_equal(reply.len, 2 + 2 * FRAME_REFS_MAX);
    buf_clear(&reply);
    /* an unknown signer is an answer, not nonsense */
    static const uint8_t who[] = {FRAME_PUBLIC, 200};
    assert_ok(frame_answer(k, bytes_of(who, sizeof who), &reply));
    assert_int_equal(reply.data[0] << 8 | reply.data[1], ERR_ARGUMENT);
    buf_clear(&reply);
    keeper_close(k);
}

static void frames_over_the_limit(void **state)
{
    (void)state;
    int ends[2];
    struct buf b = {.limit = FRAME_MAX_BYTES};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    static const uint8_t head[] = {0, 8, 0, 1}; /* one more than allowed */
    assert_int_equal(write(ends[0], head, 4), 4);
    assert_err(frame_receive(ends[1], &b), KEEPER_GONE);
    assert_int_equal(b.cap, 0); /* nothing was allocated for it */
    close(ends[0]);
    assert_err(frame_receive(ends[1], &b), KEEPER_GONE);
    close(ends[1]);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_keys_are_not_in_the_servers_memory),
        cmocka_unit_test(control_of_the_search),
        cmocka_unit_test(both_forms_agree),
        cmocka_unit_test(rotation),
        cmocka_unit_test(a_killed_child),
        cmocka_unit_test(a_stopped_child),
        cmocka_unit_test(signals_do_not_end_it),
        cmocka_unit_test(files_that_are_refused),
        cmocka_unit_test(many_threads),
        cmocka_unit_test(what_a_confined_keeper_may_not),
        cmocka_unit_test(what_the_child_has),
        cmocka_unit_test(malformed_requests),
        cmocka_unit_test(frames_over_the_limit),
        cmocka_unit_test(external_senders),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
