// What both ends on gRPC C++ share: official flags, files, and whether a message came compressed.
#ifndef TESTS_INTEROP_PEERS_CPP_COMMON_H
#define TESTS_INTEROP_PEERS_CPP_COMMON_H

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "grpc/testing/test.grpc.pb.h"

// libgrpc exports it for its own tests; no header declares it.
uint32_t grpc_call_test_only_get_message_flags(grpc_call *call);

namespace peer
{

// What the library notes when it decompresses (GRPC_WRITE_INTERNAL_TEST_ONLY_WAS_COMPRESSED).
constexpr uint32_t kCompressed = 0x40000000u;

template <typename Context> bool was_compressed(Context &context)
{
    return (grpc_call_test_only_get_message_flags(context.c_call()) & kCompressed) != 0;
}

// --name=value
class Flags
{
  public:
    Flags(int argc, char **argv)
    {
        for (int i = 1; i < argc; i++) {
            std::string text = argv[i];
            size_t equals = text.find('=');
            if (text.rfind("--", 0) == 0 && equals != std::string::npos)
                values_[text.substr(2, equals - 2)] = text.substr(equals + 1);
        }
    }
    std::string text(const std::string &name) const
    {
        auto found = values_.find(name);
        return found == values_.end() ? "" : found->second;
    }
    bool on(const std::string &name) const
    {
        return text(name) == "true";
    }

  private:
    std::map<std::string, std::string> values_;
};

inline std::string credential(const std::string &name)
{
    const char *folder = std::getenv("HEARTH_TEST_CREDS");
    std::ifstream file(std::string(folder == nullptr ? "." : folder) + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

constexpr char kInitial[] = "x-grpc-test-echo-initial";
constexpr char kTrailing[] = "x-grpc-test-echo-trailing-bin";

} // namespace peer

#endif
